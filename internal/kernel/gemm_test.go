package kernel

import (
	"fmt"
	"math"
	"testing"
)

// gemmReference is init + A·B in float64, with A and B as functions of their indices, and the sum of absolute products.
func gemmReference(a, b func(i, j int) float64, m, n, k int, init func(i, j int) float64) (c, size []float64) {
	c, size = make([]float64, m*n), make([]float64, m*n)
	for i := range m {
		for j := range n {
			s := init(i, j)
			bound := math.Abs(s)
			for p := range k {
				s += a(i, p) * b(p, j)
				bound += math.Abs(a(i, p) * b(p, j))
			}
			c[i*n+j], size[i*n+j] = s, bound
		}
	}
	return c, size
}

func zero(int, int) float64 { return 0 }

// wantProduct allows k+1 roundings of the sum of absolute products per element: what a sum in any order keeps.
func wantProduct(t *testing.T, what string, got []float32, want, size []float64, k int) {
	t.Helper()
	for i := range want {
		if limit := float64(k+1) * size[i] / (1 << 24); !(math.Abs(float64(got[i])-want[i]) <= limit) {
			t.Fatalf("%s: element %d: got %v, want %v within %.2g", what, i, got[i], want[i], limit)
		}
	}
}

var gemmSizes = []struct{ m, n, k int }{
	{1, 1, 1}, {1, 16, 7}, {2, 15, 3}, {3, 17, 16}, {4, 33, 1}, {5, 48, 31}, {6, 64, 96}, {7, 31, 100},
	{8, 7, 64}, {11, 16, 33}, {12, 32, 40}, {13, 50, 65}, {17, 96, 129}, {25, 20, 5}, {1, 130, 300},
}

func TestGemm(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, s := range gemmSizes {
			t.Run(fmt.Sprintf("m=%d,n=%d,k=%d", s.m, s.n, s.k), func(t *testing.T) { testGemm(t, s.m, s.n, s.k) })
		}
	})
}

func testGemm(t *testing.T, m, n, k int) {
	r := newRand(uint64(m*n + k))
	lda, ldw, ldc, ldInit := k+3, k+1, n+5, n+2
	a, w, init := normals(r, m*lda), normals(r, n*ldw), normals(r, m*ldInit)
	packed := filled(PackedLen(n, k), nan)
	PackRows(packed, w, n, k, ldw)
	at := func(i, p int) float64 { return float64(a[i*lda+p]) }
	wt := func(p, j int) float64 { return float64(w[j*ldw+p]) }

	c := filled(m*ldc, nan)
	Gemm(c, ldc, a, lda, 1, packed, m, n, k, nil, 0)
	wantGapsKept(t, "c", c, m, ldc, n)
	want, size := gemmReference(at, wt, m, n, k, zero)
	wantProduct(t, "without init", rowsOf(c, m, ldc, n), want, size, k)

	Gemm(c, ldc, a, lda, 1, packed, m, n, k, init, ldInit)
	want, size = gemmReference(at, wt, m, n, k, func(i, j int) float64 { return float64(init[i*ldInit+j]) })
	wantProduct(t, "with init", rowsOf(c, m, ldc, n), want, size, k)

	Gemm(c, ldc, a, lda, 1, packed, m, n, k, init, 0)
	want, size = gemmReference(at, wt, m, n, k, func(_, j int) float64 { return float64(init[j]) })
	wantProduct(t, "with a bias", rowsOf(c, m, ldc, n), want, size, k)

	Gemm(c, ldc, a, lda, 1, packed, m, n, k, nil, 0)
	before := rowsOf(c, m, ldc, n)
	Gemm(c, ldc, a, lda, 1, packed, m, n, k, c, ldc)
	want, size = gemmReference(at, wt, m, n, k, func(i, j int) float64 { return float64(before[i*n+j]) })
	wantProduct(t, "added to c", rowsOf(c, m, ldc, n), want, size, k)
	wantGapsKept(t, "c", c, m, ldc, n)
}

