package model

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// openGolden opens a golden file as a model.
func openGolden(t *testing.T, name string) *Model {
	t.Helper()
	f, err := weights.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return (&golden{t, f}).model()
}

// TestOpenGGUF opens a file that the package gguf wrote, with the order of rows that llama.cpp's
// converter makes, and wants the bits of the model from which it was made.
func TestOpenGGUF(t *testing.T) {
	want := openGolden(t, "golden_llama_tied.safetensors")
	got, err := Open(filepath.Join("testdata", "golden_llama.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	config := want.Config()
	config.BOS, config.EOS = -1, -1
	if c := got.Config(); c.RopeScaling != config.RopeScaling {
		// The rule is found by its factors: another that gives the same ones would do as well.
		if !c.ropeFactorsAre(config.RopeScaling, c.ropeFactors()) {
			t.Errorf("rope scaling %+v, want %+v", c.RopeScaling, config.RopeScaling)
		}
		config.RopeScaling = c.RopeScaling
	}
	if !got.Config().Equal(config) {
		t.Errorf("config %+v, want %+v", got.Config(), config)
	}
	for i, p := range want.Parameters() {
		if !slices.Equal(got.Parameters()[i].Data, p.Data) {
			t.Errorf("%s differs", p.Name)
		}
	}
}

// TestSaveGGUFEqualsReference writes the same model and compares every tensor with the package's.
func TestSaveGGUFEqualsReference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := openGolden(t, "golden_llama_tied.safetensors").SaveGGUF(path, tensor.F32, nil); err != nil {
		t.Fatal(err)
	}
	got, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	want, err := weights.Open(filepath.Join("testdata", "golden_llama.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if g, w := len(got.Names()), len(want.Names()); g != w {
		t.Errorf("%d tensors, want %d", g, w)
	}
	for _, name := range want.Names() {
		w, err := want.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := got.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(g.Shape, w.Shape) || name != ggufRopeFreqs && !bytes.Equal(g.Data, w.Data) {
			t.Errorf("%s: other bytes than the reference writer's", name)
		}
		if name == ggufRopeFreqs { // computed apart, in another order
			a, _ := g.Float32s()
			b, _ := w.Float32s()
			if e := relativeError(a, b); !(e < 1e-6) {
				t.Errorf("%s: %v, want %v", name, a, b)
			}
		}
	}
	for _, pair := range want.Metadata() {
		if value, ok := got.Metadata().Value(pair.Key); ok && value != pair.Value {
			t.Errorf("%s: %v (%T), want %v (%T)", pair.Key, value, value, pair.Value, pair.Value)
		} else if !ok && pair.Key != "general.alignment" {
			t.Errorf("%s is missing", pair.Key)
		}
	}
}

func TestSaveAndOpenGGUF(t *testing.T) {
	for _, c := range families() {
		c.Width, c.FFN, c.HeadSize = 64, 96, 16
		if c.RopeScaling.Factor != 0 {
			c.RopeScaling.OriginalMaxPositions = 77
		}
		m := warm(t, c, 3)
		for _, format := range []tensor.Format{tensor.F32, tensor.F16, tensor.BF16, tensor.Q8_0, tensor.Q4_0, tensor.Q4_K} {
			if !format.Encodes() {
				continue
			}
			path := filepath.Join(t.TempDir(), "x.gguf")
			var more weights.Metadata
			more.Set("general.name", "tiny")
			if err := m.SaveGGUF(path, format, more); err != nil {
				t.Fatal(err)
			}
			back, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			back.config.InitializerRange = m.config.InitializerRange
			if !back.Config().Equal(c) {
				t.Errorf("%s %s: config %+v, want %+v", c.Architecture, format, back.Config(), c)
			}
			for i, p := range m.Parameters() {
				f := tensor.F32
				if len(p.Shape) == 2 {
					f = fitting(format, p.Shape[1])
				}
				want := through(t, f, p.Data)
				if !slices.Equal(back.Parameters()[i].Data, want) {
					t.Errorf("%s %s: %s differs from its values in that format", c.Architecture, format, p.Name)
				}
			}
		}
	}
}

// through rounds values to a format.
func through(t *testing.T, f tensor.Format, values []float32) []float32 {
	t.Helper()
	size, err := f.Size(len(values))
	if err != nil {
		t.Fatal(err)
	}
	data, out := make([]byte, size), make([]float32, len(values))
	if err := tensor.Encode(data, f, values); err != nil {
		t.Fatal(err)
	}
	if err := tensor.Decode(out, f, data); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFittingFormat(t *testing.T) {
	for _, c := range []struct {
		format tensor.Format
		ins    int
		want   tensor.Format
	}{{tensor.Q4_K, 512, tensor.Q4_K}, {tensor.Q4_K, 96, tensor.Q8_0}, {tensor.Q4_K, 40, tensor.F16}, {tensor.F32, 41, tensor.F32}} {
		if got := fitting(c.format, c.ins); got != c.want {
			t.Errorf("%s in rows of %d: %s, want %s", c.format, c.ins, got, c.want)
		}
	}
}

// TestPublishedRopeFactors finds the rules of Llama 3.1 and 3.2 by their factors.
func TestPublishedRopeFactors(t *testing.T) {
	for _, want := range []RopeScaling{
		{Factor: 8, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 8192},
		{Factor: 32, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 8192},
	} {
		c := Config{HeadSize: 128, RopeTheta: 500000, RopeScaling: want}
		got, err := (&ggufReader{}).findRopeScaling(&c, c.ropeFactors())
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	c := Config{HeadSize: 8, RopeTheta: 10000}
	for _, factors := range [][]float32{{1, 1, 1, 3.5e7}, {1, 5, 2, 8}, {1, 1, 2, float32(math.NaN())}, {1, 1, 1, -8}} {
		if s, err := (&ggufReader{}).findRopeScaling(&c, factors); err == nil {
			t.Errorf("%v: found %+v, want an error", factors, s)
		}
	}
	if s, err := (&ggufReader{}).findRopeScaling(&c, []float32{1, 1, 1, 1}); err != nil || s != (RopeScaling{}) {
		t.Errorf("factors of 1: %+v, %v, want no scaling", s, err)
	}
}

func TestGGUFNames(t *testing.T) {
	for name, want := range map[string]string{
		"model.layers.11.self_attn.q_proj.bias":          "blk.11.attn_q.bias",
		"model.layers.0.self_attn.k_norm.weight":         "blk.0.attn_k_norm.weight",
		"model.layers.3.post_attention_layernorm.weight": "blk.3.ffn_norm.weight",
		"lm_head.weight": "output.weight", "model.layers.x.mlp.up_proj.weight": "", "model.layers.1": "", "": "", "visual.weight": "",
	} {
		if got := GGUFName(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, c := range families() {
		m, err := layOut(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{"": true}
		for _, v := range m.base.views {
			if name := GGUFName(v.name); seen[name] {
				t.Errorf("%s: %q twice or missing", v.name, name)
			} else {
				seen[name] = true
			}
		}
	}
}

// TestGGUFRefuses spoils a good file's metadata, key by key.
func TestGGUFRefuses(t *testing.T) {
	c := families()[2]
	m := warm(t, c, 3)
	for _, spoil := range []struct {
		key       string
		value     any
		complaint string
	}{
		{"general.architecture", "gemma", "gemma"},
		{"general.architecture", uint32(3), "general.architecture"},
		{"llama.block_count", uint32(1), "not one of a model"},
		{"llama.block_count", uint32(3), "num_hidden_layers"},
		{"llama.block_count", uint32(1 << 24), "num_hidden_layers"},
		{"llama.block_count", "two", "block_count"},
		{"llama.embedding_length", uint32(48), "shape"},
		{"llama.attention.head_count", uint32(0), "the size of a head"},
		{"llama.attention.head_count_kv", uint32(3), "multiple"},
		{"llama.attention.value_length", uint32(6), "value_length"},
		{"llama.attention.layer_norm_rms_epsilon", float32(2), "rms_norm_eps"},
		{"llama.expert_count", uint32(8), "expert_count"},
		{"llama.attention.sliding_window", uint32(128), "sliding_window"},
		{"llama.rope.scaling.type", "yarn", "yarn"},
		{"tokenizer.ggml.eos_token_id", uint64(1 << 40), "eos_token_id"},
	} {
		path := filepath.Join(t.TempDir(), "x.gguf")
		var more weights.Metadata
		more.Set(spoil.key, spoil.value)
		if err := m.SaveGGUF(path, tensor.F32, more); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), spoil.complaint) {
			t.Errorf("%s = %v: error %v, want one about %q", spoil.key, spoil.value, err, spoil.complaint)
		}
	}
	if err := m.SaveGGUF(filepath.Join(t.TempDir(), "x.gguf"), tensor.I32, nil); err == nil {
		t.Error("saving as I32: no error")
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("an empty folder: error %v, want one about config.json", err)
	}
}
