package compute

import "github.com/retort-ml/retort/internal/kernel"

// headBackward is what the adjoints of losses over the vocabulary share: for each vocabulary chunk
// they pack X, write the chunk's dz [R,chunk] row by row, add dz·W to DX, and add dzᵀ·X to dW (the
// first and the last only if W is not frozen).
//
//	X, DX [R,D]   LSE [R]   Kept [R,V] the logits, which become dz, or none   W [V,D]
type headBackward struct {
	noAdjoint
	X, LSE, Kept, DX TensorID
	W                *Weight
}

func (o *headBackward) reads() []TensorID  { return []TensorID{o.X, o.LSE, o.Kept} }
func (o *headBackward) writes() []TensorID { return []TensorID{o.DX} }

// accumulates implements accumulator.
func (o *headBackward) accumulates() bool { return !o.W.Frozen }

// dzFloats is the memory of dz of one chunk for the most wanted rows.
func (o *headBackward) dzFloats(l *Limits) int {
	if o.Kept != none {
		return 0
	}
	return l.Rows * min(vocabularyChunk, o.W.Outs)
}

func (o *headBackward) sharedFloats(_ *Plan, l *Limits) int {
	return kernel.PackedLen(o.W.Ins, l.Rows) + o.dzFloats(l)
}

// step divides a phase into its vocabulary chunk and the step within it. Phase 0 is step 0 (packing
// X, which all chunks use); then each chunk has step 1 (dz and DX) and step 2 (dW).
func (o *headBackward) step(phase int) (chunk, step int) {
	if phase == 0 {
		return 0, 0
	}
	return (phase - 1) / 2, 1 + (phase-1)%2
}

func (o *headBackward) phases(*run) int { return 1 + 2*vocabularyChunks(o.W) }

func (o *headBackward) parts(r *run, phase int) int {
	chunk, step := o.step(phase)
	switch {
	case step == 1:
		return (r.wanted + backwardChunk - 1) / backwardChunk
	case o.W.Frozen:
		return 0
	case step == 0:
		return (o.W.Ins + kernel.PanelWidth - 1) / kernel.PanelWidth
	}
	_, n := chunkOf(o.W, chunk)
	return (n + gradientRows - 1) / gradientRows
}

func (o *headBackward) rowsOf(r *run, part int) (lo, hi int) {
	lo = part * backwardChunk
	return lo, min(lo+backwardChunk, r.wanted)
}

func (o *headBackward) packedX(r *run) []float32 {
	return r.shared[:kernel.PackedLen(o.W.Ins, r.wanted)]
}

// dz is the chunk's gradient buffer [R,n].
func (o *headBackward) dz(r *run, n int) []float32 {
	if o.Kept != none {
		return r.view(o.Kept)
	}
	at := kernel.PackedLen(o.W.Ins, r.wanted)
	return r.shared[at : at+r.wanted*n]
}

// logits makes the rows lo..hi-1 of dz hold the chunk's logits and returns those rows.
func (o *headBackward) logits(r *run, worker, chunk, lo, hi int) []float32 {
	first, n := chunkOf(o.W, chunk)
	tile := o.dz(r, n)[lo*n : hi*n]
	if o.Kept != none {
		return tile
	}
	r.logitsTile(worker, tile, n, r.view(o.X)[lo*o.W.Ins:], r.panels(o.W), hi-lo, first, n)
	return tile
}

// inputGradient adds dz·W of the chunk to rows lo..hi-1 of DX (the first chunk overwrites).
func (o *headBackward) inputGradient(r *run, chunk, lo, hi int) {
	v, d := o.W.Outs, o.W.Ins
	first, n := chunkOf(o.W, chunk)
	dz, dx, panels := o.dz(r, n)[lo*n:], r.view(o.DX)[lo*d:], r.packedT(o.W)
	if n == v {
		kernel.Gemm(dx, d, dz, n, 1, panels, hi-lo, d, n, nil, 0)
		return
	}
	for at := 0; at < d; at += kernel.PanelWidth {
		var init []float32
		if chunk > 0 {
			init = dx[at:]
		}
		panel := panels[at*v+first*kernel.PanelWidth:]
		kernel.Gemm(dx[at:], d, dz, n, 1, panel, hi-lo, min(kernel.PanelWidth, d-at), n, init, d)
	}
}

// sumPart does the steps that sum over rows: packing X, and the gradient of W.
func (o *headBackward) sumPart(r *run, chunk, step, part int) {
	d := o.W.Ins
	if step == 0 {
		packPanel(r.shared, r.view(o.X), r.wanted, d, part)
		return
	}
	first, n := chunkOf(o.W, chunk)
	addProduct(r.gradient(o.W)[first*d:], d, o.dz(r, n), n, o.packedX(r), r.wanted, n, d, part)
}
