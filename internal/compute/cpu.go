package compute

import (
	"fmt"
	"sync/atomic"

	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
)

// Device compiles plans into programs.
type Device interface {
	// Compile checks that the device has every op of p and plans the memory. The program keeps the
	// buffers. An op that the device lacks is an error here, never a fallback at run time.
	Compile(p *Plan, l Limits, buf Buffers) (*Program, error)
}

// Buffers are the arenas that programs share: the slabs of the model and the KV arena.
type Buffers struct {
	// Weights and Gradients are the slabs that Weight.Offset points into.
	Weights, Gradients []float32
	// Packed holds the panels of x·Wᵀ, PackedT those of dy·W (backward only), at Weight.PackedOffset.
	Packed, PackedT []float32
	// Pairs holds the panels of x·Wᵀ of weights that say BF16, at Weight.PairsOffset.
	Pairs []uint32
	// Adapter holds the slabs of weights that say Adapter.
	Adapter Slabs
	// KV is the paged arena, [L][Blocks][kernel.BlockFloats]. A training plan has one layer's worth,
	// since it recomputes nothing and its adjoint reads keys and values from the activations.
	KV []float32
	// KVFormat is the format of the arena's numbers; the zero value is float32, which a plan with a backward pass wants.
	KVFormat tensor.Format
	// Teacher is the head of the teacher of a Divergence.
	Teacher TeacherHead
}

// CPU is the Device that interprets plans with the kernels of this machine.
type CPU struct {
	pool *kernel.Pool
}

// NewCPU makes a device with the given number of threads (at least 1).
func NewCPU(threads int) *CPU { return &CPU{pool: kernel.NewPool(max(1, threads))} }

// Pool returns the device's worker pool.
func (c *CPU) Pool() *kernel.Pool { return c.pool }

// Close ends the device's workers.
func (c *CPU) Close() { c.pool.Close() }

// rowOp is an op whose output rows depend only on the same rows of its inputs, so that several of
// them in a row can be run chunk by chunk without a barrier between them.
type rowOp interface {
	Op
	// rowKind says which rows the op runs over.
	rowKind(p *Plan) RowKind
	// runRows does rows lo..hi-1.
	runRows(r *run, worker, lo, hi int)
}

// wholeOp runs over the whole batch in phases, with a barrier after each; the parts of one phase
// are independent.
type wholeOp interface {
	Op
	phases(r *run) int
	parts(r *run, phase int) int
	runPart(r *run, phase, worker, part int)
}

// needsScratch is implemented by ops that want private memory for each worker.
type needsScratch interface {
	scratchFloats(p *Plan, l *Limits) int
}

// needsShared is implemented by ops that want memory shared by the workers while the op runs.
type needsShared interface {
	sharedFloats(p *Plan, l *Limits) int
}

// stage is a maximal list of row ops without a barrier, or one whole op.
type stage struct {
	rows      []rowOp
	chunked   []rowOp // the same work for batches that are cut along their rows
	kind      RowKind
	whole     wholeOp
	quantised bool // some op of rows multiplies by quantised weights
}

// Program is a plan compiled for the CPU. It is not safe for concurrent use.
type Program struct {
	plan     *Plan
	limits   Limits
	forward  []stage
	backward []stage
	r        run
}

// run is the state of one pass over a program's stages.
type run struct {
	pool     *kernel.Pool
	plan     *Plan
	buf      Buffers
	layout   layout
	arena    []float32
	windows  [][]float32      // per worker: see windows.go
	scratch  [][]float32      // per worker
	rounded  [][]uint32       // per worker: rows of x in BF16, or quantised
	inputs   []quantisedInput // per worker: what rounded holds
	unpacked [][]uint32       // per worker: quantised weights, some at a time
	shared   []float32        // by all, within one op

	batch     *Batch
	abandon   *atomic.Bool // of the batch, in a forward pass
	tokens    int
	wanted    int
	invT      float32
	positions []int32 // [T]
	slots     []int32 // [T] KV slot of each row
	wantedAt  []int32 // [T] index among the wanted rows, -1 if not wanted
	pieces    []piece // attention work
	shares    []int   // see sharePieces
	tables    []int32 // block tables of programs that lay out their own
	ownBlocks bool
	teacher   []float32 // [R, teacher width] final hidden rows of the teacher
	teacherLD int

	// The stage being run, for the closures below, which are made once.
	stage     *stage
	rows      int
	chunks    int   // 0 where the stage is not cut into chunks of rows
	adjoint   bool  // the stage is one of the backward pass
	starts    []int // per worker: the first row of its chunk
	column    columnOp
	perChunk  int
	single    rowOp // an op that is run by rows between products that are cut along their outputs
	phase     int
	runChunk  func(worker, chunk int)
	runColumn func(worker, chunk int)
	runSingle func(worker, chunk int)
	runPart   func(worker, chunk int)
}

