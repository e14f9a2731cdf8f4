package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/kernel"
)

// randomRequests makes requests whose prompts share beginnings of all lengths.
func randomRequests(rng *rand.Rand, context int) []Request {
	stem := make([]int32, context)
	for i := range stem {
		stem[i] = rng.Int32N(fakeVocab)
	}
	reqs := make([]Request, 1+rng.IntN(12))
	for i := range reqs {
		r := &reqs[i]
		n := 1 + rng.IntN(context-1)
		r.Prompt = slices.Clone(stem[:n])
		if changed := rng.IntN(2 * n); changed < n {
			r.Prompt[changed] = rng.Int32N(fakeVocab)
		}
		r.MaxTokens = rng.IntN(50)
		r.Temperature = []float32{0, 1, 1, 0.7}[rng.IntN(4)]
		r.Samples = []int{0, 1, 2, 7}[rng.IntN(4)]
		r.Seed = Seed{Run: 1, Problem: uint64(i)}
		randomSampling(rng, r)
		if rng.IntN(2) == 0 {
			r.Stop = []int32{rng.Int32N(fakeVocab), rng.Int32N(fakeVocab)}
		}
	}
	return reqs
}

// randomSampling sets each of the fields that change the distribution now and then.
func randomSampling(rng *rand.Rand, r *Request) {
	if rng.IntN(2) == 0 {
		return
	}
	r.TopK = []int{0, 0, 1, 3, 10, fakeVocab, 100}[rng.IntN(7)]
	r.TopP = []float32{0, 0, 0.1, 0.5, 0.9, 1}[rng.IntN(6)]
	r.MinP = []float32{0, 0, 0.05, 0.5, 1}[rng.IntN(5)]
	r.RepetitionPenalty = []float32{0, 0, 1, 1.3, 0.8}[rng.IntN(5)]
	r.PresencePenalty = []float32{0, 0, 0.5, -0.5}[rng.IntN(4)]
	r.FrequencyPenalty = []float32{0, 0, 0.2}[rng.IntN(3)]
	r.TopLogProbs = []int{0, 0, 1, 4, fakeVocab + 2}[rng.IntN(5)]
	for _, token := range rng.Perm(fakeVocab)[:[]int{0, 0, 1, 5}[rng.IntN(4)]] {
		r.LogitBias = append(r.LogitBias, TokenBias{int32(token), rng.Float32()*8 - 4})
	}
}

// Random requests under random options: after every step all invariants hold, and every sample is
// what it is alone, without blocks, batches or sharing.
func TestTimelines(t *testing.T) {
	var total Stats
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		context := 17 + rng.IntN(90)
		o := Options{MaxBatch: 1 + rng.IntN(12), PrefillTokens: 1 + rng.IntN(60), MaxStall: time.Hour}
		model := newFakeModel(blocksFor(context) + rng.IntN(4)*rng.IntN(8))
		pool := kernel.NewPool(1 + rng.IntN(2))
		s := newScheduler(model, pool, fakeVocab, context, o)
		s.sampler.chunkRows = 1 + rng.IntN(3)
		for range 2 { // the second call finds what the first one left
			reqs := randomRequests(rng, context)
			seqs, err := s.sequences(reqs)
			if err != nil {
				t.Fatal(err)
			}
			before := s.stats
			runChecked(t, s, model, newJob(nil, t.Context(), seqs))
			compareResults(t, seed, results(seqs), referenceResults(reqs, context))
			prompts := 0
			for _, r := range reqs {
				prompts += len(r.Prompt) * max(r.Samples, 1)
			}
			did := s.stats.Since(before)
			if did.PromptEvaluated+did.PromptShared != prompts {
				t.Errorf("seed %d: %d prompt tokens evaluated and %d shared, want a sum of %d", seed, did.PromptEvaluated, did.PromptShared, prompts)
			}
		}
		pool.Close()
		total.Preemptions += s.stats.Preemptions
		total.Copied += s.stats.Copied
		total.PromptShared += s.stats.PromptShared
		total.Recomputed += s.stats.Recomputed
	}
	// The timelines must reach the hard cases, or they prove nothing.
	if total.Preemptions < 100 || total.Copied < 100 || total.PromptShared < 1000 || total.Recomputed < 1000 {
		t.Errorf("timelines are too tame: %+v", total)
	}
}

func compareResults(t *testing.T, seed uint64, got, want []Result) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("seed %d: %d results, want %d", seed, len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Request != w.Request || g.Sample != w.Sample || g.Finish != w.Finish || g.Thought != w.Thought || !slices.Equal(g.Tokens, w.Tokens) || !slices.Equal(g.LogProbs, w.LogProbs) ||
			!slices.Equal(g.DrawLogProbs, w.DrawLogProbs) || !slices.Equal(g.Alternatives, w.Alternatives) {
			t.Fatalf("seed %d: result %d:\n got %.1000s\nwant %.1000s", seed, i, fmt.Sprint(g), fmt.Sprint(w))
		}
	}
}

// lockedStep is a step as Engine.drive takes it.
func lockedStep(s *scheduler) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.step()
}

