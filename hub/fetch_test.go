package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	content = bytes.Repeat([]byte("0123456789abcdef"), 5000)
	other   = bytes.Repeat([]byte("fedcba9876543210"), 5000)
)

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// serve answers as an honest server of a file does, ranges and conditions included.
func serve(w http.ResponseWriter, r *http.Request, tag string, body []byte) {
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// drop sends the head of an answer and n bytes of it, and breaks the connection.
func drop(t *testing.T, w http.ResponseWriter, head string, body []byte, n int) {
	t.Helper()
	connection, stream, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = connection.Close() }()
	fmt.Fprintf(stream, "HTTP/1.1 %s\r\n\r\n", head)
	_, _ = stream.Write(body[:n])
	_ = stream.Flush()
}

var quick = Options{Pause: time.Millisecond, Attempts: 3, Stall: 2 * time.Second}

// get fetches from a handler that is told how many requests came before.
func get(t *testing.T, s Source, o Options, path string, handle func(w http.ResponseWriter, r *http.Request, n int)) (Result, []*http.Request, error) {
	t.Helper()
	var count atomic.Int32
	var requests []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r)
		handle(w, r, int(count.Add(1))-1)
	}))
	defer server.Close()
	s.URL = server.URL + "/data/file.jsonl?key=secret"
	result, err := Fetch(t.Context(), s, path, o)
	return result, requests, err
}

func wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes (%v), want %d", len(got), err, len(want))
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want one file", entries, err)
	}
}

func TestFetch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "file")
	var seen int64
	o := quick
	o.Progress = func(done, total int64) {
		if total != int64(len(content)) || done < seen {
			t.Errorf("progress %d of %d", done, total)
		}
		seen = done
	}
	honest := func(w http.ResponseWriter, r *http.Request, _ int) { serve(w, r, `"1"`, content) }
	result, _, err := get(t, Source{SHA256: strings.ToUpper(sumOf(content)), Size: int64(len(content))}, o, path, honest)
	if err != nil || result != (Result{Size: int64(len(content)), SHA256: sumOf(content)}) || seen != result.Size {
		t.Fatalf("%+v %v", result, err)
	}
	wantFile(t, path, content)

	again, requests, err := get(t, Source{SHA256: sumOf(content)}, o, path, honest)
	if err != nil || !again.Cached || len(requests) != 0 {
		t.Errorf("%+v %v after %d requests", again, err, len(requests))
	}
	if _, _, err := get(t, Source{SHA256: sumOf(other)}, o, path, honest); err == nil || !strings.Contains(err.Error(), "is another file") {
		t.Errorf("got %v", err)
	}
	wantFile(t, path, content)
}

// TestFetchMends: what goes wrong on the way, and is right in the end.
func TestFetchMends(t *testing.T) {
	head := fmt.Sprintf("200 OK\r\nETag: \"1\"\r\nContent-Length: %d", len(content))
	for name, c := range map[string]struct {
		source   Source
		handle   func(w http.ResponseWriter, r *http.Request, n int)
		requests int
		ranges   string // of the last request
	}{
		"dropped and resumed": {Source{}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				drop(t, w, head, content, 30000)
				return
			}
			serve(w, r, `"1"`, content)
		}, 2, "bytes=30000-"},
		"dropped at every turn": {Source{}, func(w http.ResponseWriter, r *http.Request, n int) {
			from := 16000 * n
			if n == 0 {
				drop(t, w, head, content, 16000)
				return
			}
			drop(t, w, fmt.Sprintf("206 Partial Content\r\nETag: \"1\"\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d", len(content)-from, from, len(content)-1, len(content)), content[from:], 16000)
		}, 5, "bytes=64000-"},
		"without a tag, begun anew": {Source{}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				drop(t, w, fmt.Sprintf("200 OK\r\nContent-Length: %d", len(content)), content, 30000)
				return
			}
			serve(w, r, "", content)
		}, 2, ""},
		"without a tag, but with a hash": {Source{SHA256: sumOf(content)}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				drop(t, w, fmt.Sprintf("200 OK\r\nContent-Length: %d", len(content)), content, 30000)
				return
			}
			serve(w, r, "", content)
		}, 2, "bytes=30000-"},
		"changed on the way": {Source{}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				drop(t, w, head, other, 30000)
				return
			}
			serve(w, r, `"2"`, content) // If-Range fails: the whole file comes
		}, 2, "bytes=30000-"},
		"server without ranges": {Source{}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				drop(t, w, head, content, 30000)
				return
			}
			_, _ = w.Write(content)
		}, 2, "bytes=30000-"},
		"shorter than promised": {Source{SHA256: sumOf(content)}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				drop(t, w, fmt.Sprintf("200 OK\r\nETag: \"1\"\r\nContent-Length: %d", len(content)+7), content, len(content))
				return
			}
			serve(w, r, `"1"`, content) // 416: nothing is missing
		}, 2, "bytes=80000-"},
		"busy": {Source{}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n < 2 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(503 - 74*n)
				return
			}
			serve(w, r, "", content)
		}, 3, ""},
		"stalled": {Source{}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				w.Header().Set("Content-Length", "80000")
				_, _ = w.Write(content[:5])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			serve(w, r, "", content)
		}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := quick
			if name == "stalled" {
				o.Stall = 50 * time.Millisecond
			}
			path := filepath.Join(t.TempDir(), "file")
			_, requests, err := get(t, c.source, o, path, c.handle)
			if err != nil || len(requests) != c.requests {
				t.Fatalf("%v after %d requests, want %d", err, len(requests), c.requests)
			}
			if got := requests[len(requests)-1].Header.Get("Range"); got != c.ranges {
				t.Errorf("last range %q, want %q", got, c.ranges)
			}
			wantFile(t, path, content)
		})
	}
}

