package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/kernel"
)

// Jobs come and are called off at any time, some go on where another one ended, and the weights change between them: after every step all
// invariants hold, and every sample is what it is alone.
func TestJobTimelines(t *testing.T) {
	var total Stats
	calledOff, continued := 0, 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		size := 40 + rng.IntN(90)
		o := Options{MaxBatch: 1 + rng.IntN(8), PrefillTokens: 1 + rng.IntN(40), MaxStall: time.Hour}
		model := newFakeModel(blocksFor(size) + rng.IntN(4)*rng.IntN(10))
		pool := kernel.NewPool(1 + rng.IntN(2))
		s := newScheduler(model, pool, fakeVocab, size, o)
		var jobs []*Job
		var asked [][]Request
		for steps := 0; s.busy() || len(jobs) < 8; steps++ {
			if len(jobs) < 8 && (!s.busy() || rng.IntN(8) == 0) {
				reqs := randomRequests(rng, size)
				if n := len(jobs); n > 0 && rng.IntN(2) == 0 && len(jobs[n-1].seqs[0].out) > 0 {
					q := &jobs[n-1].seqs[0]
					if next := slices.Concat(q.prompt, q.out); len(next) < size {
						reqs[0].Prompt = next
						continued++
					}
				}
				seqs, err := s.sequences(reqs)
				if err != nil {
					t.Fatal(err)
				}
				if !s.busy() && rng.IntN(4) == 0 {
					model.version++
				}
				jobs, asked = append(jobs, newJob(nil, t.Context(), seqs)), append(asked, reqs)
				s.add(jobs[len(jobs)-1])
			}
			if rng.IntN(40) == 0 && s.busy() {
				j := s.jobs[rng.IntN(len(s.jobs))]
				s.remove(j)
				j.close(context.Canceled)
				calledOff++
				continue
			}
			stepChecked(t, s, model)
			if steps > 20000 {
				t.Fatal("no end in sight after 20000 steps")
			}
		}
		if s.blocks.available() != len(s.blocks.blocks) {
			t.Fatalf("%d blocks of %d came back", s.blocks.available(), len(s.blocks.blocks))
		}
		for i, j := range jobs {
			want := referenceResults(asked[i], size)
			got := results(j.seqs)
			for k := range got {
				if n := len(got[k].Tokens); got[k].Finish == FinishCancelled {
					each := len(want[k].Alternatives) / max(1, len(want[k].Tokens))
					want[k].Tokens, want[k].LogProbs, want[k].Finish = want[k].Tokens[:n], want[k].LogProbs[:n], FinishCancelled
					want[k].Alternatives = want[k].Alternatives[:n*each]
					want[k].DrawLogProbs = want[k].DrawLogProbs[:min(n, len(want[k].DrawLogProbs))]
				}
			}
			compareResults(t, seed, got, want)
		}
		pool.Close()
		total.Preemptions += s.stats.Preemptions
		total.Copied += s.stats.Copied
		total.PromptShared += s.stats.PromptShared
		total.Recomputed += s.stats.Recomputed
	}
	if total.Preemptions < 100 || total.Copied < 100 || total.PromptShared < 1000 || calledOff < 50 || continued < 50 {
		t.Errorf("timelines are too tame: %+v, %d called off, %d continued", total, calledOff, continued)
	}
}

