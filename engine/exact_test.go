package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// exactModels are the architectures, with the scaling of rotary frequencies beyond the original
// context, with biases, in float32 and in BF16, and with an adapter whose targets leave out a part of a fused weight.
var exactModels = []struct {
	name, architecture string
	scaled, bias       bool
	adapter            model.LoRAOptions
	options            model.Options
}{
	{name: "Qwen2", architecture: model.Qwen2},
	{name: "Llama", architecture: model.Llama, scaled: true},
	{name: "Qwen3", architecture: model.Qwen3, bias: true},
	{name: "Llama with an adapter", architecture: model.Llama, scaled: true, adapter: model.LoRAOptions{Rank: 3, Alpha: 5, Seed: 4}},
	{name: "Qwen3 with an adapter", architecture: model.Qwen3,
		adapter: model.LoRAOptions{Rank: 17, Targets: []string{"q_proj", "v_proj", "up_proj", "down_proj"}, Seed: 4}},
	{name: "Qwen2 in BF16", architecture: model.Qwen2, options: model.Options{Compute: model.ComputeBF16}},
	{name: "Llama in BF16 with an adapter", architecture: model.Llama, scaled: true, adapter: model.LoRAOptions{Rank: 3, Alpha: 5, Seed: 4},
		options: model.Options{Compute: model.ComputeBF16}},
}

// exactModel has more token ids than one vocabulary chunk (512), more positions than one chunk of
// keys (256) and than its original context (64), grouped heads, and no parameter at a neutral value.
func exactModel(t *testing.T, index int) *model.Model {
	t.Helper()
	x := exactModels[index]
	c := model.Config{
		Architecture: x.architecture, VocabSize: 523, Width: 40, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 10, FFN: 52,
		MaxPositions: 320, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, AttentionBias: x.bias, BOS: -1, EOS: -1,
	}
	if x.scaled {
		c.RopeScaling = model.RopeScaling{Factor: 5, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 64}
	}
	if x.architecture == model.Qwen3 {
		c.HeadSize = 14
	}
	m, err := model.New(c, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetOptions(x.options); err != nil {
		t.Fatal(err)
	}
	if m, err = m.WithAdapter(x.adapter); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 1))
	list := m.Parameters()
	if m.HasAdapter() {
		list = append(list[:len(list):len(list)], m.TrainableParameters()...)
	}
	for _, p := range list {
		for i := range p.Data {
			p.Data[i] += float32(0.1 * rng.NormFloat64())
		}
	}
	m.Repack()
	return m
}

// exactRequests are 32 prompts of 8 samples, which fill a batch of 256, and two contexts that cross
// from the first chunk of keys into the second: one within its prompt, one within its output.
func exactRequests(temperature float32, tokens int) []Request {
	rng := rand.New(rand.NewPCG(6, 1))
	lengths := []int{265, 252}
	for i := range 32 {
		lengths = append(lengths, 1+i)
	}
	reqs := make([]Request, len(lengths))
	for i, n := range lengths {
		r := Request{MaxTokens: tokens, Temperature: temperature, Seed: Seed{Run: 3, Problem: uint64(i)}, Samples: 8}
		if i < 2 {
			r.Samples = 1
		}
		for range n {
			r.Prompt = append(r.Prompt, rng.Int32N(523))
		}
		reqs[i] = r
	}
	return reqs
}

// withSampling gives every other request samplers that change the distribution, and every fifth another temperature.
func withSampling(reqs []Request) []Request {
	for i := range reqs {
		if i%5 == 4 {
			reqs[i].Temperature = 1.5
		}
		if r := &reqs[i]; i%2 == 0 {
			r.TopK, r.TopP, r.MinP = 50, 0.9, 0.001
			r.RepetitionPenalty, r.PresencePenalty, r.FrequencyPenalty = 1.2, 0.1, 0.1
			r.LogitBias = []TokenBias{{Token: 5, Bias: 2}}
			r.TopLogProbs = 3
		}
	}
	return reqs
}

