package model

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// Synthesis is a model of shape Config with random weights that is made while it is written: it
// stands in where real weights of that shape are not at hand. Matrices are normal as New has them,
// norms one and biases zero. The same seed gives the same values in any container and format, up to
// the format's rounding.
type Synthesis struct {
	Config Config
	Seed   uint64
}

// WriteGGUF writes a GGUF file in place of path, with its matrices in the format as SaveGGUF chooses
// it. more is added to the metadata, or replaces what it names.
func (s *Synthesis) WriteGGUF(path string, format tensor.Format, more weights.Metadata) error {
	if !format.Encodes() {
		return fmt.Errorf("model: %s: values cannot be written as %s", path, format)
	}
	return writeGGUF(&s.Config, path, format, more, s.source(weights.GGUF, format))
}

// WriteMix writes a GGUF file in place of path whose tensors have the formats of one of Mixes, as
// Files.Quantize gives them without an importance matrix. more is added to the metadata, or replaces what it names.
func (s *Synthesis) WriteMix(path, name string, more weights.Metadata) error {
	m, err := findMix(name)
	if err != nil {
		return err
	}
	metadata := append(weights.Metadata{{Key: "general.file_type", Value: m.fileType}}, more...)
	values, c := s.source(weights.GGUF, tensor.F32), &s.Config
	return writeGGUF(c, path, m.base, metadata, func(v *view) (weights.NamedTensor, error) {
		t, err := values(v)
		if name := GGUFName(v.name); len(v.shape) == 2 {
			t.Format = m.formatOf(c, name, v.shape[1], place{layer: ggufLayer(name), layers: c.Layers, groups: c.Heads / c.KVHeads})
		}
		return t, err
	})
}

// WriteFolder writes config.json and safetensors in shards into a folder. format is F32, F16 or BF16.
func (s *Synthesis) WriteFolder(dir string, format tensor.Format) error {
	if dtypes[format] == "" {
		return fmt.Errorf("model: %s: safetensors cannot hold %s; want F32, F16 or BF16, or a .gguf file", dir, format)
	}
	return writeFolder(&s.Config, dir, format, s.source(weights.Safetensors, format))
}

func (s *Synthesis) source(to weights.Container, format tensor.Format) source {
	return func(v *view) (weights.NamedTensor, error) {
		t := weights.NamedTensor{Shape: v.shape, Format: formatIn(to, &format, tensor.Tensor{Shape: v.shape})}
		t.Fill = s.fill(v)
		if to == weights.GGUF && s.Config.pairedHeads(v.name) > 0 {
			t.Fill = s.fillRows(v, s.Config.unpairedRow)
		}
		return t, nil
	}
}

// generator is that of one row of a tensor: rows can be made in any order.
func (s *Synthesis) generator(v *view, row int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", v.name, row)
	return rand.New(rand.NewPCG(s.Seed, h.Sum64()))
}

func (s *Synthesis) deviation(v *view) float64 {
	deviation := s.Config.InitializerRange
	if deviation == 0 {
		deviation = 0.02
	}
	if strings.HasSuffix(v.name, "o_proj.weight") || strings.HasSuffix(v.name, "down_proj.weight") {
		deviation /= math.Sqrt(2 * float64(s.Config.Layers))
	}
	return deviation
}

// fill makes the values of a tensor in their order.
func (s *Synthesis) fill(v *view) func(dst []float32, begin int) error {
	if len(v.shape) < 2 {
		value := float32(0)
		if strings.HasSuffix(v.name, "norm.weight") {
			value = 1
		}
		return func(dst []float32, _ int) error {
			for i := range dst {
				dst[i] = value
			}
			return nil
		}
	}
	return s.fillRows(v, func(row int) int { return row })
}

// fillRows makes the values of a tensor whose row i is row from(i) in Hugging Face's order.
func (s *Synthesis) fillRows(v *view, from func(row int) int) func(dst []float32, begin int) error {
	if len(v.shape) < 2 {
		return s.fill(v) // all values are the same
	}
	ins, deviation := v.shape[1], s.deviation(v)
	var random *rand.Rand
	return func(dst []float32, begin int) error {
		for i := range dst {
			if row, column := (begin+i)/ins, (begin+i)%ins; column == 0 {
				random = s.generator(v, from(row))
			}
			dst[i] = float32(deviation * random.NormFloat64())
		}
		return nil
	}
}
