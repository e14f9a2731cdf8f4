package compute

import (
	"fmt"
	"math"

	"github.com/retort-ml/retort/internal/kernel"
)

// DivergenceKind says which divergence between teacher p and student q a distillation minimises.
type DivergenceKind uint8

// The divergences. Gradients are with respect to the student's z, q = softmax(z).
const (
	// ForwardKL is Σ p·log(p/q) (Hinton et al. 2015); its gradient is q−p.
	ForwardKL DivergenceKind = iota
	// ReverseKL is Σ q·log(q/p) (Gu et al. 2023, MiniLLM, eq. 1); its gradient is q·(log(q/p)−KL).
	ReverseKL
	// JensenShannon is ½ΣKL(p‖m)+½ΣKL(q‖m), m=(p+q)/2 (Agarwal et al. 2023, GKD, eq. 1 with β=½).
	JensenShannon
)

var divergenceNames = [...]string{"forward_kl", "reverse_kl", "jensen_shannon"}

// String returns the name that recipes use.
func (k DivergenceKind) String() string {
	if int(k) < len(divergenceNames) {
		return divergenceNames[k]
	}
	return fmt.Sprintf("DivergenceKind(%d)", uint8(k))
}

// ParseDivergence returns the kind of that name.
func ParseDivergence(name string) (DivergenceKind, error) {
	for i, n := range divergenceNames {
		if n == name {
			return DivergenceKind(i), nil
		}
	}
	return 0, fmt.Errorf("compute: divergence %q: want forward_kl, reverse_kl or jensen_shannon", name)
}

// TeacherHead is the packed head of a teacher, Outs token ids by Ins hidden columns: in Packed, in Pairs if it is BF16, or in Quantised.
type TeacherHead struct {
	Packed    []float32
	Pairs     []uint32
	Quantised []QuantisedRows
	Outs, Ins int
}

// Divergence compares the student's distribution over the whole vocabulary with the teacher's, row
// by row; the teacher's final hidden rows are handed to the program by SetTeacher.
//
//	X [R,D]   W [V,D]   Value, LSE, TeacherLSE [R]
type Divergence struct {
	X, Value, LSE, TeacherLSE TensorID
	W                         *Weight
	Kind                      DivergenceKind
}

// Divergence appends a Divergence op, the last of a distillation plan; its output is Value.
func (p *Plan) Divergence(x TensorID, w *Weight, kind DivergenceKind) {
	p.multiplies(w)
	o := &Divergence{X: x, W: w, Kind: kind}
	o.Value = p.tensor("divergence", WantedRows, 1)
	o.LSE = p.tensor("divergence.lse", WantedRows, 1)
	o.TeacherLSE = p.tensor("divergence.teacher", WantedRows, 1)
	p.emit(o)
}

// Name implements Op.
func (o *Divergence) Name() string { return "Divergence" }

func (o *Divergence) reads() []TensorID { return []TensorID{o.X} }
func (o *Divergence) writes() []TensorID {
	return []TensorID{o.Value, o.LSE, o.TeacherLSE}
}
func (o *Divergence) rowKind(*Plan) RowKind { return WantedRows }

func (o *Divergence) scratchFloats(*Plan, *Limits) int {
	return maxForwardChunk * (2*vocabularyChunk + 4)
}

func (o *Divergence) runRows(r *run, worker, lo, hi int) {
	for lo < hi {
		to := min(lo+maxForwardChunk, hi)
		o.chunk(r, worker, lo, to)
		lo = to
	}
}

func (o *Divergence) chunk(r *run, worker, lo, hi int) {
	rows := hi - lo
	state := r.scratch[worker][:4*rows]
	student := r.scratch[worker][4*maxForwardChunk:]
	teacher := student[maxForwardChunk*vocabularyChunk:]
	for c := range vocabularyChunks(o.W) {
		first, n := chunkOf(o.W, c)
		r.logitsTile(worker, student, n, r.view(o.X)[lo*o.W.Ins:], r.panels(o.W), rows, first, n)
		kernel.SoftmaxStats(state, student, n, rows, n, r.invT, c == 0)
	}
	kernel.SoftmaxFinish(r.view(o.LSE)[lo:hi], nil, state, rows)
	for c := range vocabularyChunks(o.W) {
		first, n := chunkOf(o.W, c)
		r.teacherTile(worker, teacher, lo, hi, first, n)
		kernel.SoftmaxStats(state, teacher, n, rows, n, r.invT, c == 0)
	}
	kernel.SoftmaxFinish(r.view(o.TeacherLSE)[lo:hi], nil, state, rows)
	value := r.view(o.Value)[lo:hi]
	clear(value)
	for c := range vocabularyChunks(o.W) {
		first, n := chunkOf(o.W, c)
		r.logitsTile(worker, student, n, r.view(o.X)[lo*o.W.Ins:], r.panels(o.W), rows, first, n)
		r.teacherTile(worker, teacher, lo, hi, first, n)
		for i := range value {
			d := distributions{r.view(o.LSE)[lo+i], r.view(o.TeacherLSE)[lo+i], r.invT}
			value[i] += d.value(o.Kind, student[i*n:(i+1)*n], teacher[i*n:(i+1)*n])
		}
	}
}

// teacherTile writes the teacher's logits of token ids first..first+n-1 for rows lo..hi-1.
func (r *run) teacherTile(worker int, out []float32, lo, hi, first, n int) {
	h := &r.buf.Teacher
	r.logitsTile(worker, out, n, r.teacher[lo*r.teacherLD:], panels{h.Packed, h.Pairs, h.Quantised, h.Ins}, hi-lo, first, n)
}

