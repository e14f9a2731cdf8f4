package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/verify"
)

const codeLines = `{"kind":"code","completion":"<think>x</think>\n` + "```python\\nprint(int(input())**2)\\n```" + `","tests":[{"input":"3\n","output":"9\n"},{"input":"4\n","output":"16.0"}],"expected":true}
{"kind":"code","completion":"` + "```python\\ndef f(x): return x\\n```" + `","entry_point":"f","tests":[{"args":[1],"expected":1},{"args":[3],"expected":9}],"expected":false}
{"completion":"def f(x):\n    return x * x\n","tests":[{"assert":"assert f(3) == 9"}],"expected":true}
{"completion":"    return x * x\n","entry_point":"f","prompt":"def f(x):\n","check":"def check(candidate):\n    assert candidate(3) == 9\n","expected":true}
{"kind":"code","completion":"` + "```python\\nwhile True: pass\\n```" + `","tests":[{"input":"","output":"1"}],"time_seconds":1,"expected":false}
{"gold":"9","pred":"3^2","expected":true}
`

func writeLines(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "answers.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGradeCode(t *testing.T) {
	if report := sandbox.New(sandbox.Options{}).Check(t.Context()); !report.Usable {
		t.Skipf("no isolation on this machine: %s", report.Reason)
	}
	status, out, stderr := retort(t, t.Context(), "grade", writeLines(t, codeLines), "--json")
	if status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	grades := events[gradeEvent](t, out, "grade")
	want := []string{verify.RuleTests, verify.RuleValue, verify.RuleTests, verify.RuleTests, verify.RuleTime, verify.RuleExact}
	for i, g := range grades {
		if i >= len(want) || g.Rule != want[i] {
			t.Errorf("line %d: %+v", i, g)
		}
	}
	if sum := events[gradeSummary](t, out, "summary"); len(grades) != len(want) || len(sum) != 1 || sum[0].Correct != len(want) {
		t.Errorf("%d grades, summary %+v", len(grades), sum)
	}
	if reason := "test 2 of 2: got 3, want 9"; len(grades) > 1 && grades[1].Reason != reason {
		t.Errorf("got reason %q, want %q", grades[1].Reason, reason)
	}
	status, out, _ = retort(t, t.Context(), "grade", "--check-sandbox", "--json")
	if report := events[sandbox.Isolation](t, out, "sandbox"); status != exitDone || len(report) != 1 || !report[0].Usable || len(report[0].Layers) < 6 {
		t.Errorf("status %d: %s", status, out)
	}
}

// TestGradeCodeFailsClosed: without an interpreter or isolation, a program is neither right nor wrong.
func TestGradeCodeFailsClosed(t *testing.T) {
	line := strings.Split(codeLines, "\n")[0] + "\n"
	status, out, stderr := retort(t, t.Context(), "grade", writeLines(t, line), "--json", "--python", "no-such-python")
	if status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	grades := events[gradeEvent](t, out, "grade")
	if len(grades) != 1 || grades[0].Verdict != verify.Unknown || !strings.HasPrefix(grades[0].Reason, "cannot judge: ") {
		t.Errorf("got %+v", grades)
	}
	if sum := events[gradeSummary](t, out, "summary"); len(sum) != 1 || *sum[0].Unknowns != 1 || sum[0].Correct != 0 {
		t.Errorf("got %+v", sum)
	}
	if status, _, stderr = retort(t, t.Context(), "grade", "--check-sandbox", "--python", "no-such-python"); status != exitFailed || !strings.Contains(stderr, "no-such-python") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestGradeCodeRefusesLines(t *testing.T) {
	for line, want := range map[string]string{
		`{"kind":"code","tests":[{"output":"1"}]}`:                                     "want the fields",
		`{"kind":"code","completion":"x","tests":[{"inputs":"1","outputs":"2"}]}`:      "tests: want each with",
		`{"kind":"code","completion":"x","tests":[{"output":"1"}],"time_seconds":-1}`:  "time_seconds -1",
		`{"kind":"code","completion":"x","tests":{"output":"1"}}`:                      "tests",
		`{"kind":"code","completion":"x","tests":[{"output":"1"}],"memory_bytes":-64}`: "memory_bytes -64",
	} {
		status, _, stderr := retort(t, t.Context(), "grade", writeLines(t, line))
		if status != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %q, want %q", line, status, stderr, want)
		}
	}
}
