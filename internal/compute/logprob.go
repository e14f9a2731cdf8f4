package compute

import "github.com/retort-ml/retort/internal/kernel"

// vocabularyChunk is the number of token ids whose logits a worker holds at once. It is fixed:
// engine and trainer fold the chunks in the same order, so their log-probabilities are equal.
const vocabularyChunk = 512

// vocabularyChunks is the number of chunks of a head.
func vocabularyChunks(head *Weight) int { return (head.Outs + vocabularyChunk - 1) / vocabularyChunk }

// chunkOf returns the first token id of a chunk and their number.
func chunkOf(head *Weight, chunk int) (first, n int) {
	first = chunk * vocabularyChunk
	return first, min(vocabularyChunk, head.Outs-first)
}

// logitsTile writes the logits of token ids first..first+n-1 for rows of x, ldOut apart.
func (r *run) logitsTile(worker int, out []float32, ldOut int, x []float32, head panels, rows, first, n int) {
	r.product(worker, out, ldOut, x, head, rows, first, n, nil, 0)
}

// Logits is the head with its normaliser: Y = X·Wᵀ and LSE = log Σ exp(Y·t), t the batch's inverse
// temperature.
//
//	X [R,D]   W [V,D]   Y [R,V]   LSE [R]
type Logits struct {
	X, Y, LSE TensorID
	W         *Weight
}

// Logits appends a Logits op, the last of a generating plan; its outputs are Y and LSE.
func (p *Plan) Logits(x TensorID, w *Weight) {
	y := p.tensor("logits", WantedRows, w.Outs)
	p.multiplies(w)
	lse := p.tensor("logits.lse", WantedRows, 1)
	p.emit(&Logits{x, y, lse, w})
}

// Name implements Op.
func (o *Logits) Name() string { return "Logits" }

func (o *Logits) reads() []TensorID     { return []TensorID{o.X} }
func (o *Logits) writes() []TensorID    { return []TensorID{o.Y, o.LSE} }
func (o *Logits) rowKind(*Plan) RowKind { return WantedRows }

func (o *Logits) scratchFloats(*Plan, *Limits) int { return 4 * maxForwardChunk }

func (o *Logits) runRows(r *run, worker, lo, hi int) {
	for lo < hi {
		to := min(lo+maxForwardChunk, hi)
		o.chunk(r, worker, lo, to)
		lo = to
	}
}

func (o *Logits) isQuantised() bool { return o.W.Quantised != nil }

func (o *Logits) panels() (panels, work int) {
	return (o.W.Outs + kernel.PanelWidth - 1) / kernel.PanelWidth, o.W.size()
}

func (o *Logits) runPanels(r *run, worker, rows, lo, hi int) {
	v, first := o.W.Outs, lo*kernel.PanelWidth
	n := min(hi*kernel.PanelWidth, v) - first
	for at := 0; at < rows; at += maxForwardChunk {
		r.logitsTile(worker, r.view(o.Y)[at*v+first:], v, r.view(o.X)[at*o.W.Ins:], r.panels(o.W), min(maxForwardChunk, rows-at), first, n)
	}
}

// finishPanels folds the chunks of the vocabulary in the order in which chunk does.
func (o *Logits) finishPanels(r *run, rows int) {
	v := o.W.Outs
	for at := 0; at < rows; at += maxForwardChunk {
		count := min(maxForwardChunk, rows-at)
		y, state := r.view(o.Y)[at*v:], r.scratch[0][:4*count]
		for c := range vocabularyChunks(o.W) {
			first, n := chunkOf(o.W, c)
			kernel.SoftmaxStats(state, y[first:], v, count, n, r.invT, c == 0)
		}
		kernel.SoftmaxFinish(r.view(o.LSE)[at:at+count], nil, state, count)
	}
}

func (o *Logits) chunk(r *run, worker, lo, hi int) {
	v, d, rows := o.W.Outs, o.W.Ins, hi-lo
	x, y, state := r.view(o.X)[lo*d:], r.view(o.Y)[lo*v:], r.scratch[worker][:4*rows]
	for c := range vocabularyChunks(o.W) {
		first, n := chunkOf(o.W, c)
		r.logitsTile(worker, y[first:], v, x, r.panels(o.W), rows, first, n)
		kernel.SoftmaxStats(state, y[first:], v, rows, n, r.invT, c == 0)
	}
	kernel.SoftmaxFinish(r.view(o.LSE)[lo:hi], nil, state, rows)
}

func (o *Logits) adjoint(*backward) { panic("compute: Logits has no adjoint") }

// Hidden marks the final hidden rows as a plan's result (a teacher's plan has no head of its own).
type Hidden struct {
	X, Y TensorID
}

// Hidden appends a Hidden op for x [R,D].
func (p *Plan) Hidden(x TensorID) {
	y := p.tensor("hidden", WantedRows, p.cols(x))
	p.emit(&Hidden{x, y})
}

// Name implements Op.
func (o *Hidden) Name() string { return "Hidden" }

func (o *Hidden) reads() []TensorID     { return []TensorID{o.X} }
func (o *Hidden) writes() []TensorID    { return []TensorID{o.Y} }
func (o *Hidden) rowKind(*Plan) RowKind { return WantedRows }

