package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
)

// Templates in the manner of the families: turns between marks; the thought of an earlier reply dropped and a thought
// opened; no system role.
const (
	turnsTemplate = `{% for m in messages %}<|im|>{{ m.role }}:{{ m.content }}<|eot|>{% endfor %}{% if add_generation_prompt %}<|im|>assistant:{% endif %}`
	thinkTemplate = `{% for m in messages %}<|im|>{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}<|eot|>{% else %}{{ m.content }}{% endif %}{% endfor %}` +
		`{% if add_generation_prompt %}<|im|><think>
{% endif %}`
	closedTemplate   = turnsTemplate + `{% if add_generation_prompt %}<think></think>{% endif %}`
	noSystemTemplate = `{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}` + turnsTemplate
)

// learnerOf is a learner over a template, whose model ends texts with <|last|> first and <|eot|> as well.
func learnerOf(t *testing.T, template, replies string) *learner {
	t.Helper()
	var added []tokenizer.Added
	for _, text := range []string{"<|last|>", "<|eot|>", "<|im|>", "<think>", "</think>"} {
		added = append(added, tokenizer.Added{Text: text, Special: true})
	}
	vocabulary, err := tokenizer.New(added)
	if err != nil {
		t.Fatal(err)
	}
	config := smallConfig()
	config.VocabSize, config.EOS, config.MoreEOS = vocabulary.Size(), 256, []int32{257}
	m, err := model.New(config, 1)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := chat.Parse(template)
	if err != nil {
		t.Fatal(err)
	}
	return (&speaker{model: m, tokenizer: vocabulary, chat: &chat.Config{Template: parsed}}).learner(&dataRecipe{Replies: replies})
}

// bracketed shows a sequence with what is learned in brackets.
func (l *learner) bracketed(s distill.Sequence) string {
	var b strings.Builder
	for from := 0; from < len(s.Tokens); {
		to := from
		for to < len(s.Tokens) && s.Learned[to] == s.Learned[from] {
			to++
		}
		text := l.speaker.tokenizer.Decode(s.Tokens[from:to])
		if s.Learned[from] {
			text = "[" + text + "]"
		}
		b.WriteString(text)
		from = to
	}
	return b.String()
}

func TestLearnerUsesTheTemplate(t *testing.T) {
	message := func(role, content string) distill.Message { return distill.Message{Role: role, Content: content} }
	talk := []distill.Message{message("system", "be kind"), message("user", "1"), message("assistant", "<think>\nx\n</think>2"), message("user", "3"), message("assistant", "\n<think>\ny</think>4")}
	for _, c := range []struct {
		template, replies string
		messages          []distill.Message
		want              []string
		err               string
	}{
		{turnsTemplate, "all", talk, []string{"<|im|>system:be kind<|eot|><|im|>user:1<|eot|><|im|>assistant:[<think>\nx\n</think>2<|eot|>]<|im|>user:3<|eot|><|im|>assistant:[\n<think>\ny</think>4<|eot|>]"}, ""},
		{turnsTemplate, "last", talk[:3], []string{"<|im|>system:be kind<|eot|><|im|>user:1<|eot|><|im|>assistant:[<think>\nx\n</think>2<|eot|>]"}, ""},
		{thinkTemplate, "all", talk, []string{"<|im|>be kind<|im|>1<|im|><think>\n[x\n</think>2<|eot|>]", "<|im|>be kind<|im|>1<|im|>2<|eot|><|im|>3<|im|><think>\n[y</think>4<|eot|>]"}, ""},
		{thinkTemplate, "last", talk, []string{"<|im|>be kind<|im|>1<|im|>2<|eot|><|im|>3<|im|><think>\n[y</think>4<|eot|>]"}, ""},
		{thinkTemplate, "all", []distill.Message{message("user", "1"), message("assistant", "2")}, nil, "message 1: the template opens a thought with <think>, and the reply has no </think> that ends one"},
		{closedTemplate, "all", talk, nil, "message 2: the template has closed the thought before the reply, and the reply has one"},
		{noSystemTemplate, "all", talk, nil, "System role not supported"},
	} {
		l := learnerOf(t, c.template, c.replies)
		found, err := l.sequences(&distill.Example{Messages: c.messages})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, c.err)
			}
			continue
		}
		var got []string
		for _, s := range found {
			got = append(got, l.bracketed(s))
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v\nwant %q", c.replies, got, err, c.want)
		}
		// The marks of a thought are their tokens, whether the tokenizer calls them special or not.
		thinks := 0
		for _, id := range found[0].Tokens {
			if id == 260 {
				thinks++
			}
		}
		if thinks == 0 {
			t.Errorf("%q: </think> is no token of its own", got)
		}
	}
}

// TestTodayStandsInTheRecipe: a run reads the same prompts whichever day it goes on.
func TestTodayStandsInTheRecipe(t *testing.T) {
	for template, filled := range map[string]bool{`{{ strftime_now('%d %b %Y') }}`: true, turnsTemplate: false} {
		parsed, err := chat.Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		var r modelRecipe
		if limits := r.clock(&chat.Config{Template: parsed}); (r.Today != "") != filled || (limits.Now != nil) != filled {
			t.Errorf("%s: today %q", template, r.Today)
		}
		r.Today = "2024-07-26"
		if text, err := parsed.Render(chat.Input{}, r.clock(&chat.Config{Template: parsed})); filled && (err != nil || text != "26 Jul 2024") {
			t.Errorf("got %q, %v", text, err)
		}
	}
	if r := (modelRecipe{Today: "yesterday"}); r.resolve() == nil {
		t.Error("today yesterday: no error")
	}
}

func TestSFTOnMessages(t *testing.T) {
	root := t.TempDir()
	data := filepath.Join(root, "set.jsonl")
	lines := `{"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}, {"role": "assistant", "content": "4"}]}`
	for i, c := range []struct {
		line, set, want string
		status          int
	}{
		{lines, "data.replies=all", "1 examples, 10 tokens", exitDone},
		{lines, "data.replies=last", "1 examples, 10 tokens", exitDone},
		{lines, "data.replies=first", `data.replies: got "first", want all or last`, exitUsage},
		{`{"messages": [{"role": "system", "content": "s"}, {"role": "assistant", "content": "2"}]}`, "steps=1", `set.jsonl:1: message 0: role "system" wants a model with a chat template`, exitFailed},
		{`{"messages": [{"role": "tool", "content": "s"}, {"role": "assistant", "content": "2"}]}`, "steps=1", `got role "tool", want "system", "user" or "assistant"`, exitFailed},
	} {
		writeFile(t, data, c.line)
		status, _, stderr := retort(t, t.Context(), "sft", smallRecipe(t, data), "--set", "tokenizer=bytes", "--set", c.set, "--run", filepath.Join(root, fmt.Sprint(i)))
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, %s, want %d, %s", c.set, status, stderr, c.status, c.want)
		}
	}
}
