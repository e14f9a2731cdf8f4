package chat

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/retort-ml/retort/chat/internal/jinja"
)

// Message is one turn of a conversation. What is empty is not given to the template, but role and content always are.
type Message struct {
	Role    string // system, user, assistant or tool
	Content string
	// Parts is content as a JSON list of parts, for templates that take one; it replaces Content.
	Parts json.RawMessage
	// Reasoning is the thought of an earlier turn, reasoning_content in templates. Most templates drop it, or a
	// thought within Content, by rules of their own.
	Reasoning string
	// ToolCalls are what the assistant asked for. With them and without Content, content is null, as in the API of OpenAI.
	ToolCalls  []ToolCall
	ToolCallID string // of the call that a tool's message answers
	Name       string // of a tool
}

// ToolCall is one call of a function.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is a JSON value. Templates differ in whether they take an object or a string that holds one: this
	// is given to them as it is.
	Arguments json.RawMessage
}

// InputOptions is what a prompt is made from beside the messages.
type InputOptions struct {
	Tools               []json.RawMessage // a JSON schema each
	AddGenerationPrompt bool              // end with the beginning of the assistant's turn
	// Variables are further variables of the template as JSON, such as enable_thinking.
	Variables map[string]json.RawMessage
}

// Input is the variables of a template. Objects in it keep the order of their keys. It never changes.
type Input struct {
	variables *jinja.Dict
}

// NewInput makes the input of a conversation: messages, tools (when there are any), add_generation_prompt and the further
// variables.
func NewInput(messages []Message, o InputOptions) (Input, error) {
	list := make([]jinja.Value, len(messages))
	for i, message := range messages {
		var err error
		if list[i], err = message.value(); err != nil {
			return Input{}, fmt.Errorf("chat: message %d: %w", i, err)
		}
	}
	variables := jinja.NewDict()
	variables.Set("messages", jinja.NewList(list))
	if len(o.Tools) > 0 {
		tools := make([]jinja.Value, len(o.Tools))
		for i, tool := range o.Tools {
			var err error
			if tools[i], err = jinja.DecodeJSON(tool); err != nil {
				return Input{}, fmt.Errorf("chat: tool %d: %w", i, err)
			}
		}
		variables.Set("tools", jinja.NewList(tools))
	}
	variables.Set("add_generation_prompt", jinja.Bool(o.AddGenerationPrompt))
	in := Input{variables}
	names := make([]string, 0, len(o.Variables))
	for name := range o.Variables {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v, err := jinja.DecodeJSON(o.Variables[name])
		if err != nil {
			return Input{}, fmt.Errorf("chat: variable %s: %w", name, err)
		}
		in.variables.Set(name, v)
	}
	return in, nil
}

// ParseInput reads the variables of a template from a JSON object: messages, tools, add_generation_prompt and whatever else
// the template knows, as transformers passes them on.
func ParseInput(object []byte) (Input, error) {
	v, err := jinja.DecodeJSON(object)
	if err != nil {
		return Input{}, fmt.Errorf("chat: input: %w", err)
	}
	variables, ok := v.(*jinja.Dict)
	if !ok {
		return Input{}, fmt.Errorf("chat: input: want a JSON object with messages")
	}
	return Input{variables}, nil
}

// WithText returns the input with one more variable, such as bos_token. A variable of that name is replaced.
func (in Input) WithText(name, text string) Input {
	variables := jinja.NewDict()
	if in.variables != nil {
		variables = in.variables.Copy()
	}
	variables.Set(name, jinja.Str(text))
	return Input{variables}
}

// value is the message as a template sees it.
func (m Message) value() (jinja.Value, error) {
	d := jinja.NewDict()
	d.Set("role", jinja.Str(m.Role))
	switch {
	case m.Parts != nil:
		parts, err := jinja.DecodeJSON(m.Parts)
		if err != nil {
			return nil, fmt.Errorf("parts: %w", err)
		}
		d.Set("content", parts)
	case m.Content == "" && len(m.ToolCalls) > 0:
		d.Set("content", nil)
	default:
		d.Set("content", jinja.Str(m.Content))
	}
	for _, field := range []struct{ name, text string }{
		{"reasoning_content", m.Reasoning}, {"tool_call_id", m.ToolCallID}, {"name", m.Name},
	} {
		if field.text != "" {
			d.Set(field.name, jinja.Str(field.text))
		}
	}
	if len(m.ToolCalls) == 0 {
		return d, nil
	}
	calls := make([]jinja.Value, len(m.ToolCalls))
	for i, call := range m.ToolCalls {
		arguments, err := jinja.DecodeJSON(call.Arguments)
		if err != nil {
			return nil, fmt.Errorf("tool call %d: arguments: %w", i, err)
		}
		function := jinja.NewDict()
		function.Set("name", jinja.Str(call.Name))
		function.Set("arguments", arguments)
		c := jinja.NewDict()
		if call.ID != "" {
			c.Set("id", jinja.Str(call.ID))
		}
		c.Set("type", jinja.Str("function"))
		c.Set("function", function)
		calls[i] = c
	}
	d.Set("tool_calls", jinja.NewList(calls))
	return d, nil
}

// get returns a variable.
func (in Input) get(name string) (jinja.Value, bool) {
	if in.variables == nil {
		return nil, false
	}
	return in.variables.Get(name)
}
