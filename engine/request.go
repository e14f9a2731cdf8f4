package engine

import "slices"

// Seed names the random numbers of one sample. Equal seeds give equal draws, whatever the load.
type Seed struct {
	Run, Problem, Sample uint64
}

// Request asks for continuations of one prompt.
//
// A token is drawn from the logits in this order: LogitBias is added, the penalties are applied, Grammar excludes tokens, what is
// left is divided by Temperature and put through a softmax, and of the result TopK, TopP and MinP keep the likeliest tokens. The zero value
// of each of these fields leaves its step out. Result.LogProbs are those of the model all the same.
type Request struct {
	// Prompt is the token ids to continue; at least one.
	Prompt []int32
	// Begun is how many of the last tokens of Prompt are the first ones of each sample, which an earlier request has drawn. Penalties, Thinking
	// (Result.Thought too), Grammar, Constraint and the random numbers take them as the sample's, so that with all else as it was, and MaxTokens less by
	// so many, what follows is what followed there. Result.Tokens and MaxTokens do not count them.
	Begun int
	// MaxTokens is the most tokens a sample may have; one that reaches the end of the context has
	// fewer. 0 means as many as the context and the cache hold.
	MaxTokens int
	// Temperature divides the logits before the softmax: 0 for greedy choice (ties go to the lowest
	// id), else 0.01 to 100.
	Temperature float32
	// TopK keeps the K likeliest tokens (Fan et al. 2018, section 5.4). Of equals the lower id is the likelier, here and below.
	TopK int
	// TopP keeps the fewest tokens, the likeliest first, whose share of what TopK kept is at least P (Holtzman et al. 2020,
	// section 3.1). 1 keeps all of them.
	TopP float32
	// MinP keeps the tokens that are at least P times as probable as the likeliest one (Nguyen et al. 2024, section 3). It takes away from
	// what TopK and TopP keep.
	MinP float32
	// RepetitionPenalty divides the positive logits of tokens that occur in the prompt or the sample, and multiplies the
	// others (Keskar et al. 2019, section 4.1). Above 1 repels, 1 is none; 0.01 to 100.
	RepetitionPenalty float32
	// PresencePenalty is subtracted from the logits of the tokens that occur in the sample, FrequencyPenalty as often as they
	// occur (OpenAI API reference, chat completions). -100 to 100.
	PresencePenalty, FrequencyPenalty float32
	// LogitBias is added to the logits of some tokens, each named once; -1000 to 1000. It may be shared between requests and must not change
	// while they run.
	LogitBias []TokenBias
	// TopLogProbs is how many of the likeliest tokens at each place are given in Result.Alternatives; at most 256.
	TopLogProbs int
	// Stop lists token ids that end a sample.
	Stop []int32
	// Constraint, if set, may end a sample too.
	Constraint Constraint
	// Thinking, if set, follows and bounds the thought.
	Thinking *Thinking
	// Grammar, if set, restricts the tokens after the thought. Tokens of Stop may then come only where the text is complete.
	Grammar Grammar
	// Seed seeds sample 0; sample i has Seed.Sample+i.
	Seed Seed
	// Samples is the number of continuations; 0 means 1. The prompt is evaluated once for all of
	// them. All requests of a call have at most MaxSamples.
	Samples int
}

// MaxSamples bounds the samples of one call: each takes some kilobytes from the beginning.
const MaxSamples = 1 << 20

// TokenBias is what is added to the logit of a token.
type TokenBias struct {
	Token int32
	Bias  float32
}

// Constraint is a rule about what a sample may be.
type Constraint interface {
	// Stops reports whether tokens, all that a sample has so far (from Request.Begun on), end it. It is asked after each
	// token drawn, on several goroutines at once for several samples. The answer must depend on nothing but
	// the tokens; the slice must be neither kept nor changed.
	Stops(tokens []int32) bool
}

// FinishReason says why a sample ended.
type FinishReason string

// The reasons: a stop token or Constraint, the token or context limit, a cancelled context.
const (
	FinishStop      FinishReason = "stop"
	FinishLength    FinishReason = "length"
	FinishCancelled FinishReason = "cancelled"
)

// Result is one sample. The caller owns its slices.
type Result struct {
	// Request is the index of the request in the call, Sample the index of the sample in it.
	Request, Sample int
	// Tokens holds the sampled ids, with the stop token if one ended the sample.
	Tokens []int32
	// LogProbs holds the natural-log probability of each token under softmax(logits/Temperature), the
	// model's own logits, whatever Request does to them; at Temperature 0, under softmax(logits).
	LogProbs []float32
	// DrawLogProbs holds the natural-log probability of each token under the distribution that it was drawn from, or the greedy
	// choice made from; nil if that is the one of LogProbs.
	DrawLogProbs []float32
	// Alternatives holds, for each token in turn, the Request.TopLogProbs likeliest ones at its place, the likeliest first,
	// with log-probabilities as in LogProbs; fewer if the vocabulary is smaller.
	Alternatives []TokenLogProb
	// PromptCached is the number of prompt tokens that were not evaluated because an earlier request had left them in the cache.
	PromptCached int
	// Thought is what has become of the thought, as Request.Thinking marks it.
	Thought Thought
	// Finish says why the sample ended.
	Finish FinishReason
}

// TokenLogProb is a token and its natural-log probability.
type TokenLogProb struct {
	Token   int32
	LogProb float32
}

// cut leaves the first n tokens, as if the sample had been cancelled after them.
func (r *Result) cut(n int) {
	if each := len(r.Alternatives) / max(1, len(r.Tokens)); each > 0 {
		r.Alternatives = r.Alternatives[:n*each]
	}
	if r.DrawLogProbs != nil {
		r.DrawLogProbs = r.DrawLogProbs[:n]
	}
	r.Tokens, r.LogProbs, r.Finish = r.Tokens[:n], r.LogProbs[:n], FinishCancelled
}

// clip leaves no room behind the slices, so that they may be appended to while others append behind them.
func (r *Result) clip() {
	r.Tokens, r.LogProbs = slices.Clip(r.Tokens), slices.Clip(r.LogProbs)
	r.DrawLogProbs, r.Alternatives = slices.Clip(r.DrawLogProbs), slices.Clip(r.Alternatives)
}

// AlternativesAt returns the alternatives to token i.
func (r *Result) AlternativesAt(i int) []TokenLogProb {
	n := len(r.Alternatives) / max(1, len(r.Tokens))
	return r.Alternatives[i*n : (i+1)*n]
}

// truncates reports whether r leaves out tokens of the distribution.
func (r *Request) truncates() bool {
	return r.TopK > 0 || r.TopP > 0 && r.TopP < 1 || r.MinP > 0
}

// penalises reports whether the logits depend on the tokens before.
func (r *Request) penalises() bool {
	return r.repels() || r.PresencePenalty != 0 || r.FrequencyPenalty != 0
}

// repels reports whether the repetition penalty does something.
func (r *Request) repels() bool { return r.RepetitionPenalty != 0 && r.RepetitionPenalty != 1 }

// alters reports whether the logits are changed at every token.
func (r *Request) alters() bool { return r.penalises() || len(r.LogitBias) > 0 }

// redirects reports whether tokens may come otherwise than drawn from the model's own distribution or chosen by it.
func (r *Request) redirects() bool {
	return r.alters() || r.truncates() && r.Temperature != 0 || r.Grammar != nil || r.Thinking != nil
}
