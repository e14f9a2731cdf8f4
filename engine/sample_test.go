package engine

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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

// randomLogits are sharp, flat, tied or of equal values.
func randomLogits(rng *rand.Rand, n int) []float32 {
	z := make([]float32, n)
	spread := []float64{0, 0.01, 1, 3, 12}[rng.IntN(5)]
	steps := []float64{0, 1, 8}[rng.IntN(3)]
	for i := range z {
		x := spread * rng.NormFloat64()
		if steps > 0 {
			x = math.Round(x*steps) / steps
		}
		z[i] = float32(x)
	}
	return z
}

// newSample is the only sample of a request.
func newSample(r *Request) *sequence {
	seqs := []sequence{{r: r, greedy: r.Temperature == 0, inverseTemperature: InverseTemperature(r.Temperature)}}
	seqs[0].group = seqs
	return &seqs[0]
}

// The sampler against one that sorts the whole vocabulary, with ==: what is drawn, its log-probabilities, the alternatives,
// and the state of the random numbers.
func TestSamplerAgainstReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var w workspace
	kinds := map[string]int{}
	for range 3000 {
		n := 1 + rng.IntN(1500)
		if rng.IntN(4) == 0 {
			n = 1 + rng.IntN(20)
		}
		r := Request{Prompt: []int32{rng.Int32N(int32(n))}, Temperature: []float32{0, 1, 0.6, 2}[rng.IntN(4)]}
		randomSampling(rng, &r)
		r.LogitBias = slices.DeleteFunc(r.LogitBias, func(b TokenBias) bool { return int(b.Token) >= n })
		logits := randomLogits(rng, n)
		scale := InverseTemperature(r.Temperature)
		lse := logSumExp(logits, scale)
		q := newSample(&r)
		seedGenerator(&q.rng, Seed{Run: rng.Uint64()})
		reference := q.rng
		if r.penalises() {
			q.history = newHistory(&r)
		}
		var out []int32
		for range rng.IntN(5) {
			token := rng.Int32N(int32(n))
			out = append(out, token)
			q.history.add(token)
		}
		w.p = make([]float32, n)
		w.nucleus.few = []int{0, 1, 60, 700}[rng.IntN(4)]
		w.row(q, logits, lse)
		want, alternatives := referenceDraw(&r, out, logits, lse, &reference)
		if q.next != want || !slices.Equal(q.alternatives, alternatives) || q.rng != reference {
			t.Fatalf("%d logits, %+v:\n got %+v %v\nwant %+v %v", n, r, q.next, q.alternatives, want, alternatives)
		}
		if r.truncates() && !q.greedy {
			kept := referenceKept(&r, w.p)
			kinds[fmt.Sprint("dense ", w.nucleus.dense != nil, r.TopK > 0, r.TopP > 0, r.MinP > 0)]++
			for i, p := range w.p {
				if in := keyOf(p, int32(i)) >= w.nucleus.cut && (w.nucleus.dense != nil || slices.ContainsFunc(w.nucleus.candidates, func(k rankKey) bool { return k.token() == int32(i) })); in != kept[i] {
					t.Fatalf("%d logits, %+v: token %d of probability %v: kept %v, want %v", n, r, i, p, in, kept[i])
				}
			}
		}
		kinds[fmt.Sprint(r.truncates(), r.alters(), q.greedy)]++
	}
	if len(kinds) < 8+2*6 {
		t.Errorf("only %v were tried", kinds)
	}
}

// Draws from a truncated, biased and penalised distribution follow it: chi-square against probabilities computed in float64.
func TestSampledDistribution(t *testing.T) {
	r := Request{
		Prompt: []int32{2}, Temperature: 0.7, TopK: 12, TopP: 0.9, MinP: 0.02,
		RepetitionPenalty: 1.2, PresencePenalty: 0.3, LogitBias: []TokenBias{{5, 1}},
	}
	rng := rand.New(rand.NewPCG(4, 4))
	logits := make([]float32, 40)
	for i := range logits {
		logits[i] = float32(1.5 * rng.NormFloat64())
	}
	p := make([]float64, len(logits))
	largest := 0.0
	for i, z := range referenceAltered(&r, []int32{7}, logits) {
		p[i] = math.Exp(float64(z) / 0.7)
		largest = max(largest, p[i])
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	want := map[int32]float64{}
	sum, total, kept := 0.0, 0.0, 0.0
	for _, i := range order[:r.TopK] {
		total += p[i]
	}
	for _, i := range order[:r.TopK] {
		if sum < 0.9*total && p[i] >= 0.02*largest {
			want[int32(i)] = p[i]
			kept += p[i]
		}
		sum += p[i]
	}
	const n = 200000
	q := newSample(&r)
	q.history = newHistory(&r)
	q.history.add(7)
	seedGenerator(&q.rng, Seed{Run: 9})
	w := workspace{p: make([]float32, len(logits))}
	lse := logSumExp(logits, q.inverseTemperature)
	count := map[int32]float64{}
	for range n {
		w.row(q, logits, lse)
		next := q.next
		count[next.token]++
		if exact := math.Log(want[next.token] / kept); math.Abs(float64(next.drawLogProb)-exact) > 1e-5 {
			t.Fatalf("token %d drawn at log-probability %v, want %v", next.token, next.drawLogProb, exact)
		}
	}
	chi := 0.0
	for token, share := range want {
		expected := n * share / kept
		chi += (count[token] - expected) * (count[token] - expected) / expected
	}
	// The mean of chi-square is its degrees of freedom, the variance twice that: 5 deviations.
	if f := float64(len(want) - 1); len(want) < 5 || len(count) != len(want) || chi > f+5*math.Sqrt(2*f) {
		t.Errorf("chi-square %v over %d tokens, want about %d; drawn %v", chi, len(want), len(want)-1, count)
	}
}

// BenchmarkRow draws one token of a vocabulary of real size.
func BenchmarkRow(b *testing.B) {
	const vocab = 151936
	logits := make([]float32, vocab)
	rng := rand.New(rand.NewPCG(5, 5))
	for _, spread := range []float64{0.1, 1, 3} {
		for i := range logits {
			logits[i] = float32(spread * rng.NormFloat64())
		}
		lse := logSumExp(logits, 1)
		for _, c := range []struct {
			name string
			r    Request
		}{
			{"greedy", Request{}}, {"plain", Request{Temperature: 1}}, {"top-p", Request{Temperature: 1, TopP: 0.95}}, {"top-k", Request{Temperature: 1, TopK: 40}},
			{"min-p", Request{Temperature: 1, MinP: 0.05}}, {"bias", Request{Temperature: 1, LogitBias: []TokenBias{{1, 1}}}}, {"logprobs", Request{Temperature: 1, TopLogProbs: 20}},
		} {
			b.Run(fmt.Sprintf("spread=%v/%s", spread, c.name), func(b *testing.B) {
				w := workspace{p: make([]float32, vocab)}
				q := newSample(&c.r)
				for b.Loop() {
					q.alternatives = q.alternatives[:0]
					w.row(q, logits, lse)
				}
			})
		}
	}
}
