package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
)

// smallConfig is a model that is made and run in a moment.
func smallConfig() model.Config {
	return model.Config{
		Architecture: model.Qwen2, VocabSize: tokenizer.Lab().Size(), Width: 32, Layers: 2, Heads: 2, KVHeads: 1,
		HeadSize: 16, FFN: 48, MaxPositions: 128, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}
}

// saveSmall saves a small model with random weights in a folder below a new one.
func saveSmall(t *testing.T, below string) (top string) {
	t.Helper()
	top = t.TempDir()
	m, err := model.New(smallConfig(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Save(filepath.Join(top, below), tensor.F32); err != nil {
		t.Fatal(err)
	}
	return top
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestOpenSpeaker(t *testing.T) {
	for _, c := range []struct{ model, tokenizer string }{
		{".", "tokenizer.json"},
		{"model", "model/tokenizer.json"},
		{"model", "tokenizer.json"},
		{"checkpoints/step-00000040", "tokenizer.json"},
	} {
		top := saveSmall(t, c.model)
		if strings.HasPrefix(c.model, "checkpoints") {
			writeFile(t, filepath.Join(top, c.model, "COMPLETE"), "{}")
			writeFile(t, filepath.Join(top, "checkpoints/step-00000009/COMPLETE"), "{}")
		}
		if _, err := openSpeaker(top, ""); err == nil || !strings.Contains(err.Error(), "has no tokenizer.json; try: --tokenizer lab") {
			t.Errorf("%v: without a tokenizer: got error %v", c, err)
		}
		if err := tokenizer.Lab().Save(filepath.Join(top, c.tokenizer)); err != nil {
			t.Fatal(err)
		}
		s, err := openSpeaker(top, "")
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		if s.model.Config().Width != 32 || s.tokenizer.Size() != 480 {
			t.Errorf("%v: got width %d and %d tokens", c, s.model.Config().Width, s.tokenizer.Size())
		}
		end, _ := s.tokenizer.ID(tokenizer.End)
		if stop := s.stopTokens(); len(stop) != 1 || stop[0] != end {
			t.Errorf("%v: stop tokens %v, want %d", c, stop, end)
		}
	}
}

func TestOpenSpeakerRefuses(t *testing.T) {
	top := saveSmall(t, ".")
	empty := t.TempDir()
	writeFile(t, filepath.Join(empty, "checkpoints/step-00000001/config.json"), "{}") // not complete
	big := filepath.Join(empty, "tokenizer.json")
	if more, err := tokenizer.New([]tokenizer.Added{{Text: "ab"}}); err != nil || more.Save(big) != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, tokenizer, want string }{
		{filepath.Join(top, "absent"), "lab", "no such file"},
		{filepath.Join(top, "config.json"), "lab", "is a file, want a .gguf"},
		{empty, "lab", "holds no model and no checkpoint"},
		{top, "labb", "try: lab, bytes, the path of a tokenizer.json"},
	} {
		if _, err := openSpeaker(c.path, c.tokenizer); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got error %v, want %s", c.path, c.tokenizer, err, c.want)
		}
	}
	if _, err := openSpeaker(top, big); err != nil {
		t.Errorf("a smaller tokenizer: %v", err)
	}
}

func TestBytesTokenizer(t *testing.T) {
	b, err := openTokenizer(tokenizerBytes)
	if err != nil || b.Size()%16 != 0 {
		t.Fatalf("got %v, %v", b, err)
	}
	if ids := b.Encode("12" + tokenizer.End); len(ids) != 3 || ids[0] != '1' || !b.Special(ids[2]) {
		t.Errorf("got ids %v", ids)
	}
}

func TestPrintable(t *testing.T) {
	text := "a\n\x1b[2Jb\x7f\u009b\xff\t"
	if got, want := printable(text, true), "a\n␛[2Jb��\ufffd␉"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := oneLine("a\nb"); got != "a␊b" {
		t.Errorf("got %q", got)
	}
}
