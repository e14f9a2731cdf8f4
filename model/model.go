// Package model is a decoder (Qwen2, Llama, Qwen3): config, weights, adapters (LoRA), and the plans of its forward and backward pass.
//
// It does not schedule requests or sample (package engine), and holds no loss beyond the
// log-probabilities and divergences that training asks of it (package train).
//
// Invariants: engine and trainer run the same ops over the same weights in the same order, so the
// log-probability of a token is the same number in both, bit for bit, with an adapter too; a missing
// or misshapen tensor is an error when a model is opened; training an adapter changes no bit of the
// model below it.
package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/retort-ml/retort/internal/compute"
)

// Model is a decoder with its weights in one slab, and beside it the panels that products read.
// Programs compiled from a model share its weights: an update is seen by all of them after Repack.
// With an adapter the weights are frozen, and only the adapter's are trained.
type Model struct {
	config  Config
	options Options
	base    slab
	adapter *adapter // nil without
	embed   *compute.Weight
	norm    *compute.Weight
	head    *compute.Weight // the embedding if tied
	blocks  []block
}

// Parameter is one tensor of the model under its Hugging Face name.
type Parameter struct {
	Name string
	// Shape is [outs, ins] of a matrix or [n] of a vector.
	Shape []int
	// Data is a view of the model's weights, row-major.
	Data []float32

	offset  int  // in the slab
	adapter bool // in the adapter's slab
}

// Config returns the shape of the model.
func (m *Model) Config() Config { return m.config }

// Parameters returns every tensor of the model, without its adapter's and those that are quantised, in a fixed order.
func (m *Model) Parameters() []Parameter { return m.base.parameters }

// Weights returns the slab that holds every parameter (and a little padding between them). After
// writing to it, call Repack.
func (m *Model) Weights() []float32 { return m.base.weights }

// NumParameters returns the number of weights, without an adapter's.
func (m *Model) NumParameters() int { return m.config.NumParameters() }

// Trainable returns the slab that training updates: the adapter's, or Weights without an adapter.
// After writing to it, call Repack.
func (m *Model) Trainable() []float32 { return m.trained().weights }

// TrainableParameters returns the tensors of Trainable in a fixed order.
func (m *Model) TrainableParameters() []Parameter { return m.trained().parameters }

func (m *Model) trained() *slab {
	if m.adapter != nil {
		return &m.adapter.slab
	}
	return &m.base
}

// Names of the tensors outside the layers.
const (
	embedName = "model.embed_tokens.weight"
	normName  = "model.norm.weight"
	headName  = "lm_head.weight"
)

// layOut lays out a model of shape c without memory for its weights. quantised are the formats of those that stay in them; nil: none does.
func layOut(c Config, quantised Formats) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{config: c}
	s, d := &m.base, c.Width
	s.formats = quantised
	embed := part{embedName, c.VocabSize}
	if c.TieEmbeddings {
		m.embed = s.product("embed", c.VocabSize, d, embed)
		m.head = m.embed
	} else {
		m.embed = s.matrix("embed", c.VocabSize, d, embed)
	}
	for i := range c.Layers {
		m.blocks = append(m.blocks, s.block(&c, fmt.Sprintf("model.layers.%d.", i)))
	}
	m.norm = s.vector(d, part{normName, d})
	if !c.TieEmbeddings {
		m.head = s.product("head", c.VocabSize, d, part{headName, c.VocabSize})
	}
	return m, nil
}

// block lays out a decoder layer whose tensors' names begin with prefix.
func (s *slab) block(c *Config, prefix string) (b block) {
	d, q, kv := c.Width, c.Heads*c.HeadSize, c.KVHeads*c.HeadSize
	attn, mlp := prefix+"self_attn.", prefix+"mlp."
	b.attnNorm = s.vector(d, part{prefix + "input_layernorm.weight", d})
	b.qkv = s.product(attn+"qkv", q+2*kv, d, part{attn + "q_proj.weight", q}, part{attn + "k_proj.weight", kv}, part{attn + "v_proj.weight", kv})
	if c.qkvBias() {
		b.qkvBias = s.vector(q+2*kv, part{attn + "q_proj.bias", q}, part{attn + "k_proj.bias", kv}, part{attn + "v_proj.bias", kv})
	}
	if c.switches().headNorm {
		b.queryNorm = s.vector(c.HeadSize, part{attn + "q_norm.weight", c.HeadSize})
		b.keyNorm = s.vector(c.HeadSize, part{attn + "k_norm.weight", c.HeadSize})
	}
	b.out = s.product(attn+"o", d, q, part{attn + "o_proj.weight", d})
	if c.outBias() {
		b.outBias = s.vector(d, part{attn + "o_proj.bias", d})
	}
	b.ffnNorm = s.vector(d, part{prefix + "post_attention_layernorm.weight", d})
	b.gateUp = s.product(mlp+"gate_up", 2*c.FFN, d, part{mlp + "gate_proj.weight", c.FFN}, part{mlp + "up_proj.weight", c.FFN})
	b.down = s.product(mlp+"down", d, c.FFN, part{mlp + "down_proj.weight", d})
	return b
}

