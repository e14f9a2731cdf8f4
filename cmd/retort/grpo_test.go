package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
)

// smallGRPO are the arguments of a run that takes a moment, from a random model.
func smallGRPO(t *testing.T, run string) []string {
	t.Helper()
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	return []string{"grpo", "--run", run, "--set", "model.path=" + top, "--set", "steps=4", "--set", "task.problems=8",
		"--set", "rollout.problems=2", "--set", "rollout.group=4", "--set", "rollout.max_new_tokens=12", "--set", "rollout.seed=5",
		"--set", "optimizer.learning_rate=1e-3", "--set", "checkpoint.every_steps=1"}
}

func TestGRPOResumedEqualsUninterrupted(t *testing.T) {
	root := t.TempDir()
	whole, cut := filepath.Join(root, "whole"), filepath.Join(root, "cut")
	arguments := smallGRPO(t, whole)
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	arguments[2] = cut
	ctx, cancel := context.WithCancel(t.Context())
	out := &cancelAt{text: `"step":2,`, cancel: cancel}
	var stderr bytes.Buffer
	if status := run(ctx, append(arguments, "--json"), streams{nil, out, &stderr}); status != exitStopped {
		t.Fatalf("status %d, want %d: %s", status, exitStopped, stderr.String())
	}
	if status, _, stderr := retort(t, t.Context(), "grpo", "--resume", cut); status != exitDone {
		t.Fatalf("resume: status %d: %s", status, stderr)
	}
	for _, name := range []string{"model/model.safetensors", "metrics.jsonl", "samples.jsonl"} {
		a, errA := os.ReadFile(filepath.Join(whole, name))
		b, errB := os.ReadFile(filepath.Join(cut, name))
		if errA != nil || errB != nil || len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s differs between the whole run and the resumed one (%v, %v)", name, errA, errB)
		}
	}
	record, err := runstore.Read(whole)
	if err != nil {
		t.Fatal(err)
	}
	if gap, step, ok := record.Last(train.MetricLogProbGap); !ok || gap != 0 || step != 4 {
		t.Errorf("log-probability gap %v at step %d, %v", gap, step, ok)
	}
	for _, name := range []string{"attempts", "reflections", "converted"} {
		if _, _, ok := record.Last(name); !ok {
			t.Errorf("no metric %s", name)
		}
	}
}

func TestGRPORefuses(t *testing.T) {
	arguments := smallGRPO(t, filepath.Join(t.TempDir(), "run"))
	for assignment, want := range map[string]string{
		"model.path=":               "model.path is not set",
		"task.name=countdown-5":     "countdown-5",
		"task.problems=0":           "task.problems: got 0",
		"rollout.group=1":           "rollout.group: got 1",
		"variant=grpoo":             `variant: got "grpoo"`,
		"rollout.max_new_token=1":   `did you mean "rollout.max_new_tokens"?`,
		"reward.repetitions=1":      `did you mean "reward.repetition"?`,
		"reward.language_code=tlh":  "reward.language_code: got tlh",
		"kl_place=nowhere":          "kl_place: got nowhere",
		"rollout.temperature=-1":    "rollout.temperature: got -1",
		"model.path=" + t.TempDir(): "holds no model and no checkpoint",
	} {
		if status, _, stderr := retort(t, t.Context(), append(arguments, "--set", assignment)...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d %q, want %d %q", assignment, status, stderr, exitUsage, want)
		}
	}
}

