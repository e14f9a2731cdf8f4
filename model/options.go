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

// Resolved returns o with its defaults filled in.
func (o Options) Resolved() Options {
	if o.Compute == "" {
		o.Compute = ComputeF32
	}
	return o
}

// Validate says what is wrong with o; nil if nothing is.
func (o Options) Validate() error {
	if c := o.Resolved().Compute; c != ComputeF32 && c != ComputeBF16 {
		return fmt.Errorf("model: compute: got %.60q, want %s or %s", c, ComputeF32, ComputeBF16)
	}
	return nil
}

// Options returns how m computes, with the default filled in.
func (m *Model) Options() Options {
	return m.options.Resolved()
}

// SetOptions changes how m computes. Call it before a program is compiled from m, or another model shares m's weights: those
// keep what they had. Engine and trainer of one model compute alike, so their log-probabilities are equal bit for bit with any Options.
func (m *Model) SetOptions(o Options) error {
	o = o.Resolved()
	if err := o.Validate(); err != nil {
		return err
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
