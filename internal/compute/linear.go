package compute

import "github.com/retort-ml/retort/internal/kernel"

// Linear is Y = X·Wᵀ (+ Bias) (+ Residual). The update of W's LoRA is an op of its own behind it.
//
//	X [rows,Ins]   W [Outs,Ins]   Bias [Outs] or nil   Residual, Y [rows,Outs]
type Linear struct {
	X, Y, Residual TensorID
	W, Bias        *Weight
}

// Linear appends Y = X·Wᵀ + bias (bias may be nil) and returns Y.
func (p *Plan) Linear(x TensorID, w, bias *Weight) TensorID {
	y := p.tensor(w.Name+".out", p.Tensors[x].Rows, w.Outs)
	p.multiplies(w)
	p.emit(&Linear{X: x, Y: y, Residual: none, W: w, Bias: bias})
	p.lowRank(y, x, w)
	return y
}

// LinearAdd appends Y = residual + X·Wᵀ + bias (bias may be nil) and returns Y. The accumulators
// start from the residual; the bias is added last.
func (p *Plan) LinearAdd(residual, x TensorID, w, bias *Weight) TensorID {
	y := p.tensor(w.Name+".out", p.Tensors[x].Rows, w.Outs)
	p.multiplies(w)
	p.emit(&Linear{X: x, Y: y, Residual: residual, W: w, Bias: bias})
	p.lowRank(y, x, w)
	return y
}

// Name implements Op.
func (o *Linear) Name() string { return "Linear" }

func (o *Linear) reads() []TensorID       { return []TensorID{o.X, o.Residual} }
func (o *Linear) writes() []TensorID      { return []TensorID{o.Y} }
func (o *Linear) rowKind(p *Plan) RowKind { return p.Tensors[o.X].Rows }

func (o *Linear) isQuantised() bool { return o.W.Quantised != nil }

func (o *Linear) panels() (panels, work int) {
	return (o.W.Outs + kernel.PanelWidth - 1) / kernel.PanelWidth, o.W.size()
}

func (o *Linear) runRows(r *run, worker, lo, hi int) {
	panels, _ := o.panels()
	o.product(r, worker, lo, hi, 0, panels)
}

func (o *Linear) runPanels(r *run, worker, rows, lo, hi int) {
	o.product(r, worker, 0, rows, lo, hi)
}

// product does rows lo..hi-1 of the panels from..to-1.
func (o *Linear) product(r *run, worker, lo, hi, from, to int) {
	outs := o.W.Outs
	column := from * kernel.PanelWidth
	n := min(to*kernel.PanelWidth, outs) - column
	var init []float32
	ldInit := 0
	switch {
	case o.Residual != none:
		init, ldInit = r.from(worker, o.Residual, lo)[column:], outs
	case o.Bias != nil:
		init = r.weight(o.Bias)[column:]
	}
	y := r.from(worker, o.Y, lo)[column:]
	r.product(worker, y, outs, r.from(worker, o.X, lo), r.panels(o.W), hi-lo, column, n, init, ldInit)
	if o.Residual != none && o.Bias != nil {
		bias := r.weight(o.Bias)[column : column+n]
		for t := range hi - lo {
			row := y[t*outs : t*outs+n]
			kernel.Add(row, row, bias)
		}
	}
}

func (o *Linear) adjoint(b *backward) {
	dy, _ := b.grad(o.Y)
	if o.Residual != none {
		b.share(o.Residual, o.Y)
	}
	dx, written := b.grad(o.X)
	if written != (o.W.LoRA != nil) {
		panic("compute: the input of a Linear has two readers")
	}
	b.emit(&LinearBackward{DY: dy, DX: dx, W: o.W, Add: written})
	if !o.W.Frozen {
		b.later(&WeightGradient{DY: dy, X: o.X, W: o.W, Bias: o.Bias})
	}
}

// LinearBackward is DX = DY·W, or DX += DY·W.
type LinearBackward struct {
	noAdjoint
	DY, DX TensorID
	W      *Weight
	Add    bool
}

// Name implements Op.
func (o *LinearBackward) Name() string { return "LinearBackward" }