// runChecked runs jobs to their end, checks the invariants after every step, and fills free blocks
// with rubbish, as a later use of them would.
func runChecked(t *testing.T, s *scheduler, model *fakeModel, jobs ...*Job) {
	t.Helper()
	for _, j := range jobs {
		s.add(j)
	}
	for steps := 0; s.busy(); steps++ {
		stepChecked(t, s, model)
		if steps > 10000 {
			t.Fatal("no end in sight after 10000 steps")
		}
	}
	if s.blocks.available() != len(s.blocks.blocks) {
		t.Fatalf("%d blocks of %d came back", s.blocks.available(), len(s.blocks.blocks))
	}
}

func stepChecked(t *testing.T, s *scheduler, model *fakeModel) {
	t.Helper()
	var oldest *sequence
	if len(s.running) > 0 {
		oldest = s.running[0]
	}
	if err := lockedStep(s); err != nil {
		t.Fatal(err)
	}
	if oldest != nil && oldest.finish == "" && s.running[0] != oldest {
		t.Fatalf("step %d: the oldest sequence was preempted", s.stats.Steps)
	}
	s.finishJobs(0)
	if err := checkInvariants(s, model); err != nil {
		t.Fatalf("step %d: %v", s.stats.Steps, err)
	}
	for _, id := range s.blocks.free {
		for i := range kernel.BlockTokens {
			model.kv[int(id)*kernel.BlockTokens+i] = 0xdead
		}
	}
}

func checkInvariants(s *scheduler, model *fakeModel) error {
	if len(s.running) > s.maxBatch || len(s.batch.Tokens) > s.maxBatch+s.prefillTokens+s.draftRows || len(s.batch.Rows) > s.maxBatch+s.draftRows {
		return fmt.Errorf("%d running and %d rows, want at most %d and %d more rows", len(s.running), len(s.batch.Tokens), s.maxBatch, s.prefillTokens)
	}
	refs := make([]int32, len(s.blocks.blocks))
	for i, q := range s.running {
		for _, id := range q.blocks {
			refs[id]++
		}
		if q.cached > q.len()-1 || q.cached > len(q.blocks)*kernel.BlockTokens {
			return fmt.Errorf("running %d: %d positions cached of %d tokens in %d blocks", i, q.cached, q.len(), len(q.blocks))
		}
	}
	for _, j := range s.jobs {
		running := 0
		for _, q := range s.running {
			running += btoi(q.job == j)
		}
		if running != j.running {
			return fmt.Errorf("a job has %d running, counted %d", running, j.running)
		}
		for i, q := range j.waiting {
			if len(q.blocks) != 0 || q.cached != 0 {
				return fmt.Errorf("waiting %d holds %d blocks", i, len(q.blocks))
			}
		}
	}
	if err := checkBlocks(s.blocks, refs); err != nil {
		return err
	}
	for i, q := range s.running {
		for b := q.cached / kernel.BlockTokens; b < len(q.blocks); b++ {
			if refs[q.blocks[b]] != 1 {
				return fmt.Errorf("running %d: block %d of its table is still to be written and has %d references", i, b, refs[q.blocks[b]])
			}
		}
		state := fakeStart
		for p := range q.cached {
			want := fakeValue(state, q.token(p))
			if got := model.kv[int(q.blocks[p/kernel.BlockTokens])*kernel.BlockTokens+p%kernel.BlockTokens]; got != want {
				return fmt.Errorf("running %d (request %d sample %d): position %d holds %x, want %x", i, q.request, q.sample, p, got, want)
			}
			state = mix(state ^ want)
		}
	}
	return nil
}

// checkBlocks verifies that each block is held, cached or free, and exactly one of them.
func checkBlocks(p *blockPool, refs []int32) error {
	free := make([]bool, len(p.blocks))
	for _, id := range p.free {
		if free[id] {
			return fmt.Errorf("block %d is free twice", id)
		}
		free[id] = true
	}
	cached := make([]bool, len(p.blocks))
	count, older := 0, noBlock
	for id := p.oldest; id != noBlock; older, id = id, p.blocks[id].newer {
		if p.blocks[id].older != older || cached[id] {
			return fmt.Errorf("block %d: the list of cached blocks is broken", id)
		}
		cached[id] = true
		count++
	}
	if count != p.numCached || p.newest != older {
		return fmt.Errorf("%d cached blocks listed, %d counted", count, p.numCached)
	}
	indexed := make([]bool, len(p.blocks))
	for _, id := range p.buckets {
		for ; id != noBlock; id = p.blocks[id].nextInBucket {
			indexed[id] = true
		}
	}
	for id := range p.blocks {
		b := &p.blocks[id]
		held := b.refs > 0
		if b.refs != refs[id] {
			return fmt.Errorf("block %d has %d references, %d tables hold it", id, b.refs, refs[id])
		}
		if n := btoi(held) + btoi(cached[id]) + btoi(free[id]); n != 1 {
			return fmt.Errorf("block %d is in %d states: held %v, cached %v, free %v", id, n, held, cached[id], free[id])
		}
		if indexed[id] != b.indexed || free[id] && b.indexed || cached[id] && !(b.indexed && b.ready) {
			return fmt.Errorf("block %d: indexed %v (listed %v), ready %v, held %v, cached %v", id, b.indexed, indexed[id], b.ready, held, cached[id])
		}
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
