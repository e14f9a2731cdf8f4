package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/openai"
)

// plan is a conversation and how it is answered, in any dialect.
type plan struct {
	model        string
	conversation conversation
	tools        []openai.Tool
	choice       toolChoice
	oneCall      bool // at most one tool is called
	o            sampling
	raw          bool   // the last message is the prompt as it stands
	note         string // what the client should know of its request
}

// chatPlan reads a chat request.
func chatPlan(q *openai.ChatRequest) (*plan, error) {
	p := &plan{model: q.Model, tools: q.Tools}
	e, err := extrasOf(q.Extra)
	if err != nil {
		return nil, err
	}
	p.o = sampling{
		maxTokens: q.MaxCompletionTokens, temperature: q.Temperature, topP: q.TopP, presence: q.PresencePenalty, frequency: q.FrequencyPenalty,
		bias: q.LogitBias, seed: q.Seed, stops: q.Stop,
	}
	if p.o.maxTokens == nil {
		p.o.maxTokens = q.MaxTokens
	}
	if q.N != nil {
		p.o.n = *q.N
	}
	if q.ReasoningEffort != nil {
		if f := p.o.think.effort("reasoning_effort", *q.ReasoningEffort); f != nil {
			return nil, f
		}
	}
	effort := p.o.think.budget
	if err := e.apply(&p.o); err != nil {
		return nil, err
	}
	if p.o.think.budget == nil {
		p.o.think.budget = effort
	}
	p.o.logprobs = q.Logprobs != nil && *q.Logprobs
	if q.TopLogprobs != nil {
		if p.o.topLogprobs = *q.TopLogprobs; *q.TopLogprobs > 0 && !p.o.logprobs {
			return nil, bad("top_logprobs", "it wants logprobs: true")
		}
	}
	if f := checkStops("stop", q.Stop); f != nil {
		return nil, f
	}
	if p.o.schema, err = responseFormat(q.ResponseFormat); err != nil {
		return nil, err
	}
	if p.choice, err = toolChoiceOf(q.ToolChoice); err != nil {
		return nil, err
	}
	p.oneCall = q.ParallelToolCalls != nil && !*q.ParallelToolCalls
	messages, err := messagesOf(q.Messages)
	p.conversation = conversation{messages: messages, variables: e.Variables, open: true, begun: e.ContinueTokenIDs}
	return p, err
}

// render makes the prompt of the plan for a model, and says how calls are read.
func (p *plan) render(l *lease) (begun, toolStyle, error) {
	c := &p.conversation
	style, err := p.useTools(l)
	if err != nil {
		return begun{}, noTools, err
	}
	if (l.nothink || !p.o.think.thinks()) && l.knows("enable_thinking") {
		if _, given := c.variables["enable_thinking"]; !given {
			c.variables = maps.Clone(c.variables)
			if c.variables == nil {
				c.variables = map[string]json.RawMessage{}
			}
			c.variables["enable_thinking"] = json.RawMessage("false")
		}
	}
	b, err := l.render(c)
	return b, style, err
}

// ask makes the request of the plan for a model.
func (p *plan) ask(l *lease) (*ask, error) {
	if p.raw {
		text := p.conversation.messages[len(p.conversation.messages)-1].Content
		return newAsk(l, begun{Prompt: chat.Prompt{Text: text, IDs: l.encode(text)}}, &p.o, false)
	}
	b, style, err := p.render(l)
	if err != nil {
		return nil, err
	}
	if p.o.schema != "" && p.o.gbnf != "" {
		return nil, bad("grammar", "a schema and a grammar together, want one or the other")
	}
	a, err := newAsk(l, b, &p.o, true)
	if err != nil {
		return nil, err
	}
	a.style, a.bare = style, p.choice.required && style != noTools
	if a.exact {
		a.said = newView(a).said
	}
	if p.note != "" {
		a.note = strings.TrimPrefix(a.note+"; "+p.note, "; ")
	}
	return a, nil
}

