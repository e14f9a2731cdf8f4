package server

import (
	"net/http"
	"time"

	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/tokenizer"
)

func noSpecial(skip bool) tokenizer.DecodeOptions { return tokenizer.DecodeOptions{SkipSpecial: skip} }

// health is GET /health: 503 until the first model can answer.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	loading, err := s.models.state()
	switch {
	case loading:
		return &fault{status: http.StatusServiceUnavailable, kind: kindBusy, code: "loading", message: "the model is being loaded", retryAfter: time.Second}
	case err != nil:
		return &fault{status: http.StatusInternalServerError, kind: kindServer, code: "model_not_loaded", message: "the model cannot be loaded"}
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// listModels is GET /v1/models: each model, and its name without thoughts.
func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) error {
	list := openai.ModelList{Object: "list", Data: []openai.Model{}}
	for _, i := range s.models.list() {
		list.Data = append(list.Data, i.wire(i.spec.ID), i.wire(i.spec.ID+noThink))
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// oneModel is GET /v1/models/ID.
func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	for _, i := range s.models.list() {
		if id == i.spec.ID || id == i.spec.ID+noThink {
			writeJSON(w, http.StatusOK, i.wire(id))
			return nil
		}
	}
	_, _, f := s.models.find(id)
	if f == nil {
		f = missing("there is no model %.100q", id)
	}
	return f
}

// tokenizeRequest is in the form of vLLM (prompt, or messages) or of llama.cpp (content).
type tokenizeRequest struct {
	Model               string           `json:"model"`
	Prompt              *string          `json:"prompt"`
	Content             *string          `json:"content"`
	Messages            []openai.Message `json:"messages"`
	AddSpecial          *bool            `json:"add_special"`
	AddSpecialTokens    *bool            `json:"add_special_tokens"`
	AddGenerationPrompt *bool            `json:"add_generation_prompt"`
	ParseSpecial        *bool            `json:"parse_special"`
	WithPieces          bool             `json:"with_pieces"`
	ReturnTokenStrs     bool             `json:"return_token_strs"`
}

var tokenizeFields = fields{"model": nil, "prompt": nil, "content": nil, "messages": nil, "add_special": nil, "add_special_tokens": nil,
	"add_generation_prompt": nil, "parse_special": nil, "with_pieces": nil, "return_token_strs": nil}

// tokenize is POST /tokenize.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) error {
	var q tokenizeRequest
	foreign, err := s.read(w, r, tokenizeFields, &q)
	if err != nil {
		return err
	}
	if err := s.begin(w, newID("tok-"), foreign); err != nil {
		return err
	}
	l, err := s.acquire(r, q.Model, nil)
	if err != nil {
		return err
	}
	defer l.release()
	var ids []int32
	if err := s.making(r, nil, func() (err error) { ids, err = q.ids(l); return err }); err != nil {
		return err
	}
	reply := map[string]any{"count": len(ids), "max_model_len": l.Context, "tokens": ids}
	texts := make([]string, len(ids))
	pieces := make([]map[string]any, len(ids))
	for i, id := range ids {
		texts[i] = tokenText(l.loaded, id)
		pieces[i] = map[string]any{"id": id, "piece": texts[i]}
	}
	if q.ReturnTokenStrs {
		reply["token_strs"] = texts
	}
	if q.WithPieces {
		reply["tokens"] = pieces
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// ids are those of what is asked about, exactly one thing.
func (q *tokenizeRequest) ids(l *lease) ([]int32, error) {
	text := q.Content
	if text == nil {
		text = q.Prompt
	}
	switch {
	case text != nil && q.Messages != nil || q.Content != nil && q.Prompt != nil:
		return nil, bad("messages", "got two things to tokenize, want one of prompt, content and messages")
	case q.Messages != nil:
		messages, err := messagesOf(q.Messages)
		if err != nil {
			return nil, err
		}
		b, err := l.render(&conversation{messages: messages, open: q.AddGenerationPrompt == nil || *q.AddGenerationPrompt})
		return b.IDs, err
	case text == nil:
		return nil, bad("prompt", "it is missing")
	}
	// vLLM adds the tokens at the beginning unless told not to, llama.cpp only if told to.
	special := q.Content == nil
	for _, wish := range []*bool{q.AddSpecial, q.AddSpecialTokens} {
		if wish != nil {
			special = *wish
		}
	}
	switch {
	case q.ParseSpecial != nil && !*q.ParseSpecial:
		return l.Tokenizer.EncodeText(*text), nil
	case special:
		return l.encode(*text), nil
	}
	return l.Tokenizer.Encode(*text), nil
}

// detokenize is POST /detokenize.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Model  string  `json:"model"`
		Tokens []int32 `json:"tokens"`
	}
	foreign, err := s.read(w, r, fields{"model": nil, "tokens": nil}, &q)
	if err != nil {
		return err
	}
	if err := s.begin(w, newID("tok-"), foreign); err != nil {
		return err
	}
	l, err := s.acquire(r, q.Model, nil)
	if err != nil {
		return err
	}
	defer l.release()
	for i, id := range q.Tokens {
		if id < 0 || int(id) >= l.Tokenizer.Size() {
			return bad("tokens", "number %d is %d, want 0 to %d", i, id, l.Tokenizer.Size()-1)
		}
	}
	var text string
	if err := s.making(r, nil, func() error { text = l.Tokenizer.DecodeText(q.Tokens, noSpecial(false)); return nil }); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"content": text, "prompt": text}) // llama.cpp's name, and vLLM's
	return nil
}

