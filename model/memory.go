package model

import (
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
)

// Memory is what a generating program takes, in bytes.
type Memory struct {
	// Weights is the values and the panels of the products, KV the keys and values, Activations what a pass works in, Tables
	// the rotary frequencies.
	Weights, KV, Activations, Tables int64
}

// Total is the sum.
func (m Memory) Total() int64 { return m.Weights + m.KV + m.Activations + m.Tables }

// Measure returns what a model of shape c that computes as o says, and its generating program on cpu, will take. It
// allocates none of it. Matrices that q names stay in their formats, as Files.Load leaves them.
func Measure(c Config, q Formats, o Options, cpu *compute.CPU, f *ForwardOptions) (Memory, error) {
	m, err := layOut(c, q)
	if err != nil {
		return Memory{}, err
	}
	m.base.setBF16(o.Compute == ComputeBF16)
	opt, positions, err := m.forwardSizes(f)
	if err != nil {
		return Memory{}, err
	}
	p, hidden := m.decoder(nil)
	p.Layers = c.Layers
	p.Logits(hidden, m.head)
	activations, err := cpu.Measure(p, m.forwardLimits(&opt, positions))
	if err != nil {
		return Memory{}, err
	}
	panels := int64(m.base.packFloats)
	if m.base.bf16 {
		panels = int64(m.base.packPairs)
	}
	quantised := int64(0)
	for _, w := range m.base.list {
		for _, rows := range w.Quantised {
			quantised += int64(kernel.PanelBytes(rows.Format, rows.Rows, w.Ins))
		}
	}
	return Memory{
		Weights:     4*(int64(m.base.floats)+panels) + quantised,
		KV:          int64(opt.Blocks) * c.KVBlockBytes(kvFormats[opt.KV]),
		Activations: activations,
		Tables:      4 * int64(positions) * int64(c.HeadSize),
	}, nil
}
