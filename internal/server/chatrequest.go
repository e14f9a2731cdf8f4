package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/openai"
)

// samplingFields are the fields that chat completions and completions share: those of OpenAI's specification, and those of vLLM, llama.cpp and
// Retort that are done.
var samplingFields = fields{
	"model": nil, "n": nil, "max_tokens": nil, "temperature": nil, "top_p": nil, "seed": nil, "stop": nil, "stream": nil,
	"stream_options": nil, "frequency_penalty": nil, "presence_penalty": nil, "logit_bias": nil, "logprobs": nil, "user": nil,
	"top_k": nil, "min_p": nil, "repetition_penalty": nil, "repeat_penalty": nil, "return_token_ids": nil, "skip_special_tokens": nil,
	"grammar":                      nil,
	"stream_options.include_usage": nil, "stream_options.include_obfuscation": only("nothing is padded here", "false"),
}

// chatFields are the fields of chat completions. What a user, a caller or a cache is called has no effect here and needs none.
var chatFields = with(samplingFields, fields{
	"messages": nil, "max_completion_tokens": nil, "top_logprobs": nil, "response_format": nil, "tools": nil, "tool_choice": nil,
	"parallel_tool_calls": nil, "reasoning_effort": nil, "safety_identifier": nil, "prompt_cache_key": nil, "prompt_cache_retention": nil,
	"prompt_cache_options": nil, "prediction": nil,
	"audio": never("there is no audio here"), "modalities": only("text is all there is", `["text"]`),
	"function_call": never("the old name of tool_choice; try: tools"), "functions": never("the old name of tools"),
	"metadata":     only("nothing is stored here", "{}"),
	"service_tier": only("there is one tier", `"auto"`, `"default"`), "store": only("nothing is stored here", "false"),
	"verbosity": only("the model knows one verbosity", `"medium"`), "web_search_options": never("nothing is looked up here"),
	"moderation": never("there is no moderation here"),
	// of others
	"stop_in_reasoning": nil, "thinking": nil, "thinking_budget": nil, "thinking_token_budget": nil, "reasoning_budget": nil, "answer_reserve": nil, "reasoning": nil,
	"chat_template_kwargs": nil, "continue_token_ids": nil,
	"thinking.type": nil, "thinking.budget_tokens": nil, "reasoning.effort": nil, "reasoning.max_tokens": nil, "reasoning.enabled": nil,
	"response_format.type": nil, "response_format.json_schema": nil, "response_format.json_schema.name": nil,
	"response_format.json_schema.description": nil, "response_format.json_schema.schema": nil, "response_format.json_schema.strict": nil,
	"tools[].type": nil, "tools[].function": nil, "tools[].custom": never("the models here call functions alone"),
	"tools[].function.name": nil, "tools[].function.description": nil, "tools[].function.parameters": nil, "tools[].function.strict": nil,
	"messages[].role": nil, "messages[].content": nil, "messages[].reasoning_content": nil, "messages[].reasoning": nil, "messages[].refusal": nil,
	"messages[].name": nil, "messages[].tool_calls": nil, "messages[].tool_call_id": nil,
	"messages[].audio": never("there is no audio here"), "messages[].function_call": never("the old name of tool_calls"),
})

// with joins two tables.
func with(a, b fields) fields {
	all := fields{}
	for _, part := range []fields{a, b} {
		for name, check := range part {
			all[name] = check
		}
	}
	return all
}

// extras are the fields that are done beside OpenAI's specification.
type extras struct {
	TopK              *int     `json:"top_k"`
	MinP              *float64 `json:"min_p"`
	RepetitionPenalty *float64 `json:"repetition_penalty"`
	RepeatPenalty     *float64 `json:"repeat_penalty"`
	ReturnTokenIDs    bool     `json:"return_token_ids"`
	ContinueTokenIDs  []int32  `json:"continue_token_ids"`
	SkipSpecialTokens *bool    `json:"skip_special_tokens"`
	Grammar           string   `json:"grammar"`
	StopInReasoning   bool     `json:"stop_in_reasoning"`
	Thinking          *struct {
		Type         string `json:"type"`
		BudgetTokens *int   `json:"budget_tokens"`
	} `json:"thinking"`
	ThinkingBudget      *int `json:"thinking_budget"`
	ThinkingTokenBudget *int `json:"thinking_token_budget"`
	ReasoningBudget     *int `json:"reasoning_budget"`
	AnswerReserve       *int `json:"answer_reserve"`
	Reasoning           *struct {
		Effort    string `json:"effort"`
		MaxTokens *int   `json:"max_tokens"`
		Enabled   *bool  `json:"enabled"`
	} `json:"reasoning"`
	Variables map[string]json.RawMessage `json:"chat_template_kwargs"`
}

// extrasOf reads the fields that OpenAI's type has no place for.
func extrasOf(extra openai.Extra) (*extras, error) {
	e := &extras{}
	text, err := json.Marshal(extra)
	if err == nil && len(extra) > 0 {
		err = json.Unmarshal(text, e)
	}
	if err != nil {
		return nil, typeFault(err)
	}
	return e, nil
}

