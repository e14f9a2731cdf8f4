package compute

import "slices"

// An activation that only one stage needs is written and read chunk by chunk: of it, each worker has the rows of its own chunk, in a window that the next chunk
// overwrites. The rows between two products of a long prompt, the widest of all, then take the memory of some chunks and not of the prompt.

// windowOp is a rowOp that reaches its activations through run.from alone.
type windowOp interface {
	usesWindows()
}

func (o *Linear) usesWindows()  {}
func (o *SwiGLU) usesWindows()  {}
func (o *RMSNorm) usesWindows() {}

// windowRows is the most rows of a chunk of a plan without a backward pass.
func windowRows(p *Plan) int {
	if p.quantisedIns > 0 {
		return maxColumnRows
	}
	return maxForwardChunk
}

// windowedTensors says which activations lie in windows, nil if none does: those of one stage, touched by windowOps alone. With a backward pass, and where the
// windows of all workers would take more than the rows, there are none.
func windowedTensors(p *Plan, l *Limits, spans []interval, threads int) []bool {
	if p.Forward < len(p.Ops) {
		return nil
	}
	list := make([]bool, len(p.Tensors))
	for id, s := range spans {
		rows := p.Tensors[id].Rows
		list[id] = s.first >= 0 && s.first == s.last && (rows == TokenRows || rows == WantedRows) && rows.count(l.Tokens, l.Rows) > threads*windowRows(p)
	}
	for _, op := range p.Ops {
		if _, ok := op.(windowOp); ok {
			continue
		}
		for _, id := range slices.Concat(op.reads(), op.writes()) {
			if id != none {
				list[id] = false
			}
		}
	}
	for _, id := range p.outputs() {
		if id != none {
			list[id] = false
		}
	}
	if !slices.Contains(list, true) {
		return nil
	}
	return list
}

// from returns an activation from row lo on, for the worker whose chunk the row is in. Rows behind the chunk are not to be touched.
func (r *run) from(worker int, id TensorID, lo int) []float32 {
	cols := r.plan.Tensors[id].Cols
	if r.layout.windowed == nil || !r.layout.windowed[id] {
		return r.view(id)[lo*cols:]
	}
	at := r.layout.offset[id]
	window := r.windows[0][at : at+windowRows(r.plan)*cols]
	if r.chunks > 0 {
		window, lo = r.windows[worker][at:at+windowRows(r.plan)*cols], lo-r.starts[worker]
	}
	return window[lo*cols:]
}
