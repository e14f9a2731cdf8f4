package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/tokenizer"
)

// newLoaded derives what requests need of a model.
func newLoaded(m *Model) *loaded {
	l := &loaded{Model: m}
	for id := range m.Tokenizer.Size() {
		text, _ := m.Tokenizer.Token(int32(id))
		if text != "" && !m.Tokenizer.Special(int32(id)) && strings.TrimSpace(text) == "" {
			l.blank = append(l.blank, int32(id))
		}
	}
	if m.Chat != nil && m.Chat.Template != nil {
		l.style = styleOf(m.Chat.Template.Source())
	}
	return l
}

// hasTemplate reports whether the model is spoken to by a template of its own.
func (l *loaded) hasTemplate() bool { return l.Chat != nil && l.Chat.Template != nil }

// knows reports whether the model's template mentions a variable.
func (l *loaded) knows(variable string) bool {
	return l.hasTemplate() && strings.Contains(l.Chat.Template.Source(), variable)
}

// conversation is what a prompt is rendered from.
type conversation struct {
	messages  []chat.Message
	tools     []json.RawMessage
	variables map[string]json.RawMessage
	// open ends the prompt with the beginning of a reply; without it the prompt is rendered as it stands.
	open bool
	// begun are the ids with which the reply begins, if the client has any.
	begun []int32
}

// begun is a prompt, and how the reply begins.
type begun struct {
	chat.Prompt
	// continued reports that the client began the reply: white space at the beginning of the rest belongs to it.
	continued bool
	used      int     // tokens of a thought that the prompt holds already
	given     []int32 // the ids at the end of the prompt that are the reply's
	exact     bool    // these are the client's, and the reply goes on as that did which drew them; its state is that before them
	said      news    // their text
	note      string
}

// render makes the prompt of a conversation. If the last message is the assistant's, the reply goes on from there.
func (l *loaded) render(c *conversation) (begun, error) {
	messages := c.messages
	var last chat.Message
	if n := len(messages); c.open && n > 0 && messages[n-1].Role == "assistant" && len(messages[n-1].ToolCalls) == 0 {
		messages, last = messages[:n-1], messages[n-1]
	}
	if len(messages) == 0 {
		return begun{}, bad("messages", "got none that is asked, want at least one")
	}
	if c.begun != nil && last.Role != "" {
		return begun{}, bad(continueIDs, "the last message begins the reply already, as a text: leave one of the two out")
	}
	b, err := l.renderMessages(messages, c)
	if err == nil && last.Role != "" {
		prompt := len(b.IDs)
		err = l.goOn(&b, last)
		b.given = b.IDs[prompt:]
	} else if err == nil {
		err = l.goOnFrom(&b, c.begun)
	}
	return b, err
}

// continueIDs is the field with the ids of a reply that is gone on with.
const continueIDs = "continue_token_ids"

