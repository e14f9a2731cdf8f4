package compute

import "github.com/retort-ml/retort/internal/kernel"

// Embed copies the embedding row of each token: Y[t] = E[token[t]], widened to float32 if E is quantised.
//
//	E [V,D]   Y [T,D]
type Embed struct {
	E *Weight
	Y TensorID
}

// Embed appends an Embed op and returns its output [T,D].
func (p *Plan) Embed(e *Weight) TensorID {
	y := p.tensor("embed", TokenRows, e.Ins)
	p.emit(&Embed{e, y})
	return y
}

// Name implements Op.
func (o *Embed) Name() string { return "Embed" }

func (o *Embed) reads() []TensorID     { return nil }
func (o *Embed) writes() []TensorID    { return []TensorID{o.Y} }
func (o *Embed) rowKind(*Plan) RowKind { return TokenRows }

func (o *Embed) runRows(r *run, _, lo, hi int) {
	d, y := o.E.Ins, r.view(o.Y)
	if o.E.Quantised != nil {
		for t := lo; t < hi; t++ {
			o.E.quantisedRow(y[t*d:(t+1)*d], int(r.batch.Tokens[t]))
		}
		return
	}
	e := r.weight(o.E)
	for t := lo; t < hi; t++ {
		id := int(r.batch.Tokens[t])
		copy(y[t*d:(t+1)*d], e[id*d:(id+1)*d])
	}
}

// quantisedRow reads row j.
func (w *Weight) quantisedRow(dst []float32, j int) {
	for _, part := range w.Quantised {
		if j < part.First+part.Rows {
			kernel.PanelRow(dst, part.Format, part.Panels, j-part.First)
			return
		}
	}
}

func (o *Embed) adjoint(b *backward) {
	dy, _ := b.grad(o.Y)
	if o.E.Frozen {
		return
	}
	b.emit(&EmbedBackward{E: o.E, DY: dy})
}

// EmbedBackward adds each row's gradient to the gradient of its token's embedding, rows ascending.
type EmbedBackward struct {
	noAdjoint
	E  *Weight
	DY TensorID
}

// Name implements Op.
func (o *EmbedBackward) Name() string { return "EmbedBackward" }

func (o *EmbedBackward) reads() []TensorID  { return []TensorID{o.DY} }
func (o *EmbedBackward) writes() []TensorID { return nil }

// columnChunk is the number of columns that one worker owns in sums over rows.
const columnChunk = 32

func (o *EmbedBackward) phases(*run) int { return 1 }

func (o *EmbedBackward) parts(*run, int) int { return (o.E.Ins + columnChunk - 1) / columnChunk }

func (o *EmbedBackward) runPart(r *run, _, _, part int) {
	d, de, dy := o.E.Ins, r.gradient(o.E), r.view(o.DY)
	lo := part * columnChunk
	hi := min(lo+columnChunk, d)
	for t, id := range r.batch.Tokens[:r.tokens] {
		to := de[int(id)*d+lo : int(id)*d+hi]
		kernel.Add(to, to, dy[t*d+lo:t*d+hi])
	}
}