func TestGradeAndObserve(t *testing.T) {
	r := newGRPORecipe()
	r.Task.Problems, r.Reward = 4, train.RewardOptions{Accuracy: 2, Format: 0.5}
	set, err := newBank(&r.Task, r.Reward, tokenizer.Lab())
	if err != nil {
		t.Fatal(err)
	}
	p := set.Problems[1]
	solutions, err := task.Registry["countdown-3"].(*task.Countdown).Solutions(p)
	if err != nil || len(solutions) == 0 {
		t.Fatalf("%v: %d solutions", err, len(solutions))
	}
	right := "1+1=2 no\nwait " + solutions[0].String() + " ok\n</think>\n<answer>" + solutions[0].Expression() + "</answer><|end|>"
	wrong := "1+1=2 ok\n</think>\n<answer>1</answer><|end|>"
	for _, c := range []struct {
		text string
		want train.Reward
	}{
		{right, train.Reward{Verdict: train.Right, WellFormed: true, Accuracy: 2, Format: 0.5}},
		{wrong, train.Reward{Verdict: train.Wrong, WellFormed: true, Format: 0.5}},
		{"nothing", train.Reward{Verdict: train.Wrong}},
	} {
		got := set.Grade(&set.Rendered[1], nil, c.text)
		if got.Reason == "" && got.Verdict == train.Wrong {
			t.Errorf("%q: wrong without a reason", c.text)
		}
		got.Reason = ""
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, got, c.want)
		}
	}
	observed := map[string]float64{}
	for _, v := range set.Observe(1, []train.Sample{{Problem: 1, Text: right}, {Problem: 1, Text: wrong}}) {
		observed[v.Name] = v.Number
	}
	want := map[string]float64{"gave_up": 0, "attempts": 1.5, "reflections": 0.5, "converted": 0.5, train.MetricFalseVerdictRate: 1.0 / 3}
	for name, number := range want {
		if observed[name] != number {
			t.Errorf("%s: got %v, want %v", name, observed[name], number)
		}
	}
	if len(observed) != len(want) {
		t.Errorf("observed %v", observed)
	}
	if none := set.Observe(1, nil); none != nil {
		t.Errorf("no samples: got %v", none)
	}
}