// distributions holds the normalisers of one row of student and teacher.
type distributions struct {
	studentLSE, teacherLSE, invT float32
}

// logs returns log q and log p of a pair of logits.
func (d *distributions) logs(student, teacher float32) (logq, logp float64) {
	return float64(student*d.invT) - float64(d.studentLSE), float64(teacher*d.invT) - float64(d.teacherLSE)
}

// value is the divergence's share of a stretch of the vocabulary.
func (d *distributions) value(kind DivergenceKind, student, teacher []float32) float32 {
	sum := 0.0
	for j := range student {
		logq, logp := d.logs(student[j], teacher[j])
		switch kind {
		case ForwardKL:
			sum += math.Exp(logp) * (logp - logq)
		case ReverseKL:
			sum += math.Exp(logq) * (logq - logp)
		case JensenShannon:
			p, q := math.Exp(logp), math.Exp(logq)
			logm := logMean(p, q, logp)
			sum += p*(logp-logm)/2 + q*(logq-logm)/2
		}
	}
	return float32(sum)
}

// logMean is log((p+q)/2); where both underflow it falls back to log p, whose weight is then 0.
func logMean(p, q, logp float64) float64 {
	if p+q == 0 {
		return logp
	}
	return math.Log((p + q) / 2)
}

// cross is Σ q·log(q/m), the part of the Jensen-Shannon gradient that all entries of a row share.
func (d *distributions) cross(student, teacher []float32) float64 {
	sum := 0.0
	for j := range student {
		logq, logp := d.logs(student[j], teacher[j])
		p, q := math.Exp(logp), math.Exp(logq)
		sum += q * (logq - logMean(p, q, logp))
	}
	return sum
}

// gradient overwrites student's logits with weight·dD/dz; shared is the row's whole divergence for
// ReverseKL and its whole cross sum for JensenShannon.
func (d *distributions) gradient(kind DivergenceKind, student, teacher []float32, weight float32, shared float64) {
	for j := range student {
		logq, logp := d.logs(student[j], teacher[j])
		q, g := math.Exp(logq), 0.0
		switch kind {
		case ForwardKL:
			g = q - math.Exp(logp)
		case ReverseKL:
			g = q * (logq - logp - shared)
		case JensenShannon:
			g = q * (logq - logMean(math.Exp(logp), q, logp) - shared) / 2
		}
		student[j] = weight * d.invT * float32(g)
	}
}

func (o *Divergence) adjoint(b *backward) {
	dx, _ := b.grad(o.X)
	b.emit(&DivergenceBackward{
		headBackward: headBackward{X: o.X, LSE: o.LSE, Kept: none, DX: dx, W: o.W},
		Value:        o.Value, TeacherLSE: o.TeacherLSE, Kind: o.Kind,
	})
}

// DivergenceBackward takes the weight of each row's divergence in the loss from the batch's DLogProb.
type DivergenceBackward struct {
	headBackward
	Value, TeacherLSE TensorID
	Kind              DivergenceKind
}

// Name implements Op.
func (o *DivergenceBackward) Name() string { return "DivergenceBackward" }

func (o *DivergenceBackward) reads() []TensorID {
	return []TensorID{o.X, o.LSE, o.Value, o.TeacherLSE}
}

func (o *DivergenceBackward) scratchFloats(*Plan, *Limits) int {
	return 2 * backwardChunk * vocabularyChunk
}

func (o *DivergenceBackward) runPart(r *run, phase, worker, part int) {
	chunk, step := o.step(phase)
	if step != 1 {
		o.sumPart(r, chunk, step, part)
		return
	}
	first, n := chunkOf(o.W, chunk)
	lo, hi := o.rowsOf(r, part)
	var shared [backwardChunk]float64
	o.sharedSums(r, worker, lo, hi, &shared)
	tile := o.logits(r, worker, chunk, lo, hi)
	teacher := r.scratch[worker][:backwardChunk*vocabularyChunk]
	r.teacherTile(worker, teacher, lo, hi, first, n)
	for i := range hi - lo {
		d := distributions{r.view(o.LSE)[lo+i], r.view(o.TeacherLSE)[lo+i], r.invT}
		d.gradient(o.Kind, tile[i*n:(i+1)*n], teacher[i*n:(i+1)*n], r.batch.DLogProb[lo+i], shared[i])
	}
	o.inputGradient(r, chunk, lo, hi)
}

// sharedSums fills the part of each row's gradient that runs over the whole vocabulary.
func (o *DivergenceBackward) sharedSums(r *run, worker, lo, hi int, shared *[backwardChunk]float64) {
	switch o.Kind {
	case ReverseKL:
		for i := range hi - lo {
			shared[i] = float64(r.view(o.Value)[lo+i])
		}
	case JensenShannon:
		teacher := r.scratch[worker][:backwardChunk*vocabularyChunk]
		student := r.scratch[worker][backwardChunk*vocabularyChunk:]
		for c := range vocabularyChunks(o.W) {
			first, n := chunkOf(o.W, c)
			r.logitsTile(worker, student, n, r.view(o.X)[lo*o.W.Ins:], r.panels(o.W), hi-lo, first, n)
			r.teacherTile(worker, teacher, lo, hi, first, n)
			for i := range hi - lo {
				d := distributions{r.view(o.LSE)[lo+i], r.view(o.TeacherLSE)[lo+i], r.invT}
				shared[i] += d.cross(student[i*n:(i+1)*n], teacher[i*n:(i+1)*n])
			}
		}
	}
}
