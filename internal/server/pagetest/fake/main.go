// Command fake serves the page beside a small imitation of the server's API, for tests of the page alone.
//
// Its model knows two things: countdown questions, at which it guesses in the form of the lab, and a few words that make it say fixed texts. It is
// no model and judges nothing.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/retort-ml/retort/internal/server/internal/page"
)

// api is the imitation.
type api struct {
	delay time.Duration // between tokens
	key   string        // "" opens it to all
	mu    sync.Mutex
	next  int
	close map[string]chan struct{} // by request
	held  chan struct{}            // replies stand still in their thoughts until it is closed; nil: they do not
	ids   map[string]int           // of the texts of tokens that were said
	texts []string                 // by id
}

// id numbers the text of a token.
func (a *api) id(text string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.ids[text]; !ok {
		a.ids[text] = len(a.texts)
		a.texts = append(a.texts, text)
	}
	return a.ids[text]
}

// said turns ids into the texts of a reply's beginning.
func (a *api) said(ids []int) (b beginning, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		if id < 0 || id >= len(a.texts) {
			return b, false
		}
		switch text := a.texts[id]; {
		case b.closed:
			b.text += text
		case text == "</think>":
			b.closed = true
		default:
			b.thought += text
		}
	}
	return b, true
}

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	runs := flag.String("runs", "", "folder of runs")
	conversations := flag.String("conversations", "", "folder of conversations")
	delay := flag.Duration("delay", 4*time.Millisecond, "between two tokens")
	key := flag.String("key", "", "the key that opens it")
	flag.Parse()
	if err := serve(*address, *runs, *conversations, *key, *delay); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, runs, conversations, key string, delay time.Duration) error {
	p, err := page.New(page.Options{Runs: runs, Conversations: conversations, Poll: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	a := &api{delay: delay, key: key, close: map[string]chan struct{}{}, ids: map[string]int{}}
	mux := http.NewServeMux()
	for _, pattern := range page.OpenPatterns {
		mux.Handle(pattern, p)
	}
	for _, pattern := range page.Patterns {
		mux.Handle(pattern, a.locked(p))
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"ok"}`)) })
	mux.Handle("GET /v1/models", a.locked(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"object":"list","data":[{"id":"fake","object":"model"},{"id":"fake@nothink","object":"model"}]}`))
	})))
	mux.Handle("POST /v1/chat/completions", a.locked(http.HandlerFunc(a.chat)))
	mux.Handle("POST /v1/requests/{id}/close-thought", a.locked(http.HandlerFunc(a.closeThought)))
	mux.HandleFunc("POST /hold", func(http.ResponseWriter, *http.Request) { a.hold(true) })
	mux.HandleFunc("POST /let-go", func(http.ResponseWriter, *http.Request) { a.hold(false) })
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	return http.Serve(l, mux)
}

// heldAfter is how many tokens of a reply come before it stands still.
const heldAfter = 5

// hold has the replies from now on stand still in their thoughts, or lets them go, so that a test sees what does not live long.
func (a *api) hold(isHeld bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held != nil {
		close(a.held)
		a.held = nil
	}
	if isHeld {
		a.held = make(chan struct{})
	}
}

// await returns once a reply of so many tokens may go on, or its client is gone.
func await(ctx context.Context, held <-chan struct{}, tokens int) {
	if held == nil || tokens < heldAfter {
		return
	}
	select {
	case <-held:
	case <-ctx.Done():
	}
}