func (o *Hidden) runRows(r *run, _, lo, hi int) {
	c := r.plan.cols(o.X)
	copy(r.view(o.Y)[lo*c:hi*c], r.view(o.X)[lo*c:hi*c])
}

func (o *Hidden) adjoint(*backward) { panic("compute: Hidden has no adjoint") }

// LogProb is the log-probability of each wanted row's target and the entropy of its distribution,
// the softmax taken of logits times the batch's inverse temperature t:
//
//	z = t·X·Wᵀ   LSE = log Σ exp z   LogP = z[target] − LSE   Entropy = LSE − Σ p·z
//
//	X [R,D]   W [V,D]   LogP, Entropy, LSE [R]
//
// The logits exist only as tiles of one chunk of rows by one chunk of the vocabulary. Where an adjoint follows and one
// chunk is the whole vocabulary, Kept holds them for it: it needs as much memory for their gradient anyhow, and takes
// theirs. Otherwise Kept is none and the adjoint multiplies again.
type LogProb struct {
	X, LogP, Entropy, LSE, Kept TensorID
	W                           *Weight
}

// LogProb appends a LogProb op, the last of a training plan; its outputs are LogP and Entropy.
func (p *Plan) LogProb(x TensorID, w *Weight) {
	p.multiplies(w)
	o := &LogProb{X: x, W: w, Kept: none}
	o.LogP = p.tensor("logp", WantedRows, 1)
	o.Entropy = p.tensor("entropy", WantedRows, 1)
	o.LSE = p.tensor("logp.lse", WantedRows, 1)
	p.emit(o)
}

// Name implements Op.
func (o *LogProb) Name() string { return "LogProb" }

func (o *LogProb) reads() []TensorID     { return []TensorID{o.X} }
func (o *LogProb) writes() []TensorID    { return []TensorID{o.LogP, o.Entropy, o.LSE, o.Kept} }
func (o *LogProb) rowKind(*Plan) RowKind { return WantedRows }

func (o *LogProb) scratchFloats(*Plan, *Limits) int {
	return maxForwardChunk * (vocabularyChunk + 4)
}

func (o *LogProb) runRows(r *run, worker, lo, hi int) {
	for lo < hi {
		to := min(lo+maxForwardChunk, hi)
		o.chunk(r, worker, lo, to)
		lo = to
	}
}

func (o *LogProb) chunk(r *run, worker, lo, hi int) {
	d, rows := o.W.Ins, hi-lo
	x, logp := r.view(o.X)[lo*d:], r.view(o.LogP)[lo:hi]
	state, tile := r.scratch[worker][:4*rows], r.scratch[worker][4*maxForwardChunk:]
	if o.Kept != none {
		tile = r.view(o.Kept)[lo*o.W.Outs:]
	}
	for c := range vocabularyChunks(o.W) {
		first, n := chunkOf(o.W, c)
		r.logitsTile(worker, tile, n, x, r.panels(o.W), rows, first, n)
		kernel.SoftmaxStats(state, tile, n, rows, n, r.invT, c == 0)
		for i, id := range r.batch.Targets[lo:hi] {
			if j := int(id) - first; j >= 0 && j < n {
				logp[i] = tile[i*n+j] * r.invT
			}
		}
	}
	lse := r.view(o.LSE)[lo:hi]
	kernel.SoftmaxFinish(lse, r.view(o.Entropy)[lo:hi], state, rows)
	for i := range logp {
		logp[i] -= lse[i]
	}
}

func (o *LogProb) adjoint(b *backward) {
	dx, _ := b.grad(o.X)
	if vocabularyChunks(o.W) == 1 {
		o.Kept = b.plan.tensor("logits", WantedRows, o.W.Outs)
	}
	b.emit(&LogProbBackward{headBackward{X: o.X, LSE: o.LSE, Kept: o.Kept, DX: dx, W: o.W}})
}

// LogProbBackward takes dLoss/dlogp of the batch: dz = t·dlogp·(onehot(target) − p), DX = dz·W,
// dW += dzᵀ·X.
type LogProbBackward struct {
	headBackward
}

// Name implements Op.
func (o *LogProbBackward) Name() string { return "LogProbBackward" }

func (o *LogProbBackward) runPart(r *run, phase, worker, part int) {
	chunk, step := o.step(phase)
	if step != 1 {
		o.sumPart(r, chunk, step, part)
		return
	}
	first, n := chunkOf(o.W, chunk)
	lo, hi := o.rowsOf(r, part)
	tile := o.logits(r, worker, chunk, lo, hi)
	kernel.Softmax(tile, tile, n, hi-lo, n, r.invT, r.view(o.LSE)[lo:hi])
	for i := range hi - lo {
		row, coefficient := tile[i*n:(i+1)*n], r.batch.DLogProb[lo+i]*r.invT
		scale(row, -coefficient)
		if j := int(r.batch.Targets[lo+i]) - first; j >= 0 && j < n {
			row[j] += coefficient
		}
	}
	o.inputGradient(r, chunk, lo, hi)
}

// scale multiplies x by a.
func scale(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}
