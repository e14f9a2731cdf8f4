// Package llm is text in, text out: one Generator interface over a local model or a remote endpoint.
//
// It knows no template (whoever makes a Local supplies the rendering, a remote endpoint has its own), adds no token to a
// prompt and grades nothing.
//
// Invariants: Reply.Text is the completion as a model writes it, thought and mark included, also where an endpoint gave the
// thought apart. A local reply is a function of the model, the prompt and the seed, never of what it was batched with, and
// Decode(Reply.Tokens) begins with its Text; what is left is the stop that ended it. Replies are in the order of prompts and
// samples, however they came.
package llm

import (
	"context"
	"fmt"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
)

// Prompt asks for continuations of a text, or for replies to a conversation.
type Prompt struct {
	// Text is what is continued, special tokens included. Text from outside must have been escaped by
	// whoever rendered it.
	Text string
	// Messages is a conversation, which the generator renders by its model's own template, up to where
	// the assistant speaks. It stands instead of Text: both together are an error.
	Messages []chat.Message
	// MaxTokens is the most tokens of a reply; 0 means as many as the context holds.
	MaxTokens int
	// Temperature divides the logits; 0 means greedy choice.
	Temperature float32
	// TopP keeps the fewest most probable tokens whose probabilities sum to at least TopP (nucleus sampling,
	// Holtzman et al., arXiv:1904.09751); above 0 to 1, and 0 means 1, all tokens.
	TopP float32
	// TopK keeps the K most probable tokens, MinP those at least P times as probable as the most probable one; 0 means all. A
	// remote endpoint is not asked for them.
	TopK int
	MinP float32
	// Think bounds the thought of a local reply.
	Think Think
	// Schema is a JSON schema that the answer follows, Grammar a grammar in llama.cpp's notation (GBNF); both
	// begin after the thought, and only a local model knows them.
	Schema, Grammar string
	// Stop lists texts that end a reply wherever they occur in it; an empty one is an error.
	Stop []string
	// StopTokens lists token ids that end a reply, beside those by which the model ends its turn in a
	// conversation.
	StopTokens []int32
	// Seed seeds sample 0; sample i has Seed.Sample+i.
	Seed engine.Seed
	// Samples is the number of replies; 0 means 1.
	Samples int
}

// The finish reasons of a remote reply beside those of package engine.
const (
	// FinishRefusal is a reply that the endpoint withheld or cut by a rule about its content.
	FinishRefusal engine.FinishReason = "refusal"
	// FinishTools is a reply that ends by calling a tool.
	FinishTools engine.FinishReason = "tool_calls"
	// FinishError is no whole reply: Reply.Err says why. It is missing, not wrong.
	FinishError engine.FinishReason = "error"
)

// Reply is one continuation of one prompt.
type Reply struct {
	// Prompt is the index of the prompt in the call, Sample the index of the reply to it.
	Prompt, Sample int
	// Text is the whole reply up to the stop text or stop token that ended it, as the model writes it after its prompt. Of an
	// endpoint that gives the thought apart, it is thought, "\n</think>\n\n" and answer (without the mark if the reply
	// ended within the thought).
	Text string
	// Thought and Answer are the two parts of Text, without the marks and the white space beside them, where it is known
	// where the reply began: of a reply to Messages, to a Text that ends by opening a thought, or of an endpoint that gives
	// them apart. Both are empty otherwise. A thought that did not end has no answer.
	Thought, Answer string
	// Tokens holds all sampled ids, those of the stop included, LogProbs their natural-log
	// probabilities at the prompt's temperature (at 1 for greedy choice). A remote reply has neither,
	// but for LogProbs where they were asked for, as its endpoint means them (most: at temperature 1).
	Tokens   []int32
	LogProbs []float32
	// PromptTokens is the number of tokens of the prompt, ReplyTokens that of the reply, the stop
	// included, ThoughtTokens how many of these are the thought. A remote endpoint counts them
	// itself; 0 where it does not say.
	PromptTokens, ReplyTokens, ThoughtTokens int
	// Finish says why the reply ended.
	Finish engine.FinishReason
	// Err says why there is no whole reply, with FinishError and FinishRefusal.
	Err error
}

// Generator continues texts.
type Generator interface {
	// Generate returns all replies to all prompts, prompt after prompt. When ctx is cancelled it
	// returns what there is and ctx.Err().
	Generate(ctx context.Context, prompts []Prompt) ([]Reply, error)
}

// Streamer is a Generator that hands over each reply when it is whole, so that none is lost with those that follow.
type Streamer interface {
	Generator
	// Each calls yield with each reply as it comes, in any order, one call at a time. When yield returns an error nothing
	// further is asked, and Each returns that error.
	Each(ctx context.Context, prompts []Prompt, yield func(Reply) error) error
}

// Tokenizer is what a Local needs of a tokenizer. Decoding must not depend on context: the text of
// two lists of tokens joined is the two texts joined.
type Tokenizer interface {
	Encode(text string) []int32
	Decode(tokens []int32) string
}

// check is an error if a prompt cannot be understood, whoever would answer it.
func (p *Prompt) check() error {
	switch {
	case p.Text != "" && len(p.Messages) > 0:
		return fmt.Errorf("got a text and %d messages, want one or the other", len(p.Messages))
	case !(p.TopP >= 0 && p.TopP <= 1):
		return fmt.Errorf("top-p: got %v, want above 0 to 1, or 0 for 1", p.TopP)
	}
	for _, stop := range p.Stop {
		if stop == "" {
			return fmt.Errorf("a stop text is empty, want at least one byte")
		}
	}
	return p.checkConstraints()
}