// useTools puts the tools into the conversation, and has the answer be a call if one must come.
func (p *plan) useTools(l *lease) (toolStyle, error) {
	if p.choice.required && len(p.tools) == 0 {
		return noTools, bad("tool_choice", "a tool must be called, and tools has none")
	}
	if len(p.tools) == 0 || p.choice.none {
		return noTools, nil
	}
	if len(p.tools) > maxTools {
		return noTools, bad("tools", "got %d, want at most %d", len(p.tools), maxTools)
	}
	if l.style == noTools {
		return noTools, unsupported("tools", "the template of this model knows none, or writes calls in a form that is not read here")
	}
	var chosen []openai.Tool
	for i, tool := range p.tools {
		if tool.Type != "function" || tool.Function.Name == "" {
			return noTools, unsupported("tools", "tool %d: want a function with a name", i)
		}
		text, err := json.Marshal(tool)
		if err != nil {
			return noTools, bad("tools", "tool %d cannot be read", i)
		}
		p.conversation.tools = append(p.conversation.tools, text)
		if p.choice.name == "" || p.choice.name == tool.Function.Name {
			chosen = append(chosen, tool)
		}
	}
	if p.choice.required {
		if len(chosen) == 0 {
			return noTools, bad("tool_choice", "there is no tool %q", clip(p.choice.name, 60))
		}
		if p.o.schema != "" || p.o.gbnf != "" {
			return noTools, unsupported("tool_choice", "a call that must come beside response_format or grammar")
		}
		var err error
		p.o.schema, err = callSchema(l.style, chosen, "#", false)
		return l.style, err
	}
	if p.o.gbnf == "" {
		var err error
		if p.o.calls, err = callsBeside(l.style, p.tools, p.o.schema, p.oneCall); err != nil {
			return noTools, err
		}
	}
	if p.oneCall && l.style == hermesTools && p.o.calls == nil {
		p.o.stops = append(p.o.stops[:len(p.o.stops):len(p.o.stops)], closeCall)
	}
	return l.style, nil
}

// begin notes what a reply needs in its headers.
func (s *Server) begin(w http.ResponseWriter, id string, foreign []string) error {
	h := w.Header()
	h.Set("X-Request-Id", id)
	if len(foreign) > 0 {
		if s.options.Strict {
			return unsupported(clip(foreign[0], 60), "no specification that is spoken here knows this field, and the server is strict")
		}
		h.Set("X-Retort-Ignored", headerList(foreign))
	}
	return nil
}

// chatCompletions is POST /v1/chat/completions.
func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) error {
	var q openai.ChatRequest
	foreign, err := s.read(w, r, chatFields, &q)
	if err != nil {
		return err
	}
	p, err := chatPlan(&q)
	if err != nil {
		return err
	}
	if f := streamOptions(q.Stream, q.StreamOptions); f != nil {
		return f
	}
	id := newID("chatcmpl-")
	if err := s.begin(w, id, foreign); err != nil {
		return err
	}
	if q.Stream {
		return s.streamChat(w, r, id, p, q.StreamOptions != nil && q.StreamOptions.IncludeUsage)
	}
	out := &chatReply{whole: s.newWhole(w, dialectOpenAI), oneCall: p.oneCall}
	job, err := s.prepare(w, r, id, p, out)
	if err != nil {
		return out.fail(err)
	}
	defer job.lease.release()
	out.head, out.ask, out.choices = newHead(job), job.asks[0], make([]chatChoice, job.asks[0].Samples)
	sum, err := s.do(r.Context(), job)
	if err != nil {
		return out.fail(err)
	}
	return out.reply(out.response(sum))
}

// acquire keeps a model for a request; meanwhile out, if any, shows that the server lives.
func (s *Server) acquire(r *http.Request, name string, out sink) (*lease, error) {
	var tick func() error
	if out != nil {
		tick = out.tick
	}
	return s.models.acquire(r.Context(), name, s.beat(), tick)
}

// prepare makes the work of a plan: its model is loaded, which the caller releases, and its prompt rendered.
func (s *Server) prepare(w http.ResponseWriter, r *http.Request, id string, p *plan, out sink) (*work, error) {
	l, err := s.acquire(r, p.model, out)
	if err != nil {
		return nil, err
	}
	var a *ask
	if err := s.making(r, out, func() (err error) { a, err = p.ask(l); return err }); err != nil {
		l.release()
		return nil, err
	}
	warn(w, a)
	return &work{id: id, caller: s.caller(r), lease: l, asks: []*ask{a}, sink: out}, nil
}

// making runs what makes a prompt of a request, when it is its turn: as many at once as there are processors. Meanwhile out, if any, shows that the
// server lives.
func (s *Server) making(r *http.Request, out sink, do func() error) error {
	t, f := s.prompts.enter(s.caller(r))
	if f != nil {
		s.metrics.refused.Add(1)
		return f
	}
	defer t.leave()
	tick := func(int) error { return nil }
	if out != nil {
		tick = func(int) error { return out.tick() }
	}
	if err := t.wait(r.Context(), s.beat(), tick); err != nil {
		return err
	}
	return do()
}

