package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// golden reads a file made by testdata/golden.py: values of Hugging Face transformers in float64.
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
	return g.adapted(m)
}

// adapted reads the adapter that the golden run had, through the files that PEFT would have it in.
func (g *golden) adapted(m *Model) *Model {
	g.t.Helper()
	if !g.file.Metadata().Has("adapter") {
		return m
	}
	config, err := g.file.Metadata().String("adapter")
	if err != nil {
		g.t.Fatal(err)
	}
	var list []weights.NamedTensor
	for _, name := range g.file.Names() {
		if short, ok := strings.CutPrefix(name, "adapter."); ok {
			x, err := g.file.Tensor(name)
			if err != nil {
				g.t.Fatal(err)
			}
			list = append(list, weights.NamedTensor{Name: short, Format: x.Format, Shape: x.Shape, Data: x.Data})
		}
	}
	dir := g.t.TempDir()
	if err := weights.Write(filepath.Join(dir, adapterWeightsFile), list, nil); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, adapterConfigFile), []byte(config), 0o644); err != nil {
		g.t.Fatal(err)
	}
	adapted, err := m.OpenAdapter(dir)
	if err != nil {
		g.t.Fatal(err)
	}
	return adapted
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

// goldenNames are the golden runs; the tied ones but qwen2's, the scaled one and llama's adapter
// have llama3 scaling and a sequence longer than the original context.
var goldenNames = []string{
	"golden_qwen2_tied", "golden_qwen2_untied", "golden_qwen2_scaled", "golden_llama_tied", "golden_llama_untied",
	"golden_qwen3_tied", "golden_qwen3_untied", "golden_llama_lora", "golden_qwen3_lora", "golden_qwen2_lora", "golden_qwen3_patterns",
}

func TestGolden(t *testing.T) {
	for _, name := range goldenNames {
		t.Run(name, func(t *testing.T) {
			f, err := weights.Open(filepath.Join("testdata", name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			g := &golden{t, f}
			m, b := g.model(), g.batch()
			if m.HasAdapter() != (strings.HasSuffix(name, "_lora") || strings.HasSuffix(name, "_patterns")) {
				t.Fatalf("adapter: %v", m.HasAdapter())
			}
			if s := m.config.RopeScaling; s.Factor != 0 && b.Seqs[0].Len <= s.OriginalMaxPositions {
				t.Fatalf("the first sequence has %d positions, within the original context of %d", b.Seqs[0].Len, s.OriginalMaxPositions)
			}
			tr := compileTraining(t, m, 2, &TrainingOptions{MaxTokens: 96})
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
			worst := 0.0
			trainable := m.TrainableParameters()
			for i := range trainable {
				p := &trainable[i]
				want := g.floats("gradient." + p.Name)
				e := relativeError(tr.GradientOf(p), want)
				worst = max(worst, e)
				if !(e <= 1e-4) {
					t.Errorf("gradient of %s: relative error %.3g, want at most 1e-4", p.Name, e)
				}
			}
			t.Logf("largest relative errors: logits %.2g, gradients %.2g", checkGoldenLogits(t, m, g, b), worst)
		})
	}
}

func checkGoldenLogits(t *testing.T, m *Model, g *golden, b *compute.Batch) float64 {
	t.Helper()
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	forward, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: 96, MaxRows: 96, Blocks: 8})
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
	e := relativeError(logits, g.floats("logits"))
	if !(e <= 1e-5) {
		t.Errorf("logits: relative error %.3g, want at most 1e-5", e)
	}
	return e
}

func TestSaveAndOpen(t *testing.T) {
	for _, c := range families() {
		m := warm(t, c, 3)
		if n := parameterCount(m); n != m.NumParameters() {
			t.Errorf("%s: %d parameters, counted %d", c.Architecture, m.NumParameters(), n)
		}
		dir := t.TempDir()
		if err := m.Save(dir, tensor.F32); err != nil {
			t.Fatal(err)
		}
		back, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !back.config.Equal(m.config) {
			t.Errorf("config %+v, want %+v", back.config, m.config)
		}
		if e := relativeError(back.Weights(), m.Weights()); e != 0 {
			t.Errorf("weights differ by %v", e)
		}
	}
}

func parameterCount(m *Model) (n int) {
	for _, p := range m.Parameters() {
		n += len(p.Data)
	}
	return n
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