// widest notes the most sequences of one run.
type widest struct {
	forwarder
	sequences int
}

func (w *widest) Run(b *compute.Batch) (logits, lse []float32, err error) {
	w.sequences = max(w.sequences, len(b.Seqs))
	return w.forwarder.Run(b)
}

// generate answers reqs on 2 threads, and tells how many sequences the largest batch held.
func generate(t *testing.T, m *model.Model, o Options, reqs []Request) (results []Result, stats Stats, widestBatch int) {
	t.Helper()
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	e, err := New(m, cpu, &o)
	if err != nil {
		t.Fatal(err)
	}
	w := &widest{forwarder: e.scheduler.forward}
	e.scheduler.forward = w
	got, err := e.Generate(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	return got, e.Stats(), w.sequences
}

// alone answers each sample in a call of its own on 1 thread, one token at a time after a finely cut prompt.
func alone(t *testing.T, m *model.Model, kv string, reqs []Request) []Result {
	t.Helper()
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	e, err := New(m, cpu, &Options{MaxBatch: 1, PrefillTokens: 23, DraftTokens: NoDraft, KV: kv})
	if err != nil {
		t.Fatal(err)
	}
	var all []Result
	for i, r := range reqs {
		for sample := range max(1, r.Samples) {
			single := r
			single.Samples = 1
			single.Seed.Sample += uint64(sample)
			got, err := e.Generate(t.Context(), []Request{single})
			if err != nil {
				t.Fatal(err)
			}
			got[0].Request, got[0].Sample = i, sample
			all = append(all, got[0])
		}
	}
	return all
}

// difference tells where two lists of results differ in a token or in a bit of a log-probability,
// "" if nowhere.
func difference(got, want []Result) string {
	for i, w := range want {
		for j := range w.Tokens {
			g := got[i]
			if j >= len(g.Tokens) || g.Tokens[j] != w.Tokens[j] || g.LogProbs[j] != w.LogProbs[j] ||
				w.DrawLogProbs != nil && g.DrawLogProbs[j] != w.DrawLogProbs[j] || !slices.Equal(g.AlternativesAt(j), w.AlternativesAt(j)) {
				return fmt.Sprintf("request %d sample %d token %d of %d", w.Request, w.Sample, j, len(w.Tokens))
			}
		}
	}
	return ""
}

const trainingTokens = 1024

// scorer is the packed training forward pass, on one thread.
type scorer struct {
	model    *model.Model
	training *model.Training
}

func newScorer(t *testing.T, m *model.Model) *scorer {
	t.Helper()
	cpu := compute.NewCPU(1)
	t.Cleanup(cpu.Close)
	training, err := m.CompileTraining(cpu, &model.TrainingOptions{MaxTokens: trainingTokens, ForwardOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return &scorer{m, training}
}

// score returns results with the log-probabilities that training gives to their tokens.
func (s *scorer) score(t *testing.T, reqs []Request, results []Result) []Result {
	t.Helper()
	scored := make([]Result, len(results))
	for first := 0; first < len(results); {
		b := compute.Batch{InverseTemperature: InverseTemperature(reqs[results[first].Request].Temperature)}
		last := first
		for ; last < len(results); last++ {
			r := &results[last]
			prompt := reqs[r.Request].Prompt
			start, n := len(b.Tokens), len(prompt)+len(r.Tokens)
			if start+n > trainingTokens || InverseTemperature(reqs[r.Request].Temperature) != b.InverseTemperature {
				break
			}
			b.Seqs = append(b.Seqs, compute.Seq{Start: start, Len: n})
			b.Tokens = append(append(b.Tokens, prompt...), r.Tokens...)
			for i, token := range r.Tokens {
				b.Rows = append(b.Rows, int32(start+len(prompt)+i-1))
				b.Targets = append(b.Targets, token)
			}
		}
		logp, _, err := s.training.Forward(&b)
		if err != nil {
			t.Fatal(err)
		}
		for ; first < last; first++ {
			scored[first] = results[first]
			n := len(results[first].Tokens)
			scored[first].LogProbs = append([]float32(nil), logp[:n]...)
			logp = logp[n:]
		}
	}
	return scored
}

// Every token and every bit of its log-probability is the same in a batch of 256 on 2 threads
// through the paged cache, alone on 1 thread, after preemption, and in the packed training forward
// pass on 1 thread.
func TestExactness(t *testing.T) {
	for _, c := range []struct {
		model       int
		temperature float32
		tokens      int
	}{{0, 1, 10}, {0, 0.7, 4}, {0, 0, 4}, {1, 1, 6}, {2, 1, 6}, {3, 1, 6}, {4, 0.7, 6}, {5, 1, 6}, {5, 0.7, 4}, {6, 1, 6}} {
		t.Run(fmt.Sprintf("%s/temperature %v", exactModels[c.model].name, c.temperature), func(t *testing.T) {
			m := exactModel(t, c.model)
			reqs := withSampling(exactRequests(c.temperature, c.tokens))
			batch, stats, width := generate(t, m, Options{}, reqs)
			if want := (2 + 32*8) * c.tokens; stats.Generated != want || want < 1024 {
				t.Fatalf("%d tokens, want %d", stats.Generated, want)
			}
			if stats.Preemptions != 0 || width != 256 {
				t.Fatalf("%d preemptions in batches up to %d, want none and 256", stats.Preemptions, width)
			}
			if where := difference(batch, alone(t, m, model.KVF32, reqs)); where != "" {
				t.Errorf("batch of 256 on 2 threads against alone on 1: they differ at %s", where)
			}
			if where := difference(batch, newScorer(t, m).score(t, reqs, batch)); where != "" {
				t.Errorf("engine against training: they differ at %s", where)
			}
			testPrefixHits(t, m, model.KVF32, reqs, batch)
			testDrafts(t, m, model.KVF32, c.temperature)
			testPreemption(t, m, reqs, batch)
		})
	}
}

// testPreemption runs the requests in caches that are hardly large enough. How they follow each other there depends on what steps were measured to cost,
// so that a machine that is busy may need another size before one gives its blocks up.
func testPreemption(t *testing.T, m *model.Model, reqs []Request, want []Result) {
	t.Helper()
	preemptions := 0
	for _, prefill := range []int{70, 90, 50, 110, 30} {
		for blocks := 18; blocks >= 17 && preemptions == 0; blocks-- {
			preempted, stats, _ := generate(t, m, Options{MaxBatch: 20, PrefillTokens: prefill, Blocks: blocks}, reqs)
			preemptions += stats.Preemptions
			if where := difference(preempted, want); where != "" {
				t.Errorf("preempted against not: they differ at %s", where)
			}
		}
	}
	if preemptions == 0 {
		t.Error("no preemption in any small cache")
	}
}

// testPrefixHits asks again, and then for the continuation of what came, with an engine that keeps what it evaluated.
func testPrefixHits(t *testing.T, m *model.Model, kv string, reqs []Request, want []Result) {
	t.Helper()
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	e, err := New(m, cpu, &Options{KV: kv})
	if err != nil {
		t.Fatal(err)
	}
	call := func(reqs []Request) []Result {
		got, err := e.Generate(t.Context(), reqs)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if where := difference(call(reqs), want); where != "" {
		t.Errorf("first call: they differ at %s", where)
	}
	again := call(reqs)
	if where := difference(again, want); where != "" {
		t.Errorf("after a prefix hit: they differ at %s", where)
	}
	single := reqs[0]
	single.Samples, single.MaxTokens = 1, 3
	first := call([]Request{single})
	next := single
	next.Prompt = slices.Concat(single.Prompt, first[0].Tokens)
	next.MaxTokens = 20
	second := call([]Request{next})
	if again[0].PromptCached < 256 || second[0].PromptCached < 256 {
		t.Errorf("%d and %d tokens of the prompts were found, want at least 256", again[0].PromptCached, second[0].PromptCached)
	}
	if where := difference(second, alone(t, m, kv, []Request{next})); where != "" {
		t.Errorf("second turn: they differ at %s", where)
	}
}

// flipBit changes one of the lowest bits of x, by less than one part in a million, or the lowest that BF16 has. The very lowest
// one of a float32 can drown in the roundings that follow it.
func flipBit(x *float32, m *model.Model) {
	bit := uint32(1 << 3)
	if m.Options().Compute == model.ComputeBF16 {
		bit = 1 << 16
	}
	*x = math.Float32frombits(math.Float32bits(*x) ^ bit)
}

// The comparison must notice one low bit of one element of any parameter, on either side.
func TestExactnessNoticesOneBit(t *testing.T) {
	for i, x := range exactModels {
		t.Run(x.name, func(t *testing.T) { testNoticesOneBit(t, exactModel(t, i)) })
	}
}

// testNoticesOneBit changes the trainable parameters: a clone shares the others.
func testNoticesOneBit(t *testing.T, m *model.Model) {
	t.Helper()
	reqs := exactRequests(1, 10)[1:9]
	results, _, _ := generate(t, m, Options{}, reqs)
	untouched := newScorer(t, m)
	if where := difference(results, untouched.score(t, reqs, results)); where != "" {
		t.Fatalf("without a change they differ at %s", where)
	}
	other := m.Clone()
	changed := newScorer(t, other)
	for i, p := range other.TrainableParameters() {
		at := largest(p.Data)
		if p.Shape[0] == 523 { // the embedding of a token that is read
			row := int(reqs[0].Prompt[0]) * p.Shape[1]
			at = row + largest(p.Data[row:row+p.Shape[1]])
		}
		flipBit(&p.Data[at], m)
		other.Repack()
		if difference(results, changed.score(t, reqs, results)) == "" {
			t.Errorf("a changed bit of %s in the trainer goes unnoticed", p.Name)
		}
		if i%5 == 0 {
			wrong, _, _ := generate(t, other, Options{}, reqs)
			if difference(wrong, untouched.score(t, reqs, wrong)) == "" {
				t.Errorf("a changed bit of %s in the engine goes unnoticed", p.Name)
			}
		}
		flipBit(&p.Data[at], m)
	}
	other.Repack()
	if where := difference(results, changed.score(t, reqs, results)); where != "" {
		t.Errorf("after all bits are back they differ at %s", where)
	}
}

// largest is the index of the element of largest magnitude.
func largest(x []float32) int {
	best := 0
	for i, v := range x {
		if math.Abs(float64(v)) > math.Abs(float64(x[best])) {
			best = i
		}
	}
	return best
}

// lossyForward loses one write to the cache: before one run it puts a stale block in the place of
// another.
type lossyForward struct {
	*model.Forward
	runs int
}

func (f *lossyForward) Run(b *compute.Batch) (logits, lse []float32, err error) {
	f.runs++
	if f.runs == 6 {
		f.CopyBlock(b.Seqs[0].Blocks[0], b.Seqs[1].Blocks[0])
	}
	return f.Forward.Run(b)
}

func TestExactnessNoticesAStaleBlock(t *testing.T) {
	m := exactModel(t, 0)
	reqs := exactRequests(1, 10)[1:9]
	cpu := compute.NewCPU(2)
	defer cpu.Close()
	forward, err := m.CompileForward(cpu, &model.ForwardOptions{MaxTokens: 256 + 512, MaxRows: 256, Blocks: 300})
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(&lossyForward{Forward: forward}, cpu.Pool(), 523, 320, (*Options)(nil).withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	results, err := e.Generate(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	if difference(results, newScorer(t, m).score(t, reqs, results)) == "" {
		t.Error("a stale block goes unnoticed")
	}
}
