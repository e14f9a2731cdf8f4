package compute

import (
	"math"

	"github.com/retort-ml/retort/internal/kernel"
)

// Heads is the shape of an attention layer: H query heads share G key/value heads of size K. A row
// of a QKV activation is H·K queries, then G·K keys, then G·K values.
type Heads struct {
	H, G, K int
}

// Width is the number of columns of a QKV row.
func (h Heads) Width() int { return (h.H + 2*h.G) * h.K }

// Rotate turns queries and keys of QKV in place by their positions (RoPE, Su et al. 2021, eq. 34,
// with Hugging Face's pairing of element i with i+K/2) and writes keys and values to the layer's
// KV blocks.
//
//	QKV [T,(H+2G)K]   Table [positions,K]: K/2 cosines, K/2 sines
type Rotate struct {
	QKV   TensorID
	Heads Heads
	Table []float32
	Layer int
}

// Rotate appends a Rotate op for one layer's qkv.
func (p *Plan) Rotate(qkv TensorID, h Heads, table []float32, layer int) {
	p.emit(&Rotate{qkv, h, table, layer})
}

// Name implements Op.
func (o *Rotate) Name() string { return "Rotate" }

func (o *Rotate) reads() []TensorID     { return []TensorID{o.QKV} }
func (o *Rotate) writes() []TensorID    { return []TensorID{o.QKV} }
func (o *Rotate) rowKind(*Plan) RowKind { return TokenRows }

func (o *Rotate) runRows(r *run, _, lo, hi int) {
	h, ld := o.Heads, o.Heads.Width()
	x := r.view(o.QKV)[lo*ld : hi*ld]
	kernel.RoPE(x, ld, r.positions[lo:hi], o.Table, hi-lo, h.H+h.G, h.K, false)
	keys := h.H * h.K
	kernel.KVWrite(r.layerKV(o.Layer, h), r.buf.KVFormat, r.slots[lo:hi], x[keys:], x[keys+h.G*h.K:], ld, hi-lo, h.G, h.K)
}

// layerKV is the arena of one layer.
func (r *run) layerKV(layer int, h Heads) []float32 {
	if r.ownBlocks {
		return r.buf.KV
	}
	n := len(r.buf.KV) / r.plan.Layers
	return r.buf.KV[layer*n : (layer+1)*n]
}

func (o *Rotate) adjoint(b *backward) {
	d, _ := b.grad(o.QKV)
	b.emit(&RotateBackward{DQKV: d, Heads: o.Heads, Table: o.Table})
}

// RotateBackward turns the gradients of queries and keys back, in place.
type RotateBackward struct {
	noAdjoint
	DQKV  TensorID
	Heads Heads
	Table []float32
}

// Name implements Op.
func (o *RotateBackward) Name() string { return "RotateBackward" }

func (o *RotateBackward) reads() []TensorID     { return []TensorID{o.DQKV} }
func (o *RotateBackward) writes() []TensorID    { return []TensorID{o.DQKV} }
func (o *RotateBackward) rowKind(*Plan) RowKind { return TokenRows }

func (o *RotateBackward) runRows(r *run, _, lo, hi int) {
	h, ld := o.Heads, o.Heads.Width()
	kernel.RoPE(r.view(o.DQKV)[lo*ld:hi*ld], ld, r.positions[lo:hi], o.Table, hi-lo, h.H+h.G, h.K, true)
}

// Attention is causal grouped-query attention (Vaswani et al. 2017, eq. 1; Ainslie et al. 2023) of
// each row over its sequence's keys and values in the paged arena, its own included. Decode,
// prefill and training run the same kernel, row by row.
//
//	QKV [T,(H+2G)K] (rotated)   Y [T,HK]   LSE [T,H] log-sum-exp of the scores, kept for the adjoint
type Attention struct {
	QKV, Y, LSE TensorID
	Heads       Heads
	Layer       int
}

// Attention appends an Attention op and returns its output [T,HK].
func (p *Plan) Attention(qkv TensorID, h Heads, layer int) TensorID {
	y := p.tensor("attention", TokenRows, h.H*h.K)
	lse := p.tensor("attention.lse", TokenRows, h.H)
	p.emit(&Attention{QKV: qkv, Y: y, LSE: lse, Heads: h, Layer: layer})
	return y
}

// Name implements Op.
func (o *Attention) Name() string { return "Attention" }

func (o *Attention) reads() []TensorID  { return []TensorID{o.QKV} }
func (o *Attention) writes() []TensorID { return []TensorID{o.Y, o.LSE} }

func (o *Attention) scratchFloats(_ *Plan, _ *Limits) int {
	return kernel.AttentionScratch(o.Heads.H, o.Heads.G, o.Heads.K)
}

