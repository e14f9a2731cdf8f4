package compute

import (
	"math"

	"github.com/retort-ml/retort/internal/kernel"
)

// Matrix is a matrix of the slab that Muon updates as a whole.
type Matrix struct {
	Offset, Rows, Cols int
}

// muon orthogonalises the momentum of matrices (Jordan et al. 2024, "Muon"): the update of a matrix
// is its Nesterov momentum with all singular values brought near one by five steps of a
// Newton-Schulz iteration,
//
//	X ← aX + (bA + cA²)X,  A = XXᵀ,  (a,b,c) = (3.4445, −4.7750, 2.0315)
//
// times 0.2·√max(rows,cols), which gives it the size of an AdamW update (Liu et al. 2025,
// arXiv:2502.16982, equation 4), so that both share one learning rate.
type muon struct {
	matrices []Matrix
	scratch  []muonScratch // per worker
	run      func(worker, i int)
}

// muonScratch is one worker's memory for the largest matrix.
type muonScratch struct {
	x, next, packed []float32 // [small,large]
	a, b, square    []float32 // [small,small]
}

const (
	newtonSchulzSteps   = 5
	muonA, muonB, muonC = 3.4445, -4.7750, 2.0315
	muonUpdateSize      = 0.2
)

func newMuon(threads int, matrices []Matrix) *muon {
	u := &muon{matrices: matrices}
	small, product, panels := 0, 0, 0
	for _, m := range matrices {
		s, l := min(m.Rows, m.Cols), max(m.Rows, m.Cols)
		small = max(small, s)
		product = max(product, s*l)
		panels = max(panels, kernel.PackedLen(s, l), kernel.PackedLen(l, s), kernel.PackedLen(s, s))
	}
	for range threads {
		u.scratch = append(u.scratch, muonScratch{
			x: Floats(product), next: Floats(product), packed: Floats(panels),
			a: Floats(small * small), b: Floats(small * small), square: Floats(small * small),
		})
	}
	return u
}

// orthogonalise replaces the [rows,cols] matrix g by its orthogonalised form.
func (s *muonScratch) orthogonalise(g []float32, rows, cols int) {
	small, large := min(rows, cols), max(rows, cols)
	norm := math.Sqrt(kernel.SumSquares(g))
	if norm == 0 {
		return
	}
	inverse := float32(1 / norm)
	x := s.x[:small*large]
	if rows <= cols {
		for i, v := range g {
			x[i] = v * inverse
		}
	} else {
		for i := range rows {
			for j := range cols {
				x[j*large+i] = g[i*cols+j] * inverse
			}
		}
	}
	for range newtonSchulzSteps {
		s.step(x, small, large)
	}
	if rows <= cols {
		copy(g, x)
		return
	}
	for i := range rows {
		for j := range cols {
			g[i*cols+j] = x[j*large+i]
		}
	}
}

// step is one Newton-Schulz step on x [small,large], in place.
func (s *muonScratch) step(x []float32, small, large int) {
	a, b, square, next := s.a[:small*small], s.b[:small*small], s.square[:small*small], s.next[:small*large]
	kernel.PackRows(s.packed, x, small, large, large)
	kernel.Gemm(a, small, x, large, 1, s.packed, small, small, large, nil, 0)
	kernel.PackColumns(s.packed, a, small, small, small)
	kernel.Gemm(square, small, a, small, 1, s.packed, small, small, small, nil, 0)
	for i := range b {
		b[i] = float32(muonB*a[i]) + float32(muonC*square[i])
	}
	for i, v := range x {
		next[i] = muonA * v
	}
	kernel.PackColumns(s.packed, x, small, large, large)
	kernel.Gemm(next, large, b, small, 1, s.packed, small, large, small, next, large)
	copy(x, next)
}