// smallFile is a file of problems that half of a random model's answers could be right for.
func smallFile(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, `{"id": "p%d", "problem": "What is %d plus 1?", "answer": "%d"}`+"\n", i, i, i+1)
	}
	path := filepath.Join(t.TempDir(), "sums.jsonl")
	if err := os.WriteFile(path, []byte(lines.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTasksOfEveryKind reinforces and distils on problems of a file and on the tasks of one unknown: problems are asked,
// answers judged, and what is no task is refused.
func TestTasksOfEveryKind(t *testing.T) {
	for _, set := range []string{"task.file=" + smallFile(t), "task.name=linear", "task.name=multiplication"} {
		folder := filepath.Join(t.TempDir(), "run")
		arguments := append(smallGRPO(t, folder), "--set", "steps=1", "--set", set, "--set", "reward.overlong=1", "--set", "variant=cispo")
		if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
			t.Fatalf("%s: status %d: %s", set, status, stderr)
		}
		record, err := runstore.Read(folder)
		if err != nil {
			t.Fatal(err)
		}
		judged := false
		err = record.Samples(func(line json.RawMessage) error {
			var s train.Sample
			if err := json.Unmarshal(line, &s); err != nil {
				return err
			}
			judged = judged || s.Verdict == train.Wrong && s.Reason != "" && s.Parts["overlong"] == -1
			return nil
		})
		if err != nil || !judged {
			t.Errorf("%s: no answer was judged, %v", set, err)
		}
		arguments = smallDistill(t, filepath.Join(t.TempDir(), "run"), "--set", "method=on_policy", "--set", set, "--set", "on_policy.steps=1")
		if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
			t.Errorf("distill, %s: status %d: %s", set, status, stderr)
		}
	}
	// Of a file, there are as many problems as there are.
	r := newGRPORecipe()
	r.Task.File = smallFile(t)
	set, err := newBank(&r.Task, r.Reward, tokenizer.Lab())
	if err != nil || len(set.Problems) < 25 || len(set.Problems) >= 40 {
		t.Fatalf("%v: got other than about four fifths of 40 problems", err)
	}
	arguments := append(smallGRPO(t, filepath.Join(t.TempDir(), "run")), "--set", "task.file=nowhere.jsonl")
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitUsage || !strings.Contains(stderr, "task.file: nowhere.jsonl") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// TestRunsWithAnAdapter reinforces and distils with an adapter: the run keeps the adapter and a model that opens by itself,
// and a new model is refused.
func TestRunsWithAnAdapter(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	arguments := append(smallGRPO(t, folder), "--set", "lora.rank=4", "--set", "lora.targets=[q_proj, down_proj]", "--set", "lora.alpha=8")
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	m, err := model.Open(filepath.Join(folder, "model"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.OpenAdapter(filepath.Join(folder, "adapter"))
	if err != nil || a.AdapterOptions().Rank != 4 || len(a.AdapterOptions().Targets) != 2 {
		t.Errorf("adapter %+v, %v", a.AdapterOptions(), err)
	}
	if status, _, stderr := retort(t, t.Context(), append(smallGRPO(t, folder+"2"), "--set", "lora.rnak=4")...); status != exitUsage || !strings.Contains(stderr, "lora.rank") {
		t.Errorf("status %d: %s", status, stderr)
	}
	more := []string{"--set", "lora.rank=4"}
	if status, _, stderr := retort(t, t.Context(), smallDistill(t, folder+"3", more...)...); status == exitDone || !strings.Contains(stderr, "lora.rank is set for a new model") {
		t.Errorf("status %d: %s", status, stderr)
	}
	more = []string{"--set", "method=on_policy", "--set", "on_policy.lora.rank=4", "--set", "model.path=" + folder}
	teacher := smallDistill(t, folder+"4", more...)
	kept := teacher[:0:0]
	for i := 0; i < len(teacher); i++ { // the shape is the model's
		if teacher[i] == "--set" && strings.HasPrefix(teacher[i+1], "model.") && !strings.HasPrefix(teacher[i+1], "model.path") {
			i++
			continue
		}
		kept = append(kept, teacher[i])
	}
	if status, _, stderr := retort(t, t.Context(), kept...); status != exitDone {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// TestEveryTaskHasProblems draws what the default recipes of grpo and distill ask for, of every task by name.
func TestEveryTaskHasProblems(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(task.Registry)) {
		r, d := newGRPORecipe(), newDistillRecipe()
		r.Task.Name = name
		asked, err := r.Task.open()
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for split, n := range map[task.Split]int{task.Train: r.Task.Problems, task.HeldOut: d.HeldOut} {
			problems, err := r.Task.draw(asked, split, n)
			if err != nil || len(problems) < 300 || len(problems) > n {
				t.Errorf("%s: %d %s problems, %v", name, len(problems), split, err)
			}
			for _, p := range problems {
				if ids[p.ID] {
					t.Fatalf("%s: %s stands twice", name, p.ID)
				}
				ids[p.ID] = true
			}
		}
	}
}

// TestRewardOfEveryTask: what an answer earns is the weights of the recipe times what the task says of it, and a run on each task goes.
func TestRewardOfEveryTask(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(task.Registry)) {
		arguments := append(smallGRPO(t, filepath.Join(t.TempDir(), "run")), "--set", "task.name="+name, "--set", "steps=1")
		if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
			t.Fatalf("%s: status %d: %s", name, status, stderr)
		}
		r := newGRPORecipe()
		r.Task.Name, r.Task.Problems = name, 8
		set, err := newBank(&r.Task, train.RewardOptions{Accuracy: 2, Format: 0.5}, tokenizer.Lab())
		if err != nil {
			t.Fatal(err)
		}
		p := set.Problems[0]
		answer := strconv.Itoa(p.Target)
		if countdown, ok := set.Task.(*task.Countdown); ok {
			solutions, err := countdown.Solutions(p)
			if err != nil || len(solutions) == 0 {
				t.Fatalf("%s: %d solutions, %v", name, len(solutions), err)
			}
			answer = solutions[0].Expression()
		}
		for completion, want := range map[string]train.Reward{
			"x\n</think>\n<answer>" + answer + "</answer><|end|>": {Accuracy: 2, Format: 0.5},
			"x\n</think><answer>" + answer + "</answer><|end|>":   {Accuracy: 2},
			"x\n</think>\n<answer>none</answer><|end|>":           {Format: 0.5},
			answer: {},
		} {
			if got := set.Grade(&set.Rendered[0], nil, completion); got.Accuracy != want.Accuracy || got.Format != want.Format || got.Total() != want.Accuracy+want.Format {
				t.Errorf("%s: %q earns %+v, want %+v", name, completion, got, want)
			}
		}
	}
}
