//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// Whether the machine multiplies and adds bytes in one instruction, in vectors of 512 or of 256 bits, and GODEBUG (cpu.avx512vnni=off,
// cpu.avxvnni=off) leaves it. Only tests change the latter two.
var (
	hasAVX512VNNI = hasAVX512 && cpu.X86.HasAVX512VNNI
	hasAVXVNNI    = hasAVX2 && cpu.X86.HasAVXVNNI
	useAVX512VNNI = hasAVX512VNNI
	useAVXVNNI    = hasAVXVNNI
)

func quantiseRow(dst *uint32, x *float32, blocks, zero, halves, minima int) {
	if useAVX512 {
		quantiseRowAVX512(dst, x, blocks, zero, halves, minima)
		return
	}
	quantiseRowAVX2(dst, x, blocks, zero, halves, minima)
}

func packWords(dst, src *byte, ld, words, step, flip, count, stride, perUnit, unit, block int) {
	packWordsAVX2(dst, src, ld, words, step, flip, count, stride, perUnit, unit, block)
}

func packHalves(dst, src *byte, ld, count, stride, perUnit, unit, block int) {
	packHalvesAVX2(dst, src, ld, count, stride, perUnit, unit, block)
}

// quantPanels is how many panels a tile has.
func quantPanels() int {
	if useAVX512 {
		return 2
	}
	return 1
}

// quantPass is how many rows quantFew multiplies at once.
func quantPass(q *quantFormat) int {
	pass := 2
	if useAVX512 {
		pass = 4
	}
	if q.halves == 2 {
		pass /= 2
	}
	return pass
}

func quantFew(format int, c *float32, ldc int, a *uint32, lda int, b *byte, m, columns, units int, init *float32, ldInit, ahead int) {
	switch {
	case useAVX512 && useAVX512VNNI:
		quantFewAVX512VNNI(format, c, ldc, a, lda, b, m, columns, units, init, ldInit, ahead)
	case useAVX512:
		quantFewAVX512(format, c, ldc, a, lda, b, m, columns, units, init, ldInit, ahead)
	case useAVXVNNI:
		quantFewAVXVNNI(format, c, ldc, a, lda, b, m, columns, units, init, ldInit, ahead)
	default:
		quantFewAVX2(format, c, ldc, a, lda, b, m, columns, units, init, ldInit, ahead)
	}
}

func quantUnpack(format int, to *uint32, panel *byte, from, end int) {
	if useAVX512 {
		quantUnpackAVX512(format, to, panel, from, end)
		return
	}
	quantUnpackAVX2(format, to, panel, from, end)
}

func quantTiles(format int, c *float32, ldc int, a *uint32, lda int, records *uint32, panelStride, m, columns, blocks int, init *float32, ldInit int, next *byte, nextBytes, nextStride int) {
	switch {
	case useAVX512 && useAVX512VNNI:
		quantTilesAVX512VNNI(format, c, ldc, a, lda, records, panelStride, m, columns, blocks, init, ldInit, next, nextBytes, nextStride)
	case useAVX512:
		quantTilesAVX512(format, c, ldc, a, lda, records, panelStride, m, columns, blocks, init, ldInit, next, nextBytes, nextStride)
	case useAVXVNNI:
		quantTilesAVXVNNI(format, c, ldc, a, lda, records, panelStride, m, columns, blocks, init, ldInit, next, nextBytes, nextStride)
	default:
		quantTilesAVX2(format, c, ldc, a, lda, records, panelStride, m, columns, blocks, init, ldInit, next, nextBytes, nextStride)
	}
}

// ByteProducts lists the instructions that multiply and add bytes, for quantised weights, which this machine has and this build knows beside those of
// Levels; slowest first.
func ByteProducts() (names []string) {
	if hasAVXVNNI {
		names = append(names, "avxvnni")
	}
	if hasAVX512VNNI {
		names = append(names, "avx512vnni")
	}
	return names
}
