//go:build arm64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// Whether the machine has the dot product and the matrix product of bytes, and GODEBUG (cpu.asimddp=off, cpu.i8mm=off) leaves them. The latter needs
// the former, for single rows. Only tests change useDotProd and useI8MM.
var (
	hasDotProd = hasNEON && cpu.ARM64.HasASIMDDP
	hasI8MM    = hasDotProd && (cpu.ARM64.HasI8MM || systemHasI8MM())
	useDotProd = hasDotProd
	useI8MM    = hasI8MM
)

func quantiseRow(dst *uint32, x *float32, blocks, zero, halves, minima int) {
	quantiseRowNEON(dst, x, blocks, zero, halves, minima)
}

func packWords(dst, src *byte, ld, words, step, flip, count, stride, perUnit, unit, block int) {
	packWordsNEON(dst, src, ld, words, step, flip, count, stride, perUnit, unit, block)
}

func packHalves(dst, src *byte, ld, count, stride, perUnit, unit, block int) {
	packHalvesNEON(dst, src, ld, count, stride, perUnit, unit, block)
}

// quantPanels is how many panels a tile has.
func quantPanels() int { return 1 }

// quantPass is how many rows quantFew multiplies at once.
func quantPass(q *quantFormat) int { return 2 / q.halves }

func quantFew(format int, c *float32, ldc int, a *uint32, lda int, b *byte, m, columns, units int, init *float32, ldInit, ahead int) {
	if useDotProd {
		quantFewDotProd(format, c, ldc, a, lda, b, m, columns, units, init, ldInit, ahead)
		return
	}
	quantFewNEON(format, c, ldc, a, lda, b, m, columns, units, init, ldInit, ahead)
}

func quantUnpack(format int, to *uint32, panel *byte, from, end int) {
	if useI8MM {
		quantUnpackI8MM(format, to, panel, from, end)
		return
	}
	quantUnpackNEON(format, to, panel, from, end)
}

func quantTiles(format int, c *float32, ldc int, a *uint32, lda int, records *uint32, panelStride, m, columns, blocks int, init *float32, ldInit int, next *byte, nextBytes, nextStride int) {
	switch {
	case useI8MM: // its records are its own; there is one panel, so no stride
		quantTilesI8MM(format, c, ldc, a, lda, records, m, columns, blocks, init, ldInit, next, nextBytes)
	case useDotProd:
		quantTilesDotProd(format, c, ldc, a, lda, records, panelStride, m, columns, blocks, init, ldInit, next, nextBytes, nextStride)
	default:
		quantTilesNEON(format, c, ldc, a, lda, records, panelStride, m, columns, blocks, init, ldInit, next, nextBytes, nextStride)
	}
}

// ByteProducts lists the instructions that multiply and add bytes, for quantised weights, which this machine has and this build knows beside those of
// Levels; slowest first.
func ByteProducts() (names []string) {
	if hasDotProd {
		names = append(names, "dotprod")
	}
	if hasI8MM {
		names = append(names, "i8mm")
	}
	return names
}
