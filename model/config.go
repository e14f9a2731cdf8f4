package model

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/tensor"
)

// Architecture names as Hugging Face's config.json has them.
const Qwen2 = "Qwen2ForCausalLM"

// Config is the shape of a decoder. Fields without a default are facts of the architecture: an
// absent one is an error, never a guess.
type Config struct {
	// Architecture is a name such as Qwen2.
	Architecture string
	// VocabSize is V, Width D, Layers L, Heads H, KVHeads G, HeadSize K, FFN F.
	VocabSize, Width, Layers, Heads, KVHeads, HeadSize, FFN int
	// MaxPositions is the longest sequence the model was made for.
	MaxPositions int
	// RopeTheta is the base of the rotary frequencies, NormEpsilon that of the RMS norms.
	RopeTheta, NormEpsilon float64
	// InitializerRange is the standard deviation of fresh matrices; 0 means 0.02, Hugging Face's default.
	InitializerRange float64
	// TieEmbeddings says that the head is the embedding matrix.
	TieEmbeddings bool
	// BOS and EOS are the ids that begin and end a text; -1 if there is none.
	BOS, EOS int32
}

// maxDimension bounds every size of a config, so that products of three of them fit in an int64.
const maxDimension = 1 << 20

// Validate reports every fault of c at once.
func (c Config) Validate() error {
	var faults []error
	if c.Architecture != Qwen2 {
		faults = append(faults, fmt.Errorf("model: config: architecture %q, want %q", c.Architecture, Qwen2))
	}
	for _, s := range []struct {
		name  string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"hidden_size", c.Width}, {"num_hidden_layers", c.Layers},
		{"num_attention_heads", c.Heads}, {"num_key_value_heads", c.KVHeads}, {"head_dim", c.HeadSize},
		{"intermediate_size", c.FFN}, {"max_position_embeddings", c.MaxPositions},
	} {
		if limit := maxDimension << 4; s.value < 1 || s.value > limit {
			faults = append(faults, fmt.Errorf("model: config: %s is %d, want 1 to %d", s.name, s.value, limit))
		}
	}
	if c.KVHeads > 0 && c.Heads%c.KVHeads != 0 {
		faults = append(faults, fmt.Errorf("model: config: num_attention_heads %d is not a multiple of num_key_value_heads %d", c.Heads, c.KVHeads))
	}
	if c.HeadSize%2 != 0 {
		faults = append(faults, fmt.Errorf("model: config: head_dim %d, want an even number (rotary pairs)", c.HeadSize))
	}
	if !(c.RopeTheta > 1) {
		faults = append(faults, fmt.Errorf("model: config: rope_theta %v, want a number above 1", c.RopeTheta))
	}
	if !(c.NormEpsilon > 0 && c.NormEpsilon < 1) {
		faults = append(faults, fmt.Errorf("model: config: rms_norm_eps %v, want a number between 0 and 1", c.NormEpsilon))
	}
	if !(c.InitializerRange >= 0 && c.InitializerRange <= 1) {
		faults = append(faults, fmt.Errorf("model: config: initializer_range %v, want a number from 0 to 1", c.InitializerRange))
	}
	return errors.Join(faults...)
}

// qkvRows is the number of rows of the query, key and value projections together.
func (c Config) qkvRows() int { return (c.Heads + 2*c.KVHeads) * c.HeadSize }

// NumParameters is the number of weights of a model of this shape.
func (c Config) NumParameters() int {
	layer := 2*c.Width + c.qkvRows()*(c.Width+1) + c.Width*c.Heads*c.HeadSize + 3*c.Width*c.FFN
	n := c.VocabSize*c.Width + c.Layers*layer + c.Width
	if !c.TieEmbeddings {
		n += c.VocabSize * c.Width
	}
	return n
}

// FLOPsPerToken is the work of one token's forward pass in floating-point operations: two for each
// weight of a matrix product (embedding look-ups are free), and the attention over positions keys.
// The backward pass costs twice as much.
func (c Config) FLOPsPerToken(positions int) float64 {
	products := c.Layers*(c.qkvRows()*c.Width+c.Width*c.Heads*c.HeadSize+3*c.Width*c.FFN) + c.VocabSize*c.Width
	return 2*float64(products) + 4*float64(c.Layers*c.Heads*c.HeadSize)*float64(positions)
}

