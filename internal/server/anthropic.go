package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/openai"
)

// messageFields are the fields of Anthropic's messages (API version 2023-06-01).
var messageFields = fields{
	"model": nil, "max_tokens": nil, "messages": nil, "system": nil, "stop_sequences": nil, "stream": nil, "temperature": nil,
	"top_k": nil, "top_p": nil, "thinking": nil, "tools": nil, "tool_choice": nil, "output_config": nil, "output_format": nil,
	"metadata": nil, "cache_control": nil, // who asks, and what is worth keeping: the cache keeps every prompt
	"service_tier": only("there is one tier", `"auto"`, `"standard_only"`),
	"container":    never("there are no containers here"), "mcp_servers": never("no connection is made from here"),
	"context_management": never("nothing of a prompt is left out here"), "inference_geo": never("there is one place"),
}

// messagesRequest is Anthropic's request.
type messagesRequest struct {
	Model         string             `json:"model"`
	MaxTokens     *int               `json:"max_tokens"`
	Messages      []anthropicMessage `json:"messages"`
	System        blocks             `json:"system"`
	StopSequences []string           `json:"stop_sequences"`
	Stream        bool               `json:"stream"`
	Temperature   *float64           `json:"temperature"`
	TopK          *int               `json:"top_k"`
	TopP          *float64           `json:"top_p"`
	Thinking      *struct {
		Type         string `json:"type"`
		BudgetTokens *int   `json:"budget_tokens"`
	} `json:"thinking"`
	Tools []struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Description string          `json:"description"`
		InputSchema json.RawMessage `json:"input_schema"`
		Strict      *bool           `json:"strict"`
	} `json:"tools"`
	ToolChoice *struct {
		Type       string `json:"type"`
		Name       string `json:"name"`
		NoParallel bool   `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	OutputConfig *struct {
		Effort string        `json:"effort"`
		Format *outputFormat `json:"format"`
	} `json:"output_config"`
	OutputFormat *outputFormat `json:"output_format"`
}

// outputFormat asks for an answer by a schema.
type outputFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

// anthropicMessage is one turn.
type anthropicMessage struct {
	Role    string `json:"role"`
	Content blocks `json:"content"`
}

// blocks are a text, or a list of blocks.
type blocks []block

// block is one part of a message.
type block struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Thinking  string          `json:"thinking"`
	Signature string          `json:"signature"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   blocks          `json:"content"`
}

// UnmarshalJSON reads either form.
func (b *blocks) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*b = blocks{{Type: "text", Text: one}}
		return nil
	}
	var list []block
	if err := json.Unmarshal(text, &list); err != nil {
		return err // of a type that lets the decoder name the field
	}
	*b = list
	return nil
}

// text joins blocks that are text alone.
func (b blocks) text(at string) (string, error) {
	var s strings.Builder
	for i := range b {
		if b[i].Type != "text" {
			return "", unsupported(fmt.Sprintf("%s[%d].type", at, i), "got %q, and the models here read text alone", clip(b[i].Type, 30))
		}
		s.WriteString(b[i].Text)
	}
	return s.String(), nil
}

// turns makes the template's messages of one of Anthropic's: the results of tools are messages of their own there.
func (m *anthropicMessage) turns(at string) ([]chat.Message, error) {
	if m.Role != "user" && m.Role != "assistant" && m.Role != "system" {
		return nil, bad(at+".role", "got %q, want user or assistant", clip(m.Role, 20))
	}
	own := chat.Message{Role: m.Role}
	var list []chat.Message
	said := false
	for i := range m.Content {
		b := &m.Content[i]
		place := fmt.Sprintf("%s.content[%d]", at, i)
		switch b.Type {
		case "text":
			own.Content += b.Text
			said = true
		case "thinking":
			own.Reasoning += b.Thinking
		case "redacted_thinking":
		case "tool_use":
			if len(b.Input) == 0 {
				b.Input = json.RawMessage("{}")
			}
			own.ToolCalls = append(own.ToolCalls, chat.ToolCall{ID: b.ID, Name: b.Name, Arguments: b.Input})
		case "tool_result":
			text, err := b.Content.text(place + ".content")
			if err != nil {
				return nil, err
			}
			list = append(list, chat.Message{Role: "tool", Content: text, ToolCallID: b.ToolUseID})
		default:
			return nil, unsupported(place+".type", "got %q, and the models here read text alone", clip(b.Type, 30))
		}
	}
	if said || len(list) == 0 {
		list = append(list, own)
	}
	return list, nil
}