// locked asks for the key.
func (a *api) locked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.key != "" && r.Header.Get("Authorization") != "Bearer "+a.key {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"message":"want a key"}}`))
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (a *api) closeThought(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, ok := a.close[r.PathValue("id")]; ok {
		close(c)
		delete(a.close, r.PathValue("id"))
	}
	_, _ = w.Write([]byte("{}"))
}

// request is what the imitation reads of a request.
type request struct {
	Messages []struct {
		Role      string `json:"role"`
		Content   string `json:"content"`
		Reasoning string `json:"reasoning_content"`
	} `json:"messages"`
	N      int    `json:"n"`
	Seed   *int64 `json:"seed"`
	Budget *int   `json:"thinking_budget"`
	Most   int    `json:"max_completion_tokens"`
	IDs    []int  `json:"continue_token_ids"`
	begun  beginning
}

// beginning is how a reply begins that is gone on with.
type beginning struct {
	thought, text string
	closed        bool // the thought is over
}

// piece is a token on its way to a client.
type piece struct {
	choice  int
	text    string
	logProb float64
	others  []alternative
	answer  bool
	mark    bool   // it is no part of a text
	finish  string // with the last one
	ended   string
	code    string
}

type alternative struct {
	text    string
	logProb float64
}

// read is a request, with how its reply begins; fault is what is wrong with it.
func (a *api) read(w http.ResponseWriter, r *http.Request) (asked *request, fault string) {
	asked = &request{}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<20)).Decode(asked); err != nil || len(asked.Messages) == 0 {
		return nil, "messages: got none"
	}
	begun, ok := a.said(asked.IDs)
	if !ok {
		return nil, "continue_token_ids: got one that was never said"
	}
	if last := asked.Messages[len(asked.Messages)-1]; last.Role == "assistant" {
		begun = beginning{last.Reasoning, strings.TrimLeft(last.Content, "\n"), last.Content != ""}
	}
	asked.begun = begun
	return asked, ""
}

func (a *api) chat(w http.ResponseWriter, r *http.Request) {
	asked, fault := a.read(w, r)
	if fault != "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":{"message":%q}}`, fault)
		return
	}
	a.mu.Lock()
	a.next++
	id := fmt.Sprintf("chatcmpl-%d", a.next)
	closing := make(chan struct{})
	a.close[id] = closing
	held := a.held
	seed := int64(a.next) * 1000
	a.mu.Unlock()
	if asked.Seed != nil {
		seed = *asked.Seed
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	send := func(v any) {
		text, _ := json.Marshal(v) // it is made of texts and numbers
		_, _ = fmt.Fprintf(w, "data: %s\n\n", text)
	}
	_, _ = fmt.Fprint(w, ": queue 1\n\n")
	n := max(1, asked.N)
	talkers := make([]*talker, n)
	for i := range talkers {
		talkers[i] = newTalker(asked, seed+int64(i))
	}
	if asked.IDs != nil {
		send(map[string]any{"id": id, "model": "fake", "continued": map[string]any{"token_ids": asked.IDs, "reasoning_content": asked.begun.thought, "content": asked.begun.text}, "choices": []any{map[string]any{"index": 0, "delta": map[string]any{}}}})
	}
	tokens, thoughts, open := 0, 0, n
	for open > 0 && r.Context().Err() == nil {
		for i, t := range talkers {
			if t.done {
				continue
			}
			if isClosed(closing) {
				t.closed = "request"
			}
			p := t.next()
			p.choice = i
			tokens++
			if !p.answer {
				thoughts++
			}
			send(a.chunk(id, &p, seed+int64(i)))
			if t.done {
				open--
			}
		}
		_ = control.Flush()
		await(r.Context(), held, tokens)
		time.Sleep(a.delay)
	}
	send(map[string]any{"id": id, "choices": []any{}, "usage": map[string]any{"completion_tokens": tokens, "completion_tokens_details": map[string]any{"reasoning_tokens": thoughts}}})
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// chunk is a piece in OpenAI's form.
func (a *api) chunk(id string, p *piece, seed int64) any {
	delta := map[string]any{}
	token := map[string]any{"id": a.id(p.text), "token": p.text, "logprob": p.logProb, "bytes": nil}
	var others []any
	for _, o := range p.others {
		others = append(others, map[string]any{"id": a.id(o.text), "token": o.text, "logprob": o.logProb})
	}
	token["top_logprobs"] = others
	probabilities := map[string]any{}
	switch {
	case p.answer:
		delta["content"], probabilities["content"] = p.text, []any{token}
	case p.mark:
		probabilities["reasoning"] = []any{token}
	default:
		delta["reasoning_content"], probabilities["reasoning"] = p.text, []any{token}
	}
	choice := map[string]any{"index": p.choice, "delta": delta, "logprobs": probabilities, "finish_reason": nil}
	if p.finish != "" {
		choice["finish_reason"], choice["seed"] = p.finish, seed
	}
	if p.ended != "" {
		choice["reasoning_ended"] = p.ended
	}
	if p.code != "" {
		choice["code"] = p.code
	}
	return map[string]any{"id": id, "object": "chat.completion.chunk", "model": "fake", "choices": []any{choice}}
}

// question returns the last one.
func (r *request) question() string {
	question := ""
	for _, m := range r.Messages {
		if m.Role == "user" {
			question = m.Content
		}
	}
	return question
}
