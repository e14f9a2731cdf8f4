//go:build purego || !amd64

package kernel

// BF16 says how the products of BF16 matrices are reckoned: "native", by the instructions for them, or "emulated", here in plain Go.
// The bits are the same.
func BF16() string { return "emulated" }

func roundBF16(dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	roundBF16Go(dst, ldDst, x, ldX, rows, k)
}

func gemmBF16(c []float32, ldc int, a []uint32, lda int, b []uint32, m, n, pairs int, init []float32, ldInit int) {
	gemmBF16Go(c, ldc, a, lda, b, m, n, pairs, init, ldInit)
}
