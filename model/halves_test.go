package model

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
)

// TestBF16StaysBF16: matrices in BF16 of any container are kept in it alone, and give the logits of the model that is widened and computes in BF16, bit for bit.
func TestBF16StaysBF16(t *testing.T) {
	tokens := packedBatch(523, 9, 130).Tokens
	for _, architecture := range []string{Qwen2, Llama, Qwen3} {
		for _, tie := range []bool{false, true} {
			c := wide(architecture, tie)
			m := warm(t, c, 7)
			file, folder := filepath.Join(t.TempDir(), "m.gguf"), t.TempDir()
			if err := m.SaveGGUF(file, tensor.BF16, nil); err != nil {
				t.Fatal(err)
			}
			if err := m.Save(folder, tensor.BF16); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{file, folder} {
				widened, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := widened.SetOptions(Options{Compute: ComputeBF16}); err != nil {
					t.Fatal(err)
				}
				kept, err := OpenQuantised(path)
				if err != nil {
					t.Fatal(err)
				}
				wantMeasured(t, path, kept)
				if n := len(kept.base.weights) + len(kept.base.packed) + len(kept.base.pairs); n > 1<<14 || !kept.Quantised() {
					t.Errorf("%s: %d floats beside the matrices in BF16", path, n)
				}
				if !slices.Equal(logits(t, kept, tokens), logits(t, widened, tokens)) {
					t.Errorf("%s, tied %v, %s: the logits differ from those of the widened model in BF16", architecture, tie, path)
				}
				decodeEqualsTraining(t, kept, 70, 27)
				copies := t.TempDir()
				_, p := loadFrom(t, path, copies)
				if err := p.Keep(t.Context()); err != nil {
					t.Fatal(err)
				}
				mapped, p := loadFrom(t, path, copies)
				if !p.Used {
					t.Errorf("the copy is not used: %v", p.Fault)
				}
				samePanels(t, kept, mapped)
			}
		}
	}
}

// TestF16StaysF16: matrices in F16 are kept in it alone, and give the logits of the widened model, bit for bit.
func TestF16StaysF16(t *testing.T) {
	tokens := packedBatch(523, 9, 130).Tokens
	c := wide(Llama, true)
	m := warm(t, c, 7)
	file, folder := filepath.Join(t.TempDir(), "m.gguf"), t.TempDir()
	if err := m.SaveGGUF(file, tensor.F16, nil); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(folder, tensor.F16); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, folder} {
		widened, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := OpenQuantised(path)
		if err != nil {
			t.Fatal(err)
		}
		wantMeasured(t, path, kept)
		if n := len(kept.base.weights) + len(kept.base.packed) + len(kept.base.pairs); n > 1<<14 || !kept.Quantised() {
			t.Errorf("%s: %d floats beside the matrices in F16", path, n)
		}
		if !slices.Equal(logits(t, kept, tokens), logits(t, widened, tokens)) {
			t.Errorf("%s: the logits differ from those of the widened model", path)
		}
		decodeEqualsTraining(t, kept, 70, 27)
	}
}

// TestBF16BesideQuantised: a matrix of parts in BF16 and in a quantised format has each in its own.
func TestBF16BesideQuantised(t *testing.T) {
	tokens := packedBatch(523, 9, 64).Tokens
	widened, kept := quantisedPair(t, wide(Llama, false), func(name string) tensor.Format {
		switch mixed(name) {
		case tensor.Q6_K:
			return tensor.BF16
		case tensor.Q5_1:
			return tensor.F16
		}
		return mixed(name)
	})
	if most, ok := kept.KeptFormat(); !ok || most != tensor.Q4_K {
		t.Errorf("most weights are in %v, %v", most, ok)
	}
	if _, ok := widened.KeptFormat(); ok {
		t.Error("a widened model keeps a format")
	}
	formats := map[tensor.Format]int{}
	for _, w := range kept.base.list {
		for _, q := range w.Quantised {
			formats[q.Format]++
			if !kernel.InPanels(q.Format) {
				t.Errorf("%s in panels of %s", w.Name, q.Format)
			}
		}
	}
	if formats[tensor.BF16] < 3 || formats[tensor.Q4_K] < 3 {
		t.Fatalf("the formats are %v", formats)
	}
	p, q := logits(t, widened, tokens), logits(t, kept, tokens)
	if kl := meanKL(p, q, 523); !(kl <= 1e-3) || slices.Equal(p, q) {
		t.Errorf("mean KL %.3g, want at most 1e-3 and more than none", kl)
	}
	decodeEqualsTraining(t, kept, 70, 27)
}
