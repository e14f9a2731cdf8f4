package engine

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestArgmaxTakesTheLowestOfEquals(t *testing.T) {
	for _, c := range []struct {
		logits []float32
		want   int32
	}{
		{[]float32{1}, 0},
		{[]float32{2, 3, 3, 1, 3}, 1},
		{[]float32{0, 0, 0}, 0},
		{[]float32{float32(math.Inf(-1)), -5, float32(math.Inf(-1))}, 1},
	} {
		if got := argmax(c.logits); got != c.want {
			t.Errorf("argmax(%v) = %d, want %d", c.logits, got, c.want)
		}
	}
}

func TestPickWalksTheCumulativeSum(t *testing.T) {
	p := []float32{0, 0.25, 0, 0.5, 0.25, 0}
	const top = 1 - 1.0/(1<<24)
	for _, c := range []struct {
		u    float32
		want int32
	}{{0, 1}, {0.2499, 1}, {0.25, 3}, {0.7499, 3}, {0.75, 4}, {top, 4}} {
		if got := pick(p, c.u); got != c.want {
			t.Errorf("pick at %v = %d, want %d", c.u, got, c.want)
		}
	}
	// The float32 sum of a distribution may end below u.
	if got := pick([]float32{0.5, 0.49999, 0}, top); got != 1 {
		t.Errorf("pick beyond the sum = %d, want 1, the last possible token", got)
	}
}

func TestUniform(t *testing.T) {
	var rng rand.PCG
	const n = 1 << 18
	sum, low, high := 0.0, float32(1), float32(0)
	for i := range n {
		seedGenerator(&rng, Seed{Run: 1, Problem: uint64(i / 512), Sample: uint64(i % 512)})
		u := uniform(&rng)
		sum, low, high = sum+float64(u), min(low, u), max(high, u)
	}
	// The mean of n uniform draws has standard deviation sqrt(1/12/n); allow 5 of them.
	if mean := sum / n; math.Abs(mean-0.5) > 5*math.Sqrt(1.0/12/n) || low < 0 || high >= 1 || low > 1e-4 || high < 0.9999 {
		t.Errorf("first draws of %d seeds: mean %v, range %v to %v", n, mean, low, high)
	}
}

func TestSeedsDiffer(t *testing.T) {
	seen := map[uint64]Seed{}
	for i := range uint64(3000) {
		for _, s := range []Seed{{i, 0, 0}, {0, i + 1, 0}, {0, 0, i + 1}} {
			var rng rand.PCG
			seedGenerator(&rng, s)
			x := rng.Uint64()
			if other, ok := seen[x]; ok {
				t.Fatalf("seeds %v and %v give the same draw", s, other)
			}
			seen[x] = s
		}
	}
}

// Sampled frequencies follow the distribution: chi-square over the tokens.
func TestPickFrequencies(t *testing.T) {
	p := []float32{0.1, 0.2, 0.3, 0.15, 0.25}
	count := make([]float64, len(p))
	rng := rand.NewPCG(1, 2)
	const n = 100000
	for range n {
		count[pick(p, uniform(rng))]++
	}
	chi := 0.0
	for i, c := range count {
		want := float64(p[i]) * n
		chi += (c - want) * (c - want) / want
	}
	if chi > 18.47 { // 99.9 % point at 4 degrees of freedom
		t.Errorf("chi-square %v over %v", chi, count)
	}
}
