package openai

import (
	"encoding/json"
	"errors"
)

// CompletionRequest asks for continuations of a text. A pointer that is nil leaves its field to the server.
type CompletionRequest struct {
	Model         string         `json:"model"`
	Prompt        Prompt         `json:"prompt"`
	Suffix        string         `json:"suffix,omitempty"`
	MaxTokens     *int           `json:"max_tokens,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty"`
	TopP          *float64       `json:"top_p,omitempty"`
	N             *int           `json:"n,omitempty"`
	BestOf        *int           `json:"best_of,omitempty"`
	Seed          *int64         `json:"seed,omitempty"`
	Stop          Strings        `json:"stop,omitempty"`
	Stream        bool           `json:"stream,omitempty"`
	StreamOptions *StreamOptions `json:"stream_options,omitempty"`
	// Logprobs is how many alternatives of each token are given beside its own log-probability.
	Logprobs *int `json:"logprobs,omitempty"`
	Echo     bool `json:"echo,omitempty"`

	FrequencyPenalty *float64           `json:"frequency_penalty,omitempty"`
	PresencePenalty  *float64           `json:"presence_penalty,omitempty"`
	LogitBias        map[string]float64 `json:"logit_bias,omitempty"`
	User             string             `json:"user,omitempty"`
	// Extra holds whatever else is asked for.
	Extra Extra `json:"-"`
}

type plainCompletionRequest CompletionRequest

// MarshalJSON writes the extra fields behind the others.
func (r CompletionRequest) MarshalJSON() ([]byte, error) {
	return marshalWith(plainCompletionRequest(r), r.Extra)
}

// UnmarshalJSON keeps the fields that have no place in Extra.
func (r *CompletionRequest) UnmarshalJSON(text []byte) error {
	var plain plainCompletionRequest
	extra, err := unmarshalWith(text, &plain)
	if err != nil {
		return err
	}
	*r = CompletionRequest(plain)
	r.Extra = extra
	return nil
}

// Prompt is one text, several, or lists of token ids: exactly one of the two fields is set. On the wire a list of one text
// is the text.
type Prompt struct {
	Texts  []string
	Tokens [][]int32
}

// MarshalJSON writes the shortest form.
func (p Prompt) MarshalJSON() ([]byte, error) {
	switch {
	case len(p.Texts) == 1 && p.Tokens == nil:
		return marshal(p.Texts[0])
	case p.Texts != nil && p.Tokens == nil:
		return marshal(p.Texts)
	case len(p.Tokens) == 1 && p.Texts == nil:
		return marshal(p.Tokens[0])
	case p.Tokens != nil && p.Texts == nil:
		return marshal(p.Tokens)
	}
	return nil, errors.New("openai: prompt: want texts or tokens")
}

// UnmarshalJSON reads a text, a list of texts, of ids, or of lists of ids.
func (p *Prompt) UnmarshalJSON(text []byte) error {
	*p = Prompt{}
	var one *string
	if json.Unmarshal(text, &one) == nil && one != nil {
		p.Texts = []string{*one}
		return nil
	}
	if json.Unmarshal(text, &p.Texts) == nil && p.Texts != nil {
		return nil
	}
	p.Texts = nil
	var ids []int32
	if json.Unmarshal(text, &ids) == nil && ids != nil {
		p.Tokens = [][]int32{ids}
		return nil
	}
	if json.Unmarshal(text, &p.Tokens) == nil && p.Tokens != nil {
		return nil
	}
	p.Tokens = nil
	return errors.New("prompt: want a text, a list of texts, a list of token ids, or a list of such lists")
}

// CompletionResponse is the reply to a CompletionRequest, and each event of its stream.
type CompletionResponse struct {
	ID                string             `json:"id"`
	Object            string             `json:"object"` // "text_completion"
	Created           int64              `json:"created"`
	Model             string             `json:"model"`
	SystemFingerprint string             `json:"system_fingerprint,omitempty"`
	Choices           []CompletionChoice `json:"choices"`
	Usage             *Usage             `json:"usage,omitempty"`
}

// CompletionChoice is one continuation of several, or what comes new of it.
type CompletionChoice struct {
	Index        int                 `json:"index"`
	Text         string              `json:"text"`
	FinishReason *string             `json:"finish_reason"`
	Logprobs     *CompletionLogprobs `json:"logprobs"`
	// PromptTokenIDs is the prompt, if ids were asked for, as in vLLM; in a stream it comes with the first piece alone.
	PromptTokenIDs []int32 `json:"prompt_token_ids,omitempty"`
	Outcome
}

// CompletionLogprobs are the log-probabilities of a continuation's tokens in nats, in parallel lists. The first token of an
// echoed prompt has none: null.
type CompletionLogprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []*float64           `json:"token_logprobs"`
	TopLogprobs   []map[string]float64 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"`
}
