package model

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Config is the shape of a decoder. Fields without a default are facts of the architecture: an
// absent one is an error, never a guess.
type Config struct {
	// Architecture is Qwen2, Llama or Qwen3.
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
	// RopeScaling stretches the rotary frequencies; the zero value does not.
	RopeScaling RopeScaling
	// AttentionBias gives the projections of attention biases (Llama and Qwen3; those of Qwen2's
	// queries, keys and values have them always).
	AttentionBias bool
	// BOS and EOS are the ids that begin and end a text; -1 if there is none.
	BOS, EOS int32
	// MoreEOS are further ids that end a text; see Ends.
	MoreEOS []int32
}

// addEnds makes ids end a text, if they do not yet.
func (c *Config) addEnds(ids []int32) {
	for _, id := range ids {
		switch {
		case int(id) >= c.VocabSize || slices.Contains(c.Ends(), id):
		case c.EOS < 0:
			c.EOS = id
		default:
			c.MoreEOS = append(c.MoreEOS, id)
		}
	}
}

// Ends lists the ids that end a text.
func (c Config) Ends() []int32 {
	if c.EOS < 0 {
		return nil
	}
	return append([]int32{c.EOS}, c.MoreEOS...)
}

// Equal says whether the configs are the same in every field.
func (c Config) Equal(other Config) bool {
	same := slices.Equal(c.MoreEOS, other.MoreEOS)
	c.MoreEOS, other.MoreEOS = nil, nil
	return same && reflect.DeepEqual(c, other)
}

// maxDimension bounds the options, sixteen times of it every size of a config. maxParameters bounds
// what the sizes make together, so that the bytes of any slab fit in an int64.
const (
	maxDimension  = 1 << 20
	maxParameters = 1 << 46
)

// Validate reports every fault of c at once.
func (c Config) Validate() error {
	var faults []error
	a, err := findArchitecture(c.Architecture)
	if err != nil {
		faults = append(faults, err)
	}
	if err == nil && c.AttentionBias && !a.optionalBias {
		faults = append(faults, fmt.Errorf("model: config: attention_bias is true, which a %s has no switch for", c.Architecture))
	}
	faults = append(faults, c.RopeScaling.validate())
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
	if n := c.roughParameters(); !(n <= maxParameters) {
		faults = append(faults, fmt.Errorf("model: config: the sizes make %.3g parameters, want at most %.3g", n, float64(maxParameters)))
	}
	return errors.Join(faults...)
}

// roughParameters counts the weights of the matrices, in float64 for sizes whose product is no int.
func (c *Config) roughParameters() float64 {
	d, q, kv, f := float64(c.Width), float64(c.Heads)*float64(c.HeadSize), float64(c.KVHeads)*float64(c.HeadSize), float64(c.FFN)
	return 2*float64(c.VocabSize)*d + float64(c.Layers)*d*(2*q+2*kv+3*f)
}

// qkvRows is the number of rows of the query, key and value projections together.
func (c Config) qkvRows() int { return (c.Heads + 2*c.KVHeads) * c.HeadSize }

// NumParameters is the number of weights of a model of this shape.
func (c Config) NumParameters() int {
	layer := 2*c.Width + c.qkvRows()*c.Width + c.Width*c.Heads*c.HeadSize + 3*c.Width*c.FFN
	if c.qkvBias() {
		layer += c.qkvRows()
	}
	if c.outBias() {
		layer += c.Width
	}
	if c.switches().headNorm {
		layer += 2 * c.HeadSize
	}
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
