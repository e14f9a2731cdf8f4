// Package compute is the operations of a transformer, forward and backward, as a plan of coarse ops; defines Device and implements it on the CPU.
//
// It does not know any architecture (package model emits the plans), holds no policy loss (the
// adjoint of LogProb takes dLoss/dlogp as a host vector) and does not sample.
//
// Letters used in every comment: B sequences, T token rows of a batch, R wanted rows (those whose
// next-token distribution is asked for), S cached positions, L layers, D width, H query heads, G
// key/value heads, K head size, F feed-forward width, V vocabulary. Matrices are row-major.
//
// Invariants:
//   - A row's values do not depend on the batch it stands in, on how rows are cut into chunks, or
//     on the number of threads: every output is one accumulator whose reduction index ascends.
//   - Sums over rows (weight, bias, norm and embedding gradients, the gradient norm) run in a fixed
//     order or over fixed chunks, so gradients do not depend on the number of threads.
//   - Nothing is allocated while a program runs.
package compute

import (
	"fmt"

	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
)

// TensorID names a tensor of one plan.
type TensorID int32

// none marks an absent operand (no bias, no residual).
const none TensorID = -1

// RowKind says what the number of rows of an activation is.
type RowKind uint8

// The row kinds: one row for each token of the batch, one for each wanted row, or one for each chunk
// of backwardChunk rows of either.
const (
	TokenRows RowKind = iota
	WantedRows
	TokenChunks
	WantedChunks
)

// chunked is the kind with one row for each chunk of rows of kind k.
func (k RowKind) chunked() RowKind {
	if k == WantedRows {
		return WantedChunks
	}
	return TokenChunks
}

// count is the number of rows of kind k in a batch of the given numbers of token and wanted rows.
func (k RowKind) count(tokens, wanted int) int {
	switch k {
	case WantedRows:
		return wanted
	case TokenChunks:
		return (tokens + backwardChunk - 1) / backwardChunk
	case WantedChunks:
		return (wanted + backwardChunk - 1) / backwardChunk
	}
	return tokens
}

// TensorInfo describes one activation: a matrix whose number of rows is known only when a batch
// arrives.
type TensorInfo struct {
	Name string
	Rows RowKind
	Cols int
}

// Weight is a matrix [Outs,Ins] of the model (a vector has one row). Its values stand row-major at
// Offset of the weight slab, its gradient at the same offset of the gradient slab, and, for the
// right-hand side of a product, its panels at PackedOffset of the packed slabs.
type Weight struct {
	Name         string
	Outs, Ins    int
	Offset       int
	PackedOffset int
	// BF16 says that products x·Wᵀ read the panels at PairsOffset of Buffers.Pairs, and round x to BF16 as
	// well. The backward products take both as they were before rounding (the straight-through estimator, Bengio et al.
	// 2013, arXiv:1308.3432): dx = dy·W and dW = dyᵀ·x in float32.
	BF16        bool
	PairsOffset int
	// Quantised, if not nil, holds the rows of W as a file stores them, of which then nothing stands in the slabs. Products x·Wᵀ quantise x as well
	// (kernel.Quantise), by rows in BF16 round it to BF16, and by rows in F16 take it as it is; there are no backward products.
	Quantised []QuantisedRows
	// Adapter says that the slabs are those of the adapter, not of the model.
	Adapter bool
	// Frozen leaves the weight's gradient out of the backward pass.
	Frozen bool
	// LoRA, if set, belongs to every product by this weight.
	LoRA *LoRA
}

// QuantisedRows are some rows of a weight in one format, in panels: rows First to First+Rows-1. First is a multiple of kernel.PanelWidth.
type QuantisedRows struct {
	Format      tensor.Format
	First, Rows int
	Panels      []byte // made by kernel.PackPanels
	Owner       any    // lives as long as Panels must, where they lie in a mapped file
}

func (w *Weight) size() int { return w.Outs * w.Ins }

// PackedSize is the number of floats of the panels of w in either direction; the larger of the two.
func (w *Weight) PackedSize() int {
	return max(kernel.PackedLen(w.Outs, w.Ins), kernel.PackedLen(w.Ins, w.Outs))
}

// Op is one coarse operation on named tensors. Operands are TensorIDs of the plan.
type Op interface {
	// Name is the op's name in errors and profiles.
	Name() string
	// reads and writes list the activations that the op touches, for the memory planner. An
	// operand that is updated in place stands in both.
	reads() []TensorID
	writes() []TensorID
	// adjoint emits the ops that carry gradients from the op's outputs to its inputs and weights.
	adjoint(b *backward)
}

// Plan is a list of ops in the order in which they run, and the activations between them.
type Plan struct {
	Ops     []Op
	Tensors []TensorInfo
	// Forward is the number of ops before the backward pass; len(Ops) without one.
	Forward int
	// Layers is the number of layers whose keys and values a paged KV arena holds.
	Layers int

	roundedIns   int // the widest input of a product in BF16
	quantisedIns int // and of one with quantised weights
}

