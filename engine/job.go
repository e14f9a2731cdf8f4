package engine

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Job is a request that an engine answers. Its methods may be called from many goroutines, Next and Poll from one.
type Job struct {
	engine *Engine
	ctx    context.Context
	seqs   []sequence
	over   chan struct{} // closed when nothing of the job runs any more
	detach func() bool   // from ctx
	err    error         // read after over
	left   []Result      // what there was when the job was let go, read after over

	// The scheduler's.
	waiting []*sequence // a stack: the last one is next
	running int
	held    bool // not to be admitted in this step
	rows    int

	gather     time.Duration // see Delivery
	lastWindow int64         // in which news were told, 0 before any were

	mu     sync.Mutex
	views  []Update      // what can be read of each sample; nil if nobody does
	read   []int         // tokens of it that Next has returned, and
	told   []bool        // whether it has told how the sample ended
	cursor int           // the sample that Next looks at first
	wake   chan struct{} // holds a value after a change
}

// Update is what has come to one sample. Its slices must not be changed.
type Update struct {
	// Sample is the index of the sample.
	Sample int
	// Tokens and the rest are those since the last update, as in Result.
	Tokens       []int32
	LogProbs     []float32
	DrawLogProbs []float32
	Alternatives []TokenLogProb
	// Thought is what has become of the thought so far.
	Thought Thought
	// Finish says why the sample ended, "" while it goes on.
	Finish FinishReason
}

// CloseThought ends the thought of a sample that is within one: Thinking.Closing comes next. It does nothing to a sample that is past its thought, has ended,
// or has no Thinking.
func (j *Job) CloseThought(sample int) {
	j.engine.order(func() {
		if sample < 0 || sample >= len(j.seqs) {
			return
		}
		q := &j.seqs[sample]
		if q.finish == "" {
			q.thinker.asked = true
			q.thinker.steer(q.said, q.limit-q.len())
		}
	})
}

// CloseThoughts does so for all samples.
func (j *Job) CloseThoughts() {
	for i := range j.seqs {
		j.CloseThought(i)
	}
}

// newJob checks reqs and lays out their samples.
func (e *Engine) newJob(ctx context.Context, reqs []Request) (*Job, error) {
	seqs, err := e.scheduler.sequences(reqs)
	if err != nil {
		return nil, err
	}
	return newJob(e, ctx, seqs), nil
}

func newJob(e *Engine, ctx context.Context, seqs []sequence) *Job {
	j := &Job{engine: e, ctx: ctx, seqs: seqs, over: make(chan struct{})}
	for i := range seqs {
		seqs[i].job = j
	}
	return j
}

// Wait returns the samples when all have ended. Errors and cancelling are as in Engine.Generate.
func (j *Job) Wait() ([]Result, error) {
	<-j.over
	if j.left != nil {
		return j.left, j.ctx.Err()
	}
	if j.err != nil && !errors.Is(j.err, j.ctx.Err()) {
		return nil, j.err
	}
	return results(j.seqs), j.err
}

// Done is closed when all samples have ended, or the job has. What Next has not told yet it still tells.
func (j *Job) Done() <-chan struct{} { return j.over }

// Next waits until some sample has new tokens or has ended, and returns what is new of it. Samples take turns. After the last news of all samples, and after
// an error, which Wait returns, it is false.
func (j *Job) Next() (Update, bool) {
	for {
		over := false
		select {
		case <-j.over:
			over = true
		default:
		}
		if u, ok := j.Poll(); ok || over {
			return u, ok
		}
		select {
		case <-j.wake:
		case <-j.over:
		}
	}
}

// Poll is Next without waiting: it is false if there is nothing new. Delivery.Wake says when to ask again. What ends a sample is news.
func (j *Job) Poll() (Update, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for n := range j.views {
		i := (j.cursor + n) % len(j.views)
		v, read := &j.views[i], j.read[i]
		if len(v.Tokens) == read && (v.Finish == "" || j.told[i]) {
			continue
		}
		j.cursor, j.read[i], j.told[i] = i+1, len(v.Tokens), v.Finish != ""
		u := Update{Sample: i, Tokens: v.Tokens[read:], LogProbs: v.LogProbs[read:], Thought: v.Thought, Finish: v.Finish}
		if v.DrawLogProbs != nil {
			u.DrawLogProbs = v.DrawLogProbs[read:]
		}
		if len(v.Tokens) > 0 {
			each := len(v.Alternatives) / len(v.Tokens)
			u.Alternatives = v.Alternatives[read*each:]
		}
		return u, true
	}
	return Update{}, false
}

// publish shows Next what there is, and reports whether it is new. The driving goroutine only appends to what it has shown.
func (j *Job) publish() bool {
	if j.views == nil || j.left != nil {
		return false
	}
	j.mu.Lock()
	changed := false
	for i := range j.views {
		q, v := &j.seqs[i], &j.views[i]
		if len(v.Tokens) == len(q.out) && v.Finish == q.finish {
			continue
		}
		changed = true
		*v = Update{Tokens: q.out, LogProbs: q.logProbs, DrawLogProbs: q.drawLogProbs, Alternatives: q.alternatives, Thought: q.thinker.Thought, Finish: q.finish}
	}
	j.mu.Unlock()
	if changed {
		j.poke()
	}
	return changed
}

// poke wakes the reader.
func (j *Job) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// letGo ends a job for its caller while a batch runs that holds rows of it. What the driving goroutine appends to its samples after that is not
// seen. The scheduler's mu is held.
func (j *Job) letGo() {
	if j.left != nil {
		return
	}
	left := results(j.seqs)
	for i := range left {
		if r := &left[i]; r.Finish == "" {
			r.Finish = FinishCancelled
		}
		left[i].clip()
	}
	if j.views != nil {
		j.mu.Lock()
		for i := range j.views {
			r := &left[i]
			j.views[i] = Update{Tokens: r.Tokens, LogProbs: r.LogProbs, DrawLogProbs: r.DrawLogProbs, Alternatives: r.Alternatives, Thought: r.Thought, Finish: r.Finish}
		}
		j.mu.Unlock()
		j.poke()
	}
	j.left = left
	close(j.over)
}

// close ends the job. The scheduler's mu is held, or it does not know the job.
func (j *Job) close(err error) {
	if j.left != nil {
		return
	}
	if j.err == nil {
		j.err = err
	}
	for i := range j.seqs {
		if q := &j.seqs[i]; q.finish == "" {
			q.finish = FinishCancelled
		}
	}
	j.publish()
	if j.detach != nil {
		j.detach()
	}
	close(j.over)
}

func results(seqs []sequence) []Result {
	r := make([]Result, len(seqs))
	for i := range seqs {
		q := &seqs[i]
		r[i] = Result{
			Request: q.request, Sample: q.sample, Tokens: q.out, LogProbs: q.logProbs,
			DrawLogProbs: q.drawLogProbs, Alternatives: q.alternatives, PromptCached: q.promptCached, Thought: q.thinker.Thought, Finish: q.finish,
		}
	}
	return r
}
