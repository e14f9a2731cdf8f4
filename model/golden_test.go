package model

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// golden reads a file made by testdata/golden_qwen2.py: values of Hugging Face transformers in float64.
type golden struct {
	t    *testing.T
	file *weights.File
}

func (g *golden) floats(name string) []float32 {
	g.t.Helper()
	x, err := g.file.Tensor(name)
	if err != nil {
		g.t.Fatal(err)
	}
	out := make([]float32, len(x.Data)/4)
	if err := tensor.Decode(out, x.Format, x.Data); err != nil {
		g.t.Fatal(err)
	}
	return out
}

func (g *golden) text(key string) string {
	g.t.Helper()
	text, err := g.file.Metadata().String(key)
	if err != nil {
		g.t.Fatal(err)
	}
	return text
}

func (g *golden) model() *Model {
	g.t.Helper()
	c, err := ParseConfig([]byte(g.text("config")))
	if err != nil {
		g.t.Fatal(err)
	}
	m, err := New(c, 1)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, p := range m.Parameters() {
		copy(p.Data, g.floats("weight."+p.Name))
	}
	m.Repack()
	return m
}

// batch is the packed batch of the golden run.
func (g *golden) batch() *compute.Batch {
	g.t.Helper()
	var lengths []int
	if err := json.Unmarshal([]byte(g.text("lengths")), &lengths); err != nil {
		g.t.Fatal(err)
	}
	invT, err := strconv.ParseFloat(g.text("inverse_temperature"), 32)
	if err != nil {
		g.t.Fatal(err)
	}
	b := &compute.Batch{InverseTemperature: float32(invT), DLogProb: g.floats("dlogp")}
	for _, id := range g.floats("tokens") {
		b.Tokens = append(b.Tokens, int32(id))
	}
	start := 0
	for _, n := range lengths {
		b.Seqs = append(b.Seqs, compute.Seq{Start: start, Len: n})
		for i := 1; i < n; i++ {
			b.Rows = append(b.Rows, int32(start+i-1))
			b.Targets = append(b.Targets, b.Tokens[start+i])
		}
		start += n
	}
	return b
}

// relativeError is ‖a−b‖/‖b‖.
func relativeError(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	diff, norm := 0.0, 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		diff += d * d
		norm += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(diff / norm)
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"golden_qwen2_tied", "golden_qwen2_untied"} {
		t.Run(name, func(t *testing.T) {
			f, err := weights.Open(filepath.Join("testdata", name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			g := &golden{t, f}
			m, b := g.model(), g.batch()
			if want := strings.HasSuffix(name, "_tied"); m.config.TieEmbeddings != want {
				t.Fatalf("tied embeddings %v, want %v", m.config.TieEmbeddings, want)
			}
			tr := compileTraining(t, m, 2, &TrainingOptions{MaxTokens: 64})
			logp, _, err := tr.Forward(b)
			if err != nil {
				t.Fatal(err)
			}
			if e := relativeError(logp, g.floats("logp")); !(e <= 1e-5) {
				t.Errorf("log-probabilities: relative error %.3g, want at most 1e-5", e)
			}
			if err := tr.Backward(b); err != nil {
				t.Fatal(err)
			}
			for i := range m.parameters {
				p := &m.parameters[i]
				want := g.floats("gradient." + p.Name)
				if e := relativeError(tr.GradientOf(p), want); !(e <= 1e-4) {
					t.Errorf("gradient of %s: relative error %.3g, want at most 1e-4", p.Name, e)
				}
			}
			checkGoldenLogits(t, m, g, b)
		})
	}
}

func checkGoldenLogits(t *testing.T, m *Model, g *golden, b *compute.Batch) {
	t.Helper()
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	forward, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: 64, MaxRows: 64, Blocks: 8})
	if err != nil {
		t.Fatal(err)
	}
	all := &compute.Batch{Tokens: b.Tokens}
	next := int32(0)
	for _, s := range b.Seqs {
		s.Blocks = nil
		for range (s.Len + 15) / 16 {
			s.Blocks = append(s.Blocks, next)
			next++
		}
		all.Seqs = append(all.Seqs, s)
	}
	for i := range all.Tokens {
		all.Rows = append(all.Rows, int32(i))
	}
	logits, _, err := forward.Run(all)
	if err != nil {
		t.Fatal(err)
	}
	if e := relativeError(logits, g.floats("logits")); !(e <= 1e-5) {
		t.Errorf("logits: relative error %.3g, want at most 1e-5", e)
	}
}

func TestSaveAndOpen(t *testing.T) {
	for _, tie := range []bool{true, false} {
		m := warm(t, tiny(tie), 3)
		dir := t.TempDir()
		if err := m.Save(dir, tensor.F32); err != nil {
			t.Fatal(err)
		}
		back, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if back.config != m.config {
			t.Errorf("config %+v, want %+v", back.config, m.config)
		}
		if e := relativeError(back.Weights(), m.Weights()); e != 0 {
			t.Errorf("weights differ by %v", e)
		}
	}
}

func TestOpenRefusesMisshapenModels(t *testing.T) {
	m := warm(t, tiny(true), 3)
	for name, spoil := range map[string]func(c *Config){
		"vocabulary":   func(c *Config) { c.VocabSize++ },
		"layers":       func(c *Config) { c.Layers = 3 },
		"fewer layers": func(c *Config) { c.Layers = 1 },
		"untied":       func(c *Config) { c.TieEmbeddings = false },
		"heads":        func(c *Config) { c.Heads = 2 },
		"ffn":          func(c *Config) { c.FFN = 1 << 20 },
	} {
		dir := t.TempDir()
		if err := m.Save(dir, tensor.F32); err != nil {
			t.Fatal(err)
		}
		f, err := weights.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		c := m.Config()
		spoil(&c)
		if _, err := Load(c, f); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