// pieceRows bounds the rows of one piece of attention. A worker claims one key/value head of a piece at once, or where there are many pieces for
// each worker all heads of a share: of a piece of many rows, or of piecesPerShare others, which may have one row each.
const (
	pieceRows      = 32
	piecesPerShare = 4
	manyPieces     = 8
)

// sharePieces cuts the pieces into shares: share i is of pieces shares[i] to shares[i+1]-1.
func (r *run) sharePieces() {
	r.shares = append(r.shares[:0], 0)
	for i, p := range r.pieces {
		from := r.shares[len(r.shares)-1]
		isLarge := p.to-p.from >= pieceRows/2
		if isLarge && i > from {
			r.shares = append(r.shares, i)
		}
		if isLarge || i+1-from == piecesPerShare || i+1 == len(r.pieces) {
			r.shares = append(r.shares, i+1)
		}
	}
}

func (o *Attention) phases(*run) int { return 1 }

func (o *Attention) parts(r *run, _ int) int {
	if len(r.pieces) < manyPieces*r.pool.Threads() {
		return len(r.pieces) * o.Heads.G
	}
	return len(r.shares) - 1
}

func (h Heads) scale() float32 { return float32(1 / math.Sqrt(float64(h.K))) }

func (o *Attention) runPart(r *run, phase, worker, part int) {
	// The last pieces of a sequence see the most keys: they go first, so that the workers end together.
	if len(r.pieces) < manyPieces*r.pool.Threads() {
		o.runHead(r, worker, &r.pieces[len(r.pieces)-1-part/o.Heads.G], part%o.Heads.G)
		return
	}
	share := o.parts(r, phase) - 1 - part
	for i := r.shares[share]; i < r.shares[share+1]; i++ {
		for g := range o.Heads.G {
			o.runHead(r, worker, &r.pieces[i], g)
		}
	}
}

// runHead does the rows of a piece for key/value head g and the query heads that read it.
func (o *Attention) runHead(r *run, worker int, p *piece, g int) {
	h, ld := o.Heads, o.Heads.Width()
	y, lse, qkv, kv := r.view(o.Y), r.view(o.LSE), r.view(o.QKV), r.layerKV(o.Layer, h)
	s := &r.batch.Seqs[p.seq]
	row := s.Start + p.from
	kernel.Attention(y[row*h.H*h.K:], h.H*h.K, lse[row*h.H:], qkv[row*ld:], ld, kv, r.buf.KVFormat, s.Blocks,
		p.to-p.from, s.Pos+p.from, g, h.H, h.G, h.K, h.scale(), r.scratch[worker])
}

func (o *Attention) adjoint(b *backward) {
	dy, _ := b.grad(o.Y)
	dqkv, _ := b.grad(o.QKV)
	b.flush()
	b.emit(&AttentionBackward{DY: dy, DQKV: dqkv, QKV: o.QKV, Y: o.Y, LSE: o.LSE, Heads: o.Heads})
}

// AttentionBackward carries the gradient of attention to queries, keys and values (Dao et al. 2022,
// algorithm 4): with P = exp(S−LSE) and Δ = rowsum(dY∘Y), dS = P∘(dY·Vᵀ−Δ). Sequences begin at
// position 0 (training plans). One worker owns one key/value head of one sequence.
type AttentionBackward struct {
	noAdjoint
	DY, DQKV, QKV, Y, LSE TensorID
	Heads                 Heads
}

// Name implements Op.
func (o *AttentionBackward) Name() string { return "AttentionBackward" }

func (o *AttentionBackward) reads() []TensorID {
	return []TensorID{o.DY, o.QKV, o.Y, o.LSE}
}
func (o *AttentionBackward) writes() []TensorID { return []TensorID{o.DQKV} }

func (o *AttentionBackward) scratchFloats(_ *Plan, l *Limits) int {
	return kernel.AttentionBackwardScratch(l.Tokens, o.Heads.H, o.Heads.G, o.Heads.K)
}

func (o *AttentionBackward) phases(*run) int { return 1 }

func (o *AttentionBackward) parts(r *run, _ int) int { return len(r.batch.Seqs) * o.Heads.G }

func (o *AttentionBackward) runPart(r *run, _, worker, part int) {
	h, ld := o.Heads, o.Heads.Width()
	s := &r.batch.Seqs[part/h.G]
	qkv, d := r.view(o.QKV)[s.Start*ld:], r.view(o.DQKV)[s.Start*ld:]
	wide := h.H * h.K
	keys, values := wide, wide+h.G*h.K
	kernel.AttentionBackward(d, d[keys:], d[values:], ld, r.view(o.DY)[s.Start*wide:], r.view(o.Y)[s.Start*wide:], wide,
		r.view(o.LSE)[s.Start*h.H:], qkv, qkv[keys:], qkv[values:], ld, s.Len, part%h.G, h.H, h.G, h.K, h.scale(), r.scratch[worker])
}
