package kernel

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// eachLevel runs test once on every instruction set, and says which ones this machine or build lacks.
func eachLevel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	before := Level()
	defer setLevel(before)
	for _, level := range []string{"generic", "avx2", "avx512", "neon"} {
		t.Run(level, func(t *testing.T) {
			if !slices.Contains(Levels(), level) {
				t.Skipf("not run: this machine or build (%s) has no %s", runtime.GOARCH, level)
			}
			setLevel(level)
			if got := Level(); got != level {
				t.Fatalf("level: got %s, want %s", got, level)
			}
			test(t)
		})
	}
}

// random returns n normal values from the start of a seeded sequence.
func random(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 17))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// near fails unless every got is within relative*|want| + absolute of want; both NaN agrees.
func near(t *testing.T, what string, got, want []float32, relative, absolute float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		g, w := float64(got[i]), float64(want[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(g-w) <= relative*math.Abs(w)+absolute) {
			t.Fatalf("%s: element %d of %d: got %v, want %v", what, i, len(got), g, w)
		}
	}
}

// same fails unless got and want have the same bits.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d of %d: got %v, want %v", what, i, len(want), got[i], want[i])
		}
	}
}
