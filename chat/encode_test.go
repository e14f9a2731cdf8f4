package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
)

// fakeTokenizer has a few special tokens; every other byte is a token. It may put a BOS before every text.
type fakeTokenizer struct {
	special []string // id 1000 + index
	prefix  []int32
}

func (f fakeTokenizer) Encode(text string) []int32 {
	ids := append([]int32(nil), f.prefix...)
next:
	for text != "" {
		for i, s := range f.special {
			if strings.HasPrefix(text, s) {
				ids = append(ids, 1000+int32(i))
				text = text[len(s):]
				continue next
			}
		}
		ids = append(ids, int32(text[0]))
		text = text[1:]
	}
	return ids
}

// EncodeQuoted implements Tokenizer: what is quoted begins no special token.
func (f fakeTokenizer) EncodeQuoted(text string) []int32 {
	ids := f.Encode(text)
	plain := ids[:0]
	for len(ids) > 0 {
		if n := len(tokenizer.Quote("<")); len(ids) >= n && ids[0] == 0xf4 && ids[1] == 0x8f && ids[2] == 0xa4 {
			quoted := make([]byte, n)
			for i := range quoted {
				quoted[i] = byte(ids[i])
			}
			plain, ids = append(plain, int32(tokenizer.Unquote(string(quoted))[0])), ids[n:]
			continue
		}
		plain, ids = append(plain, ids[0]), ids[1:]
	}
	return plain
}

// text is what ids stand for.
func (f fakeTokenizer) text(ids []int32) string {
	var b []byte
	for _, id := range ids {
		if id >= 1000 {
			b = append(b, f.special[id-1000]...)
		} else {
			b = append(b, byte(id))
		}
	}
	return string(b)
}

func count(ids []int32, id int32) (n int) {
	for _, i := range ids {
		if i == id {
			n++
		}
	}
	return n
}

