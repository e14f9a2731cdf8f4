package llm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/retort-ml/retort/engine"
)

// Local generates with an engine in this process. It may be used by many goroutines.
type Local struct {
	engine    *engine.Engine
	tokenizer Tokenizer
}

// NewLocal makes a Generator of an engine and the tokenizer of its model.
func NewLocal(e *engine.Engine, t Tokenizer) *Local { return &Local{engine: e, tokenizer: t} }

// Generate implements Generator. A prompt that the engine refuses is an *engine.RequestError with
// the prompt's index.
func (l *Local) Generate(ctx context.Context, prompts []Prompt) ([]Reply, error) {
	reqs := make([]engine.Request, len(prompts))
	for i := range prompts {
		var err error
		if reqs[i], err = l.request(&prompts[i]); err != nil {
			return nil, fmt.Errorf("llm: prompt %d: %w", i, err)
		}
	}
	results, err := l.engine.Generate(ctx, reqs)
	replies := make([]Reply, len(results))
	for i := range results {
		replies[i] = l.reply(&prompts[results[i].Request], &results[i])
	}
	return replies, err
}

// Stream generates the one reply to p and calls yield with each piece of its text as soon as the
// piece is certain: a piece never ends within a character or within what may be a stop text. The
// pieces joined are Reply.Text.
func (l *Local) Stream(ctx context.Context, p Prompt, yield func(text string)) (Reply, error) {
	req, err := l.request(&p)
	if err != nil {
		return Reply{}, fmt.Errorf("llm: prompt 0: %w", err)
	}
	var pending strings.Builder // generated, not yet yielded
	yielded := 0
	result, err := l.engine.Stream(ctx, req, func(token int32, _ float32) {
		if slices.Contains(p.StopTokens, token) {
			return
		}
		pending.WriteString(l.tokenizer.Decode([]int32{token}))
		text := pending.String()
		if n := certain(text, p.Stop); n > 0 {
			yield(text[:n])
			yielded += n
			pending.Reset()
			pending.WriteString(text[n:])
		}
	})
	reply := l.reply(&p, &result)
	if yielded < len(reply.Text) {
		yield(reply.Text[yielded:])
	}
	return reply, err
}

// certain is the number of bytes at the beginning of text that no further token can take back.
func certain(text string, stops []string) int {
	n := len(text) - unfinished(text)
	for _, stop := range stops {
		if at := strings.Index(text, stop); at >= 0 {
			n = min(n, at)
			continue
		}
		for k := min(len(stop)-1, len(text)); k > 0; k-- {
			if strings.HasSuffix(text, stop[:k]) {
				n = min(n, len(text)-k)
				break
			}
		}
	}
	return n
}

// unfinished is the number of bytes at the end of text that may be the beginning of a character.
func unfinished(text string) int {
	for k := 1; k < utf8.UTFMax && k <= len(text); k++ {
		if tail := text[len(text)-k:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			return k
		}
	}
	return 0
}

func (l *Local) request(p *Prompt) (engine.Request, error) {
	r := engine.Request{
		Prompt: l.tokenizer.Encode(p.Text), MaxTokens: p.MaxTokens, Temperature: p.Temperature,
		Stop: p.StopTokens, Seed: p.Seed, Samples: p.Samples,
	}
	if slices.Contains(p.Stop, "") {
		return r, fmt.Errorf("a stop text is empty, want at least one byte")
	}
	if len(p.Stop) > 0 {
		r.Constraint = newStopTexts(l.tokenizer, p.Stop)
	}
	return r, nil
}

func (l *Local) reply(p *Prompt, r *engine.Result) Reply {
	tokens := r.Tokens
	if n := len(tokens); n > 0 && slices.Contains(p.StopTokens, tokens[n-1]) {
		tokens = tokens[:n-1]
	}
	text := l.tokenizer.Decode(tokens)
	cut := len(text)
	for _, stop := range p.Stop {
		if at := strings.Index(text, stop); at >= 0 {
			cut = min(cut, at)
		}
	}
	return Reply{Prompt: r.Request, Sample: r.Sample, Text: text[:cut], Tokens: r.Tokens, LogProbs: r.LogProbs, Finish: r.Finish}
}

// stopTexts is the engine.Constraint that ends a sample when one of some texts occurs in it.
type stopTexts struct {
	tokenizer Tokenizer
	stops     []string
	longest   int // bytes
}

func newStopTexts(t Tokenizer, stops []string) *stopTexts {
	s := &stopTexts{tokenizer: t, stops: stops}
	for _, stop := range stops {
		s.longest = max(s.longest, len(stop))
	}
	return s
}

// Stops implements engine.Constraint. A stop text that ends before the last token has ended the
// sample already, so that only the tail is looked at.
func (s *stopTexts) Stops(tokens []int32) bool {
	last := len(s.tokenizer.Decode(tokens[len(tokens)-1:]))
	tail := ""
	for n := s.longest; ; n *= 2 {
		first := max(0, len(tokens)-n)
		tail = s.tokenizer.Decode(tokens[first:])
		// Tokens may have no text, so n tokens need not have longest bytes.
		if first == 0 || len(tail) >= s.longest-1+last {
			break
		}
	}
	for _, stop := range s.stops {
		if strings.Contains(tail, stop) {
			return true
		}
	}
	return false
}
