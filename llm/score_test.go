package llm_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/model"
)

func scoredModel(t *testing.T) *model.Model {
	t.Helper()
	m, err := model.New(model.Config{Architecture: model.Qwen2, VocabSize: 40, Width: 32, Layers: 2, Heads: 2, KVHeads: 1, HeadSize: 16, FFN: 48,
		MaxPositions: 160, RopeTheta: 10000, NormEpsilon: 1e-6, InitializerRange: 0.3, TieEmbeddings: true, BOS: -1}, 5)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestScoreIsWhatTheEngineSaid samples an answer and wants the engine's log-probabilities back, bit for bit.
func TestScoreIsWhatTheEngineSaid(t *testing.T) {
	m, cpu := scoredModel(t), compute.NewCPU(1)
	defer cpu.Close()
	e, err := engine.New(m, cpu, nil)
	if err != nil {
		t.Fatal(err)
	}
	prompt := []int32{3, 1, 4, 1, 5}
	results, err := e.Generate(t.Context(), []engine.Request{{Prompt: prompt, MaxTokens: 120, Temperature: 1, Samples: 1}})
	if err != nil {
		t.Fatal(err)
	}
	s := llm.NewScorer(m, cpu)
	if _, err := s.Score(prompt); err != nil { // a short text first: the program has to grow
		t.Fatal(err)
	}
	got, err := s.Score(slices.Concat(prompt, results[0].Tokens))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got[len(prompt)-1:], results[0].LogProbs) {
		t.Errorf("scored %v\nsampled %v", got[len(prompt)-1:], results[0].LogProbs)
	}
}

func TestScoreIsAProbability(t *testing.T) {
	m, cpu := scoredModel(t), compute.NewCPU(1)
	defer cpu.Close()
	s := llm.NewScorer(m, cpu)
	total := 0.0
	for id := range int32(40) {
		logp, err := s.Score([]int32{7, id})
		if err != nil {
			t.Fatal(err)
		}
		total += math.Exp(float64(logp[0]))
	}
	if math.Abs(total-1) > 1e-5 {
		t.Errorf("the next token's probabilities add up to %v", total)
	}
}

func TestScoreRefuses(t *testing.T) {
	m, cpu := scoredModel(t), compute.NewCPU(1)
	defer cpu.Close()
	s := llm.NewScorer(m, cpu)
	for _, c := range []struct {
		ids  []int32
		want string
	}{
		{[]int32{1, 40}, "id 40 at place 1, want 0 to 39"}, {[]int32{-1}, "id -1"}, {make([]int32, 161), "want at most 160"},
	} {
		if _, err := s.Score(c.ids); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d ids: %v, want %q", len(c.ids), err, c.want)
		}
	}
	for _, ids := range [][]int32{nil, {5}} {
		if logp, err := s.Score(ids); err != nil || len(logp) != 0 {
			t.Errorf("%v: %v, %v", ids, logp, err)
		}
	}
}

// TestScoreRefusesNaN: weights that are no numbers give an error in place of NaN.
func TestScoreRefusesNaN(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		m, cpu := scoredModel(t), compute.NewCPU(1)
		defer cpu.Close()
		for _, p := range m.Parameters() {
			if strings.HasSuffix(p.Name, "1.mlp.up_proj.weight") {
				p.Data[7] = float32(bad)
			}
		}
		m.Repack()
		if logp, err := llm.NewScorer(m, cpu).Score([]int32{1, 2, 3}); err == nil || !strings.Contains(err.Error(), "log p of id 2 at place 1 is NaN: the weights hold") {
			t.Errorf("a weight of %v: %v, %v", bad, logp, err)
		}
	}
}
