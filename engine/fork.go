package engine

import (
	"context"
	"fmt"
	"slices"
)

// Fork begins samples that share the first tokens of a sample of j, and goes on from there on its own: blocks that are evaluated
// are shared, those of a sample that runs too.
//
// The fork's request is that of j with one sample, changed by change (nil changes nothing; Prompt and TopLogProbs stay). then is forced behind the shared tokens, as in
// a probe for the answer. Result.Tokens, and Request.MaxTokens, count the shared tokens too. Draws belong to positions: with the same
// seed, and nothing changed or forced, the fork repeats the sample.
//
// tokens is how many tokens to share: at most as many as Next could have told of; -1 means all of these.
func (j *Job) Fork(ctx context.Context, sample, tokens int, then []int32, change func(*Request)) (*Job, error) {
	if sample < 0 || sample >= len(j.views) {
		return nil, &RequestError{Reason: fmt.Sprintf("fork of sample %d, want 0 to %d", sample, len(j.views)-1)}
	}
	j.mu.Lock()
	parent := j.views[sample]
	j.mu.Unlock()
	if tokens == -1 {
		tokens = len(parent.Tokens)
	}
	if tokens < 0 || tokens > len(parent.Tokens) {
		return nil, &RequestError{Reason: fmt.Sprintf("fork after %d tokens of sample %d, want 0 to %d, or -1 for all", tokens, sample, len(parent.Tokens))}
	}
	q := &j.seqs[sample]
	r := *q.r
	r.Samples = 1
	if change != nil {
		change(&r)
		r.Prompt, r.TopLogProbs = q.prompt, q.r.TopLogProbs
	}
	e := j.engine
	fork, err := e.newJob(ctx, []Request{r})
	if err != nil {
		return nil, err
	}
	for i := range fork.seqs {
		f := &fork.seqs[i]
		f.group, f.follows = fork.seqs[i:i+1], false // they share the phrasebook
		if len(f.prompt)+tokens >= f.limit {
			return nil, &RequestError{Reason: fmt.Sprintf("fork after %d tokens of a sample that may have %d, want fewer: raise MaxTokens", tokens, f.limit-len(f.prompt))}
		}
		for _, token := range then {
			if !e.scheduler.knows(token) {
				return nil, &RequestError{Reason: fmt.Sprintf("fork: token %d is forced, want 0 to %d", token, e.scheduler.vocab-1)}
			}
		}
		f.replay(&parent, tokens, then)
	}
	fork.watch(Delivery{})
	e.submit(fork, func() {
		if q.finish == "" {
			e.scheduler.keep(q)
		}
	})
	return fork, nil
}

// replay makes a sample that has not begun one that has taken the first n tokens of another one.
func (q *sequence) replay(from *Update, n int, then []int32) {
	if len(then) > 0 && q.drawLogProbs == nil {
		q.drawLogProbs = []float32{}
	}
	each := len(from.Alternatives) / max(1, len(from.Tokens))
	q.alternatives = slices.Clone(from.Alternatives[:n*each])
	for i, token := range from.Tokens[:n] {
		if !q.greedy {
			uniform(&q.rng)
		}
		forced := len(q.thinker.forced) > 0 && q.thinker.forced[0] == token
		if forced {
			q.thinker.take()
		}
		q.next = drawn{token: token, logProb: from.LogProbs[i], drawLogProb: from.LogProbs[i], forced: forced}
		if from.DrawLogProbs != nil {
			q.next.drawLogProb = from.DrawLogProbs[i]
		}
		q.accept()
		q.finish = "" // also where it ended the other one
	}
	q.thinker.forced = slices.Concat(q.thinker.forced, then)
}
