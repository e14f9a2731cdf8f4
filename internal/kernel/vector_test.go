package kernel

import (
	"fmt"
	"math"
	"testing"
)

func TestAddScaled(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, n := range append(widths, 0) {
			r := newRand(uint64(n))
			x, y := normals(r, n), normals(r, n)
			want := make([]float64, n)
			for i := range want {
				want[i] = float64(y[i]) - 0.75*float64(x[i])
			}
			AddScaled(y, x, -0.75)
			wantClose(t, fmt.Sprintf("n=%d", n), y, want, valueLimit)
		}
		y := []float32{1, 2, 3}
		AddScaled(y, y, 2)
		wantSame(t, "to itself", y, []float32{3, 6, 9})
	})
}

func TestAdd(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, n := range append(widths, 0) {
			r := newRand(uint64(n))
			a, b, out := normals(r, n), normals(r, n), filled(n, nan)
			want := make([]float32, n)
			for i := range want {
				want[i] = a[i] + b[i]
			}
			Add(out, a, b)
			wantSame(t, fmt.Sprintf("n=%d", n), out, want)
			Add(b, a, b)
			wantSame(t, fmt.Sprintf("into b, n=%d", n), b, want)
		}
		both := []float32{1, 2}
		Add(both, both, both)
		wantSame(t, "doubled", both, []float32{2, 4})
	})
}

// TestSumSquares adds the squares as the lanes that are promised, so every level has one answer. Another order of the
// lanes shows in about one trial of eight.
func TestSumSquares(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, n := range append(widths, 0, 1003) {
			for trial := range 50 {
				x := normals(newRand(uint64(n+1000*trial)), n)
				var lanes [8]float64
				for i, v := range x {
					lanes[i%8] += float64(v) * float64(v)
				}
				want := ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
				if got := SumSquares(x); got != want {
					t.Fatalf("n=%d: got %v, want %v", n, got, want)
				}
			}
		}
		if got := SumSquares([]float32{3e38, 3e38}); math.IsInf(got, 0) {
			t.Errorf("squares beyond float32: got %v", got)
		}
		if got := SumSquares([]float32{1, -2, 3, -4, 5, -6, 7, -8, 9}); got != 285 {
			t.Errorf("1 to 9: got %v, want 285", got)
		}
	})
}

// TestAdamWByHand: all but epsilon can be followed with a pencil.
func TestAdamWByHand(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		w, m, v := []float32{2}, []float32{0}, []float32{0}
		// g' = 0.5·2 = 1; m = 0.1, v = 0.01; both corrected to 1; w = 2 - 0.01·(1/1 + 0.1·2).
		AdamW(w, m, v, []float32{0.5}, AdamWStep{
			LearningRate: 0.01, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.1, GradScale: 2, Correction1: 0.1, Correction2: 0.01})
		wantClose(t, "w after step 1", w, []float64{1.988}, 1e-6)
		wantClose(t, "m after step 1", m, []float64{0.1}, 1e-6)
		wantClose(t, "v after step 1", v, []float64{0.01}, 1e-6)
		// g' = -2; m = 0.09-0.2 = -0.11, corrected by 0.19; v = 0.0099+0.04 = 0.0499, corrected by 0.0199;
		// w = 1.988 - 0.01·(-0.5789474/(1.5835207+0.5) + 0.1·1.988).
		AdamW(w, m, v, []float32{-2}, AdamWStep{
			LearningRate: 0.01, Beta1: 0.9, Beta2: 0.99, Epsilon: 0.5, WeightDecay: 0.1, GradScale: 1, Correction1: 0.19, Correction2: 0.0199})
		wantClose(t, "m after step 2", m, []float64{-0.11}, 1e-6)
		wantClose(t, "v after step 2", v, []float64{0.0499}, 1e-6)
		wantClose(t, "w after step 2", w, []float64{1.9887907}, 1e-7)
	})
}

func TestAdamW(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		s := AdamWStep{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, WeightDecay: 0.1, GradScale: 0.5,
			Correction1: 1 - 0.9*0.9*0.9, Correction2: 1 - 0.95*0.95*0.95}
		for _, n := range append(widths, 0) {
			r := newRand(uint64(n))
			w, m, v, g := normals(r, n), normals(r, n), normals(r, n), normals(r, n)
			wantW, wantM, wantV := make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range n {
				v[i] *= v[i]
				gradient := 0.5 * float64(g[i])
				wantM[i] = 0.9*float64(m[i]) + 0.1*gradient
				wantV[i] = 0.95*float64(v[i]) + 0.05*gradient*gradient
				update := wantM[i] / 0.271 / (math.Sqrt(wantV[i]/0.142625) + 1e-8)
				wantW[i] = float64(w[i])*(1-1e-3*0.1) - 1e-3*update
			}
			w0, m0, v0 := append([]float32(nil), w...), append([]float32(nil), m...), append([]float32(nil), v...)
			AdamW(w, m, v, g, s)
			wantClose(t, fmt.Sprintf("w, n=%d", n), w, wantW, valueLimit)
			wantClose(t, fmt.Sprintf("m, n=%d", n), m, wantM, valueLimit)
			wantClose(t, fmt.Sprintf("v, n=%d", n), v, wantV, valueLimit)
			cut := n / 3
			AdamW(w0[:cut], m0[:cut], v0[:cut], g[:cut], s)
			AdamW(w0[cut:], m0[cut:], v0[cut:], g[cut:], s)
			wantSame(t, fmt.Sprintf("in two pieces, n=%d", n), w0, w)
		}
	})
}
