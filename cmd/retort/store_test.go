package main

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serveHub stands in for the hub with the files of one repository, all of them large, and points the environment at it and
// at empty stores.
func serveHub(t *testing.T, repo string, files map[string]string) *httptest.Server {
	t.Helper()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, isFile := strings.CutPrefix(r.URL.Path, "/"+repo+"/resolve/"+commit+"/")
		switch {
		case isFile:
			http.ServeFile(w, r, files[name])
		case strings.HasPrefix(r.URL.Path, "/api/models/"+repo+"/revision/"):
			fmt.Fprintf(w, `{"sha":%q}`, commit)
		case strings.HasPrefix(r.URL.Path, "/api/models/"+repo+"/tree/"):
			var list []map[string]any
			for name, path := range files {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Error(err)
				}
				sum, short := sha256.Sum256(data), sha1.Sum(data)
				list = append(list, map[string]any{"type": "file", "path": name, "size": len(data), "oid": hex.EncodeToString(short[:]),
					"lfs": map[string]any{"oid": hex.EncodeToString(sum[:]), "size": len(data)}})
			}
			json.NewEncoder(w).Encode(list)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("HF_ENDPOINT", server.URL)
	t.Setenv("HF_HUB_CACHE", filepath.Join(t.TempDir(), "cache"))
	t.Setenv("HF_HUB_OFFLINE", "")
	t.Setenv("HF_TOKEN", "")
	t.Setenv("OLLAMA_MODELS", filepath.Join(t.TempDir(), "ollama"))
	return server
}

// smallGGUF writes a small model with its tokenizer and template.
func smallGGUF(t *testing.T) string {
	t.Helper()
	words := t.TempDir()
	saveWords(t, words)
	top := saveSmall(t, "model")
	for _, name := range []string{tokenizerFile, "tokenizer_config.json"} {
		if err := os.Rename(filepath.Join(words, name), filepath.Join(top, "model", name)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(top, "small-Q8_0.gguf")
	if status, _, stderr := retort(t, t.Context(), "convert", filepath.Join(top, "model"), file, "--type", "Q8_0"); status != exitDone {
		t.Fatal(stderr)
	}
	return file
}

func TestPullShowRemove(t *testing.T) {
	file := smallGGUF(t)
	server := serveHub(t, "org/tiny", map[string]string{"small-Q8_0.gguf": file})
	check := func(wantStatus int, wantOut, wantErr string, arguments ...string) string {
		t.Helper()
		status, out, stderr := retort(t, t.Context(), arguments...)
		if status != wantStatus || !strings.Contains(out, wantOut) || !strings.Contains(stderr, wantErr) {
			t.Errorf("%q: status %d, want %d; out %q, want %q; err %q, want %q", arguments, status, wantStatus, out, wantOut, stderr, wantErr)
		}
		return out
	}
	check(exitFailed, "", "is not on this machine; try: retort pull hf:org/tiny", "show", "hf:org/tiny")
	check(exitFailed, "", "is not on this machine", "pull", "hf:org/tiny", "--offline")
	check(exitDone, "", "free", "pull", "hf:org/tiny", "--dry-run")
	check(exitDone, "", "speed        not told", "pull", "hf:org/tiny", "--dry-run")
	check(exitFailed, "", "is not on this machine", "pull", "hf:org/tiny", "--offline")
	path := strings.TrimSpace(check(exitDone, "small-Q8_0.gguf", "model        hf:org/tiny:Q8_0", "pull", "hf:org/tiny"))
	server.Close()
	check(exitDone, path, "", "pull", "hf:org/tiny", "--offline")
	shown := check(exitDone, "Q8_0", "", "show", "org/tiny:Q8_0")
	for _, want := range []string{path, "2 layers of width 32", "258 <|end|>", "memory", "speed        not told", "for 128 positions", "template     50 bytes"} {
		if !strings.Contains(shown, want) {
			t.Errorf("show says %s, want %q", shown, want)
		}
	}
	check(exitDone, "{% for m in messages %}", "", "show", "org/tiny", "--template")
	check(exitUsage, "", "the model has at most 128 positions", "show", "org/tiny", "--context", "129")
	check(exitDone, "the", "", "tokenize", "--vocab", path, "--decode", "257")
	check(exitDone, "", "", "generate", "--model", "hf:org/tiny", "--max-tokens", "2", "the")
	check(exitDone, "hf:org/tiny:Q8_0", "", "models", "ls")
	check(exitDone, "/small-Q8_0.gguf", "", "models", "ls", "--blobs")
	check(exitUsage, "", "nobody is here to ask", "models", "rm", "org/tiny")
	check(exitDone, "", "", "show", "org/tiny")
	check(exitDone, "removed", "", "models", "rm", "org/tiny", "--yes")
	check(exitDone, "0 files", "", "models", "prune")
	check(exitUsage, "", "no model org/tiny on this machine", "models", "rm", "org/tiny", "--yes")
	check(exitDone, "", "no models", "models", "ls")
	check(exitUsage, "", "try: r1-distill-qwen-7b", "show", "r1-distil-qwen-7b")
	check(exitUsage, "", "671 billion", "run", "--model", "R1", "hello")
}

// TestOllamaFileHasNoExtension opens a model where Ollama keeps it.
func TestOllamaFileHasNoExtension(t *testing.T) {
	file := smallGGUF(t)
	serveHub(t, "org/none", nil)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	store := os.Getenv("OLLAMA_MODELS")
	writeFile(t, filepath.Join(store, "blobs", "sha256-"+hex.EncodeToString(sum[:])), string(data))
	writeFile(t, filepath.Join(store, "manifests/registry.ollama.ai/library/tiny/1b"),
		fmt.Sprintf(`{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%x","size":%d}]}`, sum, len(data)))
	for _, arguments := range [][]string{
		{"show", "tiny:1b"}, {"inspect", "ollama:tiny:1b"}, {"score", "tiny:1b", "the the"}, {"generate", "--model", "tiny:1b", "--max-tokens", "1", "the"},
	} {
		if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
			t.Errorf("%q: %s", arguments, stderr)
		}
	}
	if status, _, stderr := retort(t, t.Context(), "models", "rm", "tiny:1b", "-y"); status != exitFailed || !strings.Contains(stderr, "ollama rm") {
		t.Errorf("status %d, %s", status, stderr)
	}
}
