package compute

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestMuonOrthogonalises wants the singular values of the result near one: ‖XXᵀ−I‖ is small on the
// short side, the singular vectors are those of the input, and a tall matrix gives the transpose of
// what its transpose gives.
func TestMuonOrthogonalises(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for _, shape := range [][2]int{{7, 19}, {32, 32}, {1, 5}} {
		rows, cols := shape[0], shape[1]
		u := newMuon(1, []Matrix{{0, rows, cols}, {0, cols, rows}})
		g := normal(random, rows*cols, 1)
		wide, tall := append([]float32(nil), g...), make([]float32, len(g))
		for i := range rows {
			for j := range cols {
				tall[j*rows+i] = g[i*cols+j]
			}
		}
		u.scratch[0].orthogonalise(wide, rows, cols)
		u.scratch[0].orthogonalise(tall, cols, rows)
		inner := 0.0
		for i := range rows {
			for j := range cols {
				// A square matrix has no short side: its transpose takes other roundings.
				if d := math.Abs(float64(wide[i*cols+j] - tall[j*rows+i])); rows != cols && d != 0 || d > 1e-3 {
					t.Fatalf("%v: a tall matrix is treated otherwise: %v", shape, d)
				}
				inner += float64(wide[i*cols+j]) * float64(g[i*cols+j])
			}
			norm := 0.0
			for j := range cols {
				norm += float64(wide[i*cols+j]) * float64(wide[i*cols+j])
			}
			// The iteration ends with singular values between about 0.7 and 1.2.
			if rows < cols && (norm < 0.4 || norm > 1.5) {
				t.Errorf("%v: row %d has squared norm %v, want about 1", shape, i, norm)
			}
		}
		if inner <= 0 {
			t.Errorf("%v: the update points away from the gradient", shape)
		}
	}
}

// TestMuonStep holds one update of a diagonal matrix, whose orthogonalised form has entries near ±1
// on the diagonal, to its size, and leaves the vector to AdamW.
func TestMuonStep(t *testing.T) {
	cpu := NewCPU(2)
	defer cpu.Close()
	slab, grads := []float32{1, 0, 0, 1, 5}, []float32{2, 0, 0, -3, 1}
	o := cpu.NewOptimizer([]*Weight{{Outs: 2, Ins: 2}, {Outs: 1, Ins: 1, Offset: 4}}, slab, grads, []Matrix{{0, 2, 2}}, false)
	if _, err := o.Update(AdamW{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Step: 1, Muon: true, Momentum: 0.9}); err != nil {
		t.Fatal(err)
	}
	unit := 0.1 * muonUpdateSize * math.Sqrt2
	for i, sign := range map[int]float64{0: -1, 3: 1} {
		move := float64(slab[i]) - 1
		if move*sign < 0.6*unit || move*sign > 1.3*unit {
			t.Errorf("element %d moved by %v, want about %v", i, move, sign*unit)
		}
	}
	if slab[1] != 0 || slab[2] != 0 {
		t.Errorf("elements off the diagonal moved: %v", slab)
	}
	if d := math.Abs(float64(slab[4]) - 4.9); d > 1e-5 {
		t.Errorf("the vector is %v, want AdamW's 4.9", slab[4])
	}
}
