package server

import (
	"slices"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/tokenizer"
)

// view turns the tokens of one sample into text: thought, answer and calls.
type view struct {
	a        *ask
	decoder  *tokenizer.Decoder
	splitter *chat.Splitter // nil: all is answer
	stop     stopFilter
	thought  stopFilter  // of the thought, where stop texts end it too
	tools    *toolReader // nil: no tools
	said     news        // what the ids that were given have said
}

func newView(a *ask) *view {
	v := &view{
		a: a, decoder: a.model.Tokenizer.NewDecoderWith(tokenizer.DecodeOptions{SkipSpecial: !a.o.keepSpecial}),
		stop: stopFilter{stops: a.stops},
	}
	if a.o.stopThought {
		v.thought.stops = a.stops
	}
	if a.split {
		v.splitter = chat.NewSplitter(a.Tags, a.State)
		if a.continued && a.State == chat.Thinking {
			v.splitter.Write("x") // the thought has begun: white space that follows is part of it
		}
	}
	if a.style != noTools {
		v.tools = newToolReader(a.style, a.bare)
	}
	if a.exact {
		v.read(a.given)
	}
	return v
}

// read takes in the ids with which the reply begins: what they leave held back comes with what follows.
func (v *view) read(given []int32) {
	for _, token := range given {
		n := v.push(token)
		v.said.thought, v.said.answer, v.said.calls = v.said.thought+n.thought, v.said.answer+n.answer, append(v.said.calls, n.calls...)
		if v.stop.hit { // who goes on behind a stop text knows it
			v.stop, v.thought = stopFilter{stops: v.stop.stops}, stopFilter{stops: v.thought.stops}
		}
	}
	if v.splitter != nil {
		v.splitter.CountAnew()
	}
}

// news is what a token adds.
type news struct {
	thought, answer string
	calls           []call
	inAnswer        bool // the token itself belongs to the answer
}

// push adds a token. After a stop text nothing is added any more.
func (v *view) push(token int32) news {
	if v.stop.hit {
		return news{inAnswer: true}
	}
	if v.splitter == nil {
		return v.answer("", v.decoder.Push(token), true)
	}
	var before string // a character that the mark cuts off belongs to what stands before it
	if tags := v.a.Tags; tags.CloseID != 0 && (token == tags.CloseID || token == tags.OpenID) {
		if rest := v.decoder.Flush(); rest != "" {
			t, a := v.splitter.Write(rest)
			before = t + a
		}
	}
	thinking := v.splitter.State() != chat.Answering
	thought, answer := v.splitter.WriteToken(token, v.decoder.Push(token))
	answering := v.splitter.State() == chat.Answering
	if thinking {
		thought = before + thought
	} else {
		answer = before + answer
	}
	mark := thinking && answering && token == v.a.Tags.CloseID && token != 0
	return v.answer(thought, answer, answering && !mark)
}

// end returns what was held back.
func (v *view) end() news {
	if v.stop.hit {
		return v.finish("", "")
	}
	rest := v.decoder.Flush()
	if v.splitter == nil {
		return v.finish("", rest)
	}
	thought, answer := v.splitter.Write(rest)
	t, a := v.splitter.Close()
	return v.finish(thought+t, answer+a)
}

// answer passes text of the answer on, up to a stop text.
func (v *view) answer(thought, answer string, inAnswer bool) news {
	thought = v.thought.push(thought)
	if answer != "" {
		thought += v.thought.end()
	}
	if v.thought.hit {
		v.stop.hit, v.stop.which = true, v.thought.which
		return news{thought: thought}
	}
	n := news{thought: thought, answer: v.stop.push(answer), inAnswer: inAnswer}
	if v.tools != nil && n.answer != "" {
		n.answer, n.calls = v.tools.push(n.answer)
	}
	return n
}

func (v *view) finish(thought, answer string) news {
	n := v.answer(thought, answer, true)
	n.thought += v.thought.end()
	if rest := v.stop.end(); rest != "" {
		if v.tools != nil {
			var calls []call
			rest, calls = v.tools.push(rest)
			n.calls = append(n.calls, calls...)
		}
		n.answer += rest
	}
	if v.tools != nil {
		rest, calls := v.tools.end()
		n.answer, n.calls = n.answer+rest, append(n.calls, calls...)
	}
	return n
}

// thoughtTokens is how many tokens the thought has.
func (v *view) thoughtTokens() int {
	if v.splitter == nil {
		return 0
	}
	return v.splitter.ReasoningTokens()
}

// stopFilter passes text on up to the first stop text, and holds back what may be the beginning of one.
type stopFilter struct {
	stops []string
	held  string
	hit   bool
	which string // the stop text that came
}

func (f *stopFilter) push(text string) string {
	if f.hit || len(f.stops) == 0 {
		if f.hit {
			return ""
		}
		return text
	}
	f.held += text
	sure := len(f.held)
	for _, stop := range f.stops {
		if at := strings.Index(f.held, stop); at >= 0 {
			if !f.hit || at < sure {
				f.which = stop
			}
			sure, f.hit = min(sure, at), true
			continue
		}
		for n := min(len(stop)-1, len(f.held)); n > 0; n-- {
			if strings.HasSuffix(f.held, stop[:n]) {
				sure = min(sure, len(f.held)-n)
				break
			}
		}
	}
	text, f.held = f.held[:sure], f.held[sure:]
	return text
}

// end returns what was held back, if no stop text came.
func (f *stopFilter) end() string {
	rest := f.held
	f.held = ""
	if f.hit {
		return ""
	}
	return rest
}

// stopTexts is the engine.Constraint that ends a sample when a stop text stands in its answer. In a thought it stops nothing unless asked to: a client
// that stops at an empty line means the answer's, and would get none. vLLM and llama.cpp look for stop texts in all that is generated;
// stop_in_reasoning asks for that.
type stopTexts struct{ a *ask }

// Stops implements engine.Constraint. The tail of the tokens is looked at first; only where it holds a stop text are all of them read again.
func (s *stopTexts) Stops(tokens []int32) bool {
	longest := 0
	for _, stop := range s.a.stops {
		longest = max(longest, len(stop))
	}
	// Tokens may have no text, or a byte alone.
	size, first := 0, len(tokens)
	for first > 0 && size < longest+16 {
		first--
		text, _ := s.a.model.Tokenizer.Token(tokens[first])
		size += len(text)
	}
	tail := s.a.model.Tokenizer.Decode(tokens[first:])
	if !slices.ContainsFunc(s.a.stops, func(stop string) bool { return strings.Contains(tail, stop) }) {
		return false
	}
	plain := *s.a
	plain.style = noTools
	v := newView(&plain)
	for _, token := range tokens[s.a.Begun:] {
		v.push(token)
	}
	return v.stop.hit
}

var _ engine.Constraint = (*stopTexts)(nil)
