package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/retort-ml/retort/tensor"
)

// configJSON is the part of Hugging Face's config.json that decides the shape.
type configJSON struct {
	Architectures []string  `json:"architectures"`
	ModelType     string    `json:"model_type"`
	VocabSize     *int      `json:"vocab_size"`
	Width         *int      `json:"hidden_size"`
	Layers        *int      `json:"num_hidden_layers"`
	Heads         *int      `json:"num_attention_heads"`
	KVHeads       *int      `json:"num_key_value_heads"`
	HeadSize      *int      `json:"head_dim,omitempty"`
	FFN           *int      `json:"intermediate_size"`
	MaxPositions  *int      `json:"max_position_embeddings"`
	RopeTheta     *float64  `json:"rope_theta"`
	RopeScaling   *ropeJSON `json:"rope_scaling,omitempty"`
	// RopeParameters is the newer form of the two above.
	RopeParameters *ropeJSON `json:"rope_parameters,omitempty"`
	NormEpsilon    *float64  `json:"rms_norm_eps"`
	Initializer    float64   `json:"initializer_range,omitempty"`
	Tie            *bool     `json:"tie_word_embeddings"`
	HiddenAct      string    `json:"hidden_act"`
	BOS            *int32    `json:"bos_token_id"`
	EOS            tokenIDs  `json:"eos_token_id"`
	DType          string    `json:"torch_dtype,omitempty"`
	AttentionBias  bool      `json:"attention_bias,omitempty"`
	MLPBias        bool      `json:"mlp_bias,omitempty"`
	SlidingWindow  bool      `json:"use_sliding_window"`
	LayerTypes     []string  `json:"layer_types,omitempty"`
}

// ropeJSON is rope_scaling or rope_parameters. The type was once called "type".
type ropeJSON struct {
	RopeType     string   `json:"rope_type,omitempty"`
	Type         string   `json:"type,omitempty"`
	Theta        *float64 `json:"rope_theta,omitempty"`
	Partial      *float64 `json:"partial_rotary_factor,omitempty"`
	Factor       real     `json:"factor,omitempty"`
	Low          real     `json:"low_freq_factor,omitempty"`
	High         real     `json:"high_freq_factor,omitempty"`
	MaxPositions int      `json:"original_max_position_embeddings,omitempty"`
}

// real is written with a decimal point, without which transformers takes it for an integer and warns.
type real float64

// MarshalJSON implements json.Marshaler.
func (r real) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(float64(r))
	if err == nil && !bytes.ContainsAny(text, ".e") {
		text = append(text, ".0"...)
	}
	return text, err
}

// tokenIDs is one id, a list of ids, or null.
type tokenIDs []int32

// UnmarshalJSON implements json.Unmarshaler.
func (t *tokenIDs) UnmarshalJSON(data []byte) error {
	var list []int32
	if err := json.Unmarshal(data, &list); err == nil {
		*t = list
		return nil
	}
	var one int32
	if err := json.Unmarshal(data, &one); err != nil {
		return fmt.Errorf("%.60q is neither a token id nor a list of them", data)
	}
	*t = tokenIDs{one}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (t tokenIDs) MarshalJSON() ([]byte, error) {
	switch len(t) {
	case 0:
		return []byte("null"), nil
	case 1:
		return json.Marshal(t[0])
	}
	return json.Marshal([]int32(t))
}

// configReader collects the faults of a config.json.
type configReader struct {
	faults []error
}

func (r *configReader) fail(format string, arguments ...any) {
	r.faults = append(r.faults, fmt.Errorf("model: config.json: "+format, arguments...))
}

// required returns *p, or notes that the field is missing.
func required[T any](r *configReader, name string, p *T) (value T) {
	if p == nil {
		r.fail("%s is missing", name)
		return value
	}
	return *p
}

// ParseConfig reads a Hugging Face config.json. What the decoder cannot do (other activations, biases
// in the MLP, sliding windows, other rules of RoPE scaling than llama3) is an error.
func ParseConfig(data []byte) (Config, error) {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return Config{}, fmt.Errorf("model: config.json: %w", err)
	}
	if len(j.Architectures) != 1 {
		return Config{}, fmt.Errorf("model: config.json: architectures %q, want exactly one name", j.Architectures)
	}
	a, err := findArchitecture(j.Architectures[0])
	if err != nil {
		return Config{}, err
	}
	r := &configReader{}
	c := Config{
		Architecture: j.Architectures[0],
		VocabSize:    required(r, "vocab_size", j.VocabSize), Width: required(r, "hidden_size", j.Width),
		Layers: required(r, "num_hidden_layers", j.Layers), Heads: required(r, "num_attention_heads", j.Heads),
		FFN: required(r, "intermediate_size", j.FFN), MaxPositions: required(r, "max_position_embeddings", j.MaxPositions),
		NormEpsilon:      required(r, "rms_norm_eps", j.NormEpsilon),
		InitializerRange: j.Initializer, TieEmbeddings: j.Tie != nil && *j.Tie, BOS: -1, EOS: -1,
	}
	r.heads(&c, &j, &a)
	r.rope(&c, &j)
	r.refuse(&j)
	c.AttentionBias = a.optionalBias && j.AttentionBias
	if j.BOS != nil {
		c.BOS = *j.BOS
	}
	if len(j.EOS) > 0 {
		c.EOS = j.EOS[0]
		if more := j.EOS[1:]; len(more) > 0 { // a config that was written is read back equal: nil, not empty
			c.MoreEOS = slices.Clone(more)
		}
	}
	if len(r.faults) > 0 {
		return Config{}, errors.Join(r.faults...)
	}
	return c, c.Validate()
}

