package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

func TestTokenize(t *testing.T) {
	folder := t.TempDir()
	if err := tokenizer.Lab().Save(filepath.Join(folder, tokenizerFile)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, tokenizerFile)
	for _, c := range []struct {
		name      string
		arguments []string
		in        string
		status    int
		out, err  string // err: a part of it
	}{
		{"text", []string{"--vocab", folder, "a<|user|>"}, "", exitDone, "97,257\n", ""},
		{"text from standard input", []string{"--vocab", file}, "ab\n", exitDone, "97,98,10\n", ""},
		{"events", []string{"--json", "--vocab", "lab", "a"}, "", exitDone, `{"event":"ids","ids":[97]}` + "\n", ""},
		{"lines", []string{"--vocab", "lab", "--jsonl"}, `{"text":"a\u00e9"}` + "\n\n" + `{"text":""}`, exitDone, "{\"ids\":[97,195,169]}\n{\"ids\":[]}\n", ""},
		{"decode", []string{"--vocab", "lab", "--decode", "97", "195,169", "257"}, "", exitDone, "aé<|user|>\n", ""},
		{"skip", []string{"--vocab", "lab", "--decode", "--skip-special", "97 257 195"}, "", exitDone, "a\uFFFD\n", ""},
		{"decode lines", []string{"--vocab", "lab", "--decode", "--jsonl"}, `{"ids":[60,10]}`, exitDone, `{"text":"\u003c\n"}` + "\n", ""},
		{"no text", []string{"--vocab", "lab", "--jsonl"}, `{"text":"a"}` + "\n" + `{"ids":[1]}`, exitFailed, "{\"ids\":[97]}\n", `line 2: no "text"`},
		{"no ids", []string{"--vocab", "lab", "--decode", "--jsonl"}, `{}`, exitFailed, "", `line 1: no "ids"`},
		{"no JSON", []string{"--vocab", "lab", "--jsonl"}, `a`, exitFailed, "", "line 1"},
		{"no id", []string{"--vocab", "lab", "--decode", "x"}, "", exitUsage, "", `"x" is no token id`},
		{"both", []string{"--vocab", "lab", "--jsonl", "x"}, "", exitUsage, "", "--jsonl"},
		{"no file", []string{"--vocab", filepath.Join(folder, "none"), "x"}, "", exitFailed, "", "none"},
	} {
		var out, stderr bytes.Buffer
		status := run(t.Context(), append([]string{"tokenize"}, c.arguments...), streams{strings.NewReader(c.in), &out, &stderr})
		if status != c.status || out.String() != c.out || !strings.Contains(stderr.String(), c.err) {
			t.Errorf("%s: status %d, %q, %q, want %d, %q, %q", c.name, status, out.String(), stderr.String(), c.status, c.out, c.err)
		}
	}
}

// The tokenizer of a GGUF gives the ids of the tokenizer.json that it was made of.
func TestTokenizeGGUF(t *testing.T) {
	v, err := tokenizer.Lab().GGUF()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "lab.gguf")
	metadata := weights.Metadata{
		{Key: "general.architecture", Value: "qwen2"},
		{Key: "tokenizer.ggml.model", Value: v.Model},
		{Key: "tokenizer.ggml.pre", Value: v.Pre},
		{Key: "tokenizer.ggml.tokens", Value: v.Tokens},
		{Key: "tokenizer.ggml.token_type", Value: v.Types},
		{Key: "tokenizer.ggml.merges", Value: v.Merges},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(257)},
		{Key: "tokenizer.ggml.add_bos_token", Value: true},
	}
	if err := weights.WriteGGUF(path, metadata, nil); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("257")
	for _, id := range tokenizer.Lab().Encode("Use 3<think>") {
		fmt.Fprintf(&want, ",%d", id)
	}
	for _, vocab := range []string{path, folder} {
		status, out, stderr := retort(t, t.Context(), "tokenize", "--vocab", vocab, "--add-special", "Use 3<think>")
		if status != exitDone || out != want.String()+"\n" {
			t.Errorf("%s: status %d, %q, %q", vocab, status, out, stderr)
		}
	}
	metadata.Set("tokenizer.ggml.pre", "tekken")
	if err := weights.WriteGGUF(path, metadata, nil); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := retort(t, t.Context(), "tokenize", "--vocab", path, "x"); status != exitFailed || !strings.Contains(stderr, "tekken") {
		t.Errorf("status %d, %q", status, stderr)
	}
}
