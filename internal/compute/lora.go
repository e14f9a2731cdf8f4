package compute

import "github.com/retort-ml/retort/internal/kernel"

// LoRA is a low-rank update of a weight W [Outs,Ins] that stays apart from it (Hu et al. 2021,
// arXiv:2106.09685, equation 3): a product by W becomes X·Wᵀ + Scale·(X·Aᵀ)·Bᵀ. A weight that fuses
// several projections has one part for each that is updated, with a rank and a scale of its own.
type LoRA struct {
	// A is [Σ ranks,Ins], the parts' matrices below one another.
	A *Weight
	// Parts are in the order of their rows in A.
	Parts []LoRAPart
}

// LoRAPart is the second factor of one projection: B [rows,rank] updates rows Row.. of W.
type LoRAPart struct {
	B     *Weight
	Row   int
	Scale float32
}

// scale multiplies the columns of each part of u [rows,Σ ranks] by its scale.
func (l *LoRA) scale(u []float32) {
	for ranks := l.A.Outs; len(u) >= ranks; u = u[ranks:] {
		column := 0
		for _, part := range l.Parts {
			scale(u[column:column+part.B.Ins], part.Scale)
			column += part.B.Ins
		}
	}
}

// LowRank adds the update of a LoRA to a product, in place:
//
//	U = X·Aᵀ, its ranks of each part times Scale   Y[:,rows of part] += U[:,ranks of part]·Bᵀ
//
//	X [rows,Ins]   U [rows,Σ ranks]   Y [rows,Outs]
type LowRank struct {
	X, U, Y TensorID
	LoRA    *LoRA
}

// lowRank appends the update of w's LoRA, if it has one, to y = x·wᵀ.
func (p *Plan) lowRank(y, x TensorID, w *Weight) {
	if w.LoRA == nil {
		return
	}
	u := p.tensor(w.Name+".lora", p.Tensors[x].Rows, w.LoRA.A.Outs)
	p.emit(&LowRank{X: x, U: u, Y: y, LoRA: w.LoRA})
}

// Name implements Op.
func (o *LowRank) Name() string { return "LowRank" }

func (o *LowRank) reads() []TensorID       { return []TensorID{o.X, o.Y} }
func (o *LowRank) writes() []TensorID      { return []TensorID{o.U, o.Y} }
func (o *LowRank) rowKind(p *Plan) RowKind { return p.Tensors[o.X].Rows }

func (o *LowRank) runRows(r *run, _, lo, hi int) {
	a := o.LoRA.A
	outs, ins, ranks := r.plan.cols(o.Y), a.Ins, a.Outs
	u := r.view(o.U)[lo*ranks : hi*ranks]
	kernel.Gemm(u, ranks, r.view(o.X)[lo*ins:], ins, 1, r.packed(a), hi-lo, ranks, ins, nil, 0)
	o.LoRA.scale(u)
	column := 0
	for _, part := range o.LoRA.Parts {
		y := r.view(o.Y)[lo*outs+part.Row:]
		kernel.Gemm(y, outs, u[column:], ranks, 1, r.packed(part.B), hi-lo, part.B.Outs, part.B.Ins, y, outs)
		column += part.B.Ins
	}
}

func (o *LowRank) adjoint(b *backward) {
	a := o.LoRA.A
	dy, _ := b.grad(o.Y)
	du, _ := b.grad(o.U)
	dx, written := b.grad(o.X)
	if written {
		panic("compute: the input of a LowRank already has a gradient")
	}
	b.emit(&LowRankBackward{DY: dy, DU: du, DX: dx, LoRA: o.LoRA})
	if a.Frozen {
		return
	}
	b.later(&WeightGradient{DY: du, X: o.X, W: a})
	column := 0
	for _, part := range o.LoRA.Parts {
		b.later(&PartGradient{DY: dy, U: o.U, Part: part, Column: column})
		column += part.B.Ins
	}
}

// LowRankBackward is DU[:,ranks of part] = Scale·DY[:,rows of part]·B and DX = DU·A. The product
// itself adds its share to DX afterwards.
type LowRankBackward struct {
	noAdjoint
	DY, DU, DX TensorID
	LoRA       *LoRA
}

// Name implements Op.
func (o *LowRankBackward) Name() string { return "LowRankBackward" }

func (o *LowRankBackward) reads() []TensorID       { return []TensorID{o.DY} }
func (o *LowRankBackward) writes() []TensorID      { return []TensorID{o.DU, o.DX} }
func (o *LowRankBackward) rowKind(p *Plan) RowKind { return p.Tensors[o.DY].Rows }

func (o *LowRankBackward) runRows(r *run, _, lo, hi int) {
	a := o.LoRA.A
	outs, ins, ranks := r.plan.cols(o.DY), a.Ins, a.Outs
	du := r.view(o.DU)[lo*ranks : hi*ranks]
	column := 0
	for _, part := range o.LoRA.Parts {
		dy := r.view(o.DY)[lo*outs+part.Row:]
		kernel.Gemm(du[column:], ranks, dy, outs, 1, r.packedT(part.B), hi-lo, part.B.Ins, part.B.Outs, nil, 0)
		column += part.B.Ins
	}
	o.LoRA.scale(du)
	kernel.Gemm(r.view(o.DX)[lo*ins:], ins, du, ranks, 1, r.packedT(a), hi-lo, ins, ranks, nil, 0)
}

// PartGradient adds DY[:,rows of part]ᵀ·U[:,ranks of part] to the gradient of the part's B. Every
// element is one accumulator over all rows, rows ascending.
type PartGradient struct {
	noAdjoint
	DY, U  TensorID
	Part   LoRAPart
	Column int // the first of the part's ranks
}

// Name implements Op.
func (o *PartGradient) Name() string { return "PartGradient" }

func (o *PartGradient) reads() []TensorID  { return []TensorID{o.DY, o.U} }
func (o *PartGradient) writes() []TensorID { return nil }

func (o *PartGradient) sharedFloats(p *Plan, l *Limits) int {
	return kernel.PackedLen(o.Part.B.Ins, p.Tensors[o.U].Rows.count(l.Tokens, l.Rows))
}

// Phase 0 lays the part's columns of U out in panels, phase 1 multiplies.
func (o *PartGradient) phases(*run) int { return 2 }

func (o *PartGradient) parts(_ *run, phase int) int {
	if phase == 0 {
		return (o.Part.B.Ins + kernel.PanelWidth - 1) / kernel.PanelWidth
	}
	return (o.Part.B.Outs + gradientRows - 1) / gradientRows
}

func (o *PartGradient) runPart(r *run, phase, _, part int) {
	b, outs, ranks := o.Part.B, r.plan.cols(o.DY), r.plan.cols(o.U)
	rows := r.rowCount(r.plan.Tensors[o.U].Rows)
	if phase == 0 {
		lo := part * kernel.PanelWidth
		n := min(kernel.PanelWidth, b.Ins-lo)
		kernel.PackColumns(r.shared[lo*rows:(lo+kernel.PanelWidth)*rows], r.view(o.U)[o.Column+lo:], rows, n, ranks)
		return
	}
	addProduct(r.gradient(b), b.Ins, r.view(o.DY)[o.Part.Row:], outs, r.shared, rows, b.Outs, b.Ins, part)
}
