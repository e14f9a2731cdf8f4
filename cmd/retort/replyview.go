package main

import (
	"fmt"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/tokenizer"
)

// replyView prints a reply token by token: the thought dimmed on a terminal,
// then the answer. Whether the reply begins within a thought is known from the
// prompt's end; no text is searched for it.
type replyView struct {
	out             *output
	decoder         *tokenizer.Decoder
	splitter        *chat.Splitter
	thought, answer strings.Builder
	answering       bool // the answer has begun
	tokens          int  // so far
	isBlank         bool // nothing of the present part has been printed
}

func newReplyView(t *tokenizer.Tokenizer, p *chat.Prompt, out *output) *replyView {
	return &replyView{
		out: out, decoder: t.NewDecoderWith(tokenizer.DecodeOptions{SkipSpecial: true}),
		splitter: chat.NewSplitter(p.Tags, p.State), isBlank: true,
	}
}

func (v *replyView) push(token int32) {
	v.tokens++
	v.print(v.splitter.WriteToken(token, v.decoder.Push(token)))
}

// print writes what has become certain of both parts.
func (v *replyView) print(thought, answer string) {
	if thought != "" {
		v.thought.WriteString(thought)
		v.part(thought)
	}
	if answer != "" {
		if !v.answering {
			v.line()
			v.answering, v.isBlank = true, true
		}
		v.answer.WriteString(answer)
		v.part(answer)
	}
}

// part writes a piece of the present part.
func (v *replyView) part(text string) {
	if v.isBlank {
		text = strings.TrimLeft(text, "\n ")
	}
	if text == "" || v.out.json {
		return
	}
	text = printable(text, true)
	switch {
	case !v.answering && v.out.colour:
		text = "\x1b[2m" + text + "\x1b[0m"
	case v.answering && v.isBlank:
		text = "answer: " + text
	}
	v.isBlank = false
	fmt.Fprint(v.out.std.out, text)
}

// line ends the last line of a part, if it has none.
func (v *replyView) line() {
	part := &v.thought
	if v.answering {
		part = &v.answer
	}
	if !v.isBlank && !v.out.json && !strings.HasSuffix(part.String(), "\n") {
		fmt.Fprintln(v.out.std.out)
	}
}

func (v *replyView) end() {
	thought, answer := v.splitter.Write(v.decoder.Flush())
	v.print(thought, answer)
	v.print(v.splitter.Close())
	v.line()
}
