package compute

import (
	"fmt"
	"math"

	"github.com/retort-ml/retort/internal/kernel"
)

// AdamW is one step of the optimiser: Loshchilov & Hutter 2019, algorithm 2, after clipping the
// gradient to norm ClipNorm (Pascanu et al. 2013).
type AdamW struct {
	LearningRate, Beta1, Beta2, Epsilon float64
	// WeightDecay is decoupled; it acts on matrices only (not on biases and norms).
	WeightDecay float64
	// ClipNorm is the largest gradient norm; 0 means no clipping.
	ClipNorm float64
	// Step counts from 1 and sets the bias correction.
	Step int
}

// Optimizer updates the slabs of a model in place.
type Optimizer struct {
	pool    *kernel.Pool
	spans   []span
	w, g    []float32
	m, v    []float32
	sums    []float64
	step    kernel.AdamWStep
	decay   float32
	runSum  func(worker, chunk int)
	runStep func(worker, chunk int)
}

// span is one chunk of the slab; all of it is decayed or none.
type span struct {
	lo, hi int
	decay  bool
}

// optimizerChunk is the number of floats of a chunk of the slab; the gradient norm is the sum of
// the chunks' sums in order.
const optimizerChunk = 8192

// NewOptimizer makes an optimiser for the given weights of a slab and its gradients.
func (c *CPU) NewOptimizer(weights []*Weight, slab, gradients []float32) *Optimizer {
	o := &Optimizer{pool: c.pool, w: slab, g: gradients}
	for _, w := range weights {
		end := w.Offset + w.size()
		for lo := w.Offset; lo < end; lo += optimizerChunk {
			o.spans = append(o.spans, span{lo, min(lo+optimizerChunk, end), w.Outs > 1})
		}
	}
	o.m, o.v = Floats(len(slab)), Floats(len(slab))
	o.sums = make([]float64, len(o.spans))
	o.runSum = func(_, i int) { o.sums[i] = kernel.SumSquares(o.g[o.spans[i].lo:o.spans[i].hi]) }
	o.runStep = o.doStep
	return o
}

// State returns views of the first and second moments, laid out as the slab.
func (o *Optimizer) State() (m, v []float32) { return o.m, o.v }

// GradientNorm returns the Euclidean norm of all gradients.
func (o *Optimizer) GradientNorm() float64 {
	o.pool.Run(len(o.spans), o.runSum)
	total := 0.0
	for _, s := range o.sums {
		total += s
	}
	return math.Sqrt(total)
}

// Update takes one step and returns the gradient norm before clipping. A norm that is not finite is
// an error and leaves weights and moments as they are.
func (o *Optimizer) Update(a AdamW) (float64, error) {
	if a.Step < 1 {
		return 0, fmt.Errorf("compute: AdamW: step %d, want steps from 1", a.Step)
	}
	o.pool.Begin()
	defer o.pool.End()
	norm := o.GradientNorm()
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("compute: AdamW: the gradient norm is %v at step %d; lower the learning rate or clip the gradient", norm, a.Step)
	}
	scale := 1.0
	if a.ClipNorm > 0 && norm > a.ClipNorm {
		scale = a.ClipNorm / norm
	}
	o.decay = float32(a.WeightDecay)
	o.step = kernel.AdamWStep{
		LearningRate: float32(a.LearningRate), Beta1: float32(a.Beta1), Beta2: float32(a.Beta2), Epsilon: float32(a.Epsilon),
		GradScale:   float32(scale),
		Correction1: float32(1 - math.Pow(a.Beta1, float64(a.Step))),
		Correction2: float32(1 - math.Pow(a.Beta2, float64(a.Step))),
	}
	o.pool.Run(len(o.spans), o.runStep)
	return norm, nil
}

func (o *Optimizer) doStep(_, i int) {
	s, step := o.spans[i], o.step
	if s.decay {
		step.WeightDecay = o.decay
	}
	kernel.AdamW(o.w[s.lo:s.hi], o.m[s.lo:s.hi], o.v[s.lo:s.hi], o.g[s.lo:s.hi], step)
}
