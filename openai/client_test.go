package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const secret = "sk-test-0123456789"

// newTestClient asks a handler and does not wait between attempts, but notes for how long it would have.
func newTestClient(t *testing.T, handler http.HandlerFunc, change func(o *Options)) (*Client, *[]time.Duration) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	o := Options{BaseURL: server.URL, Key: secret, Retries: 3}
	if change != nil {
		change(&o)
	}
	c, err := New(&o)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	waits := &[]time.Duration{}
	c.sleep = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return c, waits
}

func chatRequest(stream bool) *ChatRequest {
	return &ChatRequest{Model: "m", Messages: []Message{{Role: "user", Content: NewContent("Hi")}}, Stream: stream}
}

const wholeReply = `{"id":"1","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"two",` +
	`"reasoning_content":"1+1"},"finish_reason":"stop","logprobs":{"content":[{"token":"two","logprob":-0.5,"bytes":null}]}}],` +
	`"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"completion_tokens_details":{"reasoning_tokens":2},"prompt_tokens_details":{"cached_tokens":1}},"new_field":{}}`

// chunks is a stream of the same reply.
var chunks = []string{
	`{"id":"1","created":5,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
	`{"id":"1","created":5,"model":"m","choices":[{"index":0,"delta":{"reasoning":"1+"},"finish_reason":null}]}`,
	`{"id":"1","created":5,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"1"},"finish_reason":null}]}`,
	`{"id":"1","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"tw"},"finish_reason":null,"logprobs":{"content":[{"token":"two","logprob":-0.5,"bytes":null}]}}]}`,
	`{"id":"1","created":5,"model":"m","choices":[{"index":0,"delta":{"content":"o"},"finish_reason":"stop"}]}`,
	`{"id":"1","created":5,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"completion_tokens_details":{"reasoning_tokens":2},"prompt_tokens_details":{"cached_tokens":1}}}`,
}

func sendJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// sendEvents sends events and sees that they go out.
func sendEvents(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	for _, event := range events {
		_, _ = fmt.Fprintf(w, ": ping\r\n\r\ndata: %s\r\n\r\n", event)
		w.(http.Flusher).Flush()
	}
}

// hangUp ends the connection in the middle of an answer.
func hangUp(w http.ResponseWriter) {
	w.(http.Flusher).Flush()
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

func checkReply(t *testing.T, r *ChatResponse) {
	t.Helper()
	if len(r.Choices) != 1 {
		t.Fatalf("%d choices", len(r.Choices))
	}
	c := &r.Choices[0]
	thought, ok := c.Message.Thought()
	if c.Message.Content.String() != "two" || !ok || thought != "1+1" || c.FinishReason == nil || *c.FinishReason != "stop" {
		t.Errorf("choice %+v, thought %q", c, thought)
	}
	if c.Logprobs == nil || len(c.Logprobs.Content) != 1 || c.Logprobs.Content[0].Logprob != -0.5 {
		t.Errorf("log-probabilities %+v", c.Logprobs)
	}
	if r.Model != "m" || r.Usage.PromptTokens != 3 || r.Usage.CompletionTokens != 4 || r.Usage.ReasoningTokens() != 2 || r.Usage.CachedTokens() != 1 {
		t.Errorf("response %+v, usage %+v", r, r.Usage)
	}
}

func TestChat(t *testing.T) {
	for _, stream := range []bool{false, true} {
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			var asked ChatRequest
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Messages[0].Content.String() != "Hi" || asked.Stream != stream {
				t.Errorf("asked %+v, %v", asked, err)
			}
			if r.Method != "POST" || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+secret || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s %v", r.Method, r.URL.Path, r.Header)
			}
			if stream {
				sendEvents(w, append(chunks, "[DONE]")...)
			} else {
				sendJSON(w, 200, "\n \n"+wholeReply)
			}
		}, nil)
		r, err := c.Chat(t.Context(), chatRequest(stream))
		if err != nil {
			t.Fatal(err)
		}
		checkReply(t, r)
	}
	// a server that knows no streams, and one that forgets [DONE]
	for name, handler := range map[string]http.HandlerFunc{
		"whole":   func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, 200, wholeReply) },
		"no DONE": func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, chunks...) },
		"cut mark": func(w http.ResponseWriter, _ *http.Request) {
			sendEvents(w, chunks...)
			_, _ = io.WriteString(w, "data: [DONE]")
		},
	} {
		c, _ := newTestClient(t, handler, nil)
		r, err := c.Chat(t.Context(), chatRequest(true))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkReply(t, r)
	}
}

