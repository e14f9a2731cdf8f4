package openai

import "encoding/json"

// ChatRequest asks for replies to a conversation. A pointer that is nil leaves its field to the server.
type ChatRequest struct {
	Model               string         `json:"model"`
	Messages            []Message      `json:"messages"`
	MaxTokens           *int           `json:"max_tokens,omitempty"` // the old name of max_completion_tokens
	MaxCompletionTokens *int           `json:"max_completion_tokens,omitempty"`
	Temperature         *float64       `json:"temperature,omitempty"`
	TopP                *float64       `json:"top_p,omitempty"`
	N                   *int           `json:"n,omitempty"`
	Seed                *int64         `json:"seed,omitempty"`
	Stop                Strings        `json:"stop,omitempty"`
	Stream              bool           `json:"stream,omitempty"`
	StreamOptions       *StreamOptions `json:"stream_options,omitempty"`
	Logprobs            *bool          `json:"logprobs,omitempty"`
	TopLogprobs         *int           `json:"top_logprobs,omitempty"`

	FrequencyPenalty *float64           `json:"frequency_penalty,omitempty"`
	PresencePenalty  *float64           `json:"presence_penalty,omitempty"`
	LogitBias        map[string]float64 `json:"logit_bias,omitempty"` // by token id
	// ResponseFormat is {"type": "text"}, "json_object" or "json_schema" with a schema.
	ResponseFormat    json.RawMessage `json:"response_format,omitempty"`
	Tools             []Tool          `json:"tools,omitempty"`
	ToolChoice        json.RawMessage `json:"tool_choice,omitempty"` // "none", "auto", "required" or a function
	ParallelToolCalls *bool           `json:"parallel_tool_calls,omitempty"`
	ReasoningEffort   *string         `json:"reasoning_effort,omitempty"`
	User              string          `json:"user,omitempty"`
	// Extra holds whatever else is asked for, such as top_k or chat_template_kwargs.
	Extra Extra `json:"-"`
}

type plainChatRequest ChatRequest

// MarshalJSON writes the extra fields behind the others.
func (r ChatRequest) MarshalJSON() ([]byte, error) { return marshalWith(plainChatRequest(r), r.Extra) }

// UnmarshalJSON keeps the fields that have no place in Extra.
func (r *ChatRequest) UnmarshalJSON(text []byte) error {
	var plain plainChatRequest
	extra, err := unmarshalWith(text, &plain)
	if err != nil {
		return err
	}
	*r = ChatRequest(plain)
	r.Extra = extra
	return nil
}

// ChatResponse is the reply to a ChatRequest that is no stream.
type ChatResponse struct {
	ID                string       `json:"id"`
	Object            string       `json:"object"` // "chat.completion"
	Created           int64        `json:"created"`
	Model             string       `json:"model"`
	SystemFingerprint string       `json:"system_fingerprint,omitempty"`
	Choices           []ChatChoice `json:"choices"`
	Usage             *Usage       `json:"usage,omitempty"`
	PromptIDs
}

// ChatChoice is one reply of several.
type ChatChoice struct {
	Index        int           `json:"index"`
	Message      Message       `json:"message"`
	FinishReason *string       `json:"finish_reason"`
	Logprobs     *ChatLogprobs `json:"logprobs"`
	Outcome
}

// Outcome is what Retort's server says of a reply beside the specification; in a stream it comes with the piece that it became known with.
type Outcome struct {
	// Seed gives this reply again, with n of 1.
	Seed *int64 `json:"seed,omitempty"`
	// Code is no_answer where the reply ended before its answer began.
	Code string `json:"code,omitempty"`
	// ReasoningEnded says what ended the thought: model, budget, reserve, loop or request.
	ReasoningEnded string `json:"reasoning_ended,omitempty"`
	// TokenIDs are the sampled ids without the one that ended the turn, if they were asked for.
	TokenIDs []int32 `json:"token_ids,omitempty"`
}

// ChatLogprobs are the log-probabilities of a reply's tokens, in nats.
type ChatLogprobs struct {
	Content []TokenLogprob `json:"content"`
	Refusal []TokenLogprob `json:"refusal"`
	// Reasoning are those of the thought and its marks, which the specification has no place for.
	Reasoning []TokenLogprob `json:"reasoning,omitempty"`
}

// TokenLogprob is one token. Bytes are its own, where its text is no whole character; nil if there are none. An alternative has no
// alternatives, nil; a token that was sampled has some or an empty list.
type TokenLogprob struct {
	ID          *int32         `json:"id,omitempty"` // as in llama.cpp; of Retort's server, if ids were asked for
	Token       string         `json:"token"`
	Logprob     float64        `json:"logprob"`
	Bytes       []int          `json:"bytes"`
	TopLogprobs []TokenLogprob `json:"top_logprobs,omitzero"`
}

// ChatChunk is one event of a stream.
type ChatChunk struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"` // "chat.completion.chunk"
	Created           int64             `json:"created"`
	Model             string            `json:"model"`
	SystemFingerprint string            `json:"system_fingerprint,omitempty"`
	Choices           []ChatChunkChoice `json:"choices"`
	Usage             *Usage            `json:"usage,omitempty"`
	PromptIDs
}

// PromptIDs are what replies of Retort's server come from, if ids were asked for; in a stream they come with the first piece alone.
type PromptIDs struct {
	// PromptTokenIDs is the whole prompt, with the beginning of the reply if the client gave one; as in vLLM.
	PromptTokenIDs []int32 `json:"prompt_token_ids,omitempty"`
	// Continued is that beginning.
	Continued *Continued `json:"continued,omitempty"`
}

// Continued is the beginning of a reply that the client gave: its ids, and the texts that the reply's own texts are to be put behind. What of the ids is
// no certain text yet, such as half a character, is in neither: it comes with the reply.
type Continued struct {
	TokenIDs         []int32 `json:"token_ids"`
	ReasoningContent string  `json:"reasoning_content,omitempty"`
	Content          string  `json:"content,omitempty"`
}

// ChatChunkChoice is what comes new of one reply.
type ChatChunkChoice struct {
	Index        int           `json:"index"`
	Delta        Delta         `json:"delta"`
	FinishReason *string       `json:"finish_reason"`
	Logprobs     *ChatLogprobs `json:"logprobs,omitempty"`
	Outcome
}

// Delta is a piece of a message. What is missing has not changed.
type Delta struct {
	Role             string     `json:"role,omitempty"`
	Content          *Content   `json:"content,omitempty"`
	ReasoningContent *string    `json:"reasoning_content,omitempty"`
	Reasoning        *Loose     `json:"reasoning,omitempty"`
	Refusal          *string    `json:"refusal,omitempty"`
	ToolCalls        []ToolCall `json:"tool_calls,omitempty"`
}

// Thought returns the piece of the thought, whichever name it came under, and whether there is one.
func (d *Delta) Thought() (string, bool) { return thoughtOf(d.ReasoningContent, d.Reasoning) }
