package llm_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/model"
)

// text is ids of the scored model's vocabulary.
func text(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((i*i*7 + i*3) % 40)
	}
	return ids
}

// TestPerplexityIsTheScores adds up the scorer's log-probabilities of the same windows.
func TestPerplexityIsTheScores(t *testing.T) {
	m, cpu := scoredModel(t), compute.NewCPU(1)
	defer cpu.Close()
	ids := text(230)
	for _, c := range []struct {
		o                    llm.PerplexityOptions
		context, stride      int
		skip, chunks, tokens int
	}{
		{llm.PerplexityOptions{}, 160, 160, 80, 1, 79},
		{llm.PerplexityOptions{Context: 64}, 64, 64, 32, 3, 93},
		{llm.PerplexityOptions{Context: 64, Stride: 30, Skip: 10, Chunks: 4}, 64, 30, 10, 4, 212},
		{llm.PerplexityOptions{Context: 50, Skip: -1, BOS: 9, HasBOS: true}, 50, 50, 0, 4, 196},
	} {
		windows := -1
		c.o.Progress = func(p *llm.Perplexity, of int) {
			if windows++; p.Chunks != windows || of != c.chunks {
				t.Errorf("after window %d: %d of %d", windows, p.Chunks, of)
			}
		}
		p, err := llm.MeasurePerplexity(t.Context(), m, cpu, ids, c.o)
		if err != nil {
			t.Fatal(err)
		}
		var sum, squares float64
		n := 0
		scorer := llm.NewScorer(m, cpu)
		for i := range c.chunks {
			window := append([]int32(nil), ids[i*c.stride:i*c.stride+c.context]...)
			if c.o.HasBOS {
				window[0] = 9
			}
			logp, err := scorer.Score(window)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range logp[c.skip:] {
				sum -= float64(x)
				squares += float64(x) * float64(x)
				n++
			}
		}
		mean := sum / float64(n)
		deviation := math.Sqrt((squares/float64(n) - mean*mean) / float64(n-1))
		if p.Chunks != c.chunks || p.Tokens != c.tokens || n != c.tokens || math.Abs(p.NLL-mean) > 1e-12 || math.Abs(p.NLLError-deviation) > 1e-9 || p.KL != nil {
			t.Errorf("%+v: %d windows, %d tokens, %v ± %v; want %d, %d, %v ± %v", c.o, p.Chunks, p.Tokens, p.NLL, p.NLLError, c.chunks, n, mean, deviation)
		}
		if ppl, e := p.PPL(); math.Abs(ppl-math.Exp(mean)) > 1e-9 || math.Abs(e-ppl*p.NLLError) > 1e-9 {
			t.Errorf("perplexity %v ± %v", ppl, e)
		}
	}
}

// TestPerplexityAgainst compares the divergence with what two scorers say of every token that may follow.
func TestPerplexityAgainst(t *testing.T) {
	m, cpu := scoredModel(t), compute.NewCPU(1)
	defer cpu.Close()
	config := m.Config()
	config.Width, config.FFN = 48, 32
	other, err := model.New(config, 6)
	if err != nil {
		t.Fatal(err)
	}
	ids := text(20)
	p, err := llm.MeasurePerplexity(t.Context(), m, cpu, ids, llm.PerplexityOptions{Context: 20, Skip: 17, Against: other})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.KL) != 2 {
		t.Fatalf("%d divergences, want 2", len(p.KL))
	}
	for i, at := range []int{18, 19} {
		want := 0.0
		for id := range int32(40) {
			window := append(append([]int32(nil), ids[:at]...), id)
			q, errQ := llm.NewScorer(m, cpu).Score(window)
			r, errR := llm.NewScorer(other, cpu).Score(window)
			if err := errors.Join(errQ, errR); err != nil {
				t.Fatal(err)
			}
			want += math.Exp(float64(r[at-1])) * float64(r[at-1]-q[at-1])
		}
		if math.Abs(float64(p.KL[i])-want) > 1e-4*want+1e-6 {
			t.Errorf("position %d: divergence %v, want %v", at, p.KL[i], want)
		}
	}
	if d := p.Divergence(); d.Mean != (float64(p.KL[0])+float64(p.KL[1]))/2 || d.Max != float64(max(p.KL[0], p.KL[1])) || d.StandardError <= 0 {
		t.Errorf("%+v of %v", d, p.KL)
	}
	same, err := llm.MeasurePerplexity(t.Context(), m, cpu, ids, llm.PerplexityOptions{Context: 20, Against: m.Clone()})
	if err != nil || math.Abs(same.Divergence().Max) > 1e-6 {
		t.Errorf("from itself: %v, %v", same.KL, err)
	}
}

func TestPerplexityRefuses(t *testing.T) {
	m, cpu := scoredModel(t), compute.NewCPU(1)
	defer cpu.Close()
	short := m.Config()
	short.MaxPositions = 32
	other, err := model.New(short, 6)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ids  []int32
		o    llm.PerplexityOptions
		want string
	}{
		{text(200), llm.PerplexityOptions{Context: 161}, "want 2 to 160, the model's positions"},
		{text(200), llm.PerplexityOptions{Context: 1}, "want 2 to 160"},
		{text(200), llm.PerplexityOptions{Context: 64, Skip: 63}, "want 0 to 62"},
		{text(200), llm.PerplexityOptions{Context: 64, Stride: -1}, "stride of -1"},
		{text(63), llm.PerplexityOptions{Context: 64}, "the text has 63 tokens, want at least 64"},
		{text(63), llm.PerplexityOptions{Context: 50, Against: other}, "the other model has 32 positions"},
		{[]int32{1, 40, 2}, llm.PerplexityOptions{Context: 3, Skip: -1}, "token 40"},
	} {
		if _, err := llm.MeasurePerplexity(t.Context(), m, cpu, c.ids, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := llm.MeasurePerplexity(ctx, m, cpu, text(200), llm.PerplexityOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
