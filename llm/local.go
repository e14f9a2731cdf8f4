package llm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
)

// LocalOptions say how a local model is spoken to. The zero value is a model that only continues texts.
type LocalOptions struct {
	// Render makes the prompt of a conversation: its ids, its marks with their ids where they are tokens, and whether the
	// reply begins within a thought. nil: Prompt.Messages are an error.
	Render func(messages []chat.Message) (chat.Prompt, error)
	// Ends lists the token ids by which the model ends its turn in a conversation.
	Ends []int32
}

// Local generates with an engine in this process. It may be used by many goroutines.
type Local struct {
	engine      *engine.Engine
	tokenizer   Tokenizer
	options     LocalOptions
	constraints constraints
}

// NewLocal makes a Generator of an engine and the tokenizer of its model.
func NewLocal(e *engine.Engine, t Tokenizer) *Local { return NewLocalWith(e, t, LocalOptions{}) }

// NewLocalWith makes a Generator that is spoken to as the options say.
func NewLocalWith(e *engine.Engine, t Tokenizer, o LocalOptions) *Local {
	return &Local{engine: e, tokenizer: t, options: o}
}

// asked is a prompt as the engine gets it.
type asked struct {
	engine.Request
	stops []string
	tags  chat.Tags
	state chat.State
	split bool // it is known where the reply begins
}

// Generate implements Generator. A prompt that the engine refuses is an *engine.RequestError with
// the prompt's index.
func (l *Local) Generate(ctx context.Context, prompts []Prompt) ([]Reply, error) {
	all := make([]asked, len(prompts))
	reqs := make([]engine.Request, len(prompts))
	for i := range prompts {
		var err error
		if all[i], err = l.request(&prompts[i]); err != nil {
			return nil, fmt.Errorf("llm: prompt %d: %w", i, err)
		}
		reqs[i] = all[i].Request
	}
	results, err := l.engine.Generate(ctx, reqs)
	replies := make([]Reply, len(results))
	for i := range results {
		replies[i] = l.reply(&all[results[i].Request], &results[i])
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
	result, err := l.engine.Stream(ctx, req.Request, func(token int32, _ float32) {
		if slices.Contains(req.Stop, token) {
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
	reply := l.reply(&req, &result)
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

// Prepared is a prompt as the engine gets it, for callers that read its tokens themselves (engine.Submit).
type Prepared struct {
	Request engine.Request
	// Tags and State are for a chat.Splitter of each reply; Split says whether it is known where replies begin.
	Tags  chat.Tags
	State chat.State
	Split bool
}

// Prepare renders and checks a prompt as Generate does. Stop texts end a reply, and are still in its tokens.
func (l *Local) Prepare(p Prompt) (Prepared, error) {
	a, err := l.request(&p)
	if err != nil {
		return Prepared{}, fmt.Errorf("llm: %w", err)
	}
	return Prepared{Request: a.Request, Tags: a.tags, State: a.state, Split: a.split}, nil
}

func (l *Local) request(p *Prompt) (asked, error) {
	if err := p.check(); err != nil {
		return asked{}, err
	}
	a := asked{
		Request: engine.Request{
			MaxTokens: p.MaxTokens, Temperature: p.Temperature, TopP: p.TopP, TopK: p.TopK, MinP: p.MinP,
			Stop: p.StopTokens, Seed: p.Seed, Samples: p.Samples,
		},
		stops: p.Stop,
	}
	if len(p.Stop) > 0 {
		a.Constraint = newStopTexts(l.tokenizer, p.Stop)
	}
	if err := l.render(&a, p); err != nil {
		return asked{}, err
	}
	var err error
	if a.Grammar, err = l.grammar(p); err != nil {
		return asked{}, err
	}
	if p.Think != (Think{}) || a.Grammar != nil {
		a.Thinking, err = l.thinking(&a, p.Think)
	}
	return a, err
}

// render fills in the prompt's ids and where the reply begins.
func (l *Local) render(a *asked, p *Prompt) error {
	if len(p.Messages) == 0 {
		a.Prompt = l.tokenizer.Encode(p.Text)
		for _, tags := range chat.KnownTags {
			if tags.StateAfter(p.Text) == chat.Thinking {
				a.tags, a.state, a.split = tags, chat.Thinking, true
			}
		}
		return nil
	}
	if l.options.Render == nil {
		return errors.New("got messages, and the model has no template to put them in; try: a text")
	}
	rendered, err := l.options.Render(p.Messages)
	if err != nil {
		return err
	}
	a.Prompt, a.tags, a.state, a.split = rendered.IDs, rendered.Tags, rendered.State, true
	a.Stop = slices.Concat(p.StopTokens, l.options.Ends)
	return nil
}

func (l *Local) reply(a *asked, r *engine.Result) Reply {
	tokens := r.Tokens
	if n := len(tokens); n > 0 && slices.Contains(a.Stop, tokens[n-1]) {
		tokens = tokens[:n-1]
	}
	text := l.tokenizer.Decode(tokens)
	cut := len(text)
	for _, stop := range a.stops {
		if at := strings.Index(text, stop); at >= 0 {
			cut = min(cut, at)
		}
	}
	reply := Reply{Prompt: r.Request, Sample: r.Sample, Text: text[:cut], Tokens: r.Tokens, LogProbs: r.LogProbs, Finish: r.Finish,
		PromptTokens: len(a.Prompt), ReplyTokens: len(r.Tokens)}
	if a.split {
		l.split(a, tokens, &reply)
	}
	return reply
}

// split fills in the two parts of a reply, token by token: where the marks are tokens, no text that looks like one counts.
func (l *Local) split(a *asked, tokens []int32, reply *Reply) {
	splitter := chat.NewSplitter(a.tags, a.state)
	var thought, answer strings.Builder
	add := func(t, a string) {
		thought.WriteString(t)
		answer.WriteString(a)
	}
	left := len(reply.Text) // bytes before a stop text
	for _, token := range tokens {
		piece := l.tokenizer.Decode([]int32{token})
		piece = piece[:min(len(piece), left)]
		left -= len(piece)
		add(splitter.WriteToken(token, piece))
	}
	add(splitter.Close())
	reply.Thought, reply.Answer, reply.ThoughtTokens = thought.String(), answer.String(), splitter.ReasoningTokens()
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