func (o *LinearBackward) reads() []TensorID {
	if o.Add {
		return []TensorID{o.DY, o.DX}
	}
	return []TensorID{o.DY}
}
func (o *LinearBackward) writes() []TensorID      { return []TensorID{o.DX} }
func (o *LinearBackward) rowKind(p *Plan) RowKind { return p.Tensors[o.DY].Rows }

func (o *LinearBackward) runRows(r *run, _, lo, hi int) {
	outs, ins := o.W.Outs, o.W.Ins
	dx := r.view(o.DX)[lo*ins:]
	var init []float32
	if o.Add {
		init = dx
	}
	kernel.Gemm(dx, ins, r.view(o.DY)[lo*outs:], outs, 1, r.packedT(o.W), hi-lo, ins, outs, init, ins)
}

// WeightGradient adds DYᵀ·X to the gradient of W and the column sums of DY to that of Bias. Every
// element is one accumulator over all rows, rows ascending.
type WeightGradient struct {
	noAdjoint
	DY, X   TensorID
	W, Bias *Weight
}

// Name implements Op.
func (o *WeightGradient) Name() string { return "WeightGradient" }

func (o *WeightGradient) reads() []TensorID  { return []TensorID{o.DY, o.X} }
func (o *WeightGradient) writes() []TensorID { return nil }

// gradientRows is the number of rows of a weight gradient that one worker claims.
const gradientRows = 24

func (o *WeightGradient) sharedFloats(p *Plan, l *Limits) int {
	return kernel.PackedLen(o.W.Ins, p.Tensors[o.X].Rows.count(l.Tokens, l.Rows))
}

// Phase 0 lays X out in panels over its columns, phase 1 multiplies, phase 2 sums the bias.
func (o *WeightGradient) phases(*run) int {
	if o.Bias == nil {
		return 2
	}
	return 3
}

func (o *WeightGradient) parts(_ *run, phase int) int {
	switch phase {
	case 0:
		return (o.W.Ins + kernel.PanelWidth - 1) / kernel.PanelWidth
	case 1:
		return (o.W.Outs + gradientRows - 1) / gradientRows
	}
	return (o.W.Outs + columnChunk - 1) / columnChunk
}

func (o *WeightGradient) runPart(r *run, phase, _, part int) {
	outs, ins := o.W.Outs, o.W.Ins
	rows := r.rowCount(r.plan.Tensors[o.X].Rows)
	switch phase {
	case 0:
		packPanel(r.shared, r.view(o.X), rows, ins, part)
	case 1:
		addProduct(r.gradient(o.W), ins, r.view(o.DY), outs, r.shared, rows, outs, ins, part)
	case 2:
		lo := part * columnChunk
		addColumnSums(r.gradient(o.Bias), r.view(o.DY), outs, rows, lo, min(lo+columnChunk, outs))
	}
}

// packPanel lays columns 16·panel.. of x [rows,cols] out as panel number panel of dst.
func packPanel(dst, x []float32, rows, cols, panel int) {
	lo := panel * kernel.PanelWidth
	n := min(kernel.PanelWidth, cols-lo)
	kernel.PackColumns(dst[lo*rows:(lo+kernel.PanelWidth)*rows], x[lo:], rows, n, cols)
}

// addProduct adds rows part·gradientRows.. of dyᵀ·x to dw [outs,ins], x being packed.
func addProduct(dw []float32, ldw int, dy []float32, ldy int, packedX []float32, rows, outs, ins, part int) {
	lo := part * gradientRows
	m := min(gradientRows, outs-lo)
	c := dw[lo*ldw:]
	kernel.Gemm(c, ldw, dy[lo:], 1, ldy, packedX, m, ins, rows, c, ldw)
}

// addColumnSums adds columns lo..hi-1 of dy [rows,ld] to sum, rows ascending.
func addColumnSums(sum, dy []float32, ld, rows, lo, hi int) {
	to := sum[lo:hi]
	for t := range rows {
		kernel.Add(to, to, dy[t*ld+lo:t*ld+hi])
	}
}