// warn tells the client what it should know of its request, unless the headers are gone.
func warn(w http.ResponseWriter, a *ask) {
	if list := a.warnings(); len(list) > 0 {
		w.Header().Set("X-Retort-Warning", strings.Join(list, "; "))
	}
}

// read takes in a request: a caller whose line is full is told so before anything is read.
func (s *Server) read(w http.ResponseWriter, r *http.Request, known fields, into any) ([]string, error) {
	if f := s.queue.full(s.caller(r)); f != nil {
		s.metrics.refused.Add(1)
		return nil, f
	}
	body, err := s.readBody(w, r)
	if err != nil {
		return nil, err
	}
	var foreign []string
	err = s.making(r, nil, func() (err error) { foreign, err = decode(body, known, into); return err })
	return foreign, err
}

// streamOptions refuses options of a stream where there is none.
func streamOptions(stream bool, o *openai.StreamOptions) *fault {
	if o != nil && !stream {
		return bad("stream_options", "it wants stream: true")
	}
	return nil
}

// head is what every reply and every chunk of one request says.
type head struct {
	id          string
	created     int64
	model       string
	fingerprint string
}

func newHead(w *work) head {
	return head{id: w.id, created: time.Now().Unix(), model: w.lease.id, fingerprint: w.lease.Fingerprint}
}

func usageOf(sum totals) *openai.Usage {
	return &openai.Usage{
		PromptTokens: sum.prompt, CompletionTokens: sum.completion, TotalTokens: sum.prompt + sum.completion,
		PromptTokensDetails:     &openai.PromptDetails{CachedTokens: sum.cached},
		CompletionTokensDetails: &openai.CompletionDetails{ReasoningTokens: sum.reasoning},
	}
}

// finishOf is OpenAI's reason for an end.
func finishOf(p *piece) *string {
	reason := openai.FinishStop
	switch {
	case p.finish == "":
		return nil
	case p.finish == engine.FinishLength:
		reason = openai.FinishLength
	case p.called:
		reason = openai.FinishToolCalls
	}
	return &reason
}

// logprobsOf are the log-probabilities of a piece's tokens; nil if they were not asked for.
func logprobsOf(p *piece) *openai.ChatLogprobs {
	if !p.ask.o.logprobs {
		return nil
	}
	l := &openai.ChatLogprobs{Content: []openai.TokenLogprob{}}
	for i := range p.tokens {
		t := &p.tokens[i]
		entry := p.ask.tokenLogprob(t.id, t.logProb)
		entry.TopLogprobs = []openai.TokenLogprob{}
		for _, alternative := range t.alternatives {
			entry.TopLogprobs = append(entry.TopLogprobs, p.ask.tokenLogprob(alternative.Token, alternative.LogProb))
		}
		if t.inAnswer {
			l.Content = append(l.Content, entry)
		} else {
			l.Reasoning = append(l.Reasoning, entry)
		}
	}
	return l
}

// tokenLogprob is a token with its probability, and its id if ids were asked for.
func (a *ask) tokenLogprob(id int32, logProb float32) openai.TokenLogprob {
	text, _ := a.model.Tokenizer.Token(id)
	var shown *int32
	if a.o.tokenIDs {
		shown = &id
	}
	bytes := make([]int, len(text))
	for i := range len(text) {
		bytes[i] = int(text[i])
	}
	return openai.TokenLogprob{ID: shown, Token: strings.ToValidUTF8(text, "\ufffd"), Logprob: finite(logProb), Bytes: bytes}
}

// finite is a log-probability as JSON can hold it; OpenAI writes -9999 for what cannot come.
func finite(x float32) float64 { return max(float64(x), -9999) }

// ids are the token ids of a piece, if they were asked for.
func (p *piece) ids() []int32 {
	if !p.ask.o.tokenIDs {
		return nil
	}
	ids := make([]int32, len(p.tokens))
	for i := range p.tokens {
		ids[i] = p.tokens[i].id
	}
	return ids
}

// promptIDs are what the client is told of the prompt, where ids were asked for or given.
func (a *ask) promptIDs() (p openai.PromptIDs) {
	if a.o.tokenIDs {
		p.PromptTokenIDs = a.IDs
	}
	if len(a.given) > 0 && (a.o.tokenIDs || a.exact) {
		p.Continued = &openai.Continued{TokenIDs: a.given, ReasoningContent: a.said.thought, Content: a.said.answer}
	}
	return p
}

// thoughtful reports whether the reply begins with a thought, or may.
func (a *ask) thoughtful() bool { return a.State != chat.Answering }
