package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/tokenizer"
)

// learner turns lines of data into what a model learns.
type learner struct {
	speaker *speaker
	marks   distill.Marks
	noEnd   bool
	// fits has a reply that another model wrote put as the prompt wants it, see fitReply.
	fits bool
	// ids ends a reply in the model's template; nil until it is asked for
	ids []int32
}

func (s *speaker) learner(d *dataRecipe) *learner {
	l := &learner{
		speaker: s, noEnd: d.NoEnd,
		marks: distill.Marks{User: tokenizer.User, Assistant: tokenizer.Assistant, End: s.end(), Replies: distill.Replies(d.Replies)},
	}
	if d.NoEnd {
		l.marks.End = ""
	}
	return l
}

// end is the text of the token that ends a reply: the lab's where the tokenizer has it, else the
// model's first.
func (s *speaker) end() string {
	if _, ok := s.tokenizer.ID(tokenizer.End); ok {
		return tokenizer.End
	}
	text, _ := s.tokenizer.Token(s.model.Config().EOS)
	return text
}

// sequences are the tokens of one line. Messages are put into the model's own template, or into the lab's form.
func (l *learner) sequences(e *distill.Example) ([]distill.Sequence, error) {
	s := l.speaker
	if e.Messages != nil && s.hasTemplate() {
		return e.EncodeChat(l.turn, l.marks.Replies)
	}
	if e.Messages != nil {
		if _, ok := s.tokenizer.ID(l.marks.User); !ok {
			return nil, errors.New("messages want a model with a chat template, or the tokenizer lab or bytes")
		}
		for i, m := range e.Messages {
			if m.Role == distill.RoleSystem {
				return nil, fmt.Errorf("message %d: role %q wants a model with a chat template", i, m.Role)
			}
		}
	}
	tokens, learned := e.Encode(s.tokenizer, l.marks)
	return []distill.Sequence{{Tokens: tokens, Learned: learned}}, nil
}

// conversation is messages in the model's template.
func (s *speaker) conversation(messages []distill.Message, o chat.InputOptions) (chat.Prompt, error) {
	list := make([]chat.Message, len(messages))
	for i, m := range messages {
		list[i] = chat.Message{Role: m.Role, Content: m.Content}
	}
	return s.messages(list, o)
}

// turn is a distill.Turn. Where the prompt has opened the thought, the reply does not say the mark again.
func (l *learner) turn(before []distill.Message, text string) (prompt, spoken []int32, err error) {
	p, err := l.speaker.conversation(before, chat.InputOptions{AddGenerationPrompt: true})
	if err != nil {
		return nil, nil, err
	}
	if l.fits {
		text = fitReply(text, &p)
	}
	switch p.State {
	case chat.Answering:
		if strings.Contains(text, p.Tags.Close) {
			return nil, nil, fmt.Errorf("the template has closed the thought before the reply, and the reply has one; take it out, or give the model a template that does not end with %s", p.Tags.Close)
		}
	case chat.Thinking:
		if rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \n"), p.Tags.Open); ok {
			text = rest
			if strings.HasSuffix(p.Text, "\n") {
				text = strings.TrimPrefix(text, "\n")
			}
		}
		if !strings.Contains(text, p.Tags.Close) {
			return nil, nil, fmt.Errorf("the template opens a thought with %s, and the reply has no %s that ends one; want %s, the thought, %s and the answer", p.Tags.Open, p.Tags.Close, p.Tags.Open, p.Tags.Close)
		}
	}
	if l.ids == nil && !l.noEnd {
		l.ids = l.ending()
	}
	return p.IDs, append(l.encode(text, p.Tags), l.ids...), nil
}

// encode is a reply's text, in which no special token is recognised but the marks of its first thought.
func (l *learner) encode(text string, tags chat.Tags) []int32 {
	t := l.speaker.tokenizer
	if tags.CloseID == 0 {
		return t.EncodeText(text)
	}
	var ids []int32
	if rest, ok := strings.CutPrefix(text, tags.Open); ok {
		ids, text = append(ids, tags.OpenID), rest
	}
	if thought, answer, ok := strings.Cut(text, tags.Close); ok {
		ids, text = append(append(ids, t.EncodeText(thought)...), tags.CloseID), answer
	}
	return append(ids, t.EncodeText(text)...)
}

// ending is what ends a reply: the token that the template puts there if the model ends its texts with it, else the
// model's first. A model whose template ends a reply by another token than the first learns the one that it is read with.
func (l *learner) ending() []int32 {
	s := l.speaker
	const probe = "0"
	p, err := s.conversation([]distill.Message{{Role: distill.RoleUser, Content: probe}, {Role: distill.RoleAssistant, Content: probe}}, chat.InputOptions{})
	if at := strings.LastIndex(p.Text, probe); err == nil && at >= 0 {
		behind := s.tokenizer.Encode(p.Text[at+len(probe):])
		if len(behind) > 0 && slices.Contains(s.stopTokens(), behind[0]) {
			return behind[:1]
		}
	}
	return s.tokenizer.Encode(l.marks.End)
}
