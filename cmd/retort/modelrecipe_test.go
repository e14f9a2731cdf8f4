package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
)

// TestTrainingOpensEveryForm: a GGUF file, which brings its own tokenizer, and a safetensors file beside its config train as
// the folder does that they were made from, to the same bits.
func TestTrainingOpensEveryForm(t *testing.T) {
	top, root := saveSmall(t, "."), t.TempDir()
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	gguf := filepath.Join(root, "small.gguf")
	if status, _, stderr := retort(t, t.Context(), "convert", top, gguf); status != exitDone {
		t.Fatalf("convert: status %d: %s", status, stderr)
	}
	data := filepath.Join(root, "set.jsonl")
	writeFile(t, data, `{"prompt": "Use 1, 2", "completion": "1+2=3 ok"}`+"\n")
	trained := map[string][]byte{}
	for i, path := range []string{top, gguf, filepath.Join(top, "model.safetensors")} {
		run := filepath.Join(root, string(rune('a'+i)))
		if status, _, stderr := retort(t, t.Context(), "sft", "--run", run, "--set", "model.path="+path, "--set", "data.path="+data, "--set", "steps=2"); status != exitDone {
			t.Fatalf("sft from %s: status %d: %s", path, status, stderr)
		}
		values, err := os.ReadFile(filepath.Join(run, "model", "model.safetensors"))
		if err != nil || !isFile(filepath.Join(run, "model", "tokenizer.json")) {
			t.Fatalf("sft from %s: %v, or no tokenizer", path, err)
		}
		trained[path] = values
		if !bytes.Equal(values, trained[top]) {
			t.Errorf("sft from %s: other weights than from the folder", path)
		}
		for _, arguments := range [][]string{
			{"grpo", "--set", "model.path=" + path, "--set", "task.problems=4", "--set", "rollout.problems=2", "--set", "rollout.max_new_tokens=8", "--set", "steps=1"},
			{"distill", "--set", "teacher.path=" + path, "--set", "model.path=" + top, "--set", "method=on_policy", "--set", "task.problems=4",
				"--set", "on_policy.rollout.problems=2", "--set", "on_policy.rollout.max_new_tokens=8", "--set", "on_policy.steps=1"},
			{"distill", "--set", "teacher.path=" + top, "--set", "model.path=" + path, "--set", "method=on_policy", "--set", "task.problems=4",
				"--set", "on_policy.rollout.problems=2", "--set", "on_policy.rollout.max_new_tokens=8", "--set", "on_policy.steps=1"},
		} {
			arguments = append(arguments, "--run", filepath.Join(t.TempDir(), "run"))
			if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
				t.Errorf("%q: status %d: %s", arguments, status, stderr)
			}
		}
	}
}

// TestSameTokens: what another vocabulary says of the same ids is noticed, whatever file it stands in.
func TestSameTokens(t *testing.T) {
	top, root := saveSmall(t, "."), t.TempDir()
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	other := saveSmall(t, ".")
	var added []tokenizer.Added
	for i := range tokenizer.Lab().Size() - 256 {
		added = append(added, tokenizer.Added{Text: "<" + strings.Repeat("x", i+1) + ">"})
	}
	vocabulary, err := tokenizer.New(added)
	if err != nil || vocabulary.Save(filepath.Join(other, "tokenizer.json")) != nil {
		t.Fatal(err)
	}
	gguf := filepath.Join(root, "other.gguf")
	if status, _, stderr := retort(t, t.Context(), "convert", other, gguf); status != exitDone {
		t.Fatalf("convert: status %d: %s", status, stderr)
	}
	for _, path := range []string{other, gguf} {
		status, _, stderr := retort(t, t.Context(), "distill", "--run", filepath.Join(root, "run"), "--set", "teacher.path="+top, "--set", "model.path="+path, "--set", "task.problems=4", "--set", "held_out=4")
		if status != exitFailed || !strings.Contains(stderr, "is not the vocabulary of the teacher") {
			t.Errorf("%s: status %d: %s", path, status, stderr)
		}
	}
}

