package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
)

// TestLoading: while the model is loaded there is no health, requests wait for it, and a model that cannot be loaded says so.
func TestLoading(t *testing.T) {
	gate := make(chan struct{})
	_, h := serve(t, func(o *Options) {
		o.Models[0].Open = func(ctx context.Context) (*Model, error) { <-gate; return embedded(ctx) }
		o.Ping, o.PadAfter = 5*time.Millisecond, 5*time.Millisecond
		o.Models = append(o.Models, ModelSpec{ID: "broken", Open: func(context.Context) (*Model, error) { return nil, errors.New("it is broken") }})
	})
	if a := send(t, h, "GET", "/health", ""); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("while it is loaded: %d", a.status)
	}
	done := make(chan answer, 4)
	var asked sync.WaitGroup
	for _, q := range []struct{ path, body string }{
		{"/v1/chat/completions", body("lab", `,"max_tokens":2`)}, {"/v1/messages", body("lab", `,"max_tokens":2,"stream":true`)}, {"/api/chat", body("lab", ``)},
		{"/v1/messages", fmt.Sprintf(`{"model":"lab","max_tokens":1,"stream":true,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("x", 300))},
	} {
		asked.Add(1)
		go func() { done <- held(t, h, q.path, q.body, 1, sync.OnceFunc(asked.Done)) }()
	}
	asked.Wait() // each has shown that it waits
	close(gate)
	faults := 0
	for range 4 {
		a := <-done
		if a.status != 200 || !strings.HasPrefix(string(a.body), " ") && !strings.HasPrefix(string(a.body), ": ping") {
			t.Errorf("a request that waited: %d %s", a.status, a.body)
		}
		if strings.Contains(string(a.body), "event: error\ndata: {") {
			faults++
		}
	}
	if faults != 1 {
		t.Errorf("%d faults within streams, want that of the long prompt", faults)
	}
	if a := send(t, h, "GET", "/health", ""); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
	if a := post(t, h, "/v1/chat/completions", body("broken", "")); a.status != 500 || !strings.Contains(string(a.body), "it is broken") {
		t.Errorf("a broken model: %d %s", a.status, a.body)
	}
}

// TestMemory: two models that do not fit together take turns, and one that nobody uses is unloaded.
func TestMemory(t *testing.T) {
	var now, most, opened atomic.Int64
	count := func(open func(context.Context) (*Model, error)) func(context.Context) (*Model, error) {
		return func(ctx context.Context) (*Model, error) {
			m, err := open(ctx)
			if err != nil {
				return nil, err
			}
			opened.Add(1)
			most.Store(max(most.Load(), now.Add(1)))
			inner := m.Close
			m.Close = func() error { now.Add(-1); return inner() }
			return m, nil
		}
	}
	s, h := serve(t, func(o *Options) {
		o.Models = []ModelSpec{{ID: "lab", Bytes: 60, Open: count(embedded)}, {ID: "talk", Bytes: 60, Open: count(talker(talkTemplate, 256, 16, 1))}, {ID: "huge", Bytes: 101, Open: embedded}}
		o.Memory, o.Idle = 100, 60*time.Millisecond
	})
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			name := []string{"lab", "talk"}[i%2]
			if a := post(t, h, "/v1/chat/completions", body(name, `,"max_tokens":5`)); a.status != 200 {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 || opened.Load() < 2 {
		t.Errorf("%d models at once, loaded %d times", most.Load(), opened.Load())
	}
	if a := post(t, h, "/v1/chat/completions", body("huge", "")); a.status != 400 || !strings.Contains(string(a.body), "model_too_large") {
		t.Errorf("too large: %d %s", a.status, a.body)
	}
	eventually(t, "all are unloaded", func() bool { return now.Load() == 0 })
	if i := s.models.list(); i[0].ready != nil || i[1].ready != nil {
		t.Error("an unloaded model is listed as loaded")
	}
	ok(t, h, "/v1/chat/completions", body("lab", `,"max_tokens":5`))
}

// counter reads a metric's sum over its labels.
func counter(t *testing.T, h *httptest.Server, name string) (sum float64) {
	t.Helper()
	a := send(t, h, "GET", "/metrics", "")
	found := false
	for line := range strings.Lines(string(a.body)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		full, value, ok := strings.Cut(line, " ")
		x, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			t.Fatalf("metrics: %q", line)
		}
		if base, _, _ := strings.Cut(full, "{"); base == name {
			sum, found = sum+x, true
		}
	}
	if !found {
		t.Fatalf("there is no metric %s", name)
	}
	return sum
}

// TestMetrics: the counters are the sums of usage.
func TestMetrics(t *testing.T) {
	_, h := serve(t, nil)
	want := map[string]float64{}
	for i := range 6 {
		model := []string{"lab", "talk", "lab@nothink"}[i%3]
		u := ok(t, h, "/v1/chat/completions", body(model, fmt.Sprintf(`,"max_tokens":%d,"n":%d`, 20+i, 1+i)))["usage"]
		want["vllm:prompt_tokens_total"] += at(u, "prompt_tokens").(float64)
		want["vllm:generation_tokens_total"] += at(u, "completion_tokens").(float64)
		want["retort:reasoning_tokens_total"] += at(u, "completion_tokens_details", "reasoning_tokens").(float64)
		want["retort:cached_prompt_tokens_total"] += at(u, "prompt_tokens_details", "cached_tokens").(float64)
		want["vllm:request_success_total"]++
		want["vllm:e2e_request_latency_seconds_count"]++
		want["vllm:time_to_first_token_seconds_count"]++
	}
	for name, x := range want {
		if got := counter(t, h, name); got != x {
			t.Errorf("%s: %v, want %v", name, got, x)
		}
	}
	if n := counter(t, h, "vllm:num_requests_running"); n != 0 {
		t.Errorf("%v run", n)
	}
	if evaluated := counter(t, h, "retort:prompt_tokens_evaluated_total"); evaluated == 0 || evaluated > want["vllm:prompt_tokens_total"] {
		t.Errorf("%v prompt tokens evaluated of %v", evaluated, want["vllm:prompt_tokens_total"])
	}
}

// TestCacheUsage: the cache's share is what running samples hold, and none of what is kept for later.
func TestCacheUsage(t *testing.T) {
	s, h := serve(t, slowTalk)
	const name = "vllm:kv_cache_usage_perc"
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"a prompt that is kept, once it was read","max_tokens":2}`)
	e := s.models.list()[slices.IndexFunc(s.models.list(), func(i info) bool { return i.spec.ID == "talk" })].ready.Engine
	eventually(t, "the engine is idle", func() bool { return e.Load().Jobs == 0 })
	if l := e.Load(); l.Kept == 0 || counter(t, h, name) != 0 {
		t.Errorf("%+v while idle, usage %v, want 0", l, counter(t, h, name))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/chat/completions", strings.NewReader(endless+`,"stream":true,"n":8}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answered, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answered.Body.Close()
	eventually(t, "all samples hold blocks", func() bool { return e.Load().Held >= 8 })
	l := e.Load()
	if got := counter(t, h, name); got < float64(l.Held)/float64(l.Blocks) || got > 1 {
		t.Errorf("usage %v while %d of %d blocks are held", got, l.Held, l.Blocks)
	}
	cancel()
	eventually(t, "it falls back to 0", func() bool { return counter(t, h, name) == 0 })
}

// TestSecondTurn: a second turn reads what is new, and the end of the first turn at most.
func TestSecondTurn(t *testing.T) {
	_, h := serve(t, nil)
	first := strings.Repeat("Tell me more about it. ", 20)
	r := ok(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"talk","max_tokens":30,"seed":1,"messages":[{"role":"user","content":%q}]}`, first))
	answer, _ := at(r, "choices", 0, "message", "content").(string)
	quoted, err := json.Marshal(answer)
	if err != nil || answer == "" {
		t.Fatalf("%q: %v", answer, err)
	}
	r = ok(t, h, "/v1/chat/completions", fmt.Sprintf(`{"model":"talk","max_tokens":3,"messages":[{"role":"user","content":%q},{"role":"assistant","content":%s},{"role":"user","content":"And?"}]}`, first, quoted))
	prompt, cached := at(r, "usage", "prompt_tokens").(float64), at(r, "usage", "prompt_tokens_details", "cached_tokens").(float64)
	if prompt-cached > float64(len(answer))+64 {
		t.Errorf("%v tokens of %v were read again, the answer has %d bytes", prompt-cached, prompt, len(answer))
	}
}

// TestShutdown: requests under way end, new ones are turned away, and what takes too long is stopped.
func TestShutdown(t *testing.T) {
	s, h := serve(t, slowTalk)
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	done := make(chan answer, 2)
	go func() { done <- post(t, h, "/v1/chat/completions", endless+`,"stream":true,"n":8}`) }()
	eventually(t, "it runs", func() bool { running, _ := s.queue.counts(); return running == 1 })
	go func() {
		done <- post(t, h, "/v1/chat/completions", `{"model":"talk","max_tokens":10,"messages":[{"role":"user","content":"x"}]}`)
	}()
	eventually(t, "both run, or the short one has run", func() bool { running, _ := s.queue.counts(); return running == 2 || len(done) == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(ctx) }()
	eventually(t, "nothing is taken any more", func() bool { return send(t, h, "GET", "/v1/models", "").status == 503 })
	a := <-done
	cancel() // it has taken too long
	b := <-done
	if a.status != 200 || !strings.Contains(string(a.body), `"usage"`) {
		t.Errorf("the short one: %d %.300s", a.status, a.body)
	}
	if !strings.Contains(string(b.body), "shutting_down") {
		t.Errorf("the endless one: %d %.300s", b.status, b.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestTemplates: the published templates are read for what they are.
func TestTemplates(t *testing.T) {
	data := os.Getenv("RETORT_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	for name, want := range map[string]toolStyle{
		"Qwen-Qwen2.5-7B-Instruct": hermesTools, "Qwen-Qwen3-0.6B": hermesTools, "Qwen-QwQ-32B": hermesTools,
		"meta-llama-Llama-3.1-8B-Instruct": llamaTools, "meta-llama-Llama-3.2-3B-Instruct": llamaTools, "meta-llama-Llama-3.3-70B-Instruct": llamaTools,
	} {
		source, err := os.ReadFile(filepath.Join(data, "templates", name+".jinja"))
		if err != nil {
			t.Skipf("no templates: %v; set RETORT_DATA", err)
		}
		if got := styleOf(string(source)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
		template, err := chat.Parse(string(source))
		if err != nil {
			t.Fatal(err)
		}
		m := loaded{Model: &Model{Chat: &chat.Config{Template: template}}}
		if strings.Contains(name, "Qwen3") && !m.knows("enable_thinking") || strings.Contains(name, "llama") && m.knows("enable_thinking") {
			t.Errorf("%s: enable_thinking", name)
		}
	}
}

// grammars compiles by package llm.
func grammars(m *Model) Grammars {
	return llm.NewLocal(m.Engine, m.Tokenizer)
}

// constrained is talk with grammars.
func constrained(o *Options) {
	o.Models = []ModelSpec{{ID: "talk", Open: func(ctx context.Context) (*Model, error) {
		m, err := talker(talkTemplate, 4096, 16, 1)(ctx)
		if err == nil {
			m.Grammars = grammars(m)
		}
		return m, err
	}}}
}

var _ engine.Grammar = word("")

// word is a grammar of one text, whose tokens are bytes.
type word string

// Start implements engine.Grammar.
func (w word) Start() engine.GrammarState { return wordState(w) }

// wordState is what is left of a word.
type wordState string

func (w wordState) Allow(mask []uint64) {
	if w != "" {
		mask[w[0]/64] |= 1 << (w[0] % 64)
	}
}

func (w wordState) Next(token int32) engine.GrammarState {
	if w == "" || int32(w[0]) != token {
		return wordState("!")
	}
	return w[1:]
}

func (w wordState) Complete() bool { return w == "" }

// words answers every schema with its const, if that is all it has.
type words struct{ text string }

func (w words) Grammar(schema, gbnf string) (engine.Grammar, error) {
	if schema == `"refuse"` {
		return nil, errors.New("keyword \"refuse\" is not supported here")
	}
	return word(w.text), nil
}

func (w words) CallGrammar(llm.Calls) (engine.Grammar, error) { return word(w.text), nil }
