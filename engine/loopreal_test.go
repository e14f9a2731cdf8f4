package engine

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
)

// shared opens a file of the shared data, or skips the test.
func shared(t *testing.T, name string) *os.File {
	t.Helper()
	top := os.Getenv("RETORT_DATA")
	if top == "" {
		top = filepath.Join("..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(top, filepath.FromSlash(name)))
	if err != nil {
		t.Skipf("%s is not there; RETORT_DATA may name the folder of the shared data", name)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Of published replies the default detector cuts no further right one than a detector that waits for a third repeat, and most others sooner.
func TestLoopsOfReplies(t *testing.T) {
	definition, err := os.ReadFile(shared(t, "tokenizer/qwen2.5/tokenizer.json").Name())
	if err != nil {
		t.Fatal(err)
	}
	qwen, err := tokenizer.Parse(definition)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(shared(t, "outputs/outputs.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<26)
	texts, tokens, found, later, right, saved := 0, 0, 0, 0, 0, 0
	for lines.Scan() {
		var row struct {
			ID, Completion string
			Verdict        bool // null is false
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		ids := qwen.Encode(row.Completion)
		texts++
		tokens += len(ids)
		at := func(o LoopDetection) int {
			var d loopDetector
			for i := range ids {
				if d.add(&o, ids[:i+1]) {
					return i
				}
			}
			return -1
		}
		now := at(LoopDetection{})
		if now < 0 {
			continue
		}
		found++
		patient := at(LoopDetection{Repeats: 3})
		switch {
		case patient >= 0:
			later++
			saved += patient - now
		case row.Verdict:
			t.Errorf("%s: a right reply of %d tokens is cut at %d, and not after three repeats", row.ID, len(ids), now)
		}
		if row.Verdict {
			right++
		}
	}
	t.Logf("%d replies of %d tokens: %d run in circles, %d of them right in the end; three repeats find %d, %d tokens later in all", texts, tokens, found, right, later, saved)
	if found < 10 || later > found {
		t.Errorf("%d are found, want 10 or more: this corpus has them", found)
	}
}
