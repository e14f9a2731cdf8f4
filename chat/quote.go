package chat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/retort-ml/retort/chat/internal/jinja"
	"github.com/retort-ml/retort/tokenizer"
)

// callMarks are the marks of calls that models write within their content.
var callMarks = []string{"<tool_call>", "</tool_call>"}

// ownVariables are those that the model's files give a template: their marks are its own.
var ownVariables = []string{"bos_token", "eos_token", "pad_token", "unk_token"}

// quoted renders an input again, in which the < > [ and ] of all texts from outside are quoted; text is the rendering of the input as it is. Where a
// template does more with these characters than its interpreter allows for, and so renders something else, text is returned as it is if no text from
// outside holds a mark; if one does, that is an error.
func (c *Config) quoted(t Tokenizer, in Input, text string, limits Limits) (string, error) {
	if !strings.ContainsAny(text, "<>[]") {
		return text, nil
	}
	quoted, err := c.Prompt(in.quoted(c.Tags()), limits)
	if err == nil && tokenizer.Unquote(quoted) == text {
		return quoted, nil
	}
	if mark, ok := in.typed(t); ok {
		return "", fmt.Errorf("chat: a message holds %.40q, which reads as a mark of the model's own, and its template does not keep the two apart: write it otherwise", mark)
	}
	return text, nil
}

// quoted is the input with the texts from outside quoted.
func (in Input) quoted(tags Tags) Input {
	quoted := jinja.NewDict()
	for _, name := range in.variables.Names() {
		v, _ := in.variables.Get(name)
		switch {
		case name == "messages" && jinja.Items(v) != nil:
			v = quoteMessages(jinja.Items(v), tags)
		case !slices.Contains(ownVariables, name):
			v = jinja.QuoteTexts(v)
		}
		quoted.Set(name, v)
	}
	return Input{quoted}
}

// quoteMessages quotes messages, but for what the assistant marked in its content.
func quoteMessages(messages []jinja.Value, tags Tags) jinja.Value {
	quoted := make([]jinja.Value, len(messages))
	for i, message := range messages {
		quoted[i] = jinja.QuoteTexts(message)
		m, ok := message.(*jinja.Dict)
		if !ok {
			continue
		}
		role, _ := m.Get("role")
		content, _ := m.Get("content")
		if text, isText := content.(jinja.Str); isText && role == jinja.Value(jinja.Str("assistant")) {
			quoted[i].(*jinja.Dict).Set("content", jinja.Str(quoteBeside(string(text), append([]string{tags.Open, tags.Close}, callMarks...))))
		}
	}
	return jinja.NewList(quoted)
}

// quoteBeside quotes a text but for some marks in it.
func quoteBeside(text string, marks []string) string {
	text = tokenizer.Quote(text)
	for _, mark := range marks {
		text = strings.ReplaceAll(text, tokenizer.Quote(mark), mark)
	}
	return text
}

// typed returns a text from outside in which the tokenizer takes something for a mark, if there is one.
func (in Input) typed(t Tokenizer) (string, bool) {
	for _, text := range jinja.Texts(in.variables) {
		if !slices.Equal(t.Encode(text), t.EncodeQuoted(tokenizer.Quote(text))) {
			return text, true
		}
	}
	return "", false
}