// TestComputeOfARun: a run that computes in BF16 says so in its recipe and its checkpoint, samples and trains to the same
// log-probabilities, and goes on after a stop to the same bits.
func TestComputeOfARun(t *testing.T) {
	root := t.TempDir()
	whole, cut, plain := filepath.Join(root, "whole"), filepath.Join(root, "cut"), filepath.Join(root, "plain")
	arguments := append(smallGRPO(t, whole), "--set", "model.compute=bf16")
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	record, err := runstore.Read(whole)
	if err != nil || !bytes.Contains(record.Manifest.Config, []byte(`"compute":"bf16"`)) {
		t.Fatalf("config %s, %v", record.Manifest.Config, err)
	}
	if gap, _, ok := record.Last(train.MetricLogProbGap); !ok || gap != 0 {
		t.Errorf("log-probability gap %v, %v", gap, ok)
	}
	arguments[2] = cut
	ctx, cancel := context.WithCancel(t.Context())
	out := &cancelAt{text: `"step":2,`, cancel: cancel}
	if status := run(ctx, append(arguments, "--json"), streams{nil, out, &bytes.Buffer{}}); status != exitStopped {
		t.Fatalf("status %d, want %d", status, exitStopped)
	}
	if status, _, stderr := retort(t, t.Context(), "grpo", "--resume", cut); status != exitDone {
		t.Fatalf("resume: status %d: %s", status, stderr)
	}
	arguments[2] = plain
	if status, _, stderr := retort(t, t.Context(), arguments[:len(arguments)-2]...); status != exitDone {
		t.Fatalf("f32: status %d: %s", status, stderr)
	}
	for _, name := range []string{"model/model.safetensors", "metrics.jsonl"} {
		var texts [3][]byte
		for i, folder := range []string{whole, cut, plain} {
			if texts[i], err = os.ReadFile(filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(texts[0], texts[1]) {
			t.Errorf("%s differs between the whole run and the resumed one", name)
		}
		if name == "metrics.jsonl" && bytes.Equal(texts[0], texts[2]) { // a random model earns nothing, so that its weights stay
			t.Errorf("%s is the same with bf16 and f32", name)
		}
	}
	if status, _, stderr := retort(t, t.Context(), append(smallGRPO(t, filepath.Join(root, "x")), "--set", "model.compute=f16")...); status != exitUsage || !strings.Contains(stderr, `model.compute: got "f16", want f32 or bf16`) {
		t.Errorf("f16: status %d: %s", status, stderr)
	}
}

// TestComputeFlag: run, generate and score reckon as they are told.
func TestComputeFlag(t *testing.T) {
	top := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(top, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"score", "--json", top, "Use 3, 7, 11"}, {"generate", "--json", "--model", top, "--max-tokens", "4", "Use 3"},
	} {
		var numbers []string
		for _, flag := range []string{"--compute=f32", "--compute=bf16", "--threads=1"} {
			status, out, stderr := retort(t, t.Context(), append(command, flag)...)
			if status != exitDone {
				t.Fatalf("%q %s: status %d: %s", command, flag, status, stderr)
			}
			for line := range strings.Lines(out) {
				var e struct {
					LogProbs json.RawMessage `json:"logprobs"`
				}
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatal(err)
				}
				if e.LogProbs != nil {
					numbers = append(numbers, string(e.LogProbs))
				}
			}
		}
		if len(numbers) != 3 || numbers[0] == numbers[1] || numbers[0] != numbers[2] {
			t.Errorf("%q: f32, bf16 and the default gave %q", command, numbers)
		}
	}
	if status, _, stderr := retort(t, t.Context(), "run", "--model", top, "--compute", "bf16", "--max-tokens", "3", "Use 1, 2, 3 to make 6."); status != exitDone {
		t.Errorf("run: status %d: %s", status, stderr)
	}
	// A score is of widened weights unless it is asked otherwise; what is generated is of the file's own.
	file := filepath.Join(t.TempDir(), "model.gguf")
	if status, _, stderr := retort(t, t.Context(), "convert", top, file, "--type", "Q8_0"); status != exitDone {
		t.Fatalf("convert: status %d: %s", status, stderr)
	}
	score := func(flags ...string) string {
		status, out, stderr := retort(t, t.Context(), append([]string{"score", file, "Use 3, 7, 11", "--tokenizer", "lab"}, flags...)...)
		if status != exitDone {
			t.Fatalf("score %q: status %d: %s", flags, status, stderr)
		}
		return out
	}
	if plain := score(); plain != score("--compute=f32") || plain == score("--compute=file") {
		t.Errorf("score of a quantised file: %s, with f32 %s, with the file's weights %s", plain, score("--compute=f32"), score("--compute=file"))
	}
	if status, _, stderr := retort(t, t.Context(), "run", "--compute", "f16", "x"); status != exitUsage || !strings.Contains(stderr, `"file","f32","bf16" but got "f16"`) {
		t.Errorf("f16: status %d: %s", status, stderr)
	}
}

// TestFitsTraining: a shape that cannot be trained here is refused before anything is allocated.
func TestFitsTraining(t *testing.T) {
	shape := model.Config{VocabSize: 64, Width: 1 << 20, Layers: 3, Heads: 4, KVHeads: 2, HeadSize: 24, FFN: 256}
	need := int64(shape.NumParameters()) * 16
	if err := fitsTraining(shape, need-1); err == nil || !strings.Contains(err.Error(), "model.width") || !strings.Contains(err.Error(), "GiB") {
		t.Errorf("a byte too few: %v", err)
	}
	for _, free := range []int64{need, 0} {
		if err := fitsTraining(shape, free); err != nil {
			t.Errorf("%d bytes are free: %v", free, err)
		}
	}
}

// TestSaveTextKeepsAddBOS: a model that wants no BOS before its texts wants none after training either.
func TestSaveTextKeepsAddBOS(t *testing.T) {
	no := false
	for _, want := range []*bool{nil, &no} {
		dir := t.TempDir()
		if err := saveText(dir, tokenizer.Lab(), &chat.Config{BOS: "<|user|>", AddBOS: want}); err != nil {
			t.Fatal(err)
		}
		got, err := chat.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(boolsOf(got.AddBOS), boolsOf(want)) {
			t.Errorf("add_bos_token %v, want %v", boolsOf(got.AddBOS), boolsOf(want))
		}
	}
}

func boolsOf(b *bool) []bool {
	if b == nil {
		return nil
	}
	return []bool{*b}
}
