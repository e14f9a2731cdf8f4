package openai

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

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
