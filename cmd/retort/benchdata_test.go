package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchData(t *testing.T) {
	var lines strings.Builder
	for i := range 30 {
		fmt.Fprintf(&lines, `{"problem":"Number %d?","answer":"%03d"}`+"\n", i, i)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/whole":
			fmt.Fprint(w, lines.String())
		case "/part":
			fmt.Fprint(w, lines.String()[:200])
		case "/first":
			fmt.Fprint(w, strings.Join(strings.SplitAfter(lines.String(), "\n")[:12], ""))
		case "/second":
			fmt.Fprint(w, strings.Join(strings.SplitAfter(lines.String(), "\n")[12:], ""))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	folder := t.TempDir()
	path := filepath.Join(folder, "aime24.jsonl")
	for _, c := range []struct {
		arguments []string
		status    int
		want      string
	}{
		{[]string{"aime24", "--from", server.URL + "/whole"}, exitUsage, "Mathematical Association of America"},
		{[]string{"aime24", "--agree", "--from", server.URL + "/absent"}, exitFailed, "404"},
		{[]string{"aime24", "--agree", "--from", server.URL + "/part"}, exitFailed, "line 6"},
		{[]string{"aime24", "--agree", "--from", server.URL + "/first"}, exitFailed, "got 12 problems, want 30"},
		{[]string{"gsm8k", "math500", "--from", server.URL + "/whole"}, exitUsage, "one benchmark"},
		{[]string{"gsm9k"}, exitUsage, `no benchmark "gsm9k"`},
	} {
		status, _, stderr := retort(t, t.Context(), append([]string{"bench-data", "--to", folder}, c.arguments...)...)
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, %s; want %q", c.arguments, status, stderr, c.want)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
			t.Errorf("%q left %v, %v", c.arguments, entries, err)
		}
	}
	var digests []string
	for _, from := range [][]string{{"--from", server.URL + "/whole"}, {"--from", server.URL + "/first", "--from", server.URL + "/second"}} {
		status, out, stderr := retort(t, t.Context(), append([]string{"bench-data", "aime24", "--agree", "--json", "--to", folder}, from...)...)
		found := events[benchDataEvent](t, out, "fetched")
		if status != exitDone || len(found) != 1 || found[0].Problems != 30 || found[0].Path != path || found[0].Rights == "" {
			t.Fatalf("status %d: %+v %s", status, found, stderr)
		}
		digests = append(digests, found[0].SHA256)
	}
	if digests[0] != digests[1] {
		t.Error("the same problems in two files are another file")
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 30 || !strings.Contains(string(text), `{"id":"aime24-7","problem":"Number 7?","answer":"7"}`) {
		t.Errorf("%s, %v", text, err)
	}
	needTiny(t)
	if f := evalRun(t, "--bench", "aime24", "--data", folder, "--samples", "1", "--limit", "2", "--run", filepath.Join(t.TempDir(), "run")); f.Asked != 2 {
		t.Errorf("the fetched problems are not asked: %+v", f)
	}
}
