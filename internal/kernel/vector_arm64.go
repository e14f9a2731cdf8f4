//go:build arm64 && !purego

package kernel

func addScaled(y, x []float32, a float32) {
	if !useNEON {
		addScaledGo(y, x, a)
		return
	}
	addScaledNEON(&y[0], &x[0], len(x), a)
}

func add(out, a, b []float32) {
	if !useNEON {
		addGo(out, a, b)
		return
	}
	addNEON(&out[0], &a[0], &b[0], len(out))
}

func sumSquares(x []float32) (total float64) {
	if !useNEON {
		return sumSquaresGo(x)
	}
	sumSquaresNEON(&total, &x[0], len(x))
	return total
}

func adamW(w, m, v, g []float32, s AdamWStep) {
	if !useNEON {
		adamWGo(w, m, v, g, s)
		return
	}
	// The order of adamW in csrc/flat.h.
	numbers := [8]float32{s.LearningRate, s.Beta1, s.Beta2, s.Epsilon, s.WeightDecay, s.GradScale, s.Correction1, s.Correction2}
	adamWNEON(&w[0], &m[0], &v[0], &g[0], &numbers[0], len(w))
}
