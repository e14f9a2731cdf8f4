package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
)

func newTestEngine(t *testing.T, model *fakeModel, context int, o Options) *Engine {
	t.Helper()
	pool := kernel.NewPool(2)
	t.Cleanup(pool.Close)
	e, err := newEngine(model, pool, fakeVocab, context, o.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func prompt(n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(i*i+n) % fakeVocab
	}
	return p
}

// 64 samples of a prompt of two and a half blocks evaluate its 40 tokens once, though only 5 run at
// a time.
func TestPromptEvaluatedOnceForAllSamples(t *testing.T) {
	model := newFakeModel(100)
	e := newTestEngine(t, model, 128, Options{MaxBatch: 5, PrefillTokens: 16, DraftTokens: NoDraft})
	reqs := []Request{{Prompt: prompt(40), Samples: 64, MaxTokens: 30, Temperature: 1}}
	got, err := e.Generate(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, referenceResults(reqs, 128))
	stats := e.Stats()
	if stats.PromptEvaluated != 40 || stats.PromptShared != 63*40 || stats.Recomputed != 0 || stats.Preemptions != 0 {
		t.Errorf("got %+v, want 40 prompt tokens evaluated and %d shared", stats, 63*40)
	}
	// Each sample runs all of its tokens but the last one.
	if want := 40 + 64*29; model.rows != want || stats.Rows != want || stats.Generated != 64*30 {
		t.Errorf("%d rows run, %d counted, %d tokens, want %d rows and %d tokens", model.rows, stats.Rows, stats.Generated, want, 64*30)
	}
	for i := 1; i < len(got); i++ {
		if slices.Equal(got[i].Tokens, got[i-1].Tokens) {
			t.Errorf("samples %d and %d are the same", i-1, i)
		}
	}
}

// Requests with a common beginning evaluate its full blocks once; equal prompts all but the last
// token, whose logits are needed.
func TestRequestsShareBeginnings(t *testing.T) {
	model := newFakeModel(100)
	e := newTestEngine(t, model, 128, Options{})
	long := prompt(50)
	other := slices.Concat(long[:40], []int32{1, 2, 3})
	reqs := []Request{
		{Prompt: long, MaxTokens: 4},
		{Prompt: other, MaxTokens: 4},
		{Prompt: long, MaxTokens: 4, Temperature: 1},
		{Prompt: long[:32], MaxTokens: 4},
	}
	got, err := e.Generate(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, referenceResults(reqs, 128))
	if stats := e.Stats(); stats.PromptEvaluated != 50+(43-32)+1+1 {
		t.Errorf("%d prompt tokens evaluated, want %d", stats.PromptEvaluated, 50+11+1+1)
	}
	// The next call finds them, unless the weights have changed.
	for _, c := range []struct {
		version   uint64
		evaluated int
	}{{0, 1}, {1, 50}, {1, 1}, {0, 50}} {
		before := e.Stats()
		model.version = c.version
		got, err := e.Generate(t.Context(), reqs[:1])
		if err != nil {
			t.Fatal(err)
		}
		if did := e.Stats().Since(before); did.PromptEvaluated != c.evaluated || got[0].PromptCached != 50-c.evaluated {
			t.Errorf("weights %d: %d prompt tokens evaluated, %d cached, want %d evaluated", c.version, did.PromptEvaluated, got[0].PromptCached, c.evaluated)
		}
	}
}

func TestPreemptionChangesNothing(t *testing.T) {
	reqs := make([]Request, 8)
	for i := range reqs {
		reqs[i] = Request{Prompt: prompt(20 + i), MaxTokens: 60, Temperature: 1, Seed: Seed{Problem: uint64(i)}}
	}
	e := newTestEngine(t, newFakeModel(12), 128, Options{})
	got, err := e.Generate(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, referenceResults(reqs, 128))
	// Admission keeps room for what already runs, so that little is computed twice.
	if stats := e.Stats(); stats.Preemptions == 0 || stats.Recomputed == 0 || stats.Recomputed > stats.Generated/2 {
		t.Errorf("got %+v, want preemptions, and few rows computed again", stats)
	}
}

// Samples of several temperatures advance together.
func TestTemperaturesTogether(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	s := newScheduler(newFakeModel(50), pool, fakeVocab, 64, Options{MaxBatch: 8, PrefillTokens: 64, MaxStall: time.Hour})
	seqs, err := s.sequences([]Request{
		{Prompt: prompt(5), MaxTokens: 50, Temperature: 1},
		{Prompt: prompt(6), MaxTokens: 50, Temperature: 0.5},
		{Prompt: prompt(7), MaxTokens: 50},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.add(newJob(nil, t.Context(), seqs))
	for range 20 {
		if err := lockedStep(s); err != nil {
			t.Fatal(err)
		}
	}
	for i := range seqs {
		if n := len(seqs[i].out); n != 20 {
			t.Errorf("request %d has %d tokens after 20 steps, want 20", i, n)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	e := newTestEngine(t, newFakeModel(4), 100, Options{})
	good := Request{Prompt: prompt(5), MaxTokens: 5}
	for _, c := range []struct {
		name    string
		request Request
		want    string
	}{
		{"empty prompt", Request{MaxTokens: 5}, "the prompt is empty, want at least one token"},
		{"long prompt", Request{Prompt: prompt(100), MaxTokens: 5}, "the prompt has 100 tokens, want fewer than the context of 100: shorten it"},
		{"small cache", Request{Prompt: prompt(50), MaxTokens: 16}, "prompt and MaxTokens together are 66 tokens, want at most 65 for 4 KV blocks: raise Options.Blocks or lower MaxTokens"},
		{"very small cache", Request{Prompt: prompt(65)}, "prompt and MaxTokens together are 66 tokens, want at most 65 for 4 KV blocks: raise Options.Blocks or lower MaxTokens"},
		{"negative tokens", Request{Prompt: prompt(5), MaxTokens: -1}, "MaxTokens is -1, want 0 (up to the context) or more"},
		{"negative samples", Request{Prompt: prompt(5), MaxTokens: 5, Samples: -2}, "Samples is -2, want 0 (one) to 1048576"},
		{"cold", Request{Prompt: prompt(5), MaxTokens: 5, Temperature: 0.001}, "Temperature is 0.001, want 0 (greedy) or 0.01 to 100"},
		{"not a temperature", Request{Prompt: prompt(5), MaxTokens: 5, Temperature: float32(math.NaN())}, "Temperature is NaN, want 0 (greedy) or 0.01 to 100"},
		{"foreign prompt token", Request{Prompt: []int32{0, fakeVocab}, MaxTokens: 5}, "prompt token 1 is 23, want 0 to 22"},
		{"negative top-k", Request{Prompt: prompt(5), MaxTokens: 5, TopK: -1}, "TopK is -1, want 0 (all) or more"},
		{"large top-p", Request{Prompt: prompt(5), MaxTokens: 5, TopP: 1.5}, "TopP is 1.5, want 0 (all) to 1"},
		{"no top-p", Request{Prompt: prompt(5), MaxTokens: 5, TopP: float32(math.NaN())}, "TopP is NaN, want 0 (all) to 1"},
		{"negative min-p", Request{Prompt: prompt(5), MaxTokens: 5, MinP: -0.1}, "MinP is -0.1, want 0 (all) to 1"},
		{"repetition", Request{Prompt: prompt(5), MaxTokens: 5, RepetitionPenalty: 1000}, "RepetitionPenalty is 1000, want 0 (none) or 0.01 to 100"},
		{"presence", Request{Prompt: prompt(5), MaxTokens: 5, PresencePenalty: -101}, "PresencePenalty is -101, want -100 to 100"},
		{"frequency", Request{Prompt: prompt(5), MaxTokens: 5, FrequencyPenalty: float32(math.Inf(1))}, "FrequencyPenalty is +Inf, want -100 to 100"},
		{"alternatives", Request{Prompt: prompt(5), MaxTokens: 5, TopLogProbs: 257}, "TopLogProbs is 257, want 0 to 256"},
		{"foreign bias", Request{Prompt: prompt(5), MaxTokens: 5, LogitBias: []TokenBias{{fakeVocab, 1}}}, "logit bias 0 is for token 23, want 0 to 22"},
		{"two biases", Request{Prompt: prompt(5), MaxTokens: 5, LogitBias: []TokenBias{{3, 1}, {3, 2}}}, "logit bias 1 is for token 3, which has one already"},
		{"large bias", Request{Prompt: prompt(5), MaxTokens: 5, LogitBias: []TokenBias{{3, 2000}}}, "logit bias 0 is 2000, want -1000 to 1000"},
		{"samples", Request{Prompt: prompt(5), MaxTokens: 5, Samples: math.MaxInt}, "Samples is 9223372036854775807, want 0 (one) to 1048576"},
		{"endless", Request{Prompt: prompt(60), MaxTokens: math.MaxInt}, "prompt and MaxTokens together are 100 tokens, want at most 65 for 4 KV blocks: raise Options.Blocks or lower MaxTokens"},
		{"all samples", Request{Prompt: prompt(5), MaxTokens: 5, Samples: MaxSamples}, "1048577 samples up to here, want at most 1048576 in a call"},
		{"foreign stop token", Request{Prompt: prompt(5), MaxTokens: 5, Stop: []int32{-1}}, "stop token 0 is -1, want 0 to 22"},
	} {
		_, err := e.Generate(t.Context(), []Request{good, c.request})
		var refused *RequestError
		if !errors.As(err, &refused) || refused.Request != 1 || err.Error() != "engine: request 1: "+c.want {
			t.Errorf("%s: got %v, want engine: request 1: %s", c.name, err, c.want)
		}
	}
	// The last token needs no place: 50+15 tokens fill exactly 4 blocks.
	got, err := e.Generate(t.Context(), []Request{{Prompt: prompt(50), MaxTokens: 15}, {Prompt: prompt(50)}, {Prompt: prompt(64)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{15, 15, 1} {
		if len(got[i].Tokens) != want || got[i].Finish != FinishLength {
			t.Errorf("request %d: %d tokens (%s), want %d", i, len(got[i].Tokens), got[i].Finish, want)
		}
	}
	if _, err := e.Stream(t.Context(), Request{Prompt: prompt(5), Samples: 2}, func(int32, float32) {}); err == nil {
		t.Error("a stream of two samples was accepted")
	}
}

func TestNoBlocks(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	_, err := newEngine(newFakeModel(0), pool, fakeVocab, 64, (*Options)(nil).withDefaults())
	if err == nil || !strings.Contains(err.Error(), "raising Options.Blocks") {
		t.Errorf("got %v, want advice to raise Options.Blocks", err)
	}
}

func TestOptions(t *testing.T) {
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	m := exactModel(t, 0)
	_, err := New(m, cpu, &Options{MaxBatch: -1, Blocks: -2, KV: "q4"})
	if err == nil || !strings.Contains(err.Error(), "MaxBatch: got -1") || !strings.Contains(err.Error(), "Blocks: got -2") || !strings.Contains(err.Error(), `got "q4", want f32, bf16, f16 or q8_0`) {
		t.Errorf("got %v, want all faults", err)
	}
	for _, c := range []struct {
		maxBatch, positions, layers int
		kv                          string
		want                        int
	}{
		{256, 250, 1, "", 256 * 16}, {256, 131072, 28, "", (1 << 30) / (28 * 2 * 2 * 10 * 16 * 4)},
		{256, 131072, 28, model.KVBF16, (1 << 30) / (28 * 2 * 2 * 10 * 16 * 2)},
	} {
		shape := m.Config()
		shape.MaxPositions, shape.Layers = c.positions, c.layers
		o := (&Options{MaxBatch: c.maxBatch, KV: c.kv}).withDefaults()
		if err := o.resolveBlocks(&shape); err != nil || o.Blocks != c.want {
			t.Errorf("%d blocks by default for %+v, %v, want %d", o.Blocks, c, err, c.want)
		}
	}
}

// stopsAt ends a sample at a number of tokens.
type stopsAt int

func (n stopsAt) Stops(tokens []int32) bool { return len(tokens) == int(n) }

func TestStops(t *testing.T) {
	e := newTestEngine(t, newFakeModel(20), 64, Options{})
	base := Request{Prompt: prompt(9), MaxTokens: 12, Temperature: 1}
	free, err := e.Generate(t.Context(), []Request{base})
	if err != nil {
		t.Fatal(err)
	}
	tokens := free[0].Tokens
	first, later, rule, full := base, base, base, base
	first.Stop = []int32{tokens[0]}
	later.Stop = []int32{tokens[5]}
	rule.Constraint = stopsAt(3)
	full.MaxTokens = 0
	got, err := e.Generate(t.Context(), []Request{first, later, rule, full})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{1, slices.Index(tokens, tokens[5]) + 1, 3} {
		if !slices.Equal(got[i].Tokens, tokens[:n]) || got[i].Finish != FinishStop || len(got[i].LogProbs) != n {
			t.Errorf("request %d: got %v, want the first %d of %v", i, got[i], n, tokens)
		}
	}
	if len(got[3].Tokens) != 64-9 || got[3].Finish != FinishLength {
		t.Errorf("%d tokens to the end of the context (%s), want %d", len(got[3].Tokens), got[3].Finish, 64-9)
	}
}

func TestCancel(t *testing.T) {
	model := newFakeModel(50)
	e := newTestEngine(t, model, 256, Options{MaxBatch: 3})
	reqs := []Request{{Prompt: prompt(9), MaxTokens: 4}, {Prompt: prompt(10), MaxTokens: 100, Temperature: 1, Samples: 4}}
	ctx, cancel := context.WithCancel(t.Context())
	model.after = func() {
		if model.runs == 20 {
			cancel()
		}
	}
	got, err := e.Generate(ctx, reqs)
	if !errors.Is(err, context.Canceled) || model.runs != 20 {
		t.Fatalf("error %v after %d runs, want context.Canceled after 20", err, model.runs)
	}
	want := referenceResults(reqs, 256)
	for i, g := range got {
		n := len(g.Tokens)
		if g.Request != want[i].Request || g.Sample != want[i].Sample || !slices.Equal(g.Tokens, want[i].Tokens[:n]) || len(g.LogProbs) != n {
			t.Errorf("result %d: %v is not a beginning of %v", i, g, want[i])
		}
		if wantFinish := map[bool]FinishReason{true: FinishLength, false: FinishCancelled}[i == 0]; g.Finish != wantFinish {
			t.Errorf("result %d finished by %q, want %q", i, g.Finish, wantFinish)
		}
	}
	if n := len(got[1].Tokens); n != 20 {
		t.Errorf("%d tokens of the long sample, want 20", n)
	}
	// Nothing is left behind, and an engine that was interrupted serves the next call.
	model.after = nil
	if got, err = e.Generate(t.Context(), reqs); err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, want)
	if got, err = e.Generate(ctx, reqs); !errors.Is(err, context.Canceled) || got[0].Finish != FinishCancelled || len(got[0].Tokens) != 0 {
		t.Errorf("cancelled before it began: got %v, %v", got[0], err)
	}
}

func TestStream(t *testing.T) {
	e := newTestEngine(t, newFakeModel(50), 256, Options{})
	req := Request{Prompt: prompt(9), MaxTokens: 40, Temperature: 1}
	var tokens []int32
	var logProbs []float32
	result, err := e.Stream(t.Context(), req, func(token int32, logProb float32) {
		tokens, logProbs = append(tokens, token), append(logProbs, logProb)
	})
	if err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, []Result{result}, referenceResults([]Request{req}, 256))
	if !slices.Equal(tokens, result.Tokens) || !slices.Equal(logProbs, result.LogProbs) {
		t.Errorf("yielded %v %v, result %v", tokens, logProbs, result)
	}
	// Called off by its reader, it ends there, however far the engine was.
	ctx, cancel := context.WithCancel(t.Context())
	req.TopP, req.TopLogProbs = 0.9, 2
	n := 0
	result, err = e.Stream(ctx, req, func(int32, float32) {
		if n++; n == 7 {
			time.Sleep(5 * time.Millisecond)
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || n != 7 || result.Finish != FinishCancelled {
		t.Errorf("%d tokens yielded, %q, %v, want 7 and cancelled", n, result.Finish, err)
	}
	want := referenceResults([]Request{req}, 256)[0]
	want.cut(7)
	compareResults(t, 0, []Result{result}, []Result{want})
}

func TestFailingModel(t *testing.T) {
	model := newFakeModel(30)
	e := newTestEngine(t, model, 128, Options{})
	reqs := []Request{{Prompt: prompt(20), MaxTokens: 10}}
	broken := errors.New("broken")
	model.fail = broken
	if got, err := e.Generate(t.Context(), reqs); !errors.Is(err, broken) || got != nil {
		t.Errorf("got %v, %v, want the model's error", got, err)
	}
	model.fail, model.infinite = nil, true
	if _, err := e.Generate(t.Context(), reqs); err == nil || !strings.Contains(err.Error(), "request 0 sample 0: token 0: the logits are not finite") {
		t.Errorf("got %v, want an error that names the logits", err)
	}
	model.infinite = false
	got, err := e.Generate(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, referenceResults(reqs, 128))
}

// A step of a full batch of decoding samples allocates nothing.
func TestDecodeAllocatesNothing(t *testing.T) {
	model := newFakeModel(200)
	pool := kernel.NewPool(2)
	defer pool.Close()
	s := newScheduler(model, pool, fakeVocab, 256, Options{MaxBatch: 8, PrefillTokens: 64})
	seqs, err := s.sequences([]Request{
		{Prompt: prompt(20), Samples: 4, MaxTokens: 200, Temperature: 1},
		{Prompt: prompt(21), Samples: 4, MaxTokens: 200, Temperature: 1, TopK: 20, TopP: 0.9, RepetitionPenalty: 1.1, LogitBias: []TokenBias{{1, 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.sampler.chunkRows = 1
	s.add(newJob(nil, t.Context(), seqs))
	step := func() {
		if err := lockedStep(s); err != nil {
			t.Fatal(err)
		}
	}
	for range 150 {
		step()
	}
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("%v allocations in a step, want 0", n)
	}
}
