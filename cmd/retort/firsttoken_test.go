package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/tinymodel"
)

// TestFirstToken: one command from a file to a reply that has thought, in a folder that holds nothing else; it begins within two seconds.
func TestFirstToken(t *testing.T) {
	if !tinymodel.Present() {
		t.Skip("this build has no embedded model")
	}
	dir := t.TempDir()
	folder, file := filepath.Join(dir, "tiny"), filepath.Join(dir, "tiny.gguf")
	if err := os.CopyFS(folder, tinymodel.Files()); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := retort(t, t.Context(), "convert", folder, file); status != exitDone {
		t.Fatalf("convert: status %d: %s", status, stderr)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	var reply struct {
		Reasoning, Content *string
		Usage              *struct {
			Prompt    int `json:"prompt_tokens"`
			Reply     int `json:"completion_tokens"`
			Reasoning int `json:"reasoning_tokens"`
		}
		Timings struct {
			First float64 `json:"first_token"`
			Total float64
		}
	}
	// Other work on the machine hits single tries: the best of some counts. Nothing is kept from one to the next.
	first, out := 10.0, ""
	for try := 0; try < 5 && first > 2; try++ {
		began := time.Now()
		status, text, stderr := retort(t, t.Context(), "run", "--json", "--seed", "1", file, "2+2?")
		took := time.Since(began)
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &reply); err != nil || status != exitDone {
			t.Fatalf("status %d %q: %s: %v", status, text, stderr, err)
		}
		// The first token comes as long before the end as the reply took behind it.
		first, out = min(first, took.Seconds()-reply.Timings.Total+reply.Timings.First), text
	}
	if reply.Reasoning == nil || reply.Content == nil || reply.Usage == nil || reply.Usage.Prompt == 0 || reply.Usage.Reply < reply.Usage.Reasoning || reply.Usage.Reasoning == 0 {
		t.Errorf("%s", out)
	}
	if first > 2 || reply.Timings.First <= 0 {
		t.Errorf("the first token came after %.2f s", first)
	}
}

// TestServeDigests: a model's digest is told, stays while its files stay, and changes with them.
func TestServeDigests(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tiny")
	if err := os.CopyFS(folder, tinymodel.Files()); err != nil {
		t.Fatal(err)
	}
	one, err := digestOf(folder)
	if err != nil || len(one) != 64 {
		t.Fatalf("%q, %v", one, err)
	}
	if again, err := digestOf(folder); err != nil || again != one {
		t.Errorf("%q, then %q, %v", one, again, err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(folder, tinymodel.Config), later, later); err != nil {
		t.Fatal(err)
	}
	if other, err := digestOf(folder); err != nil || other == one {
		t.Errorf("%q after a change, %v", other, err)
	}
	if _, err := digestOf(filepath.Join(folder, "none")); err == nil {
		t.Error("a file that is not there has a digest")
	}
}
