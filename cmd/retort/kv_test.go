package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
)

// saveKVModels writes a small model as a folder, and as a file whose matrices are quantised, with the lab's tokenizer in the folder of each.
func saveKVModels(t *testing.T) (floats, quantised string) {
	t.Helper()
	c := smallConfig()
	c.Width, c.Heads, c.KVHeads, c.HeadSize, c.FFN = 32, 2, 1, 16, 64 // whole blocks of Q4_0
	m, err := model.New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	floats, quantised = filepath.Join(top, "floats"), filepath.Join(top, "quantised", "m.gguf")
	if err := os.MkdirAll(filepath.Dir(quantised), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(floats, tensor.F32); err != nil {
		t.Fatal(err)
	}
	if err := m.SaveGGUF(quantised, tensor.Q4_0, nil); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{floats, filepath.Dir(quantised)} {
		if err := tokenizer.Lab().Save(filepath.Join(folder, "tokenizer.json")); err != nil {
			t.Fatal(err)
		}
	}
	return floats, quantised
}

// Every format of keys and values gives its own bits in generate; without --kv they are those of f16 where weights are quantised, else of f32.
func TestGenerateKV(t *testing.T) {
	floats, quantised := saveKVModels(t)
	for path, standard := range map[string]string{floats: "f32", quantised: "f16"} {
		generate := func(arguments ...string) []sampleEvent {
			t.Helper()
			status, out, stderr := retort(t, t.Context(), append([]string{"generate", "--json", "--model", path, "--tokenizer", "lab", "--max-tokens", "20", "--seed", "3", "Use 3, 7, 11 to make 32."}, arguments...)...)
			if status != exitDone {
				t.Fatalf("%s %q: status %d: %s", path, arguments, status, stderr)
			}
			return events[sampleEvent](t, out, "sample")
		}
		byFormat := map[string][]sampleEvent{}
		for _, kv := range []string{"f32", "bf16", "f16"} {
			got := generate("--kv", kv)
			for other, x := range byFormat {
				if reflect.DeepEqual(got, x) {
					t.Errorf("%s: %s gives the bits of %s", path, kv, other)
				}
			}
			byFormat[kv] = got
		}
		if !reflect.DeepEqual(generate(), byFormat[standard]) {
			t.Errorf("%s: without --kv it does not give the bits of %s", path, standard)
		}
	}
}

// run takes every format.
func TestRunKV(t *testing.T) {
	floats, quantised := saveKVModels(t)
	for _, path := range []string{floats, quantised} {
		for _, kv := range []string{"f32", "bf16", "f16"} {
			status, out, stderr := retort(t, t.Context(), "run", "--json", "--model", path, "--tokenizer", "lab", "--kv", kv, "--max-tokens", "5", "--seed", "3", "Use 3, 7, 11 to make 32.")
			if replies := events[reply](t, out, "reply"); status != exitDone || len(replies) != 1 || replies[0].Usage.Reply != 5 {
				t.Errorf("%s --kv %s: status %d, %s%s", path, kv, status, out, stderr)
			}
		}
	}
}

// serve takes every format, and its fingerprint tells them apart.
func TestServeKV(t *testing.T) {
	needTiny(t)
	seen := map[string]string{}
	for _, kv := range []string{"f32", "bf16", "f16"} {
		url, stop := startServe(t, "--kv", kv)
		status, v := askServer(t, url+"/v1/chat/completions", "", `{"messages":[{"role":"user","content":"Use 3, 7, 11 to make 32."}],"max_tokens":4,"seed":1}`)
		mark, _ := v["system_fingerprint"].(string)
		if other, twice := seen[mark]; status != 200 || mark == "" || twice {
			t.Errorf("--kv %s: status %d, fingerprint %q, that of %q", kv, status, mark, other)
		}
		seen[mark] = kv
		if status := stop(); status != exitDone {
			t.Errorf("status %d", status)
		}
	}
}

// eval takes every format and keeps it with the run: it is a part of what was measured.
func TestEvalKV(t *testing.T) {
	needTiny(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for _, kv := range []string{"", "f32", "bf16", "f16"} {
		run := filepath.Join(dir, "run-"+kv)
		arguments := []string{"--task", "countdown-3", "--limit", "2", "--samples", "1", "--max-tokens", "20", "--run", run}
		want := "f32"
		if kv != "" {
			arguments, want = append(arguments, "--kv", kv), kv
		}
		evalRun(t, arguments...)
		var stored struct {
			Config struct {
				KV string `json:"kv"`
			} `json:"config"`
		}
		if text, err := os.ReadFile(filepath.Join(run, "run.json")); err != nil {
			t.Fatal(err)
		} else if err := json.Unmarshal(text, &stored); err != nil || stored.Config.KV != want {
			t.Errorf("--kv %q: the run has %q (%v), want %q", kv, stored.Config.KV, err, want)
		}
	}
}

// A format that there is not is one line that names those that there are; what trains has no choice, since training computes with float32.
func TestWrongKV(t *testing.T) {
	for _, command := range []string{"run", "generate", "serve", "eval"} {
		status, _, stderr := retort(t, t.Context(), command, "--kv", "f8")
		if status != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--kv") || !strings.Contains(stderr, `"f8"`) || !strings.Contains(stderr, `"f32","bf16","f16"`) {
			t.Errorf("%s: status %d, %q", command, status, stderr)
		}
	}
	for _, command := range []string{"sft", "grpo", "distill", "lab"} {
		if status, _, stderr := retort(t, t.Context(), command, "--kv", "f16"); status != exitUsage || !strings.Contains(stderr, "unknown flag --kv") {
			t.Errorf("%s: status %d, %q", command, status, stderr)
		}
	}
}
