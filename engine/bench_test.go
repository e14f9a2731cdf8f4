package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// BenchmarkGenerate is the generation of a GRPO step of the lab: 32 prompts of 20 tokens, 8 samples
// each of 42 tokens, by the model of 0.8 million parameters. It reports sampled tokens per second
// and the percentage of the time that is not spent in the model's forward pass.
func BenchmarkGenerate(b *testing.B) {
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: 480, Width: 128, Layers: 4, Heads: 4, KVHeads: 2, HeadSize: 32, FFN: 352,
		MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 1)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	reqs := make([]Request, 32)
	for i := range reqs {
		reqs[i] = Request{MaxTokens: 42, Temperature: 1, Samples: 8, Seed: Seed{Problem: uint64(i)}}
		for range 20 {
			reqs[i].Prompt = append(reqs[i].Prompt, rng.Int32N(480))
		}
	}
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			cpu := compute.NewCPU(threads)
			defer cpu.Close()
			e, err := New(m, cpu, nil)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := e.Generate(b.Context(), reqs); err != nil {
					b.Fatal(err)
				}
			}
			stats := e.Stats()
			b.ReportMetric(stats.TokensPerSecond(), "tok/s")
			b.ReportMetric(100*(1-stats.Forward.Seconds()/stats.Elapsed.Seconds()), "engine-%")
		})
	}
}
