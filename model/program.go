package model

import (
	"fmt"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
)

// ForwardOptions are the sizes of a generating program.
type ForwardOptions struct {
	// MaxTokens is the most token rows of one run, MaxRows the most wanted rows; 0 means 512 and 256.
	MaxTokens, MaxRows int
	// Blocks is the number of KV blocks of 16 positions; 0 means room for one sequence of MaxPositions.
	Blocks int
	// KV is the format in which keys and values are kept: KVF32, which "" means and what training computes with, KVBF16, KVF16 or KVQ8.
	KV string
}

// The formats of keys and values, see ForwardOptions. Those of 16 bits are rounded to nearest even when they are kept, and widened
// when they are read: half the memory and half the traffic. KVF16 has 11 significant bits and ends at 65504, KVBF16 has 8 and the range of float32.
// KVQ8 has 8 bits and a scale for 32 numbers of a head, whose size is a multiple of that: 8.5 bits each. It costs accuracy.
const (
	KVF32  = "f32"
	KVBF16 = "bf16"
	KVF16  = "f16"
	KVQ8   = "q8_0"
)

var kvFormats = map[string]tensor.Format{"": tensor.F32, KVF32: tensor.F32, KVBF16: tensor.BF16, KVF16: tensor.F16, KVQ8: tensor.Q8_0}

// KVFormat is the format of a name; "" means KVF32.
func KVFormat(name string) (tensor.Format, error) {
	f, ok := kvFormats[name]
	if !ok {
		return f, fmt.Errorf("model: keys and values: got %.60q, want %s, %s, %s or %s", name, KVF32, KVBF16, KVF16, KVQ8)
	}
	return f, nil
}

// KVFormat is KVFormat for keys and values of heads of c's size.
func (c *Config) KVFormat(name string) (tensor.Format, error) {
	f, err := KVFormat(name)
	if err == nil && !kernel.FitsKV(f, c.HeadSize) {
		err = fmt.Errorf("model: keys and values in %s: got heads of %d numbers, want a multiple of 32; use %s", name, c.HeadSize, KVF16)
	}
	return f, err
}

// KVBlockBytes is the memory of a KV block of all layers of a model of shape c, for a format that c.KVFormat gives.
func (c *Config) KVBlockBytes(f tensor.Format) int64 {
	return 4 * int64(c.Layers) * int64(kernel.BlockFloats(f, c.KVHeads, c.HeadSize))
}

// Forward runs a model over a paged KV arena of its own. It is not safe for concurrent use.
type Forward struct {
	model   *Model
	program *compute.Program
	kv      []float32
	blocks  int
	layers  int
	floats  int // the memory of one block of one layer, counted in floats
}

// CompileForward makes a generating program.
func (m *Model) CompileForward(cpu *compute.CPU, o *ForwardOptions) (*Forward, error) {
	opt, positions, err := m.forwardSizes(o)
	if err != nil {
		return nil, err
	}
	c := m.config
	p, hidden := m.decoder(m.ropeTable(positions))
	p.Layers = c.Layers
	p.Logits(hidden, m.head)
	format := kvFormats[opt.KV]
	f := &Forward{model: m, blocks: opt.Blocks, layers: c.Layers, floats: kernel.BlockFloats(format, c.KVHeads, c.HeadSize)}
	f.kv = compute.LargeFloats(c.Layers * opt.Blocks * f.floats)
	buffers := m.buffers(nil, f.kv)
	buffers.KVFormat = format
	f.program, err = cpu.Compile(p, m.forwardLimits(&opt, positions), buffers)
	return f, err
}

