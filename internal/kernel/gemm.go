package kernel

// PanelWidth is the number of columns of B that lie side by side in one packed panel.
const PanelWidth = 16

// PackedLen is the number of floats of a packed operand of n columns and k steps of reduction: ceil(n/16)*16*k.
func PackedLen(n, k int) int {
	if n < 0 || k < 0 {
		panic("kernel: PackedLen: negative size")
	}
	length := packedLen(n, k)
	if length == maxInt {
		panic("kernel: PackedLen: size does not fit an int")
	}
	return length
}

func packedLen(n, k int) int {
	panels := n / PanelWidth
	if n%PanelWidth != 0 {
		panels++
	}
	return product(product(panels, PanelWidth), k)
}

// PackRows makes the B operand of y = x·Wᵀ from the weights as a linear layer stores them.
//
//	w [n,k], rows ldw apart   dst [ceil(n/16)][k][16], PackedLen(n, k) floats, overwritten
//
// dst[j/16][p][j%16] = w[j,p]; the columns behind n in the last panel are zero.
func PackRows(dst, w []float32, n, k, ldw int) {
	if badRows(n, ldw, k) {
		panic("kernel: PackRows: bad size")
	}
	if len(w) < span(n, ldw, k) {
		panic("kernel: PackRows: w is too short")
	}
	if len(dst) < packedLen(n, k) {
		panic("kernel: PackRows: dst is too short")
	}
	if n == 0 || k == 0 {
		return
	}
	packRows(dst, w, n, k, ldw)
}

func packRowsGo(dst, w []float32, n, k, ldw int) {
	for j := 0; j < n; j += PanelWidth {
		panel := dst[j*k : (j+PanelWidth)*k]
		width := min(PanelWidth, n-j)
		if width < PanelWidth {
			clear(panel)
		}
		for lane := range width {
			row := w[(j+lane)*ldw:]
			row = row[:k]
			out := panel[lane:]
			for p, value := range row {
				out[p*PanelWidth] = value
			}
		}
	}
}

// PackColumns makes the B operand of x·W from a matrix whose rows run along the reduction: of dx = dy·W (k outputs,
// n inputs of the layer), and of dW = dyᵀ·x (k tokens, n inputs).
//
//	w [k,n], rows ldw apart   dst [ceil(n/16)][k][16], PackedLen(n, k) floats, overwritten
//
// dst[j/16][p][j%16] = w[p,j]; the columns behind n in the last panel are zero.
func PackColumns(dst, w []float32, k, n, ldw int) {
	if badRows(k, ldw, n) {
		panic("kernel: PackColumns: bad size")
	}
	if len(w) < span(k, ldw, n) {
		panic("kernel: PackColumns: w is too short")
	}
	if len(dst) < packedLen(n, k) {
		panic("kernel: PackColumns: dst is too short")
	}
	if n == 0 || k == 0 {
		return
	}
	packColumns(dst, w, k, n, ldw)
}

func packColumnsGo(dst, w []float32, k, n, ldw int) {
	for j := 0; j < n; j += PanelWidth {
		panel := dst[j*k : (j+PanelWidth)*k]
		if width := n - j; width < PanelWidth {
			for p := range k {
				lanes := panel[p*PanelWidth : (p+1)*PanelWidth]
				clear(lanes[copy(lanes, w[p*ldw+j:p*ldw+n]):])
			}
			continue
		}
		for p := range k {
			*(*[PanelWidth]float32)(panel[p*PanelWidth:]) = [PanelWidth]float32(w[p*ldw+j:])
		}
	}
}

// Gemm multiplies an m by k matrix with a packed k by n one.
//
//	c [m,n], rows ldc apart, overwritten
//	a element (i,p) at a[i*rowStride+p*kStride]; so (rowStride, kStride) = (ld, 1) reads A, and (1, ld) reads Aᵀ
//	b packed by PackRows or PackColumns   init [m,n], rows ldInit apart, or nil
//
// c[i,j] = init[i,j] + Σ_p a[i,p]·b[p,j], p ascending from init. Without init the sum starts at 0. ldInit 0 gives one
// row for all: a bias. init may be c itself (same first element, ldInit = ldc), which adds to c: a product cut along k
// into ascending pieces has the bits of the whole one. c overlaps neither a nor b.
func Gemm(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, m, n, k int, init []float32, ldInit int) {
	if badRows(m, ldc, n) || k < 0 || rowStride < 0 || kStride < 0 {
		panic("kernel: Gemm: bad size")
	}
	if len(c) < span(m, ldc, n) {
		panic("kernel: Gemm: c is too short")
	}
	if m > 0 && k > 0 && len(a) < sum(product(m-1, rowStride), span(k, kStride, 1)) {
		panic("kernel: Gemm: a is too short")
	}
	if len(b) < packedLen(n, k) {
		panic("kernel: Gemm: b is too short")
	}
	if init != nil && (ldInit < 0 || len(init) < span(m, ldInit, n)) {
		panic("kernel: Gemm: init is too short")
	}
	if m == 0 || n == 0 {
		return
	}
	gemm(c, ldc, a, rowStride, kStride, b, m, n, k, init, ldInit)
}

func gemmGo(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, m, n, k int, init []float32, ldInit int) {
	const half = PanelWidth / 2
	for j := 0; j < n; j += half {
		// Half a panel at a time: eight accumulators stay in registers, sixteen do not.
		panel := b[j/PanelWidth*PanelWidth*k+j%PanelWidth:]
		width := min(half, n-j)
		for i := range m {
			var acc [half]float32
			if init != nil {
				copy(acc[:], init[i*ldInit+j:i*ldInit+j+width])
			}
			if k > 0 {
				gemmStrip(&acc, a[i*rowStride:], kStride, panel, k)
			}
			copy(c[i*ldc+j:i*ldc+j+width], acc[:])
		}
	}
}

// gemmStrip adds Σ_p a[p*kStride]·b[p*16:][:8] to acc.
func gemmStrip(acc *[PanelWidth / 2]float32, a []float32, kStride int, b []float32, k int) {
	c0, c1, c2, c3, c4, c5, c6, c7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	at := 0
	for p := range k {
		x := a[at]
		at += kStride
		row := (*[PanelWidth / 2]float32)(b[p*PanelWidth:])
		c0 += float32(x * row[0])
		c1 += float32(x * row[1])
		c2 += float32(x * row[2])
		c3 += float32(x * row[3])
		c4 += float32(x * row[4])
		c5 += float32(x * row[5])
		c6 += float32(x * row[6])
		c7 += float32(x * row[7])
	}
	*acc = [PanelWidth / 2]float32{c0, c1, c2, c3, c4, c5, c6, c7}
}