// TestGemmTransposed reads A by columns and B by PackColumns, as the weight gradient dyᵀ·x does.
func TestGemmTransposed(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, s := range gemmSizes {
			tokens, outs, ins := s.k, s.m, s.n
			r := newRand(uint64(tokens))
			ldDy, ldX := outs+2, ins+3
			dy, x := normals(r, tokens*ldDy), normals(r, tokens*ldX)
			packed := filled(PackedLen(ins, tokens), nan)
			PackColumns(packed, x, tokens, ins, ldX)
			dw := make([]float32, outs*ins)
			Gemm(dw, ins, dy, 1, ldDy, packed, outs, ins, tokens, nil, 0)
			want, size := gemmReference(
				func(i, p int) float64 { return float64(dy[p*ldDy+i]) },
				func(p, j int) float64 { return float64(x[p*ldX+j]) }, outs, ins, tokens, zero)
			wantProduct(t, fmt.Sprintf("outs=%d,ins=%d,tokens=%d", outs, ins, tokens), dw, want, size, tokens)
		}
	})
}

func TestPack(t *testing.T) {
	for _, s := range gemmSizes {
		n, k, ldw := s.n, s.k, s.k+4
		w := normals(newRand(7), n*ldw)
		want := make([]float32, PackedLen(n, k))
		transposed := make([]float32, k*n)
		for j := range n {
			for p := range k {
				want[j/16*16*k+p*16+j%16] = w[j*ldw+p]
				transposed[p*n+j] = w[j*ldw+p]
			}
		}
		rows, columns := filled(len(want), nan), filled(len(want), nan)
		PackRows(rows, w, n, k, ldw)
		PackColumns(columns, transposed, k, n, n)
		wantSame(t, fmt.Sprintf("PackRows n=%d k=%d", n, k), rows, want)
		wantSame(t, fmt.Sprintf("PackColumns n=%d k=%d", n, k), columns, want)
	}
	if got := PackedLen(17, 3); got != 96 {
		t.Errorf("PackedLen(17, 3): got %d, want 96", got)
	}
}

// TestGemmInvariance: an element has the same bits whatever rows, panels or pieces of k its call had beside it.
func TestGemmInvariance(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		const m, n, k = 29, 77, 131
		r := newRand(3)
		a, w, bias := normals(r, m*k), normals(r, n*k), normals(r, n)
		packed := make([]float32, PackedLen(n, k))
		PackRows(packed, w, n, k, k)
		whole := make([]float32, m*n)
		Gemm(whole, n, a, k, 1, packed, m, n, k, bias, 0)

		for _, step := range []int{1, 2, 3, 5, 6, 7, 12, 13, 28} {
			c := make([]float32, m*n)
			for i := 0; i < m; i += step {
				Gemm(c[i*n:], n, a[i*k:], k, 1, packed, min(step, m-i), n, k, bias, 0)
			}
			wantSame(t, fmt.Sprintf("rows in steps of %d", step), c, whole)
		}
		for _, step := range []int{16, 32, 48} {
			c := make([]float32, m*n)
			for j := 0; j < n; j += step {
				Gemm(c[j:], n, a, k, 1, packed[j*k:], m, min(step, n-j), k, bias[j:], 0)
			}
			wantSame(t, fmt.Sprintf("columns in steps of %d", step), c, whole)
		}
		for _, step := range []int{1, 64, 100} {
			c := make([]float32, m*n)
			piece := make([]float32, PackedLen(n, step))
			init, ldInit := bias, 0
			for p := 0; p < k; p += step {
				PackRows(piece, w[p:], n, min(step, k-p), k)
				Gemm(c, n, a[p:], k, 1, piece, m, n, min(step, k-p), init, ldInit)
				init, ldInit = c, n
			}
			wantSame(t, fmt.Sprintf("k in steps of %d", step), c, whole)
		}
		columns := make([]float32, m*k)
		for i := range m {
			for p := range k {
				columns[p*m+i] = a[i*k+p]
			}
		}
		c := make([]float32, m*n)
		Gemm(c, n, columns, 1, m, packed, m, n, k, bias, 0)
		wantSame(t, "A by columns", c, whole)
	})
}

// TestGemmEmpty: a product over nothing is its start value.
func TestGemmEmpty(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		c := []float32{nan, nan, nan, nan}
		Gemm(c, 2, nil, 0, 0, nil, 2, 2, 0, nil, 0)
		wantSame(t, "k=0", c, make([]float32, 4))
		Gemm(c, 2, nil, 0, 0, nil, 2, 2, 0, []float32{5, 6}, 0)
		wantSame(t, "k=0 with a bias", c, []float32{5, 6, 5, 6})
		Gemm(nil, 0, nil, 0, 0, nil, 0, 0, 3, nil, 0)
		Gemm(nil, 9, nil, 0, 0, make([]float32, 48), 0, 9, 3, nil, 0)
	})
}
