package compute

import (
	"math"
	"math/rand/v2"

	"github.com/retort-ml/retort/internal/kernel"
)

// opCase is one op at one shape. The same table serves the test against a float64 reference, the
// test of gradients against finite differences of that reference, and the benchmark.
type opCase struct {
	name string
	// lengths are the sequences of the batch; every row but each sequence's last is wanted.
	lengths []int
	// inputs are the columns of the activations that are fed, inputRows their kind.
	inputs    []int
	inputRows RowKind
	weights   [][2]int
	vocab     int
	// emit appends the op and returns its output, none if the op is a loss.
	emit func(p *Plan, in []TensorID, w []*Weight) TensorID
	// reference computes the output (a loss's rows) from inputs and weights.
	reference func(x *reference) []float64
	// flops is the work of the forward pass, for the benchmark.
	flops func(rows int) float64
	// teacher is the teacher's head [Outs,Ins] of a divergence.
	teacher [2]int
}

// reference is the float64 world of a case.
type reference struct {
	in, w         [][]float64
	batch         *Batch
	hidden, heads []float64 // of the teacher
	invT          float64
}

const caseEpsilon = 1e-5

func linearReference(x, w, bias, residual []float64, outs, ins int) []float64 {
	rows := len(x) / ins
	y := make([]float64, rows*outs)
	for t := range rows {
		for o := range outs {
			sum := 0.0
			for i := range ins {
				sum += x[t*ins+i] * w[o*ins+i]
			}
			if bias != nil {
				sum += bias[o]
			}
			if residual != nil {
				sum += residual[t*outs+o]
			}
			y[t*outs+o] = sum
		}
	}
	return y
}

func normReference(x, w []float64) []float64 {
	d := len(w)
	y := make([]float64, len(x))
	for t := 0; t < len(x); t += d {
		sum := 0.0
		for _, v := range x[t : t+d] {
			sum += v * v
		}
		s := 1 / math.Sqrt(sum/float64(d)+float64(float32(caseEpsilon)))
		for i := range d {
			y[t+i] = x[t+i] * s * w[i]
		}
	}
	return y
}

func swigluReference(x []float64, f int) []float64 {
	rows := len(x) / (2 * f)
	y := make([]float64, rows*f)
	for t := range rows {
		for i := range f {
			gate, up := x[2*t*f+i], x[(2*t+1)*f+i]
			y[t*f+i] = gate / (1 + math.Exp(-gate)) * up
		}
	}
	return y
}

// headNormReference norms the heads of queries and keys; values pass.
func headNormReference(x, query, key []float64, h Heads) []float64 {
	y := append([]float64(nil), x...)
	for t := 0; t < len(x); t += h.Width() {
		wide, values := t+h.H*h.K, t+(h.H+h.G)*h.K
		copy(y[t:], normReference(x[t:wide], query))
		copy(y[wide:], normReference(x[wide:values], key))
	}
	return y
}

// loraReference is y = x·Wᵀ + bias + residual + scale·(x·Aᵀ)·Bᵀ for the parts' rows of W.
func loraReference(x *reference, outs, ins int, scale float64, parts [][3]int) []float64 {
	y := linearReference(x.in[0], x.w[0], x.w[1], x.in[1], outs, ins)
	ranks := len(x.w[2]) / ins
	u := linearReference(x.in[0], x.w[2], nil, nil, ranks, ins)
	column := 0
	for i, part := range parts {
		row, rows, rank := part[0], part[1], part[2]
		for t := range len(u) / ranks {
			for o := range rows {
				for k := range rank {
					y[t*outs+row+o] += scale * u[t*ranks+column+k] * x.w[3+i][o*rank+k]
				}
			}
		}
		column += rank
	}
	return y
}

const caseTheta = 100.0

