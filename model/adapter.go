package model

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/retort-ml/retort/internal/compute"
)

// LoRAOptions are a low-rank adapter (Hu et al. 2021, arXiv:2106.09685): each targeted matrix W
// [outs,ins] becomes W + scale·B·A with A [Rank,ins], B [outs,Rank]. The zero value is no adapter.
type LoRAOptions struct {
	// Rank is the rank of the updates; 0 means no adapter.
	Rank int
	// Alpha sets the scale, Alpha/Rank; 0 means Rank, so that the scale is 1.
	Alpha float64
	// RankStabilised makes the scale Alpha/√Rank (Kalajdzievski 2023, arXiv:2312.03732).
	RankStabilised bool
	// Targets are the projections of every layer that get an update, of q_proj, k_proj, v_proj,
	// o_proj, gate_proj, up_proj and down_proj; nil means all of them.
	Targets []string
	// Seed is that of the first values: A uniform, B zero.
	Seed uint64

	// patterns are the projections of an adapter that was opened whose rank or alpha is another.
	patterns []loraPattern
}

// loraPattern is the rank and the alpha of the modules whose name is, or ends behind a dot with, module; 0 is the adapter's own.
type loraPattern struct {
	module string
	rank   int
	alpha  float64
}

// of returns the rank and the scale of a module's update. The name is that without ".weight".
func (o *LoRAOptions) of(module string) (rank int, scale float32) {
	rank, alpha := o.Rank, o.alpha()
	for _, p := range o.patterns {
		if module != p.module && !strings.HasSuffix(module, "."+p.module) {
			continue
		}
		if p.rank != 0 {
			rank = p.rank
		}
		if p.alpha != 0 {
			alpha = p.alpha
		}
	}
	if o.RankStabilised {
		return rank, float32(alpha / math.Sqrt(float64(rank)))
	}
	return rank, float32(alpha / float64(rank))
}

// loraTargets are the projections in the order of their weights, with the module that holds each.
var loraTargets = []struct{ module, name string }{
	{"self_attn", "q_proj"}, {"self_attn", "k_proj"}, {"self_attn", "v_proj"}, {"self_attn", "o_proj"},
	{"mlp", "gate_proj"}, {"mlp", "up_proj"}, {"mlp", "down_proj"},
}

// adapter is the low-rank updates of a model's matrices.
type adapter struct {
	options LoRAOptions
	slab    slab
}

// targets returns the names of the targets in their fixed order.
func (o *LoRAOptions) targets() []string {
	var list []string
	for _, t := range loraTargets {
		if len(o.Targets) == 0 || slices.Contains(o.Targets, t.name) {
			list = append(list, t.name)
		}
	}
	return list
}

func (o *LoRAOptions) alpha() float64 {
	if o.Alpha == 0 {
		return float64(o.Rank)
	}
	return o.Alpha
}

// equal says whether adapters of these options are stored and run alike.
func (o *LoRAOptions) equal(p *LoRAOptions) bool {
	if o.Rank != p.Rank || o.Rank == 0 {
		return o.Rank == p.Rank
	}
	_, a := o.of("")
	_, b := p.of("")
	return a == b && slices.Equal(o.targets(), p.targets()) && slices.Equal(o.patterns, p.patterns)
}

// Validate reports every fault of o at once.
func (o *LoRAOptions) Validate() error {
	var faults []error
	if o.Rank < 0 || o.Rank > maxDimension {
		faults = append(faults, fmt.Errorf("model: adapter: rank %d, want 0 (no adapter) to %d", o.Rank, maxDimension))
	}
	if !(o.Alpha >= 0 && o.Alpha <= maxDimension) {
		faults = append(faults, fmt.Errorf("model: adapter: alpha %v, want 0 (the rank) to %d", o.Alpha, maxDimension))
	}
	var names []string
	for _, t := range loraTargets {
		names = append(names, t.name)
	}
	for _, target := range o.Targets {
		if !slices.Contains(names, target) {
			faults = append(faults, fmt.Errorf("model: adapter: target %.60q, want some of %s", target, strings.Join(names, ", ")))
		}
	}
	return errors.Join(faults...)
}

