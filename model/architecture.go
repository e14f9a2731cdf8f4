package model

import (
	"fmt"
	"slices"
	"strings"
)

// Architecture names as Hugging Face's config.json has them.
const (
	Qwen2 = "Qwen2ForCausalLM"
	Llama = "LlamaForCausalLM"
	Qwen3 = "Qwen3ForCausalLM"
)

// architecture is what an architecture decides beyond its config. A config adds the third
// difference, the scaling of the rotary frequencies, which any of them may have.
type architecture struct {
	// modelType is Hugging Face's model_type, gguf the value of general.architecture.
	modelType, gguf string
	// qkvBias says that queries, keys and values have biases whatever the config says.
	qkvBias bool
	// optionalBias says that attention_bias gives biases to queries, keys, values and output.
	optionalBias bool
	// headNorm says that every query and key head is normed before it is rotated.
	headNorm bool
	// headSize is the head size if the config names none; 0 means hidden_size / num_attention_heads.
	headSize int
	// pairedRows says that GGUF files hold the rows of queries and keys in the order of adjacent
	// rotary pairs, not in that of Hugging Face's halves.
	pairedRows bool
}

var architectures = map[string]architecture{
	Qwen2: {modelType: "qwen2", gguf: "qwen2", qkvBias: true},
	Llama: {modelType: "llama", gguf: "llama", optionalBias: true, pairedRows: true},
	Qwen3: {modelType: "qwen3", gguf: "qwen3", optionalBias: true, headNorm: true, headSize: 128},
}

// findArchitecture returns the row of a name.
func findArchitecture(name string) (architecture, error) {
	if a, ok := architectures[name]; ok {
		return a, nil
	}
	var names []string
	for n := range architectures {
		names = append(names, n)
	}
	slices.Sort(names)
	return architecture{}, fmt.Errorf("model: config: architecture %.100q, want one of %s", name, strings.Join(names, ", "))
}

// switches is the row of a valid config.
func (c *Config) switches() architecture { return architectures[c.Architecture] }

// qkvBias and outBias say which projections of attention have a bias.
func (c *Config) qkvBias() bool { return c.switches().qkvBias || c.AttentionBias }
func (c *Config) outBias() bool { return c.AttentionBias }
