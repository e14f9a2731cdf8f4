package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// File names of a model's folder.
const (
	configFile  = "config.json"
	weightsFile = "model.safetensors"
)

// Open reads a model from a folder that holds config.json and safetensors files, as Hugging Face
// lays them out.
func Open(dir string) (*Model, error) {
	data, err := os.ReadFile(filepath.Join(dir, configFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("model: %s has no %s; name a folder with %s and %s", dir, configFile, configFile, weightsFile)
	}
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	c, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, configFile), err)
	}
	f, err := weights.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Load(c, f)
}

// Load makes a model of shape c from the tensors of an opened file, which must be exactly those of
// the shape.
func Load(c Config, f *weights.File) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	// The sizes are checked against the file before memory is taken for them.
	if err := checkTensors(c, f); err != nil {
		return nil, err
	}
	m, err := build(c)
	if err != nil {
		return nil, err
	}
	var ignored []string
	if c.TieEmbeddings {
		ignored = []string{"lm_head.weight"}
	}
	if err := m.base.read(f, "", ignored...); err != nil {
		return nil, err
	}
	m.Repack()
	return m, nil
}

// checkTensors refuses a config whose embedding or layers the file does not have, so that a hostile
// config cannot ask for more memory than the file justifies.
func checkTensors(c Config, f *weights.File) error {
	t, err := f.Tensor("model.embed_tokens.weight")
	if err != nil {
		return err
	}
	if want := []int{c.VocabSize, c.Width}; !slices.Equal(t.Shape, want) {
		return fmt.Errorf("model: model.embed_tokens.weight: shape %v, want %v", t.Shape, want)
	}
	last := fmt.Sprintf("model.layers.%d.", c.Layers-1)
	for name, want := range map[string][]int{
		"mlp.up_proj.weight":      {c.FFN, c.Width},
		"self_attn.q_proj.weight": {c.Heads * c.HeadSize, c.Width},
		"self_attn.k_proj.weight": {c.KVHeads * c.HeadSize, c.Width},
	} {
		t, err := f.Tensor(last + name)
		if err != nil {
			return err
		}
		if !slices.Equal(t.Shape, want) {
			return fmt.Errorf("model: %s: shape %v, want %v", last+name, t.Shape, want)
		}
	}
	return nil
}

// Save writes config.json and model.safetensors to a folder, which is made if need be: the model
// without its adapter, see SaveAdapter and Merged.
func (m *Model) Save(dir string, format tensor.Format) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	config, err := json.MarshalIndent(m.config.file(format), "", "  ")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), append(config, '\n'), 0o644); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return weights.Write(filepath.Join(dir, weightsFile), m.Tensors(format), nil)
}

// Tensors lists the parameters for writing in the given format; they share the model's memory.
func (m *Model) Tensors(format tensor.Format) []weights.NamedTensor {
	return namedTensors(m.base.parameters, format)
}

func namedTensors(parameters []Parameter, format tensor.Format) []weights.NamedTensor {
	list := make([]weights.NamedTensor, 0, len(parameters))
	for _, p := range parameters {
		list = append(list, weights.NamedTensor{Name: p.Name, Format: format, Shape: p.Shape, Values: p.Data})
	}
	return list
}
