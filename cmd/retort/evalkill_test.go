//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/runstore"
)

// waitForDone waits until an evaluation has so many samples.
func waitForDone(t *testing.T, lines *bufio.Scanner, done int) {
	t.Helper()
	for lines.Scan() {
		var event struct {
			Event string `json:"event"`
			eval.Progress
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err == nil && event.Event == "progress" && event.Done >= done {
			return
		}
	}
	t.Fatalf("the program ended before it had %d samples", done)
}

// Killed twice and interrupted once, a run ends with the same samples and the same summary as one that was left alone.
func TestEvalKilledAndResumed(t *testing.T) {
	needTiny(t)
	folder := t.TempDir()
	plan := []string{"--task", "countdown-3", "--limit", "30", "--samples", "4", "--seed", "5"}
	whole := evalRun(t, append(plan, "--run", filepath.Join(folder, "whole"))...)
	dir := filepath.Join(folder, "killed")
	arguments := append([]string{"eval", "--json", "--batch", "3", "--run", dir}, plan...)
	for i, signal := range []os.Signal{syscall.SIGKILL, os.Interrupt, syscall.SIGKILL} {
		c, lines := program(t, "retort", arguments...)
		waitForDone(t, lines, 20*(i+1))
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // to its end, so that the program is not blocked
		}
		_ = c.Wait()
		record, err := eval.ReadRecord(dir)
		if err != nil {
			t.Fatal(err)
		}
		if n := record.Count(); n < 20*(i+1) || n >= 120 {
			t.Fatalf("%d samples after %v: the test did not stop it midway", n, signal)
		}
		if want := runstore.StatusStopped; signal == os.Interrupt && record.Status != want {
			t.Errorf("status %s after Ctrl-C, want %s", record.Status, want)
		}
		arguments = []string{"eval", "--json", "--batch", fmt.Sprint(2 + i), "--resume", dir}
	}
	resumed := evalRun(t, "--resume", dir)
	if sortedLines(t, dir) != sortedLines(t, filepath.Join(folder, "whole")) {
		t.Error("the samples differ")
	}
	if plainSummary(t, resumed) != plainSummary(t, whole) {
		t.Errorf("the summaries differ:\n%s\n%s", plainSummary(t, resumed), plainSummary(t, whole))
	}
}

// Programs are run in the sandbox where there is one, and are Unknown elsewhere; never anything in between.
func TestEvalRunsPrograms(t *testing.T) {
	answers := map[string]string{
		"sum":    "```python\na, b = map(int, input().split())\nprint(a + b)\n```",
		"double": "```python\ndef double(x):\n    return x + 1\n```",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request openai.ChatRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		name, _, _ := strings.Cut(request.Messages[0].Content.String(), ":")
		stop := "stop"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(openai.ChatResponse{Choices: []openai.ChatChoice{{Message: openai.Message{Role: "assistant", Content: openai.NewContent(answers[name])}, FinishReason: &stop}}})
	}))
	defer server.Close()
	data := filepath.Join(t.TempDir(), "problems.jsonl")
	lines := `{"id":"sum","problem":"sum: add two numbers","tests":[{"input":"3 4\n","output":"7\n"},{"input":"1 1\n","output":"2\n"}]}
{"id":"double","problem":"double: twice","entry_point":"double","tests":[{"assert":"assert double(1) == 2"},{"assert":"assert double(3) == 6"}]}
`
	if err := os.WriteFile(data, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "run")
	f := evalRun(t, "--bench", "livecodebench", "--data", data, "--endpoint", server.URL, "--model", "m", "--samples", "2", "--run", folder)
	isolation := sandbox.New(sandbox.Options{}).Check(t.Context())
	if !isolation.Usable {
		if f.Unjudged != 4 || f.PassAt1.Problems != 0 {
			t.Errorf("without a sandbox (%s): %+v", isolation.Reason, f)
		}
		t.Skipf("no sandbox here: %s", isolation.Reason)
	}
	if f.Unjudged != 0 || f.PassAt1.Value != 0.5 || f.PassAt1.Problems != 2 || len(f.ConsAt) != 0 {
		t.Errorf("%+v", f)
	}
	status, out, stderr := retort(t, t.Context(), "eval", "regrade", folder, "--resamples", "100")
	if status != exitDone || !strings.Contains(out, "changed verdicts: 0\n") {
		t.Errorf("regrade: status %d, %s%s", status, out, stderr)
	}
}
