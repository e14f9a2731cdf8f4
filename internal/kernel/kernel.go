// Package kernel is the inner loops, one plain Go version of each and one per instruction set.
//
// It does not allocate, start goroutines (but for those of a [Pool]), read the environment, or know what a layer or
// a token is. It does not split work: each function runs on the calling goroutine, and whoever calls it cuts rows,
// panels or heads so that one call stays below about 100 µs, because assembly cannot be preempted. It does not check
// values: infinities and NaNs go through by the rules of IEEE 754.
//
// # Letters
//
// B sequences, T tokens (rows) in a batch, S cached positions, D width, H query heads, G key/value heads, K head size,
// F feed-forward width, V vocabulary. Gemm has its own m, n, k. Matrices are row-major, the last index fastest; ld is
// the distance in floats between the first elements of two neighbouring rows. All numbers are float32.
//
// # Levels
//
// amd64 has AVX2 and AVX-512; for quantised weights AVX-VNNI and AVX-512 VNNI beside them, for BF16 AVX-512 BF16. arm64
// has NEON; for quantised weights the dot product (FEAT_DotProd) and the matrix product of bytes (FEAT_I8MM). What the
// machine has and GODEBUG leaves is used. Any other architecture, and the build tag purego, has plain Go.
//
// # Invariants
//
// Every output is accumulated in one accumulator, the reduction index ascending, each step one fused multiply-add (in
// plain Go: product rounded, then sum rounded). Where a reduction runs across lanes (the sum of squares of RMSNorm, the
// sums of a softmax), its order depends on the length of that reduction alone. Hence a result does not depend on how
// many rows a call has, on where rows, panels or chunks were cut, or on the number of threads: equal inputs give equal
// bits within one level, and results of two levels agree to rounding.
//
// Lengths are checked at the door, without overflow; a broken contract panics with a constant string and has written
// nothing. Elements behind the last column of a row are neither read nor written, elements between rows neither.
// Unless a function says what may alias, its outputs overlap nothing else.
package kernel

import "math/bits"

// maxInt is what the size helpers below return in place of a number that does not fit: no slice is that long.
const maxInt = int(^uint(0) >> 1)

// product is a*b, or maxInt where that is too large. Neither is negative.
func product(a, b int) int {
	hi, lo := bits.Mul(uint(a), uint(b))
	if hi != 0 || lo > uint(maxInt) {
		return maxInt
	}
	return int(lo)
}

// sum is a+b, or maxInt where that is too large. Neither is negative.
func sum(a, b int) int {
	if a > maxInt-b {
		return maxInt
	}
	return a + b
}

// span is the length of the shortest slice that holds rows rows of width elements, ld apart. None is negative.
func span(rows, ld, width int) int {
	if rows == 0 || width == 0 {
		return 0
	}
	return sum(product(rows-1, ld), width)
}

// badRows reports whether rows of width elements cannot lie ld apart without overlapping.
func badRows(rows, ld, width int) bool {
	return rows < 0 || width < 0 || ld < 0 || (rows > 1 && ld < width)
}
