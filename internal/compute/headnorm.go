package compute

import "github.com/retort-ml/retort/internal/kernel"

// HeadNorm is the RMSNorm of every query head and every key head on its own (QK norm; Dehghani et
// al. 2023, section 2, with RMSNorm as Qwen3 has it), before they are rotated; values are copied.
//
//	X, Y [T,(H+2G)K]   Query, Key [K]   RStd [T,H+G] (kept for the adjoint)
type HeadNorm struct {
	X, Y, RStd TensorID
	Query, Key *Weight
	Heads      Heads
	Epsilon    float32
}

// HeadNorm appends a HeadNorm op for rows of queries, keys and values and returns its output.
func (p *Plan) HeadNorm(qkv TensorID, h Heads, query, key *Weight, epsilon float32) TensorID {
	y := p.tensor(query.Name+".out", TokenRows, h.Width())
	rstd := p.tensor(query.Name+".rstd", TokenRows, h.H+h.G)
	p.emit(&HeadNorm{X: qkv, Y: y, RStd: rstd, Query: query, Key: key, Heads: h, Epsilon: epsilon})
	return y
}

// Name implements Op.
func (o *HeadNorm) Name() string { return "HeadNorm" }

func (o *HeadNorm) reads() []TensorID     { return []TensorID{o.X} }
func (o *HeadNorm) writes() []TensorID    { return []TensorID{o.Y, o.RStd} }
func (o *HeadNorm) rowKind(*Plan) RowKind { return TokenRows }

func (o *HeadNorm) runRows(r *run, _, lo, hi int) {
	h, ld := o.Heads, o.Heads.Width()
	wide, values := h.H*h.K, (h.H+h.G)*h.K
	x, y, rstd := r.view(o.X), r.view(o.Y), r.view(o.RStd)
	query, key := r.weight(o.Query), r.weight(o.Key)
	for t := lo; t < hi; t++ {
		from, to, s := x[t*ld:(t+1)*ld], y[t*ld:(t+1)*ld], rstd[t*(h.H+h.G):(t+1)*(h.H+h.G)]
		kernel.RMSNorm(to, from, query, s, h.H, h.K, o.Epsilon)
		kernel.RMSNorm(to[wide:], from[wide:], key, s[h.H:], h.G, h.K, o.Epsilon)
		copy(to[values:], from[values:])
	}
}

func (o *HeadNorm) adjoint(b *backward) {
	dy, _ := b.grad(o.Y)
	dx, written := b.grad(o.X)
	if written {
		panic("compute: the input of a HeadNorm has two readers")
	}
	query := b.plan.tensor("d."+o.Query.Name+".partial", TokenChunks, o.Heads.K)
	key := b.plan.tensor("d."+o.Key.Name+".partial", TokenChunks, o.Heads.K)
	b.emit(&HeadNormBackward{forward: o, DY: dy, DX: dx, QueryPartial: query, KeyPartial: key})
	if !o.Query.Frozen {
		b.later(&NormGradient{W: o.Query, Partial: query})
		b.later(&NormGradient{W: o.Key, Partial: key})
	}
}

// HeadNormBackward is RMSNormBackward head by head; the gradient of the values passes through.
type HeadNormBackward struct {
	noAdjoint
	forward *HeadNorm
	DY, DX  TensorID
	// QueryPartial and KeyPartial hold [chunks][K], chunks of backwardChunk rows.
	QueryPartial, KeyPartial TensorID
}

// Name implements Op.
func (o *HeadNormBackward) Name() string { return "HeadNormBackward" }

func (o *HeadNormBackward) reads() []TensorID {
	return []TensorID{o.forward.X, o.forward.RStd, o.DY}
}

func (o *HeadNormBackward) writes() []TensorID {
	return []TensorID{o.DX, o.QueryPartial, o.KeyPartial}
}
func (o *HeadNormBackward) rowKind(*Plan) RowKind { return TokenRows }

func (o *HeadNormBackward) runRows(r *run, _, lo, hi int) {
	f := o.forward
	h, ld := f.Heads, f.Heads.Width()
	wide, values := h.H*h.K, (h.H+h.G)*h.K
	x, rstd, dy, dx := r.view(f.X), r.view(f.RStd), r.view(o.DY), r.view(o.DX)
	query, key := r.weight(f.Query), r.weight(f.Key)
	chunk := lo / backwardChunk
	dq, dk := r.view(o.QueryPartial)[chunk*h.K:(chunk+1)*h.K], r.view(o.KeyPartial)[chunk*h.K:(chunk+1)*h.K]
	clear(dq)
	clear(dk)
	for t := lo; t < hi; t++ {
		row, g, to, s := x[t*ld:(t+1)*ld], dy[t*ld:(t+1)*ld], dx[t*ld:(t+1)*ld], rstd[t*(h.H+h.G):(t+1)*(h.H+h.G)]
		clear(to[:values])
		kernel.RMSNormBackward(to, dq, g, row, query, s, h.H, h.K)
		kernel.RMSNormBackward(to[wide:], dk, g[wide:], row[wide:], key, s[h.H:], h.G, h.K)
		copy(to[values:], g[values:])
	}
}
