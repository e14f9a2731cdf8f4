package server

import (
	"net/http"

	"github.com/retort-ml/retort/openai"
)

// chatReply gathers a reply that is sent at once.
type chatReply struct {
	whole
	head    head
	ask     *ask
	oneCall bool
	choices []chatChoice
}

// chatChoice is what has come of one choice.
type chatChoice struct {
	thought, answer []byte
	openai.ChatChoice
}

// piece implements sink.
func (r *chatReply) piece(p *piece) error {
	c := &r.choices[p.choice]
	c.thought, c.answer = append(c.thought, p.thought...), append(c.answer, p.answer...)
	for _, call := range p.calls {
		if r.oneCall && len(c.Message.ToolCalls) > 0 {
			break
		}
		c.Message.ToolCalls = append(c.Message.ToolCalls, wireCall(&call, nil))
	}
	if l := logprobsOf(p); l != nil {
		if c.Logprobs == nil {
			c.Logprobs = &openai.ChatLogprobs{Content: []openai.TokenLogprob{}}
		}
		c.Logprobs.Content = append(c.Logprobs.Content, l.Content...)
		c.Logprobs.Reasoning = append(c.Logprobs.Reasoning, l.Reasoning...)
	}
	c.TokenIDs = append(c.TokenIDs, p.ids()...)
	if p.finish == "" {
		return nil
	}
	c.Index, c.Seed, c.FinishReason, c.Code, c.ReasoningEnded = p.choice, &p.seed, finishOf(p), p.code, string(p.ended)
	return nil
}

// sentReply, sentChoice and sentMessage are a reply with the field that the specification wants though nothing is ever refused here.
type (
	sentReply struct {
		openai.ChatResponse
		Choices []sentChoice `json:"choices"`
	}
	sentChoice struct {
		openai.ChatChoice
		Message sentMessage `json:"message"`
	}
	sentMessage struct {
		openai.Message
		Refusal *string `json:"refusal"`
	}
)

// response is the whole reply.
func (r *chatReply) response(sum totals) *sentReply {
	q := openai.ChatResponse{ID: r.head.id, Object: "chat.completion", Created: r.head.created, Model: r.head.model,
		SystemFingerprint: r.head.fingerprint, Usage: usageOf(sum), PromptIDs: r.ask.promptIDs()}
	sent := &sentReply{ChatResponse: q}
	for i := range r.choices {
		c := &r.choices[i]
		c.Message.Role = "assistant"
		if len(c.answer) > 0 || c.Code == "" && len(c.Message.ToolCalls) == 0 {
			c.Message.Content = openai.NewContent(string(c.answer))
		}
		if len(c.thought) > 0 || c.Code != "" && r.ask.thoughtful() {
			thought := string(c.thought)
			c.Message.ReasoningContent, c.Message.Reasoning = &thought, (*openai.Loose)(&thought)
		}
		sent.Choices = append(sent.Choices, sentChoice{ChatChoice: c.ChatChoice, Message: sentMessage{Message: c.Message}})
	}
	return sent
}

// wireCall is a call in OpenAI's dialect; index is that of a stream.
func wireCall(c *call, index *int) openai.ToolCall {
	return openai.ToolCall{Index: index, ID: c.id, Type: "function", Function: openai.FunctionCall{Name: c.name, Arguments: c.arguments}}
}

// chatStream sends a reply as it comes.
type chatStream struct {
	stream
	head  head
	ask   *ask   // nil once the prompt's ids are told
	begun []bool // the choice has told its role
	calls []int  // of each choice
	one   bool
}

// streamChat answers with events.
func (s *Server) streamChat(w http.ResponseWriter, r *http.Request, id string, p *plan, usage bool) error {
	out := &chatStream{stream: s.newStream(w, dialectOpenAI), one: p.oneCall}
	job, err := s.prepare(w, r, id, p, out)
	if err != nil {
		return out.fail(err)
	}
	defer job.lease.release()
	n := job.asks[0].Samples
	out.head, out.ask, out.begun, out.calls = newHead(job), job.asks[0], make([]bool, n), make([]int, n)
	sum, err := s.do(r.Context(), job)
	if err != nil {
		return out.fail(err)
	}
	if usage {
		last := out.chunk()
		last.Usage = usageOf(sum)
		if err := out.event("", last); err != nil {
			return nil // the client is gone, and has been told nothing false
		}
	}
	return out.end()
}

// end sends the last word of OpenAI's streams.
func (s *stream) end() error {
	_ = s.write([]byte("data: [DONE]\n\n")) // a client that is gone needs no last word
	s.done()
	return nil
}

func (s *chatStream) chunk() *openai.ChatChunk {
	return &openai.ChatChunk{ID: s.head.id, Object: "chat.completion.chunk", Created: s.head.created, Model: s.head.model,
		SystemFingerprint: s.head.fingerprint, Choices: []openai.ChatChunkChoice{}}
}

// piece implements sink.
func (s *chatStream) piece(p *piece) error {
	c := openai.ChatChunkChoice{Index: p.choice, FinishReason: finishOf(p), Logprobs: logprobsOf(p)}
	c.TokenIDs = p.ids()
	if !s.begun[p.choice] {
		s.begun[p.choice] = true
		c.Delta.Role, c.Seed = "assistant", &p.seed
	}
	if p.finish != "" {
		c.Code, c.ReasoningEnded = p.code, string(p.ended)
	}
	if p.thought != "" && p.answer != "" { // two deltas, so that a reader of either knows the order
		first := c
		first.FinishReason, first.Logprobs, first.Code, first.ReasoningEnded, first.TokenIDs = nil, nil, "", "", nil
		first.Delta.ReasoningContent, first.Delta.Reasoning = &p.thought, (*openai.Loose)(&p.thought)
		if err := s.send(&first); err != nil {
			return err
		}
		c.Delta.Role, c.Seed = "", nil
	} else if p.thought != "" {
		c.Delta.ReasoningContent, c.Delta.Reasoning = &p.thought, (*openai.Loose)(&p.thought)
	}
	if p.answer != "" {
		c.Delta.Content = openai.NewContent(p.answer)
	}
	for i := range p.calls {
		if s.one && s.calls[p.choice] > 0 {
			break
		}
		index := s.calls[p.choice]
		s.calls[p.choice]++
		c.Delta.ToolCalls = append(c.Delta.ToolCalls, wireCall(&p.calls[i], &index))
	}
	if d := &c.Delta; d.Role == "" && d.Content == nil && d.ReasoningContent == nil && d.ToolCalls == nil && c.FinishReason == nil &&
		len(p.tokens) == 0 {
		return nil
	}
	return s.send(&c)
}

func (s *chatStream) send(c *openai.ChatChunkChoice) error {
	q := s.chunk()
	q.Choices = append(q.Choices, *c)
	if s.ask != nil {
		q.PromptIDs, s.ask = s.ask.promptIDs(), nil
	}
	return s.event("", q)
}

func (s *chatStream) flush() error { return s.line.flush() }