// attentionReference rotates queries and keys and attends, sequence by sequence.
func attentionReference(x *reference, h Heads) []float64 {
	ld, wide := h.Width(), h.H*h.K
	qkv := append([]float64(nil), x.in[0]...)
	y := make([]float64, len(qkv)/ld*wide)
	for _, s := range x.batch.Seqs {
		for p := range s.Len {
			for head := range h.H + h.G {
				row := qkv[(s.Start+p)*ld+head*h.K:]
				for i := range h.K / 2 {
					angle := float64(p) * math.Pow(caseTheta, -2*float64(i)/float64(h.K))
					a, b := row[i], row[i+h.K/2]
					row[i] = a*math.Cos(angle) - b*math.Sin(angle)
					row[i+h.K/2] = b*math.Cos(angle) + a*math.Sin(angle)
				}
			}
		}
		for p := range s.Len {
			for head := range h.H {
				attendReference(y[(s.Start+p)*wide+head*h.K:], qkv, s, p, head, h)
			}
		}
	}
	return y
}

func attendReference(out, qkv []float64, s Seq, p, head int, h Heads) {
	ld, group := h.Width(), head/(h.H/h.G)
	q := qkv[(s.Start+p)*ld+head*h.K:]
	scores := make([]float64, p+1)
	top := math.Inf(-1)
	for j := range scores {
		k := qkv[(s.Start+j)*ld+(h.H+group)*h.K:]
		for i := range h.K {
			scores[j] += q[i] * k[i]
		}
		scores[j] /= math.Sqrt(float64(h.K))
		top = max(top, scores[j])
	}
	sum := 0.0
	for j := range scores {
		scores[j] = math.Exp(scores[j] - top)
		sum += scores[j]
	}
	for j := range scores {
		v := qkv[(s.Start+j)*ld+(h.H+h.G+group)*h.K:]
		for i := range h.K {
			out[i] += scores[j] / sum * v[i]
		}
	}
}

// logSoftmaxReference returns log softmax of invT·x·Wᵀ row by row.
func logSoftmaxReference(x, w []float64, outs, ins int, invT float64) []float64 {
	z := linearReference(x, w, nil, nil, outs, ins)
	for t := 0; t < len(z); t += outs {
		row := z[t : t+outs]
		top := math.Inf(-1)
		for i := range row {
			row[i] *= invT
			top = max(top, row[i])
		}
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(v - top)
		}
		for i := range row {
			row[i] -= top + math.Log(sum)
		}
	}
	return z
}

func logProbReference(x *reference, outs, ins int) []float64 {
	z := logSoftmaxReference(x.in[0], x.w[0], outs, ins, x.invT)
	y := make([]float64, len(x.batch.Targets))
	for i, id := range x.batch.Targets {
		y[i] = z[i*outs+int(id)]
	}
	return y
}

func divergenceReference(x *reference, outs, ins, teacherIns int, kind DivergenceKind) []float64 {
	q := logSoftmaxReference(x.in[0], x.w[0], outs, ins, x.invT)
	p := logSoftmaxReference(x.hidden, x.heads, outs, teacherIns, x.invT)
	y := make([]float64, len(q)/outs)
	for i := range q {
		a, b := math.Exp(p[i]), math.Exp(q[i])
		m := math.Log((a + b) / 2)
		switch kind {
		case ForwardKL:
			y[i/outs] += a * (p[i] - q[i])
		case ReverseKL:
			y[i/outs] += b * (q[i] - p[i])
		case JensenShannon:
			y[i/outs] += a*(p[i]-m)/2 + b*(q[i]-m)/2
		}
	}
	return y
}

