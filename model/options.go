package model

import "fmt"

// The numbers that products by the model's matrices reckon with, see Options.
const (
	ComputeF32  = "f32"
	ComputeBF16 = "bf16"
)

// Options say how a model computes.
type Options struct {
	// Compute is ComputeF32, which "" means, or ComputeBF16: then the matrices and the inputs of their products are rounded to
	// BF16 (8 significant bits), summed in float32, and the panels take half the memory. Embeddings, norms, biases, attention, an
	// adapter's products, gradients and the weights that training updates stay float32.
	Compute string
}

// Options returns how m computes, with the default filled in.
func (m *Model) Options() Options {
	if m.options.Compute == "" {
		return Options{Compute: ComputeF32}
	}
	return m.options
}

// SetOptions changes how m computes. Call it before a program is compiled from m, or another model shares m's weights: those
// keep what they had. Engine and trainer of one model compute alike, so their log-probabilities are equal bit for bit with any Options.
func (m *Model) SetOptions(o Options) error {
	switch o.Compute {
	case "":
		o.Compute = ComputeF32
	case ComputeF32, ComputeBF16:
	default:
		return fmt.Errorf("model: compute %.60q: want %q or %q", o.Compute, ComputeF32, ComputeBF16)
	}
	if o == m.Options() {
		return nil
	}
	m.options = o
	m.base.setBF16(o.Compute == ComputeBF16)
	m.base.allocatePanels()
	m.base.repack()
	return nil
}
