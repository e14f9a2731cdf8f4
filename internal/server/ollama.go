package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/openai"
)

// ollamaFields are those that Ollama's two routes share.
var ollamaFields = fields{"model": nil, "stream": nil, "options": nil, "format": nil, "think": nil,
	"keep_alive": nil, // when a model is unloaded is the server's own matter
	"logprobs":   only("not in this dialect; try: /v1/chat/completions", "false"), "top_logprobs": only("not in this dialect", "0")}

var ollamaChatFields = with(ollamaFields, fields{"messages": nil, "tools": nil})

var ollamaGenerateFields = with(ollamaFields, fields{"prompt": nil, "system": nil, "raw": nil,
	"suffix": only("the models here continue a text, and do not fill one in", `""`), "images": only("the models here read text alone", "[]"),
	"template": only("the model's own template is used", `""`), "context": never("conversations are given as messages; try: /api/chat")})

// ollamaOptions are the options that are done. The others say how Ollama itself works, and are foreign.
type ollamaOptions struct {
	NumPredict       *int           `json:"num_predict"`
	NumCtx           *int           `json:"num_ctx"`
	Seed             *int64         `json:"seed"`
	Temperature      *float64       `json:"temperature"`
	TopK             *int           `json:"top_k"`
	TopP             *float64       `json:"top_p"`
	MinP             *float64       `json:"min_p"`
	RepeatPenalty    *float64       `json:"repeat_penalty"`
	PresencePenalty  *float64       `json:"presence_penalty"`
	FrequencyPenalty *float64       `json:"frequency_penalty"`
	Stop             openai.Strings `json:"stop"`
}

var ollamaOptionFields = fields{"num_predict": nil, "num_ctx": nil, "seed": nil, "temperature": nil, "top_k": nil, "top_p": nil, "min_p": nil,
	"repeat_penalty": nil, "presence_penalty": nil, "frequency_penalty": nil, "stop": nil}

// ollamaRequest is a request of either route.
type ollamaRequest struct {
	Model    string          `json:"model"`
	Messages []ollamaMessage `json:"messages"`
	Tools    []openai.Tool   `json:"tools"`
	Prompt   string          `json:"prompt"`
	System   string          `json:"system"`
	Raw      bool            `json:"raw"`
	Stream   *bool           `json:"stream"`
	Options  json.RawMessage `json:"options"`
	Format   json.RawMessage `json:"format"`
	Think    json.RawMessage `json:"think"`
}

// ollamaMessage is one turn.
type ollamaMessage struct {
	Role      string            `json:"role"`
	Content   string            `json:"content"`
	Thinking  string            `json:"thinking,omitempty"`
	Images    []json.RawMessage `json:"images,omitempty"`
	ToolName  string            `json:"tool_name,omitempty"`
	ToolCalls []ollamaCall      `json:"tool_calls,omitempty"`
}