// Many callers at once get what each gets alone, are batched together, and read streams while others wait.
func TestConcurrentCalls(t *testing.T) {
	model := newFakeModel(60)
	e := newTestEngine(t, model, 128, Options{MaxBatch: 12})
	start := make(chan struct{})
	var calls sync.WaitGroup
	for i := range 6 {
		calls.Go(func() {
			<-start
			reqs := []Request{{Prompt: prompt(12 + i), Samples: 2, MaxTokens: 40, Temperature: 1, TopP: 0.9, Seed: Seed{Run: uint64(i)}}}
			got, err := e.Generate(t.Context(), reqs)
			if err != nil {
				t.Error(err)
				return
			}
			if where := difference(got, referenceResults(reqs, 128)); where != "" {
				t.Errorf("call %d: %s", i, where)
			}
		})
		calls.Go(func() {
			<-start
			req := Request{Prompt: prompt(20 + i), Samples: 3, MaxTokens: 40, Temperature: 0.7, TopLogProbs: 2, Seed: Seed{Run: uint64(i)}}
			j, err := e.Submit(t.Context(), req)
			if err != nil {
				t.Error(err)
				return
			}
			read := make([]Result, 3)
			for u, ok := j.Next(); ok; u, ok = j.Next() {
				r := &read[u.Sample]
				if r.Finish != "" {
					t.Errorf("stream %d: sample %d goes on after its end", i, u.Sample)
				}
				r.Tokens, r.LogProbs = append(r.Tokens, u.Tokens...), append(r.LogProbs, u.LogProbs...)
				r.Alternatives, r.Finish = append(r.Alternatives, u.Alternatives...), u.Finish
				_ = e.Stats()
			}
			got, err := j.Wait()
			if err != nil {
				t.Error(err)
				return
			}
			want := referenceResults([]Request{req}, 128)
			for k := range want {
				if where := difference(got, want) + difference(read, want); where != "" || read[k].Finish != got[k].Finish {
					t.Errorf("stream %d: %s, finished by %q and %q", i, where, read[k].Finish, got[k].Finish)
				}
			}
		})
	}
	close(start)
	calls.Wait()
	if s := e.Stats(); s.Steps*2 > s.Generated {
		t.Errorf("%d steps for %d tokens: the calls were not batched together", s.Steps, s.Generated)
	}
}

