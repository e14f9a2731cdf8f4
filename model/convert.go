package model

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// A source is where the values of a tensor with a Hugging Face name come from while it is written.
type source func(v *view) (weights.NamedTensor, error)

// WriteGGUF writes the files' model as a GGUF file in place of path, tensor by tensor, so that no
// more than a piece of one is in memory. format is that of the matrices, as SaveGGUF chooses it; nil
// keeps each tensor's own. more is added to the metadata, or replaces what it names.
func (f *Files) WriteGGUF(path string, format *tensor.Format, more weights.Metadata) error {
	from, err := f.source(weights.GGUF, format)
	if err != nil {
		return err
	}
	named := tensor.F32
	if format != nil {
		named = *format
	} else if t, err := f.tensor(fmt.Sprintf("model.layers.%d.mlp.up_proj.weight", f.Config.Layers-1)); err == nil {
		named = t.Format
	}
	return writeGGUF(&f.Config, path, named, more, from)
}

// WriteFolder writes the files' model as config.json and safetensors in shards into a folder, tensor
// by tensor. format is that of every tensor; nil keeps each tensor's own, and makes F32 of a
// quantised one, which safetensors has no name for.
func (f *Files) WriteFolder(dir string, format *tensor.Format) error {
	if format != nil && dtypes[*format] == "" {
		return fmt.Errorf("model: %s: safetensors cannot hold %s; want F32, F16 or BF16, or a .gguf file", dir, *format)
	}
	from, err := f.source(weights.Safetensors, format)
	if err != nil {
		return err
	}
	named := tensor.F32
	if format != nil {
		named = *format
	} else if t, err := f.tensor(embedName); err == nil && dtypes[t.Format] != "" {
		named = t.Format
	}
	return writeFolder(&f.Config, dir, named, from)
}

// tensor returns the tensor of a Hugging Face name.
func (f *Files) tensor(name string) (tensor.Tensor, error) {
	if f.Weights.Container() == weights.GGUF {
		name = GGUFName(name)
	}
	return f.Weights.Tensor(name)
}

// source checks the tensors and returns where those of a container come from.
func (f *Files) source(to weights.Container, format *tensor.Format) (source, error) {
	c, isGGUF := &f.Config, f.Weights.Container() == weights.GGUF
	m, err := layOut(*c, nil)
	if err != nil {
		return nil, err
	}
	if isGGUF {
		err = m.base.check(f.Weights, GGUFName, ggufRopeFreqs)
	} else if names := func(name string) string { return name }; c.TieEmbeddings {
		err = m.base.check(f.Weights, names, headName)
	} else {
		err = m.base.check(f.Weights, names)
	}
	if err != nil {
		return nil, err
	}
	return func(v *view) (weights.NamedTensor, error) {
		t, err := f.tensor(v.name)
		if err != nil {
			return weights.NamedTensor{}, err
		}
		out := weights.NamedTensor{Shape: v.shape, Format: formatIn(to, format, t)}
		isPaired := c.pairedHeads(v.name) > 0 && isGGUF != (to == weights.GGUF)
		switch {
		case !isPaired && out.Format == t.Format:
			out.Data = t.Data
		case !isPaired:
			out.Fill = t.Read
		case isGGUF:
			out.Fill = readRows(t, c.pairedRow)
		default:
			out.Fill = readRows(t, c.unpairedRow)
		}
		return out, nil
	}, nil
}

// formatIn is the format of a tensor in a container; see WriteGGUF and WriteFolder.
func formatIn(to weights.Container, format *tensor.Format, t tensor.Tensor) tensor.Format {
	switch {
	case to == weights.GGUF && len(t.Shape) < 2:
		return tensor.F32
	case to == weights.GGUF && format != nil:
		return fitting(*format, t.Shape[len(t.Shape)-1])
	case format != nil:
		return *format
	case to == weights.Safetensors && dtypes[t.Format] == "":
		return tensor.F32
	}
	return t.Format
}

// unpairedRow is the row in Hugging Face's order of a row of queries or keys in a GGUF file.
func (c *Config) unpairedRow(row int) int {
	half := c.HeadSize / 2
	head, at := row/c.HeadSize, row%c.HeadSize
	return head*c.HeadSize + at/2 + at%2*half
}

// readRows reads t with its rows in another order: row i is row from(i) of t.
func readRows(t tensor.Tensor, from func(row int) int) func(dst []float32, begin int) error {
	ins := 1
	if len(t.Shape) > 1 {
		ins = t.Shape[1]
	}
	row, have := make([]float32, ins), -1
	return func(dst []float32, begin int) error {
		for done := 0; done < len(dst); {
			want, column := (begin+done)/ins, (begin+done)%ins
			if want != have {
				if err := t.Read(row, from(want)*ins); err != nil {
					return err
				}
				have = want
			}
			done += copy(dst[done:], row[column:])
		}
		return nil
	}
}

// writeGGUF writes a model of shape c whose tensors come from a source.
func writeGGUF(c *Config, path string, format tensor.Format, more weights.Metadata, from source) error {
	m, err := layOut(*c, nil)
	if err != nil {
		return err
	}
	var list []weights.NamedTensor
	if factors := c.ropeFactors(); factors != nil {
		list = append(list, weights.NamedTensor{Name: ggufRopeFreqs, Shape: []int{len(factors)}, Values: factors})
	}
	for i := range m.base.views {
		t, err := from(&m.base.views[i])
		if err != nil {
			return err
		}
		t.Name = GGUFName(m.base.views[i].name)
		list = append(list, t)
	}
	metadata := c.ggufMetadata(format)
	for _, pair := range more {
		metadata.Set(pair.Key, pair.Value)
	}
	return weights.WriteGGUF(path, metadata, list)
}

// writeFolder writes a model of shape c whose tensors come from a source.
func writeFolder(c *Config, dir string, format tensor.Format, from source) error {
	m, err := layOut(*c, nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	var list []weights.NamedTensor
	for i := range m.base.views {
		t, err := from(&m.base.views[i])
		if err != nil {
			return err
		}
		t.Name = m.base.views[i].name
		list = append(list, t)
	}
	config, err := json.MarshalIndent(c.file(format), "", "  ")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), append(config, '\n'), 0o644); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	// Readers of the format's first days ask who wrote a file.
	return weights.WriteSharded(dir, list, map[string]string{"format": "pt"}, 0)
}
