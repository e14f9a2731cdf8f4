// Package openai is: The wire types of the OpenAI-compatible API and a client for it.
//
// The types serve both sides: a server reads requests with them and writes what a client reads. They hold what the chat
// completions, completions and models routes hold (https://platform.openai.com/docs/api-reference), and the fields of other
// servers that people rely on: reasoning_content (DeepSeek, llama.cpp, SGLang) and reasoning (vLLM, Ollama, LM Studio). The
// package knows no prompt, no template and no model by its name; it does not speak the responses, audio or image routes.
//
// Invariants: a field of a request that has no place in the type is kept in Extra and written again; one of a reply is
// left alone. A Client sends its key to the host of its base URL alone and never puts it into an error. What a reply may
// cost in bytes, in silence and in attempts is bounded by Options. A stream is complete or an error, never short without
// one.
package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Extra holds fields of a request that the type has no place for, as they came.
type Extra map[string]json.RawMessage

// fieldNames are the JSON names of a struct's own fields.
func fieldNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
}

// marshalWith encodes a struct and puts the extra fields behind its own. One that the struct has a place for is an error:
// it would be there twice.
func marshalWith(plain any, extra Extra) ([]byte, error) {
	text, err := marshal(plain)
	if err != nil || len(extra) == 0 {
		return text, err
	}
	own := fieldNames(reflect.TypeOf(plain))
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(text, []byte("}")))
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if own[name] {
			return nil, fmt.Errorf("openai: extra field %q has a place of its own in %T", name, plain)
		}
		key, err := marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(extra[name])
		if err != nil {
			return nil, fmt.Errorf("openai: extra field %q: %w", name, err)
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// unmarshalWith decodes into a struct and returns the fields that it has no place for.
func unmarshalWith(text []byte, plain any) (Extra, error) {
	if err := json.Unmarshal(text, plain); err != nil {
		return nil, err
	}
	var all Extra
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for name := range fieldNames(reflect.TypeOf(plain).Elem()) {
		delete(all, name)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// marshal encodes without HTML's escapes, which make prompts longer and hard to read.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Strings is a text or a list of texts on the wire, such as stop; null is none.
type Strings []string

// UnmarshalJSON reads a text, a list of texts or null.
func (s *Strings) UnmarshalJSON(text []byte) error {
	var one *string
	if err := json.Unmarshal(text, &one); err == nil {
		*s = nil
		if one != nil {
			*s = Strings{*one}
		}
		return nil
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		return err // of a type that lets the decoder name the field
	}
	*s = list
	return nil
}

// Usage counts tokens. Details are nil where a server does not give them.
type Usage struct {
	PromptTokens            int                `json:"prompt_tokens"`
	CompletionTokens        int                `json:"completion_tokens"`
	TotalTokens             int                `json:"total_tokens"`
	PromptTokensDetails     *PromptDetails     `json:"prompt_tokens_details,omitempty"`
	CompletionTokensDetails *CompletionDetails `json:"completion_tokens_details,omitempty"`
}

// PromptDetails says how many of the prompt's tokens had been evaluated before.
type PromptDetails struct {
	CachedTokens int `json:"cached_tokens"`
}

// CompletionDetails says how many of the completion's tokens are the thought.
type CompletionDetails struct {
	ReasoningTokens int `json:"reasoning_tokens"`
}

// ReasoningTokens returns the tokens of the thought, 0 if they were not counted.
func (u *Usage) ReasoningTokens() int {
	if u == nil || u.CompletionTokensDetails == nil {
		return 0
	}
	return u.CompletionTokensDetails.ReasoningTokens
}

// CachedTokens returns the tokens of the prompt that had been evaluated before, 0 if they were not counted.
func (u *Usage) CachedTokens() int {
	if u == nil || u.PromptTokensDetails == nil {
		return 0
	}
	return u.PromptTokensDetails.CachedTokens
}

// Model is one entry of the list of models.
type Model struct {
	ID      string `json:"id"`
	Object  string `json:"object"` // "model"
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	// MaxModelLen is the context in tokens, of vLLM and SGLang.
	MaxModelLen int `json:"max_model_len,omitempty"`
}

// ModelList is the reply of the models route.
type ModelList struct {
	Object string  `json:"object"` // "list"
	Data   []Model `json:"data"`
}

// The finish reasons of the specification.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishToolCalls     = "tool_calls"
	FinishFunctionCall  = "function_call" // the old name of tool_calls
	FinishContentFilter = "content_filter"
)

// StreamOptions are those of a stream.
type StreamOptions struct {
	// IncludeUsage asks for a last chunk without choices that has the usage.
	IncludeUsage bool `json:"include_usage"`
}