// plan reads the request.
func (q *messagesRequest) plan() (*plan, error) {
	p := &plan{model: q.Model}
	p.o = sampling{maxTokens: q.MaxTokens, temperature: q.Temperature, topP: q.TopP, topK: q.TopK, stops: q.StopSequences}
	if f := checkStops("stop_sequences", q.StopSequences); f != nil {
		return nil, f
	}
	if len(q.Messages) == 0 || len(q.Messages) > maxMessages {
		return nil, bad("messages", "got %d, want 1 to %d", len(q.Messages), maxMessages)
	}
	var messages []chat.Message
	system, err := q.System.text("system")
	if err != nil {
		return nil, err
	}
	if system != "" {
		messages = append(messages, chat.Message{Role: "system", Content: system})
	}
	for i := range q.Messages {
		turns, err := q.Messages[i].turns(fmt.Sprintf("messages[%d]", i))
		if err != nil {
			return nil, err
		}
		messages = append(messages, turns...)
	}
	p.conversation = conversation{messages: messages, open: true}
	if err := q.think(p); err != nil {
		return nil, err
	}
	return p, q.useTools(p)
}

// think reads how long the reply may think, and what form its answer has.
func (q *messagesRequest) think(p *plan) error {
	if c := q.OutputConfig; c != nil {
		if c.Effort != "" {
			if f := p.o.think.effort("output_config.effort", c.Effort); f != nil {
				return f
			}
		}
		if c.Format != nil {
			q.OutputFormat = c.Format
		}
	}
	if f := q.OutputFormat; f != nil {
		if f.Type != "json_schema" || len(f.Schema) == 0 {
			return bad("output_config.format", "want type json_schema and a schema")
		}
		p.o.schema = string(f.Schema)
	}
	if q.Thinking == nil {
		return nil
	}
	switch t := q.Thinking; t.Type {
	case "enabled":
		switch {
		case t.BudgetTokens == nil:
			return bad("thinking.budget_tokens", "it is missing")
		case q.MaxTokens != nil && *t.BudgetTokens >= *q.MaxTokens:
			return bad("thinking.budget_tokens", "got %d, want fewer than max_tokens (%d)", *t.BudgetTokens, *q.MaxTokens)
		}
		p.o.think.budget, p.o.think.force = t.BudgetTokens, *t.BudgetTokens > 0
	case "adaptive":
	case "disabled":
		p.o.think.budget = new(0)
	default:
		return bad("thinking.type", "got %q, want enabled, adaptive or disabled", clip(t.Type, 20))
	}
	return nil
}

// useTools reads the tools.
func (q *messagesRequest) useTools(p *plan) error {
	for i, t := range q.Tools {
		if t.Type != "" && t.Type != "custom" {
			return unsupported(fmt.Sprintf("tools[%d].type", i), "got %q, want custom: nothing is run here", clip(t.Type, 30))
		}
		p.tools = append(p.tools, openai.Tool{Type: "function", Function: openai.Function{Name: t.Name, Description: t.Description, Parameters: t.InputSchema, Strict: t.Strict}})
	}
	if c := q.ToolChoice; c != nil {
		p.oneCall = c.NoParallel
		switch c.Type {
		case "auto":
		case "none":
			p.choice.none = true
		case "any":
			p.choice.required = true
		case "tool":
			p.choice = toolChoice{required: true, name: c.Name}
		default:
			return bad("tool_choice.type", "got %q, want auto, any, tool or none", clip(c.Type, 20))
		}
	}
	return nil
}

// messages is POST /v1/messages.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) error {
	var q messagesRequest
	foreign, err := s.read(w, r, messageFields, &q)
	if err != nil {
		return err
	}
	if q.MaxTokens == nil {
		return bad("max_tokens", "it is missing")
	}
	p, err := q.plan()
	if err != nil {
		return err
	}
	id := newID("msg_")
	if err := s.begin(w, id, foreign); err != nil {
		return err
	}
	w.Header().Set("Request-Id", id)
	for _, m := range q.Messages {
		for i := range m.Content {
			if b := &m.Content[i]; b.Type == "thinking" && b.Signature != "" && !s.signed(b.Thinking, b.Signature) {
				p.note = "a thought in messages is not as this server sent it, or was sent before it was started anew"
			}
		}
	}
	if q.Stream {
		return s.streamMessages(w, r, id, p)
	}
	out := &messageReply{whole: s.newWhole(w, dialectAnthropic), oneCall: p.oneCall, signature: s.newSignature()}
	job, err := s.prepare(w, r, id, p, out)
	if err != nil {
		return out.fail(err)
	}
	defer job.lease.release()
	sum, err := s.do(r.Context(), job)
	if err != nil {
		return out.fail(err)
	}
	return out.reply(out.message(id, job.lease.id, sum))
}

// countTokens is POST /v1/messages/count_tokens.
func (s *Server) countTokens(w http.ResponseWriter, r *http.Request) error {
	var q messagesRequest
	foreign, err := s.read(w, r, messageFields, &q)
	if err != nil {
		return err
	}
	p, err := q.plan()
	if err != nil {
		return err
	}
	if err := s.begin(w, newID("cnt_"), foreign); err != nil {
		return err
	}
	l, err := s.acquire(r, q.Model, nil)
	if err != nil {
		return err
	}
	defer l.release()
	var b begun
	if err := s.making(r, nil, func() (err error) { b, _, err = p.render(l); return err }); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]int{"input_tokens": len(b.IDs)})
	return nil
}
