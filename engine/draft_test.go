package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
)

// freeRows makes rows cost nothing, so that everything is drafted that can be.
func freeRows(s *scheduler) {
	c := &s.cost
	for i := range s.account.balance {
		s.account.balance[i] = math.Inf(1)
	}
	c.fixed, c.highest = true, maxCostRows
	for i := range c.seconds {
		c.seconds[i] = 1
	}
}

// repetitive makes all samples of r write with two or three tokens.
func repetitive(rng *rand.Rand, r *Request) {
	r.LogitBias = nil
	for i := range 2 + rng.IntN(2) {
		r.LogitBias = append(r.LogitBias, TokenBias{int32(10 + i), 12 + rng.Float32()})
	}
}

// Drafts change nothing, whatever else happens: against each sample by itself without drafts.
func TestDraftTimelines(t *testing.T) {
	var total Stats
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 4))
		size := 40 + rng.IntN(90)
		model := newFakeModel(blocksFor(size) + rng.IntN(4)*rng.IntN(8))
		pool := kernel.NewPool(1 + rng.IntN(2))
		o := (&Options{MaxBatch: 1 + rng.IntN(12), PrefillTokens: 1 + rng.IntN(60), DraftTokens: 1 + rng.IntN(8)}).withDefaults()
		s := newScheduler(model, pool, fakeVocab, size, o)
		freeRows(s)
		reqs := thoughtfulRequests(rng, size)
		for i := range reqs {
			repetitive(rng, &reqs[i])
		}
		seqs, err := s.sequences(reqs)
		if err != nil {
			t.Fatal(err)
		}
		j := newJob(nil, t.Context(), seqs)
		runChecked(t, s, model, j)
		if j.err != nil {
			t.Fatal(j.err)
		}
		compareResults(t, seed, results(j.seqs), aloneOnFake(t, reqs, size))
		pool.Close()
		total.Drafted += s.stats.Drafted
		total.DraftsTaken += s.stats.DraftsTaken
		total.Preemptions += s.stats.Preemptions
	}
	if total.DraftsTaken < 1000 || total.Drafted-total.DraftsTaken < 1000 || total.Preemptions < 50 {
		t.Errorf("timelines are too tame: %+v", total)
	}
}

// testDrafts compares repetitive texts of a model with drafts, in a batch and after preemption, to those without.
func testDrafts(t *testing.T, m *model.Model, kv string, temperature float32) {
	t.Helper()
	reqs := exactRequests(temperature, 25)[:8]
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range reqs {
		repetitive(rng, &reqs[i])
		reqs[i].Samples = 1 + i%3
	}
	want := alone(t, m, kv, reqs)
	for _, o := range []Options{{KV: kv}, {DraftTokens: 3, MaxBatch: 8, Blocks: 28, KV: kv}} {
		cpu := compute.NewCPU(2)
		e, err := New(m, cpu, &o)
		if err != nil {
			t.Fatal(err)
		}
		freeRows(e.scheduler)
		got, err := e.Generate(t.Context(), reqs)
		cpu.Close()
		if err != nil {
			t.Fatal(err)
		}
		if where := difference(got, want); where != "" {
			t.Errorf("with drafts %+v against alone without: they differ at %s", o, where)
		}
		s := e.Stats()
		if s.DraftsTaken < 30 || temperature > 0 && s.Drafted-s.DraftsTaken < 30 || o.Blocks > 0 && s.Preemptions == 0 {
			t.Errorf("%+v: %d of %d drafted tokens came, %d preemptions: too tame", o, s.DraftsTaken, s.Drafted, s.Preemptions)
		}
	}
}

// A text that repeats itself, or one that a sibling has written before, takes fewer steps.
func TestDraftsSaveSteps(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, c := range []struct {
		name    string
		request Request
		steps   int
	}{
		// Siblings of one temperature 0 write the same: the later ones only follow.
		{"siblings", Request{Prompt: prompt(9), Samples: 4, MaxTokens: 90}, 90 + 3*(90/9+4)},
		{"circle", Request{Prompt: prompt(9), MaxTokens: 90, LogitBias: []TokenBias{{7, 900}}}, 90/9 + 6},
	} {
		model := newFakeModel(100)
		s := newScheduler(model, pool, fakeVocab, 128, (&Options{MaxBatch: 1}).withDefaults())
		freeRows(s)
		seqs, err := s.sequences([]Request{c.request})
		if err != nil {
			t.Fatal(err)
		}
		runChecked(t, s, model, newJob(nil, t.Context(), seqs))
		compareResults(t, 0, results(seqs), referenceResults([]Request{c.request}, 128))
		if s.stats.Steps > c.steps {
			t.Errorf("%s: %d steps, want at most %d", c.name, s.stats.Steps, c.steps)
		}
	}
}

func TestStepCost(t *testing.T) {
	var c stepCost
	if got := c.estimate(5); got != 0 {
		t.Errorf("%v before any measurement, want 0", got)
	}
	c.note(4, 40*time.Millisecond)
	c.note(8, 60*time.Millisecond)
	for rows, want := range map[int]float64{1: 0.04, 4: 0.04, 6: 0.05, 8: 0.06, 16: 0.075} {
		if got := c.estimate(rows); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%d rows: %v s, want %v", rows, got, want)
		}
	}
	for range 100 {
		c.note(8, 100*time.Millisecond)
	}
	if got := c.estimate(8); got < 0.0999 || got > 0.1001 {
		t.Errorf("8 rows after other measurements: %v s, want 0.1", got)
	}
	c.note(maxCostRows+1, time.Hour)
	for range 2 * forgetAfter {
		c.note(2, time.Second)
	}
	if got := c.estimate(8); got < 1 {
		t.Errorf("8 rows when only 2 are remembered: %v s, want more than 1", got)
	}
}

