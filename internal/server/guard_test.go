package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/retort-ml/retort/openai"
)

// routeOf is a request that reaches an endpoint.
func routeOf(e *endpoint) (method, path string) {
	method, path, _ = strings.Cut(e.pattern, " ")
	return method, strings.NewReplacer("{id...}", "lab", "{id}", "none").Replace(path)
}

// TestAttacks: each attack of a foreign page on each route ends before a handler.
func TestAttacks(t *testing.T) {
	reached := 0
	_, h := serve(t, func(o *Options) {
		o.AllowOrigins = []string{"https://chat.example"}
		o.Routes = []Route{{Pattern: "POST /page", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })}}
	})
	host := strings.TrimPrefix(h.URL, "http://")
	attacks := map[string][]string{
		"rebinding":         {"Host", "evil.example"},
		"rebinding, port":   {"Host", "evil.example:8080"},
		"rebinding, suffix": {"Host", "localhost.evil.example"},
		"address":           {"Host", "192.168.1.5:80"},
		"origin":            {"Origin", "https://evil.example"},
		"null origin":       {"Origin", "null"},
		"other port":        {"Origin", "http://localhost:3000"},
		"image":             {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
		"same site":         {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"},
		"frame":             {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		"text":              {"Content-Type", "text/plain"},
		"form":              {"Content-Type", "application/x-www-form-urlencoded"},
		"no type":           {"Content-Type", ""},
		"preflight":         {"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"},
	}
	all := append([]endpoint{{pattern: "POST /page"}, {pattern: "GET /nothing"}}, endpoints...)
	for name, header := range attacks {
		for i := range all {
			method, path := routeOf(&all[i])
			if name == "preflight" {
				method = "OPTIONS"
			}
			if header[0] == "Content-Type" && method != "POST" {
				continue
			}
			a := send(t, h, method, path, `{"model":"lab"}`, header...)
			want := 403
			if header[0] == "Content-Type" {
				want = 415
			}
			if a.status != want || a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s on %s: %d, allowed for %q", name, all[i].pattern, a.status, a.header.Get("Access-Control-Allow-Origin"))
			}
		}
	}
	if reached > 0 {
		t.Errorf("%d attacks reached a handler", reached)
	}
	for _, header := range [][]string{
		{"Host", "localhost:1"}, {"Host", "[::1]:80"}, {"Host", "127.0.0.1"}, {"Origin", "http://" + host}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"},
		{"Origin", "https://chat.example", "Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
	} {
		if a := send(t, h, "GET", "/v1/models", "", header...); a.status != 200 {
			t.Errorf("%v: %d", header, a.status)
		}
	}
	a := send(t, h, "OPTIONS", "/v1/chat/completions", "", "Origin", "https://chat.example")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://chat.example" || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "X-Stainless-Retry-Count") {
		t.Errorf("preflight of an allowed origin: %d %v", a.status, a.header)
	}
	if post(t, h, "/page", "{}"); reached != 1 {
		t.Error("a further route is not reached")
	}
}

// TestKeys: with keys, every route but /health wants one, in either header, and each dialect has its own error.
func TestKeys(t *testing.T) {
	s, h := serve(t, func(o *Options) {
		o.Keys = []openai.Secret{"first-secret", "second-secret"}
		nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		o.Routes = []Route{{Pattern: "GET /open", Handler: nothing, Open: true}, {Pattern: "GET /closed", Handler: nothing}}
	})
	if send(t, h, "GET", "/open", "").status != 200 || send(t, h, "GET", "/closed", "").status != 401 {
		t.Error("further routes do not keep to what is open")
	}
	for i := range endpoints {
		method, path := routeOf(&endpoints[i])
		for _, header := range [][]string{{}, {"Authorization", "Bearer first-secre"}, {"Authorization", "Basic first-secret"}, {"X-Api-Key", "nothing"}} {
			want := 401
			if endpoints[i].open {
				want = 200
			}
			a := send(t, h, method, path, `{"model":"lab"}`, header...)
			if endpoints[i].open && a.status == 503 { // it is still loading
				continue
			}
			if a.status != want {
				t.Errorf("%s with %v: %d", endpoints[i].pattern, header, a.status)
			}
		}
	}
	for _, header := range [][]string{{"Authorization", "Bearer first-secret"}, {"Authorization", "bearer second-secret"}, {"X-Api-Key", "second-secret"}} {
		if a := send(t, h, "GET", "/v1/models", "", header...); a.status != 200 {
			t.Errorf("%v: %d", header, a.status)
		}
	}
	a := post(t, h, "/v1/messages", "{}")
	if at(a.object(t), "type") != "error" || at(a.object(t), "error", "type") != "authentication_error" {
		t.Errorf("Anthropic's error: %s", a.body)
	}
	if strings.Contains(fmt.Sprint(s.options.Keys), "first") {
		t.Error("a key can be printed")
	}
}

// TestAddress: beyond loopback there must be a key.
func TestAddress(t *testing.T) {
	for _, c := range []struct {
		address string
		keys    []openai.Secret
		ok      bool
	}{
		{"127.0.0.1:0", nil, true}, {"[::1]:0", nil, true}, {"0.0.0.0:0", nil, false}, {"0.0.0.0:0", []openai.Secret{"long-enough"}, true}, {":0", nil, false},
	} {
		s, _ := serve(t, func(o *Options) { o.Keys = c.keys })
		l, err := net.Listen("tcp", c.address)
		if err != nil {
			t.Logf("%s: %v", c.address, err)
			continue
		}
		if err := s.CheckAddress(l.Addr()); (err == nil) != c.ok {
			t.Errorf("%s with %d keys: %v", c.address, len(c.keys), err)
		}
		if !c.ok {
			if err := s.Serve(l); err == nil {
				t.Errorf("%s is served", c.address)
			}
		}
		l.Close()
	}
	if err := (&Options{Models: []ModelSpec{{ID: "a b"}, {ID: "x@y"}}, Keys: []openai.Secret{"short"}, Slots: -1}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("got %v", err)
	}
}

// TestLog: a line per request, and nothing of what was said, of the key, or of the address behind the route.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	_, h := serve(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Keys = []openai.Secret{"canary-key"}
		o.Routes = []Route{{Pattern: "GET /fails", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("canary") })}}
	})
	key := []string{"Authorization", "Bearer canary-key"}
	for _, q := range []string{body("lab", `,"max_tokens":3,"user":"canary"`), `{"model":"canary","messages":[{"role":"user","content":"canary"}]}`, `{"canary":`, body("lab", `,"stop":["canary",""]`)} {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/completions", "/tokenize", "/canary?canary=1"} {
			post(t, h, path, strings.ReplaceAll(q, question, "canary"), key...)
		}
	}
	post(t, h, "/v1/chat/completions", "{}", "Authorization", "Bearer canary-other")
	if a := send(t, h, "GET", "/fails", "", key...); a.status != 500 || strings.Contains(string(a.body), "canary") {
		t.Errorf("a handler that fails: %d %s", a.status, a.body)
	}
	h.Close() // so that all lines are written
	if text := log.String(); strings.Contains(text, "canary") || strings.Count(text, "msg=request") != 26 {
		t.Errorf("logged %d lines: %s", strings.Count(text, "msg=request"), text)
	}
}
