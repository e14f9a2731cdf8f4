//go:build amd64 && !purego

package kernel

import "unsafe"

// A product is cut so that its operands stay in the caches of one core. Neither number changes a result: rows do not
// depend on each other, and a later pass over k starts from the c of the one before.
const (
	gemmDepth = 384 // values of p per pass: one panel's part (24 KiB) stays in the first-level cache
	gemmRows  = 192 // rows per pass: their part of A (288 KiB) stays in the second-level cache
	gemmFew   = 3   // so many rows or fewer go several panels at a time

	transposedDepth = 256 // the same for an A that is copied
	transposedRows  = 24
	transposedLeast = 64 // depth and columns from which copying pays
)

func packRows(dst, w []float32, n, k, ldw int) {
	switch {
	case useAVX512:
		packRowsAVX512(&dst[0], &w[0], n, k, ldw)
	case useAVX2:
		packRowsAVX2(&dst[0], &w[0], n, k, ldw)
	default:
		packRowsGo(dst, w, n, k, ldw)
	}
}

func packColumns(dst, w []float32, k, n, ldw int) {
	switch {
	case useAVX512:
		packColumnsAVX512(&dst[0], &w[0], k, n, ldw)
	case useAVX2:
		packColumnsAVX2(&dst[0], &w[0], k, n, ldw)
	default:
		packColumnsGo(dst, w, k, n, ldw)
	}
}

func gemm(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, m, n, k int, init []float32, ldInit int) {
	if !useAVX2 {
		gemmGo(c, ldc, a, rowStride, kStride, b, m, n, k, init, ldInit)
		return
	}
	gemmPanels(c, ldc, a, rowStride, kStride, b, PanelWidth*k, m, n, k, init, ldInit)
}

// gemmPanels is Gemm on AVX2 or AVX-512 with panels of b that are panelStride floats apart.
func gemmPanels(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, panelStride, m, n, k int, init []float32, ldInit int) {
	if rowStride == 1 && k >= transposedLeast && n >= transposedLeast && m > gemmFew {
		gemmTransposed(c, ldc, a, kStride, b, panelStride, m, n, k, init, ldInit)
		return
	}
	from, ldFrom := unsafe.SliceData(init), ldInit
	for p := 0; p == 0 || p < k; p += gemmDepth {
		depth := min(gemmDepth, k-p)
		for i := 0; i < m; i += gemmRows {
			start := from
			if start != nil {
				start = at(start, i*ldFrom)
			}
			left, right := unsafe.SliceData(a), unsafe.SliceData(b)
			if depth > 0 {
				left, right = at(left, i*rowStride+p*kStride), at(right, p*PanelWidth)
			}
			gemmPass(&c[i*ldc], ldc, left, rowStride, kStride, right, panelStride, min(gemmRows, m-i), n, depth, start, ldFrom)
		}
		from, ldFrom = &c[0], ldc
	}
}

// gemmTransposed is gemmPanels for an A that lies along its columns (rowStride 1). It copies A piece by piece, since values of p
// that lie a large power of two apart would share few places of a cache.
func gemmTransposed(c []float32, ldc int, a []float32, kStride int, b []float32, panelStride, m, n, k int, init []float32, ldInit int) {
	var piece [transposedDepth * transposedRows]float32
	from, ldFrom := unsafe.SliceData(init), ldInit
	for p := 0; p < k; p += transposedDepth {
		depth := min(transposedDepth, k-p)
		for i := 0; i < m; i += transposedRows {
			rows := min(transposedRows, m-i)
			if useAVX512 {
				copyRowsAVX512(&piece[0], transposedRows, &a[p*kStride+i], kStride, depth, rows)
			} else {
				copyRowsAVX2(&piece[0], transposedRows, &a[p*kStride+i], kStride, depth, rows)
			}
			start := from
			if start != nil {
				start = at(start, i*ldFrom)
			}
			gemmPass(&c[i*ldc], ldc, &piece[0], 1, transposedRows, &b[p*PanelWidth], panelStride, rows, n, depth, start, ldFrom)
		}
		from, ldFrom = &c[0], ldc
	}
}

func gemmPass(c *float32, ldc int, a *float32, rowStride, kStride int, b *float32, panelStride, m, n, k int, init *float32, ldInit int) {
	switch {
	case useAVX512 && m <= gemmFew:
		gemmFewAVX512(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	case useAVX512:
		gemmAVX512(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	case m <= gemmFew:
		gemmFewAVX2(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	default:
		gemmAVX2(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	}
}

// at is the address of element i of the floats that begin at p.
func at(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i))
}