// build makes a model of shape c with all weights zero.
func build(c Config) (*Model, error) {
	m, err := layOut(c, nil)
	if err != nil {
		return nil, err
	}
	m.base.allocate()
	return m, nil
}

// New makes a model with random weights: matrices normal with standard deviation InitializerRange, those that write to the residual stream divided by √(2L) (Radford et
// al. 2019, section 2.3), norms one and biases zero. The same seed gives the same weights.
func New(c Config, seed uint64) (*Model, error) {
	m, err := build(c)
	if err != nil {
		return nil, err
	}
	deviation := c.InitializerRange
	if deviation == 0 {
		deviation = 0.02
	}
	random := rand.New(rand.NewPCG(seed, 0x7265746f7274))
	residual := deviation / math.Sqrt(2*float64(c.Layers))
	norms, writers := m.norms(), m.residualWriters()
	for _, w := range m.base.list {
		data := m.base.values(w)
		switch {
		case slices.Contains(norms, w):
			for i := range data {
				data[i] = 1
			}
		case w.Outs > 1:
			scale := deviation
			if slices.Contains(writers, w) {
				scale = residual
			}
			for i := range data {
				data[i] = float32(scale * random.NormFloat64())
			}
		}
	}
	m.Repack()
	return m, nil
}

// norms lists the weights of the norms.
func (m *Model) norms() []*compute.Weight {
	list := []*compute.Weight{m.norm}
	for _, b := range m.blocks {
		list = append(list, b.attnNorm, b.ffnNorm)
		if b.queryNorm != nil {
			list = append(list, b.queryNorm, b.keyNorm)
		}
	}
	return list
}

// residualWriters lists the matrices whose products are added to the residual stream.
func (m *Model) residualWriters() []*compute.Weight {
	var list []*compute.Weight
	for _, b := range m.blocks {
		list = append(list, b.out, b.down)
	}
	return list
}

// Repack rebuilds the panels from the weights. Call it after writing to Weights, Trainable or a
// Parameter.
func (m *Model) Repack() {
	m.base.repack()
	if m.adapter != nil {
		m.adapter.slab.repack()
	}
}

// Version is another number after each change of the weights that Repack, CopyWeights or a training's Update has told of.
func (m *Model) Version() uint64 {
	v := m.base.version.Load()
	if m.adapter != nil {
		v += m.adapter.slab.version.Load()
	}
	return v
}

// Clone returns a model with trainable weights of its own. Below an adapter the frozen weights are
// shared.
func (m *Model) Clone() *Model {
	c := m.layOutAgain()
	if m.adapter == nil {
		c.base.allocate()
		copy(c.base.weights, m.base.weights)
		c.base.shareQuantised(&m.base)
		c.Repack()
		return c
	}
	c.base.share(&m.base)
	c.attach(m.adapter.options)
	copy(c.adapter.slab.weights, m.adapter.slab.weights)
	c.adapter.slab.repack()
	return c
}

// layOutAgain lays out a model of m's shape.
func (m *Model) layOutAgain() *Model {
	c, err := layOut(m.config, m.base.formats)
	if err != nil {
		panic("model: the config of a model is not valid")
	}
	c.options = m.options
	c.base.setBF16(m.base.bf16)
	return c
}

// CopyWeights takes over the trainable weights of a model of the same shape and adapter. The frozen
// weights below adapters are not looked at.
func (m *Model) CopyWeights(from *Model) error {
	if !m.config.Equal(from.config) {
		return fmt.Errorf("model: copy: shape %+v, want %+v", from.config, m.config)
	}
	if a, b := m.AdapterOptions(), from.AdapterOptions(); !a.equal(&b) {
		return fmt.Errorf("model: copy: adapter %+v, want %+v", b, a)
	}
	if got, want := from.Options(), m.Options(); got != want {
		return fmt.Errorf("model: copy: compute %s, want %s", got.Compute, want.Compute)
	}
	copy(m.trained().weights, from.trained().weights)
	m.trained().repack()
	return nil
}
