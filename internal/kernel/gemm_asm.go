//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// A product is cut so that its operands stay in the caches of one core. Neither number changes a result: rows do not
// depend on each other, and a later pass over k starts from the c of the one before.
const (
	gemmDepth = 768 // values of p per pass: C is read and written once for each
	gemmRows  = 96  // rows per pass: their part of A (288 KiB) stays in the second-level cache, beside the panels in use and the next (48 KiB each)
	gemmFew   = 3   // so many rows or fewer go several panels at a time

	transposedDepth = 256 // the same for an A that is copied
	transposedRows  = 24
	transposedLeast = 64 // depth and columns from which copying pays
)

func gemm(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, m, n, k int, init []float32, ldInit int) {
	if !useAssembly() {
		gemmGo(c, ldc, a, rowStride, kStride, b, m, n, k, init, ldInit)
		return
	}
	gemmPanels(c, ldc, a, rowStride, kStride, b, PanelWidth*k, m, n, k, init, ldInit)
}

// gemmPanels is Gemm in assembly with panels of b that are panelStride floats apart.
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
			copyRows(&piece[0], transposedRows, &a[p*kStride+i], kStride, depth, rows)
			start := from
			if start != nil {
				start = at(start, i*ldFrom)
			}
			gemmPass(&c[i*ldc], ldc, &piece[0], 1, transposedRows, &b[p*PanelWidth], panelStride, rows, n, depth, start, ldFrom)
		}
		from, ldFrom = &c[0], ldc
	}
}

// at is the address of element i of the floats that begin at p.
func at(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i))
}