// ollamaCall is one call, whose arguments are an object.
type ollamaCall struct {
	ID       string `json:"id,omitempty"`
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

// plan reads a request. Fields of options that are foreign are returned.
func (q *ollamaRequest) plan(messages []chat.Message) (*plan, []string, error) {
	p := &plan{model: q.Model, tools: q.Tools, conversation: conversation{messages: messages, open: true}}
	o := ollamaOptions{}
	var foreign []string
	if len(q.Options) > 0 {
		var err error
		if foreign, err = decode(q.Options, ollamaOptionFields, &o); err != nil {
			return nil, nil, err
		}
	}
	for i := range foreign {
		foreign[i] = "options." + foreign[i]
	}
	p.o = sampling{temperature: o.Temperature, topK: o.TopK, topP: o.TopP, minP: o.MinP, repetition: o.RepeatPenalty,
		presence: o.PresencePenalty, frequency: o.FrequencyPenalty, seed: o.Seed, stops: o.Stop}
	if n := o.NumPredict; n != nil && *n > 0 { // otherwise as many as there is room for
		p.o.maxTokens = n
	}
	if f := checkStops("options.stop", o.Stop); f != nil {
		return nil, nil, f
	}
	if err := q.format(p); err != nil {
		return nil, nil, err
	}
	return p, foreign, q.think(p)
}

// format reads what form the answer has.
func (q *ollamaRequest) format(p *plan) error {
	switch text := compact(q.Format); {
	case text == "" || text == `""`:
	case text == `"json"`:
		p.o.schema = `{"type":"object"}`
	case text[0] == '{':
		p.o.schema = text
	default:
		return bad("format", `want "json" or a schema`)
	}
	return nil
}

// think reads true, false or a level.
func (q *ollamaRequest) think(p *plan) error {
	if len(q.Think) == 0 {
		return nil
	}
	var on bool
	if json.Unmarshal(q.Think, &on) == nil {
		p.o.think.force = on
		if !on {
			p.o.think.budget = new(0)
		}
		return nil
	}
	var level string
	if json.Unmarshal(q.Think, &level) != nil {
		return bad("think", "want true, false or a level")
	}
	if f := p.o.think.effort("think", level); f != nil {
		return f
	}
	return nil
}

// messages makes the template's messages.
func (q *ollamaRequest) messages() ([]chat.Message, error) {
	if len(q.Messages) == 0 || len(q.Messages) > maxMessages {
		return nil, bad("messages", "got %d, want 1 to %d", len(q.Messages), maxMessages)
	}
	var list []chat.Message
	for i, m := range q.Messages {
		at := fmt.Sprintf("messages[%d]", i)
		switch {
		case len(m.Images) > 0:
			return nil, unsupported(at+".images", "the models here read text alone")
		case m.Role != "system" && m.Role != "user" && m.Role != "assistant" && m.Role != "tool":
			return nil, bad(at+".role", "got %q, want system, user, assistant or tool", clip(m.Role, 20))
		}
		c := chat.Message{Role: m.Role, Content: m.Content, Reasoning: m.Thinking, Name: m.ToolName}
		for _, t := range m.ToolCalls {
			arguments := t.Function.Arguments
			if len(arguments) == 0 {
				arguments = json.RawMessage("{}")
			}
			c.ToolCalls = append(c.ToolCalls, chat.ToolCall{ID: t.ID, Name: t.Function.Name, Arguments: arguments})
		}
		list = append(list, c)
	}
	return list, nil
}

// ollamaChat is POST /api/chat.
func (s *Server) ollamaChat(w http.ResponseWriter, r *http.Request) error {
	var q ollamaRequest
	foreign, err := s.read(w, r, ollamaChatFields, &q)
	if err != nil {
		return err
	}
	if q.Model == "" {
		return bad("model", "it is missing")
	}
	if len(q.Messages) == 0 { // Ollama's way to load a model
		return s.ollamaLoad(w, r, &q, true)
	}
	messages, err := q.messages()
	if err != nil {
		return err
	}
	return s.ollama(w, r, &q, messages, foreign, true)
}

// ollamaGenerate is POST /api/generate.
func (s *Server) ollamaGenerate(w http.ResponseWriter, r *http.Request) error {
	var q ollamaRequest
	foreign, err := s.read(w, r, ollamaGenerateFields, &q)
	if err != nil {
		return err
	}
	if q.Model == "" {
		return bad("model", "it is missing")
	}
	if q.Prompt == "" {
		return s.ollamaLoad(w, r, &q, false)
	}
	var messages []chat.Message
	if q.System != "" {
		messages = append(messages, chat.Message{Role: "system", Content: q.System})
	}
	return s.ollama(w, r, &q, append(messages, chat.Message{Role: "user", Content: q.Prompt}), foreign, false)
}

// ollamaLoad loads a model and says so.
func (s *Server) ollamaLoad(w http.ResponseWriter, r *http.Request, q *ollamaRequest, isChat bool) error {
	l, err := s.acquire(r, q.Model, nil)
	if err != nil {
		return err
	}
	l.release()
	out := ollamaReply{Model: q.Model, CreatedAt: time.Now(), Done: true, DoneReason: "load"}
	if isChat {
		out.Message = &ollamaMessage{Role: "assistant"}
	} else {
		out.Response = new("")
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// ollama answers either route.
func (s *Server) ollama(w http.ResponseWriter, r *http.Request, q *ollamaRequest, messages []chat.Message, foreign []string, isChat bool) error {
	began := time.Now()
	p, more, err := q.plan(messages)
	if err != nil {
		return err
	}
	p.raw = q.Raw
	id := newID("ollama-")
	if err := s.begin(w, id, append(foreign, more...)); err != nil {
		return err
	}
	out := &ollamaWriter{whole: s.newWhole(w, dialectOllama), model: q.Model, isChat: isChat, began: began, streamed: q.Stream == nil || *q.Stream}
	if out.streamed {
		out.kind = "application/x-ndjson"
	}
	job, err := s.prepare(w, r, id, p, out)
	if err != nil {
		return out.fail(err)
	}
	defer job.lease.release()
	out.loading = job.lease.waited
	sum, err := s.do(r.Context(), job)
	if err != nil {
		return out.fail(err)
	}
	return out.finish(job, sum)
}

// ollamaReply is a reply, or a piece of one.
type ollamaReply struct {
	Model      string         `json:"model"`
	CreatedAt  time.Time      `json:"created_at"`
	Message    *ollamaMessage `json:"message,omitempty"`
	Response   *string        `json:"response,omitempty"`
	Thinking   string         `json:"thinking,omitempty"` // beside Response
	Done       bool           `json:"done"`
	DoneReason string         `json:"done_reason,omitempty"`
	// The counts of the last piece, times in nanoseconds.
	TotalDuration      int64 `json:"total_duration,omitempty"`
	LoadDuration       int64 `json:"load_duration,omitempty"`
	PromptEvalCount    int   `json:"prompt_eval_count,omitempty"`
	PromptEvalDuration int64 `json:"prompt_eval_duration,omitempty"`
	EvalCount          int   `json:"eval_count,omitempty"`
	EvalDuration       int64 `json:"eval_duration,omitempty"`
}

// ollamaWriter sends a reply as lines of JSON, or at once.
type ollamaWriter struct {
	whole
	model            string
	isChat, streamed bool
	began            time.Time
	loading          time.Duration
	thought, answer  strings.Builder // of a reply at once
	calls            []ollamaCall
	reason           string
}

// say is a reply that says something.
func (o *ollamaWriter) say(thought, answer string, calls []ollamaCall) ollamaReply {
	q := ollamaReply{Model: o.model, CreatedAt: time.Now()}
	if o.isChat {
		q.Message = &ollamaMessage{Role: "assistant", Content: answer, Thinking: thought, ToolCalls: calls}
	} else {
		q.Response, q.Thinking = &answer, thought
	}
	return q
}

// piece implements sink.
func (o *ollamaWriter) piece(p *piece) error {
	var calls []ollamaCall
	for i := range p.calls {
		c := ollamaCall{ID: p.calls[i].id}
		c.Function.Name, c.Function.Arguments = p.calls[i].name, inputOf(&p.calls[i])
		calls = append(calls, c)
	}
	if p.finish != "" {
		o.reason = "stop"
		if p.finish == engine.FinishLength {
			o.reason = "length"
		}
	}
	if !o.streamed {
		o.thought.WriteString(p.thought)
		o.answer.WriteString(p.answer)
		o.calls = append(o.calls, calls...)
		return nil
	}
	if p.thought != "" { // thought and answer never share a line
		if err := o.send(o.say(p.thought, "", nil)); err != nil {
			return err
		}
	}
	if p.answer == "" && len(calls) == 0 {
		return nil
	}
	return o.send(o.say("", p.answer, calls))
}

func (o *ollamaWriter) send(q ollamaReply) error {
	text, err := encode(q)
	if err != nil {
		return err
	}
	return o.write(append(text, '\n'))
}

// finish sends the last line, or all.
func (o *ollamaWriter) finish(job *work, sum totals) error {
	q := o.say(o.thought.String(), o.answer.String(), o.calls)
	q.Done, q.DoneReason = true, o.reason
	q.PromptEvalCount, q.EvalCount = sum.prompt, sum.completion
	q.TotalDuration, q.LoadDuration = time.Since(o.began).Nanoseconds(), o.loading.Nanoseconds()
	started := job.began.Add(job.waited)
	q.PromptEvalDuration, q.EvalDuration = job.first.Sub(started).Nanoseconds(), time.Since(job.first).Nanoseconds()
	return o.reply(q)
}
