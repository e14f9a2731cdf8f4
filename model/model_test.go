package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
)

// tiny is a shape with odd widths, grouped heads and a vocabulary of more than one chunk.
func tiny(tie bool) Config {
	return Config{Architecture: Qwen2, VocabSize: 523, Width: 40, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 10, FFN: 52,
		MaxPositions: 600, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: tie, BOS: -1, EOS: 3}
}

// warm makes a model whose every parameter matters: biases and norms off their neutral values.
func warm(t *testing.T, c Config, seed uint64) *Model {
	t.Helper()
	m, err := New(c, seed)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for _, p := range m.Parameters() {
		for i := range p.Data {
			p.Data[i] += float32(0.05 * random.NormFloat64())
		}
	}
	m.Repack()
	return m
}

// packedBatch is a batch of sequences of the given lengths with random tokens, all rows but each
// sequence's last wanted, and targets the next tokens.
func packedBatch(vocab int, seed uint64, lengths ...int) *compute.Batch {
	random := rand.New(rand.NewPCG(seed, 2))
	b := &compute.Batch{InverseTemperature: 0.8}
	for _, n := range lengths {
		start := len(b.Tokens)
		b.Seqs = append(b.Seqs, compute.Seq{Start: start, Len: n})
		for i := range n {
			b.Tokens = append(b.Tokens, int32(random.IntN(vocab)))
			if i > 0 {
				b.Rows = append(b.Rows, int32(start+i-1))
				b.Targets = append(b.Targets, b.Tokens[start+i])
			}
		}
	}
	for range b.Rows {
		b.DLogProb = append(b.DLogProb, float32(random.NormFloat64()))
	}
	return b
}