// applyTemplate is POST /apply-template: the prompt of a chat request, without answering it.
func (s *Server) applyTemplate(w http.ResponseWriter, r *http.Request) error {
	var q openai.ChatRequest
	foreign, err := s.read(w, r, chatFields, &q)
	if err != nil {
		return err
	}
	p, err := chatPlan(&q)
	if err != nil {
		return err
	}
	if err := s.begin(w, newID("tpl-"), foreign); err != nil {
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
	if b.Text == "" {
		b.Text = l.Tokenizer.DecodeText(b.IDs, noSpecial(false))
	}
	state := b.State
	if b.exact {
		state = newView(&ask{begun: b, model: l.loaded, split: true, o: &p.o}).splitter.State()
	}
	writeJSON(w, http.StatusOK, map[string]any{"prompt": b.Text, "tokens": b.IDs, "begins": state.String()})
	return nil
}

// listRequests is GET /v1/requests: what the caller has under way.
func (s *Server) listRequests(w http.ResponseWriter, r *http.Request) error {
	list := []map[string]any{}
	for _, q := range s.running.of(s.caller(r)) {
		q.mu.Lock()
		list = append(list, map[string]any{"id": q.id, "model": q.model, "seconds": time.Since(q.began).Seconds(), "tokens": q.tokens, "queue": q.place})
		q.mu.Unlock()
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
	return nil
}

// closeThought is POST /v1/requests/ID/close-thought: the thoughts of a request end now, and the answer comes.
func (s *Server) closeThought(w http.ResponseWriter, r *http.Request) error {
	body, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	var q struct {
		Choice *int `json:"choice"`
	}
	if len(body) > 0 {
		if _, err := decode(body, fields{"choice": nil}, &q); err != nil {
			return err
		}
	}
	running, err := s.running.find(s.caller(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	choice := -1
	if q.Choice != nil {
		choice = *q.Choice
	}
	running.closeThoughts(choice)
	writeJSON(w, http.StatusOK, map[string]any{"id": running.id, "closing": true})
	return nil
}

// cancelRequest is DELETE /v1/requests/ID.
func (s *Server) cancelRequest(w http.ResponseWriter, r *http.Request) error {
	running, err := s.running.find(s.caller(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	running.cancel(&fault{status: http.StatusBadRequest, kind: kindInvalid, code: "request_cancelled", message: "the request was cancelled by DELETE /v1/requests"})
	writeJSON(w, http.StatusOK, map[string]any{"id": running.id, "cancelled": true})
	return nil
}