// piece is one unit of attention: rows of one sequence.
type piece struct {
	seq      int
	from, to int // rows relative to the sequence's start in the batch
}

// Compile implements Device.
func (c *CPU) Compile(p *Plan, l Limits, buf Buffers) (*Program, error) {
	if l.Tokens <= 0 || l.Vocab <= 0 || l.Rows < 0 {
		return nil, fmt.Errorf("compute: compile: limits of %d tokens, %d wanted rows, %d token ids: want positive sizes", l.Tokens, l.Rows, l.Vocab)
	}
	if !kernel.IsKVFormat(buf.KVFormat) || buf.KVFormat != tensor.F32 && p.Forward < len(p.Ops) {
		return nil, fmt.Errorf("compute: compile: keys and values in %s: want F32, or without a backward pass BF16, F16 or Q8_0", buf.KVFormat)
	}
	l.ownBlocks = p.Layers == 0
	g := &Program{plan: p, limits: l}
	g.r = run{pool: c.pool, plan: p, buf: buf, ownBlocks: l.ownBlocks}
	r := &g.r
	scratch, shared := 0, 0
	times := make([]int, len(p.Ops))
	for i, op := range p.Ops {
		if err := checkOp(op); err != nil {
			return nil, err
		}
		if s, ok := op.(needsScratch); ok {
			scratch = max(scratch, s.scratchFloats(p, &l))
		}
		if s, ok := op.(needsShared); ok {
			shared = max(shared, s.sharedFloats(p, &l))
		}
		list := &g.forward
		if i >= p.Forward {
			list = &g.backward
		}
		addToStages(p, list, op)
		times[i] = len(g.forward) + len(g.backward)
	}
	for _, list := range [][]stage{g.forward, g.backward} {
		for i := range list {
			list[i].chunked = joinGates(p, list[i].rows)
		}
	}
	r.layout = planMemory(p, &l, times, c.pool.Threads())
	r.shared = Floats(shared)
	r.allocate(&l, scratch)
	r.runChunk = r.doChunk
	r.runColumn = r.doColumn
	r.runSingle = r.doSingle
	r.runPart = func(worker, part int) {
		if r.abandoned() {
			return
		}
		r.inputs[worker] = quantisedInput{}
		r.stage.whole.runPart(r, r.phase, worker, part)
	}
	return g, nil
}

// allocate makes what a pass needs in memory, of it so many floats of scratch for each worker.
func (r *run) allocate(l *Limits, scratch int) {
	r.arena = Floats(r.layout.total)
	for range r.pool.Threads() {
		r.windows = append(r.windows, Floats(r.layout.window))
		r.scratch = append(r.scratch, Floats(scratch))
		r.rounded = append(r.rounded, Pairs(roundedWords(r.plan, &r.buf)))
		r.unpacked = append(r.unpacked, Pairs(unpackedWords(r.plan, &r.buf)))
	}
	r.inputs = make([]quantisedInput, r.pool.Threads())
	r.starts = make([]int, r.pool.Threads())
	r.positions = make([]int32, l.Tokens)
	r.slots = make([]int32, l.Tokens)
	r.wantedAt = make([]int32, l.Tokens)
	r.pieces = make([]piece, 0, l.Tokens)
	r.shares = make([]int, 0, l.Tokens+1)
	if r.ownBlocks {
		r.tables = make([]int32, l.Blocks)
	}
}

func checkOp(op Op) error {
	switch op.(type) {
	case rowOp, wholeOp:
		return nil
	}
	return fmt.Errorf("compute: the CPU has no op %s", op.Name())
}

func addToStages(p *Plan, list *[]stage, op Op) {
	if w, ok := op.(wholeOp); ok {
		*list = append(*list, stage{whole: w})
		return
	}
	row := op.(rowOp)
	kind := row.rowKind(p)
	if n := len(*list); n == 0 || (*list)[n-1].whole != nil || (*list)[n-1].kind != kind {
		*list = append(*list, stage{kind: kind})
	}
	s := &(*list)[len(*list)-1]
	s.rows = append(s.rows, row)
	if q, ok := op.(quantisedOp); ok && q.isQuantised() {
		s.quantised = true
	}
}

// ActivationBytes is the memory of the program's activations and scratch.
func (g *Program) ActivationBytes() int64 {
	n := len(g.r.arena) + len(g.r.shared)
	for i, s := range g.r.scratch {
		n += len(s) + len(g.r.windows[i]) + len(g.r.rounded[i]) + len(g.r.unpacked[i])
	}
	return 4 * int64(n)
}