// linearCase is a product with an optional bias or residual.
func linearCase(name string, outs, ins int, bias, residual bool, lengths ...int) opCase {
	c := opCase{name: name, lengths: lengths, inputs: []int{ins}, weights: [][2]int{{outs, ins}},
		flops: func(rows int) float64 { return 2 * float64(rows) * float64(outs) * float64(ins) }}
	switch {
	case bias:
		c.weights = append(c.weights, [2]int{1, outs})
		c.emit = func(p *Plan, in []TensorID, w []*Weight) TensorID { return p.Linear(in[0], w[0], w[1]) }
		c.reference = func(x *reference) []float64 { return linearReference(x.in[0], x.w[0], x.w[1], nil, outs, ins) }
	case residual:
		c.inputs = append(c.inputs, outs)
		c.emit = func(p *Plan, in []TensorID, w []*Weight) TensorID { return p.LinearAdd(in[1], in[0], w[0], nil) }
		c.reference = func(x *reference) []float64 {
			return linearReference(x.in[0], x.w[0], nil, x.in[1], outs, ins)
		}
	default:
		c.emit = func(p *Plan, in []TensorID, w []*Weight) TensorID { return p.Linear(in[0], w[0], nil) }
		c.reference = func(x *reference) []float64 { return linearReference(x.in[0], x.w[0], nil, nil, outs, ins) }
	}
	return c
}

func headNormCase(name string, h Heads, lengths ...int) opCase {
	return opCase{name: name, lengths: lengths, inputs: []int{h.Width()}, weights: [][2]int{{1, h.K}, {1, h.K}},
		emit: func(p *Plan, in []TensorID, w []*Weight) TensorID {
			return p.HeadNorm(in[0], h, w[0], w[1], caseEpsilon)
		},
		reference: func(x *reference) []float64 { return headNormReference(x.in[0], x.w[0], x.w[1], h) },
		flops:     func(rows int) float64 { return 4 * float64(rows*h.Width()) }}
}

// loraCase is a product with bias, residual and a low-rank update of some stretches of its rows:
// parts hold first row, rows, rank.
func loraCase(name string, outs, ins int, parts [][3]int, lengths ...int) opCase {
	const loraScale = 0.75
	ranks, work := 0, outs*ins
	c := opCase{name: name, lengths: lengths, inputs: []int{ins, outs}, weights: [][2]int{{outs, ins}, {1, outs}, {0, ins}}}
	for _, part := range parts {
		ranks += part[2]
		work += part[1] * part[2]
		c.weights = append(c.weights, [2]int{part[1], part[2]})
	}
	c.weights[2][0] = ranks
	c.emit = func(p *Plan, in []TensorID, w []*Weight) TensorID {
		l := &LoRA{A: w[2]}
		for i, part := range parts {
			l.Parts = append(l.Parts, LoRAPart{B: w[3+i], Row: part[0], Scale: float32(loraScale)})
		}
		w[0].LoRA = l
		return p.LinearAdd(in[1], in[0], w[0], w[1])
	}
	c.reference = func(x *reference) []float64 { return loraReference(x, outs, ins, loraScale, parts) }
	c.flops = func(rows int) float64 { return 2 * float64(rows) * float64(work+ranks*ins) }
	return c
}

func attentionCase(name string, h Heads, lengths ...int) opCase {
	return opCase{name: name, lengths: lengths, inputs: []int{h.Width()},
		emit: func(p *Plan, in []TensorID, _ []*Weight) TensorID {
			table := make([]float32, 512*h.K)
			kernel.RoPETable(table, 512, h.K, caseTheta)
			p.Rotate(in[0], h, table, 0)
			return p.Attention(in[0], h, 0)
		},
		reference: func(x *reference) []float64 { return attentionReference(x, h) },
		flops: func(rows int) float64 {
			work := 0
			for _, n := range lengths {
				work += 4 * h.H * h.K * n * (n + 1) / 2
			}
			return float64(work)
		}}
}

func logProbCase(name string, v, d int, lengths ...int) opCase {
	return opCase{name: name, lengths: lengths, inputs: []int{d}, inputRows: WantedRows, weights: [][2]int{{v, d}}, vocab: v,
		emit: func(p *Plan, in []TensorID, w []*Weight) TensorID {
			p.LogProb(in[0], w[0])
			return none
		},
		reference: func(x *reference) []float64 { return logProbReference(x, v, d) },
		flops:     func(rows int) float64 { return 2 * float64(rows) * float64(v) * float64(d) }}
}

