package model

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// blockFormats are those that a GGUF file may keep matrices in, and that products read.
func blockFormats() []tensor.Format {
	var list []tensor.Format
	for f := tensor.F32; f.String() != "F64"; f++ {
		if kernel.Quantised(f) {
			list = append(list, f)
		}
	}
	return list
}

// wide is a shape whose rows are whole super-blocks.
func wide(architecture string, tie bool) Config {
	c := tiny(tie)
	c.Architecture, c.Width, c.FFN, c.Heads, c.KVHeads, c.HeadSize = architecture, 256, 768, 4, 2, 64
	return c
}

// quantisedPair writes a model with the formats that format tells for each tensor, and opens the file both ways.
func quantisedPair(t *testing.T, c Config, format func(name string) tensor.Format) (widened, quantised *Model) {
	t.Helper()
	widened, quantised = quantisedTwins(t, warm(t, c, 3), format)
	return widened, quantised
}

// quantisedTwins does so with a model.
func quantisedTwins(t *testing.T, m *Model, format func(name string) tensor.Format) (widened, quantised *Model) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.gguf")
	err := writeMixed(m, path, format)
	if err != nil {
		t.Fatal(err)
	}
	if widened, err = Open(path); err != nil {
		t.Fatal(err)
	}
	if quantised, err = OpenQuantised(path); err != nil {
		t.Fatal(err)
	}
	wantMeasured(t, path, quantised)
	return widened, quantised
}

// writeMixed writes a model with its matrices in the formats that format tells.
func writeMixed(m *Model, path string, format func(name string) tensor.Format) error {
	from := m.source(weights.GGUF, tensor.F32)
	more := weights.Metadata{{Key: "tokenizer.ggml.model", Value: "no_vocab"}} // llama.cpp wants to be told
	return writeGGUF(&m.config, path, tensor.Q4_K, more, func(v *view) (weights.NamedTensor, error) {
		n, err := from(v)
		if len(v.shape) == 2 {
			n.Format = format(v.name)
		}
		return n, err
	})
}

// wantMeasured wants the memory of m to be what was measured of its file.
func wantMeasured(t *testing.T, path string, m *Model) {
	t.Helper()
	files, err := OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	o := &ForwardOptions{MaxTokens: 70, Blocks: 5}
	kept, err := files.Formats()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Measure(files.Config, kept, Options{}, cpu, o)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := m.CompileForward(cpu, o)
	if err != nil {
		t.Fatal(err)
	}
	kv, activations := forward.Bytes()
	held := 4 * int64(len(m.base.weights)+len(m.base.packed)+len(m.base.pairs))
	for _, w := range m.base.list {
		for _, q := range w.Quantised {
			held += int64(len(q.Panels))
		}
	}
	if got.Weights != held || got.KV != kv || got.Activations != activations {
		t.Errorf("measured %+v, took %d of weights, %d of keys and values, %d of activations", got, held, kv, activations)
	}
}

// logits runs one sequence and returns the rows' logits.
func logits(t *testing.T, m *Model, tokens []int32) []float32 {
	t.Helper()
	return logitsWith(t, m, tokens, KVF32)
}

// logitsWith is logits over keys and values of a format.
func logitsWith(t *testing.T, m *Model, tokens []int32, kv string) []float32 {
	t.Helper()
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	f, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: len(tokens), MaxRows: len(tokens), Blocks: len(tokens)/16 + 1, KV: kv})
	if err != nil {
		t.Fatal(err)
	}
	b := &compute.Batch{Tokens: tokens, Seqs: []compute.Seq{{Len: len(tokens)}}}
	for i := range len(tokens)/16 + 1 {
		b.Seqs[0].Blocks = append(b.Seqs[0].Blocks, int32(i))
	}
	for i := range tokens {
		b.Rows = append(b.Rows, int32(i))
	}
	got, _, err := f.Run(b)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(got)
}

// meanKL is the mean over rows of n logits of the divergence KL(softmax p ‖ softmax q).
func meanKL(p, q []float32, n int) float64 {
	sum := 0.0
	for at := 0; at < len(p); at += n {
		lp, lq := logSumExp(p[at:at+n]), logSumExp(q[at:at+n])
		for i := range n {
			a, b := float64(p[at+i])-lp, float64(q[at+i])-lq
			sum += math.Exp(a) * (a - b)
		}
	}
	return sum / float64(len(p)/n)
}

