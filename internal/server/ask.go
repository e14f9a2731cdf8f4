package server

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
)

// sampling is how a reply is drawn, in any dialect. A pointer that is nil leaves its field to the server.
type sampling struct {
	maxTokens             *int
	temperature           *float64
	topP, minP            *float64
	topK                  *int
	repetition            *float64
	presence, frequency   *float64
	bias                  map[string]float64 // by token id
	seed                  *int64
	n                     int // 0 means 1
	stops                 []string
	schema, gbnf          string
	calls                 *llm.Calls // the answer may call tools; it holds schema then
	topLogprobs           int
	logprobs              bool
	keepSpecial, tokenIDs bool
	stopThought           bool // stop texts end the thought, too
	think                 thinking
}

// thinking is how long a reply may think.
type thinking struct {
	budget  *int // nil: no bound; 0 closes the thought at once
	force   bool // opens a thought where the prompt leaves it to the model
	reserve *int // nil: a share of what the reply may have
}

// The sampling of the model card of DeepSeek-R1's distilled models, where a client does not choose.
const (
	defaultTemperature = 0.6
	defaultTopP        = 0.95
)

// efforts are the budgets that the levels of effort stand for, in tokens.
var efforts = map[string]int{"none": 0, "minimal": 128, "low": 512, "medium": 2048, "high": 8192}

// effort sets the budget of a level; the greatest ones have no bound.
func (t *thinking) effort(field, level string) *fault {
	if budget, ok := efforts[level]; ok {
		t.budget = &budget
		return nil
	}
	if level == "xhigh" || level == "max" {
		t.budget = nil
		return nil
	}
	return bad(field, "got %q, want none, minimal, low, medium, high, xhigh or max", clip(level, 20))
}

// ask is what one prompt is asked for, ready for the engine.
type ask struct {
	engine.Request
	begun
	model *loaded
	split bool // thought and answer are told apart
	stops []string
	style toolStyle // noTools: none may be called
	bare  bool      // the answer is a call without marks
	o     *sampling
	seed  int64
}

// newAsk makes the request of a prompt.
func newAsk(l *lease, b begun, o *sampling, split bool) (*ask, error) {
	a := &ask{begun: b, model: l.loaded, split: split, stops: o.stops, o: o}
	if err := a.draw(); err != nil {
		return nil, err
	}
	room := l.Context - len(b.IDs)
	if room < 1 {
		return nil, overflow(len(b.IDs), l.Context)
	}
	if len(b.IDs) == 0 {
		return nil, bad("prompt", "it has no tokens, want at least one")
	}
	a.MaxTokens = room
	if o.maxTokens != nil {
		a.MaxTokens = min(room, *o.maxTokens)
	}
	a.Request.Prompt = b.IDs
	if b.exact {
		a.Begun = len(b.given)
	}
	a.Stop = l.Ends
	if split && b.Tags.Close != "" {
		a.Thinking = a.bounds(l)
	}
	if err := a.constrain(); err != nil {
		return nil, err
	}
	return a, nil
}

// constrain has the answer follow a schema or a grammar, and end at a stop text.
func (a *ask) constrain() error {
	o := a.o
	if len(o.stops) > 0 {
		a.Constraint = &stopTexts{a: a}
	}
	field := "response_format"
	switch {
	case o.gbnf != "":
		field = "grammar"
	case o.calls != nil && o.schema == "":
		field = "tools"
	case o.schema == "":
		return nil
	}
	if a.model.Grammars == nil {
		return unsupported(field, "this model's answers cannot be made to follow one")
	}
	var err error
	if o.calls != nil {
		a.Grammar, err = a.model.Grammars.CallGrammar(*o.calls)
	} else {
		a.Grammar, err = a.model.Grammars.Grammar(o.schema, o.gbnf)
	}
	if err != nil {
		return bad(field, "%s", clip(err.Error(), 300))
	}
	if t := a.Thinking; t != nil && a.State == chat.Undecided && len(t.Open) > 1 {
		// The vocabulary has no mark, so that the model was not made to think: all of its reply is the answer.
		t.Begins, t.Opening, a.State = engine.ThoughtOver, nil, chat.Answering
	}
	return nil
}

