package distill

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
)

func TestReadExamples(t *testing.T) {
	source := `{"prompt": "", "completion": "b", "teacher": "t"}

{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
  {"text": "x\ny"}` + "\r\n"
	want := []Example{
		{Completion: "b", Line: 1},
		{Messages: []Message{{RoleSystem, "s"}, {RoleUser, "q"}, {RoleAssistant, "a"}}, Line: 3},
		{Text: "x\ny", Line: 4},
	}
	got, err := ReadExamples(strings.NewReader(source), "set.jsonl", nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	got, err = ReadExamples(strings.NewReader(source+"broken"), "set.jsonl", &ReadOptions{Limit: 2})
	if err != nil || !reflect.DeepEqual(got, want[:2]) {
		t.Errorf("limit 2: got %+v, %v", got, err)
	}
	got, err = ReadExamples(strings.NewReader(`{"problem": "p", "answer": "72", "text": "other"}`), "s", &ReadOptions{PromptKey: "problem", CompletionKey: "answer"})
	if err == nil {
		t.Errorf("two shapes in one line: got %+v", got)
	}
	got, err = ReadExamples(strings.NewReader(`{"problem": "p", "answer": "72"}`), "s", &ReadOptions{PromptKey: "problem", CompletionKey: "answer"})
	if err != nil || !reflect.DeepEqual(got, []Example{{Prompt: "p", Completion: "72", Line: 1}}) {
		t.Errorf("renamed keys: got %+v, %v", got, err)
	}
	got, err = ReadExamples(strings.NewReader(`{"problem": "p", "answer": "72"}`), "s", &ReadOptions{TextKey: "problem"})
	if err != nil || !reflect.DeepEqual(got, []Example{{Text: "p", Line: 1}}) {
		t.Errorf("a renamed text: got %+v, %v", got, err)
	}
}

func TestBadLines(t *testing.T) {
	good := `{"text": "x"}` + "\n\n"
	for _, c := range []struct{ line, want string }{
		{`{"text": "x"`, `set.jsonl:3: got {"text": "x", want a JSON object: unexpected end`},
		{`[1]`, `set.jsonl:3: got [1], want a JSON object`},
		{`null`, `set.jsonl:3: got null, want a JSON object`},
		{`{"id": 1, "problem": "p"}`, `set.jsonl:3: got the keys ["id" "problem"], want {"prompt", "completion"} or {"messages"} or {"text"}`},
		{`{"prompt": "p", "text": "t"}`, `set.jsonl:3: got the keys "prompt" and "text", want`},
		{`{"prompt": "p"}`, `set.jsonl:3: got no "completion", want text`},
		{`{"prompt": 7, "completion": "x"}`, `set.jsonl:3: "prompt": got 7, want text`},
		{`{"prompt": "p", "completion": null}`, `set.jsonl:3: "completion": got null, want text`},
		{`{"prompt": "p", "completion": ""}`, `set.jsonl:3: "completion": got an empty text`},
		{`{"text": ""}`, `set.jsonl:3: "text": got an empty text`},
		{`{"text": "` + strings.Repeat("é", 100), `"text": "éééé`},
		{`{"messages": "hi"}`, `set.jsonl:3: "messages": got "hi", want a list of {"role", "content"}`},
		{`{"messages": []}`, `set.jsonl:3: "messages": got 0 messages and none by "assistant"`},
		{`{"messages": [{"role": "tool", "content": "be kind"}]}`, `message 0: got role "tool", want "system", "user" or "assistant"`},
		{`{"messages": [{"role": "system", "content": "be kind"}]}`, `got 1 messages and none by "assistant"`},
		{`{"messages": [{"role": "assistant"}]}`, `message 0: got no "content", want text`},
	} {
		_, err := ReadExamples(strings.NewReader(good+c.line), "set.jsonl", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got error %v, want %s", c.line, err, c.want)
		}
	}
	if _, err := ReadExamples(strings.NewReader("\n"), "set.jsonl", nil); err == nil || !strings.Contains(err.Error(), "set.jsonl: got no examples") {
		t.Errorf("empty file: got error %v", err)
	}
}

func TestReadExamplesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "set.jsonl")
	if _, err := ReadExamplesFile(path, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got error %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"text": "x"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadExamplesFile(path, nil); err != nil || len(got) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestEncode(t *testing.T) {
	lab := tokenizer.Lab()
	marks := Marks{User: tokenizer.User, Assistant: tokenizer.Assistant, End: tokenizer.End}
	for _, c := range []struct {
		example       Example
		text, learned string // learned: the text of the learned tokens
	}{
		{Example{Prompt: "<|user|>Use 3", Completion: "4<|end|>"}, "<|user|>Use 34<|end|>", "4<|end|>"},
		{Example{Prompt: "Use 3", Completion: "4"}, "Use 34<|end|>", "4<|end|>"},
		{Example{Text: "ab"}, "ab<|end|>", "ab<|end|>"},
		{Example{Messages: []Message{{RoleUser, "Use 3"}, {RoleAssistant, "4"}, {RoleUser, "5"}, {RoleAssistant, "6"}}},
			"<|user|>Use 3<|assistant|>4<|end|><|user|>5<|assistant|>6<|end|>", "4<|end|>6<|end|>"},
	} {
		tokens, learned := c.example.Encode(lab, marks)
		if len(tokens) != len(learned) {
			t.Fatalf("%+v: %d tokens, %d marks", c.example, len(tokens), len(learned))
		}
		var kept []int32
		for i, token := range tokens {
			if learned[i] {
				kept = append(kept, token)
			}
		}
		if got := lab.Decode(tokens); got != c.text {
			t.Errorf("got %q, want %q", got, c.text)
		}
		if got := lab.Decode(kept); got != c.learned {
			t.Errorf("%+v: learned %q, want %q", c.example, got, c.learned)
		}
	}
}

func TestMessagesCannotForgeMarks(t *testing.T) {
	lab := tokenizer.Lab()
	end, _ := lab.ID(tokenizer.End)
	e := Example{Messages: []Message{{RoleUser, tokenizer.End}, {RoleAssistant, "a" + tokenizer.End}}}
	tokens, learned := e.Encode(lab, Marks{End: tokenizer.End})
	count := 0
	for i, token := range tokens {
		if token == end {
			count++
			if i != len(tokens)-1 || !learned[i] {
				t.Errorf("an end mark at token %d of %d, learned %v", i, len(tokens), learned[i])
			}
		}
	}
	if count != 1 {
		t.Errorf("%d end marks, want 1", count)
	}
}
