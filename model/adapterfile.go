package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// File names of an adapter's folder, and what PEFT puts before a tensor's name.
const (
	adapterConfigFile  = "adapter_config.json"
	adapterWeightsFile = "adapter_model.safetensors"
	adapterPrefix      = "base_model.model."
)

// adapterJSON is PEFT's adapter_config.json. What is a pointer or raw must be absent, null, empty or
// false, since the decoder has nothing like it.
type adapterJSON struct {
	PEFTType       string          `json:"peft_type"`
	TaskType       string          `json:"task_type"`
	BaseModel      *string         `json:"base_model_name_or_path"`
	Rank           int             `json:"r"`
	Alpha          float64         `json:"lora_alpha"`
	Dropout        float64         `json:"lora_dropout"`
	Bias           string          `json:"bias"`
	TargetModules  json.RawMessage `json:"target_modules"`
	RankStabilised bool            `json:"use_rslora"`
	DoRA           bool            `json:"use_dora"`
	FanInFanOut    bool            `json:"fan_in_fan_out"`
	InferenceMode  bool            `json:"inference_mode"`
	// RankPattern and AlphaPattern hold ranks and alphas that are not the adapter's, by the names of modules.
	RankPattern   map[string]int     `json:"rank_pattern,omitempty"`
	AlphaPattern  map[string]float64 `json:"alpha_pattern,omitempty"`
	ModulesToSave []string           `json:"modules_to_save,omitempty"`
	Layers        json.RawMessage    `json:"layers_to_transform,omitempty"`
}

// unsupported names the first setting that the decoder has nothing like.
func (j *adapterJSON) unsupported() string {
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"use_dora", j.DoRA}, {"fan_in_fan_out", j.FanInFanOut}, {"modules_to_save", len(j.ModulesToSave) > 0},
		{"layers_to_transform", len(j.Layers) > 0 && string(j.Layers) != "null"}, {"bias", j.Bias != "" && j.Bias != "none"},
	} {
		if s.set {
			return s.name
		}
	}
	return ""
}

// patterns makes a list of rank_pattern and alpha_pattern. PEFT takes their keys for regular expressions of module names,
// and the first that fits; here a key is the end of a name, and no two keys may fit one module.
func (j *adapterJSON) patterns() ([]loraPattern, error) {
	byKey := map[string]loraPattern{}
	for key, rank := range j.RankPattern {
		if rank < 1 || rank > maxDimension {
			return nil, fmt.Errorf("rank_pattern: %.100q: got %d, want 1 to %d", key, rank, maxDimension)
		}
		byKey[key] = loraPattern{module: key, rank: rank}
	}
	for key, alpha := range j.AlphaPattern {
		if !(alpha > 0 && alpha <= maxDimension) {
			return nil, fmt.Errorf("alpha_pattern: %.100q: got %v, want more than 0 and at most %d", key, alpha, maxDimension)
		}
		p := byKey[key]
		p.module, p.alpha = key, alpha
		byKey[key] = p
	}
	var list []loraPattern
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") != "" {
			return nil, fmt.Errorf("rank_pattern and alpha_pattern: %.100q is a regular expression, want the name of a module or its end", key)
		}
		q := byKey[key]
		for _, p := range list {
			isSame := p.rank != 0 && q.rank != 0 || p.alpha != 0 && q.alpha != 0
			if isSame && (strings.HasSuffix(key, "."+p.module) || strings.HasSuffix(p.module, "."+key)) {
				return nil, fmt.Errorf("rank_pattern and alpha_pattern: %.100q and %.100q fit the same module, want one of them", p.module, key)
			}
		}
		list = append(list, q)
	}
	return list, nil
}

