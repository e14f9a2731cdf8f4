package model

import (
	"testing"

	"github.com/retort-ml/retort/internal/compute"
)

// What is measured beforehand is what is then taken.
func TestMeasure(t *testing.T) {
	for _, architecture := range []string{Qwen2, Qwen3, Llama} {
		for _, o := range []Options{{Compute: ComputeF32}, {Compute: ComputeBF16}} {
			for _, tied := range []bool{true, false} {
				c := Config{
					Architecture: architecture, VocabSize: 1000, Width: 64, Layers: 3, Heads: 4, KVHeads: 2, HeadSize: 16, FFN: 176,
					MaxPositions: 200, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: tied, BOS: -1, EOS: -1,
				}
				cpu := compute.NewCPU(2)
				f := &ForwardOptions{MaxTokens: 100, MaxRows: 20, Blocks: 11}
				got, err := Measure(c, nil, o, cpu, f)
				if err != nil {
					t.Fatal(err)
				}
				m, err := New(c, 1)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.SetOptions(o); err != nil {
					t.Fatal(err)
				}
				forward, err := m.CompileForward(cpu, f)
				if err != nil {
					t.Fatal(err)
				}
				kv, activations := forward.Bytes()
				want := Memory{
					Weights: 4 * int64(len(m.base.weights)+len(m.base.packed)+len(m.base.pairs)),
					KV:      kv, Activations: activations, Tables: 4 * 11 * 16 * 16,
				}
				if got != want || got.Total() != want.Weights+kv+activations+want.Tables {
					t.Errorf("%s %s: measured %+v, took %+v", architecture, o.Compute, got, want)
				}
				cpu.Close()
			}
		}
	}
	if _, err := Measure(Config{}, nil, Options{}, nil, nil); err == nil {
		t.Error("a shape that is none was measured")
	}
}
