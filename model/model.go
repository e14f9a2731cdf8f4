// Package model is a decoder (Qwen2, Llama, Qwen3): config, weights, adapters (LoRA), and the plans of its forward and backward pass.
//
// It does not schedule requests or sample (package engine), and holds no loss beyond the
// log-probabilities and divergences that training asks of it (package train).
//
// Invariants: engine and trainer run the same ops over the same weights in the same order, so the
// log-probability of a token is the same number in both, bit for bit; a missing or misshapen
// tensor is an error when a model is opened.
package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
)

// Model is a decoder with its weights in one slab, and beside it the panels that products read.
// Programs compiled from a model share its weights: an update is seen by all of them after Repack.
type Model struct {
	config     Config
	weights    []float32
	packed     []float32
	packedT    []float32 // only once a trainer needs it
	embed      *compute.Weight
	norm       *compute.Weight
	head       *compute.Weight // the embedding if tied
	blocks     []block
	list       []*compute.Weight // in slab order
	products   []*compute.Weight // those that are packed
	parameters []Parameter
}

// Parameter is one tensor of the model under its Hugging Face name.
type Parameter struct {
	Name string
	// Shape is [outs, ins] of a matrix or [n] of a vector.
	Shape []int
	// Data is a view of the model's weights, row-major.
	Data []float32

	offset int // in the slab
}

// Config returns the shape of the model.
func (m *Model) Config() Config { return m.config }

// Parameters returns every tensor of the model in a fixed order.
func (m *Model) Parameters() []Parameter { return m.parameters }

// Weights returns the slab that holds every parameter (and a little padding between them). After
// writing to it, call Repack.
func (m *Model) Weights() []float32 { return m.weights }

// NumParameters returns the number of weights.
func (m *Model) NumParameters() int { return m.config.NumParameters() }

// build lays out a model of shape c with all weights zero.
func build(c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{config: c}
	b := &builder{m: m}
	d := c.Width
	m.embed = b.product("embed", c.VocabSize, d, part{"model.embed_tokens.weight", c.VocabSize})
	m.head = m.embed
	q, kv := c.Heads*c.HeadSize, c.KVHeads*c.HeadSize
	for i := range c.Layers {
		prefix := fmt.Sprintf("model.layers.%d.", i)
		attn, mlp := prefix+"self_attn.", prefix+"mlp."
		m.blocks = append(m.blocks, block{
			attnNorm: b.vector(d, part{prefix + "input_layernorm.weight", d}),
			qkv: b.product(attn+"qkv", q+2*kv, d, part{attn + "q_proj.weight", q},
				part{attn + "k_proj.weight", kv}, part{attn + "v_proj.weight", kv}),
			qkvBias: b.vector(q+2*kv, part{attn + "q_proj.bias", q}, part{attn + "k_proj.bias", kv}, part{attn + "v_proj.bias", kv}),
			out:     b.product(attn+"o", d, q, part{attn + "o_proj.weight", d}),
			ffnNorm: b.vector(d, part{prefix + "post_attention_layernorm.weight", d}),
			gateUp:  b.product(mlp+"gate_up", 2*c.FFN, d, part{mlp + "gate_proj.weight", c.FFN}, part{mlp + "up_proj.weight", c.FFN}),
			down:    b.product(mlp+"down", d, c.FFN, part{mlp + "down_proj.weight", d}),
		})
	}
	m.norm = b.vector(d, part{"model.norm.weight", d})
	if !c.TieEmbeddings {
		m.head = b.product("head", c.VocabSize, d, part{"lm_head.weight", c.VocabSize})
	}
	m.weights = compute.Floats(b.floats)
	m.packed = compute.Floats(b.packed)
	for i := range b.views {
		v := &b.views[i]
		n := v.size()
		m.parameters = append(m.parameters, Parameter{Name: v.name, Shape: v.shape, Data: m.weights[v.offset : v.offset+n : v.offset+n], offset: v.offset})
	}
	return m, nil
}

// part names some rows of a fused weight.
type part struct {
	name string
	rows int
}

type view struct {
	name   string
	shape  []int
	offset int
}

