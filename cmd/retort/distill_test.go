package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// smallDistill are the arguments of a distillation from a random teacher into a smaller student.
func smallDistill(t *testing.T, run string, more ...string) []string {
	t.Helper()
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	return append([]string{"distill", "--run", run, "--set", "teacher.path=" + top, "--set", "model.width=16", "--set", "model.layers=1",
		"--set", "model.heads=1", "--set", "model.kv_heads=1", "--set", "model.head_size=16", "--set", "model.ffn=16", "--set", "model.max_positions=128",
		"--set", "task.problems=4", "--set", "held_out=4", "--set", "collect.max_new_tokens=8", "--set", "collect.samples=2",
		"--set", "steps=3", "--set", "batch_size=2", "--set", "on_policy.steps=3", "--set", "on_policy.rollout.problems=2",
		"--set", "on_policy.rollout.group=2", "--set", "on_policy.rollout.max_new_tokens=8", "--set", "optimizer.learning_rate=1e-2",
	}, more...)
}

func TestDistillTraces(t *testing.T) {
	for _, method := range []string{methodTraces, methodLogits} {
		run := filepath.Join(t.TempDir(), "run")
		status, _, stderr := retort(t, t.Context(), smallDistill(t, run, "--set", "method="+method)...)
		if status != exitFailed || !strings.Contains(stderr, "no trace of the teacher's is right and passes the filters; try: a better teacher") || !strings.Contains(stderr, "8") {
			t.Fatalf("%s: a random teacher: status %d: %s", method, status, stderr)
		}
		// Resumed, the run takes the set that is there.
		prompt := "<|user|>Use 1, 2, 3 to make 6.<|assistant|><think>\n"
		set := distill.Set{Records: []distill.Record{{
			Prompt: prompt, Completion: "1+2=3 3+3=6 ok\n</think>\n<answer>1+2+3</answer><|end|>",
			Provenance: distill.Provenance{
				Teacher: "t", TeacherHash: "h", Problem: "p", PromptHash: fmt.Sprintf("%x", sha256.Sum256([]byte(prompt))),
				Verdict: verify.Verdict{Outcome: verify.Right},
			},
		}}}
		if err := set.WriteFile(filepath.Join(run, "set.jsonl")); err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := retort(t, t.Context(), "distill", "--resume", run); status != exitDone {
			t.Fatalf("%s: resume: status %d: %s", method, status, stderr)
		}
		metrics, err := os.ReadFile(filepath.Join(run, "metrics.jsonl"))
		if err != nil || bytes.Count(metrics, []byte("\n")) != 3 || !isFile(filepath.Join(run, "model", "model.safetensors")) {
			t.Errorf("%s: metrics %q, %v", method, metrics, err)
		}
	}
}

func TestDistillOnPolicy(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	if status, _, stderr := retort(t, t.Context(), smallDistill(t, run, "--set", "method=on_policy")...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	metrics, err := os.ReadFile(filepath.Join(run, "metrics.jsonl"))
	if err != nil || bytes.Count(metrics, []byte("\n")) != 3 || !bytes.Contains(metrics, []byte(`"logprob_gap":0`)) {
		t.Errorf("metrics %q, %v", metrics, err)
	}
}

func TestDistillRefuses(t *testing.T) {
	arguments := smallDistill(t, filepath.Join(t.TempDir(), "run"))
	for assignment, want := range map[string]struct {
		status int
		err    string
	}{
		"teacher.path=":               {exitUsage, "teacher.path is not set"},
		"teacher.path=" + t.TempDir(): {exitUsage, "teacher: model.path"},
		"method=magic":                {exitUsage, `method: got "magic", want traces, logits or on_policy`},
		"divergence=other":            {exitUsage, "divergence"},
		"collect.samples=-1":          {exitUsage, "samples"},
		"collect.filter.any_format":   {exitUsage, "want key=value"},
		"held_out=0":                  {exitUsage, "held_out 0: want at least 1"},
		"task.name=x":                 {exitUsage, "x"},
		"tokenizer=bytes":             {exitFailed, "the student knows 272 tokens and the teacher 480"},
	} {
		if status, _, stderr := retort(t, t.Context(), append(arguments, "--set", assignment)...); status != want.status || !strings.Contains(stderr, want.err) {
			t.Errorf("%s: status %d %q, want %d %q", assignment, status, stderr, want.status, want.err)
		}
	}
}
