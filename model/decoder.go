package model

import "github.com/retort-ml/retort/internal/compute"

// block is the weights of one decoder layer. Those that its architecture lacks are nil.
type block struct {
	attnNorm, qkv, qkvBias *compute.Weight
	queryNorm, keyNorm     *compute.Weight
	out, outBias           *compute.Weight
	ffnNorm, gateUp, down  *compute.Weight
}

// decoder emits the ops from token ids to the final hidden rows of the wanted rows:
//
//	x = E[token]
//	for each layer:  x = x + Wo·attention(rotate(headnorm(Wqkv·norm(x) + b)))
//	                 x = x + Wdown·(silu(Wgate·norm(x)) ∘ Wup·norm(x))
//	h = norm(x[wanted])
//
// The architectures differ by three switches: the bias b, the norm of each query and key head, and
// the scaling of the frequencies in the rotary table, which has one row for each of the program's
// positions. A weight with an adapter brings its low-rank update along.
func (m *Model) decoder(table []float32) (p *compute.Plan, hidden compute.TensorID) {
	c := m.config
	p = &compute.Plan{}
	epsilon := float32(c.NormEpsilon)
	heads := compute.Heads{H: c.Heads, G: c.KVHeads, K: c.HeadSize}
	x := p.Embed(m.embed)
	for i, l := range m.blocks {
		qkv := p.Linear(p.RMSNorm(x, l.attnNorm, epsilon), l.qkv, l.qkvBias)
		if l.queryNorm != nil {
			qkv = p.HeadNorm(qkv, heads, l.queryNorm, l.keyNorm, epsilon)
		}
		p.Rotate(qkv, heads, table, i)
		x = p.LinearAdd(x, p.Attention(qkv, heads, i), l.out, l.outBias)
		x = p.LinearAdd(x, p.SwiGLU(p.Linear(p.RMSNorm(x, l.ffnNorm, epsilon), l.gateUp, nil)), l.down, nil)
	}
	return p, p.RMSNorm(p.GatherRows(x), m.norm, epsilon)
}
