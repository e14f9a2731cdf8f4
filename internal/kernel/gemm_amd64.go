//go:build amd64 && !purego

package kernel

import "unsafe"

// A product is cut so that its operands stay in the caches of one core. Neither number changes a result: rows do not
// depend on each other, and a later pass over k starts from the c of the one before.
const (
	gemmDepth = 384 // values of p per pass: one panel's part (24 KiB) stays in the first-level cache
	gemmRows  = 192 // rows per pass: their part of A (288 KiB) stays in the second-level cache
	gemmFew   = 3   // so many rows or fewer go several panels at a time
)

func gemm(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, m, n, k int, init []float32, ldInit int) {
	if !useAVX2 {
		gemmGo(c, ldc, a, rowStride, kStride, b, m, n, k, init, ldInit)
		return
	}
	gemmPanels(c, ldc, a, rowStride, kStride, b, PanelWidth*k, m, n, k, init, ldInit)
}

// gemmPanels is Gemm on AVX2 or AVX-512 with panels of b that are panelStride floats apart.
func gemmPanels(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, panelStride, m, n, k int, init []float32, ldInit int) {
	from, ldFrom := unsafe.SliceData(init), ldInit
	for p := 0; p == 0 || p < k; p += gemmDepth {
		depth := min(gemmDepth, k-p)
		for i := 0; i < m; i += gemmRows {
			rows := min(gemmRows, m-i)
			start := from
			if start != nil && i > 0 {
				start = at(start, i*ldFrom)
			}
			to, left, right := at(unsafe.SliceData(c), i*ldc), unsafe.SliceData(a), unsafe.SliceData(b)
			if depth > 0 {
				left, right = at(left, i*rowStride+p*kStride), at(right, p*PanelWidth)
			}
			switch {
			case useAVX512 && m <= gemmFew:
				gemmFewAVX512(to, ldc, left, rowStride, kStride, right, panelStride, rows, n, depth, start, ldFrom)
			case useAVX512:
				gemmAVX512(to, ldc, left, rowStride, kStride, right, panelStride, rows, n, depth, start, ldFrom)
			case m <= gemmFew:
				gemmFewAVX2(to, ldc, left, rowStride, kStride, right, panelStride, rows, n, depth, start, ldFrom)
			default:
				gemmAVX2(to, ldc, left, rowStride, kStride, right, panelStride, rows, n, depth, start, ldFrom)
			}
		}
		from, ldFrom = unsafe.SliceData(c), ldc
	}
}

// at is the address of element i of the floats that begin at p.
func at(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i))
}