// forwardSizes fills in the defaults of o, and returns how many positions a sequence may have.
func (m *Model) forwardSizes(o *ForwardOptions) (ForwardOptions, int, error) {
	var opt ForwardOptions
	if o != nil {
		opt = *o
	}
	if opt.MaxTokens == 0 {
		opt.MaxTokens = 512
	}
	if opt.MaxRows == 0 {
		opt.MaxRows = min(256, opt.MaxTokens)
	}
	c := &m.config
	if opt.Blocks == 0 {
		opt.Blocks = (c.MaxPositions + kernel.BlockTokens - 1) / kernel.BlockTokens
	}
	if opt.MaxTokens < 0 || opt.MaxRows < 0 || opt.Blocks < 0 {
		return opt, 0, fmt.Errorf("model: forward: sizes %+v, want positive numbers", opt)
	}
	if _, err := c.KVFormat(opt.KV); err != nil {
		return opt, 0, err
	}
	return opt, min(c.MaxPositions, opt.Blocks*kernel.BlockTokens), nil
}

func (m *Model) forwardLimits(o *ForwardOptions, positions int) compute.Limits {
	return compute.Limits{Tokens: o.MaxTokens, Rows: o.MaxRows, Blocks: o.Blocks, Positions: positions, Vocab: m.config.VocabSize}
}

// Run computes the batch: it writes the rows' keys and values to their blocks, and returns the raw
// logits [R,V] of the wanted rows and the log-sum-exp [R] of logits·InverseTemperature, both valid
// until the next Run. The log-probability of token y is float32(logits[y]·InverseTemperature)−lse.
func (f *Forward) Run(b *compute.Batch) (logits, lse []float32, err error) {
	if err := f.program.Forward(b); err != nil {
		return nil, nil, err
	}
	return f.program.Output(0), f.program.Output(1), nil
}

// Version tells whether keys and values are still those of the weights: see Model.Version.
func (f *Forward) Version() uint64 { return f.model.Version() }

// Blocks returns the number of KV blocks.
func (f *Forward) Blocks() int { return f.blocks }

// CopyBlock copies the keys and values of block src to block dst in every layer.
func (f *Forward) CopyBlock(dst, src int32) {
	for l := range f.layers {
		layer := f.kv[l*f.blocks*f.floats : (l+1)*f.blocks*f.floats]
		copy(layer[int(dst)*f.floats:(int(dst)+1)*f.floats], layer[int(src)*f.floats:(int(src)+1)*f.floats])
	}
}

// Bytes returns the memory of the KV arena and of the activations.
func (f *Forward) Bytes() (kv, activations int64) {
	return 4 * int64(len(f.kv)), f.program.ActivationBytes()
}

// TrainingOptions are the sizes and the kind of a training program.
type TrainingOptions struct {
	// MaxTokens is the most token rows of one microbatch, MaxRows the most wanted rows; 0 means 1024
	// and MaxTokens.
	MaxTokens, MaxRows int
	// MaxSequences is the most sequences of one microbatch; 0 means MaxTokens/4.
	MaxSequences int
	// ForwardOnly leaves out the backward pass and the optimiser (scoring).
	ForwardOnly bool
	// EightBit keeps the moments of AdamW in 8 bits, see compute.NewOptimizer.
	EightBit bool
	// Teacher, if set, adds a program for the divergence from the teacher's distribution.
	Teacher *Model
	// Divergence is the divergence to minimise against the Teacher.
	Divergence compute.DivergenceKind
}

// Training scores packed sequences, carries loss derivatives back to the gradients and updates the
// weights. It is not safe for concurrent use.
type Training struct {
	model     *Model
	pool      *kernel.Pool
	program   *compute.Program
	distill   *compute.Program
	teacher   *compute.Program
	width     int // of the teacher
	gradients []float32
	optimizer *compute.Optimizer
	jobs      []packJob
	runPack   func(worker, chunk int)
}

// packJob is some panels of one weight to lay out again after an update.
type packJob struct {
	weight    *compute.Weight
	lo, hi    int
	transpose bool
}

