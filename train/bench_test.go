package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
)

// studentModel is the small model of the lab: 0.35 million weights.
func studentModel(b *testing.B) *model.Model {
	b.Helper()
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: 480, Width: 96, Layers: 3, Heads: 3, KVHeads: 3, HeadSize: 32, FFN: 256,
		MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: testStop,
	}, 1)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func randomTokens(random *rand.Rand, n int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(3 + random.IntN(470))
	}
	return tokens
}

// BenchmarkSFT is one update over 64 examples of 40 to 84 tokens per iteration.
func BenchmarkSFT(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var examples []Example
	tokens := 0
	for range 64 {
		e := Example{Tokens: randomTokens(random, 40+random.IntN(45)), TargetFrom: 14}
		tokens += len(e.Tokens)
		examples = append(examples, e)
	}
	for _, maxTokens := range []int{512, 1024, 2048, 4096} {
		b.Run(fmt.Sprintf("microbatch=%d", maxTokens), func(b *testing.B) {
			m, cpu := studentModel(b), testCPU(b, 2)
			o := SFTOptions{Steps: b.N, Batch: BatchOptions{MaxTokens: maxTokens}}
			if _, err := SFT(context.Background(), &Setup{Model: m, CPU: cpu}, examples, &o); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// BenchmarkGRPO is one step of 32 problems and 8 answers of 48 tokens to each, 62 with the prompt.
func BenchmarkGRPO(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	problems := make([]Problem, 64)
	for i := range problems {
		problems[i] = Problem{ID: uint64(i), Prompt: randomTokens(random, 14)}
	}
	grade := func(p *Problem, tokens []int32, text string) Reward {
		r := Reward{Verdict: Wrong}
		if tokens[0]%2 == 0 {
			r.Verdict, r.Accuracy = Right, 1
		}
		return r
	}
	m, cpu := studentModel(b), testCPU(b, 2)
	o := GRPOOptions{Variant: "dr_grpo", Steps: b.N, Rollout: RolloutOptions{Problems: 32, Group: 8, MaxNewTokens: 48}}
	e, err := engine.New(m, cpu, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if _, err := GRPO(context.Background(), &Setup{Model: m, CPU: cpu}, e, problems, grade, &o); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(32*8*62*b.N)/b.Elapsed().Seconds(), "tok/s")
}