// TestOneBOS: whatever template and tokenizer do, there is exactly one BOS, at the beginning, if the model has one.
func TestOneBOS(t *testing.T) {
	const bos = "<|bos|>"
	yes, no := true, false
	rendered := 0
	for _, c := range goldenCases(t) {
		if c.Error != nil {
			continue
		}
		in, err := ParseInput(c.Input)
		if err != nil {
			t.Fatal(err)
		}
		template := readTemplate(t, c.Template)
		for _, prefix := range [][]int32{nil, {1000}, {1000, 1000}} {
			fake := fakeTokenizer{[]string{bos, "<|im_start|>", "<|eot_id|>"}, prefix}
			for _, add := range []*bool{nil, &yes, &no} {
				config := &Config{Template: template, BOS: bos, AddBOS: add}
				p, err := config.Encode(fake, in, Limits{Now: clock})
				if err != nil {
					t.Fatal(err)
				}
				want := 1
				if add == &no && prefix == nil && !strings.Contains(p.Text, bos) {
					want = 0
				}
				if got := count(p.IDs, 1000); got != want || want == 1 && p.IDs[0] != 1000 {
					t.Errorf("%s, %s, tokenizer adds %d, add_bos_token %v: %d BOS", c.Template, c.Case, len(prefix), add, got)
				}
				rendered++
			}
			p, err := (&Config{Template: template}).Encode(fake, in, Limits{Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			if got := count(p.IDs, 1000); got != len(prefix) {
				t.Errorf("%s, %s: a model without a BOS got %d", c.Template, c.Case, got-len(prefix))
			}
		}
	}
	if rendered < 500 {
		t.Errorf("%d prompts", rendered)
	}
	config := &Config{Template: mustParse(t, "x"), BOS: "<bos>"}
	if _, err := config.Encode(fakeTokenizer{}, Input{}, Limits{}); err == nil {
		t.Error("a BOS that the tokenizer does not know was taken")
	}
}

func mustParse(t *testing.T, source string) *Template {
	t.Helper()
	template, err := Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestStateAfter(t *testing.T) {
	for _, c := range []struct {
		prompt string
		want   State
	}{
		{"<|Assistant|><think>\n", Thinking}, {"<think>", Thinking}, {"<think>\n</think>", Answering}, {"<think>\n\n</think>\n\n", Answering},
		{"What is <think>?<|Assistant|>", Undecided}, {"", Undecided}, {"<think>\nso", Undecided},
	} {
		if got := KnownTags[0].StateAfter(c.prompt); got != c.want {
			t.Errorf("%q: %s, want %s", c.prompt, got, c.want)
		}
	}
	// of the published templates, by a prompt whose user speaks of the marks
	for name, want := range map[string]State{
		"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": Answering, "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": Thinking,
		"Qwen-Qwen3-0.6B": Undecided, "Qwen-Qwen2.5-7B-Instruct": Undecided, "deepseek-ai-DeepSeek-V3.1": Answering,
	} {
		in, err := NewInput([]Message{{Role: "user", Content: "why <think>"}}, InputOptions{AddGenerationPrompt: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := (&Config{Template: readTemplate(t, name)}).Encode(fakeTokenizer{}, in.WithText("bos_token", ""), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p.State != want || p.Tags != KnownTags[0] {
			t.Errorf("%s: %s %v, want %s", name, p.State, p.Tags, want)
		}
	}
	if tags := (&Config{Template: mustParse(t, "{{ '[THINK]' }}")}).Tags(); tags != KnownTags[1] {
		t.Errorf("got %v", tags)
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err == nil {
		t.Error("an empty folder was taken")
	}
	write("tokenizer_config.json", `{"chat_template":"a{{ bos_token }}{{ eos_token }}","bos_token":{"content":"<b>","lstrip":false},"eos_token":"<e>","add_bos_token":true}`)
	c, err := Open(dir)
	if err != nil || c.BOS != "<b>" || c.EOS != "<e>" || c.AddBOS == nil || !*c.AddBOS {
		t.Fatalf("%+v, %v", c, err)
	}
	if text, err := c.Prompt(Input{}, Limits{}); err != nil || text != "a<b><e>" {
		t.Errorf("%q, %v", text, err)
	}
	write("chat_template.jinja", "from the file")
	if c, err = Open(dir); err != nil || c.Template.Source() != "from the file" || c.EOS != "<e>" {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = ParseConfig([]byte(`{"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"}],"bos_token":null}`))
	if err != nil || c.Template.Source() != "d" || c.Named["tool_use"].Source() != "t" || c.BOS != "" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{`{`, `{"chat_template":5}`, `{"chat_template":"{% if %}"}`, `{"bos_token":5}`,
		`{"chat_template":[{"name":"a","template":"{{"}]}`, `{"chat_template":[{"name":"a"},{"name":"a"}]}`} {
		if _, err := ParseConfig([]byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if c, err := GGUFConfig("x{{ bos_token }}", "<b>", "", nil); err != nil || c.Template == nil || c.BOS != "<b>" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := (&Config{}).Prompt(Input{}, Limits{}); err == nil {
		t.Error("a model without a template rendered")
	}
}

func TestNewInput(t *testing.T) {
	in, err := NewInput([]Message{
		{Role: "user", Content: "hi"},
		{Role: "assistant", ToolCalls: []ToolCall{{ID: "1", Name: "f", Arguments: json.RawMessage(`{"z":1,"a":2.0}`)}}},
		{Role: "tool", Content: "r", ToolCallID: "1", Name: "f"},
		{Role: "assistant", Content: "x", Reasoning: "because"},
		{Role: "user", Parts: json.RawMessage(`[{"type":"text","text":"p"}]`)},
	}, InputOptions{Tools: []json.RawMessage{json.RawMessage(`{"b":1}`)}, AddGenerationPrompt: true, Variables: map[string]json.RawMessage{"enable_thinking": json.RawMessage("false")}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := mustParse(t, "{{ messages|tojson }}{{ tools }}{{ add_generation_prompt }}{{ enable_thinking }}").Render(in, Limits{})
	want := `[{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {"z": 1, "a": 2.0}}}]}, ` +
		`{"role": "tool", "content": "r", "tool_call_id": "1", "name": "f"}, {"role": "assistant", "content": "x", "reasoning_content": "because"}, {"role": "user", "content": [{"type": "text", "text": "p"}]}][{'b': 1}]TrueFalse`
	if err != nil || got != want {
		t.Errorf("got  %s\nwant %s\n%v", got, want, err)
	}
	for _, bad := range []string{"", "[]", "{", `{"a":1} 2`, `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}"} {
		if _, err := ParseInput([]byte(bad)); err == nil {
			t.Errorf("%.20q was taken", bad)
		}
	}
}