// CompileTraining makes a training program.
func (m *Model) CompileTraining(cpu *compute.CPU, o *TrainingOptions) (*Training, error) {
	var opt TrainingOptions
	if o != nil {
		opt = *o
	}
	if opt.MaxTokens == 0 {
		opt.MaxTokens = 1024
	}
	if opt.MaxRows == 0 {
		opt.MaxRows = opt.MaxTokens
	}
	if opt.MaxSequences == 0 {
		opt.MaxSequences = max(1, opt.MaxTokens/4)
	}
	if opt.MaxTokens < 0 || opt.MaxRows < 0 || opt.MaxSequences < 0 {
		return nil, fmt.Errorf("model: training: sizes of %d tokens, %d rows, %d sequences: want positive numbers", opt.MaxTokens, opt.MaxRows, opt.MaxSequences)
	}
	t := &Training{model: m, pool: cpu.Pool()}
	if !opt.ForwardOnly {
		s := m.trained()
		t.gradients = compute.Floats(len(s.weights))
		t.optimizer = cpu.NewOptimizer(s.list, s.weights, t.gradients, m.matrices(), opt.EightBit)
		m.base.ensureTransposed()
		s.ensureTransposed()
		t.planPacking(s)
	}
	if err := t.compile(cpu, &opt); err != nil {
		return nil, err
	}
	return t, nil
}

// matrices lists the trained matrices, those of fused weights one by one, but for the embeddings and
// the head: what Muon updates.
func (m *Model) matrices() []compute.Matrix {
	var list []compute.Matrix
	for _, p := range m.trained().parameters {
		if len(p.Shape) == 2 && (p.adapter || p.offset != m.embed.Offset && p.offset != m.head.Offset) {
			list = append(list, compute.Matrix{Offset: p.offset, Rows: p.Shape[0], Cols: p.Shape[1]})
		}
	}
	return list
}

// buffers are the slabs of m beside the gradients of what is trained, or nil, and a KV arena.
func (m *Model) buffers(gradients, kv []float32) compute.Buffers {
	b := compute.Buffers{Weights: m.base.weights, Packed: m.base.packed, Pairs: m.base.pairs, PackedT: m.base.packedT, KV: kv}
	if m.adapter != nil {
		s := &m.adapter.slab
		b.Adapter = compute.Slabs{Weights: s.weights, Gradients: gradients, Packed: s.packed, PackedT: s.packedT}
		return b
	}
	b.Gradients = gradients
	return b
}

func (t *Training) compile(cpu *compute.CPU, opt *TrainingOptions) error {
	m := t.model
	limits := trainingLimits(m, opt)
	table := m.ropeTable(limits.Positions)
	buffers := m.buffers(t.gradients, trainingKV(m, limits))
	p, hidden := m.decoder(table)
	p.LogProb(hidden, m.head)
	var err error
	if t.program, err = compileLoss(cpu, p, limits, buffers, opt.ForwardOnly); err != nil {
		return err
	}
	if opt.Teacher == nil {
		return nil
	}
	teacher := opt.Teacher
	if teacher.config.VocabSize != m.config.VocabSize {
		return fmt.Errorf("model: training: teacher has %d token ids, the student %d: distillation over the whole vocabulary wants the same tokenizer", teacher.config.VocabSize, m.config.VocabSize)
	}
	t.width = teacher.config.Width
	teacherLimits := trainingLimits(teacher, opt)
	p, hidden = teacher.decoder(teacher.ropeTable(teacherLimits.Positions))
	p.Hidden(hidden)
	if t.teacher, err = cpu.Compile(p, teacherLimits, teacher.buffers(nil, trainingKV(teacher, teacherLimits))); err != nil {
		return err
	}
	p, hidden = m.decoder(table)
	p.Divergence(hidden, m.head, opt.Divergence)
	buffers.Teacher = teacher.base.teacherHead(teacher.head)
	t.distill, err = compileLoss(cpu, p, limits, buffers, opt.ForwardOnly)
	return err
}

func compileLoss(cpu *compute.CPU, p *compute.Plan, l compute.Limits, b compute.Buffers, forwardOnly bool) (*compute.Program, error) {
	if !forwardOnly {
		if err := p.AddBackward(); err != nil {
			return nil, err
		}
	}
	return cpu.Compile(p, l, b)
}

func trainingLimits(m *Model, opt *TrainingOptions) compute.Limits {
	return compute.Limits{
		Tokens: opt.MaxTokens, Rows: opt.MaxRows, Blocks: opt.MaxTokens/kernel.BlockTokens + opt.MaxSequences,
		Positions: min(opt.MaxTokens, m.config.MaxPositions), Vocab: m.config.VocabSize,
	}
}