// Where rows cost what they cost in a large batch, and where guesses are wrong, nothing is drafted; where they are right and rows are cheap, much is.
func TestDraftLengthFollowsCosts(t *testing.T) {
	for _, c := range []struct {
		accept, perRow float64
		least, most    int
	}{{1, 0, 8, 8}, {0.9, 0.02, 6, 8}, {0.5, 0.3, 1, 1}, {0.2, 0.3, 0, 0}, {1, 1, 0, 0}, {0, 0, 0, 0}} {
		s := &scheduler{draftRows: 64, draftTokens: 8}
		q := &sequence{guessed: 8, book: &phrasebook{accept: c.accept}}
		s.running = []*sequence{q}
		s.cost.highest = maxCostRows
		for rows := range s.cost.seconds {
			s.cost.seconds[rows] = 1 + c.perRow*float64(rows-1)
		}
		if got := s.bestLength(1, 8, 64); got < c.least || got > c.most {
			t.Errorf("acceptance %v, a row costs %v: drafts of %d, want %d to %d", c.accept, c.perRow, got, c.least, c.most)
		}
	}
	b := newPhrasebook()
	for range 100 {
		b.learn(4, 4)
	}
	if b.accept < 0.95 {
		t.Errorf("acceptance %v after right guesses", b.accept)
	}
	for range 200 {
		b.learn(4, 0)
	}
	if b.accept > 0.05 {
		t.Errorf("acceptance %v after wrong guesses", b.accept)
	}
	for range 3000 {
		b.drift()
	}
	if b.accept < 0.4 {
		t.Errorf("acceptance %v long after", b.accept)
	}
}

// What drafts lose stays within the allowance, whatever estimates promise; where they win they are made in all steps but those that measure the others.
func TestDraftAccount(t *testing.T) {
	const steps = 20000
	for _, c := range []struct {
		name        string
		cost        func(step int) float64 // of a step with drafts
		tokens      func(step int) int     // that it brings to 4 samples
		least, most float64                // time, relative to none without drafts
	}{
		{"never right", func(int) float64 { return 2.3 }, func(int) int { return 4 }, 1, 1.012},
		{"dear", func(int) float64 { return 9 }, func(int) int { return 8 }, 1, 1.012},
		{"right", func(int) float64 { return 1.2 }, func(int) int { return 8 }, 0.6, 0.62},
		{"right at times", func(int) float64 { return 1.5 }, func(step int) int { return 4 + 4*(step/1000%2) }, 0.8, 1},
		{"right, then never again", func(int) float64 { return 1.5 }, func(step int) int {
			if step < 200 {
				return 8
			}
			return 4
		}, 0.99, 1.012},
	} {
		var a draftAccount
		time0, plain := 0.0, 0.0
		for step := range steps {
			took, tokens, drafts := 1.0, 4, a.allows(4)
			if drafts {
				took, tokens = c.cost(step), c.tokens(step)
			}
			a.note(4, tokens, drafts, time.Duration(took*float64(time.Second)), 1)
			time0 += took
			plain += float64(tokens) / 4
		}
		if got := time0 / plain; got < c.least || got > c.most {
			t.Errorf("%s: %.4f of the time without drafts, want %v to %v", c.name, got, c.least, c.most)
		}
	}
	var a draftAccount
	a.note(4, 8, true, time.Second, 0)
	if a.allows(4) {
		t.Error("drafts before anything was measured")
	}
}

// BenchmarkDraft decodes one sample of a repetitive and of a free text, with drafts and without. Real costs decide.
func BenchmarkDraft(b *testing.B) {
	m, err := model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: 4096, Width: 512, Layers: 8, Heads: 8, KVHeads: 2, HeadSize: 64, FFN: 1408,
		MaxPositions: 1024, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, 1)
	if err != nil {
		b.Fatal(err)
	}
	cpu := compute.NewCPU(1)
	defer cpu.Close()
	for _, text := range []string{"circle", "free", "noise"} {
		for _, draft := range []int{NoDraft, 0} {
			b.Run(fmt.Sprintf("%s/draft=%v", text, draft == 0), func(b *testing.B) {
				e, err := New(m, cpu, &Options{MaxBatch: 1, DraftTokens: draft})
				if err != nil {
					b.Fatal(err)
				}
				r := Request{Prompt: prompt(20), MaxTokens: 300, Temperature: 1}
				if text == "circle" {
					r.LogitBias = []TokenBias{{7, 900}}
				}
				if text == "noise" { // guesses everywhere, most of them wrong
					for i := range int32(6) {
						r.LogitBias = append(r.LogitBias, TokenBias{10 + i, 900})
					}
				}
				for b.Loop() {
					r.Seed.Run++
					if _, err := e.Generate(b.Context(), []Request{r}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(e.Stats().TokensPerSecond(), "tok/s")
			})
		}
	}
}
