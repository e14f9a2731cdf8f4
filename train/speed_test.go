package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
)

// The two benchmarks here are what bench/compare.sh runs beside PyTorch; bench/sft_speed.py and
// bench/grpo_twin.py do the same work on the same shapes. All sequences have one length, which is
// the best case of a program that pads.

// labModel is a model of the lab: the base with 4 layers, the student with 3.
func labModel(b *testing.B, width, layers, heads, kvHeads, ffn int) *model.Model {
	b.Helper()
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: 480, Width: width, Layers: layers, Heads: heads, KVHeads: kvHeads, HeadSize: 32,
		FFN: ffn, MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, InitializerRange: 0.06, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 1)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// stepClock is a Progress callback that times steps. The first step, which touches memory for the
// first time, is not counted.
type stepClock struct {
	last     time.Time
	cpu      time.Duration // at the end of the first step
	interval []time.Duration
}

func (c *stepClock) progress(p Progress) {
	now := time.Now()
	if p.Step == 1 {
		c.cpu = processorTime()
	} else {
		c.interval = append(c.interval, now.Sub(c.last))
	}
	c.last = now
}

// report gives the median time of a step, the mean processor time of a step, and the rate of tokens
// per step by both clocks.
func (c *stepClock) report(b *testing.B, tokens int) {
	b.Helper()
	cpu := (processorTime() - c.cpu).Seconds() / float64(len(c.interval))
	slices.Sort(c.interval)
	n := len(c.interval)
	median := (c.interval[(n-1)/2] + c.interval[n/2]).Seconds() / 2
	b.ReportMetric(float64(tokens), "tok/step")
	b.ReportMetric(median, "s/step")
	b.ReportMetric(float64(tokens)/median, "tok/s")
	if cpu > 0 {
		b.ReportMetric(cpu, "cpu-s/step")
		b.ReportMetric(float64(tokens)/cpu, "tok/cpu-s")
	}
}

// BenchmarkSFTStep is one update of the student over 64 sequences of 62 tokens per iteration.
func BenchmarkSFTStep(b *testing.B) {
	const sequences, length = 64, 62
	random := rand.New(rand.NewPCG(1, 1))
	examples := make([]Example, sequences)
	for i := range examples {
		examples[i].Tokens = randomTokens(random, length)
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			var clock stepClock
			setup := Setup{Model: labModel(b, 96, 3, 3, 1, 256), CPU: testCPU(b, threads), Progress: clock.progress}
			o := SFTOptions{Steps: b.N + 1, BatchSize: sequences}
			if _, err := SFT(context.Background(), &setup, examples, &o); err != nil {
				b.Fatal(err)
			}
			clock.report(b, sequences*length)
		})
	}
}

// BenchmarkGRPOStep is one step of the base per iteration: 32 prompts of 14 tokens, 8 answers of 62
// tokens to each, every other one right. The rate counts the answers' tokens.
func BenchmarkGRPOStep(b *testing.B) {
	const prompts, group, prompt, answer = 32, 8, 14, 62
	random := rand.New(rand.NewPCG(1, 1))
	problems := make([]Problem, prompts)
	for i := range problems {
		problems[i] = Problem{ID: uint64(i), Prompt: randomTokens(random, prompt)}
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			judged := 0
			grade := func(p *Problem, tokens []int32, text string) Reward {
				if len(tokens) != answer {
					b.Errorf("problem %d: answer of %d tokens, want %d", p.ID, len(tokens), answer)
				}
				if judged++; judged%2 == 0 {
					return Reward{Verdict: Right, Accuracy: 1}
				}
				return Reward{Verdict: Wrong}
			}
			var clock stepClock
			setup := Setup{Model: labModel(b, 128, 4, 4, 2, 352), CPU: testCPU(b, threads), Progress: clock.progress}
			e, err := engine.New(setup.Model, setup.CPU, nil)
			if err != nil {
				b.Fatal(err)
			}
			o := GRPOOptions{
				Variant: "dr_grpo", Steps: b.N + 1,
				Rollout: RolloutOptions{Problems: prompts, Group: group, MaxNewTokens: answer},
			}
			if _, err := GRPO(context.Background(), &setup, e, problems, grade, &o); err != nil {
				b.Fatal(err)
			}
			clock.report(b, prompts*group*answer)
		})
	}
}
