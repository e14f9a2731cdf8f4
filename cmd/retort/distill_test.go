package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
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
		"held_out=0":                  {exitUsage, "held_out: got 0, want at least 1"},
		"task.name=x":                 {exitUsage, "x"},
		"tokenizer=bytes":             {exitFailed, "the student knows 272 tokens and the teacher 480"},
	} {
		if status, _, stderr := retort(t, t.Context(), append(arguments, "--set", assignment)...); status != want.status || !strings.Contains(stderr, want.err) {
			t.Errorf("%s: status %d %q, want %d %q", assignment, status, stderr, want.status, want.err)
		}
	}
}

// smallTeacher returns the run of a teacher that learned by heart the right
// answer to the second problem of seed 0, and gives it to every problem.
func smallTeacher(t *testing.T) string {
	t.Helper()
	countdown := task.Registry["countdown-3"].(*task.Countdown)
	problems, err := countdown.Problems(task.Train, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	solutions, err := countdown.Solutions(problems[1])
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(map[string]string{"prompt": problems[1].Prompt,
		"completion": solutions[0].String() + " ok\n</think>\n<answer>" + solutions[0].Expression() + "</answer><|end|>"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data, folder := filepath.Join(dir, "data.jsonl"), filepath.Join(dir, "run")
	writeFile(t, data, string(line))
	arguments := []string{"sft", "--run", folder}
	for _, set := range append(smallShape, "data.path="+data, "tokenizer=lab", "steps=60", "batch_size=1", "optimizer.learning_rate=2e-2", "checkpoint.every_steps=60") {
		arguments = append(arguments, "--set", set)
	}
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	return folder
}

var smallShape = []string{"model.width=32", "model.layers=1", "model.heads=2", "model.kv_heads=1", "model.head_size=16", "model.ffn=48", "model.max_positions=96"}

// taughtBy are the arguments of a distillation from a teacher that knows one answer.
func taughtBy(teacher, folder string) []string {
	arguments := []string{"distill", "--run", folder}
	for _, set := range append(smallShape, "teacher.path="+teacher, "model.seed=3", "task.problems=4", "held_out=20",
		"collect.samples=3", "collect.temperature=0.1", "collect.chunk_problems=1", "collect.filters.keep_duplicates=true",
		"steps=4", "batch_size=2", "optimizer.learning_rate=1e-2", "checkpoint.every_steps=1") {
		arguments = append(arguments, "--set", set)
	}
	return arguments
}

func TestDistillResumedEqualsUninterrupted(t *testing.T) {
	teacher, root := smallTeacher(t), t.TempDir()
	whole, cut := filepath.Join(root, "whole"), filepath.Join(root, "cut")
	if status, _, stderr := retort(t, t.Context(), taughtBy(teacher, whole)...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	// stopped while the teacher is asked, and while the student learns
	arguments := append(taughtBy(teacher, cut), "--json")
	for _, text := range []string{`"problems":2,`, `"step":2,`} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &cancelAt{text: text, cancel: cancel}
		var stderr bytes.Buffer
		if status := run(ctx, arguments, streams{nil, out, &stderr}); status != exitStopped || !strings.Contains(out.String(), `"status":"stopped"`) {
			t.Fatalf("stopped at %s: status %d: %s%s", text, status, out.String(), stderr.String())
		}
		arguments = []string{"distill", "--resume", cut, "--json"}
	}
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("resume: status %d: %s", status, stderr)
	}
	for _, name := range []string{"model/model.safetensors", "model/tokenizer.json", "metrics.jsonl", "checkpoints/step-00000004/optimizer.safetensors",
		"set.jsonl", "traces/collection.json", "traces/traces-00000003.jsonl"} {
		a, errA := os.ReadFile(filepath.Join(whole, name))
		b, errB := os.ReadFile(filepath.Join(cut, name))
		if errA != nil || errB != nil || len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s differs between the whole run and the resumed one (%v, %v)", name, errA, errB)
		}
	}
	set, err := distill.ReadSetFile(filepath.Join(whole, "set.jsonl"))
	if err != nil || len(set.Records) == 0 {
		t.Fatalf("set %+v, %v", set, err)
	}
	for _, r := range set.Records {
		if p := r.Provenance; len(p.TeacherHash) != 64 || p.Problem != set.Records[0].Provenance.Problem || !strings.HasSuffix(r.Completion, tokenizer.End) {
			t.Errorf("record %+v", r)
		}
	}
}

func TestDistillKnowsItsTeacher(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	arguments := smallDistill(t, run, "--set", "method=on_policy")
	if status, _, stderr := retort(t, t.Context(), append(arguments, "--set", "teacher.hash=0")...); status != exitFailed || !strings.Contains(stderr, "want 0; try: the teacher that the run began with") {
		t.Errorf("another teacher: status %d %q", status, stderr)
	}
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	record, err := runstore.Read(run)
	if err != nil || !regexp.MustCompile(`"hash": ?"[0-9a-f]{64}"`).Match(record.Manifest.Config) {
		t.Errorf("the stored recipe is %s, %v", record.Manifest.Config, err)
	}
	// a student whose ids mean other texts
	student := saveSmall(t, ".")
	other, err := tokenizer.New([]tokenizer.Added{{Text: tokenizer.End, Special: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Save(filepath.Join(student, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	arguments = smallDistill(t, filepath.Join(t.TempDir(), "run"), "--set", "model.path="+student)
	for i, argument := range arguments { // the shape is the student's own
		if strings.HasPrefix(argument, "model.") && !strings.HasPrefix(argument, "model.path") {
			arguments[i] = strings.SplitN(argument, "=", 2)[0] + "=0"
		}
	}
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitFailed || !strings.Contains(stderr, "is not the vocabulary of the teacher") {
		t.Errorf("another vocabulary: status %d %q", status, stderr)
	}
}
