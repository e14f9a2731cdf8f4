package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/openai"
)

var _ Streamer = (*Remote)(nil)

// endpoint is a server of chat completions that answers by what it was asked.
type endpoint struct {
	mu     sync.Mutex
	asked  []openai.ChatRequest
	answer func(r *openai.ChatRequest) (status int, reply openai.ChatResponse)
	error  string // the message of a status that is not 200
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request openai.ChatRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	e.asked = append(e.asked, request)
	e.mu.Unlock()
	status, reply := e.answer(&request)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status != 200 {
		_ = json.NewEncoder(w).Encode(openai.ErrorResponse{Error: &openai.Error{Message: e.error}})
		return
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// choice is a reply of a text.
func choice(index int, content, thought, finish string) openai.ChatChoice {
	c := openai.ChatChoice{Index: index, Message: openai.Message{Role: "assistant", Content: openai.NewContent(content)}, FinishReason: &finish}
	if thought != "" {
		c.Message.ReasoningContent = &thought
	}
	return c
}

func newTestRemote(t *testing.T, handler http.Handler, o RemoteOptions, change ...func(*openai.Options)) *Remote {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := openai.Options{BaseURL: server.URL, Retries: 2, FirstWait: time.Millisecond, MaxWait: time.Millisecond}
	for _, f := range change {
		f(&client)
	}
	c, err := openai.New(&client)
	if err != nil {
		t.Fatal(err)
	}
	if o.Model == "" {
		o.Model = "m"
	}
	r, err := NewRemote(c, &o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(text string) []chat.Message { return []chat.Message{{Role: "user", Content: text}} }

// Replies come in any order and are handed over in theirs; each request says what was asked for.
func TestRemoteGenerate(t *testing.T) {
	for _, whole := range []bool{false, true} {
		e := &endpoint{answer: func(r *openai.ChatRequest) (int, openai.ChatResponse) {
			if r.Messages[0].Content.String() == "slow" {
				time.Sleep(20 * time.Millisecond)
			}
			text := fmt.Sprintf("%s %d", r.Messages[0].Content, *r.Seed)
			return 200, openai.ChatResponse{Model: "m-1", SystemFingerprint: "f", Choices: []openai.ChatChoice{choice(0, text, "hm", "stop")},
				Usage: &openai.Usage{PromptTokens: 10, CompletionTokens: 20, CompletionTokensDetails: &openai.CompletionDetails{ReasoningTokens: 5}, PromptTokensDetails: &openai.PromptDetails{CachedTokens: 4}}}
		}}
		r := newTestRemote(t, e, RemoteOptions{Whole: whole, Concurrency: 4, Price: Price{In: 2, CachedIn: 0.5, Out: 10}, Extra: map[string]json.RawMessage{"top_k": json.RawMessage("20")}})
		prompts := []Prompt{
			{Messages: user("slow"), Samples: 3, Temperature: 0.6, TopP: 0.95, MaxTokens: 7, Stop: []string{"x"}, Seed: engine.Seed{Run: 1, Problem: 2}},
			{Messages: user("fast"), Samples: 2, Seed: engine.Seed{Run: 1, Problem: 3, Sample: 4}},
			{Messages: user("one")},
		}
		replies, err := r.Generate(t.Context(), prompts)
		if err != nil || len(replies) != 6 {
			t.Fatalf("%d replies, %v", len(replies), err)
		}
		seeds := map[int64]bool{}
		for i, want := range [][2]int{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {2, 0}} {
			reply := &replies[i]
			p := &prompts[want[0]]
			seed := wireSeed(p.Seed, want[1])
			seeds[seed] = true
			answer := fmt.Sprintf("%s %d", p.Messages[0].Content, seed)
			if reply.Prompt != want[0] || reply.Sample != want[1] || reply.Answer != answer || reply.Thought != "hm" ||
				reply.Text != "hm\n</think>\n\n"+answer || reply.Finish != engine.FinishStop || reply.PromptTokens != 10 || reply.ReplyTokens != 20 || reply.ThoughtTokens != 5 {
				t.Errorf("reply %d: %+v, want %q", i, reply, answer)
			}
			if seed < 0 || seed > math.MaxInt32 {
				t.Errorf("seed %d", seed)
			}
		}
		if len(seeds) != 6 {
			t.Errorf("%d different seeds", len(seeds))
		}
		for _, asked := range e.asked {
			wantTop, wantTemperature := 1.0, 0.0
			if asked.Messages[0].Content.String() == "slow" {
				wantTop, wantTemperature = 0.95, 0.6
				if *asked.MaxTokens != 7 || asked.Stop[0] != "x" {
					t.Errorf("asked %+v", asked)
				}
			} else if asked.MaxTokens != nil || asked.Stop != nil {
				t.Errorf("asked %+v", asked)
			}
			if *asked.TopP != wantTop || *asked.Temperature != wantTemperature || asked.N != nil || asked.Stream == whole || string(asked.Extra["top_k"]) != "20" || asked.Model != "m" {
				t.Errorf("asked %+v", asked)
			}
		}
		total := r.Totals()
		cost := (6*2 + 4*0.5 + 20*10) / 1e6 * 6
		if total.Requests != 6 || total.Replies != 6 || total.PromptTokens != 60 || total.CachedTokens != 24 || total.ReplyTokens != 120 || total.ThoughtTokens != 30 || math.Abs(total.Cost-cost) > 1e-12 {
			t.Errorf("totals %+v, want cost %v", total, cost)
		}
		if served := r.Served(); len(served) != 1 || served[0] != "m-1 f" {
			t.Errorf("served %v", served)
		}
	}
}

// Many replies by one request, from endpoints that know n, that ignore it, that give fewer, and that refuse it.
func TestRemoteN(t *testing.T) {
	for name, c := range map[string]struct {
		give     func(n int) (status, choices int)
		requests int
	}{
		"knows n":     {func(n int) (int, int) { return 200, n }, 4},
		"ignores n":   {func(int) (int, int) { return 200, 1 }, 10},
		"gives fewer": {func(n int) (int, int) { return 200, min(n, 2) }, 9},
		"gives more":  {func(n int) (int, int) { return 200, n + 1 }, 4},
		"refuses n": {func(n int) (int, int) {
			if n > 1 {
				return 400, 0
			}
			return 200, 1
		}, 11},
	} {
		e := &endpoint{error: "Only one completion choice is allowed", answer: func(r *openai.ChatRequest) (int, openai.ChatResponse) {
			n := 1
			if r.N != nil {
				n = *r.N
			}
			status, give := c.give(n)
			response := openai.ChatResponse{Usage: &openai.Usage{PromptTokens: 3, CompletionTokens: 10 * give}}
			for i := range give { // the last first
				response.Choices = append(response.Choices, choice(give-1-i, fmt.Sprintf("%d/%d", *r.Seed, give-1-i), "", "stop"))
			}
			return status, response
		}}
		r := newTestRemote(t, e, RemoteOptions{Whole: true, MaxN: 4, Concurrency: 1})
		replies, err := r.Generate(t.Context(), []Prompt{{Messages: user("a"), Samples: 5}, {Messages: user("b"), Samples: 5, Seed: engine.Seed{Problem: 1}}})
		if err != nil || len(replies) != 10 || len(e.asked) != c.requests {
			t.Errorf("%s: %d replies, %d requests, want 10 and %d, %v", name, len(replies), len(e.asked), c.requests, err)
			continue
		}
		texts, tokens := map[string]bool{}, 0
		for i, reply := range replies {
			texts[reply.Text] = true
			tokens += reply.ReplyTokens
			if reply.Prompt != i/5 || reply.Sample != i%5 {
				t.Errorf("%s: reply %d is %+v", name, i, reply)
			}
		}
		if len(texts) != 10 || int64(tokens) != r.Totals().ReplyTokens && name != "gives more" {
			t.Errorf("%s: %d different replies, %d tokens, totals %+v", name, len(texts), tokens, r.Totals())
		}
		if name == "knows n" && !strings.HasSuffix(replies[3].Text, "/3") {
			t.Errorf("%s: reply 3 is %q", name, replies[3].Text)
		}
	}
}

func TestRemoteFinish(t *testing.T) {
	for reason, want := range map[string]engine.FinishReason{
		"stop": engine.FinishStop, "length": engine.FinishLength, "content_filter": FinishRefusal, "tool_calls": FinishTools, "": FinishError,
		"insufficient_system_resource": FinishError, "eos": engine.FinishStop, "function_call": FinishTools,
	} {
		e := &endpoint{answer: func(*openai.ChatRequest) (int, openai.ChatResponse) {
			return 200, openai.ChatResponse{Choices: []openai.ChatChoice{choice(0, "two", "", reason)}}
		}}
		r := newTestRemote(t, e, RemoteOptions{Whole: true})
		replies, err := r.Generate(t.Context(), []Prompt{{Messages: user("a")}})
		if err != nil || replies[0].Finish != want || replies[0].Text != "two" || (replies[0].Err != nil) != (want == FinishError || want == FinishRefusal) {
			t.Errorf("%q: %+v, %v, want %s", reason, replies, err, want)
		}
		if total := r.Totals(); total.Uncounted != 1 {
			t.Errorf("totals %+v", total)
		}
	}
	var refused Reply
	finish(&refused, new("stop"), "I cannot", nil)
	if refused.Finish != FinishRefusal || !strings.Contains(refused.Err.Error(), "I cannot") {
		t.Errorf("%+v", refused)
	}
}

// However an endpoint gives the thought, the text is what a model writes behind an opened thought.
func TestRemoteThought(t *testing.T) {
	for _, c := range []struct {
		content, reasoning    string
		opens                 bool
		text, thought, answer string
	}{
		{"\n\n4", "\n2+2\n", false, "2+2\n</think>\n\n4", "2+2", "4"},
		{"4", "2+2", false, "2+2\n</think>\n\n4", "2+2", "4"},
		{"<answer>4</answer>", "2+2", false, "2+2\n</think>\n<answer>4</answer>", "2+2", "<answer>4</answer>"},
		{"", "2+", false, "<think>\n2+", "2+", ""},
		{"\n", "2+", true, "<think>\n2+", "2+", ""},
		{"<think>\n2+2\n</think>\n\n4", "", false, "2+2\n</think>\n\n4", "2+2", "4"},
		{"2+2\n</think>\n\n4", "", false, "2+2\n</think>\n\n4", "2+2", "4"},
		{"2+2\n</think>\n\n4", "", true, "2+2\n</think>\n\n4", "2+2", "4"},
		{"<think>\n2+", "", false, "<think>\n2+", "2+", ""},
		{"2+", "", true, "<think>\n2+", "2+", ""},
		{"four", "", false, "four", "", "four"},
		{"<think>\n\n</think>\n\n4", "", false, "\n</think>\n\n4", "", "4"},
		{"[THINK]2+2[/THINK]4", "", false, "2+2\n</think>\n\n4", "2+2", "4"},
		{"4", "<think>\n2+2", false, "2+2\n</think>\n\n4", "2+2", "4"},
		{"a </think> b", "2", false, "2\n</think>\n\na </think> b", "2", "a </think> b"},
		{"4", " \n", false, "4", "", "4"},
	} {
		m := openai.Message{Content: openai.NewContent(c.content)}
		if c.reasoning != "" {
			m.Reasoning = new(openai.Loose(c.reasoning))
		}
		r := Remote{options: RemoteOptions{OpensThought: c.opens}}
		if got := r.chatReply(&m); got.Text != c.text || got.Thought != c.thought || got.Answer != c.answer {
			t.Errorf("%q, %q: got %q, %q, %q", c.content, c.reasoning, got.Text, got.Thought, got.Answer)
		}
	}
}

func TestRemoteCompletions(t *testing.T) {
	r := newTestRemote(t, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		var asked openai.CompletionRequest
		if err := json.Unmarshal(body, &asked); err != nil || request.URL.Path != "/v1/completions" || asked.Prompt.Texts[0] != "<|user|>2+2<think>\n" {
			t.Errorf("asked %s %s", request.URL.Path, body)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, text := range []string{"fo", "ur</thi", "nk>4"} {
			_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"text\":%q,\"logprobs\":{\"token_logprobs\":[-0.5]}}]}\n\n", text)
		}
		_, _ = fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n")
	}), RemoteOptions{LogProbs: true})
	replies, err := r.Generate(t.Context(), []Prompt{{Text: "<|user|>2+2<think>\n"}})
	if err != nil || len(replies) != 1 {
		t.Fatal(replies, err)
	}
	if got := replies[0]; got.Text != "four</think>4" || got.Thought != "four" || got.Answer != "4" || got.Finish != engine.FinishLength || got.ReplyTokens != 3 || !slices.Equal(got.LogProbs, []float32{-0.5, -0.5, -0.5}) {
		t.Errorf("%+v", got)
	}
}

// An endpoint that refuses one prompt, all of them, or everybody.
func TestRemoteFaults(t *testing.T) {
	for name, c := range map[string]struct {
		status  func(text string) int
		err     string
		errors  int // replies with FinishError
		replies int
		asked   int // at most
	}{
		"one prompt":    {func(text string) int { return map[bool]int{true: 400, false: 200}[text == "p4"] }, "", 2, 40, 40},
		"every prompt":  {func(string) int { return 400 }, "no such thing", 2, 2, 6},
		"nobody":        {func(string) int { return 401 }, "401", 0, 0, 4},
		"out of order":  {func(string) int { return 500 }, "after 3 attempts", 0, 0, 12},
		"breaks down":   {func(text string) int { return map[bool]int{true: 403, false: 200}[text > "p3"] }, "403", 0, 28, 32},
		"too much once": {func(text string) int { return map[bool]int{true: 413, false: 200}[text == "p7"] }, "", 2, 40, 40},
	} {
		e := &endpoint{error: "no such thing", answer: func(r *openai.ChatRequest) (int, openai.ChatResponse) {
			return c.status(r.Messages[0].Content.String()), openai.ChatResponse{Choices: []openai.ChatChoice{choice(0, "x", "", "stop")}}
		}}
		r := newTestRemote(t, e, RemoteOptions{Whole: true, Concurrency: 2})
		var prompts []Prompt
		for i := range 20 {
			prompts = append(prompts, Prompt{Messages: user(fmt.Sprintf("p%d", i)), Samples: 2})
		}
		replies, err := r.Generate(t.Context(), prompts)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		n := 0
		for _, reply := range replies {
			if reply.Finish == FinishError && reply.Err != nil && reply.Text == "" {
				n++
			}
		}
		whole := c.replies
		if name == "breaks down" { // p0 to p3, and what was under way
			whole = len(replies)
			if whole < 6 || whole > 8 {
				t.Errorf("%s: %d replies", name, whole)
			}
		}
		if n != c.errors || len(replies) != whole || len(e.asked) > c.asked {
			t.Errorf("%s: %d replies, %d of them errors, %d requests; want %d, %d, at most %d", name, len(replies), n, len(e.asked), whole, c.errors, c.asked)
		}
	}
}

// An error within a stream that trying again did not mend is the endpoint's, not the prompt's.
func TestRemoteFaultsInStreams(t *testing.T) {
	for kind, fatal := range map[string]bool{"server_error": true, "invalid_request_error": false} {
		r := newTestRemote(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "data: {\"error\":{\"message\":\"gone\",\"type\":%q}}\n\n", kind)
		}), RemoteOptions{})
		replies, err := r.Generate(t.Context(), []Prompt{{Messages: user("a")}})
		if (err != nil) != fatal || len(replies) != map[bool]int{true: 0, false: 1}[fatal] {
			t.Errorf("%s: %+v, %v", kind, replies, err)
		}
	}
}

