package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/runstore"
)

// sftData writes examples of all three shapes and returns their file.
func sftData(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	for i := range 8 {
		fmt.Fprintf(&lines, "{\"prompt\": \"%d plus 1 is \", \"completion\": \"%d\"}\n", i, i+1)
	}
	lines.WriteString(`{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}` + "\n" + `{"text": "the end"}` + "\n")
	path := filepath.Join(t.TempDir(), "set.jsonl")
	writeFile(t, path, lines.String())
	return path
}

// smallRecipe is a recipe of a run that takes a moment.
func smallRecipe(t *testing.T, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recipe.yaml")
	writeFile(t, path, fmt.Sprintf(`# a small run
model: {width: 32, layers: 1, heads: 2, kv_heads: 1, head_size: 16, ffn: 48, max_positions: 64, seed: 3}
data: {path: %q}
steps: 6
batch_size: 4
shuffle: true
optimizer: {learning_rate: 1e-2}
checkpoint: {every_steps: 2}
`, data))
	return path
}

// cancelAt is a standard output that cancels once a text has been written to it.
type cancelAt struct {
	bytes.Buffer
	text   string
	cancel func()
}

func (c *cancelAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestSFTResumedEqualsUninterrupted(t *testing.T) {
	recipe := smallRecipe(t, sftData(t))
	root := t.TempDir()
	whole, cut := filepath.Join(root, "whole"), filepath.Join(root, "cut")
	if status, out, stderr := retort(t, t.Context(), "sft", recipe, "--run", whole, "--threads", "2"); status != exitDone || !strings.Contains(out, "6 steps, model in") {
		t.Fatalf("status %d %q: %s", status, out, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := &cancelAt{text: `"step":3,`, cancel: cancel}
	var stderr bytes.Buffer
	if status := run(ctx, []string{"sft", recipe, "--run", cut, "--json", "--threads", "1"}, streams{nil, out, &stderr}); status != exitStopped {
		t.Fatalf("status %d, want %d: %s", status, exitStopped, stderr.String())
	}
	if !strings.Contains(out.String(), `"status":"stopped","step":3}`) {
		t.Errorf("no end event of step 3 in %s", out.String())
	}
	if isFile(filepath.Join(cut, "model", "config.json")) {
		t.Error("a stopped run has a finished model")
	}
	if status, _, stderr := retort(t, t.Context(), "sft", "--resume", cut, "--threads", "2"); status != exitDone {
		t.Fatalf("resume: status %d: %s", status, stderr)
	}
	for _, name := range []string{"model/model.safetensors", "model/config.json", "model/tokenizer.json", "metrics.jsonl", "checkpoints/step-00000006/optimizer.safetensors"} {
		a, errA := os.ReadFile(filepath.Join(whole, name))
		b, errB := os.ReadFile(filepath.Join(cut, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between the whole run and the resumed one (%v, %v)", name, errA, errB)
		}
	}
	// The model opens, and continues text.
	if status, _, stderr := retort(t, t.Context(), "generate", "--model", cut, "--max-tokens", "3", "1 plus 1 is "); status != exitDone {
		t.Errorf("generate: status %d: %s", status, stderr)
	}
	// Another run begins from it.
	if status, _, stderr := retort(t, t.Context(), "sft", "--set", "model.path="+cut, "--set", "data.path="+sftData(t), "--set", "steps=1", "--run", filepath.Join(root, "next")); status != exitDone {
		t.Errorf("from a run: status %d: %s", status, stderr)
	}
}

func TestSFTRefuses(t *testing.T) {
	data := sftData(t)
	recipe := smallRecipe(t, data)
	root := t.TempDir()
	small := saveSmall(t, ".")
	done := filepath.Join(root, "done")
	makeRun(t, root, "other", 1, `{"data":{"path":"`+filepath.ToSlash(data)+`"}}`)
	grpo, err := runstore.Create(filepath.Join(root, "grpo"), runstore.Manifest{Kind: "grpo"})
	if err != nil || grpo.Close() != nil {
		t.Fatal(err)
	}
	if status, _, stderr := retort(t, t.Context(), "sft", recipe, "--run", done); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	bad := filepath.Join(root, "bad.yaml")
	writeFile(t, bad, "data: {path: x}\noptimiser: {}\n")
	for _, c := range []struct {
		arguments []string
		status    int
		want      string
	}{
		{[]string{bad}, exitUsage, bad + `:2: unknown key "optimiser"; did you mean "optimizer"?`},
		{[]string{filepath.Join(root, "absent.yaml")}, exitUsage, "no such file"},
		{[]string{recipe, "--set", "step=3"}, exitUsage, `--set: unknown key "step"; did you mean "steps"?`},
		{[]string{recipe, "--set", "steps=many"}, exitUsage, `--set steps: got "many", want a whole number`},
		{[]string{recipe, "--set", "batch_size=-1"}, exitUsage, "batch_size: got -1"},
		{[]string{recipe, "--set", "model.head=both"}, exitUsage, `model.head: got "both", want tied or own`},
		{[]string{recipe, "--set", "model.path=" + small, "--set", "tokenizer=lab"}, exitUsage, "model.layers: got 1, the model has 2"},
		{[]string{"--set", "data.path=" + data, "--set", "model.path=" + small}, exitUsage, "has no tokenizer.json; try: --set tokenizer=lab"},
		{[]string{}, exitUsage, "data.path is not set; try: --set data.path=FILE"},
		{[]string{recipe, "--set", "data.path=" + data + "x"}, exitFailed, "no such file"},
		{[]string{recipe, "--set", "model.max_positions=8"}, exitFailed, "set.jsonl:1: 14 tokens, the model reads at most 9; try: --set data.drop_longer=9"},
		{[]string{recipe, "--set", "data.drop_longer=5"}, exitFailed, "all 10 examples are longer than 5 tokens"},
		{[]string{recipe, "--run", done}, exitFailed, "already holds a run; try: --resume " + done},
		{[]string{recipe, "--resume", done}, exitUsage, "--resume takes the run's own recipe"},
		{[]string{"--resume", filepath.Join(root, "other")}, exitFailed, `runstore: build: got`},
		{[]string{"--resume", filepath.Join(root, "grpo")}, exitFailed, "grpo is a run of grpo; try: retort grpo --resume"},
		{[]string{"--resume", root}, exitFailed, "try: a run's folder"},
		{[]string{recipe, "--threads=-1"}, exitUsage, "--threads: got -1"},
	} {
		status, _, stderr := retort(t, t.Context(), append([]string{"sft"}, c.arguments...)...)
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d %q, want %d %q", c.arguments, status, stderr, c.status, c.want)
		}
	}
}

// The keys of a recipe can be seen by one who has set none of them yet.
func TestPrintRecipeOfNothing(t *testing.T) {
	for command, want := range map[string][2]string{
		"sft": {"data.path is not set", "learning_rate: 0.0001"}, "grpo": {"model.path is not set", "group: 16"}, "distill": {"teacher.path is not set", "samples: 4"},
	} {
		if status, out, stderr := retort(t, t.Context(), command, "--print-recipe"); status != exitDone || !strings.Contains(stderr, want[0]) || !strings.Contains(out, want[1]) {
			t.Errorf("%s: status %d: %s%s, want %q", command, status, stderr, out, want)
		}
		if status, _, stderr := retort(t, t.Context(), command); status != exitUsage || !strings.Contains(stderr, want[0]) {
			t.Errorf("%s: status %d: %s", command, status, stderr)
		}
	}
}

func TestPrintRecipeReadsBack(t *testing.T) {
	recipe := smallRecipe(t, sftData(t))
	status, first, stderr := retort(t, t.Context(), "sft", recipe, "--print-recipe", "--set", "optimizer.learning_rate=3e-5")
	if status != exitDone || !strings.Contains(first, "learning_rate: 3e-05\n") || !strings.Contains(first, "kv_heads: 1 ") {
		t.Fatalf("status %d %q: %s", status, first, stderr)
	}
	printed := filepath.Join(t.TempDir(), "printed.yaml")
	writeFile(t, printed, first)
	if status, second, stderr := retort(t, t.Context(), "sft", printed, "--print-recipe"); status != exitDone || second != first {
		t.Errorf("status %d: %s\ngot\n%s\nwant\n%s", status, stderr, second, first)
	}
}
