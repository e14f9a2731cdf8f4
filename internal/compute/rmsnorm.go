package compute

import "github.com/retort-ml/retort/internal/kernel"

// RMSNorm divides each row by its root mean square and scales it (Zhang & Sennrich 2019, eq. 4):
// Y = X / sqrt(mean(X²)+Epsilon) · W.
//
//	X, Y [rows,D]   W [D]   RStd [rows] (kept for the adjoint; none in plans without one)
type RMSNorm struct {
	X, Y, RStd TensorID
	W          *Weight
	Epsilon    float32
}

// RMSNorm appends an RMSNorm op and returns its output, of the rows of x.
func (p *Plan) RMSNorm(x TensorID, w *Weight, epsilon float32) TensorID {
	info := p.Tensors[x]
	y := p.tensor(w.Name+".out", info.Rows, info.Cols)
	rstd := p.tensor(w.Name+".rstd", info.Rows, 1)
	p.emit(&RMSNorm{X: x, Y: y, RStd: rstd, W: w, Epsilon: epsilon})
	return y
}

// Name implements Op.
func (o *RMSNorm) Name() string { return "RMSNorm" }

func (o *RMSNorm) reads() []TensorID       { return []TensorID{o.X} }
func (o *RMSNorm) writes() []TensorID      { return []TensorID{o.Y, o.RStd} }
func (o *RMSNorm) rowKind(p *Plan) RowKind { return p.Tensors[o.X].Rows }

func (o *RMSNorm) runRows(r *run, worker, lo, hi int) {
	d, n := o.W.Ins, hi-lo
	x, y, rstd := r.from(worker, o.X, lo)[:n*d], r.from(worker, o.Y, lo)[:n*d], r.from(worker, o.RStd, lo)[:n]
	kernel.RMSNorm(y, x, r.weight(o.W), rstd, n, d, o.Epsilon)
}

func (o *RMSNorm) adjoint(b *backward) {
	dy, _ := b.grad(o.Y)
	base, dx := b.fresh(o.X)
	info := b.plan.Tensors[o.X]
	partial := b.plan.tensor("d."+o.W.Name+".partial", info.Rows.chunked(), info.Cols)
	b.emit(&RMSNormBackward{X: o.X, RStd: o.RStd, DY: dy, Base: base, DX: dx, Partial: partial, W: o.W})
	if !o.W.Frozen {
		b.later(&NormGradient{W: o.W, Partial: partial})
	}
}

// RMSNormBackward writes DX = Base + the gradient through the norm, and the sums over each chunk of
// rows for the gradient of W into Partial:
//
//	dx = rstd·(w·dy − x·rstd²·mean(w·dy·x)),   dW = Σ_rows dy·x·rstd
type RMSNormBackward struct {
	noAdjoint
	X, RStd, DY, Base, DX TensorID
	// Partial holds [chunks][D], chunks of backwardChunk rows.
	Partial TensorID
	W       *Weight
}

// Name implements Op.
func (o *RMSNormBackward) Name() string { return "RMSNormBackward" }

func (o *RMSNormBackward) reads() []TensorID       { return []TensorID{o.X, o.RStd, o.DY, o.Base} }
func (o *RMSNormBackward) writes() []TensorID      { return []TensorID{o.DX, o.Partial} }
func (o *RMSNormBackward) rowKind(p *Plan) RowKind { return p.Tensors[o.X].Rows }

func (o *RMSNormBackward) runRows(r *run, _, lo, hi int) {
	d := o.W.Ins
	dx := r.view(o.DX)[lo*d : hi*d]
	if o.Base == none {
		clear(dx)
	} else {
		copy(dx, r.view(o.Base)[lo*d:hi*d])
	}
	chunk := lo / backwardChunk
	dw := r.view(o.Partial)[chunk*d : (chunk+1)*d]
	clear(dw)
	kernel.RMSNormBackward(dx, dw, r.view(o.DY)[lo*d:hi*d], r.view(o.X)[lo*d:hi*d], r.weight(o.W), r.view(o.RStd)[lo:hi], hi-lo, d)
}

// NormGradient adds the chunk sums, chunks ascending, to the gradient of W.
type NormGradient struct {
	noAdjoint
	W       *Weight
	Partial TensorID
}

// Name implements Op.
func (o *NormGradient) Name() string { return "NormGradient" }

func (o *NormGradient) reads() []TensorID  { return []TensorID{o.Partial} }
func (o *NormGradient) writes() []TensorID { return nil }

func (o *NormGradient) phases(*run) int { return 1 }

func (o *NormGradient) parts(*run, int) int { return 1 }

func (o *NormGradient) runPart(r *run, _, _, _ int) {
	d, dw, partial := o.W.Ins, r.gradient(o.W), r.view(o.Partial)
	for ; len(partial) > 0; partial = partial[d:] {
		kernel.Add(dw, dw, partial[:d])
	}
}