func TestChatStream(t *testing.T) {
	c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, append(chunks, "[DONE]")...) }, nil)
	n := 0
	if err := c.ChatStream(t.Context(), chatRequest(false), func(*ChatChunk) error { n++; return nil }); err != nil || n != len(chunks) {
		t.Errorf("%d chunks, %v", n, err)
	}
	enough := errors.New("enough")
	n = 0
	if err := c.ChatStream(t.Context(), chatRequest(false), func(*ChatChunk) error { n++; return enough }); !errors.Is(err, enough) || n != 1 || c.Retries() != 0 {
		t.Errorf("%d chunks, %v, %d retries", n, err, c.Retries())
	}
	// what was handed out is not asked for again
	c, _ = newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, chunks[:2]...); hangUp(w) }, nil)
	n = 0
	if err := c.ChatStream(t.Context(), chatRequest(false), func(*ChatChunk) error { n++; return nil }); err == nil || n != 2 || c.Retries() != 0 {
		t.Errorf("a broken stream: %d chunks, %v, %d retries", n, err, c.Retries())
	}
}

// joinedChunks are pieces of two replies and of two tool calls.
func TestJoin(t *testing.T) {
	c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		sendEvents(w,
			`{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]}}]}`,
			`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}},{"index":1,"id":"d","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls"}]}`,
			`{"choices":[{"index":1,"delta":{"refusal":"no"},"finish_reason":"content_filter"}]}`, `[DONE]`)
	}, nil)
	r, err := c.Chat(t.Context(), chatRequest(true))
	if err != nil || len(r.Choices) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	calls := r.Choices[0].Message.ToolCalls
	if len(calls) != 2 || calls[0].Function.Arguments != "{}" || calls[0].ID != "c" || calls[1].Function.Name != "g" || r.Choices[0].Message.Content != nil {
		t.Errorf("calls %+v", calls)
	}
	if m := r.Choices[1].Message; m.Content.String() != "b" || m.Refusal == nil || *m.Refusal != "no" || *r.Choices[1].FinishReason != FinishContentFilter {
		t.Errorf("message %+v", m)
	}
	for _, bad := range []string{`{"choices":[{"index":-1}]}`, `{"choices":[{"index":4096}]}`, `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":7}]}}]}`} {
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, bad) }, nil)
		if _, err := c.Chat(t.Context(), chatRequest(true)); err == nil || !strings.Contains(err.Error(), "want 0 to") || c.Retries() != 0 {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, stream := range []bool{false, true} {
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			var asked CompletionRequest
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Prompt.Texts[0] != "<a>" || r.URL.Path != "/v1/completions" {
				t.Errorf("asked %s %+v, %v", r.URL.Path, asked, err)
			}
			if stream {
				sendEvents(w, `{"model":"m","choices":[{"index":0,"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-1],"top_logprobs":null,"text_offset":[0]}}]}`,
					`{"choices":[{"index":0,"text":"b","finish_reason":"length"}],"usage":{"completion_tokens":2}}`)
			} else {
				sendJSON(w, 200, `{"model":"m","choices":[{"index":0,"text":"ab","finish_reason":"length","logprobs":{"tokens":["a"],"token_logprobs":[-1]}}],"usage":{"completion_tokens":2}}`)
			}
		}, nil)
		r, err := c.Complete(t.Context(), &CompletionRequest{Model: "m", Prompt: Prompt{Texts: []string{"<a>"}}, Stream: stream})
		if err != nil || r.Choices[0].Text != "ab" || *r.Choices[0].FinishReason != "length" || r.Usage.CompletionTokens != 2 || *r.Choices[0].Logprobs.TokenLogprobs[0] != -1 {
			t.Errorf("stream %v: %+v, %v", stream, r, err)
		}
	}
}

func TestModels(t *testing.T) {
	c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.URL.Path != "/v1/models" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		sendJSON(w, 200, `{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"x","max_model_len":4096,"permission":[]}]}`)
	}, nil)
	models, err := c.Models(t.Context())
	if err != nil || len(models) != 1 || models[0].ID != "m" || models[0].MaxModelLen != 4096 {
		t.Errorf("%+v, %v", models, err)
	}
}