// TestFetchRefuses: nothing stands at the destination in the end.
func TestFetchRefuses(t *testing.T) {
	head := fmt.Sprintf("200 OK\r\nETag: \"1\"\r\nContent-Length: %d", len(content))
	for name, c := range map[string]struct {
		source Source
		handle func(w http.ResponseWriter, r *http.Request, n int)
		want   string
	}{
		"missing":    {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(404) }, "404"},
		"forbidden":  {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(401) }, "401"},
		"no content": {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(204) }, "204"},
		"wrong hash": {Source{SHA256: sumOf(other)}, func(w http.ResponseWriter, r *http.Request, _ int) { serve(w, r, "", content) }, "got sha256"},
		"wrong size": {Source{Size: 5}, func(w http.ResponseWriter, r *http.Request, _ int) { serve(w, r, "", content) }, "offers 80000 bytes, want 5"},
		"short":      {Source{Size: 80001}, func(w http.ResponseWriter, _ *http.Request, _ int) { w.(http.Flusher).Flush(); _, _ = w.Write(content) }, "got 80000 bytes, want 80001"},
		"endless":    {Source{Size: 80000}, func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = w.Write(content); _, _ = w.Write(content) }, "more than 80000 bytes"},
		"too large": {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Length", "99000000")
			_, _ = w.Write(content)
		}, "at most 1000000"},
		"too much": {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			for range 20 {
				_, _ = w.Write(content)
			}
		}, "more than 1000000"},
		"compressed": {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(content)
		}, "encoded"},
		"wrong range": {Source{}, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 0 {
				drop(t, w, head, content, 30000)
				return
			}
			w.Header().Set("Content-Range", "bytes 0-79999/80000")
			w.WriteHeader(206)
			_, _ = w.Write(content)
		}, "asked for the bytes from 30000"},
		"other bytes in the range": {Source{SHA256: sumOf(content)}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 0 {
				drop(t, w, head, other, 30000)
				return
			}
			serve(w, r, `"1"`, content)
		}, "got sha256"},
		"always short":          {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) { drop(t, w, head, content, 0) }, "given up after 3 tries"},
		"always broken":         {Source{}, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(500) }, "given up after 3 tries"},
		"redirected in circles": {Source{}, func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "redirected over 10 times"},
		"redirected to a file": {Source{}, func(w http.ResponseWriter, r *http.Request, _ int) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "want http or https"},
		"redirected to a user": {Source{}, func(w http.ResponseWriter, r *http.Request, _ int) {
			http.Redirect(w, r, "http://user:pass@localhost/", http.StatusFound)
		}, "holds a user"},
	} {
		t.Run(name, func(t *testing.T) {
			o := quick
			o.MaxSize = 1000000
			path := filepath.Join(t.TempDir(), "file")
			_, _, err := get(t, c.source, o, path, c.handle)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "pass@")) {
				t.Errorf("the error tells a secret: %v", err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the destination exists (%v)", err)
			}
		})
	}
}

