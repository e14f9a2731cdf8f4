package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
)

func TestScoreLines(t *testing.T) {
	top := saveSmall(t, ".")
	score := func(input string) (int, string, string) {
		var out, err bytes.Buffer
		status := run(t.Context(), []string{"score", top, "--jsonl"}, streams{strings.NewReader(input), &out, &err})
		return status, out.String(), err.String()
	}
	status, out, stderr := score("{\"ids\":[1,2,3]}\n\n{\"ids\":[1,2]}\n{\"ids\":[5]}\n{\"ids\":[]}")
	if status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	var lines []logProbsLine
	for line := range strings.Lines(out) {
		var l logProbsLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		lines = append(lines, l)
	}
	if len(lines) != 4 || len(lines[0].LogProbs) != 3 || len(lines[1].LogProbs) != 2 || len(lines[2].LogProbs) != 1 || len(lines[3].LogProbs) != 0 {
		t.Fatalf("got %s", out)
	}
	long, short := lines[0].LogProbs, lines[1].LogProbs
	if long[0] != nil || short[0] != nil || !(*long[1] < 0) || *long[1] != *short[1] {
		t.Errorf("got %s", out)
	}
	for input, want := range map[string]string{
		"{\"ids\":[1,2]}\n{\"ids\":[1,-2]}": "line 2: llm: score: id -2 at place 1",
		"{\"text\":\"x\"}":                  `line 1: no "ids"`,
		"{\"ids\":[1.5]}":                   "line 1: ",
	} {
		if status, _, stderr := score(input); status != exitFailed || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, %q, want %q", input, status, stderr, want)
		}
	}
}

func TestScoreText(t *testing.T) {
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	status, out, stderr := retort(t, t.Context(), "score", "--json", top, "Use 3, 7")
	found := events[scoreEvent](t, out, "score")
	if status != exitDone || len(found) != 1 || len(found[0].LogProbs) != len(found[0].IDs) || !(found[0].Perplexity > 1) {
		t.Errorf("status %d, %s %s", status, out, stderr)
	}
	if status, _, stderr := retort(t, t.Context(), "score", top, "U"); status != exitFailed || !strings.Contains(stderr, "want at least 2") {
		t.Errorf("status %d, %q", status, stderr)
	}
}