// failures are answers of a server that fails twice and then serves, and whether trying again is right.
var failures = map[string]struct {
	fail    http.HandlerFunc
	mended  bool // by the third attempt
	want    string
	streams bool // only where a stream was asked for
}{
	"408":                 {fail: status(408, `{}`), mended: true},
	"409":                 {fail: status(409, `{}`), mended: true},
	"429":                 {fail: status(429, `{"error":{"message":"slow down","type":"rate_limit"}}`), mended: true},
	"500":                 {fail: status(500, "oops"), mended: true},
	"503":                 {fail: status(503, `{"error":"loading"}`), mended: true},
	"599":                 {fail: status(599, ""), mended: true},
	"400":                 {fail: status(400, `{"error":{"message":"too long","code":"context_length_exceeded"}}`), want: "400 context_length_exceeded: too long"},
	"401":                 {fail: status(401, `{"error":{"message":"Incorrect API key provided: `+secret+`"}}`), want: "Incorrect API key provided: [secret]"},
	"404":                 {fail: status(404, `{"detail":"Not Found"}`), want: "404: Not Found"},
	"422":                 {fail: status(422, `{"detail":[]}`), want: "422"},
	"no quota":            {fail: status(429, `{"error":{"message":"pay","code":"insufficient_quota"}}`), want: "insufficient_quota"},
	"hangs up":            {fail: func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, mended: true},
	"half an answer":      {fail: status(200, wholeReply[:100]), mended: true},
	"an error under 200":  {fail: status(200, `  {"error":{"message":"gone","type":"server_error"}}`), mended: true},
	"a fault under 200":   {fail: status(200, `{"error":{"message":"bad","type":"invalid_request_error"}}`), want: "invalid_request_error: bad"},
	"a page":              {fail: page, want: "want JSON"},
	"too much":            {fail: status(200, `{"id":"`+strings.Repeat("x", 1<<16)+`"}`), want: "more than 32768 bytes"},
	"half a stream":       {fail: func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, chunks[:3]...) }, mended: true, streams: true},
	"half an event":       {fail: events(chunks[0], chunks[1][:50]), mended: true, streams: true},
	"a stream breaks off": {fail: func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, chunks[:3]...); hangUp(w) }, mended: true, streams: true},
	"an error in a stream": {fail: events(chunks[0], `{"error":{"message":"gone","type":"InternalServerError","code":500}}`),
		mended: true, streams: true},
	"an event of error": {fail: func(w http.ResponseWriter, _ *http.Request) {
		sendEvents(w, chunks[0])
		_, _ = io.WriteString(w, "event: error\ndata: {\"message\":\"overloaded\"}\n\n")
	}, mended: true, streams: true},
	"a fault in a stream": {fail: events(chunks[0], `{"error":{"message":"bad","type":"invalid_request_error","code":400}}`), want: "bad", streams: true},
	"an endless stream":   {fail: endless, want: "more than 32768 bytes", streams: true},
	"a redirect":          {fail: redirect(307, "http://localhost:1/v1/chat/completions"), want: "sends us on to http://localhost:1"},
	"a redirect to GET":   {fail: redirect(302, "/elsewhere"), want: "sends us on to /elsewhere with another method"},
	"redirects for ever":  {fail: redirect(308, "/v1/chat/completions"), want: "more than 3 redirects"},
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, code, body) }
}

func events(all ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { sendEvents(w, all...) }
}

func redirect(code int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, code) }
}

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<html>Log in</html>")
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		sendEvents(w, chunks[1])
	}
}

