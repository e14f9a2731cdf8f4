package kernel

import (
	"fmt"
	"math"
	"testing"
)

// gemmCase is one product with its operands; c has spare columns that must stay as they are.
type gemmCase struct {
	m, n, k, ldc, ldInit, rowStride, kStride int
	a, b, c, init                            []float32
}

// newGemmCase makes operands. transposed reads A along its columns; bias: 0 no init, 1 one row for all, 2 a matrix.
func newGemmCase(m, n, k, bias int, transposed bool, offset int) *gemmCase {
	g := &gemmCase{m: m, n: n, k: k, ldc: n + 3, rowStride: k + 2, kStride: 1}
	g.a = random(1, m*(k+2)+offset)[offset:]
	if transposed {
		g.rowStride, g.kStride = 1, m+1
		g.a = random(1, k*(m+1)+offset)[offset:]
	}
	g.b = make([]float32, PackedLen(n, k)+offset)[offset:]
	PackRows(g.b, random(2, n*k), n, k, k)
	g.c = random(3, m*g.ldc+offset)[offset:]
	if bias > 0 {
		g.init = random(4, m*(n+1))
		if g.ldInit = 0; bias == 2 {
			g.ldInit = n + 1
		}
	}
	return g
}

func (g *gemmCase) run() {
	Gemm(g.c, g.ldc, g.a, g.rowStride, g.kStride, g.b, g.m, g.n, g.k, g.init, g.ldInit)
}

func TestGemmAgreesWithReference(t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {1, 16, 5}, {1, 65, 7}, {1, 200, 33}, {2, 47, 9}, {3, 33, 12}, {4, 17, 3}, {5, 15, 31}, {6, 16, 8},
		{7, 31, 4}, {8, 32, 5}, {9, 48, 2}, {12, 64, 6}, {13, 50, 11}, {25, 100, 40}, {200, 18, 13}, {14, 20, 800}, {1, 70, 1000}, {30, 70, 300}}
	eachLevel(t, func(t *testing.T) {
		for _, size := range sizes {
			for variant := range 6 {
				g := newGemmCase(size[0], size[1], size[2], variant%3, variant >= 3, variant)
				want := append([]float32(nil), g.c...)
				gemmGo(want, g.ldc, g.a, g.rowStride, g.kStride, g.b, g.m, g.n, g.k, g.init, g.ldInit)
				g.run()
				near(t, fmt.Sprintf("%v variant %d", size, variant), g.c, want, 1e-5, 2e-6*math.Sqrt(float64(g.k)))
			}
		}
	})
}

// Each output has the same bits whatever it was computed with: other rows, other panels, or k in pieces.
func TestGemmDoesNotDependOnTheBatch(t *testing.T) {
	const n, k = 75, 900
	eachLevel(t, func(t *testing.T) {
		for _, m := range []int{1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 24, 31, 193} {
			g := newGemmCase(m, n, k, 2, m%2 == 1, 0)
			g.run()
			for i := range m {
				alone := make([]float32, n)
				Gemm(alone, n, g.a[i*g.rowStride:], g.rowStride, g.kStride, g.b, 1, n, k, g.init[i*g.ldInit:], g.ldInit)
				same(t, fmt.Sprintf("row %d of %d alone", i, m), g.c[i*g.ldc:i*g.ldc+n], alone)
			}
			panels := make([]float32, m*2*PanelWidth)
			Gemm(panels, 2*PanelWidth, g.a, g.rowStride, g.kStride, g.b[PanelWidth*k:], m, 2*PanelWidth, k, g.init[PanelWidth:], g.ldInit)
			for i := range m {
				same(t, "two panels alone", panels[i*2*PanelWidth:][:2*PanelWidth], g.c[i*g.ldc+PanelWidth:][:2*PanelWidth])
			}
		}
	})
}

func TestGemmInPiecesOfK(t *testing.T) {
	const m, n, k, cut = 17, 40, 500, 123
	eachLevel(t, func(t *testing.T) {
		x, w := random(1, m*k), random(2, k*n)
		whole, pieces := make([]float32, m*n), make([]float32, m*n)
		b := make([]float32, PackedLen(n, k))
		PackColumns(b, w, k, n, n)
		Gemm(whole, n, x, k, 1, b, m, n, k, nil, 0)
		PackColumns(b, w, cut, n, n)
		Gemm(pieces, n, x, k, 1, b, m, n, cut, nil, 0)
		PackColumns(b, w[cut*n:], k-cut, n, n)
		Gemm(pieces, n, x[cut:], k, 1, b, m, n, k-cut, pieces, n)
		same(t, "k in two pieces", pieces, whole)
	})
}

func TestGemmDoesNotAllocate(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		g := newGemmCase(9, 40, 20, 1, false, 0)
		if got := testing.AllocsPerRun(10, g.run); got != 0 {
			t.Errorf("allocations: got %v, want 0", got)
		}
	})
}