// WithAdapter returns a model with a fresh adapter over m's weights, which both share: memory grows
// by the adapter alone, and m stays what it was. A is uniform in ±1/√ins (as PEFT has it: He et al.
// 2015 with a = √5), B is zero, so the new model computes what m does. It replaces an adapter that m
// has. With rank 0 the result has none. m must not be trained while the other is in use.
func (m *Model) WithAdapter(o LoRAOptions) (*Model, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := m.refuseQuantised("adapter"); err != nil && o.Rank > 0 {
		return nil, err
	}
	c := m.layOutAgain()
	c.base.share(&m.base)
	if o.Rank == 0 {
		return c, nil
	}
	c.attach(o)
	random := rand.New(rand.NewPCG(o.Seed, 0x6c6f7261))
	a := c.adapter
	for _, p := range a.slab.parameters {
		if !strings.HasSuffix(p.Name, loraA) {
			continue
		}
		bound := 1 / math.Sqrt(float64(p.Shape[1]))
		for i := range p.Data {
			p.Data[i] = float32(bound * (2*random.Float64() - 1))
		}
	}
	a.slab.repack()
	return c, nil
}

// Base returns the model below the adapter; they share the weights.
func (m *Model) Base() *Model {
	c := m.layOutAgain()
	c.base.share(&m.base)
	return c
}

// HasAdapter says whether m has an adapter, whose weights are then the trainable ones.
func (m *Model) HasAdapter() bool { return m.adapter != nil }

// AdapterOptions returns the options of m's adapter; the zero value if it has none.
func (m *Model) AdapterOptions() LoRAOptions {
	if m.adapter == nil {
		return LoRAOptions{}
	}
	return m.adapter.options
}

// Endings of the names of an adapter's tensors, as PEFT has them.
const (
	loraA = ".lora_A.weight"
	loraB = ".lora_B.weight"
)

// attach lays out an adapter for m, with all its weights zero, and freezes m's own.
func (m *Model) attach(o LoRAOptions) {
	a := &adapter{options: o, slab: slab{adapter: true}}
	for _, w := range m.base.list {
		w.Frozen = true
	}
	targets := o.targets()
	for i, b := range m.blocks {
		prefix := fmt.Sprintf("model.layers.%d.", i)
		for _, w := range []*compute.Weight{b.qkv, b.out, b.gateUp, b.down} {
			w.LoRA = a.layOut(prefix, m.projections(w), targets)
		}
	}
	a.slab.allocate()
	m.adapter = a
}

// projections are the views of a fused weight.
func (m *Model) projections(w *compute.Weight) []view {
	var list []view
	for _, v := range m.base.views {
		if v.weight == w {
			list = append(list, v)
		}
	}
	return list
}

// layOut lays out the updates of the targeted projections of one fused weight; nil if there is none.
func (a *adapter) layOut(prefix string, projections []view, targets []string) *compute.LoRA {
	l := &compute.LoRA{}
	row, ranks := 0, 0
	var parts []part
	for _, v := range projections {
		module := strings.TrimSuffix(v.name, ".weight")
		if slices.Contains(targets, module[strings.LastIndexByte(module, '.')+1:]) {
			rank, scale := a.options.of(module)
			l.Parts = append(l.Parts, compute.LoRAPart{Row: row, Scale: scale})
			parts = append(parts, part{module + loraA, rank})
			ranks += rank
		}
		row += v.shape[0]
	}
	if len(parts) == 0 {
		return nil
	}
	l.A = a.slab.product(prefix+"lora_A", ranks, projections[0].shape[1], parts...)
	at := 0
	for _, v := range projections {
		module := strings.TrimSuffix(v.name, ".weight")
		if at < len(parts) && parts[at].name == module+loraA {
			l.Parts[at].B = a.slab.product(module+".lora_B", v.shape[0], parts[at].rows, part{module + loraB, v.shape[0]})
			at++
		}
	}
	return l
}
