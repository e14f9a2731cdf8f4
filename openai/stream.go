package openai

import (
	"bytes"
	"errors"
	"io"
)

// errShort is a stream that ends before its last word.
var errShort = errors.New("openai: the stream ended before the reply did")

// maxEvent bounds one event of a stream in bytes.
const maxEvent = 16 << 20 // 16 MiB

// events gives the data of each event to yield, which says whether all replies have ended. A stream ends well by [DONE], or
// where all replies have ended. Without again, an error after the first event is final: the caller has had a part already.
func (a *answer) events(again bool, yield func(data []byte) (ended bool, err error)) error {
	if !a.isStream() {
		return a.unstreamed()
	}
	r := NewEventReader(a.body, int(min(maxEvent, a.body.limit)))
	ended, some := false, false
	for {
		event, err := r.Next()
		if err == io.EOF {
			if ended {
				return nil
			}
			err = errShort
		} else if err == nil {
			data := bytes.TrimSpace(event.Data)
			if string(data) == "[DONE]" {
				return nil
			}
			if event.Type == "error" && errorIn(data) == nil {
				err = parseError(0, data)
			} else {
				ended, err = yield(data)
			}
		} else {
			err = attemptError(a.ctx, err)
		}
		if err != nil {
			if some && !again {
				return asFinal(err)
			}
			return err
		}
		some = true
	}
}

// unstreamed is the error of an answer that should have been a stream.
func (a *answer) unstreamed() error {
	text, err := io.ReadAll(io.LimitReader(a.body, 64<<10))
	if err != nil {
		return attemptError(a.ctx, err)
	}
	if e := errorIn(text); e != nil {
		return e
	}
	return final("got %s (%s), want a stream of events", clip(a.scrub(string(text)), 60), a.header.Get("Content-Type"))
}

// endings are the replies of a stream that have ended.
type endings map[int]bool

func (e endings) see(index int, reason *string) {
	e[index] = e[index] || reason != nil && *reason != ""
}

func (e endings) all() bool {
	for _, ended := range e {
		if !ended {
			return false
		}
	}
	return len(e) > 0
}

// maxChoices bounds the index of a reply in a stream, which decides how many there are.
const maxChoices = 4096

func checkIndex(index int) error {
	if index < 0 || index >= maxChoices {
		return final("reply %d in the stream, want 0 to %d", index, maxChoices-1)
	}
	return nil
}

// chatJoiner makes a response of chunks.
type chatJoiner struct {
	whole    ChatResponse
	contents []pieces
}

// pieces are the texts of one reply, which grow by appending.
type pieces struct {
	content, thought, refusal          []byte
	hasContent, hasThought, hasRefusal bool
}

func (j *chatJoiner) add(c *ChatChunk) error {
	w := &j.whole
	w.ID, w.Created = c.ID, c.Created
	if c.Model != "" {
		w.Model = c.Model
	}
	if c.SystemFingerprint != "" {
		w.SystemFingerprint = c.SystemFingerprint
	}
	if c.Usage != nil {
		w.Usage = c.Usage
	}
	for i := range c.Choices {
		if err := j.addChoice(&c.Choices[i]); err != nil {
			return err
		}
	}
	return nil
}

func (j *chatJoiner) addChoice(c *ChatChunkChoice) error {
	if err := checkIndex(c.Index); err != nil {
		return err
	}
	w := &j.whole
	for len(w.Choices) <= c.Index {
		w.Choices = append(w.Choices, ChatChoice{Index: len(w.Choices), Message: Message{Role: "assistant"}})
		j.contents = append(j.contents, pieces{})
	}
	choice, p, d := &w.Choices[c.Index], &j.contents[c.Index], &c.Delta
	if d.Content != nil {
		p.content, p.hasContent = append(p.content, d.Content.String()...), true
	}
	if thought, ok := d.Thought(); ok {
		p.thought, p.hasThought = append(p.thought, thought...), true
	}
	if d.Refusal != nil {
		p.refusal, p.hasRefusal = append(p.refusal, *d.Refusal...), true
	}
	if c.FinishReason != nil && *c.FinishReason != "" {
		choice.FinishReason = c.FinishReason
	}
	if c.Logprobs != nil {
		if choice.Logprobs == nil {
			choice.Logprobs = &ChatLogprobs{}
		}
		choice.Logprobs.Content = append(choice.Logprobs.Content, c.Logprobs.Content...)
		choice.Logprobs.Refusal = append(choice.Logprobs.Refusal, c.Logprobs.Refusal...)
	}
	return joinCalls(&choice.Message, d.ToolCalls)
}

