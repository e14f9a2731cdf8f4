package chat

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSnippets compares small templates with what Python's jinja2 made of them (testdata/snippets.py). RETORT_SNIPPETS
// names another file of that script.
func TestSnippets(t *testing.T) {
	path := os.Getenv("RETORT_SNIPPETS")
	if path == "" {
		path = filepath.Join("testdata", "snippets.jsonl")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	var in Input
	count, differ, otherKind := 0, 0, 0
	for lines.Scan() {
		var line struct {
			Variables json.RawMessage `json:"v"`
			Template  string          `json:"t"`
			Output    string          `json:"o"`
			Error     string          `json:"e"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Variables != nil {
			if in, err = ParseInput(line.Variables); err != nil {
				t.Fatal(err)
			}
			continue
		}
		count++
		got, err := renderSnippet(line.Template, in)
		switch {
		case line.Error == "" && (err != nil || got != line.Output):
			differ++
			t.Errorf("%q:\ngot  %q, %v\nwant %q", line.Template, got, err, line.Output)
		case line.Error != "" && err == nil:
			differ++
			t.Errorf("%q: got %q, want %s", line.Template, got, line.Error)
		case line.Error != "" && !strings.Contains(err.Error(), line.Error+":"):
			otherKind++
			t.Logf("%q: got %v, want %s", line.Template, err, line.Error)
		}
	}
	if err := lines.Err(); err != nil || count < 1000 {
		t.Fatalf("%d snippets, %v", count, err)
	}
	t.Logf("%d snippets, %d differ, %d raise another kind of error", count, differ, otherKind)
}

func renderSnippet(source string, in Input) (string, error) {
	template, err := Parse(source)
	if err != nil {
		return "", err
	}
	return template.Render(in, Limits{Now: snippetClock})
}
