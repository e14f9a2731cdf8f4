package engine

import (
	"context"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/kernel"
)

// watched adds a job with a reader to a scheduler that the test steps.
func watched(t *testing.T, s *scheduler, n int, d Delivery) *Job {
	t.Helper()
	seqs, err := s.sequences([]Request{{Prompt: []int32{int32(1 + len(s.jobs))}, MaxTokens: n, Temperature: 1}})
	if err != nil {
		t.Fatal(err)
	}
	j := newJob(nil, t.Context(), seqs)
	j.watch(d)
	s.add(j)
	return j
}

// polled is how many tokens a job tells at once, and whether it tells anything; none of its samples is told twice in a row.
func polled(t *testing.T, j *Job) (tokens int, ok bool) {
	t.Helper()
	u, ok := j.Poll()
	if _, again := j.Poll(); again {
		t.Error("told twice")
	}
	return len(u.Tokens), ok
}

// News are told together, the first and the last at once, and to all jobs at the same moment.
func TestGather(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	s := newScheduler(newFakeModel(400), pool, fakeVocab, 256, Options{MaxBatch: 32, PrefillTokens: 400, MaxStall: time.Hour})
	const gather = 20 * time.Millisecond
	wake := make(chan struct{}, 1)
	held, ending, open := watched(t, s, 60, Delivery{Gather: gather, Wake: wake}), watched(t, s, 3, Delivery{Gather: gather}), watched(t, s, 60, Delivery{})
	step := func(at time.Duration, told bool, want, wantEnding int) {
		t.Helper()
		if err := lockedStep(s); err != nil {
			t.Fatal(err)
		}
		if s.finishJobs(at); len(wake) == 1 != told {
			t.Errorf("at %v: woken: %v, want %v", at, len(wake) == 1, told)
		}
		if told {
			<-wake
		}
		for i, c := range []struct {
			job  *Job
			want int
		}{{held, want}, {ending, wantEnding}, {open, 1}} {
			if n, ok := polled(t, c.job); n != c.want || ok != (c.want > 0) {
				t.Errorf("at %v: job %d tells %d tokens, want %d", at, i, n, c.want)
			}
		}
	}
	step(21*time.Millisecond, true, 1, 1)
	step(25*time.Millisecond, false, 0, 0)
	step(30*time.Millisecond, false, 0, 2) // it has ended
	step(39*time.Millisecond, false, 0, 0)
	step(40*time.Millisecond, true, 4, 0)
	step(59*time.Millisecond, false, 0, 0)
	step(75*time.Millisecond, true, 2, 0)
	for range manyJobs {
		watched(t, s, 60, Delivery{})
	}
	step(101*time.Millisecond, true, 1, 0) // the windows of a crowd are 50 ms long
	step(149*time.Millisecond, false, 0, 0)
	step(151*time.Millisecond, true, 2, 0)
}

// What is held back is told before a step that takes long, as far as that is known.
func TestTellBefore(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	s := newScheduler(newFakeModel(100), pool, fakeVocab, 256, Options{MaxBatch: 8, PrefillTokens: 64, MaxStall: time.Hour})
	j := watched(t, s, 60, Delivery{Gather: 20 * time.Millisecond})
	for i, c := range []struct {
		speed float64 // rows per second
		want  int
	}{{1, 1}, {0, 1}, {1000, 0}, {10, 2}, {499, 1}, {501, 0}} {
		if err := lockedStep(s); err != nil {
			t.Fatal(err)
		}
		if s.finishJobs(time.Millisecond) != (i == 0) {
			t.Fatalf("case %d: the first news, and no others, are told at once", i)
		}
		s.stall.perSecond = c.speed
		s.tellBefore(10)
		if n, _ := polled(t, j); n != c.want {
			t.Errorf("%v rows a second: told %d tokens, want %d", c.speed, n, c.want)
		}
	}
}

// One goroutine reads several jobs, and misses nothing of what it was not woken for by itself.
func TestPoll(t *testing.T) {
	e := newTestEngine(t, newFakeModel(60), 128, Options{MaxBatch: 12})
	wake := make(chan struct{}, 1)
	var jobs []*Job
	var reqs []Request
	read := make([]Result, 4)
	for i := range read {
		reqs = append(reqs, Request{Prompt: prompt(12 + i), MaxTokens: 30 + 5*i, Temperature: 1, Seed: Seed{Run: uint64(i)}})
		j, err := e.SubmitTo(t.Context(), reqs[i], Delivery{Gather: time.Duration(i) * time.Millisecond, Wake: wake})
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	for open := len(jobs); open > 0; {
		select {
		case <-wake:
		case <-time.After(10 * time.Second):
			t.Fatalf("%d jobs are not over, and tell nothing", open)
		}
		for i, j := range jobs {
			for u, ok := j.Poll(); ok; u, ok = j.Poll() {
				r := &read[i]
				r.Request, r.Thought, r.Finish = i, u.Thought, u.Finish
				r.Tokens, r.LogProbs = append(r.Tokens, u.Tokens...), append(r.LogProbs, u.LogProbs...)
				if u.Finish != "" {
					open--
				}
			}
		}
	}
	compareResults(t, 0, read, referenceResults(reqs, 128))
}

// A job that is let go while the batch of others runs tells what its result has, though it was held back.
func TestLetGoTellsAll(t *testing.T) {
	model := newFakeModel(100)
	e := newTestEngine(t, model, 512, Options{PrefillTokens: 100})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	letGo := false
	var gone *Job
	model.after = func() {
		if letGo || gone == nil || len(gone.seqs[0].out) < 7 {
			return
		}
		letGo = true
		cancel()
		<-gone.Done()
	}
	var others []*Job
	ready, fenced := make(chan struct{}), make(chan struct{})
	go func() { // while nobody may run, all are handed in
		if err := e.Exclusive(t.Context(), func() error { close(fenced); <-ready; return nil }); err != nil {
			t.Error(err)
		}
	}()
	<-fenced
	for range 3 {
		j, err := e.Submit(t.Context(), Request{Prompt: prompt(9), MaxTokens: 60, Temperature: 1})
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, j)
	}
	var err error
	if gone, err = e.SubmitTo(ctx, Request{Prompt: prompt(9), MaxTokens: 60, Temperature: 1}, Delivery{Gather: time.Hour}); err != nil {
		t.Fatal(err)
	}
	close(ready)
	told := 0
	for u, ok := gone.Next(); ok; u, ok = gone.Next() {
		told += len(u.Tokens)
	}
	results, err := gone.Wait()
	if err == nil || len(results) != 1 || len(results[0].Tokens) != told || told < 7 {
		t.Errorf("told %d tokens, and the result is %+v, %v", told, results, err)
	}
	for _, j := range others {
		if _, err := j.Wait(); err != nil {
			t.Error(err)
		}
	}
}
