// Package llm is text in, text out: one Generator interface over a local model or a remote endpoint.
//
// It does not render conversations (package chat does), adds no token to a prompt and grades
// nothing. Local is the only Generator in it.
//
// Invariants: Decode(Reply.Tokens) begins with Reply.Text; what is left is the stop that ended it.
// A reply is a function of the model, the prompt and the seed, never of what it was batched with.
package llm

import (
	"context"

	"github.com/retort-ml/retort/engine"
)

// Prompt asks for continuations of a text.
type Prompt struct {
	// Text is what is continued, special tokens included. Text from outside must have been escaped by
	// whoever rendered it.
	Text string
	// MaxTokens is the most tokens of a reply; 0 means as many as the context holds.
	MaxTokens int
	// Temperature divides the logits; 0 means greedy choice.
	Temperature float32
	// Stop lists texts that end a reply wherever they occur in it; an empty one is an error.
	Stop []string
	// StopTokens lists token ids that end a reply.
	StopTokens []int32
	// Seed seeds sample 0; sample i has Seed.Sample+i.
	Seed engine.Seed
	// Samples is the number of replies; 0 means 1.
	Samples int
}

// Reply is one continuation of one prompt.
type Reply struct {
	// Prompt is the index of the prompt in the call, Sample the index of the reply to it.
	Prompt, Sample int
	// Text is the reply up to the stop text or stop token that ended it.
	Text string
	// Tokens holds all sampled ids, those of the stop included, LogProbs their natural-log
	// probabilities at the prompt's temperature (at 1 for greedy choice).
	Tokens   []int32
	LogProbs []float32
	// Finish says why the reply ended.
	Finish engine.FinishReason
}

// Generator continues texts.
type Generator interface {
	// Generate returns all replies to all prompts, prompt after prompt. When ctx is cancelled it
	// returns what there is and ctx.Err().
	Generate(ctx context.Context, prompts []Prompt) ([]Reply, error)
}

// Tokenizer is what a Local needs of a tokenizer. Decoding must not depend on context: the text of
// two lists of tokens joined is the two texts joined.
type Tokenizer interface {
	Encode(text string) []int32
	Decode(tokens []int32) string
}
