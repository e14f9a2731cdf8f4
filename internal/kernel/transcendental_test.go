package kernel

import (
	"math"
	"testing"
)

// ulps is the distance of got from want in units of the last place of a float32 near want.
func ulps(got float32, want float64) float64 {
	near := float32(math.Abs(want))
	return math.Abs(float64(got)-want) / (float64(math.Nextafter32(near, math.MaxFloat32)) - float64(near))
}

// Softmax with a denominator of 1 is the exponential of each level.
func TestExpOfEachLevel(t *testing.T) {
	exp := func(x []float32) []float32 {
		p := make([]float32, len(x))
		Softmax(p, x, len(x), 1, len(x), 1, []float32{0})
		return p
	}
	infinite := float32(math.Inf(1))
	eachLevel(t, func(t *testing.T) {
		var x []float32
		for v := float32(-87.33); v < 88.72; v += 0.00173 {
			x = append(x, v)
		}
		x = append(x, -87.33654, 88.72283, 1e-30, -1e-30, 0.34657, -0.34658)
		worst, at := 0.0, float32(0)
		for i, got := range exp(x) {
			if e := ulps(got, math.Exp(float64(x[i]))); e > worst {
				worst, at = e, x[i]
			}
		}
		if worst > 1.5 {
			t.Errorf("worst error: got %.2f ulp at %v, want at most 1.5", worst, at)
		}
		edges := []float32{0, -infinite, -1e30, -88, -87.34, 88.73, 89, 1e30, infinite}
		wantSame(t, "edges", exp(edges), []float32{1, 0, 0, 0, 0, infinite, infinite, infinite, infinite})
		if got := exp([]float32{nan})[0]; got == got {
			t.Errorf("exp(NaN): got %v", got)
		}
	})
}

// With a scale of 0 every score is 0, and lse is the logarithm of the number of keys.
func TestLogOfEachLevel(t *testing.T) {
	c := newAttentionCase(700, 2, 1, 8)
	c.scale = 0
	eachLevel(t, func(t *testing.T) {
		_, lse := c.run(0, c.n, c.heads*c.headSize)
		for row := 1; row < c.n; row++ {
			if e := ulps(lse[row*c.heads], math.Log(float64(row+1))); e > 1.5 {
				t.Errorf("log(%d): got %v, %.2f ulp from the truth, want at most 1.5", row+1, lse[row*c.heads], e)
			}
		}
		if lse[0] != 0 {
			t.Errorf("log(1): got %v, want 0", lse[0])
		}
	})
}