// heads fills in the numbers of heads and their size. Llama's older configs leave the key/value
// heads out where they are as many as the query heads.
func (r *configReader) heads(c *Config, j *configJSON, a *architecture) {
	if j.KVHeads == nil && c.Architecture == Llama {
		c.KVHeads = c.Heads
	} else {
		c.KVHeads = required(r, "num_key_value_heads", j.KVHeads)
	}
	switch {
	case j.HeadSize != nil:
		c.HeadSize = *j.HeadSize
	case a.headSize > 0:
		c.HeadSize = a.headSize
	case c.Heads > 0 && c.Width%c.Heads == 0:
		c.HeadSize = c.Width / c.Heads
	default:
		r.fail("head_dim is missing, and hidden_size %d is not a multiple of num_attention_heads %d", c.Width, c.Heads)
	}
}

// rope reads either form of the rotary parameters.
func (r *configReader) rope(c *Config, j *configJSON) {
	theta, name, scaling := j.RopeTheta, "rope_scaling", j.RopeScaling
	if scaling == nil && j.RopeParameters != nil {
		name, scaling = "rope_parameters", j.RopeParameters
	}
	if scaling != nil && scaling.Theta != nil {
		theta = scaling.Theta
	}
	c.RopeTheta = required(r, "rope_theta", theta)
	if scaling == nil {
		return
	}
	if scaling.Partial != nil && *scaling.Partial != 1 {
		r.fail("%s: partial_rotary_factor %v, want 1", name, *scaling.Partial)
	}
	kind := scaling.RopeType
	if kind == "" {
		kind = scaling.Type
	}
	switch kind {
	case "", "default":
	case ropeLlama3:
		c.RopeScaling = RopeScaling{float64(scaling.Factor), float64(scaling.Low), float64(scaling.High), scaling.MaxPositions}
		if scaling.MaxPositions == 0 {
			c.RopeScaling.OriginalMaxPositions = c.MaxPositions
		}
		if scaling.Factor == 0 {
			r.fail("%s: factor is missing", name)
		}
	default:
		r.fail("%s: rope_type %.60q, want default or llama3; other ways to stretch the context are not supported", name, kind)
	}
}

// refuse notes what the decoder does not do.
func (r *configReader) refuse(j *configJSON) {
	if j.HiddenAct != "" && j.HiddenAct != "silu" {
		r.fail("hidden_act %.60q, want silu", j.HiddenAct)
	}
	if j.MLPBias {
		r.fail("mlp_bias is true, which is not supported")
	}
	if j.SlidingWindow {
		r.fail("use_sliding_window is true, which is not supported")
	}
	for i, kind := range j.LayerTypes {
		if kind != "full_attention" {
			r.fail("layer_types: layer %d has %.60q, want full_attention", i, kind)
			break
		}
	}
}

// MarshalJSON writes c as Hugging Face's config.json.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.file(tensor.F32)) }

// dtypes are Hugging Face's names of the formats.
var dtypes = map[tensor.Format]string{tensor.F32: "float32", tensor.F16: "float16", tensor.BF16: "bfloat16"}

// file is config.json beside weights of a format.
func (c Config) file(format tensor.Format) configJSON {
	j := configJSON{
		Architectures: []string{c.Architecture}, ModelType: c.switches().modelType, VocabSize: &c.VocabSize, Width: &c.Width,
		Layers: &c.Layers, Heads: &c.Heads, KVHeads: &c.KVHeads, HeadSize: &c.HeadSize, FFN: &c.FFN,
		MaxPositions: &c.MaxPositions, RopeTheta: &c.RopeTheta, NormEpsilon: &c.NormEpsilon,
		Initializer: c.InitializerRange, Tie: &c.TieEmbeddings, HiddenAct: "silu", EOS: c.Ends(), DType: dtypes[format],
		AttentionBias: c.AttentionBias,
	}
	if s := c.RopeScaling; s.Factor != 0 {
		j.RopeScaling = &ropeJSON{RopeType: ropeLlama3, Factor: real(s.Factor), Low: real(s.LowFrequencyFactor), High: real(s.HighFrequencyFactor), MaxPositions: s.OriginalMaxPositions}
	}
	if c.BOS >= 0 {
		j.BOS = &c.BOS
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
