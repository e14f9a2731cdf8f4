package model

import (
	"fmt"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
)

// labShapes are the shapes that `retort lab` trains.
var labShapes = map[string]Config{
	"0.8M": {Architecture: Qwen2, VocabSize: 480, Width: 128, Layers: 4, Heads: 4, KVHeads: 2, HeadSize: 32, FFN: 352,
		MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: 3},
	"0.35M": {Architecture: Qwen2, VocabSize: 480, Width: 96, Layers: 3, Heads: 3, KVHeads: 1, HeadSize: 32, FFN: 256,
		MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: 3},
}

// BenchmarkTraining times forward, backward and update on microbatches of 16 sequences of 62 tokens,
// of all weights (rank 0) and of an adapter.
func BenchmarkTraining(b *testing.B) {
	for _, name := range []string{"0.35M", "0.8M"} {
		for _, c := range []struct{ threads, rank int }{{1, 0}, {2, 0}, {1, 8}, {2, 8}} {
			b.Run(fmt.Sprintf("%s/threads=%d/rank=%d", name, c.threads, c.rank), func(b *testing.B) {
				m, err := New(labShapes[name], 1)
				if err != nil {
					b.Fatal(err)
				}
				if m, err = m.WithAdapter(LoRAOptions{Rank: c.rank}); err != nil {
					b.Fatal(err)
				}
				cpu := compute.NewCPU(c.threads)
				defer cpu.Close()
				tr, err := m.CompileTraining(cpu, nil)
				if err != nil {
					b.Fatal(err)
				}
				lengths := make([]int, 16)
				for i := range lengths {
					lengths[i] = 62
				}
				batch := packedBatch(480, 1, lengths...)
				tokens := 0
				for b.Loop() {
					tr.ZeroGradients()
					if _, _, err := tr.Forward(batch); err != nil {
						b.Fatal(err)
					}
					if err := tr.Backward(batch); err != nil {
						b.Fatal(err)
					}
					if _, err := tr.Update(compute.AdamW{LearningRate: 1e-4, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Step: 1}); err != nil {
						b.Fatal(err)
					}
					tokens += len(batch.Tokens)
				}
				b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tok/s")
				b.ReportMetric(3*labShapes[name].FLOPsPerToken(31)*float64(tokens)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkDecode times one decoding step of 256 sequences.
func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"0.35M", "0.8M"} {
		b.Run(name, func(b *testing.B) {
			m, err := New(labShapes[name], 1)
			if err != nil {
				b.Fatal(err)
			}
			cpu := compute.NewCPU(2)
			defer cpu.Close()
			const n, blocks = 256, 5
			f, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: n, MaxRows: n, Blocks: n * blocks})
			if err != nil {
				b.Fatal(err)
			}
			batch := &compute.Batch{}
			for i := range n {
				table := make([]int32, blocks)
				for j := range table {
					table[j] = int32(i*blocks + j)
				}
				batch.Tokens = append(batch.Tokens, int32(i))
				batch.Rows = append(batch.Rows, int32(i))
				batch.Seqs = append(batch.Seqs, compute.Seq{Start: i, Len: 1, Pos: 40, Blocks: table})
			}
			tokens := 0
			for b.Loop() {
				if _, _, err := f.Run(batch); err != nil {
					b.Fatal(err)
				}
				tokens += n
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}