func TestFailures(t *testing.T) {
	for name, f := range failures {
		for _, stream := range []bool{false, true} {
			if f.streams && !stream {
				continue
			}
			t.Run(fmt.Sprintf("%s/stream=%v", name, stream), func(t *testing.T) {
				var asked atomic.Int64
				c, waits := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
					switch _, _ = io.Copy(io.Discard, r.Body); {
					case asked.Add(1) <= 2 || !f.mended:
						f.fail(w, r)
					case stream:
						sendEvents(w, append(chunks, "[DONE]")...)
					default:
						sendJSON(w, 200, wholeReply)
					}
				}, func(o *Options) { o.MaxResponse, o.FirstWait, o.MaxWait = 32<<10, time.Millisecond, 2*time.Millisecond })
				r, err := c.Chat(t.Context(), chatRequest(stream))
				if f.mended {
					if err != nil || asked.Load() != 3 || c.Retries() != 2 || len(*waits) != 2 {
						t.Fatalf("%v after %d attempts, waits %v", err, asked.Load(), *waits)
					}
					checkReply(t, r)
					return
				}
				if err == nil || !strings.Contains(err.Error(), f.want) || c.Retries() != 0 || strings.Contains(err.Error(), secret) {
					t.Errorf("after %d attempts: %v, want %q", asked.Load(), err, f.want)
				}
			})
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		check  func(wait time.Duration) bool
		tries  int64
	}{
		"none":             {nil, func(d time.Duration) bool { return d >= 250*time.Millisecond && d <= 500*time.Millisecond }, 4},
		"seconds":          {map[string]string{"Retry-After": "7"}, func(d time.Duration) bool { return d == 7*time.Second }, 4},
		"milliseconds":     {map[string]string{"Retry-After-Ms": "1500", "Retry-After": "9"}, func(d time.Duration) bool { return d == 1500*time.Millisecond }, 4},
		"a date":           {map[string]string{"Retry-After": time.Now().Add(100 * time.Second).UTC().Format(http.TimeFormat)}, func(d time.Duration) bool { return d > 90*time.Second && d < 101*time.Second }, 4},
		"a date gone by":   {map[string]string{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, func(d time.Duration) bool { return d <= 500*time.Millisecond }, 4},
		"nonsense":         {map[string]string{"Retry-After": "soon"}, func(d time.Duration) bool { return d <= 500*time.Millisecond }, 4},
		"a negative one":   {map[string]string{"Retry-After": "-5"}, func(d time.Duration) bool { return d <= 500*time.Millisecond }, 4},
		"too long":         {map[string]string{"Retry-After": "1e300"}, nil, 1},
		"please do not":    {map[string]string{"X-Should-Retry": "false"}, nil, 1},
		"NaN is no number": {map[string]string{"Retry-After": "NaN"}, func(d time.Duration) bool { return d <= 500*time.Millisecond }, 4},
	} {
		var asked atomic.Int64
		client, waits := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			for name, value := range c.header {
				w.Header().Set(name, value)
			}
			sendJSON(w, 503, `{"error":"busy"}`)
		}, nil)
		_, err := client.Chat(t.Context(), chatRequest(false))
		if err == nil || asked.Load() != c.tries {
			t.Errorf("%s: %d attempts, %v", name, asked.Load(), err)
		}
		if c.tries > 1 && (!c.check((*waits)[0]) || !strings.HasPrefix(err.Error(), "after 4 attempts: openai: the server answers 503")) {
			t.Errorf("%s: waits %v, %v", name, *waits, err)
		}
	}
	// waits grow, and stay within their bounds
	client, waits := newTestClient(t, status(500, ""), func(o *Options) { o.Retries, o.FirstWait, o.MaxWait = 80, time.Second, 10*time.Second })
	if _, err := client.Chat(t.Context(), chatRequest(false)); err == nil || len(*waits) != 80 {
		t.Fatalf("%d waits, %v", len(*waits), err)
	}
	different := map[time.Duration]bool{}
	for i, wait := range *waits {
		most := min(time.Second<<min(i, 10), 10*time.Second)
		if wait < most/2 || wait > most {
			t.Errorf("wait %d is %v, want %v to %v", i, wait, most/2, most)
		}
		different[wait] = true
	}
	if len(different) < 60 {
		t.Errorf("%d different waits of 80: no jitter", len(different))
	}
}

// The key goes to no other host, by no redirect, and is not printed; the same host may send on.
func TestRedirectsKeepTheKey(t *testing.T) {
	var leaked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Add(1)
		sendJSON(w, 200, wholeReply)
	}))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		c, _ := newTestClient(t, redirect(code, other.URL+"/v1/chat/completions"), nil)
		if _, err := c.Chat(t.Context(), chatRequest(false)); err == nil || leaked.Load() != 0 {
			t.Errorf("%d: %v, the other host was asked %d times", code, err, leaked.Load())
		}
	}
	c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/moved" {
			http.Redirect(w, r, "/v1/moved", http.StatusTemporaryRedirect)
			return
		}
		if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), "Hi") || r.Header.Get("Authorization") == "" {
			t.Errorf("sent on: %s, %v, %v", body, err, r.Header)
		}
		sendJSON(w, 200, wholeReply)
	}, nil)
	if _, err := c.Chat(t.Context(), chatRequest(false)); err != nil {
		t.Error(err)
	}
}

func TestNoServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.LocalAddr().String() // nobody listens there, and nobody will while the connection is open
	c, err := New(&Options{BaseURL: "http://" + address, Retries: 2, FirstWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Chat(t.Context(), chatRequest(false)); err == nil || c.Retries() != 2 || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), address) {
		t.Errorf("%v, %d retries", err, c.Retries())
	}
	server := httptest.NewTLSServer(status(200, wholeReply))
	server.Config.ErrorLog = nil
	defer server.Close()
	c, err = New(&Options{BaseURL: server.URL, Retries: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Chat(t.Context(), chatRequest(false)); err == nil || c.Retries() != 0 {
		t.Errorf("a certificate of nobody: %v, %d retries", err, c.Retries())
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for looks := 0; !condition(); looks++ { // not by the clock: the machine may stand still
		if looks > 20_000 {
			t.Fatalf("%s: not in %d looks", what, looks)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTimeouts(t *testing.T) {
	silent := func(first ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client has gone
			if len(first) > 0 {
				sendEvents(w, first...)
			}
			<-r.Context().Done()
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		change  func(o *Options)
		stream  bool
		want    string
	}{
		"no answer":          {silent(), func(o *Options) { o.Timeout = 30 * time.Millisecond }, false, "no whole answer within 30ms"},
		"silent at once":     {silent(), func(o *Options) { o.Idle = 30 * time.Millisecond }, true, "silent for 30ms"},
		"falls silent":       {silent(chunks[:2]...), func(o *Options) { o.Idle = 30 * time.Millisecond }, true, "silent for 30ms"},
		"pings and no more":  {pings, func(o *Options) { o.Idle, o.Timeout = 5*time.Minute, 200*time.Millisecond }, true, "no whole answer within 200ms"},
		"slow but not still": {slowly, func(o *Options) { o.Idle = 700 * time.Millisecond }, true, ""},
	} {
		client, _ := newTestClient(t, c.handler, func(o *Options) { o.Retries = 1; c.change(o) })
		r, err := client.Chat(t.Context(), chatRequest(c.stream))
		for try := 0; try < 5 && c.want == "" && err != nil; try++ { // a machine that stands still makes any server silent
			r, err = client.Chat(t.Context(), chatRequest(c.stream))
		}
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			checkReply(t, r)
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || client.Retries() != 1 {
			t.Errorf("%s: %v, %d retries; want %q", name, err, client.Retries(), c.want)
		}
	}
}

func pings(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, ": ping\n\n")
		w.(http.Flusher).Flush()
		time.Sleep(5 * time.Millisecond)
	}
}

// slowly sends every byte of a stream apart, and pauses between its events.
func slowly(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, chunk := range append(chunks, "[DONE]") {
		time.Sleep(150 * time.Millisecond)
		for _, b := range []byte("data: " + chunk + "\n\n") {
			_, _ = w.Write([]byte{b})
			w.(http.Flusher).Flush()
		}
	}
}

// untilSeen calls seen once a text has come and been taken in: whoever reads on has seen what was there before.
type untilSeen struct {
	http.RoundTripper
	text string
	seen func()
}

func (u untilSeen) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := u.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = &seenBody{ReadCloser: answer.Body, until: u}
	}
	return answer, err
}

type seenBody struct {
	io.ReadCloser
	until untilSeen
	text  []byte
}

func (b *seenBody) Read(p []byte) (int, error) {
	if strings.HasSuffix(string(b.text), "\n\r\n") && strings.Contains(string(b.text), b.until.text) {
		b.until.seen()
	}
	n, err := b.ReadCloser.Read(p)
	b.text = append(b.text, p[:n]...)
	return n, err
}

// A cancelled call ends at once, the server sees it, and what had come of a stream is there.
func TestCancel(t *testing.T) {
	var gone atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		sendEvents(w, chunks[:4]...)
		<-r.Context().Done()
		gone.Store(true)
	}, func(o *Options) { o.Transport = untilSeen{http.DefaultTransport, `"content":"tw"`, cancel} })
	r, err := c.Chat(ctx, chatRequest(true))
	if !errors.Is(err, context.Canceled) || c.Retries() != 0 || len(r.Choices) != 1 || r.Choices[0].Message.Content.String() != "tw" {
		t.Errorf("%+v, %v", r, err)
	}
	waitFor(t, "the server sees that the client has gone", gone.Load)
	if _, err := c.Chat(ctx, chatRequest(false)); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was cancelled before: %v", err)
	}
	// also while it waits to try again
	ctx, cancel = context.WithCancel(t.Context())
	c, _ = newTestClient(t, status(500, ""), nil)
	c.sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return sleep(ctx, time.Hour) }
	if _, err := c.Chat(ctx, chatRequest(false)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
}

