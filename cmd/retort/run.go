package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// runCommand answers questions and shows the thought.
type runCommand struct {
	inferenceFlags
	Question    []string `arg:"" optional:"" name:"question" help:"The question; without one, each line of standard input is one."`
	Model       string   `name:"model" placeholder:"DIR" help:"A GGUF file, a model's folder, or a run's; default: the embedded model."`
	Tokenizer   string   `name:"tokenizer" placeholder:"NAME" help:"lab, bytes or a tokenizer.json; default: the one beside the model."`
	MaxTokens   int      `name:"max-tokens" help:"Most tokens of a reply; 0 is as many as the model's positions allow."`
	Temperature float32  `name:"temperature" default:"0.6" help:"0 is greedy."`
	Seed        uint64   `name:"seed" help:"Another seed gives another thought."`
}

// openEmbedded opens the model that is part of the program.
func openEmbedded() (*speaker, error) {
	if !tinymodel.Present() {
		return nil, errors.New("this build has no embedded model; try: --model DIR, made by retort sft, grpo or lab")
	}
	var data [3][]byte
	for i, name := range []string{tinymodel.Config, tinymodel.Weights, tinymodel.Tokenizer} {
		var err error
		if data[i], err = fs.ReadFile(tinymodel.Files(), name); err != nil {
			return nil, err
		}
	}
	config, err := model.ParseConfig(data[0])
	if err != nil {
		return nil, err
	}
	file, err := weights.Parse("embedded model", data[1])
	if err != nil {
		return nil, err
	}
	m, err := model.Load(config, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	t, err := tokenizer.Parse(data[2])
	if err != nil {
		return nil, err
	}
	return &speaker{model: m, tokenizer: t}, nil
}

// Run answers.
func (c *runCommand) Run(ctx context.Context, out *output) error {
	if c.MaxTokens < 0 || !(c.Temperature >= 0) {
		return usage(errors.New("--max-tokens and --temperature want at least 0"), "")
	}
	open := c.embedded
	if c.Model != "" {
		open = func() (*speaker, error) { return c.speaker(c.Model, c.Tokenizer) }
	}
	s, err := open()
	if err != nil {
		return err
	}
	cpu, err := c.computeFlags.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	e, err := engine.New(s.model, cpu, &engine.Options{MaxBatch: 1})
	if err != nil {
		return err
	}
	if len(c.Question) > 0 {
		return c.answer(ctx, e, s, strings.Join(c.Question, " "), out)
	}
	lines := bufio.NewScanner(out.std.in)
	for out.ask(); lines.Scan(); out.ask() {
		if question := strings.TrimSpace(lines.Text()); question != "" {
			if err := c.answer(ctx, e, s, question, out); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// ask invites a person to type a question.
func (o *output) ask() {
	if o.terminal {
		fmt.Fprint(o.std.err, "> ")
	}
}

// reply is the --json form of an answer.
type reply struct {
	Question string              `json:"question"`
	Thought  string              `json:"thought"`
	Answer   string              `json:"answer"`
	Tokens   int                 `json:"tokens"`
	Finish   engine.FinishReason `json:"finish"`
	Verdict  string              `json:"verdict,omitempty"` // right or wrong, of a question in the lab's form
	Reason   string              `json:"reason,omitempty"`
}

// answer asks one question and prints the reply while it comes.
func (c *runCommand) answer(ctx context.Context, e *engine.Engine, s *speaker, question string, out *output) error {
	prompt, err := s.prompt(question)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	view := newReplyView(s.tokenizer, &prompt, out)
	result, err := e.Stream(ctx, engine.Request{
		Prompt: prompt.IDs, MaxTokens: c.MaxTokens, Temperature: c.Temperature,
		Stop: s.stopTokens(), Seed: engine.Seed{Run: c.Seed},
	}, func(token int32, _ float32) { view.push(token) })
	view.end()
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	r := reply{
		Question: question, Thought: strings.TrimSpace(view.thought.String()), Answer: strings.TrimSpace(view.answer.String()),
		Tokens: len(result.Tokens), Finish: result.Finish,
	}
	r.judge()
	switch {
	case r.Verdict == "right":
		out.result("right")
	case r.Verdict != "":
		out.result("wrong: %s", oneLine(r.Reason))
	}
	if result.Finish == engine.FinishLength {
		out.note("the reply was cut after %d tokens; try: a larger --max-tokens", r.Tokens)
	}
	if c.Model == "" && r.Verdict == "" {
		out.note(`the embedded model knows only questions such as "Use 3, 7, 11 to make 32."`)
	}
	return out.event("reply", r)
}

// countdownQuestion is a question in the lab's form.
var countdownQuestion = regexp.MustCompile(`^Use (\d{1,6}(?:, \d{1,6})*) to make (\d{1,9})\.?$`)

// judge gives the verdict on a question in the lab's form.
func (r *reply) judge() {
	match := countdownQuestion.FindStringSubmatch(r.Question)
	if match == nil {
		return
	}
	var numbers []int
	for text := range strings.SplitSeq(match[1], ", ") {
		n, _ := strconv.Atoi(text) // digits, few enough
		numbers = append(numbers, n)
	}
	target, _ := strconv.Atoi(match[2])
	r.Verdict = "right"
	if r.Answer == "" {
		r.Verdict, r.Reason = "wrong", "no answer"
	} else if err := behaviour.CheckAnswer(r.Answer, numbers, target); err != nil {
		r.Verdict, r.Reason = "wrong", err.Error()
	}
}

// replyView prints a reply token by token: the thought dimmed on a terminal,
// then the answer. Whether the reply begins within a thought is known from the
// prompt's end; no text is searched for it.
type replyView struct {
	out             *output
	decoder         *tokenizer.Decoder
	splitter        *chat.Splitter
	thought, answer strings.Builder
	answering       bool // the answer has begun
	isBlank         bool // nothing of the present part has been printed
}

func newReplyView(t *tokenizer.Tokenizer, p *chat.Prompt, out *output) *replyView {
	return &replyView{
		out: out, decoder: t.NewDecoderWith(tokenizer.DecodeOptions{SkipSpecial: true}),
		splitter: chat.NewSplitter(p.Tags, p.State), isBlank: true,
	}
}

func (v *replyView) push(token int32) { v.print(v.splitter.WriteToken(token, v.decoder.Push(token))) }

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