// configJSON is the part of Hugging Face's config.json that decides the shape.
type configJSON struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	VocabSize     *int     `json:"vocab_size"`
	Width         *int     `json:"hidden_size"`
	Layers        *int     `json:"num_hidden_layers"`
	Heads         *int     `json:"num_attention_heads"`
	KVHeads       *int     `json:"num_key_value_heads"`
	HeadSize      *int     `json:"head_dim,omitempty"`
	FFN           *int     `json:"intermediate_size"`
	MaxPositions  *int     `json:"max_position_embeddings"`
	RopeTheta     *float64 `json:"rope_theta"`
	NormEpsilon   *float64 `json:"rms_norm_eps"`
	Initializer   float64  `json:"initializer_range,omitempty"`
	Tie           *bool    `json:"tie_word_embeddings"`
	HiddenAct     string   `json:"hidden_act"`
	BOS           *int32   `json:"bos_token_id"`
	EOS           *int32   `json:"eos_token_id"`
	DType         string   `json:"torch_dtype,omitempty"`
	SlidingWindow bool     `json:"use_sliding_window"`
}

// ParseConfig reads a Hugging Face config.json.
func ParseConfig(data []byte) (Config, error) {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return Config{}, fmt.Errorf("model: config.json: %w", err)
	}
	if len(j.Architectures) != 1 {
		return Config{}, fmt.Errorf("model: config.json: architectures %q, want exactly one name", j.Architectures)
	}
	var missing []error
	number := func(name string, p *int) int {
		if p == nil {
			missing = append(missing, fmt.Errorf("model: config.json: %s is missing", name))
			return 0
		}
		return *p
	}
	real := func(name string, p *float64) float64 {
		if p == nil {
			missing = append(missing, fmt.Errorf("model: config.json: %s is missing", name))
			return 0
		}
		return *p
	}
	c := Config{
		Architecture: j.Architectures[0],
		VocabSize:    number("vocab_size", j.VocabSize), Width: number("hidden_size", j.Width),
		Layers: number("num_hidden_layers", j.Layers), Heads: number("num_attention_heads", j.Heads),
		KVHeads: number("num_key_value_heads", j.KVHeads), FFN: number("intermediate_size", j.FFN),
		MaxPositions: number("max_position_embeddings", j.MaxPositions),
		RopeTheta:    real("rope_theta", j.RopeTheta), NormEpsilon: real("rms_norm_eps", j.NormEpsilon),
		InitializerRange: j.Initializer, BOS: -1, EOS: -1,
	}
	if j.HeadSize != nil {
		c.HeadSize = *j.HeadSize
	} else if c.Heads > 0 && c.Width%c.Heads == 0 {
		c.HeadSize = c.Width / c.Heads
	}
	if j.Tie != nil {
		c.TieEmbeddings = *j.Tie
	}
	if j.BOS != nil {
		c.BOS = *j.BOS
	}
	if j.EOS != nil {
		c.EOS = *j.EOS
	}
	if j.HiddenAct != "" && j.HiddenAct != "silu" {
		missing = append(missing, fmt.Errorf("model: config.json: hidden_act %q, want silu", j.HiddenAct))
	}
	if j.SlidingWindow {
		missing = append(missing, errors.New("model: config.json: use_sliding_window is true, which is not supported"))
	}
	if len(missing) > 0 {
		return Config{}, errors.Join(missing...)
	}
	return c, c.Validate()
}

// MarshalJSON writes c as Hugging Face's config.json.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.file(tensor.F32)) }

// dtypes are Hugging Face's names of the formats.
var dtypes = map[tensor.Format]string{tensor.F32: "float32", tensor.F16: "float16", tensor.BF16: "bfloat16"}

// file is config.json beside weights of a format.
func (c Config) file(format tensor.Format) configJSON {
	j := configJSON{
		Architectures: []string{c.Architecture}, ModelType: "qwen2", VocabSize: &c.VocabSize, Width: &c.Width,
		Layers: &c.Layers, Heads: &c.Heads, KVHeads: &c.KVHeads, HeadSize: &c.HeadSize, FFN: &c.FFN,
		MaxPositions: &c.MaxPositions, RopeTheta: &c.RopeTheta, NormEpsilon: &c.NormEpsilon,
		Initializer: c.InitializerRange, Tie: &c.TieEmbeddings, HiddenAct: "silu", DType: dtypes[format],
	}
	if c.BOS >= 0 {
		j.BOS = &c.BOS
	}
	if c.EOS >= 0 {
		j.EOS = &c.EOS
	}
	return j
}

// UnmarshalJSON reads what MarshalJSON wrote, so that a Config can stand in a run's manifest.
func (c *Config) UnmarshalJSON(data []byte) error {
	parsed, err := ParseConfig(data)
	if err == nil {
		*c = parsed
	}
	return err
}