func compileTraining(t *testing.T, m *Model, threads int, o *TrainingOptions) *Training {
	t.Helper()
	cpu := compute.NewCPU(threads)
	t.Cleanup(cpu.Close)
	tr, err := m.CompileTraining(cpu, o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// families are the architectures with every switch on, untied and tied.
func families() []Config {
	var list []Config
	for _, name := range []string{Qwen2, Llama, Qwen3} {
		for _, tie := range []bool{true, false} {
			c := tiny(tie)
			c.Architecture = name
			c.AttentionBias = name != Qwen2 && !tie
			if name == Qwen3 {
				c.HeadSize = 14
			}
			if tie {
				c.RopeScaling = RopeScaling{Factor: 5, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 64}
				c.MoreEOS = []int32{7, 9}
			}
			list = append(list, c)
		}
	}
	return list
}

// TestGradientAlongItself compares each gradient's norm with central differences of the loss along
// the gradient: a wrong element anywhere makes them differ.
func TestGradientAlongItself(t *testing.T) {
	for _, c := range families() {
		m := warm(t, c, 5)
		tr := compileTraining(t, m, 2, &TrainingOptions{MaxTokens: 128})
		b := packedBatch(m.config.VocabSize, 3, 17, 1, 40, 9)
		loss := func() float64 {
			logp, _, err := tr.Forward(b)
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for i, v := range logp {
				sum += float64(v) * float64(b.DLogProb[i])
			}
			return sum
		}
		loss()
		tr.ZeroGradients()
		if err := tr.Backward(b); err != nil {
			t.Fatal(err)
		}
		checkDirections(t, m, tr, loss)
	}
}

func checkDirections(t *testing.T, m *Model, tr *Training, loss func() float64) {
	t.Helper()
	list := m.TrainableParameters()
	for k := range list {
		p := &list[k]
		g, saved := append([]float32(nil), tr.GradientOf(p)...), append([]float32(nil), p.Data...)
		norm := 0.0
		for _, v := range g {
			norm += float64(v) * float64(v)
		}
		norm = math.Sqrt(norm)
		const step = 4e-3 // the length of the move
		move := func(h float64) float64 {
			for i := range p.Data {
				p.Data[i] = saved[i] + float32(h*float64(g[i])/norm)
			}
			m.Repack()
			return loss()
		}
		measured := (move(step) - move(-step)) / (2 * step)
		copy(p.Data, saved)
		m.Repack()
		if diff := math.Abs(measured - norm); !(diff <= 0.01*norm+0.01) {
			t.Errorf("%s: derivative along the gradient is %.5g, want its norm %.5g", p.Name, measured, norm)
		}
	}
}

// TestDecodeEqualsTraining decodes token by token through a paged cache with scattered blocks and
// wants every log-probability equal to the packed training forward's, bit for bit.
func TestDecodeEqualsTraining(t *testing.T) {
	decodeEqualsTraining(t, warm(t, tiny(true), 7), 300, 33)
}

func decodeEqualsTraining(t *testing.T, m *Model, lengths ...int) {
	t.Helper()
	b := packedBatch(m.config.VocabSize, 4, lengths...)
	want, _, err := compileTraining(t, m, 1, &TrainingOptions{MaxTokens: 400, ForwardOnly: true}).Forward(b)
	if err != nil {
		t.Fatal(err)
	}
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	f, err := m.CompileForward(cpu, &ForwardOptions{MaxTokens: 64, MaxRows: 64, Blocks: 40})
	if err != nil {
		t.Fatal(err)
	}
	index := 0
	for si, s := range b.Seqs {
		table := make([]int32, 20)
		for i := range table {
			table[i] = int32(39 - 2*i - si)
		}
		for pos := 0; pos < s.Len-1; pos++ {
			if pos == 5 { // a stretch of prefill in the middle
				pos = decodeRows(t, f, b, s, table, pos, 20, want, &index)
				continue
			}
			pos = decodeRows(t, f, b, s, table, pos, 1, want, &index)
		}
	}
	if index != len(want) {
		t.Fatalf("compared %d log-probabilities of %d", index, len(want))
	}
}

func decodeRows(t *testing.T, f *Forward, b *compute.Batch, s compute.Seq, table []int32, pos, n int, want []float32, index *int) int {
	t.Helper()
	one := &compute.Batch{Tokens: b.Tokens[s.Start+pos : s.Start+pos+n], Seqs: []compute.Seq{{Start: 0, Len: n, Pos: pos, Blocks: table}}, InverseTemperature: b.InverseTemperature}
	for i := range n {
		one.Rows = append(one.Rows, int32(i))
	}
	logits, lse, err := f.Run(one)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		target := b.Tokens[s.Start+pos+i+1]
		z := float32(logits[i*len(logits)/n+int(target)] * b.InverseTemperature) // rounded: arm64 would fuse it with what follows
		if got := z - lse[i]; got != want[*index] {
			t.Fatalf("position %d: log-probability %v, training has %v", pos+i, got, want[*index])
		}
		*index++
	}
	return pos + n - 1
}

func TestThreadsDoNotChangeGradients(t *testing.T) {
	var reference []float32
	for _, threads := range []int{1, 2, 3} {
		m := warm(t, tiny(true), 5)
		tr := compileTraining(t, m, threads, &TrainingOptions{MaxTokens: 256})
		b := packedBatch(m.config.VocabSize, 3, 100, 31, 64, 50)
		if _, _, err := tr.Forward(b); err != nil {
			t.Fatal(err)
		}
		if err := tr.Backward(b); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Update(compute.AdamW{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, ClipNorm: 1, Step: 1}); err != nil {
			t.Fatal(err)
		}
		got := append(append([]float32(nil), tr.Gradients()...), m.Weights()...)
		if reference == nil {
			reference = got
			continue
		}
		for i := range got {
			if got[i] != reference[i] {
				t.Fatalf("%d threads: value %d is %v, with one thread %v", threads, i, got[i], reference[i])
			}
		}
	}
}

func TestDivergenceGradient(t *testing.T) {
	for _, kind := range []compute.DivergenceKind{compute.ForwardKL, compute.ReverseKL, compute.JensenShannon} {
		t.Run(kind.String(), func(t *testing.T) {
			teacherConfig := tiny(false)
			teacherConfig.Width, teacherConfig.HeadSize = 48, 12
			m, teacher := warm(t, tiny(true), 5), warm(t, teacherConfig, 6)
			tr := compileTraining(t, m, 2, &TrainingOptions{MaxTokens: 128, Teacher: teacher, Divergence: kind})
			b := packedBatch(m.config.VocabSize, 3, 17, 40, 9)
			loss := func() float64 {
				d, err := tr.Divergence(b)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for i, v := range d {
					if v < -1e-6 {
						t.Fatalf("divergence %v of row %d is negative", v, i)
					}
					sum += float64(v) * float64(b.DLogProb[i])
				}
				return sum
			}
			loss()
			tr.ZeroGradients()
			if err := tr.BackwardDivergence(b); err != nil {
				t.Fatal(err)
			}
			checkDirections(t, m, tr, loss)
		})
	}
}

func TestDivergenceFromItselfIsZero(t *testing.T) {
	m := warm(t, tiny(true), 5)
	tr := compileTraining(t, m, 1, &TrainingOptions{MaxTokens: 64, Teacher: m.Clone(), Divergence: compute.ReverseKL})
	d, err := tr.Divergence(packedBatch(m.config.VocabSize, 3, 30))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range d {
		if v != 0 {
			t.Errorf("row %d: divergence %v of a model from itself", i, v)
		}
	}
}

func TestBatchFaults(t *testing.T) {
	m := warm(t, tiny(true), 5)
	tr := compileTraining(t, m, 1, &TrainingOptions{MaxTokens: 32, MaxSequences: 2})
	ok := func() *compute.Batch { return packedBatch(m.config.VocabSize, 1, 10, 5) }
	for name, spoil := range map[string]func(b *compute.Batch){
		"empty":           func(b *compute.Batch) { b.Tokens = nil },
		"too long":        func(b *compute.Batch) { *b = *packedBatch(m.config.VocabSize, 1, 33) },
		"token":           func(b *compute.Batch) { b.Tokens[3] = int32(m.config.VocabSize) },
		"negative token":  func(b *compute.Batch) { b.Tokens[3] = -1 },
		"target":          func(b *compute.Batch) { b.Targets[2] = -4 },
		"targets":         func(b *compute.Batch) { b.Targets = b.Targets[1:] },
		"wanted order":    func(b *compute.Batch) { b.Rows[0], b.Rows[1] = b.Rows[1], b.Rows[0] },
		"wanted range":    func(b *compute.Batch) { b.Rows[len(b.Rows)-1] = 99 },
		"hole":            func(b *compute.Batch) { b.Seqs[1].Start++ },
		"short":           func(b *compute.Batch) { b.Seqs[1].Len-- },
		"position":        func(b *compute.Batch) { b.Seqs[1].Pos = 7 },
		"empty sequence":  func(b *compute.Batch) { b.Seqs[0].Len = 0 },
		"many sequences":  func(b *compute.Batch) { *b = *packedBatch(m.config.VocabSize, 1, 1, 1, 1, 1, 1, 1) },
		"missing weights": func(b *compute.Batch) { b.DLogProb = b.DLogProb[1:] },
	} {
		b := ok()
		spoil(b)
		_, _, err := tr.Forward(b)
		if err == nil {
			err = tr.Backward(b)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