func logSumExp(x []float32) float64 {
	most, sum := float64(slices.Max(x)), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - most)
	}
	return most + math.Log(sum)
}

// TestQuantisedIsNearWidened: for each format the distributions differ from those of the widened weights by the noise of 8-bit activations.
func TestQuantisedIsNearWidened(t *testing.T) {
	tokens := packedBatch(523, 9, 64).Tokens
	for _, f := range blockFormats() {
		c := wide(Qwen2, f != tensor.Q5_K)
		c.Layers = 1
		widened, quantised := quantisedPair(t, c, func(string) tensor.Format { return f })
		if n := len(quantised.base.weights); n > 1<<16 {
			t.Errorf("%s: %d floats beside the quantised weights", f, n)
		}
		p, q := logits(t, widened, tokens), logits(t, quantised, tokens)
		spread := 0.0
		for _, x := range p {
			spread += float64(x) * float64(x) / float64(len(p))
		}
		kl := meanKL(p, q, 523)
		t.Logf("%s: KL %.2g, root mean square of the logits %.2f", f, kl, math.Sqrt(spread))
		if !(kl <= 1e-3) || slices.Equal(p, q) {
			t.Errorf("%s: mean KL %.3g, want at most 1e-3 and more than none", f, kl)
		}
	}
}

// mixed gives each projection another format, as the mixes of llama.cpp do; one of them is not quantised.
func mixed(name string) tensor.Format {
	switch {
	case strings.Contains(name, "v_proj"), strings.Contains(name, "lm_head"):
		return tensor.Q6_K
	case strings.Contains(name, "0.mlp.down_proj"):
		return tensor.Q5_1
	case strings.Contains(name, "1.self_attn.o_proj"):
		return tensor.F16
	case strings.Contains(name, "1.mlp.up_proj"):
		return tensor.BF16
	}
	return tensor.Q4_K
}

// TestQuantisedDecodeEqualsPrefill: a token's log-probability has the same bits alone, in a chunk of a prompt, and in the packed forward, with one
// thread and with two; in mixed files of all architectures and for each format.
func TestQuantisedDecodeEqualsPrefill(t *testing.T) {
	for _, architecture := range []string{Qwen2, Llama, Qwen3} {
		_, m := quantisedPair(t, wide(architecture, architecture == Llama), mixed)
		decodeEqualsTraining(t, m, 70, 27)
	}
	for _, f := range blockFormats() {
		c := wide(Qwen2, false)
		c.Layers = 1
		_, m := quantisedPair(t, c, func(string) tensor.Format { return f })
		decodeEqualsTraining(t, m, 30)
	}
}

// TestQuantisedMixedIsNearWidened covers the order of rows in files of Llama models.
func TestQuantisedMixedIsNearWidened(t *testing.T) {
	tokens := packedBatch(523, 9, 100).Tokens
	for _, architecture := range []string{Qwen2, Llama, Qwen3} {
		widened, quantised := quantisedPair(t, wide(architecture, false), mixed)
		if kl := meanKL(logits(t, widened, tokens), logits(t, quantised, tokens), 523); !(kl <= 1e-3) {
			t.Errorf("%s: mean KL %.3g, want at most 1e-3", architecture, kl)
		}
	}
}

func TestQuantisedRefuses(t *testing.T) {
	_, m := quantisedPair(t, wide(Qwen2, true), mixed)
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	_, training := m.CompileTraining(cpu, &TrainingOptions{MaxTokens: 16})
	_, adapter := m.WithAdapter(LoRAOptions{Rank: 2})
	for what, err := range map[string]error{
		"training": training, "adapter": adapter,
		"save": m.Save(t.TempDir(), tensor.F32), "save GGUF": m.SaveGGUF(filepath.Join(t.TempDir(), "x.gguf"), tensor.F32, nil),
	} {
		if err == nil || !strings.Contains(err.Error(), "quantised") {
			t.Errorf("%s: got error %v, want one that says that the weights are quantised", what, err)
		}
	}
	tokens := packedBatch(523, 9, 20).Tokens
	if !slices.Equal(logits(t, m, tokens), logits(t, m.Clone(), tokens)) {
		t.Error("a clone computes something else")
	}
}
