package main

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/tokenizer"
)

// exitCase is a command line that succeeds, and the status with which it ends when it was stopped before it began. Statuses 1 and 2 are
// in failures, with a line for every command.
type exitCase struct {
	line    string
	stopped int
}

// exits has every command. What answers at once from the disk is not stopped: it is done. A server that is stopped has done its work.
var exits = map[string]exitCase{
	"sft":          {"sft {recipe} --run {new}", exitStopped},
	"grpo":         {"grpo --run {new} --set model.path={model} --set steps=1 --set task.problems=4 --set rollout.problems=2 --set rollout.group=2 --set rollout.max_new_tokens=4", exitStopped},
	"distill":      {"distill --run {new} --set teacher.path={model} --set method=on_policy --set task.problems=4 --set held_out=4 --set on_policy.steps=1 --set on_policy.rollout.problems=2 --set on_policy.rollout.group=2 --set on_policy.rollout.max_new_tokens=4", exitStopped},
	"lab":          {"", exitStopped}, // its own tests run it whole
	"run":          {"run --max-tokens 4 Use_1,_2,_3_to_make_6.", exitStopped},
	"generate":     {"generate --model {model} --max-tokens 4 1+2", exitStopped},
	"serve":        {"", exitDone}, // its own tests start it
	"score":        {"score {model} 1+2=3", exitDone},
	"grade":        {"grade --why 1/2 0.5", exitDone},
	"eval run":     {"eval run --task countdown-3 --limit 1 --samples 1 --max-tokens 4 --run {new}", exitStopped},
	"eval report":  {"eval report {eval} -o {new}", exitDone},
	"eval compare": {"eval compare {eval} {eval}", exitDone},
	"eval regrade": {"eval regrade {eval}", exitDone},
	"bench":        {"bench {model} --prefill 4 --depth 0 --samples 1 --tokens 2 --repeat 1", exitStopped},
	"bench-data":   {"bench-data", exitDone},
	"runs ls":      {"runs ls --root {runs}", exitDone},
	"runs show":    {"runs show --root {runs} warm", exitDone},
	"runs compare": {"runs compare --root {runs} warm warm", exitDone},
	"runs export":  {"runs export --root {runs} warm", exitDone},
	"tokenize":     {"tokenize --vocab lab 1+2", exitDone},
	"template":     {`template --file {template} {"messages":[]}`, exitDone},
	"pull":         {"", exitStopped}, // its own tests have a hub
	"models ls":    {"models ls", exitDone},
	"models rm":    {"", exitUsage}, // its own tests have a store
	"models prune": {"models prune", exitDone},
	"pack":         {"", exitUsage}, // its own tests have a quantised model
	"show":         {"show {model}", exitDone},
	"inspect":      {"inspect {model}", exitDone},
	"convert":      {"convert {model} {new}.gguf", exitDone},
	"quantize":     {"quantize {model} --type Q8_0 --dry-run", exitDone},
	"perplexity":   {"perplexity {model} {text} --context 8", exitStopped},
	"synth":        {"", exitUsage},   // its own tests write one
	"doctor":       {"", exitStopped}, // its own tests have a machine
	"explain":      {"explain disk-full", exitDone},
	"config":       {"config serve", exitDone},
	"completion":   {"completion zsh", exitDone},
	"version":      {"version", exitDone},
}

// stoppedLines are what is stopped where the line that succeeds would not do.
var stoppedLines = map[string]string{
	"lab": "lab --quick --dir {new}", "serve": "serve --listen 127.0.0.1:0", "pull": "pull hf:org/none", "models rm": "models rm none", "pack": "pack none", "synth": "synth --shape none", "doctor": "doctor",
	"score": "score {model} 1+2=3",
}

