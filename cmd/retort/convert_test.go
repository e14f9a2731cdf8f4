package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/tokenizer"
)

// wordTokenizer is a byte-level BPE of a few words, as the real models have it.
const wordTokenizer = `{"version":"1.0","normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[
	{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},
	{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}]},
	"post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false},
	"added_tokens":[{"id":%END%,"content":"<|end|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
	"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false,"byte_fallback":false,
	"ignore_merges":false,"vocab":{%VOCAB%},"merges":["t h","th e"]}}`

// saveWords writes wordTokenizer into a folder, with a template of conversations.
func saveWords(t *testing.T, dir string) {
	t.Helper()
	bytes, err := tokenizer.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	v, err := bytes.GGUF()
	if err != nil {
		t.Fatal(err)
	}
	for id, name := range append(v.Tokens[:256:256], "th", "the") {
		entries = append(entries, quoted(name)+":"+itoa(id))
	}
	writeFile(t, filepath.Join(dir, tokenizerFile), strings.NewReplacer("%END%", "258", "%VOCAB%", strings.Join(entries, ",")).Replace(wordTokenizer))
	writeFile(t, filepath.Join(dir, "tokenizer_config.json"), `{"eos_token":"<|end|>","chat_template":"{% for m in messages %}{{ m.content }}{% endfor %}"}`)
}

// TestConvertCarriesTheText converts a folder to GGUF and back, and wants the ids of its tokenizer,
// its template, and the model's own log-probabilities everywhere.
func TestConvertCarriesTheText(t *testing.T) {
	dir := t.TempDir()
	words := filepath.Join(dir, "words")
	saveWords(t, words)
	must := func(arguments ...string) string {
		t.Helper()
		status, out, stderr := retort(t, t.Context(), arguments...)
		if status != exitDone {
			t.Fatalf("%v: status %d, %s", arguments, status, stderr)
		}
		return out
	}
	first, file, back := filepath.Join(dir, "first"), filepath.Join(dir, "a.gguf"), filepath.Join(dir, "back")
	small := saveSmall(t, "model")
	if err := os.Rename(filepath.Join(small, "model"), first); err != nil {
		t.Fatal(err)
	}
	saveWords(t, first)
	must("convert", first, file)
	must("convert", file, back, "--type", "BF16")
	const text = "the other<|end|> 2\nthem"
	want := must("tokenize", "--vocab", first, text)
	for _, path := range []string{file, back} {
		if got := must("tokenize", "--vocab", path, text); got != want {
			t.Errorf("%s: ids %s, want %s", path, got, want)
		}
	}
	if got, want := must("score", "--json", file, text), must("score", "--json", first, text); got != want {
		t.Errorf("the GGUF file scores %s, the folder %s", got, want)
	}
	data, err := os.ReadFile(filepath.Join(back, "tokenizer_config.json"))
	if err != nil || !strings.Contains(string(data), "m.content") || !strings.Contains(string(data), `"eos_token": "<|end|>"`) {
		t.Errorf("the template came back as %s, %v", data, err)
	}
	if got := must("inspect", file, "--metadata", "--tensors"); !strings.Contains(got, "tokenizer.chat_template") || !strings.Contains(got, "blk.0.attn_q.weight") {
		t.Errorf("inspect prints %s", got)
	}
}

// TestTemplateIsUsed wants the model's own template wherever it is spoken to.
func TestTemplateIsUsed(t *testing.T) {
	top := saveSmall(t, ".")
	saveWords(t, top)
	writeFile(t, filepath.Join(top, "tokenizer_config.json"), `{"chat_template":"{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}<think>\n{% endif %}"}`)
	writeFile(t, filepath.Join(top, "generation_config.json"), `{"eos_token_id":[258,7]}`)
	s, err := openSpeaker(top, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.prompt("the")
	if err != nil || p.Text != "[the]<think>\n" || p.State != chat.Thinking || !slices.Equal(p.IDs, s.tokenizer.Encode(p.Text)) {
		t.Errorf("prompt %+v, %v", p, err)
	}
	if stop := s.stopTokens(); !slices.Contains(stop, 7) || !slices.Contains(stop, 258) {
		t.Errorf("stops %v, want those of generation_config.json", stop)
	}
	e := distill.Example{Messages: []distill.Message{{Role: distill.RoleUser, Content: "the"}, {Role: distill.RoleAssistant, Content: "b</think>a<|end|>"}, {Role: distill.RoleUser, Content: "x"}}}
	l := s.learner(&dataRecipe{})
	l.marks.End = "<|end|>"
	found, err := l.sequences(&e)
	answer := append(s.tokenizer.EncodeText("b</think>a<|end|>"), 258) // a mark within a text is text
	if err != nil || len(found) != 1 || !slices.Equal(found[0].Tokens, slices.Concat(p.IDs, answer)) ||
		slices.Index(found[0].Learned, true) != len(p.IDs) || slices.Contains(found[0].Learned[len(p.IDs):], false) {
		t.Errorf("%+v, %v", found, err)
	}
	if status, out, stderr := retort(t, t.Context(), "run", "--json", "--model", top, "--max-tokens", "4", "the"); status != exitDone || len(events[reply](t, out, "reply")) != 1 {
		t.Errorf("run: status %d, %s%s", status, out, stderr)
	}
}

func TestSynth(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, c := range []struct{ arguments, want string }{
		{"synth --shape r1", "--shape: model: shape \"r1\", want one of"},
		{"synth --shape qwen3-0.6b --type Q9", "--type: "},
		{"synth --shape qwen3-0.6b --layers=-1", "--layers: got -1"},
		{"synth --shape qwen3-0.6b --type Q8_0 folder", "safetensors cannot hold Q8_0"},
		{"synth --shape llama-3.2-1b --vocab absent.json x.gguf", "absent.json"},
	} {
		status, _, stderr := retort(t, t.Context(), strings.Fields(c.arguments)...)
		if status == exitDone || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") > 2 {
			t.Errorf("%s: status %d, %q, want %q", c.arguments, status, stderr, c.want)
		}
	}
}

func quoted(s string) string { return strconv.Quote(s) }

func itoa(n int) string { return strconv.Itoa(n) }
