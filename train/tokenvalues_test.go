package train

import (
	"bufio"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
)

// samplesOf reads the samples of a diary.
func samplesOf(t *testing.T, d *diary) []Sample {
	t.Helper()
	var list []Sample
	lines := bufio.NewScanner(strings.NewReader(d.samples.String()))
	for lines.Scan() {
		var s Sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// distribution returns the log-probabilities of all tokens behind others, of an engine that nothing else has asked.
func distribution(t *testing.T, e *engine.Engine, prompt []int32) map[int32]float64 {
	t.Helper()
	results, err := e.Generate(context.Background(), []engine.Request{{Prompt: prompt, MaxTokens: 1, Temperature: 1, TopLogProbs: testVocab}})
	if err != nil {
		t.Fatal(err)
	}
	all := map[int32]float64{}
	for _, a := range results[0].Alternatives {
		all[a.Token] = float64(a.LogProb)
	}
	return all
}

func trace(t *testing.T, o GRPOOptions) (*diary, *model.Model) {
	t.Helper()
	m, cpu, d := testModel(t, 3), testCPU(t, 1), newDiary(t)
	if _, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu, Recorder: d}, testEngine(t, m, cpu), bandit(), gradeBandit, &o); err != nil {
		t.Fatal(err)
	}
	return d, m
}

// TestTokenValuesAreThoseOfTheWeights reckons every value of a step by an engine, one token at a time: the probability and the entropy by the
// weights from before the step, the ratio by those from before and after.
func TestTokenValuesAreThoseOfTheWeights(t *testing.T) {
	o := banditOptions("dr_grpo")
	o.Steps, o.MiniBatches, o.InnerEpochs = 1, 2, 2
	d, m := trace(t, o)
	before, after := testEngine(t, testModel(t, 3), testCPU(t, 1)), testEngine(t, m, testCPU(t, 1))
	prompts := map[uint64][]int32{}
	for _, p := range bandit() {
		prompts[p.ID] = p.Prompt
	}
	moved := 0
	for _, s := range samplesOf(t, d) {
		if len(s.LogProbs) != len(s.Tokens) || len(s.Entropies) != len(s.Tokens) || len(s.Ratios) != len(s.Tokens) || s.Advantages != nil {
			t.Fatalf("%d tokens with %d log-probabilities, %d entropies, %d ratios and %d advantages", len(s.Tokens), len(s.LogProbs), len(s.Entropies), len(s.Ratios), len(s.Advantages))
		}
		for i, token := range s.Tokens {
			prompt := append(append([]int32{}, prompts[s.Problem]...), s.Tokens[:i]...)
			was, is := distribution(t, before, prompt), distribution(t, after, prompt)
			entropy := 0.0
			for _, l := range was {
				entropy -= math.Exp(l) * l
			}
			near(t, "log-probability", float64(s.LogProbs[i]), was[token], 2e-3)
			near(t, "entropy", float64(s.Entropies[i]), entropy, 2e-3)
			near(t, "ratio", float64(s.Ratios[i]), math.Exp(is[token]-was[token]), 2e-3)
			if math.Abs(float64(s.Ratios[i])-1) > 0.01 {
				moved++
			}
		}
	}
	if moved == 0 {
		t.Error("no token's probability moved by a hundredth: the ratios show nothing")
	}
}

// TestTokenValuesAreBounded: whole answers, those that teach something first, and none where they are not wanted; the weights are the same.
func TestTokenValuesAreBounded(t *testing.T) {
	sums := map[string]bool{}
	for most, want := range map[int]int{-1: 0, 1: 1, 12: 12, 0: 60} {
		o := banditOptions("grpo")
		o.Steps, o.Rollout.TokenValues, o.Rollout.KeepSamples = 3, most, 20
		d, m := trace(t, o)
		sums[sumOf(m.Weights())] = true
		tokens, steps := map[int]int{}, map[int]bool{}
		all := samplesOf(t, d)
		for _, s := range all {
			steps[s.Step] = true
			tokens[s.Step] += len(s.Ratios)
			if most == 12 && len(s.Ratios) > 0 && s.Advantage == 0 {
				for _, other := range all {
					if other.Step == s.Step && other.Advantage != 0 && len(other.Tokens) <= len(s.Tokens) && len(other.Ratios) == 0 {
						t.Errorf("step %d: the values of an answer that teaches nothing are kept, and those of one that does are not", s.Step)
						break
					}
				}
			}
		}
		for step := range steps {
			if n := tokens[step]; n > want || want > 0 && n < want-8 {
				t.Errorf("token_values %d: step %d has the values of %d tokens, want at most %d and nearly as many", most, step, n, want)
			}
		}
		if len(all) != 60 || len(steps) != 3 {
			t.Errorf("token_values %d: %d samples of %d steps, want 60 of 3", most, len(all), len(steps))
		}
	}
	if len(sums) != 1 {
		t.Errorf("the weights of runs that keep other values: %v, want the same", sums)
	}
}

// TestTokenAdvantages: where each token has an advantage of its own, they are told.
func TestTokenAdvantages(t *testing.T) {
	o := banditOptions("reinforce_pp")
	o.Steps = 2
	d, _ := trace(t, o)
	told := 0
	for _, s := range samplesOf(t, d) {
		for i := range s.Advantages {
			told++
			if len(s.Advantages) != len(s.Tokens) || s.Step == 2 && i > 0 && s.Advantages[i] != s.Advantages[0] {
				told += 1000
			}
		}
	}
	if told < 1000 {
		t.Errorf("advantages of tokens: %d, want some that differ within an answer", told)
	}
}

func TestTokenValuesOfBrokenWeightsCanBeWritten(t *testing.T) {
	text, err := json.Marshal(Sample{Ratios: TokenValues{float32(math.NaN()), float32(math.Inf(1)), 0.123456, 1}})
	if err != nil || !strings.Contains(string(text), `"ratios":[null,null,0.1235,1]`) {
		t.Errorf("got %s, %v", text, err)
	}
}