// goOnFrom puts the ids of a beginning of a reply behind the prompt.
func (l *loaded) goOnFrom(b *begun, ids []int32) error {
	for i, id := range ids {
		switch {
		case id < 0 || int(id) >= l.Tokenizer.Size():
			return bad(continueIDs, "number %d is %d, want 0 to %d", i, id, l.Tokenizer.Size()-1)
		case slices.Contains(l.Ends, id):
			return bad(continueIDs, "number %d is %d, which ends the reply: nothing goes on behind it", i, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if b.Text != "" {
		b.Text += l.Tokenizer.DecodeText(ids, noSpecial(false))
	}
	b.IDs, b.given, b.exact = slices.Concat(b.IDs, ids), ids, true
	return nil
}

// renderMessages renders by the template, or in the model's own form.
func (l *loaded) renderMessages(messages []chat.Message, c *conversation) (begun, error) {
	if !l.hasTemplate() {
		return l.renderQuestion(messages)
	}
	in, err := chat.NewInput(messages, chat.InputOptions{Tools: c.tools, AddGenerationPrompt: c.open, Variables: c.variables})
	if err != nil {
		return begun{}, bad("messages", "%v", err)
	}
	p, err := l.Chat.Encode(l.Tokenizer, in, chat.Limits{})
	if err != nil {
		return begun{}, bad("messages", "the model's template refuses them: %s", clip(err.Error(), 300))
	}
	p.Tags = p.Tags.WithIDs(l.Tokenizer)
	return begun{Prompt: p}, nil
}

// renderQuestion makes the prompt of the last question, which is all that a model without a template reads.
func (l *loaded) renderQuestion(messages []chat.Message) (begun, error) {
	if l.Ask == nil {
		return begun{}, bad("messages", "this model has no chat template; try: POST /v1/completions, which continues a text as it stands")
	}
	at := len(messages) - 1
	if messages[at].Role != "user" {
		return begun{}, bad("messages", "this model has no chat template and reads one question: the last message is of %s, want user", clip(messages[at].Role, 20))
	}
	b := begun{Prompt: l.Ask(messages[at].Content)}
	if len(messages) > 1 {
		b.note = fmt.Sprintf("this model has no chat template and reads one question: %d earlier messages were not given to it", len(messages)-1)
	}
	return b, nil
}

// beginning is how a client begins a reply.
type beginning struct {
	thought, answer string
	opens, closes   bool // there is a thought, and it has ended
}

// beginningOf reads the last message of the assistant: its thought stands in a field of its own, or between marks before its content.
func beginningOf(last chat.Message, tags chat.Tags) beginning {
	g := beginning{thought: last.Reasoning, answer: last.Content, opens: last.Reasoning != "", closes: last.Reasoning != "" && last.Content != ""}
	rest, marked := strings.CutPrefix(strings.TrimLeft(last.Content, " \t\r\n"), tags.Open)
	if g.opens || !marked || tags.Open == "" {
		return g
	}
	g.opens = true
	g.thought, g.answer, g.closes = strings.Cut(strings.TrimPrefix(rest, "\n"), tags.Close)
	g.answer = strings.TrimLeft(g.answer, "\n")
	return g
}

// goOn puts the beginning of a reply behind the prompt. Its text is the client's, so that no mark in it counts; the marks around the thought are ours.
func (l *loaded) goOn(b *begun, last chat.Message) error {
	mark := func(text string, id int32) {
		b.Text += text
		if id != 0 {
			b.IDs = append(b.IDs, id)
			return
		}
		b.IDs = append(b.IDs, l.Tokenizer.EncodeText(text)...)
	}
	say := func(text string) {
		b.Text += text
		b.IDs = append(b.IDs, l.Tokenizer.EncodeQuoted(tokenizer.Quote(text))...)
	}
	b.IDs = slices.Clone(b.IDs)
	g := beginningOf(last, b.Tags)
	b.said = news{thought: g.thought, answer: g.answer}
	if g.opens {
		lead := ""
		switch b.State {
		case chat.Answering:
			return bad("messages", "the last message begins a thought, and the prompt has closed it already: leave reasoning_content out")
		case chat.Undecided:
			mark(b.Tags.Open, b.Tags.OpenID)
			lead, b.State = "\n", chat.Thinking
		}
		before := len(b.IDs)
		say(lead)
		say(g.thought)
		b.used, b.continued = len(b.IDs)-before, g.thought != ""
	}
	if g.answer == "" && !g.closes {
		return nil
	}
	if b.State == chat.Thinking {
		if g.thought != "" && !strings.HasSuffix(g.thought, "\n") {
			say("\n")
		}
		mark(b.Tags.Close, b.Tags.CloseID)
		say("\n\n")
	}
	say(g.answer)
	b.State, b.continued = chat.Answering, g.answer != ""
	return nil
}

// clip makes one short line of a text from outside.
func clip(text string, most int) string {
	if len(text) > most {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
