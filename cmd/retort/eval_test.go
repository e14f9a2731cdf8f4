package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/eval"
)

func TestEvalReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recorded.jsonl")
	lines := `{"id":"a","source":"s","gold":"1/2","completion":"\\boxed{0.5}","verdict":false,"reviewed_verdict":true}
{"id":"b","source":"s","gold":"10","completion":"\\boxed{10\\%}","verdict":true}
`
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for option, agree := range map[string]int{"percent=hundredth": 1, "percent=either": 2} {
		status, out, stderr := retort(t, t.Context(), "eval", "--replay", path, "--json", "--option", option)
		if status != exitDone {
			t.Fatal(stderr)
		}
		printed := strings.Split(strings.TrimSpace(out), "\n")
		var last eval.Replay
		if err := json.Unmarshal([]byte(printed[len(printed)-1]), &last); err != nil {
			t.Fatal(err)
		}
		if last.N != 2 || last.Agree != agree || last.Disagree != 2-agree || last.Sources["s"].Agree != agree || len(last.Disagreements) != 2-agree {
			t.Errorf("%s: %s", option, printed[len(printed)-1])
		}
		if agree == 1 && (len(printed) != 2 || !strings.Contains(printed[0], `"id":"b"`)) {
			t.Errorf("the disagreement is not told: %q", out)
		}
	}
	folder := filepath.Join(t.TempDir(), "run")
	if f := evalRun(t, "--replay", path, "--run", folder); f.Answers != 2 || f.PassAt1.Value != 0.5 || f.Plan.Replay != path {
		t.Errorf("as a run: %+v", f)
	}
	if status, out, _ := retort(t, t.Context(), "eval", "regrade", folder, "--option", "percent=either"); status != exitDone || !strings.Contains(out, "changed verdicts: 1\n") || !strings.Contains(out, "100.0 %") {
		t.Errorf("graded anew: status %d, %s", status, out)
	}
	if status, _, stderr := retort(t, t.Context(), "eval", "--resume", folder); status != exitFailed || !strings.Contains(stderr, "nothing to go on with") {
		t.Errorf("resumed: status %d, %s", status, stderr)
	}
	for _, c := range [][]string{{"eval"}, {"eval", "--replay", path, "--option", "percent"}, {"eval", "--replay", path, "--option", "no=such"}} {
		if status, _, _ := retort(t, t.Context(), c...); status != exitUsage {
			t.Errorf("%q: status %d, want %d", c, status, exitUsage)
		}
	}
}
