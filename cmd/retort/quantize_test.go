package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuantizeAndPerplexity quantises a small model from a folder, and measures how far it is from the original.
func TestQuantizeAndPerplexity(t *testing.T) {
	dir := t.TempDir()
	words := filepath.Join(dir, "words")
	saveWords(t, words)
	model := filepath.Join(saveSmall(t, "model"), "model")
	for _, name := range []string{tokenizerFile, "tokenizer_config.json"} {
		if err := os.Rename(filepath.Join(words, name), filepath.Join(model, name)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(wantStatus int, wantOut, wantErr string, arguments ...string) string {
		t.Helper()
		status, out, stderr := retort(t, t.Context(), arguments...)
		if status != wantStatus || !strings.Contains(out, wantOut) || !strings.Contains(stderr, wantErr) {
			t.Errorf("%q: status %d, want %d; out %q, want %q; err %q, want %q", arguments, status, wantStatus, out, wantOut, stderr, wantErr)
		}
		if wantStatus != exitDone && strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: the error is not one line: %q", arguments, stderr)
		}
		return out
	}
	file, text := filepath.Join(dir, "q.gguf"), filepath.Join(dir, "text.txt")
	writeFile(t, text, strings.Repeat("the quick brown fox jumps over the lazy dog. ", 20))
	check(exitDone, "would become", "", "quantize", model, "--type", "q4_k_m", "--dry-run")
	check(exitDone, "Q8_0", "", "quantize", model, file, "--type", "q8_0")
	check(exitUsage, "", "--type: got", "quantize", model, file, "--type", "Q9")
	check(exitUsage, "", "ends in .gguf", "quantize", model, filepath.Join(dir, "x"), "--type", "Q8_0")
	check(exitFailed, "", "is Q8_0 already", "quantize", file, filepath.Join(dir, "y.gguf"), "--type", "Q4_0")
	check(exitDone, "", "", "quantize", file, filepath.Join(dir, "y.gguf"), "--type", "Q4_0", "--allow-requantize")
	check(exitFailed, "", "importance", "quantize", model, filepath.Join(dir, "z.gguf"), "--type", "Q4_0", "--imatrix", text)
	check(exitFailed, "", "no such file", "quantize", model, filepath.Join(dir, "z.gguf"), "--type", "Q4_0", "--imatrix", filepath.Join(dir, "absent"))
	measure := func(arguments ...string) perplexityEvent {
		t.Helper()
		var e perplexityEvent
		out := check(exitDone, "perplexity", "", append([]string{"perplexity", "--json", "--context", "64"}, arguments...)...)
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	original := measure(model, text)
	if original.Tokens != original.Chunks*31 || original.Chunks < 5 || math.Abs(original.Perplexity-math.Exp(original.NLL)) > 1e-9 || original.KL != nil {
		t.Errorf("%+v", original)
	}
	far, near := measure(filepath.Join(dir, "y.gguf"), text, "--against", model), measure(file, text, "--against", model)
	if near.KL == nil || far.KL == nil || !(near.KL.Mean < far.KL.Mean) || far.KL.Max < far.KL.P99 || near.Perplexity == original.Perplexity {
		t.Errorf("Q8_0 %+v, Q4_0 %+v", near.KL, far.KL)
	}
	if few := measure(model, text, "--chunks", "2", "--skip", "0", "--stride", "10"); few.Chunks != 2 || few.Tokens != 126 {
		t.Errorf("%+v", few)
	}
	if kept := measure(file, text, "--against", model, "--compute", "file"); kept.KL == nil || kept.KL.Mean == near.KL.Mean || !(kept.KL.Mean < 10*near.KL.Mean+1e-3) {
		t.Errorf("with 8-bit inputs %+v, without %+v", kept.KL, near.KL)
	}
	check(exitDone, "windows", "", "perplexity", model, text)
	check(exitUsage, "", "the model has at most 128 positions", "perplexity", model, text, "--context", "129")
	writeFile(t, text, "too short")
	check(exitFailed, "", "the text has 9 tokens, want at least 128", "perplexity", model, text)
}

// TestSynthMix makes a published shape with the formats of a mix.
func TestSynthMix(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "m.gguf")
	arguments := []string{"synth", "--shape", "qwen2.5-0.5b", "--layers", "1", "--type"}
	if status, _, stderr := retort(t, t.Context(), append(arguments, "Q9_K_M", file)...); status != exitUsage || !strings.Contains(stderr, "Q9_K_M") {
		t.Errorf("status %d, %s", status, stderr)
	}
	if status, _, stderr := retort(t, t.Context(), append(arguments, "q4_k_m", filepath.Join(dir, "folder"))...); status != exitUsage || !strings.Contains(stderr, "safetensors cannot hold Q4_K_M") {
		t.Errorf("status %d, %s", status, stderr)
	}
	if status, out, stderr := retort(t, t.Context(), "synth", "--shape", "llama-3.2-1b", "--layers", "99999", "--type", "Q4_K_M", file); status != exitUsage {
		t.Errorf("status %d, %s %s", status, out, stderr)
	}
}

// TestBadModels opens files that are none, with every command that opens models: one line, no panic.
func TestBadModels(t *testing.T) {
	dir := t.TempDir()
	good, err := os.ReadFile(smallGGUF(t))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, bytes ...byte) string {
		data := append([]byte(nil), good...)
		copy(data[at:], bytes)
		return string(data)
	}
	full := []byte{255, 255, 255, 255, 255, 255, 255, 127}
	shape := strings.Replace(string(good), "qwen2.block_count\x04\x00\x00\x00\x02", "qwen2.block_count\x04\x00\x00\x00\x03", 1)
	head := strings.Replace(string(good), "qwen2.embedding_length\x04\x00\x00\x00\x20", "qwen2.embedding_length\x04\x00\x00\x00\x40", 1)
	huge := strings.Replace(string(good), "qwen2.block_count\x04\x00\x00\x00\x02\x00\x00\x00", "qwen2.block_count\x04\x00\x00\x00\xff\xff\xff\x00", 1)
	other := strings.Replace(string(good), "qwen2", "gpt99", -1)
	for name, text := range map[string]string{"shape": shape, "head": head, "huge": huge, "other": other} {
		if text == string(good) {
			t.Fatalf("%s: the file has no such place", name)
		}
	}
	for name, text := range map[string]string{
		"empty.gguf": "", "magic.gguf": "GGUF", "cut.gguf": string(good[:len(good)-100]), "half.gguf": string(good[:200]), "text.gguf": "hello, world",
		"version.gguf": changed(4, 9), "tensors.gguf": changed(8, full...), "pairs.gguf": changed(16, full...), "key.gguf": changed(24, full...),
		"shape.gguf": shape, "head.gguf": head, "huge.gguf": huge, "other.gguf": other,
		"pickle.safetensors": "PK\x03\x04 and so on", "cut.safetensors": "\xff\xff\xff\xff\xff\xff\xff\x7f{}",
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		for _, arguments := range [][]string{
			{"show", path}, {"score", path, "the the"}, {"generate", "--model", path, "the"}, {"run", "--model", path, "the"},
			{"quantize", path, filepath.Join(dir, "out.gguf"), "--type", "Q8_0"}, {"perplexity", path, path}, {"convert", path, filepath.Join(dir, "out")},
		} {
			status, out, stderr := retort(t, t.Context(), arguments...)
			if status != exitFailed && status != exitUsage || strings.Count(stderr, "\n") != 1 || len(stderr) > 600 {
				t.Errorf("%s %s: status %d, out %q, err %q", arguments[0], name, status, out, stderr)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "out.gguf")); err == nil {
			t.Fatalf("%s: a file was written", name)
		}
	}
	model := filepath.Join(dir, "good.gguf")
	writeFile(t, model, string(good))
	long := strings.Repeat("x ", 400)
	for _, arguments := range [][]string{
		{"score", model, long}, {"generate", "--model", model, long}, {"run", "--model", model, long},
		{"show", model, "--context", "-1"}, {"show", model, "--samples", "0"}, {"perplexity", model, model, "--context", "1000"},
	} {
		if status, out, stderr := retort(t, t.Context(), arguments...); status != exitFailed && status != exitUsage || strings.Count(stderr, "\n") != 1 || len(stderr) > 600 {
			t.Errorf("%s: status %d, out %q, err %q", fmt.Sprint(arguments)[:20], status, out, stderr)
		}
	}
}