func divergenceCase(name string, kind DivergenceKind, v, d, teacherD int, lengths ...int) opCase {
	c := logProbCase(name, v, d, lengths...)
	c.teacher = [2]int{v, teacherD}
	c.emit = func(p *Plan, in []TensorID, w []*Weight) TensorID {
		p.Divergence(in[0], w[0], kind)
		return none
	}
	c.reference = func(x *reference) []float64 { return divergenceReference(x, v, d, teacherD, kind) }
	return c
}

// opCases is the table: odd shapes first, then (names ending in "/lab") the shapes that the lab trains.
func opCases() []opCase {
	embed := func(v, d int) opCase {
		return opCase{name: "Embed", lengths: []int{9, 1, 40, 7}, weights: [][2]int{{v, d}}, vocab: v,
			emit: func(p *Plan, _ []TensorID, w []*Weight) TensorID { return p.Embed(w[0]) },
			reference: func(x *reference) []float64 {
				var y []float64
				for _, id := range x.batch.Tokens {
					y = append(y, x.w[0][int(id)*d:(int(id)+1)*d]...)
				}
				return y
			},
			flops: func(rows int) float64 { return float64(rows * d) }}
	}
	norm := func(name string, d int, lengths ...int) opCase {
		return opCase{name: name, lengths: lengths, inputs: []int{d}, weights: [][2]int{{1, d}},
			emit:      func(p *Plan, in []TensorID, w []*Weight) TensorID { return p.RMSNorm(in[0], w[0], caseEpsilon) },
			reference: func(x *reference) []float64 { return normReference(x.in[0], x.w[0]) },
			flops:     func(rows int) float64 { return 4 * float64(rows*d) }}
	}
	swiglu := func(name string, f int, lengths ...int) opCase {
		return opCase{name: name, lengths: lengths, inputs: []int{2 * f},
			emit:      func(p *Plan, in []TensorID, _ []*Weight) TensorID { return p.SwiGLU(in[0]) },
			reference: func(x *reference) []float64 { return swigluReference(x.in[0], f) },
			flops:     func(rows int) float64 { return 5 * float64(rows*f) }}
	}
	gather := opCase{name: "GatherRows", lengths: []int{9, 1, 40, 7}, inputs: []int{21},
		emit: func(p *Plan, in []TensorID, _ []*Weight) TensorID { return p.GatherRows(in[0]) },
		reference: func(x *reference) []float64 {
			var y []float64
			for _, r := range x.batch.Rows {
				y = append(y, x.in[0][int(r)*21:(int(r)+1)*21]...)
			}
			return y
		},
		flops: func(rows int) float64 { return float64(rows * 21) }}
	many := []int{62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62, 62}
	return []opCase{
		embed(37, 29), gather,
		norm("RMSNorm", 45, 30, 2, 61), norm("RMSNorm/lab", 128, many...),
		linearCase("Linear", 37, 29, false, false, 5, 60, 1), linearCase("Linear/bias", 50, 33, true, false, 49, 48),
		linearCase("Linear/residual", 31, 40, false, true, 100), linearCase("Linear/few_rows", 700, 120, true, false, 3),
		linearCase("Linear/gate_up/lab", 704, 128, false, false, many...), linearCase("Linear/down/lab", 128, 352, false, true, many...),
		headNormCase("HeadNorm", Heads{H: 4, G: 2, K: 10}, 1, 50, 33, 2), headNormCase("HeadNorm/lab", Heads{H: 4, G: 2, K: 32}, many...),
		loraCase("LoRA", 37, 29, [][3]int{{0, 37, 3}}, 5, 60, 1),
		loraCase("LoRA/parts", 70, 33, [][3]int{{0, 40, 18}, {55, 15, 5}}, 49, 48), loraCase("LoRA/few_rows", 700, 120, [][3]int{{3, 500, 17}}, 3),
		swiglu("SwiGLU", 19, 30, 25), swiglu("SwiGLU/lab", 352, many...),
		attentionCase("Attention", Heads{H: 4, G: 2, K: 10}, 1, 17, 33, 2), attentionCase("Attention/long", Heads{H: 2, G: 1, K: 6}, 300),
		attentionCase("Attention/lab", Heads{H: 4, G: 2, K: 32}, many...),
		logProbCase("LogProb", 41, 27, 20, 40), logProbCase("LogProb/chunks", 1100, 9, 12, 50), logProbCase("LogProb/lab", 480, 128, many...),
		divergenceCase("Divergence/forward", ForwardKL, 41, 27, 30, 20, 40), divergenceCase("Divergence/reverse", ReverseKL, 600, 9, 13, 12, 50),
		divergenceCase("Divergence/jensen_shannon", JensenShannon, 600, 9, 13, 12, 50),
	}
}