// OpenAdapter returns a model with the adapter of a folder, as PEFT lays it out
// (adapter_config.json and adapter_model.safetensors), over m's weights, which both share.
func (m *Model) OpenAdapter(dir string) (*Model, error) {
	config, err := os.ReadFile(filepath.Join(dir, adapterConfigFile))
	if err != nil {
		return nil, fmt.Errorf("model: adapter: %w", err)
	}
	f, err := weights.Open(filepath.Join(dir, adapterWeightsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return m.LoadAdapter(config, f)
}

// LoadAdapter is OpenAdapter for a config and tensors that are opened already. Which projections are
// targets is read from the tensors' names; each must be there for every layer, and no others.
func (m *Model) LoadAdapter(config []byte, f *weights.File) (*Model, error) {
	var j adapterJSON
	if err := json.Unmarshal(config, &j); err != nil {
		return nil, fmt.Errorf("model: %s: %w", adapterConfigFile, err)
	}
	if j.PEFTType != "LORA" {
		return nil, fmt.Errorf("model: %s: peft_type %.60q, want LORA", adapterConfigFile, j.PEFTType)
	}
	if name := j.unsupported(); name != "" {
		return nil, fmt.Errorf("model: %s: %s is set, which is not supported", adapterConfigFile, name)
	}
	o := LoRAOptions{Rank: j.Rank, Alpha: j.Alpha, RankStabilised: j.RankStabilised}
	var err error
	if o.patterns, err = j.patterns(); err != nil {
		return nil, fmt.Errorf("model: %s: %w", adapterConfigFile, err)
	}
	for _, t := range loraTargets {
		if f.Has(adapterPrefix + "model.layers.0." + t.module + "." + t.name + loraA) {
			o.Targets = append(o.Targets, t.name)
		}
	}
	if len(o.Targets) == 0 || o.Rank < 1 || !(o.Alpha > 0) {
		return nil, fmt.Errorf("model: adapter: rank %d, alpha %v and %d targets in the first layer, want at least one of each", o.Rank, o.Alpha, len(o.Targets))
	}
	// First factors of the right shapes bound the memory of the others before any is taken.
	for i := range m.config.Layers {
		for _, target := range o.Targets {
			module := fmt.Sprintf("model.layers.%d.%s.%s", i, targetModule(target), target)
			rank, _ := o.of(module)
			if t, err := f.Tensor(adapterPrefix + module + loraA); err != nil || len(t.Shape) != 2 || t.Shape[0] != rank {
				return nil, fmt.Errorf("model: %s: shape %v, want %d rows, the rank", adapterPrefix+module+loraA, t.Shape, rank)
			}
		}
	}
	names := func(name string) string { return adapterPrefix + name }
	c, err := m.WithAdapter(o)
	if err != nil {
		return nil, err
	}
	if err := c.adapter.slab.read(f, names); err != nil {
		return nil, err
	}
	c.adapter.slab.repack()
	return c, nil
}

func targetModule(name string) string {
	for _, t := range loraTargets {
		if t.name == name {
			return t.module
		}
	}
	return ""
}

// SaveAdapter writes m's adapter to a folder, which is made if need be, as PEFT lays it out. base
// names the model below it, "" if it has no name.
func (m *Model) SaveAdapter(dir, base string, format tensor.Format) error {
	if m.adapter == nil {
		return fmt.Errorf("model: %s: the model has no adapter to save", dir)
	}
	o := &m.adapter.options
	targets, err := json.Marshal(o.targets())
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	j := adapterJSON{
		PEFTType: "LORA", TaskType: "CAUSAL_LM", BaseModel: &base, Rank: o.Rank, Alpha: o.alpha(), Bias: "none",
		TargetModules: targets, RankStabilised: o.RankStabilised, InferenceMode: true,
		RankPattern: map[string]int{}, AlphaPattern: map[string]float64{},
	}
	for _, p := range o.patterns {
		if p.rank != 0 {
			j.RankPattern[p.module] = p.rank
		}
		if p.alpha != 0 {
			j.AlphaPattern[p.module] = p.alpha
		}
	}
	config, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, adapterConfigFile), append(config, '\n'), 0o644); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	list := namedTensors(m.adapter.slab.parameters, format)
	for i := range list {
		list[i].Name = adapterPrefix + list[i].Name
	}
	return weights.Write(filepath.Join(dir, adapterWeightsFile), list, nil)
}

// Merged returns a model of its own whose weights have the adapter's updates added: W + scale·B·A.
// Its values are those of m up to rounding, not bit for bit.
func (m *Model) Merged() *Model {
	c := m.Base().Clone()
	if m.adapter == nil {
		return c
	}
	byName := map[string][]float32{}
	for _, p := range m.adapter.slab.parameters {
		byName[p.Name] = p.Data
	}
	for _, p := range c.base.parameters {
		module := strings.TrimSuffix(p.Name, ".weight")
		a, ok := byName[module+loraA]
		if !ok {
			continue
		}
		outs, ins := p.Shape[0], p.Shape[1]
		rank, scale := m.adapter.options.of(module)
		b := slices.Clone(byName[module+loraB])
		for i := range b {
			b[i] *= scale
		}
		packed := make([]float32, kernel.PackedLen(ins, rank))
		kernel.PackColumns(packed, a, rank, ins, ins)
		kernel.Gemm(p.Data, ins, b, rank, 1, packed, outs, ins, rank, p.Data, ins)
	}
	c.Repack()
	return c
}