func TestExitStatusOfEveryCommand(t *testing.T) {
	needTiny(t)
	emptyStores(t)
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:9") // nothing answers there
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, tokenizerFile)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	makeRun(t, filepath.Join(dir, "runs"), "warm", 8, `{}`)
	writeFile(t, filepath.Join(dir, "text"), "1+2=3 3+3=6 4+4=8 5+5=10 6+6=12\n")
	writeFile(t, filepath.Join(dir, "x.jinja"), "{{ messages|length }}")
	evaluated := filepath.Join(dir, "eval")
	if status, _, stderr := retort(t, t.Context(), "eval", "--task", "countdown-3", "--limit", "2", "--samples", "2", "--max-tokens", "8", "--run", evaluated); status != exitDone {
		t.Fatal(stderr)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for name := range leaves(t) {
		c, ok := exits[name]
		if !ok {
			t.Errorf("%s: its exit status is not tested", name)
			continue
		}
		replace := func(line string) (arguments []string) {
			names := strings.NewReplacer("{recipe}", smallRecipe(t, sftData(t)), "{new}", filepath.Join(t.TempDir(), "new"), "{model}", top, "{text}", filepath.Join(dir, "text"),
				"{template}", filepath.Join(dir, "x.jinja"), "{runs}", filepath.Join(dir, "runs"), "{eval}", evaluated)
			for _, word := range strings.Fields(line) {
				if strings.HasPrefix(word, "Use_") {
					word = strings.ReplaceAll(word, "_", " ")
				}
				arguments = append(arguments, names.Replace(word))
			}
			return arguments
		}
		if c.line != "" {
			if status, _, stderr := retort(t, t.Context(), replace(c.line)...); status != exitDone {
				t.Errorf("%s: status %d, want 0: %s", c.line, status, stderr)
			}
		}
		line := c.line
		if other := stoppedLines[name]; other != "" {
			line = other
		}
		status, out, stderr := retort(t, stopped, append(replace(line), "--json")...)
		if status != c.stopped {
			t.Errorf("%s, stopped: status %d, want %d: %s", line, status, c.stopped, stderr)
		}
		if status == exitStopped && (!strings.HasSuffix(out, `{"event":"error","error":"stopped","code":"`+explain.Stopped+`","status":130}`+"\n") || !strings.HasSuffix(stderr, "retort: stopped\n")) {
			t.Errorf("%s, stopped: %q %q", line, out, stderr)
		}
	}
	for name := range exits {
		if _, ok := leaves(t)[name]; !ok {
			t.Errorf("there is no command %s", name)
		}
	}
	if want := []int{0, 1, 2, 130}; !slices.Equal([]int{exitDone, exitFailed, exitUsage, exitStopped}, want) {
		t.Errorf("the statuses are not %v", want)
	}
}

// smallDisk takes so many bytes and no more.
type smallDisk struct{ room int }

func (d *smallDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

// A result that could not be written, the first part or a later one, is a failure with its code: no command ends with 0 over half a file.
func TestResultsLost(t *testing.T) {
	for _, line := range []string{"version", "--help", "run --help", "explain memory", "config", "tokenize --vocab lab hi", "grade --why 1 2", "completion bash", "run x", "version --json"} {
		for _, room := range []int{0, 2} {
			var notes bytes.Buffer
			status := run(t.Context(), strings.Fields(line), streams{strings.NewReader(""), &smallDisk{room}, &notes})
			if text := notes.String(); status != exitFailed || strings.Count(text, "no space left on device") != 1 || !strings.HasSuffix(text, "[disk-full]\n") {
				t.Errorf("%s with room for %d bytes: status %d: %s", line, room, status, text)
			}
		}
	}
}

// A value of a wrong type in a line of JSON is told in JSON's words.
func TestWrongTypes(t *testing.T) {
	top := saveTalker(t)
	for _, c := range []struct{ arguments, line, want string }{
		{"tokenize --vocab lab --jsonl", `{"text":5}`, `line 1: "text": got a number, want a text [bad-input]`},
		{"tokenize --vocab lab --jsonl", `[1]`, `line 1: got a list, want an object [bad-input]`},
		{"score --jsonl " + top, `{"ids":"x"}`, `line 1: "ids": got a text, want a list [bad-input]`},
		{"score --jsonl " + top, `{"ids":[1.5]}`, `line 1: "ids": got 1.5, want a whole number [bad-input]`},
		{"grade -", `{"gold":5}`, `line 1: "gold": got a number, want a text [bad-input]`},
		{"grade -", `{"gold":"1","pred":"1","expected":"right"}`, `line 1: "expected": got a text, want true or false [bad-input]`},
	} {
		var out, notes bytes.Buffer
		if status := run(t.Context(), strings.Fields(c.arguments), streams{strings.NewReader(c.line), &out, &notes}); status != exitFailed || !strings.HasSuffix(notes.String(), c.want+"\n") {
			t.Errorf("%s %s: status %d: %swant %s", c.arguments, c.line, status, notes.String(), c.want)
		}
	}
}