// Forward runs the forward half of the plan on b, to its end unless b.Abandon says otherwise.
func (g *Program) Forward(b *Batch) error {
	_, needTargets := g.plan.Ops[g.plan.Forward-1].(*LogProb)
	if err := b.check(&g.limits, needTargets); err != nil {
		return err
	}
	g.r.prepare(b)
	g.r.abandon = b.Abandon
	g.r.pool.Begin()
	defer g.r.pool.End()
	for i := range g.forward {
		g.r.runStage(&g.forward[i], false)
		if g.r.abandoned() { // some of the stage may have been left out
			return ErrAbandoned
		}
	}
	g.r.abandon = nil
	return nil
}

// abandoned reports whether what is left of a forward pass may be left out.
func (r *run) abandoned() bool { return r.abandon != nil && r.abandon.Load() }

// Backward runs the backward half for the batch of the last Forward; it adds to the gradients.
func (g *Program) Backward(b *Batch) error {
	if b != g.r.batch || len(b.Tokens) != g.r.tokens || len(b.Rows) != g.r.wanted {
		return fmt.Errorf("compute: backward: not the batch of the last forward pass")
	}
	if len(b.DLogProb) != len(b.Rows) {
		return fmt.Errorf("compute: backward: %d loss derivatives for %d wanted rows", len(b.DLogProb), len(b.Rows))
	}
	if len(b.Rows) == 0 {
		return nil
	}
	g.r.pool.Begin()
	defer g.r.pool.End()
	g.r.abandon = nil
	for i := range g.backward {
		g.r.runStage(&g.backward[i], true)
	}
	g.r.batch = nil // the activations are used up: a second adjoint of them would be wrong
	return nil
}

// Output returns the i-th output of the plan's last forward op, valid until the next Forward.
func (g *Program) Output(i int) []float32 { return g.r.view(g.plan.outputs()[i]) }

// SetTeacher hands a Divergence program the teacher's final hidden rows [R, width] of the same batch.
func (g *Program) SetTeacher(hidden []float32, width int) {
	g.r.teacher, g.r.teacherLD = hidden, width
}

// rowCount is the number of rows of this batch for activations of the given kind.
func (r *run) rowCount(k RowKind) int { return k.count(r.tokens, r.wanted) }

// view returns the rows of an activation.
func (r *run) view(id TensorID) []float32 {
	t := &r.plan.Tensors[id]
	at := r.layout.offset[id]
	return r.arena[at : at+r.rowCount(t.Rows)*t.Cols]
}

// runStage runs one stage over all rows of the batch.
func (r *run) runStage(s *stage, isBackward bool) {
	r.stage = s
	if s.whole != nil {
		for r.phase = 0; r.phase < s.whole.phases(r); r.phase++ {
			r.pool.Run(s.whole.parts(r, r.phase), r.runPart)
		}
		return
	}
	r.rows = r.rowCount(s.kind)
	if r.rows == 0 {
		return
	}
	threads := r.pool.Threads()
	if !isBackward && (r.rows <= columnRows && threads > 1 || r.rows <= maxColumnRows && s.quantised) {
		r.chunks = 0
		r.runByColumns(s)
		return
	}
	r.chunks, r.adjoint = chunksOf(r.rows, threads, s.quantised, isBackward), isBackward
	r.pool.Run(r.chunks, r.runChunk)
}

// prepare derives the per-row tables of b.
func (r *run) prepare(b *Batch) {
	r.batch, r.tokens, r.wanted, r.invT = b, len(b.Tokens), len(b.Rows), b.inverseTemperature()
	if r.ownBlocks {
		r.layOutBlocks(b)
	}
	r.pieces = r.pieces[:0]
	for i := range b.Seqs {
		s := &b.Seqs[i]
		for j := range s.Len {
			pos := s.Pos + j
			r.positions[s.Start+j] = int32(pos)
			r.slots[s.Start+j] = s.Blocks[pos/kernel.BlockTokens]*kernel.BlockTokens + int32(pos%kernel.BlockTokens)
		}
		for from := 0; from < s.Len; from += pieceRows {
			r.pieces = append(r.pieces, piece{i, from, min(from+pieceRows, s.Len)})
		}
	}
	r.sharePieces()
	for i := range r.tokens {
		r.wantedAt[i] = -1
	}
	for i, row := range b.Rows {
		r.wantedAt[row] = int32(i)
	}
}

// layOutBlocks gives each sequence consecutive blocks, block tables included.
func (r *run) layOutBlocks(b *Batch) {
	next := 0
	for i := range b.Seqs {
		s := &b.Seqs[i]
		n := blocksFor(s.Pos + s.Len)
		table := r.tables[next : next+n : next+n]
		for j := range table {
			table[j] = int32(next + j)
		}
		next += n
		s.Blocks = table
	}
}
