package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/retort-ml/retort/internal/kernel"
)

// sequence is one sample: its tokens so far and, while it runs, its place in the cache.
type sequence struct {
	request, sample    int
	prompt             []int32
	out                []int32
	logProbs           []float32
	limit              int // most tokens, prompt included
	stop               []int32
	constraint         Constraint
	greedy             bool
	inverseTemperature float32
	rng                rand.PCG
	finish             FinishReason
	group              []sequence // itself, and for sample 0 also all other samples of the request

	blocks   []int32 // block table, empty while waiting
	cached   int     // positions whose keys and values stand in the blocks
	furthest int     // the most that cached ever was
	unready  int     // first prompt block of the table that is indexed but not yet written
	rows     int     // rows in the batch being run
	lastStep int     // the last step it was in, or that of its admission

	next        int32 // drawn, not yet appended
	nextLogProb float32
}

func (q *sequence) len() int { return len(q.prompt) + len(q.out) }

// token returns the token at a position of the prompt or the output.
func (q *sequence) token(position int) int32 {
	if position < len(q.prompt) {
		return q.prompt[position]
	}
	return q.out[position-len(q.prompt)]
}

// promptBlock returns the prompt tokens in block i of the table.
func (q *sequence) promptBlock(i int) []int32 {
	start := i * kernel.BlockTokens
	return q.prompt[start:min(start+kernel.BlockTokens, len(q.prompt))]
}

// numPromptBlocks is the number of blocks that hold prompt tokens.
func (q *sequence) numPromptBlocks() int { return blocksFor(len(q.prompt)) }

// decides lists the sequences whose next token the last row of q decides: q, and at the end of the
// prompt all samples of the request.
func (q *sequence) decides() []sequence {
	if len(q.out) == 0 {
		return q.group
	}
	return q.group[:1]
}

func (q *sequence) draw(token int32, logProb float32) {
	q.next, q.nextLogProb = token, logProb
}

// accept appends the drawn token and finds out whether it ends the sample.
func (q *sequence) accept() {
	q.out = append(q.out, q.next)
	q.logProbs = append(q.logProbs, q.nextLogProb)
	switch {
	case slices.Contains(q.stop, q.next), q.constraint != nil && q.constraint.Stops(q.out):
		q.finish = FinishStop
	case q.len() == q.limit:
		q.finish = FinishLength
	}
}

// blocksFor is the number of blocks that hold the keys and values of n positions.
func blocksFor(n int) int { return (n + kernel.BlockTokens - 1) / kernel.BlockTokens }

// startCapacity is the room for tokens that a sample gets at once; longer outputs double it.
const startCapacity = 256

// limits are the sizes that requests are checked against.
type limits struct{ vocab, context, blocks int }

// sequences checks reqs and lays out their samples, request after request.
func (l *limits) sequences(reqs []Request) ([]sequence, error) {
	total := 0
	for i := range reqs {
		if reason := l.refuse(&reqs[i]); reason != "" {
			return nil, &RequestError{Request: i, Reason: reason}
		}
		total += max(reqs[i].Samples, 1)
	}
	seqs := make([]sequence, total)
	first := 0
	for i := range reqs {
		r := &reqs[i]
		end := first + max(r.Samples, 1)
		limit := l.limit(r)
		room := min(limit-len(r.Prompt), startCapacity)
		for j := first; j < end; j++ {
			q := &seqs[j]
			*q = sequence{
				request: i, sample: j - first,
				prompt: r.Prompt, limit: limit, stop: r.Stop, constraint: r.Constraint,
				greedy: r.Temperature == 0, inverseTemperature: InverseTemperature(r.Temperature),
				group: seqs[j : j+1],
				out:   make([]int32, 0, room), logProbs: make([]float32, 0, room),
			}
			seedGenerator(&q.rng, Seed{Run: r.Seed.Run, Problem: r.Seed.Problem, Sample: r.Seed.Sample + uint64(j-first)})
		}
		seqs[first].group = seqs[first:end]
		first = end
	}
	return seqs, nil
}

// limit is the most tokens, prompt included, that a sample of r may have.
func (l *limits) limit(r *Request) int {
	if r.MaxTokens == 0 {
		return max(len(r.Prompt)+1, min(l.context, l.cached()))
	}
	return min(len(r.Prompt)+r.MaxTokens, l.context)
}

// cached is the most tokens that one sample may have if it has the whole cache. Its last token is
// never run, so that it needs no place.
func (l *limits) cached() int { return l.blocks*kernel.BlockTokens + 1 }

// The range of temperatures other than 0: beyond it logits/T leaves the useful range of a float32.
const (
	minTemperature = 0.01
	maxTemperature = 100
)

// refuse says why r cannot be served, "" if it can.
func (l *limits) refuse(r *Request) string {
	switch {
	case len(r.Prompt) == 0:
		return "the prompt is empty, want at least one token"
	case len(r.Prompt) >= l.context:
		return fmt.Sprintf("the prompt has %d tokens, want fewer than the context of %d: shorten it", len(r.Prompt), l.context)
	case r.MaxTokens < 0:
		return fmt.Sprintf("MaxTokens is %d, want 0 (up to the context) or more", r.MaxTokens)
	case r.Samples < 0:
		return fmt.Sprintf("Samples is %d, want 0 (one) or more", r.Samples)
	case r.Temperature != 0 && !(r.Temperature >= minTemperature && r.Temperature <= maxTemperature):
		return fmt.Sprintf("Temperature is %v, want 0 (greedy) or %v to %v", r.Temperature, minTemperature, maxTemperature)
	}
	if n := l.limit(r); n > l.cached() {
		return fmt.Sprintf("prompt and MaxTokens together are %d tokens, want at most %d for %d KV blocks: raise Options.Blocks or lower MaxTokens", n, l.cached(), l.blocks)
	}
	for i, token := range r.Prompt {
		if token < 0 || int(token) >= l.vocab {
			return fmt.Sprintf("prompt token %d is %d, want 0 to %d", i, token, l.vocab-1)
		}
	}
	for i, token := range r.Stop {
		if token < 0 || int(token) >= l.vocab {
			return fmt.Sprintf("stop token %d is %d, want 0 to %d", i, token, l.vocab-1)
		}
	}
	return ""
}

// finite reports whether x is neither infinite nor NaN.
func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