// apply puts the extra fields into a sampling.
func (e *extras) apply(o *sampling) error {
	o.topK, o.minP, o.repetition, o.gbnf = e.TopK, e.MinP, e.RepetitionPenalty, e.Grammar
	if o.repetition == nil {
		o.repetition = e.RepeatPenalty
	}
	o.tokenIDs, o.stopThought = e.ReturnTokenIDs, e.StopInReasoning
	o.keepSpecial = e.SkipSpecialTokens != nil && !*e.SkipSpecialTokens
	t := &o.think
	t.reserve = e.AnswerReserve
	for _, budget := range []*int{e.ThinkingBudget, e.ThinkingTokenBudget, e.ReasoningBudget} {
		if budget == nil {
			continue
		}
		t.budget = budget
		if *budget < 0 { // no bound
			t.budget = nil
		}
	}
	if r := e.Reasoning; r != nil {
		if r.Effort != "" {
			if f := t.effort("reasoning.effort", r.Effort); f != nil {
				return f
			}
		}
		if r.MaxTokens != nil {
			t.budget = r.MaxTokens
		}
		if r.Enabled != nil && !*r.Enabled {
			t.budget = new(0)
		}
	}
	if e.Thinking == nil {
		return nil
	}
	switch e.Thinking.Type {
	case "enabled":
		t.force = true
		if e.Thinking.BudgetTokens != nil {
			t.budget = e.Thinking.BudgetTokens
		}
	case "disabled":
		t.budget = new(0)
	case "auto", "adaptive", "":
		t.budget = e.Thinking.BudgetTokens
	default:
		return bad("thinking.type", "got %q, want enabled, disabled or auto", clip(e.Thinking.Type, 20))
	}
	return nil
}

// messagesOf turns OpenAI's messages into those of a template.
func messagesOf(list []openai.Message) ([]chat.Message, error) {
	if len(list) == 0 || len(list) > maxMessages {
		return nil, bad("messages", "got %d, want 1 to %d", len(list), maxMessages)
	}
	messages := make([]chat.Message, len(list))
	for i := range list {
		m := &list[i]
		at := fmt.Sprintf("messages[%d]", i)
		text, err := textOf(m.Content, at)
		if err != nil {
			return nil, err
		}
		if m.Content == nil && m.Refusal != nil {
			text = *m.Refusal
		}
		thought, _ := m.Thought()
		c := chat.Message{Role: m.Role, Content: text, Reasoning: thought, ToolCallID: m.ToolCallID, Name: m.Name}
		switch m.Role {
		case "user", "system", "assistant", "tool":
		case "developer":
			c.Role = "system"
		default:
			return nil, bad(at+".role", "got %q, want system, developer, user, assistant or tool", clip(m.Role, 20))
		}
		if m.Content == nil && c.Role != "assistant" {
			return nil, bad(at+".content", "it is missing")
		}
		for _, t := range m.ToolCalls {
			c.ToolCalls = append(c.ToolCalls, chat.ToolCall{ID: t.ID, Name: t.Function.Name, Arguments: argumentsOf(t.Function.Arguments)})
		}
		messages[i] = c
	}
	return messages, nil
}

// argumentsOf is what a template is given: the object that a text of arguments holds, or the text if it holds none.
func argumentsOf(text string) json.RawMessage {
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") && json.Valid([]byte(trimmed)) {
		return json.RawMessage(trimmed)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return quoted
}

// textOf is content that is text alone.
func textOf(c *openai.Content, at string) (string, error) {
	if c == nil {
		return "", nil
	}
	for i, part := range c.Parts {
		if part.Type != "text" {
			return "", unsupported(fmt.Sprintf("%s.content[%d].type", at, i), "got %q, and the models here read text alone", clip(part.Type, 30))
		}
	}
	return c.String(), nil
}

// responseFormat reads a response_format into the schema that the answer follows.
func responseFormat(raw json.RawMessage) (schema string, err error) {
	if len(raw) == 0 {
		return "", nil
	}
	var f struct {
		Type       string `json:"type"`
		JSONSchema *struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return "", bad("response_format", "want an object with type")
	}
	switch f.Type {
	case "text":
		return "", nil
	case "json_object":
		return `{"type":"object"}`, nil
	case "json_schema":
		if f.JSONSchema == nil || len(f.JSONSchema.Schema) == 0 {
			return "", bad("response_format.json_schema.schema", "it is missing")
		}
		return string(f.JSONSchema.Schema), nil
	}
	return "", bad("response_format.type", "got %q, want text, json_object or json_schema", clip(f.Type, 30))
}

// toolChoice is what tool_choice asks for.
type toolChoice struct {
	none, required bool
	name           string // the one tool that must be called
}

func toolChoiceOf(raw json.RawMessage) (toolChoice, error) {
	if len(raw) == 0 {
		return toolChoice{}, nil
	}
	var word string
	if json.Unmarshal(raw, &word) == nil {
		switch word {
		case "none", "auto", "required":
			return toolChoice{none: word == "none", required: word == "required"}, nil
		}
		return toolChoice{}, bad("tool_choice", "got %q, want none, auto, required or a function", clip(word, 30))
	}
	var one struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if err := json.Unmarshal(raw, &one); err != nil || one.Type != "function" || one.Function.Name == "" {
		return toolChoice{}, unsupported("tool_choice", `want none, auto, required or {"type":"function","function":{"name":...}}`)
	}
	return toolChoice{required: true, name: one.Function.Name}, nil
}

// caller is who asks.
func (s *Server) caller(r *http.Request) string { return s.guard.caller(r) }
