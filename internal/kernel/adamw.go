package kernel

import "math"

// AdamWStep holds the numbers of one optimiser step, the same for all weights of a group.
type AdamWStep struct {
	LearningRate float32
	Beta1, Beta2 float32 // decay of the two moments, in [0,1)
	Epsilon      float32 // added to the root of the second moment
	WeightDecay  float32 // multiplied by LearningRate, not by the gradient's scale
	GradScale    float32 // multiplies each gradient first: clipping
	Correction1  float32 // 1 - Beta1^t, t from 1
	Correction2  float32 // 1 - Beta2^t
}

// AdamW updates weights and both moments by one step with decoupled decay (Loshchilov & Hutter 2019, algorithm 2,
// with the schedule inside LearningRate).
//
//	w, m, v, g of one length; g is only read
//
// g' = g·GradScale; m = β1·m + (1-β1)·g'; v = β2·v + (1-β2)·g'²;
// w -= LearningRate·(m/Correction1 / (sqrt(v/Correction2) + Epsilon) + WeightDecay·w).
func AdamW(w, m, v, g []float32, s AdamWStep) {
	if len(m) != len(w) || len(v) != len(w) || len(g) != len(w) {
		panic("kernel: AdamW: lengths differ")
	}
	if len(w) == 0 {
		return
	}
	adamW(w, m, v, g, s)
}

func adamWGo(w, m, v, g []float32, s AdamWStep) {
	m, v, g = m[:len(w)], v[:len(w)], g[:len(w)]
	rest1, rest2 := 1-s.Beta1, 1-s.Beta2
	for i, weight := range w {
		gradient := float32(g[i] * s.GradScale)
		first := float32(s.Beta1*m[i]) + float32(rest1*gradient)
		second := float32(s.Beta2*v[i]) + float32(rest2*float32(gradient*gradient))
		m[i], v[i] = first, second
		root := float32(math.Sqrt(float64(second / s.Correction2)))
		step := first/s.Correction1/(root+s.Epsilon) + float32(s.WeightDecay*weight)
		w[i] = weight - float32(s.LearningRate*step)
	}
}
