package compute

import (
	"slices"

	"github.com/retort-ml/retort/internal/kernel"
)

// gatedColumns is how many columns of the gate, and as many of the other half, are computed before they are multiplied: those of a chunk of rows stay
// in the second-level cache, beside the inputs and the panels, where all of them would go through memory.
const gatedColumns = 16 * kernel.PanelWidth

// gatedLinear is a Linear and the SwiGLU that alone reads its output, of which no more than gatedColumns of each half exist at a time.
type gatedLinear struct {
	*Linear
	gate *SwiGLU
}

// joinGates puts a gatedLinear in the place of each pair of ops that one can be made of. Where there is a backward pass there is none, since that reads what
// lies between them.
func joinGates(p *Plan, ops []rowOp) []rowOp {
	if p.Forward < len(p.Ops) {
		return ops
	}
	var joined []rowOp
	for _, op := range ops {
		if n := len(joined); n > 0 {
			if l, g := gatedPair(p, joined[n-1], op); g != nil {
				joined[n-1] = &gatedLinear{l, g}
				continue
			}
		}
		joined = append(joined, op)
	}
	return joined
}

// isGatedPair reports whether a gatedLinear does ops i and i+1 of p, which are of one stage then.
func isGatedPair(p *Plan, i int) bool {
	_, g := gatedPair(p, p.Ops[i], p.Ops[i+1])
	return g != nil && p.Forward == len(p.Ops)
}

// gatedPair is op and next if a gatedLinear can do their work, else nil.
func gatedPair(p *Plan, op, next Op) (*Linear, *SwiGLU) {
	l, isLinear := op.(*Linear)
	g, isGate := next.(*SwiGLU)
	if !isLinear || !isGate || g.GateUp != l.Y || l.Residual != none || l.W.Outs%(2*kernel.PanelWidth) != 0 || slices.Contains(p.outputs(), l.Y) {
		return nil, nil
	}
	for _, other := range p.Ops {
		if other != Op(l) && other != Op(g) && (slices.Contains(other.reads(), l.Y) || slices.Contains(other.writes(), l.Y)) {
			return nil, nil
		}
	}
	return l, g
}

// runRows takes the memory of Linear's output for the columns in hand.
func (o *gatedLinear) runRows(r *run, worker, lo, hi int) {
	f, rows := o.W.Outs/2, hi-lo
	x, y, part, w := r.from(worker, o.X, lo), r.from(worker, o.gate.Y, lo), r.from(worker, o.Y, lo), r.panels(o.W)
	for at := 0; at < f; at += gatedColumns {
		n := min(gatedColumns, f-at)
		for half := range 2 {
			var bias []float32
			if o.Bias != nil {
				bias = r.weight(o.Bias)[half*f+at:]
			}
			r.product(worker, part[half*n:], 2*n, x, w, rows, half*f+at, n, bias, 0)
		}
		for t := range rows {
			kernel.SwiGLU(y[t*f+at:t*f+at+n], part[2*t*n:2*(t+1)*n], 1, n)
		}
	}
}