func TestConcurrency(t *testing.T) {
	var now, most atomic.Int64
	c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		for looks := 0; most.Load() < 3 && looks < 20_000; looks++ { // until three have met
			time.Sleep(time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
		sendJSON(w, 200, wholeReply)
	}, func(o *Options) { o.MaxConcurrent = 3 })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.Chat(t.Context(), chatRequest(false)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != 3 {
		t.Errorf("%d requests under way at a time, want 3", most.Load())
	}
}

// Within any minute no more is sent than allowed, and nothing is held back for longer than that takes.
func TestRateLimits(t *testing.T) {
	clock := time.Unix(1000, 0)
	l := newLimits(&Options{MaxConcurrent: 1, RequestsPerMinute: 5, TokensPerMinute: 1000})
	l.now = func() time.Time { return clock }
	type sent struct {
		at     time.Time
		tokens int
	}
	var all []sent
	for _, tokens := range []int{100, 100, 100, 100, 100, 100, 600, 300, 300, 5000, 1, 1, 1, 1, 1, 1, 1, 999} {
		for wait := l.admit(tokens); wait > 0; wait = l.admit(tokens) {
			clock = clock.Add(wait)
		}
		all = append(all, sent{clock, tokens})
	}
	for i := range all {
		n, sum := 0, 0
		for _, s := range all[i:] {
			if s.at.Sub(all[i].at) < time.Minute {
				n++
				sum += s.tokens
			}
		}
		if n > 5 || sum > 1000 && n > 1 {
			t.Errorf("from %v: %d requests and %d tokens within a minute", all[i].at, n, sum)
		}
	}
	if took := clock.Sub(time.Unix(1000, 0)); took > 7*time.Minute {
		t.Errorf("took %v", took)
	}
	// the server's own count replaces the guess
	clock = clock.Add(time.Hour)
	if l.admit(900) != 0 || l.admit(900) == 0 {
		t.Error("two requests of 900 tokens are within 1000")
	}
	l.count(&Usage{PromptTokens: 20, CompletionTokens: 30}, 900)
	if l.admit(900) != 0 {
		t.Error("50 counted tokens and 900 are within 1000")
	}
	l.pause(30 * time.Second)
	if wait := l.admit(1); wait != 30*time.Second {
		t.Errorf("paused: wait %v", wait)
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"want http:// or https://":      {BaseURL: "ftp://x"},
		"want http:// or https:// and":  {BaseURL: "localhost:8000"},
		"cannot be read":                {BaseURL: "http://user:pass word@x:port"},
		"want the key apart":            {BaseURL: "http://user:hidden@x"},
		"a query or a fragment":         {BaseURL: "http://x?key=1"},
		"holds a space":                 {BaseURL: "http://x", Key: "a\nb"},
		"retries: got -2":               {BaseURL: "http://x", Retries: -2},
		"idle: got -1ns":                {BaseURL: "http://x", Idle: -1},
		"tokens per minute: got -1":     {BaseURL: "http://x", TokensPerMinute: -1},
		"max concurrent: got -3, want ": {BaseURL: "http://x", MaxConcurrent: -3},
	} {
		if _, err := New(&o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "pass word") {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	for in, want := range map[string]string{
		"http://x": "http://x/v1", "http://x:80/": "http://x:80/v1", "https://x/api/v3/": "https://x/api/v3", " http://x/v1 ": "http://x/v1",
	} {
		if c, err := New(&Options{BaseURL: in}); err != nil || c.BaseURL() != want {
			t.Errorf("%s: %v, %v; want %s", in, c, err, want)
		}
	}
	// no key is found that was not given
	t.Setenv("OPENAI_API_KEY", "sk-of-the-environment")
	for key, want := range map[Secret]string{"": "", secret: "Bearer " + secret} {
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("key %q, want %q", got, want)
			}
			sendJSON(w, 200, wholeReply)
		}, func(o *Options) { o.Key = key })
		if _, err := c.Chat(t.Context(), chatRequest(false)); err != nil {
			t.Error(err)
		}
	}
}