// TestFetchGoesOn: a call that was stopped, and the next one.
func TestFetchGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var last *http.Request
	cut := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r
		if cut {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Length", "80000")
			_, _ = w.Write(content[:32768])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		serve(w, r, `"1"`, content)
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	o := quick
	o.Progress = func(done, _ int64) {
		if done >= 32768 {
			stop()
		}
	}
	if _, err := Fetch(ctx, Source{URL: server.URL}, path, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("half a file stands at the destination")
	}
	cut = false
	result, err := Fetch(t.Context(), Source{URL: server.URL}, path, quick)
	if err != nil || result.Resumed != 32768 || last.Header.Get("Range") != "bytes=32768-" || last.Header.Get("If-Range") != `"1"` {
		t.Errorf("%+v %v, range %q if %q", result, err, last.Header.Get("Range"), last.Header.Get("If-Range"))
	}
	wantFile(t, path, content)
}

// TestFetchForgetsAnotherSource: a part of another address is not continued.
func TestFetchForgetsAnotherSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for name, text := range map[string]string{".part": "garbage", ".part.json": `{"url":"http://elsewhere/","tag":"\"1\""}`} {
		if err := os.WriteFile(path+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	result, requests, err := get(t, Source{SHA256: sumOf(content)}, quick, path, func(w http.ResponseWriter, r *http.Request, _ int) { serve(w, r, `"1"`, content) })
	if err != nil || result.Resumed != 0 || requests[0].Header.Get("Range") != "" {
		t.Errorf("%+v %v", result, err)
	}
	wantFile(t, path, content)
}

// TestTokenStaysHome: a redirect to another host gets no credentials, one to the same host does.
func TestTokenStaysHome(t *testing.T) {
	var away, home []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		away = append(away, r.Header.Get("Authorization")+r.Header.Get("Cookie")+r.Header.Get("Referer"))
		serve(w, r, "", content)
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		home = append(home, r.Header.Get("Authorization"))
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		if r.URL.Path == "/first" {
			http.Redirect(w, r, "/second", http.StatusFound)
			return
		}
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	o := quick
	o.Token = "t"
	path := filepath.Join(t.TempDir(), "file")
	if _, err := Fetch(t.Context(), Source{URL: server.URL + "/first"}, path, o); err != nil {
		t.Fatal(err)
	}
	if strings.Join(home, ",") != "Bearer t,Bearer t" || strings.Join(away, ",") != "" || len(away) != 1 {
		t.Errorf("home got %q, the other host %q", home, away)
	}
	wantFile(t, path, content)
}

// TestNoStepDown: from https to http, neither by redirect nor with a token.
func TestNoStepDown(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, "", content) }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) }))
	defer secure.Close()
	o := quick
	o.Client = secure.Client()
	path := filepath.Join(t.TempDir(), "file")
	if _, err := Fetch(t.Context(), Source{URL: secure.URL}, path, o); err == nil || !strings.Contains(err.Error(), "from https to") {
		t.Errorf("got %v", err)
	}
	o.Token = "t"
	if _, err := Fetch(t.Context(), Source{URL: "http://example.invalid/"}, path, o); err == nil || !strings.Contains(err.Error(), "over https only") {
		t.Errorf("got %v", err)
	}
}

func TestFetchRefusesArguments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, s := range []Source{{URL: "ftp://x/y"}, {URL: "https://u:p@x/y"}, {URL: "https:///y"}, {URL: "::"}, {URL: "https://x", SHA256: "12"}, {URL: "https://x", Size: -1}} {
		if _, err := Fetch(t.Context(), s, path, Options{}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: got %v", s, err)
		}
	}
	if _, err := Fetch(t.Context(), Source{URL: "https://x"}, path, Options{Attempts: -1}); err == nil {
		t.Error("a negative number of attempts is accepted")
	}
}

func TestReadRange(t *testing.T) {
	for text, want := range map[string][2]int64{"bytes 5-9/10": {5, 10}, "bytes 0-9/*": {0, 0}, "bytes */10": {-1, 10}} {
		if from, total, ok := readRange(text); !ok || from != want[0] || total != want[1] {
			t.Errorf("%s: %d %d %v", text, from, total, ok)
		}
	}
	for _, bad := range []string{"", "bytes", "bytes 5-9", "bytes 9-5/10", "bytes -5/10", "bytes 5-8/10", "bytes 5-9/-1", "items 5-9/10", "bytes a-9/10", "bytes 5-99999999999999999999/10"} {
		if from, total, ok := readRange(bad); ok {
			t.Errorf("%q is read as %d of %d", bad, from, total)
		}
	}
}