func (v *view) size() int {
	n := 1
	for _, s := range v.shape {
		n *= s
	}
	return n
}

// builder assigns offsets in the slabs.
type builder struct {
	m              *Model
	floats, packed int
	views          []view
}

// slabAlign keeps every weight on a cache line.
const slabAlign = 16

func (b *builder) product(name string, outs, ins int, parts ...part) *compute.Weight {
	w := &compute.Weight{Name: name, Outs: outs, Ins: ins, Offset: b.floats, PackedOffset: b.packed}
	at := b.floats
	for _, p := range parts {
		b.views = append(b.views, view{p.name, []int{p.rows, ins}, at})
		at += p.rows * ins
	}
	b.add(w)
	b.packed += w.PackedSize()
	b.m.products = append(b.m.products, w)
	return w
}

func (b *builder) vector(n int, parts ...part) *compute.Weight {
	w := &compute.Weight{Name: parts[0].name, Outs: 1, Ins: n, Offset: b.floats}
	at := b.floats
	for _, p := range parts {
		b.views = append(b.views, view{p.name, []int{p.rows}, at})
		at += p.rows
	}
	b.add(w)
	return w
}

func (b *builder) add(w *compute.Weight) {
	b.floats += (w.Outs*w.Ins + slabAlign - 1) / slabAlign * slabAlign
	b.m.list = append(b.m.list, w)
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
	for _, w := range m.list {
		data := m.weights[w.Offset : w.Offset+w.Outs*w.Ins]
		switch {
		case m.isNorm(w):
			for i := range data {
				data[i] = 1
			}
		case w.Outs > 1:
			scale := deviation
			if m.writesResidual(w) {
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

func (m *Model) isNorm(w *compute.Weight) bool {
	return w == m.norm || slices.ContainsFunc(m.blocks, func(b block) bool { return w == b.attnNorm || w == b.ffnNorm })
}

func (m *Model) writesResidual(w *compute.Weight) bool {
	return slices.ContainsFunc(m.blocks, func(b block) bool { return w == b.out || w == b.down })
}

// Repack rebuilds the panels from the weights. Call it after writing to Weights or a Parameter.
func (m *Model) Repack() {
	for _, w := range m.products {
		m.packPanels(w, 0, panelsOf(w.Outs))
		if m.packedT != nil {
			m.packPanelsT(w, 0, panelsOf(w.Ins))
		}
	}
}

func panelsOf(n int) int { return (n + kernel.PanelWidth - 1) / kernel.PanelWidth }

// packPanels rebuilds panels lo..hi-1 of the forward product.
func (m *Model) packPanels(w *compute.Weight, lo, hi int) {
	data := m.weights[w.Offset : w.Offset+w.Outs*w.Ins]
	first := lo * kernel.PanelWidth
	n := min(hi*kernel.PanelWidth, w.Outs) - first
	kernel.PackRows(m.packed[w.PackedOffset+first*w.Ins:], data[first*w.Ins:], n, w.Ins, w.Ins)
}

// packPanelsT rebuilds panels lo..hi-1 of the backward product.
func (m *Model) packPanelsT(w *compute.Weight, lo, hi int) {
	data := m.weights[w.Offset : w.Offset+w.Outs*w.Ins]
	first := lo * kernel.PanelWidth
	n := min(hi*kernel.PanelWidth, w.Ins) - first
	kernel.PackColumns(m.packedT[w.PackedOffset+first*w.Outs:], data[first:], w.Outs, n, w.Ins)
}

// Clone returns a model with weights of its own.
func (m *Model) Clone() *Model {
	c, err := build(m.config)
	if err != nil {
		panic("model: the config of a model is not valid")
	}
	copy(c.weights, m.weights)
	c.Repack()
	return c
}

// CopyWeights takes over the weights of a model of the same shape.
func (m *Model) CopyWeights(from *Model) error {
	if m.config != from.config {
		return fmt.Errorf("model: copy: shape %+v, want %+v", from.config, m.config)
	}
	copy(m.weights, from.weights)
	m.Repack()
	return nil
}
