package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// Names in GGUF files (github.com/ggml-org/ggml, docs/gguf.md, and llama.cpp's gguf-py constants.py)
// of the tensors outside the layers, and of those of a layer behind "blk.N.".
const (
	ggufEmbed     = "token_embd.weight"
	ggufNorm      = "output_norm.weight"
	ggufHead      = "output.weight"
	ggufRopeFreqs = "rope_freqs.weight"
)

var ggufModules = map[string]string{
	"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
	"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
	"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
	"mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}

// GGUFName turns a tensor's Hugging Face name into its name in a GGUF file; "" if it has none.
func GGUFName(name string) string {
	switch name {
	case embedName:
		return ggufEmbed
	case normName:
		return ggufNorm
	case headName:
		return ggufHead
	}
	rest, ok := strings.CutPrefix(name, "model.layers.")
	layer, rest, found := strings.Cut(rest, ".")
	if _, err := strconv.Atoi(layer); !ok || !found || err != nil {
		return ""
	}
	dot := strings.LastIndexByte(rest, '.')
	if dot < 0 || ggufModules[rest[:dot]] == "" {
		return ""
	}
	return "blk." + layer + "." + ggufModules[rest[:dot]] + rest[dot:]
}

// pairedHeads returns the number of heads whose rows a GGUF file of architecture a holds in the order
// of adjacent rotary pairs, 0 if the tensor of that Hugging Face name is stored as it is.
func (c *Config) pairedHeads(name string) int {
	switch {
	case !c.switches().pairedRows:
		return 0
	case strings.Contains(name, ".q_proj."):
		return c.Heads
	case strings.Contains(name, ".k_proj."):
		return c.KVHeads
	}
	return 0
}

// pairedRow is the row in a GGUF file of a row of queries or keys: llama.cpp turns elements 2i and
// 2i+1 of a Llama's head together, where Hugging Face turns i and i+K/2.
func (c *Config) pairedRow(row int) int {
	half := c.HeadSize / 2
	head, at := row/c.HeadSize, row%c.HeadSize
	return head*c.HeadSize + 2*(at%half) + at/half
}

// LoadGGUF makes a model from an opened GGUF file.
func LoadGGUF(f *weights.File) (*Model, error) {
	c, err := GGUFConfig(f)
	if err != nil {
		return nil, err
	}
	return loadGGUF(c, f, nil)
}

// loadGGUF makes a model of shape c, without the panels of what stays quantised.
func loadGGUF(c Config, f *weights.File, quantised Formats) (*Model, error) {
	m, err := load(c, f, quantised, GGUFName, ggufRopeFreqs)
	if err != nil {
		return nil, err
	}
	for _, p := range m.base.parameters {
		if heads := c.pairedHeads(p.Name); heads > 0 {
			c.unpair(p.Data, heads)
		}
	}
	m.Repack()
	return m, nil
}

// unpair brings the rows of a GGUF file's heads into Hugging Face's order, in place.
func (c *Config) unpair(data []float32, heads int) {
	ins := len(data) / (heads * c.HeadSize)
	n := c.HeadSize * ins
	for head := range heads {
		rows := data[head*n : (head+1)*n]
		paired := slices.Clone(rows)
		for row := range c.HeadSize {
			copy(rows[row*ins:(row+1)*ins], paired[c.pairedRow(row)*ins:])
		}
	}
}

// SaveGGUF writes the model without its adapter (see Merged) as a GGUF file in place of path, as
// llama.cpp reads it: matrices in the format, vectors as F32. A matrix whose rows are no whole number
// of the format's blocks becomes Q8_0, or F16 if that does not fit either. more is added to the
// metadata, or replaces what it names; a tokenizer's keys (tokenizer.ggml.*) come from there.
func (m *Model) SaveGGUF(path string, format tensor.Format, more weights.Metadata) error {
	if !format.Encodes() {
		return fmt.Errorf("model: %s: values cannot be written as %s", path, format)
	}
	if err := m.refuseQuantised("save " + path); err != nil {
		return err
	}
	return writeGGUF(&m.config, path, format, more, m.source(weights.GGUF, format))
}

// source reads the model's own weights.
func (m *Model) source(to weights.Container, format tensor.Format) source {
	parameters := make(map[string]Parameter, len(m.base.parameters))
	for _, p := range m.base.parameters {
		parameters[p.Name] = p
	}
	return func(v *view) (weights.NamedTensor, error) {
		t := weights.NamedTensor{Shape: v.shape, Format: formatIn(to, &format, tensor.Tensor{Shape: v.shape})}
		p := parameters[v.name]
		if to == weights.GGUF && m.config.pairedHeads(v.name) > 0 {
			t.Fill = m.config.paired(p)
		} else {
			t.Values = p.Data
		}
		return t, nil
	}
}

// fitting is the format, or the next best whose blocks fit rows of ins values.
func fitting(format tensor.Format, ins int) tensor.Format {
	for _, f := range []tensor.Format{format, tensor.Q8_0} {
		if elements, _ := f.Block(); elements > 0 && ins%elements == 0 {
			return f
		}
	}
	return tensor.F16
}

// paired reads a tensor of queries or keys with its rows in a GGUF file's order.
func (c *Config) paired(p Parameter) func(dst []float32, begin int) error {
	ins := 1
	if len(p.Shape) == 2 {
		ins = p.Shape[1]
	}
	return func(dst []float32, begin int) error {
		for done := 0; done < len(dst); {
			row, column := (begin+done)/ins, (begin+done)%ins
			from := c.unpairedRow(row) * ins
			done += copy(dst[done:], p.Data[from+column:from+ins])
		}
		return nil
	}
}
