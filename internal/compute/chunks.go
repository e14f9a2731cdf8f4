package compute

// Rows of one chunk. Backward chunks are fixed because sums over rows are kept per chunk.
const (
	backwardChunk   = 48
	maxForwardChunk = 48
	minForwardChunk = 12 // but for the rest of all
	chunkUnit       = 4  // forward chunks are multiples of it, as no shorter tile of the kernels keeps the multipliers busy; it divides the numbers here
	columnRows      = 6  // batches of at most so many rows are cut along the outputs
	maxColumnRows   = 96 // and where weights are quantised: each of them is then read and unpacked once
)

// chunksOf is the number of chunks of a stage that is cut along its rows: where there are many rows, in rounds of all workers.
func chunksOf(rows, threads int, quantised, isBackward bool) int {
	rounds := func(most int) int { return (rows + most*threads - 1) / (most * threads) * threads }
	most := (rows + minForwardChunk - 1) / minForwardChunk
	switch {
	case isBackward:
		return (rows + backwardChunk - 1) / backwardChunk
	case quantised: // as few as the buffers allow, since each reads and unpacks all weights
		return min(rounds(maxColumnRows), most)
	}
	return min(max(rounds(maxForwardChunk), 4*threads), most)
}

// bound is the first row of a chunk, or the number of rows behind the last. The sizes of forward chunks differ by chunkUnit, so that workers end
// together; the larger ones go first.
func (r *run) bound(chunk int) int {
	if r.adjoint {
		return min(chunk*backwardChunk, r.rows)
	}
	units := (r.rows + chunkUnit - 1) / chunkUnit
	return min((chunk*(units/r.chunks)+min(chunk, units%r.chunks))*chunkUnit, r.rows)
}

func (r *run) doChunk(worker, chunk int) {
	lo, hi := r.bound(chunk), r.bound(chunk+1)
	r.starts[worker] = lo
	for _, op := range r.stage.chunked {
		if r.abandoned() {
			return
		}
		r.inputs[worker] = quantisedInput{}
		op.runRows(r, worker, lo, hi)
	}
}