// joinCalls adds pieces of tool calls: those of one index belong together, one without an index is whole.
func joinCalls(m *Message, calls []ToolCall) error {
	for _, call := range calls {
		at := len(m.ToolCalls)
		if call.Index != nil {
			if at = *call.Index; at < 0 || at > len(m.ToolCalls) {
				return final("tool call %d in the stream, want 0 to %d", at, len(m.ToolCalls))
			}
		}
		if at == len(m.ToolCalls) {
			m.ToolCalls = append(m.ToolCalls, ToolCall{})
		}
		to := &m.ToolCalls[at]
		if call.ID != "" {
			to.ID = call.ID
		}
		if call.Type != "" {
			to.Type = call.Type
		}
		to.Function.Name += call.Function.Name
		to.Function.Arguments += call.Function.Arguments
	}
	return nil
}

// response returns what has come; it may be called at any time.
func (j *chatJoiner) response() *ChatResponse {
	w := j.whole
	w.Object = "chat.completion"
	for i := range w.Choices {
		m, p := &w.Choices[i].Message, &j.contents[i]
		if p.hasContent {
			m.Content = NewContent(string(p.content))
		}
		if p.hasThought {
			m.ReasoningContent = new(string(p.thought))
		}
		if p.hasRefusal {
			m.Refusal = new(string(p.refusal))
		}
	}
	return &w
}

// completionJoiner makes a response of chunks.
type completionJoiner struct {
	whole CompletionResponse
	texts [][]byte
}

func (j *completionJoiner) add(c *CompletionResponse) error {
	w := &j.whole
	w.ID, w.Created = c.ID, c.Created
	if c.Model != "" {
		w.Model = c.Model
	}
	if c.SystemFingerprint != "" {
		w.SystemFingerprint = c.SystemFingerprint
	}
	if c.Usage != nil {
		w.Usage = c.Usage
	}
	for i := range c.Choices {
		piece := &c.Choices[i]
		if err := checkIndex(piece.Index); err != nil {
			return err
		}
		for len(w.Choices) <= piece.Index {
			w.Choices = append(w.Choices, CompletionChoice{Index: len(w.Choices)})
			j.texts = append(j.texts, nil)
		}
		choice := &w.Choices[piece.Index]
		j.texts[piece.Index] = append(j.texts[piece.Index], piece.Text...)
		if piece.FinishReason != nil && *piece.FinishReason != "" {
			choice.FinishReason = piece.FinishReason
		}
		if l := piece.Logprobs; l != nil {
			if choice.Logprobs == nil {
				choice.Logprobs = &CompletionLogprobs{}
			}
			to := choice.Logprobs
			to.Tokens, to.TokenLogprobs = append(to.Tokens, l.Tokens...), append(to.TokenLogprobs, l.TokenLogprobs...)
			to.TopLogprobs, to.TextOffset = append(to.TopLogprobs, l.TopLogprobs...), append(to.TextOffset, l.TextOffset...)
		}
	}
	return nil
}

func (j *completionJoiner) response() *CompletionResponse {
	w := j.whole
	w.Object = "text_completion"
	for i := range w.Choices {
		w.Choices[i].Text = string(j.texts[i])
	}
	return &w
}
