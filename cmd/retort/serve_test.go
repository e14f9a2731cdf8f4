package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/tinymodel"
)

// startServe runs the command until the test ends, and returns its address and a function that stops it and returns its status.
func startServe(t *testing.T, arguments ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, append([]string{"serve", "--json", "--listen", "127.0.0.1:0"}, arguments...), streams{strings.NewReader(""), write, io.Discard})
		write.Close()
	}()
	line, err := bufio.NewReader(read).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, read)
	var e serveEvent
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatal(err)
	}
	return e.URL, func() int { cancel(); return <-status }
}

// ask posts JSON.
func askServer(t *testing.T, url, key, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, v
}

// TestServeEmbedded: without a model the embedded one answers, and a signal ends the program well.
func TestServeEmbedded(t *testing.T) {
	url, stop := startServe(t)
	status, v := askServer(t, url+"/v1/chat/completions", "", `{"model":"retort-lab","messages":[{"role":"user","content":"Use 3, 7, 11 to make 32."}],"seed":1}`)
	choices, _ := v["choices"].([]any)
	if status != 200 || len(choices) != 1 {
		t.Fatalf("%d %v", status, v)
	}
	message := choices[0].(map[string]any)["message"].(map[string]any)
	if message["content"] == "" || message["reasoning_content"] == "" {
		t.Errorf("%v", message)
	}
	if status := stop(); status != exitDone {
		t.Errorf("status %d", status)
	}
}

// TestServeFiles: models from files are found, and a key is asked for.
func TestServeFiles(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "tiny")
	if err := os.CopyFS(folder, tinymodel.Files()); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte("first-secret\nsecond-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, stop := startServe(t, "--key-file", keys, "--cache", "0.01", folder, "other="+folder)
	defer stop()
	for _, name := range []string{"tiny", "other"} {
		if status, v := askServer(t, url+"/v1/completions", "first-secret", `{"model":"`+name+`","prompt":"x","max_tokens":2}`); status != 200 {
			t.Errorf("%s: %d %v", name, status, v)
		}
	}
	body := `{"model":"other","prompt":"x","max_tokens":2}`
	if status, v := askServer(t, url+"/v1/completions", "wrong", body); status != 401 {
		t.Errorf("a wrong key: %d %v", status, v)
	}
	if status, v := askServer(t, url+"/v1/completions", "second-secret", body); status != 200 {
		t.Errorf("%d %v", status, v)
	}
}

// TestServeRefuses: what cannot be served is an error before anything listens to strangers.
func TestServeRefuses(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tiny")
	if err := os.CopyFS(folder, tinymodel.Files()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"--listen", "0.0.0.0:0"}, "want a key"},
		{[]string{"--slots", "0"}, "--slots"},
		{[]string{"--cache", "0"}, "--cache"},
		{[]string{"--key-variable", "RETORT_NO_SUCH_KEY"}, "is not set"},
		{[]string{filepath.Join(t.TempDir(), "none.gguf")}, "none.gguf"},
		{[]string{"--memory", "0.01", folder}, "a smaller --cache"},
	} {
		var out, errs bytes.Buffer
		status := run(t.Context(), append([]string{"serve"}, c.arguments...), streams{strings.NewReader(""), &out, &errs})
		if status == exitDone || !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
			t.Errorf("%v: status %d, %q, %q", c.arguments, status, errs.String(), out.String())
		}
	}
}

// TestPageOnlyReadsRuns: whatever the page asks about a finished run, its folder stays as it is, to the time of its files.
func TestPageOnlyReadsRuns(t *testing.T) {
	root := t.TempDir()
	makeRun(t, root, "first", 8, `{"steps":1}`)
	look := func() string {
		var b strings.Builder
		err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			text, _ := os.ReadFile(path) // of a folder: nothing
			fmt.Fprintln(&b, path, info.Mode(), info.ModTime(), info.Size(), text)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	before := look()
	url, stop := startServe(t, "--runs", root, "--chats", t.TempDir())
	defer stop()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	answered := 0
	for _, route := range []string{"/", "/page/api/runs", "/page/api/run?run=first", "/page/api/metrics?run=first", "/page/api/metrics.csv?run=first",
		"/page/api/samples?run=first", "/page/api/find?run=first&text=sample", "/page/api/words?run=first", "/page/api/evaluation?run=first"} {
		r, err := client.Get(url + route)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		if err := errors.Join(err, r.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if r.StatusCode == http.StatusOK {
			answered++
		} else {
			t.Logf("%s: %d %.100s", route, r.StatusCode, text)
		}
	}
	if answered < 6 {
		t.Errorf("only %d routes answered", answered)
	}
	if after := look(); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}
