//go:build purego || (!amd64 && !arm64)

package kernel

func quantise(q *quantFormat, dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	quantiseGo(q, dst, ldDst, x, ldX, rows, k)
}

func gemmQuantised(q *quantFormat, c []float32, ldc int, a []uint32, lda int, b []byte, m, n, k int, init []float32, ldInit int, _ []uint32) {
	gemmQuantisedGo(q, c, ldc, a, lda, b, m, n, k, init, ldInit)
}

// packMoves has no code for it.
func packMoves(*quantFormat, []byte, []byte, int) bool { return false }

// ByteProducts lists the instructions that multiply and add bytes, for quantised weights, which this machine has and this build knows beside those of
// Levels; slowest first.
func ByteProducts() []string { return nil }
