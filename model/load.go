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

// Open reads a model: a folder that holds config.json and safetensors files, as Hugging Face lays
// them out; a GGUF file, or a folder that holds one and no config.json; or a safetensors file beside
// config.json. Values of any format become float32, tensor by tensor.
func Open(path string) (*Model, error) {
	f, err := OpenFiles(path)
	if err != nil {
		return nil, err
	}
	m, err := f.Widen()
	return m, errors.Join(err, f.Close())
}

// Widen reads the weights as Open does. f can be closed afterwards.
func (f *Files) Widen() (*Model, error) {
	load := Load
	if f.Weights.Container() == weights.GGUF {
		load = func(c Config, w *weights.File) (*Model, error) { return loadGGUF(c, w, nil) }
	}
	m, err := load(f.Config, f.Weights)
	if err != nil {
		err = fmt.Errorf("%s: %w", f.Path, err)
	}
	return m, err
}

// Files is a model on disk, its weights not read yet.
type Files struct {
	Config  Config
	Weights *weights.File
	// Path is what was opened, Dir the folder of the files.
	Path, Dir string
}

// Close closes the weights.
func (f *Files) Close() error { return f.Weights.Close() }

// OpenFiles opens what Open reads, and reads the shape alone. The ids that end a text are those of config.json and of
// generation_config.json beside it.
func OpenFiles(path string) (*Files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	dir := path
	if !info.IsDir() {
		dir = filepath.Dir(path)
	}
	data, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("model: %w", err)
	}
	hasConfig := err == nil
	w, err := weights.Open(path)
	if err != nil {
		if info.IsDir() && !hasConfig {
			err = fmt.Errorf("model: %s has no %s; name a folder with %s and %s, or a GGUF file: %w", path, configFile, configFile, weightsFile, err)
		}
		return nil, err
	}
	f := &Files{Weights: w, Path: path, Dir: dir}
	switch {
	case w.Container() == weights.GGUF:
		if f.Config, err = GGUFConfig(w); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	case !hasConfig:
		err = fmt.Errorf("model: %s has no %s; name a folder with %s and %s, or a GGUF file", dir, configFile, configFile, weightsFile)
	default:
		if f.Config, err = ParseConfig(data); err != nil {
			err = fmt.Errorf("%s: %w", filepath.Join(dir, configFile), err)
			break
		}
		var g GenerationConfig
		if g, err = OpenGenerationConfig(dir); err != nil {
			err = fmt.Errorf("%s: %w", dir, err)
		}
		f.Config.addEnds(g.EOS)
	}
	if err == nil {
		if err = enoughTensors(f.Config, w); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return f, nil
}

// Load makes a model of shape c from the tensors of an opened safetensors file, which must be exactly
// those of the shape.
func Load(c Config, f *weights.File) (*Model, error) { return loadSafetensors(c, f, nil) }

// loadSafetensors makes a model of shape c, without the panels of what stays as the file has it.
func loadSafetensors(c Config, f *weights.File, kept Formats) (*Model, error) {
	var ignored []string
	if c.TieEmbeddings {
		ignored = []string{headName}
	}
	m, err := load(c, f, kept, func(name string) string { return name }, ignored...)
	if err != nil {
		return nil, err
	}
	m.Repack()
	return m, nil
}

// enoughTensors checks a config against the file before anything is laid out: a hostile one must not ask for more memory than the
// file justifies.
func enoughTensors(c Config, f *weights.File) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if n := len(f.Names()); n/tensorsPerLayer < c.Layers {
		return fmt.Errorf("model: config: num_hidden_layers is %d, but the file holds no more than %d tensors", c.Layers, n)
	}
	return nil
}

// load makes a model without its panels, and without what stays quantised. names turns a parameter's name into the file's.
func load(c Config, f *weights.File, quantised Formats, names func(string) string, ignored ...string) (*Model, error) {
	// The layers are counted before they are laid out, the tensors' shapes are compared before memory is taken for them.
	if err := enoughTensors(c, f); err != nil {
		return nil, err
	}
	m, err := layOut(c, quantised)
	if err != nil {
		return nil, err
	}
	if err := m.base.check(f, names, ignored...); err != nil {
		return nil, err
	}
	m.base.allocate()
	return m, m.base.read(f, names, ignored...)
}

// tensorsPerLayer is the least number of tensors of one layer of any architecture.
const tensorsPerLayer = 9

// check compares the file's tensors with the slab's: the same names, but for the ignored ones, and
// the same shapes. names turns a parameter's name into the file's.
func (s *slab) check(f *weights.File, names func(string) string, ignored ...string) error {
	known := make(map[string]bool, len(s.views))
	for _, v := range s.views {
		t, err := f.Tensor(names(v.name))
		if err != nil {
			return fmt.Errorf("model: %w", err)
		}
		if !slices.Equal(t.Shape, v.shape) {
			return fmt.Errorf("model: %s: shape %v, want %v", t.Name, t.Shape, v.shape)
		}
		if !t.Format.Decodes() {
			return fmt.Errorf("model: %s: values of type %s, want numbers that can be read as float32", t.Name, t.Format)
		}
		known[t.Name] = true
	}
	for _, name := range f.Names() {
		if !known[name] && !slices.Contains(ignored, name) {
			return fmt.Errorf("model: tensor %.100q is not one of a model with this config", name)
		}
	}
	return nil
}

// read checks the file's tensors and fills the slab's parameters from them.
func (s *slab) read(f *weights.File, names func(string) string, ignored ...string) error {
	if err := s.check(f, names, ignored...); err != nil {
		return err
	}
	for _, p := range s.parameters {
		t, err := f.Tensor(names(p.Name))
		if err != nil {
			return fmt.Errorf("model: %w", err)
		}
		if err := tensor.Decode(p.Data, t.Format, t.Data); err != nil {
			return fmt.Errorf("model: %s: %w", t.Name, err)
		}
	}
	return nil
}

// Save writes config.json and model.safetensors to a folder, which is made if need be: the model
// without its adapter, see SaveAdapter and Merged. Quantised weights are not saved.
func (m *Model) Save(dir string, format tensor.Format) error {
	if err := m.refuseQuantised("save"); err != nil {
		return err
	}
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
