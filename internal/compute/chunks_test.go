package compute

import "testing"

// Chunks hold every row once, none is empty or larger than the buffers of a worker, and workers that take turns differ by little.
func TestChunksShareTheRows(t *testing.T) {
	for _, quantised := range []bool{false, true} {
		for _, threads := range []int{1, 2, 3, 4, 7, 16, 64} {
			for rows := 1; rows <= 2100; rows++ {
				most := maxForwardChunk
				if quantised {
					most = maxColumnRows
				}
				r := run{rows: rows, chunks: chunksOf(rows, threads, quantised, false)}
				if r.bound(0) != 0 || r.bound(r.chunks) != rows {
					t.Fatalf("%d rows in %d chunks: from %d to %d", rows, r.chunks, r.bound(0), r.bound(r.chunks))
				}
				of := make([]int, threads)
				for i := range r.chunks {
					n := r.bound(i+1) - r.bound(i)
					if n < 1 || n > most || n%chunkUnit != 0 && i < r.chunks-1 {
						t.Fatalf("%d rows, %d threads, quantised %v: chunk %d of %d has %d rows, want 1 to %d and a multiple of %d", rows, threads, quantised, i, r.chunks, n, most, chunkUnit)
					}
					of[i%threads] += n
				}
				if r.chunks%threads == 0 && of[0]-of[threads-1] > 2*chunkUnit {
					t.Fatalf("%d rows, quantised %v, %d chunks: the first worker has %d rows, the last %d", rows, quantised, r.chunks, of[0], of[threads-1])
				}
			}
		}
	}
}
