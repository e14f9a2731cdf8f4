package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// GenerationConfig is how the makers of a model want it sampled: Hugging Face's
// generation_config.json. An absent number is 0, which stands for "as the sampler likes".
type GenerationConfig struct {
	// EOS lists the ids that end a text; nil if the file names none.
	EOS []int32
	// BOS is the id that begins a text; -1 if the file names none.
	BOS int32
	// DoSample is false if the file asks for greedy decoding, or does not say.
	DoSample bool
	// Temperature divides the logits. TopP, TopK and MinP cut off the tail of the distribution.
	Temperature, TopP, MinP float64
	TopK                    int
	// RepetitionPenalty divides the logits of tokens seen before; 1 is none.
	RepetitionPenalty float64
}

// ParseGenerationConfig reads a generation_config.json. Fields that do not concern sampling are left
// aside.
func ParseGenerationConfig(data []byte) (GenerationConfig, error) {
	var j struct {
		BOS               *int32   `json:"bos_token_id"`
		EOS               tokenIDs `json:"eos_token_id"`
		DoSample          bool     `json:"do_sample"`
		Temperature       float64  `json:"temperature"`
		TopP              float64  `json:"top_p"`
		MinP              float64  `json:"min_p"`
		TopK              int      `json:"top_k"`
		RepetitionPenalty float64  `json:"repetition_penalty"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return GenerationConfig{}, fmt.Errorf("model: generation_config.json: %w", err)
	}
	g := GenerationConfig{
		EOS: j.EOS, BOS: -1, DoSample: j.DoSample, Temperature: j.Temperature, TopP: j.TopP, MinP: j.MinP, TopK: j.TopK,
		RepetitionPenalty: j.RepetitionPenalty,
	}
	if j.BOS != nil {
		g.BOS = *j.BOS
	}
	return g, g.validate()
}

func (g *GenerationConfig) validate() error {
	var faults []error
	for _, n := range []struct {
		name             string
		value, low, high float64
	}{
		{"temperature", g.Temperature, 0, 1e6}, {"top_p", g.TopP, 0, 1}, {"min_p", g.MinP, 0, 1},
		{"top_k", float64(g.TopK), 0, maxDimension << 4}, {"repetition_penalty", g.RepetitionPenalty, 0, 1e6},
	} {
		if !(n.value >= n.low && n.value <= n.high) {
			faults = append(faults, fmt.Errorf("model: generation_config.json: %s is %v, want %v to %v", n.name, n.value, n.low, n.high))
		}
	}
	for _, id := range g.EOS {
		if id < 0 {
			faults = append(faults, fmt.Errorf("model: generation_config.json: eos_token_id %d, want 0 or more", id))
		}
	}
	return errors.Join(faults...)
}

// OpenGenerationConfig reads generation_config.json in a model's folder. Many models have none: then
// the result is that of an empty file.
func OpenGenerationConfig(dir string) (GenerationConfig, error) {
	data, err := os.ReadFile(filepath.Join(dir, "generation_config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return GenerationConfig{BOS: -1}, nil
	}
	if err != nil {
		return GenerationConfig{}, fmt.Errorf("model: %w", err)
	}
	return ParseGenerationConfig(data)
}