func TestRemoteRefuses(t *testing.T) {
	e := &endpoint{answer: func(*openai.ChatRequest) (int, openai.ChatResponse) { return 200, openai.ChatResponse{} }}
	r := newTestRemote(t, e, RemoteOptions{})
	for want, p := range map[string]Prompt{
		"neither a text nor messages": {}, "stop tokens: got 1 ids": {Text: "x", StopTokens: []int32{1}}, "want one or the other": {Text: "x", Messages: user("a")},
		"top-k, min-p, think, schema and grammar are for local models": {Text: "x", Schema: "{}"}, "top-p: got -1": {Text: "x", TopP: -1}, "temperature: got NaN": {Text: "x", Temperature: float32(math.NaN())}, "got -1 tokens at most": {Text: "x", MaxTokens: -1},
		"a stop text is empty": {Text: "x", Stop: []string{""}},
	} {
		if _, err := r.Generate(t.Context(), []Prompt{{Text: "fine"}, p}); err == nil || !strings.HasPrefix(err.Error(), "llm: prompt 1: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if len(e.asked) != 0 {
		t.Errorf("%d requests were sent", len(e.asked))
	}
	for want, o := range map[string]RemoteOptions{
		"model: got no name": {}, "concurrency: got -1": {Model: "m", Concurrency: -1}, `omit: got "n"`: {Model: "m", Omit: []string{"n"}},
		"price: got -1": {Model: "m", Price: Price{Out: -1}}, "max n: got 9999": {Model: "m", MaxN: 9999},
	} {
		if _, err := NewRemote(nil, &o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
	if _, err := r.Generate(t.Context(), []Prompt{{Messages: user("a")}}); err == nil || !strings.Contains(err.Error(), "without a reply") {
		t.Errorf("no choices: %v", err)
	}
}

func TestRemoteFields(t *testing.T) {
	// an endpoint that knows max_completion_tokens only
	e := &endpoint{error: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", answer: func(r *openai.ChatRequest) (int, openai.ChatResponse) {
		if r.MaxTokens != nil {
			return 400, openai.ChatResponse{}
		}
		return 200, openai.ChatResponse{Choices: []openai.ChatChoice{choice(0, "x", "", "stop")}}
	}}
	r := newTestRemote(t, e, RemoteOptions{Whole: true, Concurrency: 1, Omit: []string{"seed", "top_p", "temperature"}})
	if _, err := r.Generate(t.Context(), []Prompt{{Messages: user("a"), MaxTokens: 9, Samples: 3}}); err != nil || len(e.asked) != 4 {
		t.Errorf("%d requests, %v", len(e.asked), err)
	}
	for _, asked := range e.asked[1:] {
		if *asked.MaxCompletionTokens != 9 || asked.Seed != nil || asked.TopP != nil || asked.Temperature != nil {
			t.Errorf("asked %+v", asked)
		}
	}
	wire, err := wireMessages([]chat.Message{{Role: "user", Parts: json.RawMessage(`[{"type":"text","text":"a"}]`)}, {Role: "assistant", Reasoning: "r",
		ToolCalls: []chat.ToolCall{{ID: "1", Name: "f", Arguments: json.RawMessage(`{"a":1}`)}, {Name: "g", Arguments: json.RawMessage(`"{}"`)}}}, {Role: "tool", Content: "2", ToolCallID: "1"}})
	text, _ := json.Marshal(wire)
	const want = `[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":null,"reasoning_content":"r",` +
		`"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","content":"2","tool_call_id":"1"}]`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

// A cancelled call gives back what had come.
// taken tells when "so far", which an endpoint has sent, has been taken in: whoever reads on has seen what was there before.
type taken struct {
	http.RoundTripper
	tell func()
}

func (t taken) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = &takenBody{ReadCloser: answer.Body, tell: t.tell}
	}
	return answer, err
}

type takenBody struct {
	io.ReadCloser
	tell func()
	told bool
	text []byte
}

func (b *takenBody) Read(p []byte) (int, error) {
	if strings.Contains(string(b.text), "so far") && strings.HasSuffix(string(b.text), "\n\n") && !b.told {
		b.told = true
		b.tell()
	}
	n, err := b.ReadCloser.Read(p)
	b.text = append(b.text, p[:n]...)
	return n, err
}

func TestRemoteCancel(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked openai.ChatRequest
		_ = json.NewDecoder(r.Body).Decode(&asked)
		w.Header().Set("Content-Type", "text/event-stream")
		if asked.Messages[0].Content.String() == "quick" {
			_, _ = fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"content":"done"},"finish_reason":"stop"}]}`+"\n\n")
			return
		}
		_, _ = fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"reasoning_content":"so far"}}]}`+"\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun atomic.Int64
	r := newTestRemote(t, handler, RemoteOptions{Concurrency: 2}, func(o *openai.Options) {
		o.Transport = taken{http.DefaultTransport, func() {
			if begun.Add(1) == 2 { // the second long one begins when the quick one is over
				cancel()
			}
		}}
	})
	replies, err := r.Generate(ctx, []Prompt{{Messages: user("quick")}, {Messages: user("long"), Samples: 3}})
	if !errors.Is(err, context.Canceled) || len(replies) != 4 {
		t.Fatalf("%+v, %v", replies, err)
	}
	if replies[0].Finish != engine.FinishStop || replies[0].Text != "done" || replies[1].Finish != engine.FinishCancelled || replies[1].Thought != "so far" ||
		replies[2].Thought != "so far" || replies[3].Text != "" || replies[3].Finish != engine.FinishCancelled || replies[3].Sample != 2 {
		t.Errorf("%+v", replies)
	}
	// a caller that has enough
	e := &endpoint{answer: func(*openai.ChatRequest) (int, openai.ChatResponse) {
		return 200, openai.ChatResponse{Choices: []openai.ChatChoice{choice(0, "x", "", "stop")}}
	}}
	r = newTestRemote(t, e, RemoteOptions{Concurrency: 3})
	enough, yields := errors.New("enough"), 0
	err = r.Each(t.Context(), []Prompt{{Messages: user("a"), Samples: 50}}, func(Reply) error {
		if yields++; yields == 2 {
			return enough
		}
		return nil
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	if !errors.Is(err, enough) || yields != 2 || len(e.asked) > 12 {
		t.Errorf("%v after %d replies, %d requests", err, yields, len(e.asked))
	}
}

// While a reply is being taken, its worker asks for nothing: a program that is killed then has lost one reply for each worker at most.
func TestRemoteWaitsForWhoTakes(t *testing.T) {
	e := &endpoint{answer: func(*openai.ChatRequest) (int, openai.ChatResponse) {
		return 200, openai.ChatResponse{Choices: []openai.ChatChoice{choice(0, "x", "", "stop")}}
	}}
	const workers = 3
	r := newTestRemote(t, e, RemoteOptions{Concurrency: workers})
	taken := 0
	if err := r.Each(t.Context(), []Prompt{{Messages: user("a"), Samples: 20}}, func(Reply) error {
		time.Sleep(5 * time.Millisecond) // enough for workers that do not wait
		e.mu.Lock()
		defer e.mu.Unlock()
		if n := len(e.asked); n > taken+workers {
			t.Errorf("%d requests while reply %d is taken, want at most %d", n, taken+1, taken+workers)
		}
		taken++
		return nil
	}); err != nil || taken != 20 {
		t.Errorf("%d replies: %v", taken, err)
	}
}

// When the caller has enough, what is under way is given up at once.
func TestRemoteStopsWhatIsUnderWay(t *testing.T) {
	var begun, gone sync.WaitGroup
	begun.Add(1)
	gone.Add(1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked openai.ChatRequest
		_ = json.NewDecoder(r.Body).Decode(&asked)
		if asked.Messages[0].Content.String() == "slow" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			begun.Done()
			<-r.Context().Done()
			gone.Done()
			return
		}
		begun.Wait()
		_ = json.NewEncoder(w).Encode(openai.ChatResponse{Choices: []openai.ChatChoice{choice(0, "x", "", "stop")}})
	})
	r := newTestRemote(t, handler, RemoteOptions{Concurrency: 2, Whole: true})
	enough := errors.New("enough")
	began := time.Now()
	err := r.Each(t.Context(), []Prompt{{Messages: user("slow")}, {Messages: user("quick")}}, func(Reply) error { return enough })
	if !errors.Is(err, enough) || time.Since(began) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	gone.Wait()
}
