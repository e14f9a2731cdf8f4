package openai

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Message is one turn of a conversation, in a request or in a reply.
type Message struct {
	Role string `json:"role"` // system, developer, user, assistant or tool
	// Content is what was said; nil is null, as beside tool calls.
	Content *Content `json:"content"`
	// ReasoningContent and Reasoning are the thought, under the names that servers give it. See Thought.
	ReasoningContent *string    `json:"reasoning_content,omitempty"`
	Reasoning        *Loose     `json:"reasoning,omitempty"`
	Refusal          *string    `json:"refusal,omitempty"`
	Name             string     `json:"name,omitempty"`
	ToolCalls        []ToolCall `json:"tool_calls,omitempty"`
	ToolCallID       string     `json:"tool_call_id,omitempty"`
}

// Thought returns the thought, whichever name it came under, and whether there was one (an empty one too).
func (m *Message) Thought() (string, bool) { return thoughtOf(m.ReasoningContent, m.Reasoning) }

func thoughtOf(reasoningContent *string, reasoning *Loose) (string, bool) {
	switch {
	case reasoningContent != nil && (*reasoningContent != "" || reasoning == nil):
		return *reasoningContent, true
	case reasoning != nil:
		return string(*reasoning), true
	}
	return "", false
}

// Loose is a text that some servers send as something else; anything that is no text is read as none.
type Loose string

// UnmarshalJSON reads a text and passes over the rest.
func (l *Loose) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*l = Loose(s)
	}
	return nil
}

// Content is a text, or a list of parts.
type Content struct {
	Text  string
	Parts []Part // nil for a text
}

// NewContent returns a text as content.
func NewContent(text string) *Content { return &Content{Text: text} }

// Part is one part of content. The fields of a part that is no text stay in Raw as they came.
type Part struct {
	Type string // "text", "image_url", "refusal" ...
	Text string // of a part of type text
	Raw  json.RawMessage
}

// String returns the text, or the texts of the parts, joined.
func (c *Content) String() string {
	if c == nil {
		return ""
	}
	if c.Parts == nil {
		return c.Text
	}
	var b strings.Builder
	for _, p := range c.Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// MarshalJSON writes a text, or a list of parts.
func (c Content) MarshalJSON() ([]byte, error) {
	if c.Parts == nil {
		return marshal(c.Text)
	}
	return marshal(c.Parts)
}

// UnmarshalJSON reads a text or a list of parts.
func (c *Content) UnmarshalJSON(text []byte) error {
	*c = Content{}
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] == '[' {
		c.Parts = []Part{}
		return json.Unmarshal(text, &c.Parts)
	}
	return json.Unmarshal(text, &c.Text)
}

// MarshalJSON writes the part as it came, or one of text.
func (p Part) MarshalJSON() ([]byte, error) {
	if p.Raw != nil {
		return p.Raw, nil
	}
	return marshal(struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}{p.Type, p.Text})
}

// UnmarshalJSON reads a part and keeps it as it came.
func (p *Part) UnmarshalJSON(text []byte) error {
	var fields struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return err // of a type that lets the decoder name the field
	}
	*p = Part{Type: fields.Type, Raw: bytes.Clone(text)}
	if fields.Type == "text" {
		p.Text = fields.Text
	}
	return nil
}

// Tool is something that the model may call.
type Tool struct {
	Type     string   `json:"type"` // "function"
	Function Function `json:"function"`
}

// Function describes a tool.
type Function struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // a JSON schema
	Strict      *bool           `json:"strict,omitempty"`
}

// ToolCall is one call. In a stream it comes in pieces: those of one Index belong together.
type ToolCall struct {
	Index    *int         `json:"index,omitempty"` // of a stream's
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"` // "function"
	Function FunctionCall `json:"function"`
}

// FunctionCall is what is called, and with what.
type FunctionCall struct {
	Name string `json:"name,omitempty"`
	// Arguments is a text that should hold a JSON object; a model may write something else.
	Arguments string `json:"arguments"`
}
