package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"net/http"

	"github.com/retort-ml/retort/engine"
)

// stopReason is Anthropic's reason for an end, and the stop sequence that made it.
func stopReason(p *piece) (reason string, sequence *string) {
	switch {
	case p.finish == engine.FinishLength:
		return "max_tokens", nil
	case p.called:
		return "tool_use", nil
	case p.stop != "":
		return "stop_sequence", &p.stop
	}
	return "end_turn", nil
}

// messageReply gathers a reply that is sent at once.
type messageReply struct {
	whole
	oneCall         bool
	thought, answer []byte
	calls           []call
	last            *piece
	signature       signature
}

// piece implements sink.
func (r *messageReply) piece(p *piece) error {
	r.thought, r.answer, r.calls = append(r.thought, p.thought...), append(r.answer, p.answer...), append(r.calls, p.calls...)
	if p.finish != "" {
		r.last = p
	}
	return nil
}

// inputOf is the input of a call as an object.
func inputOf(c *call) json.RawMessage {
	if text := []byte(c.arguments); json.Valid(text) {
		return text
	}
	return json.RawMessage("{}")
}

// signature is what a thought is signed with: HMAC-SHA256 (RFC 2104) with a secret that lasts as long as the server. A thought that comes back changed, or
// from elsewhere, is taken all the same, for it may be edited; the client is told.
type signature struct{ hash.Hash }

func (s *Server) newSignature() signature { return signature{hmac.New(sha256.New, s.secret[:])} }

func (s signature) add(thought string) { _, _ = s.Write([]byte(thought)) } // a hash takes everything

func (s signature) String() string { return base64.StdEncoding.EncodeToString(s.Sum(nil)) }

// signed reports whether a thought is one of this server's, as it was sent.
func (s *Server) signed(thought, sign string) bool {
	own := s.newSignature()
	own.add(thought)
	return hmac.Equal([]byte(sign), []byte(own.String()))
}

// message is the whole reply.
func (r *messageReply) message(id, model string, sum totals) map[string]any {
	content := []map[string]any{}
	if len(r.thought) > 0 {
		r.signature.add(string(r.thought))
		content = append(content, map[string]any{"type": "thinking", "thinking": string(r.thought), "signature": r.signature.String()})
	}
	if len(r.answer) > 0 {
		content = append(content, map[string]any{"type": "text", "text": string(r.answer), "citations": nil})
	}
	for i := range r.calls {
		if r.oneCall && i > 0 {
			break
		}
		c := &r.calls[i]
		content = append(content, map[string]any{"type": "tool_use", "id": "toolu_" + c.id, "name": c.name, "input": inputOf(c)})
	}
	reason, sequence := stopReason(r.last)
	return messageOf(id, model, content, reason, sequence, sum)
}

// messageOf is a message with all fields that the specification wants; what does not exist here is null.
func messageOf(id, model string, content []map[string]any, reason, sequence any, sum totals) map[string]any {
	usage := messageUsage(sum)
	for _, name := range []string{"cache_creation", "inference_geo", "service_tier", "speed"} {
		usage[name] = nil
	}
	return map[string]any{"id": id, "type": "message", "role": "assistant", "model": model, "content": content, "stop_reason": reason, "stop_sequence": sequence,
		"usage": usage, "container": nil, "diagnostics": nil, "stop_details": nil}
}

// messageUsage counts as Anthropic does. Tokens whose keys and values were kept count as input, so the counts of caches are null.
func messageUsage(sum totals) map[string]any {
	return map[string]any{"input_tokens": sum.prompt, "output_tokens": sum.completion, "output_tokens_details": map[string]any{"thinking_tokens": sum.reasoning},
		"cache_creation_input_tokens": nil, "cache_read_input_tokens": nil, "server_tool_use": nil}
}

// messageStream sends a reply as Anthropic's events.
type messageStream struct {
	stream
	id, model string
	prompt    int
	begun     bool
	kind      string // of the open block, "" for none
	index     int    // of it
	calls     int
	oneCall   bool
	last      *piece
	signature signature
}