// A job that is called off while its prompt is evaluated ends without the batch being run to its end, and others go on.
func TestCancelInPrefill(t *testing.T) {
	model := newFakeModel(100)
	e := newTestEngine(t, model, 512, Options{PrefillTokens: 100})
	other := Request{Prompt: prompt(9), MaxTokens: 60, Temperature: 1}
	ctx, cancel := context.WithCancel(t.Context())
	abandoned := 0
	model.after = func() {
		if e.scheduler.ahead.Load() != nil && len(e.scheduler.batch.Tokens) > 50 && ctx.Err() == nil {
			cancel()
			for wait := 0; !e.scheduler.abandon.Load(); wait++ {
				if wait > 10000 {
					t.Error("nobody abandons the batch")
					return
				}
				time.Sleep(time.Millisecond)
			}
			abandoned++
		}
	}
	running, err := e.Submit(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Generate(ctx, []Request{{Prompt: prompt(300), MaxTokens: 10}})
	if !errors.Is(err, context.Canceled) || len(got) != 1 || got[0].Finish != FinishCancelled || len(got[0].Tokens) != 0 || abandoned != 1 {
		t.Fatalf("got %v, %v, %d batches abandoned, want one cancelled sample", got, err, abandoned)
	}
	if got, err = running.Wait(); err != nil {
		t.Fatal(err)
	}
	compareResults(t, 0, got, referenceResults([]Request{other}, 512))
}

// A call of many samples does not keep out one that comes later, though it fills the batch.
func TestNewcomerGetsAPlace(t *testing.T) {
	model := newFakeModel(400)
	pool := kernel.NewPool(1)
	defer pool.Close()
	s := newScheduler(model, pool, fakeVocab, 256, Options{MaxBatch: 8, PrefillTokens: 64, MaxStall: time.Hour})
	add := func(r Request) *Job {
		seqs, err := s.sequences([]Request{r})
		if err != nil {
			t.Fatal(err)
		}
		j := newJob(nil, t.Context(), seqs)
		s.add(j)
		return j
	}
	big := Request{Prompt: prompt(20), Samples: 50, MaxTokens: 100, Temperature: 1}
	bigJob := add(big)
	for range 10 {
		stepChecked(t, s, model)
	}
	small := Request{Prompt: prompt(30), MaxTokens: 20, Temperature: 1}
	smallJob := add(small)
	for range 21 {
		stepChecked(t, s, model)
	}
	compareResults(t, 0, results(smallJob.seqs), referenceResults([]Request{small}, 256))
	if s.stats.Preemptions != 1 {
		t.Errorf("%d preemptions, want 1", s.stats.Preemptions)
	}
	for s.busy() {
		stepChecked(t, s, model)
	}
	compareResults(t, 0, results(bigJob.seqs), referenceResults([]Request{big}, 256))
	// The one that gave way found its blocks again, but for the unfinished one.
	if s.stats.Recomputed >= kernel.BlockTokens {
		t.Errorf("%d rows computed again, want fewer than %d", s.stats.Recomputed, kernel.BlockTokens)
	}
}

// While a long prompt is evaluated in pieces, a decoding sample gets a token in each step, and a short prompt does not wait for the long one.
func TestLongPromptStallsNobody(t *testing.T) {
	model := newFakeModel(400)
	pool := kernel.NewPool(1)
	defer pool.Close()
	s := newScheduler(model, pool, fakeVocab, 2048, Options{MaxBatch: 8, PrefillTokens: 64, MaxStall: 100 * time.Millisecond})
	add := func(r Request) *sequence {
		seqs, err := s.sequences([]Request{r})
		if err != nil {
			t.Fatal(err)
		}
		s.add(newJob(nil, t.Context(), seqs))
		return &seqs[0]
	}
	decoding := add(Request{Prompt: prompt(9), MaxTokens: 500})
	stepChecked(t, s, model)
	long := add(Request{Prompt: prompt(1900), MaxTokens: 5})
	stepChecked(t, s, model)
	short := add(Request{Prompt: prompt(90), MaxTokens: 5})
	third := add(Request{Prompt: prompt(95), MaxTokens: 5})
	for range 3 {
		stepChecked(t, s, model)
	}
	if len(decoding.out) != 5 || len(short.out) == 0 || len(long.out) != 0 || long.cached < 64+3*16 {
		t.Errorf("after 5 steps: %d tokens decoded, %d of the short prompt, %d rows of the long one", len(decoding.out), len(short.out), long.cached)
	}
	for len(third.out) == 0 {
		stepChecked(t, s, model)
	}
	// At 200 rows a second a piece of 20 rows takes the 100 ms.
	s.stall.perSecond = 200
	before := long.cached
	stepChecked(t, s, model)
	if n := long.cached - before; n != 20 {
		t.Errorf("a piece of %d rows, want 20", n)
	}
	s.stall.perSecond = 3
	before = long.cached
	stepChecked(t, s, model)
	if n := long.cached - before; n != stallRows {
		t.Errorf("a piece of %d rows, want %d", n, stallRows)
	}
}

func TestStallGuardMeasures(t *testing.T) {
	g := stallGuard{target: time.Second}
	if n := g.rows(512); n != 512 {
		t.Errorf("%d rows before any measurement, want 512", n)
	}
	g.note(1, time.Hour)
	g.note(100, time.Second)
	if n := g.rows(512); n != 100 {
		t.Errorf("%d rows at 100 a second, want 100", n)
	}
	for range 50 {
		g.note(50, time.Second)
	}
	if n := g.rows(512); n != 50 {
		t.Errorf("%d rows at 50 a second, want 50", n)
	}
}

// Exclusive waits for what runs, holds up what comes, and what comes then sees the new weights.
func TestExclusive(t *testing.T) {
	model := newFakeModel(60)
	e := newTestEngine(t, model, 256, Options{})
	var log []string
	var mu sync.Mutex
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, args...))
	}
	req := Request{Prompt: prompt(40), MaxTokens: 100}
	running, goOn, letGo := make(chan struct{}), make(chan struct{}), make(chan struct{})
	model.after = func() {
		if model.runs == 3 {
			close(running)
			<-goOn
		}
	}
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := e.Generate(t.Context(), []Request{req}); err != nil {
			t.Error(err)
		}
	})
	<-running
	inside := make(chan struct{})
	failed := errors.New("of f")
	calls.Go(func() {
		err := e.Exclusive(t.Context(), func() error {
			note("exclusive after %d runs", model.runs)
			model.version++
			close(inside)
			<-letGo
			note("end")
			return failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("got %v, want the error of f", err)
		}
	})
	for fenced := false; !fenced; time.Sleep(10 * time.Microsecond) {
		e.mu.Lock()
		fenced = e.fenced
		e.mu.Unlock()
	}
	early, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	close(goOn)
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	late, err := e.Submit(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if got, err := late.Wait(); !errors.Is(err, context.Canceled) || got[0].Finish != FinishCancelled {
		t.Errorf("called off while it waits: got %v, %v", got, err)
	}
	if err := e.Exclusive(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a second exclusive call that is called off: got %v", err)
	}
	second, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // enough for what is not held up
	close(letGo)
	got, err := second.Wait()
	if err != nil {
		t.Fatal(err)
	}
	note("second")
	if got, err := early.Wait(); err != nil || got[0].PromptCached != 0 {
		t.Errorf("submitted while Exclusive waits: got %v, %v, want a prompt evaluated anew", got, err)
	}
	calls.Wait()
	if want := []string{"exclusive after 100 runs", "end", "second"}; !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
	if s := e.Stats(); s.PromptEvaluated != 40+40+1 && s.PromptEvaluated != 40+40 {
		t.Errorf("%d prompt tokens evaluated, want the 40 once under each of the weights: %v", s.PromptEvaluated, got)
	}
}

// The second turn of a conversation evaluates what is new in it and less than a block before.
func TestConversationReadsOnlyWhatIsNew(t *testing.T) {
	e := newTestEngine(t, newFakeModel(100), 512, Options{})
	history := prompt(50)
	for turn := range 4 {
		req := Request{Prompt: history, MaxTokens: 30, Temperature: 1, Seed: Seed{Run: uint64(turn)}}
		before := e.Stats()
		got, err := e.Generate(t.Context(), []Request{req})
		if err != nil {
			t.Fatal(err)
		}
		compareResults(t, 0, got, referenceResults([]Request{req}, 512))
		// 30 tokens of the reply, of which the last was never run, and 7 of the question.
		if did := e.Stats().Since(before); turn > 0 && did.PromptEvaluated > 7+kernel.BlockTokens || turn == 0 && did.PromptEvaluated != 50 {
			t.Errorf("turn %d: %d prompt tokens evaluated", turn, did.PromptEvaluated)
		}
		history = slices.Concat(history, got[0].Tokens, prompt(7))
	}
}

// The load tells what runs, what waits and how full the cache is.
func TestLoad(t *testing.T) {
	model := newFakeModel(40)
	e := newTestEngine(t, model, 128, Options{MaxBatch: 2})
	if got := e.Load(); got != (Load{Blocks: 40}) {
		t.Errorf("at rest: %+v", got)
	}
	reached, seen := make(chan struct{}), make(chan struct{})
	model.after = func() {
		if model.runs == 5 {
			close(reached)
			<-seen
		}
	}
	req := Request{Prompt: prompt(20), MaxTokens: 30, Samples: 5, Temperature: 1}
	first, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	second, err := e.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	// Two of the first run with two blocks each, one of which they share, and three wait; the second has not been seen yet.
	if got := e.Load(); got.Jobs != 2 || got.Running != 2 || got.Waiting != 3+1 || got.Held != 3 || got.Blocks != 40 {
		t.Errorf("busy: %+v", got)
	}
	close(seen)
	for _, j := range []*Job{first, second} {
		if _, err := j.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	for wait := 0; ; wait++ {
		time.Sleep(time.Millisecond)
		got := e.Load()
		if got.Jobs+got.Running+got.Waiting+got.Held == 0 && got.Kept > 0 {
			break
		}
		if wait > 10000 {
			t.Fatalf("at rest again: %+v", got)
		}
	}
}
