package model

import (
	"math"
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
)

// optionsConfig is a small model with more token ids than one chunk of the vocabulary, and sizes that are odd.
func optionsConfig() Config {
	return Config{Architecture: Qwen2, VocabSize: 523, Width: 40, Layers: 3, Heads: 4, KVHeads: 2, HeadSize: 10, FFN: 53,
		MaxPositions: 64, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, InitializerRange: 0.3, BOS: -1, EOS: -1}
}

func withCompute(t *testing.T, c Config, seed uint64, name string) *Model {
	t.Helper()
	m, err := New(c, seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetOptions(Options{Compute: name}); err != nil {
		t.Fatal(err)
	}
	return m
}

func optionsBatch(vocab int) *compute.Batch {
	b := &compute.Batch{Seqs: []compute.Seq{{Start: 0, Len: 20}, {Start: 20, Len: 13}}}
	for i := range 33 {
		b.Tokens = append(b.Tokens, int32(i*i*7%vocab))
		b.Rows = append(b.Rows, int32(i))
		b.Targets = append(b.Targets, int32(i*31%vocab))
		b.DLogProb = append(b.DLogProb, -1)
	}
	return b
}

// optionsLogits are the logits of one sequence.
func optionsLogits(t *testing.T, m *Model) []float32 {
	t.Helper()
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	f, err := m.CompileForward(cpu, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := optionsBatch(m.Config().VocabSize)
	b.Seqs[0].Blocks, b.Seqs[1].Blocks = []int32{0, 1}, []int32{2}
	logits, _, err := f.Run(b)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(logits)
}

// relativeDifference is |got-want| / |want| in Euclidean norms.
func relativeDifference(got, want []float32) float64 {
	var d, n float64
	for i := range want {
		d += math.Pow(float64(got[i])-float64(want[i]), 2)
		n += math.Pow(float64(want[i]), 2)
	}
	return math.Sqrt(d / n)
}

func TestOptions(t *testing.T) {
	m, err := New(optionsConfig(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Options().Compute; got != ComputeF32 {
		t.Errorf("default: got %q, want %q", got, ComputeF32)
	}
	if err := m.SetOptions(Options{Compute: "f16"}); err == nil {
		t.Error("compute f16: no error")
	}
	want := optionsLogits(t, m)
	for _, name := range []string{ComputeBF16, ""} {
		if err := m.SetOptions(Options{Compute: name}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(optionsLogits(t, m), want) {
		t.Error("back from bf16 the logits are not what they were")
	}
	if err := m.CopyWeights(withCompute(t, optionsConfig(), 2, ComputeBF16)); err == nil {
		t.Error("copy of weights from a model that computes otherwise: no error")
	}
}

// TestBF16Accuracy: a number rounded to 8 bits is off by at most 2^-9 of itself, 2^-9/√3 on average. A product of two has √2 of that,
// 0.16 %; here seven products follow one another, and weights this large make attention sharp, which adds to it.
func TestBF16Accuracy(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		want := optionsLogits(t, withCompute(t, optionsConfig(), seed, ComputeF32))
		m := withCompute(t, optionsConfig(), seed, ComputeBF16)
		if m.base.packed != nil || 2*len(m.base.pairs) > m.base.packFloats+m.base.packFloats/8 {
			t.Fatalf("panels: %d floats and %d pairs, want no floats and about half of %d", len(m.base.packed), len(m.base.pairs), m.base.packFloats)
		}
		got := relativeDifference(optionsLogits(t, m), want)
		t.Logf("seed %d: logits of bf16 differ from those of f32 by %.2g", seed, got)
		if got < 1e-4 || got > 3e-2 {
			t.Errorf("seed %d: logits differ by %.2g, want 1e-4 to 3e-2", seed, got)
		}
	}
}

// TestBF16Training: the gradients, which pass the roundings straight through, are near those of float32, and after an update the forward
// pass is that of a model made from the new weights.
func TestBF16Training(t *testing.T) {
	c := optionsConfig()
	var gradients [2][]float32
	var losses []float64
	for i, name := range []string{ComputeF32, ComputeBF16} {
		m := withCompute(t, c, 4, name)
		cpu := compute.NewCPU(2)
		defer cpu.Close()
		training, err := m.CompileTraining(cpu, &TrainingOptions{MaxTokens: 64})
		if err != nil {
			t.Fatal(err)
		}
		b := optionsBatch(c.VocabSize)
		for step := range 4 {
			logp, _, err := training.Forward(b)
			if err != nil {
				t.Fatal(err)
			}
			loss := 0.0
			for _, v := range logp {
				loss -= float64(v)
			}
			if i == 1 {
				losses = append(losses, loss)
			}
			if err := training.Backward(b); err != nil {
				t.Fatal(err)
			}
			if step == 0 {
				gradients[i] = slices.Clone(training.Gradients())
			}
			if _, err := training.Update(compute.AdamW{Step: step + 1, LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}); err != nil {
				t.Fatal(err)
			}
			training.ZeroGradients()
		}
		if name == ComputeBF16 && !slices.Equal(optionsLogits(t, m), optionsLogits(t, m.Clone())) {
			t.Error("after an update the panels are not those of the weights")
		}
	}
	got := relativeDifference(gradients[1], gradients[0])
	t.Logf("gradients of bf16 differ from those of f32 by %.2g, losses %.4g", got, losses)
	if got < 1e-4 || got > 0.1 {
		t.Errorf("gradients differ by %.2g, want 1e-4 to 0.1", got)
	}
	if losses[3] > 0.9*losses[0] {
		t.Errorf("losses: got %v, want them to fall", losses)
	}
}

// TestBF16Teacher: a teacher with the student's weights and numbers is at no divergence from it; one in float32 is.
func TestBF16Teacher(t *testing.T) {
	for _, name := range []string{ComputeBF16, ComputeF32} {
		cpu := compute.NewCPU(2)
		defer cpu.Close()
		m, teacher := withCompute(t, optionsConfig(), 5, ComputeBF16), withCompute(t, optionsConfig(), 5, name)
		training, err := m.CompileTraining(cpu, &TrainingOptions{MaxTokens: 64, Teacher: teacher})
		if err != nil {
			t.Fatal(err)
		}
		values, err := training.Divergence(optionsBatch(523))
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Max(values); (got == 0) != (name == ComputeBF16) {
			t.Errorf("teacher in %s: largest divergence %v", name, got)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	for compute, ok := range map[string]bool{"": true, ComputeF32: true, ComputeBF16: true, "F32": false} {
		o := Options{Compute: compute}
		if err := o.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", compute, err)
		}
		if o.Resolved().Compute == "" {
			t.Errorf("%q resolves to nothing", compute)
		}
	}
}