// streamMessages answers with events.
func (s *Server) streamMessages(w http.ResponseWriter, r *http.Request, id string, p *plan) error {
	out := &messageStream{stream: s.newStream(w, dialectAnthropic), id: id, index: -1, oneCall: p.oneCall, signature: s.newSignature()}
	job, err := s.prepare(w, r, id, p, out)
	if err != nil {
		return out.fail(err)
	}
	defer job.lease.release()
	out.model, out.prompt = job.lease.id, len(job.asks[0].IDs)
	sum, err := s.do(r.Context(), job)
	if err != nil {
		return out.fail(err)
	}
	out.finish(sum)
	out.done()
	return nil
}

func (s *messageStream) flush() error { return s.line.flush() }

// tick is Anthropic's own sign of life.
func (s *messageStream) tick() error {
	if !s.begun {
		return s.stream.tick()
	}
	if sinceLast(&s.line) < s.ping {
		return nil
	}
	if err := s.event("ping", map[string]any{"type": "ping"}); err != nil {
		return err
	}
	return s.flush()
}

// begin sends the first event.
func (s *messageStream) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	return s.event("message_start", map[string]any{"type": "message_start",
		"message": messageOf(s.id, s.model, []map[string]any{}, nil, nil, totals{prompt: s.prompt})})
}

// open begins a block, after the end of the one before.
func (s *messageStream) open(kind string, block map[string]any) error {
	if s.kind == kind && kind != "tool_use" {
		return nil
	}
	if err := s.close(); err != nil {
		return err
	}
	s.kind = kind
	s.index++
	block["type"] = kind
	return s.event("content_block_start", map[string]any{"type": "content_block_start", "index": s.index, "content_block": block})
}

// close ends the open block.
func (s *messageStream) close() error {
	if s.kind == "" {
		return nil
	}
	if s.kind == "thinking" {
		if err := s.delta(map[string]any{"type": "signature_delta", "signature": s.signature.String()}); err != nil {
			return err
		}
	}
	s.kind = ""
	return s.event("content_block_stop", map[string]any{"type": "content_block_stop", "index": s.index})
}

func (s *messageStream) delta(d map[string]any) error {
	return s.event("content_block_delta", map[string]any{"type": "content_block_delta", "index": s.index, "delta": d})
}

// piece implements sink.
func (s *messageStream) piece(p *piece) error {
	if p.finish != "" {
		s.last = p
	}
	err := s.begin()
	if err == nil && p.thought != "" {
		if err = s.open("thinking", map[string]any{"thinking": "", "signature": ""}); err == nil {
			s.signature.add(p.thought)
			err = s.delta(map[string]any{"type": "thinking_delta", "thinking": p.thought})
		}
	}
	if err == nil && p.answer != "" {
		if err = s.open("text", map[string]any{"text": "", "citations": nil}); err == nil {
			err = s.delta(map[string]any{"type": "text_delta", "text": p.answer})
		}
	}
	for i := range p.calls {
		if err != nil || s.oneCall && s.calls > 0 {
			break
		}
		s.calls++
		c := &p.calls[i]
		if err = s.open("tool_use", map[string]any{"id": "toolu_" + c.id, "name": c.name, "input": map[string]any{}}); err == nil {
			err = s.delta(map[string]any{"type": "input_json_delta", "partial_json": string(inputOf(c))})
		}
	}
	return err
}

// finish sends the last events. A client that is gone needs none.
func (s *messageStream) finish(sum totals) {
	if s.close() != nil {
		return
	}
	reason, sequence := stopReason(s.last)
	if s.event("message_delta", map[string]any{"type": "message_delta", "usage": messageUsage(sum),
		"delta": map[string]any{"stop_reason": reason, "stop_sequence": sequence, "stop_details": nil, "container": nil}}) == nil {
		_ = s.event("message_stop", map[string]any{"type": "message_stop"}) // see above
	}
}
