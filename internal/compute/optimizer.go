package compute

import (
	"errors"
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
	// Muon updates the optimiser's matrices by Muon, with the same learning rate and decay, and the
	// rest (embeddings, head, norms, biases) by AdamW. Momentum is its momentum.
	Muon     bool
	Momentum float64
}

// Optimizer updates the slabs of a model in place.
type Optimizer struct {
	pool     *kernel.Pool
	spans    []span
	w, g     []float32
	m, v     []float32
	eight    *moments8 // in place of m and v
	sums     []float64
	step     kernel.AdamWStep
	decay    float32
	muon     *muon
	adamw    []span // the spans that Muon leaves to AdamW
	active   []span // of this step
	momentum float32
	runSum   func(worker, chunk int)
	runStep  func(worker, chunk int)
}

// span is one chunk of the slab; all of it is decayed or none.
type span struct {
	lo, hi int
	decay  bool
	block  int // the first of its blocks of moments
}

// optimizerChunk is the number of floats of a chunk of the slab; the gradient norm is the sum of
// the chunks' sums in order.
const optimizerChunk = 8192

// NewOptimizer makes an optimiser for the given weights of a slab and its gradients. matrices are
// the parts of the slab that Muon may update, each within one weight. With eightBit the moments take 8 bits each instead of
// 32 (Dettmers et al. 2022, arXiv:2110.02861), and Muon cannot be asked for.
func (c *CPU) NewOptimizer(weights []*Weight, slab, gradients []float32, matrices []Matrix, eightBit bool) *Optimizer {
	o := &Optimizer{pool: c.pool, w: slab, g: gradients}
	inMatrix := map[int]bool{}
	for _, m := range matrices {
		inMatrix[m.Offset] = true
	}
	blocks := 0
	for _, w := range weights {
		end := w.Offset + w.size()
		for lo := w.Offset; lo < end; lo += optimizerChunk {
			s := span{lo, min(lo+optimizerChunk, end), w.Outs > 1, blocks}
			blocks += blocksOf(s.hi - s.lo)
			o.spans = append(o.spans, s)
			if !inMatrix[w.Offset] {
				o.adamw = append(o.adamw, s)
			}
		}
	}
	if eightBit {
		o.eight = newMoments8(c.pool.Threads(), len(slab), blocks)
	} else {
		o.muon = newMuon(c.pool.Threads(), matrices)
		o.muon.run = o.muonStep
		o.m, o.v = Floats(len(slab)), Floats(len(slab))
	}
	o.sums = make([]float64, len(o.spans))
	o.runSum = func(_, i int) { o.sums[i] = kernel.SumSquares(o.g[o.spans[i].lo:o.spans[i].hi]) }
	o.runStep = o.doStep
	return o
}

// Moments are the state of an optimiser. M and V are the first and second moments, laid out as the slab; in 8 bits, M8 and V8
// are their codes, and MScale and VScale those of the blocks. What is not in use is nil.
type Moments struct {
	M, V           []float32
	M8, V8         []uint8
	MScale, VScale []float32
}

// State returns views of the moments.
func (o *Optimizer) State() Moments {
	if s := o.eight; s != nil {
		return Moments{M8: s.m, V8: s.v, MScale: s.mScale, VScale: s.vScale}
	}
	return Moments{M: o.m, V: o.v}
}

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
	if a.Muon && o.eight != nil {
		return 0, errors.New("compute: Muon: got an optimiser with moments of 8 bits, want 32")
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
	o.active = o.spans
	if a.Muon {
		o.active, o.momentum = o.adamw, float32(a.Momentum)
		o.pool.Run(len(o.muon.matrices), o.muon.run)
	}
	o.pool.Run(len(o.active), o.runStep)
	return norm, nil
}

// muonStep updates one matrix. Its momentum stands in the first moments; the second stay zero.
func (o *Optimizer) muonStep(worker, i int) {
	t := o.muon.matrices[i]
	n := t.Rows * t.Cols
	w, m, g := o.w[t.Offset:t.Offset+n], o.m[t.Offset:t.Offset+n], o.g[t.Offset:t.Offset+n]
	scale := o.step.GradScale
	for j := range m {
		gradient := scale * g[j]
		m[j] = float32(o.momentum*m[j]) + gradient
		g[j] = gradient + float32(o.momentum*m[j])
	}
	o.muon.scratch[worker].orthogonalise(g, t.Rows, t.Cols)
	rate := o.step.LearningRate * muonUpdateSize * float32(math.Sqrt(float64(max(t.Rows, t.Cols))))
	keep := 1 - o.step.LearningRate*o.decay
	for j := range w {
		w[j] = float32(keep*w[j]) - float32(rate*g[j])
	}
}

func (o *Optimizer) doStep(worker, i int) {
	s, step := o.active[i], o.step
	if s.decay {
		step.WeightDecay = o.decay
	}
	if o.eight == nil {
		kernel.AdamW(o.w[s.lo:s.hi], o.m[s.lo:s.hi], o.v[s.lo:s.hi], o.g[s.lo:s.hi], step)
		return
	}
	m, v := o.eight.load(worker, s)
	kernel.AdamW(o.w[s.lo:s.hi], m, v, o.g[s.lo:s.hi], step)
	o.eight.store(m, v, s)
}
