package model

import "github.com/retort-ml/retort/internal/compute"

// block is the weights of one decoder layer.
type block struct {
	attnNorm, qkv, qkvBias, out *compute.Weight
	ffnNorm, gateUp, down       *compute.Weight
}

// decoder emits the ops from token ids to the final hidden rows of the wanted rows:
//
//	x = E[token]
//	for each layer:  x = x + Wo·attention(rotate(Wqkv·norm(x) + b))
//	                 x = x + Wdown·(silu(Wgate·norm(x)) ∘ Wup·norm(x))
//	h = norm(x[wanted])
//
// The rotary table has one row for each of the program's positions.
func (m *Model) decoder(table []float32) (p *compute.Plan, hidden compute.TensorID) {
	c := m.config
	p = &compute.Plan{}
	epsilon := float32(c.NormEpsilon)
	heads := compute.Heads{H: c.Heads, G: c.KVHeads, K: c.HeadSize}
	x := p.Embed(m.embed)
	for i, l := range m.blocks {
		qkv := p.Linear(p.RMSNorm(x, l.attnNorm, epsilon), l.qkv, l.qkvBias)
		p.Rotate(qkv, heads, table, i)
		x = p.LinearAdd(x, p.Attention(qkv, heads, i), l.out)
		x = p.LinearAdd(x, p.SwiGLU(p.Linear(p.RMSNorm(x, l.ffnNorm, epsilon), l.gateUp, nil)), l.down)
	}
	return p, p.RMSNorm(p.GatherRows(x), m.norm, epsilon)
}
