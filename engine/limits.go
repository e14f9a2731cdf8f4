package engine

import (
	"fmt"
	"slices"

	"github.com/retort-ml/retort/internal/kernel"
)

// limits are the sizes that requests are checked against.
type limits struct{ vocab, context, blocks int }

// sequences checks reqs and lays out their samples, request after request.
func (l *limits) sequences(reqs []Request) ([]sequence, error) {
	total := 0
	for i := range reqs {
		if reason := l.refuse(&reqs[i]); reason != "" {
			return nil, &RequestError{Request: i, Reason: reason}
		}
		if total += max(reqs[i].Samples, 1); total > MaxSamples {
			return nil, &RequestError{Request: i, Reason: fmt.Sprintf("%d samples up to here, want at most %d in a call", total, MaxSamples)}
		}
	}
	reqs = slices.Clone(reqs)
	seqs := make([]sequence, total)
	first := 0
	for i := range reqs {
		r := &reqs[i]
		end := first + max(r.Samples, 1)
		limit := l.limit(r)
		book := newPhrasebook()
		room := min(limit-len(r.Prompt), startCapacity)
		for j := first; j < end; j++ {
			q := &seqs[j]
			*q = sequence{
				request: i, sample: j - first,
				r: r, prompt: r.Prompt, limit: limit, thinker: newThinker(r),
				greedy: r.Temperature == 0, inverseTemperature: InverseTemperature(r.Temperature),
				group: seqs[j : j+1], follows: j > first, book: book,
				said: make([]int32, 0, r.Begun+room), logProbs: make([]float32, 0, room),
			}
			if r.redirects() {
				q.drawLogProbs = make([]float32, 0, room)
			}
			if r.penalises() {
				q.history = newHistory(r)
			}
			if r.Grammar != nil {
				q.grammar = r.Grammar.Start()
			}
			seedGenerator(&q.rng, Seed{Run: r.Seed.Run, Problem: r.Seed.Problem, Sample: r.Seed.Sample + uint64(j-first)})
			if !q.begin(r.Prompt[len(r.Prompt)-r.Begun:], l.vocab) {
				return nil, &RequestError{Request: i, Reason: fmt.Sprintf("the grammar has no way to go on from the %d tokens that the sample begins with", r.Begun)}
			}
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
	return len(r.Prompt) + min(r.MaxTokens, l.context-len(r.Prompt)) // the sum may be more than an int
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
	case r.Begun < 0 || r.Begun > len(r.Prompt):
		return fmt.Sprintf("Begun is %d, want 0 to %d, the tokens of the prompt", r.Begun, len(r.Prompt))
	case r.MaxTokens < 0:
		return fmt.Sprintf("MaxTokens is %d, want 0 (up to the context) or more", r.MaxTokens)
	case r.Samples < 0 || r.Samples > MaxSamples:
		return fmt.Sprintf("Samples is %d, want 0 (one) to %d", r.Samples, MaxSamples)
	case r.Temperature != 0 && !(r.Temperature >= minTemperature && r.Temperature <= maxTemperature):
		return fmt.Sprintf("Temperature is %v, want 0 (greedy) or %v to %v", r.Temperature, minTemperature, maxTemperature)
	}
	if n := l.limit(r); n > l.cached() {
		return fmt.Sprintf("prompt and MaxTokens together are %d tokens, want at most %d for %d KV blocks: raise Options.Blocks or lower MaxTokens", n, l.cached(), l.blocks)
	}
	for i, token := range r.Prompt {
		if !l.knows(token) {
			return fmt.Sprintf("prompt token %d is %d, want 0 to %d", i, token, l.vocab-1)
		}
	}
	for i, token := range r.Stop {
		if !l.knows(token) {
			return fmt.Sprintf("stop token %d is %d, want 0 to %d", i, token, l.vocab-1)
		}
	}
	if reason := l.refuseThinking(r); reason != "" {
		return reason
	}
	return l.refuseSampling(r)
}

// refuseThinking says what is wrong with r.Thinking.
func (l *limits) refuseThinking(r *Request) string {
	t := r.Thinking
	if t == nil {
		return ""
	}
	loop := t.Loop
	if loop == nil {
		loop = &LoopDetection{}
	}
	switch {
	case t.Begins > ThoughtOver:
		return fmt.Sprintf("Thinking.Begins is %d, want 0 to %d", t.Begins, ThoughtOver)
	case len(t.Close) == 0:
		return "Thinking.Close is empty, want the mark that ends a thought"
	case !endsWith(t.closing(), t.Close):
		return "Thinking.Closing does not end with Thinking.Close, and so would not close the thought"
	case t.Budget < NoThought || t.Used < 0 || t.Reserve < 0 || loop.Tokens < 0 || loop.Repeats < 0:
		return fmt.Sprintf("Thinking has a budget of %d, %d used, a reserve of %d, loops of %d tokens in %d repeats: want 0 or more, or the budget NoThought (%d)", t.Budget, t.Used, t.Reserve, loop.Tokens, loop.Repeats, NoThought)
	case r.Grammar != nil && t.Begins == ThoughtUndecided && len(t.Open) > 1:
		return fmt.Sprintf("Thinking.Open has %d tokens, want at most one beside a grammar", len(t.Open))
	}
	for _, list := range [][]int32{t.Open, t.Close, t.Opening, t.Closing, loop.Nudge} {
		for _, token := range list {
			if !l.knows(token) {
				return fmt.Sprintf("Thinking names token %d, want 0 to %d", token, l.vocab-1)
			}
		}
	}
	return ""
}

func (l *limits) knows(token int32) bool { return token >= 0 && int(token) < l.vocab }

// The bounds of what alters the logits: within them the sums are finite.
const (
	maxRepetition   = 100
	minRepetition   = 0.01
	maxPenalty      = 100
	maxBias         = 1000
	maxAlternatives = 256
)

// refuseSampling says what is wrong with the fields that change the distribution.
func (l *limits) refuseSampling(r *Request) string {
	switch {
	case r.TopK < 0:
		return fmt.Sprintf("TopK is %d, want 0 (all) or more", r.TopK)
	case !(r.TopP >= 0 && r.TopP <= 1):
		return fmt.Sprintf("TopP is %v, want 0 (all) to 1", r.TopP)
	case !(r.MinP >= 0 && r.MinP <= 1):
		return fmt.Sprintf("MinP is %v, want 0 (all) to 1", r.MinP)
	case r.RepetitionPenalty != 0 && !(r.RepetitionPenalty >= minRepetition && r.RepetitionPenalty <= maxRepetition):
		return fmt.Sprintf("RepetitionPenalty is %v, want 0 (none) or %v to %v", r.RepetitionPenalty, minRepetition, maxRepetition)
	case !(r.PresencePenalty >= -maxPenalty && r.PresencePenalty <= maxPenalty):
		return fmt.Sprintf("PresencePenalty is %v, want %d to %d", r.PresencePenalty, -maxPenalty, maxPenalty)
	case !(r.FrequencyPenalty >= -maxPenalty && r.FrequencyPenalty <= maxPenalty):
		return fmt.Sprintf("FrequencyPenalty is %v, want %d to %d", r.FrequencyPenalty, -maxPenalty, maxPenalty)
	case r.TopLogProbs < 0 || r.TopLogProbs > maxAlternatives:
		return fmt.Sprintf("TopLogProbs is %d, want 0 to %d", r.TopLogProbs, maxAlternatives)
	}
	named := make(map[int32]bool, len(r.LogitBias))
	for i, b := range r.LogitBias {
		switch {
		case !l.knows(b.Token):
			return fmt.Sprintf("logit bias %d is for token %d, want 0 to %d", i, b.Token, l.vocab-1)
		case named[b.Token]:
			return fmt.Sprintf("logit bias %d is for token %d, which has one already", i, b.Token)
		case !(b.Bias >= -maxBias && b.Bias <= maxBias):
			return fmt.Sprintf("logit bias %d is %v, want %d to %d", i, b.Bias, -maxBias, maxBias)
		}
		named[b.Token] = true
	}
	return ""
}