// trainingKV is a KV arena of one layer, which every layer writes anew.
func trainingKV(m *Model, l compute.Limits) []float32 {
	return compute.Floats(l.Blocks * kernel.BlockFloats(tensor.F32, m.config.KVHeads, m.config.HeadSize))
}

// Forward scores the batch: the log-probability of each wanted row's target and the entropy of its
// distribution, [R] each, valid until the next call. Seqs need only Start and Len.
func (t *Training) Forward(b *compute.Batch) (logp, entropy []float32, err error) {
	if err := t.program.Forward(b); err != nil {
		return nil, nil, err
	}
	return t.program.Output(0), t.program.Output(1), nil
}

// Backward adds to the gradients the derivatives of a loss whose dLoss/dlogp is b.DLogProb [R]. b
// is the batch of the last Forward.
func (t *Training) Backward(b *compute.Batch) error { return t.program.Backward(b) }

// Divergence runs teacher and student over the batch and returns each wanted row's divergence [R],
// valid until the next call.
func (t *Training) Divergence(b *compute.Batch) ([]float32, error) {
	if t.distill == nil {
		return nil, fmt.Errorf("model: training: divergence asked of a program without a teacher")
	}
	if err := t.teacher.Forward(b); err != nil {
		return nil, err
	}
	t.distill.SetTeacher(t.teacher.Output(0), t.width)
	if err := t.distill.Forward(b); err != nil {
		return nil, err
	}
	return t.distill.Output(0), nil
}

// BackwardDivergence adds to the gradients those of Σ b.DLogProb[i]·divergence[i]. b is the batch
// of the last Divergence.
func (t *Training) BackwardDivergence(b *compute.Batch) error { return t.distill.Backward(b) }

// ZeroGradients clears the gradients.
func (t *Training) ZeroGradients() { clear(t.gradients) }

// Gradients returns the slab of gradients, laid out as Model.Trainable.
func (t *Training) Gradients() []float32 { return t.gradients }

// GradientOf returns the gradient of a trainable parameter of the model; nil for a frozen one.
func (t *Training) GradientOf(p *Parameter) []float32 {
	if p.adapter != t.model.HasAdapter() {
		return nil
	}
	return t.gradients[p.offset : p.offset+len(p.Data)]
}

// GradientNorm returns the Euclidean norm of all gradients.
func (t *Training) GradientNorm() float64 { return t.optimizer.GradientNorm() }

// Update takes one optimiser step and lays the weights out anew for the products. It returns the
// gradient norm before clipping; a norm that is not finite is an error and changes nothing.
func (t *Training) Update(a compute.AdamW) (float64, error) {
	norm, err := t.optimizer.Update(a)
	if err != nil {
		return norm, err
	}
	t.model.trained().version.Add(1)
	t.pool.Run(len(t.jobs), t.runPack)
	return norm, nil
}

// OptimizerState returns views of the moments, laid out as Model.Trainable.
func (t *Training) OptimizerState() compute.Moments { return t.optimizer.State() }

// packPanelsAtOnce is the number of panels of one pack job.
const packPanelsAtOnce = 8

func (t *Training) planPacking(s *slab) {
	for _, w := range s.products {
		for lo := 0; lo < panelsOf(w.Outs); lo += packPanelsAtOnce {
			t.jobs = append(t.jobs, packJob{w, lo, min(lo+packPanelsAtOnce, panelsOf(w.Outs)), false})
		}
		for lo := 0; lo < panelsOf(w.Ins); lo += packPanelsAtOnce {
			t.jobs = append(t.jobs, packJob{w, lo, min(lo+packPanelsAtOnce, panelsOf(w.Ins)), true})
		}
	}
	t.runPack = func(_, i int) {
		j := t.jobs[i]
		if j.transpose {
			s.packPanelsT(j.weight, j.lo, j.hi)
			return
		}
		s.packPanels(j.weight, j.lo, j.hi)
	}
}
