package compute

import "sort"

// layout places every activation of a plan in one arena, so that two activations share memory only
// if no stage needs both: an activation lives from the first stage that writes it to the last that
// touches it. Stages, not ops, are the unit of time, since a stage runs all its ops on one chunk of
// rows while another chunk has not begun.
type layout struct {
	offset []int // [tensor] floats, within the arena or the window
	total  int   // floats of the arena
	// windowed [tensor] says that the activation lies in the windows, of so many floats each; nil: none does. See windows.go.
	windowed []bool
	window   int
}

type interval struct {
	id          TensorID
	first, last int
	size        int
}

// align keeps every activation on a cache line.
const align = 16

func planMemory(p *Plan, l *Limits, times []int, threads int) layout {
	spans := liveness(p, times)
	out := layout{offset: make([]int, len(p.Tensors)), windowed: windowedTensors(p, l, spans, threads)}
	list := func(spans []interval, isWindowed bool) []interval {
		live := make([]interval, 0, len(spans))
		for id, s := range spans {
			if s.first < 0 || isWindowed != (out.windowed != nil && out.windowed[id]) {
				continue
			}
			rows := p.Tensors[id].Rows.count(l.Tokens, l.Rows)
			if isWindowed {
				rows = windowRows(p)
			}
			size := (rows*p.Tensors[id].Cols + align - 1) / align * align
			live = append(live, interval{TensorID(id), s.first, s.last, size})
		}
		return live
	}
	out.total = place(list(spans, false), out.offset)
	if out.windowed != nil {
		// One worker runs the ops of a chunk one after another.
		ops := make([]int, len(p.Ops))
		for i := range ops {
			ops[i] = i
			if i > 0 && isGatedPair(p, i-1) {
				ops[i] = i - 1
			}
		}
		out.window = place(list(liveness(p, ops), true), out.offset)
	}
	return out
}

// place gives each interval an offset, and returns the floats that all of them take: largest first, each at the lowest offset that is free during its whole life.
func place(live []interval, offset []int) (total int) {
	sort.SliceStable(live, func(i, j int) bool { return live[i].size > live[j].size })
	placed := make([]interval, 0, len(live))
	for _, t := range live {
		offset[t.id] = lowestFree(placed, offset, t)
		total = max(total, offset[t.id]+t.size)
		placed = append(placed, t)
	}
	return total
}

// lowestFree returns the lowest offset at which t overlaps no placed tensor that lives at the same time.
func lowestFree(placed []interval, offset []int, t interval) int {
	var busy []interval // first, last = offsets
	for _, q := range placed {
		if q.last >= t.first && q.first <= t.last {
			busy = append(busy, interval{first: offset[q.id], last: offset[q.id] + q.size})
		}
	}
	sort.Slice(busy, func(i, j int) bool { return busy[i].first < busy[j].first })
	at := 0
	for _, q := range busy {
		if q.first-at >= t.size {
			break
		}
		at = max(at, q.last)
	}
	return at
}

// liveness returns for each tensor the first and last stage that touches it (-1 for one never
// touched); times holds the stage of each op.
func liveness(p *Plan, times []int) []interval {
	spans := make([]interval, len(p.Tensors))
	for i := range spans {
		spans[i].first = -1
	}
	touch := func(i int, ids []TensorID) {
		for _, id := range ids {
			if id == none {
				continue
			}
			if spans[id].first < 0 {
				spans[id].first = i
			}
			spans[id].last = i
		}
	}
	for i, op := range p.Ops {
		touch(times[i], op.reads())
		touch(times[i], op.writes())
	}
	// The results of the forward half are read by the host after it and outlive the op list.
	for _, id := range p.outputs() {
		if id != none {
			spans[id].last = len(p.Ops)
		}
	}
	return spans
}

// outputs lists the tensors that the host reads after a run.
func (p *Plan) outputs() []TensorID {
	if p.Forward == 0 {
		return nil
	}
	return p.Ops[p.Forward-1].writes()
}
