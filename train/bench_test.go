package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
)

func randomTokens(random *rand.Rand, n int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(3 + random.IntN(470))
	}
	return tokens
}

// BenchmarkSFT is one update of the lab's student over 64 examples of 40 to 84 tokens per iteration.
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
			m, cpu := labModel(b, 96, 3, 3, 1, 256), testCPU(b, 2)
			o := SFTOptions{Steps: b.N, Batch: BatchOptions{MaxTokens: maxTokens}}
			if _, err := SFT(context.Background(), &Setup{Model: m, CPU: cpu}, examples, &o); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}
