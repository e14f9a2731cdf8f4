package compute

// columnOp is a rowOp that can also be cut along its outputs, for batches of very few rows.
type columnOp interface {
	rowOp
	// panels is the number of 16-column panels of the output, work the multiply-adds of one row.
	panels() (panels, work int)
	// runPanels does panels lo..hi-1 of all rows.
	runPanels(r *run, worker, rows, lo, hi int)
}

// finisher is a columnOp that has something left to do when all panels are done.
type finisher interface {
	finishPanels(r *run, rows int)
}

// quantisedOp is a columnOp whose weights may be quantised.
type quantisedOp interface {
	isQuantised() bool
}

// smallWork is the number of multiply-adds below which cutting an op in two costs more than it saves.
const smallWork = 1 << 16

// runByColumns runs a stage for a handful of rows: op after op, products cut along their outputs.
func (r *run) runByColumns(s *stage) {
	for _, op := range s.rows {
		clear(r.inputs)
		c, ok := op.(columnOp)
		if !ok {
			r.single = op
			if r.rows <= columnRows {
				op.runRows(r, 0, 0, r.rows)
			} else {
				r.pool.Run((r.rows+singleRows-1)/singleRows, r.runSingle)
			}
			continue
		}
		panels, work := c.panels()
		if work*r.rows < smallWork {
			op.runRows(r, 0, 0, r.rows)
			continue
		}
		chunks := min(panels, 8*r.pool.Threads())
		// Tiles of quantised weights are two panels wide.
		r.column, r.perChunk = c, ((panels+chunks-1)/chunks+1)/2*2
		r.pool.Run((panels+r.perChunk-1)/r.perChunk, r.runColumn)
		if f, ok := op.(finisher); ok {
			f.finishPanels(r, r.rows)
		}
	}
}

// singleRows is the rows of one chunk of an op between products.
const singleRows = 4

func (r *run) doSingle(worker, chunk int) {
	if r.abandoned() {
		return
	}
	lo := chunk * singleRows
	r.single.runRows(r, worker, lo, min(lo+singleRows, r.rows))
}

func (r *run) doColumn(worker, chunk int) {
	if r.abandoned() {
		return
	}
	panels, _ := r.column.panels()
	lo := chunk * r.perChunk
	r.column.runPanels(r, worker, r.rows, lo, min(lo+r.perChunk, panels))
}
