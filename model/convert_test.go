package model

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// smallShape is a shape of an architecture whose rows are whole blocks of every classic format.
func smallShape(architecture string) Config {
	c := Config{Architecture: architecture, VocabSize: 40, Width: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 16, FFN: 96,
		MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, BOS: 1, EOS: 2}
	if architecture == Llama {
		c.RopeScaling = RopeScaling{Factor: 8, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 64}
	}
	return c
}

func openModel(t *testing.T, path string) *Model {
	t.Helper()
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantSameWeights(t *testing.T, what string, a, b *Model) {
	t.Helper()
	for i, p := range a.Parameters() {
		other := b.Parameters()[i]
		for k, v := range p.Data {
			if other.Data[k] != v {
				t.Fatalf("%s: %s at %d: %v and %v", what, p.Name, k, v, other.Data[k])
			}
		}
	}
}

// TestConvertKeepsEveryValue sends a model of each architecture from one container to the other and
// back: the rows of a Llama's queries and keys change their order twice.
func TestConvertKeepsEveryValue(t *testing.T) {
	for _, architecture := range []string{Qwen2, Llama, Qwen3} {
		dir := t.TempDir()
		file, folder, again := filepath.Join(dir, "a.gguf"), filepath.Join(dir, "b"), filepath.Join(dir, "c.gguf")
		s := Synthesis{Config: smallShape(architecture), Seed: 3}
		if err := s.WriteGGUF(file, tensor.F32, nil); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct{ from, to string }{{file, folder}, {folder, again}} {
			f, err := OpenFiles(step.from)
			if err != nil {
				t.Fatal(err)
			}
			if step.to == folder {
				err = f.WriteFolder(step.to, nil)
			} else {
				err = f.WriteGGUF(step.to, nil, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		a, b, c := openModel(t, file), openModel(t, folder), openModel(t, again)
		wantSameWeights(t, architecture+" as a folder", a, b)
		wantSameWeights(t, architecture+" and back", a, c)
		if !a.Config().Equal(b.Config()) || !a.Config().Equal(c.Config()) {
			t.Errorf("%s: configs differ:\n%+v\n%+v\n%+v", architecture, a.Config(), b.Config(), c.Config())
		}
		own := filepath.Join(dir, "own")
		if err := s.WriteFolder(own, tensor.F32); err != nil {
			t.Fatal(err)
		}
		wantSameWeights(t, architecture+" made as a folder", a, openModel(t, own))
	}
}

func TestConvertQuantises(t *testing.T) {
	dir := t.TempDir()
	s := Synthesis{Config: smallShape(Llama), Seed: 3}
	folder := filepath.Join(dir, "f")
	if err := s.WriteFolder(folder, tensor.F32); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFiles(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	converted, made := filepath.Join(dir, "converted.gguf"), filepath.Join(dir, "made.gguf")
	q := tensor.Q8_0
	if err := f.WriteGGUF(converted, &q, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteGGUF(made, q, nil); err != nil {
		t.Fatal(err)
	}
	wantSameWeights(t, "Q8_0", openModel(t, made), openModel(t, converted))
	if err := f.WriteFolder(filepath.Join(dir, "g"), &q); err == nil || !strings.Contains(err.Error(), "safetensors cannot hold Q8_0") {
		t.Errorf("a folder of Q8_0: %v", err)
	}
}

// TestShapesAreValid wants each published shape to have as many parameters as its name says, in
// billions and within 15 %: names count embeddings, or do not.
func TestShapesAreValid(t *testing.T) {
	for name, billions := range map[string]float64{
		"r1-distill-qwen-1.5b": 1.777, "r1-distill-qwen-7b": 7.616, "r1-distill-qwen-14b": 14.77, "r1-distill-qwen-32b": 32.76,
		"r1-distill-llama-8b": 8.030, "r1-distill-llama-70b": 70.55, "qwen2.5-0.5b": 0.494, "qwen2.5-1.5b": 1.544, "qwen2.5-3b": 3.086,
		"llama-3.2-1b": 1.236, "llama-3.2-3b": 3.213, "qwen3-0.6b": 0.596, "qwen3-1.7b": 1.721, "qwen3-4b": 4.022, "qwen3-8b": 8.191, "qwen3-14b": 14.77, "qwen3-32b": 32.76,
	} {
		c, err := Shape(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := float64(c.NumParameters()) / 1e9; n < billions*0.999 || n > billions*1.001 {
			t.Errorf("%s has %.4g billion parameters, want %.4g", name, n, billions)
		}
	}
	if n := len(Shapes()); n != 17 {
		t.Errorf("%d shapes, want 17: name the new one above", n)
	}
	if _, err := Shape("r1"); err == nil || !strings.Contains(err.Error(), "r1-distill-qwen-1.5b") {
		t.Errorf("an unknown shape: %v", err)
	}
}
