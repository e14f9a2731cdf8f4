//go:build amd64 && !purego

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Whether the machine has BF16 instructions and GODEBUG (cpu.avx512bf16=off) leaves them. The levels below give the same bits. Only
// tests change useBF16.
var (
	hasBF16 = hasAVX512 && cpu.X86.HasAVX512BF16
	useBF16 = hasBF16
)

// BF16 says how the products of BF16 matrices are reckoned: "native", by the instructions for them, or "emulated", by those of
// Level. The bits are the same.
func BF16() string {
	if useBF16 && useAVX512 {
		return "native"
	}
	return "emulated"
}

func roundBF16(dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	switch {
	case useBF16 && useAVX512:
		roundRowsBF16Native(&dst[0], ldDst, &x[0], ldX, rows, k)
	case useAVX512:
		roundRowsBF16AVX512(&dst[0], ldDst, &x[0], ldX, rows, k)
	case useAVX2:
		roundRowsBF16AVX2(&dst[0], ldDst, &x[0], ldX, rows, k)
	default:
		roundBF16Go(dst, ldDst, x, ldX, rows, k)
	}
}

// gemmBF16 cuts a product as gemmPanels does: a pair takes the place of a float.
func gemmBF16(c []float32, ldc int, a []uint32, lda int, b []uint32, m, n, pairs int, init []float32, ldInit int) {
	if !useAVX2 {
		gemmBF16Go(c, ldc, a, lda, b, m, n, pairs, init, ldInit)
		return
	}
	from, ldFrom := unsafe.SliceData(init), ldInit
	left, right := unsafe.SliceData(floatBits(a)), unsafe.SliceData(floatBits(b))
	for p := 0; p == 0 || p < pairs; p += gemmDepth {
		depth := min(gemmDepth, pairs-p)
		for i := 0; i < m; i += gemmRows {
			start, x, y := from, left, right
			if start != nil {
				start = at(start, i*ldFrom)
			}
			if depth > 0 {
				x, y = at(left, i*lda+p), at(right, p*PanelWidth)
			}
			gemmPassBF16(&c[i*ldc], ldc, x, lda, y, PanelWidth*pairs, min(gemmRows, m-i), n, depth, start, ldFrom)
		}
		from, ldFrom = &c[0], ldc
	}
}

func gemmPassBF16(c *float32, ldc int, a *float32, lda int, b *float32, panelStride, m, n, pairs int, init *float32, ldInit int) {
	switch {
	case useBF16 && useAVX512 && m <= gemmFew:
		gemmFewBF16Native(c, ldc, a, lda, 1, b, panelStride, m, n, pairs, init, ldInit)
	case useBF16 && useAVX512:
		gemmBF16Native(c, ldc, a, lda, 1, b, panelStride, m, n, pairs, init, ldInit)
	case useAVX512 && m <= gemmFew:
		gemmFewBF16AVX512(c, ldc, a, lda, 1, b, panelStride, m, n, pairs, init, ldInit)
	case useAVX512:
		gemmBF16AVX512(c, ldc, a, lda, 1, b, panelStride, m, n, pairs, init, ldInit)
	case m <= gemmFew:
		gemmFewBF16AVX2(c, ldc, a, lda, 1, b, panelStride, m, n, pairs, init, ldInit)
	default:
		gemmBF16AVX2(c, ldc, a, lda, 1, b, panelStride, m, n, pairs, init, ldInit)
	}
}