// draw fills in how tokens are drawn.
func (a *ask) draw() error {
	o := a.o
	or := func(p *float64, otherwise float64) float32 {
		if p == nil {
			return float32(otherwise)
		}
		return float32(*p)
	}
	a.Temperature = or(o.temperature, defaultTemperature)
	if a.Temperature > 0 {
		a.Temperature = max(a.Temperature, 0.01) // below it the draw is greedy all the same
	}
	a.TopP, a.MinP = or(o.topP, defaultTopP), or(o.minP, 0)
	if o.topK != nil {
		a.TopK = max(0, *o.topK)
	}
	if a.TopP == 0 { // no share at all: the likeliest token is kept
		a.TopP, a.TopK = 1, 1
	}
	a.RepetitionPenalty, a.PresencePenalty, a.FrequencyPenalty = or(o.repetition, 0), or(o.presence, 0), or(o.frequency, 0)
	if a.TopLogProbs = o.topLogprobs; o.topLogprobs*max(1, o.n) > maxAlternatives {
		return bad("top_logprobs", "got %d for each of %d replies, want at most %d in all", o.topLogprobs, o.n, maxAlternatives)
	}
	for _, name := range slices.Sorted(maps.Keys(o.bias)) {
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil || id < 0 || int(id) >= a.model.Tokenizer.Size() {
			return bad("logit_bias", "got token %q, want an id from 0 to %d", clip(name, 20), a.model.Tokenizer.Size()-1)
		}
		// 100 forbids or forces a token in OpenAI's API; the logits of these models may lie further apart than that.
		a.LogitBias = append(a.LogitBias, engine.TokenBias{Token: int32(id), Bias: biasOf(o.bias[name])})
	}
	a.LogitBias = slices.CompactFunc(a.LogitBias, func(x, y engine.TokenBias) bool { return x.Token == y.Token })
	a.seed = randomSeed()
	if o.seed != nil {
		a.seed = *o.seed
	}
	a.Seed = engine.Seed{Sample: uint64(a.seed)}
	a.Samples = max(1, o.n)
	return nil
}

// biasOf makes the ends of OpenAI's range mean what they say there.
func biasOf(x float64) float32 {
	switch {
	case x <= -100:
		return -1000
	case x >= 100:
		return 1000
	}
	return float32(x)
}

// bounds says where the thought is and how long it may be.
func (a *ask) bounds(l *lease) *engine.Thinking {
	mark := func(text string) []int32 {
		if id, ok := l.Tokenizer.ID(text); ok {
			return []int32{id}
		}
		return l.Tokenizer.Encode(text)
	}
	t := &engine.Thinking{
		Begins: engine.ThoughtState(a.State), Open: mark(a.Tags.Open), Close: mark(a.Tags.Close), Blank: l.blank, Used: a.used,
		Reserve: reserve(a.Begun + a.MaxTokens), Loop: &engine.LoopDetection{},
	}
	o := &a.o.think
	if o.reserve != nil {
		t.Reserve = *o.reserve
	}
	if o.force && a.State == chat.Undecided {
		t.Opening = t.Open
	}
	switch {
	case l.nothink || o.budget != nil && *o.budget == 0:
		t.Budget = engine.NoThought
	case o.budget != nil:
		t.Budget = *o.budget
	}
	return t
}

// reserve is how many tokens of a reply are kept for the answer: a quarter, at least 256, but no more than half.
func reserve(most int) int { return min(max(256, most/4), most/2) }

// thinks reports whether the request leaves room for a thought.
func (t *thinking) thinks() bool { return t.budget == nil || *t.budget != 0 }

// randomSeed is a seed that JavaScript's numbers hold, with room for the samples of a request behind it.
func randomSeed() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return int64(binary.LittleEndian.Uint64(b[:]) >> 12)
}

// newID names a reply.
func newID(prefix string) string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // it never fails
	return prefix + hex.EncodeToString(b[:])
}

// checkStops refuses lists of stop texts that cannot be looked for.
func checkStops(param string, stops []string) *fault {
	if len(stops) > maxStops {
		return bad(param, "got %d texts, want at most %d", len(stops), maxStops)
	}
	for i, stop := range stops {
		if stop == "" || len(stop) > maxStopText {
			return bad(param, "text %d has %d bytes, want 1 to %d", i, len(stop), maxStopText)
		}
	}
	return nil
}

// warnings are what a client should know of a request that is served.
func (a *ask) warnings() []string {
	var list []string
	if a.note != "" {
		list = append(list, a.note)
	}
	if a.Temperature == 0 && a.Thinking != nil && a.State != chat.Answering && a.Thinking.Budget != engine.NoThought {
		list = append(list, "temperature 0: greedy thoughts tend to go round in circles; the model card says 0.6")
	}
	if a.o.maxTokens != nil && a.MaxTokens < *a.o.maxTokens {
		list = append(list, fmt.Sprintf("the context leaves %d tokens for the reply", a.MaxTokens))
	}
	return list
}
