//go:build amd64 && !purego

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Whether the machine multiplies and adds bytes in one instruction, in vectors of 512 or of 256 bits, and GODEBUG (cpu.avx512vnni=off,
// cpu.avxvnni=off) leaves it. Only tests change the latter two.
var (
	hasAVX512VNNI = hasAVX512 && cpu.X86.HasAVX512VNNI
	hasAVXVNNI    = hasAVX2 && cpu.X86.HasAVXVNNI
	useAVX512VNNI = hasAVX512VNNI
	useAVXVNNI    = hasAVXVNNI
)

const (
	quantWork = 1 << 24   // about how many multiply-adds one call may do: some 50 µs at the slowest level
	quantRows = 640 << 10 // bytes of activations that stay in the second-level cache while panels go by
)

func quantise(q *quantFormat, dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	minima := 0
	if q.minima {
		minima = 1
	}
	switch {
	case useAVX512:
		quantiseRowsAVX512(&dst[0], ldDst, &x[0], ldX, rows, k/blockSize, quantisedLen(k), int(q.zero), q.halves, minima)
	case useAVX2:
		quantiseRowsAVX2(&dst[0], ldDst, &x[0], ldX, rows, k/blockSize, quantisedLen(k), int(q.zero), q.halves, minima)
	default:
		quantiseGo(q, dst, ldDst, x, ldX, rows, k)
	}
}

// gemmQuantised cuts a product so that no call takes long; rows and panels do not depend on each other.
func gemmQuantised(q *quantFormat, c []float32, ldc int, a []uint32, lda int, b []byte, m, n, k int, init []float32, ldInit int, scratch []uint32) {
	if !useAVX2 || k == 0 {
		gemmQuantisedGo(q, c, ldc, a, lda, b, m, n, k, init, ldInit)
		return
	}
	units := q.units(k)
	few := 2
	if useAVX512 {
		few = QuantisedFew
	}
	rows := m
	if m > QuantisedFew {
		rows = max(12, min(quantWork/(2*PanelWidth*k), quantRows/(4*quantisedLen(k)))/12*12)
	}
	for i := 0; i < m; i += rows {
		height := min(rows, m-i)
		columns := max(1, quantWork/(2*PanelWidth*height*k)) * 2 * PanelWidth
		for j := 0; j < n; j += columns {
			width := min(columns, n-j)
			to, from := &c[i*ldc+j], unsafe.SliceData(init)
			if from != nil {
				from = at(from, i*ldInit+j)
			}
			left, right := &a[i*lda], &b[j/PanelWidth*units*q.unit]
			if m > QuantisedFew {
				quantGemm(q.id, to, ldc, left, lda, right, height, width, units, from, ldInit, &scratch[0])
				continue
			}
			for t := 0; t < m; t += few {
				start := from
				if start != nil {
					start = at(start, t*ldInit)
				}
				quantFew(q.id, at(to, t*ldc), ldc, &a[t*lda], lda, right, min(few, m-t), width, units, start, ldInit)
			}
		}
	}
}

func quantFew(format int, c *float32, ldc int, a *uint32, lda int, b *byte, m, n, units int, init *float32, ldInit int) {
	switch {
	case useAVX512 && useAVX512VNNI:
		quantFewAVX512VNNI(format, c, ldc, a, lda, b, m, n, units, init, ldInit)
	case useAVX512:
		quantFewAVX512(format, c, ldc, a, lda, b, m, n, units, init, ldInit)
	case useAVXVNNI:
		quantFewAVXVNNI(format, c, ldc, a, lda, b, m, n, units, init, ldInit)
	default:
		quantFewAVX2(format, c, ldc, a, lda, b, m, n, units, init, ldInit)
	}
}

func quantGemm(format int, c *float32, ldc int, a *uint32, lda int, b *byte, m, n, units int, init *float32, ldInit int, scratch *uint32) {
	switch {
	case useAVX512 && useAVX512VNNI:
		quantGemmAVX512VNNI(format, c, ldc, a, lda, b, m, n, units, init, ldInit, scratch)
	case useAVX512:
		quantGemmAVX512(format, c, ldc, a, lda, b, m, n, units, init, ldInit, scratch)
	case useAVXVNNI:
		quantGemmAVXVNNI(format, c, ldc, a, lda, b, m, n, units, init, ldInit, scratch)
	default:
		quantGemmAVX2(format, c, ldc, a, lda, b, m, n, units, init, ldInit, scratch)
	}
}