// tensor adds an activation and returns its id.
func (p *Plan) tensor(name string, rows RowKind, cols int) TensorID {
	p.Tensors = append(p.Tensors, TensorInfo{Name: name, Rows: rows, Cols: cols})
	return TensorID(len(p.Tensors) - 1)
}

func (p *Plan) emit(op Op) {
	p.Ops = append(p.Ops, op)
	p.Forward = len(p.Ops)
}

func (p *Plan) cols(id TensorID) int { return p.Tensors[id].Cols }

// backward builds the second half of a plan: the adjoints of its ops in reverse order.
type backward struct {
	plan     *Plan
	grads    map[TensorID]TensorID
	deferred []Op
}

// grad returns the gradient tensor of x and whether an op that runs earlier in the backward pass
// has already written to it (then the caller must add to it, not overwrite it).
func (b *backward) grad(x TensorID) (id TensorID, written bool) {
	if id, ok := b.grads[x]; ok {
		return id, true
	}
	t := b.plan.Tensors[x]
	id = b.plan.tensor("d."+t.Name, t.Rows, t.Cols)
	b.grads[x] = id
	return id, false
}

// fresh returns a new gradient tensor of x for an op that writes base + its contribution; base is
// the gradient so far, none if there is none.
func (b *backward) fresh(x TensorID) (base, id TensorID) {
	base = none
	if g, ok := b.grads[x]; ok {
		base = g
		delete(b.grads, x)
	}
	id, _ = b.grad(x)
	return base, id
}

// share makes y's gradient, which must exist, stand for x's as well: y = x + something. Nobody
// writes to it again: whoever adds to x's gradient does so into a new tensor.
func (b *backward) share(x, y TensorID) {
	dy, ok := b.grads[y]
	if !ok {
		panic("compute: a sum's output has no gradient")
	}
	if _, ok := b.grads[x]; ok {
		panic("compute: a sum's input already has a gradient")
	}
	b.grads[x] = dy
}

// later keeps an op that sums over rows until the next barrier, so that the row ops of a layer's
// backward pass stay together.
func (b *backward) later(op Op) { b.deferred = append(b.deferred, op) }

// flush emits the ops kept by later.
func (b *backward) flush() {
	for _, op := range b.deferred {
		b.emit(op)
	}
	b.deferred = b.deferred[:0]
}

func (b *backward) emit(op Op) { b.plan.Ops = append(b.plan.Ops, op) }

// AddBackward appends the backward pass to p. The last op must be a loss (LogProb or Divergence).
func (p *Plan) AddBackward() error {
	n := len(p.Ops)
	if n == 0 {
		return fmt.Errorf("compute: plan: no ops, want a loss at the end")
	}
	if p.quantisedIns > 0 {
		return fmt.Errorf("compute: plan: quantised weights have no backward pass; open the model with its weights widened")
	}
	switch p.Ops[n-1].(type) {
	case *LogProb, *Divergence:
	default:
		return fmt.Errorf("compute: plan: last op is %s, want LogProb or Divergence", p.Ops[n-1].Name())
	}
	p.addBackward()
	return nil
}

func (p *Plan) addBackward() {
	n := len(p.Ops)
	b := &backward{plan: p, grads: map[TensorID]TensorID{}}
	for i := n - 1; i >= 0; i-- {
		p.Ops[i].adjoint(b)
	}
	b.flush()
	p.Forward = n
	p.dropUseless()
}

// dropUseless takes the ops out of the backward pass from which no gradient of a weight comes: those below the lowest weight
// that is trained, where the weights are frozen.
func (p *Plan) dropUseless() {
	wanted := make([]bool, len(p.Tensors))
	kept := len(p.Ops)
	for i := len(p.Ops) - 1; i >= p.Forward; i-- {
		op, writes := p.Ops[i], p.Ops[i].writes()
		a, both := op.(accumulator)
		useful := len(writes) == 0 || both && a.accumulates()
		for _, id := range writes {
			useful = useful || id != none && wanted[id]
		}
		if !useful {
			continue
		}
		for _, id := range op.reads() {
			if id != none {
				wanted[id] = true
			}
		}
		kept--
		p.Ops[kept] = op
	}
	p.Ops = append(p.Ops[:p.Forward], p.Ops[kept:]...)
}

// accumulator is an op that may add to the gradients of weights beside writing activations. An op that writes none always does.
type accumulator interface {
	accumulates() bool
}

// noAdjoint is embedded by ops that only occur in a backward pass.
type noAdjoint struct{}

func (noAdjoint) adjoint(*backward) { panic("compute: an op of a backward pass has no adjoint") }