// feed is a test's input: it copies host rows into an activation and, on the way back, out of its
// gradient.
type feed struct {
	Y          TensorID
	kind       RowKind
	data, grad []float32
}

func (o *feed) Name() string          { return "feed" }
func (o *feed) reads() []TensorID     { return nil }
func (o *feed) writes() []TensorID    { return []TensorID{o.Y} }
func (o *feed) rowKind(*Plan) RowKind { return o.kind }
func (o *feed) runRows(r *run, _, lo, hi int) {
	c := r.plan.cols(o.Y)
	copy(r.view(o.Y)[lo*c:hi*c], o.data[lo*c:hi*c])
}
func (o *feed) adjoint(b *backward) {
	d, written := b.grad(o.Y)
	if !written {
		panic("no gradient reached an input")
	}
	b.emit(&drain{D: d, feed: o})
}

type drain struct {
	noAdjoint
	D    TensorID
	feed *feed
}

func (o *drain) Name() string          { return "drain" }
func (o *drain) reads() []TensorID     { return []TensorID{o.D} }
func (o *drain) writes() []TensorID    { return nil }
func (o *drain) rowKind(*Plan) RowKind { return o.feed.kind }
func (o *drain) runRows(r *run, _, lo, hi int) {
	c := r.plan.cols(o.D)
	copy(o.feed.grad[lo*c:hi*c], r.view(o.D)[lo*c:hi*c])
}

// weigh ends a plan whose op is no loss: the loss is the sum of its output times fixed numbers.
type weigh struct {
	X, Y TensorID
	c    []float32
}

func (o *weigh) Name() string            { return "weigh" }
func (o *weigh) reads() []TensorID       { return []TensorID{o.X} }
func (o *weigh) writes() []TensorID      { return []TensorID{o.Y} }
func (o *weigh) rowKind(p *Plan) RowKind { return p.Tensors[o.X].Rows }
func (o *weigh) runRows(r *run, _, lo, hi int) {
	c := r.plan.cols(o.X)
	copy(r.view(o.Y)[lo*c:hi*c], r.view(o.X)[lo*c:hi*c])
}
func (o *weigh) adjoint(b *backward) {
	d, _ := b.grad(o.X)
	b.emit(&weighBackward{D: d, c: o.c})
	b.flush()
}

type weighBackward struct {
	noAdjoint
	D TensorID
	c []float32
}

func (o *weighBackward) Name() string            { return "weighBackward" }
func (o *weighBackward) reads() []TensorID       { return nil }
func (o *weighBackward) writes() []TensorID      { return []TensorID{o.D} }
func (o *weighBackward) rowKind(p *Plan) RowKind { return p.Tensors[o.D].Rows }
func (o *weighBackward) runRows(r *run, _, lo, hi int) {
	c := r.plan.cols(o.D)
	copy(r.view(o.D)[lo*c:hi*c], o.c[lo*c:hi*c])
}

// bench is a case ready to run.
type bench struct {
	program     *Program
	batch       *Batch
	feeds       []*feed
	weights     []*Weight
	slab, grads []float32
	c           []float32 // dLoss/doutput
	hidden      []float32
	heads       []float32
}

func normal(random *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * random.NormFloat64())
	}
	return x
}

// caseBatch is the batch of a case: all rows but each sequence's last are wanted.
func caseBatch(c *opCase, random *rand.Rand) *Batch {
	b := &Batch{InverseTemperature: 0.7}
	for _, n := range c.lengths {
		b.Seqs = append(b.Seqs, Seq{Start: len(b.Tokens), Len: n})
		for i := range n {
			if i < n-1 {
				b.Rows = append(b.Rows, int32(len(b.Tokens)))
				b.Targets = append(b.Targets, int32(random.IntN(max(c.vocab, 1))))
			}
			b.Tokens = append(b.Tokens, int32(random.IntN(max(c.vocab, 1))))
		}
	}
	b.DLogProb = normal(random, len(b.Rows), 1)
	return b
}

// setUp builds the plan of a case, with its backward pass, and random operands.
func setUp(c *opCase, cpu *CPU) (*bench, error) {
	random := rand.New(rand.NewPCG(1, 2))
	s := &bench{batch: caseBatch(c, random)}
	tokens, wanted := len(s.batch.Tokens), len(s.batch.Rows)
	packed := 0
	for _, w := range c.weights {
		weight := &Weight{Name: "w", Outs: w[0], Ins: w[1], Offset: len(s.slab), PackedOffset: packed}
		s.weights = append(s.weights, weight)
		s.slab = append(s.slab, normal(random, w[0]*w[1], 0.5)...)
		packed += weight.PackedSize()
	}
	s.grads = make([]float32, len(s.slab))
	p := &Plan{}
	var in []TensorID
	for _, cols := range c.inputs {
		rows := c.inputRows.count(tokens, wanted)
		f := &feed{Y: p.tensor("in", c.inputRows, cols), kind: c.inputRows, data: normal(random, rows*cols, 1), grad: make([]float32, rows*cols)}
		p.emit(f)
		s.feeds, in = append(s.feeds, f), append(in, f.Y)
	}
	if y := c.emit(p, in, s.weights); y != none {
		info := p.Tensors[y]
		s.c = normal(random, info.Rows.count(tokens, wanted)*info.Cols, 1)
		p.emit(&weigh{X: y, Y: p.tensor("out", info.Rows, info.Cols), c: s.c})
	} else {
		s.c = s.batch.DLogProb
	}
	p.addBackward()
	buf := Buffers{Weights: s.slab, Gradients: s.grads, Packed: make([]float32, packed), PackedT: make([]float32, packed), KV: make([]float32, 1<<18)}
	for _, w := range s.weights {
		if w.Outs > 1 {
			kernel.PackRows(buf.Packed[w.PackedOffset:], s.slab[w.Offset:], w.Outs, w.Ins, w.Ins)
			kernel.PackColumns(buf.PackedT[w.PackedOffset:], s.slab[w.Offset:], w.Outs, w.Ins, w.Ins)
		}
	}
	if outs, ins := c.teacher[0], c.teacher[1]; outs > 0 {
		s.hidden, s.heads = normal(random, wanted*ins, 1), normal(random, outs*ins, 0.5)
		buf.Teacher = TeacherHead{Packed: make([]float32, kernel.PackedLen(outs, ins)), Outs: outs, Ins: ins}
		kernel.PackRows(buf.Teacher.Packed, s.heads, outs, ins, ins)
	}
	limits := Limits{Tokens: tokens, Rows: wanted, Blocks: tokens/16 + len(c.lengths) + 1, Positions: 512, Vocab: max(c.vocab, 1)}
	var err error
	if s.program, err = cpu.Compile(p, limits, buf); err != nil {
		return nil, err
	}
	s.program.SetTeacher(s.hidden, c.teacher[1])
	return s, nil
}

// world copies the operands to float64.
func (s *bench) world() *reference {
	x := &reference{batch: s.batch, hidden: widen(s.hidden), heads: widen(s.heads), invT: float64(s.batch.InverseTemperature)}
	for _, f := range s.feeds {
		x.in = append(x.in, widen(f.data))
	}
	for _, w := range s.weights {
		x.w = append(x.w, widen(s.slab[w.Offset:w.Offset+w.size()]))
	}
	return x
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
