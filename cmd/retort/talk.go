package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
)

// chatSettings are what a chat may change while it goes on.
type chatSettings struct {
	MaxTokens   int
	Temperature float32
	TopP, MinP  float32
	TopK        int
	Budget      int // of the thought: engine.Thinking.Budget
	System      string
	Samples     int
	Vote        bool
	Seed        uint64
}

// setThink reads on, off or a number of tokens.
func (o *chatSettings) setThink(text string) error {
	switch text {
	case "on":
		o.Budget = 0
		return nil
	case "off":
		o.Budget = engine.NoThought
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return fmt.Errorf("think: got %.20q, want on, off or a number of tokens", text)
	}
	if o.Budget = n; n == 0 {
		o.Budget = engine.NoThought
	}
	return nil
}

// check reports every setting that is out of range.
func (o *chatSettings) check() error {
	var faults []error
	fault := func(bad bool, name, want string) {
		if bad {
			faults = append(faults, fmt.Errorf("%s wants %s", name, want))
		}
	}
	fault(o.MaxTokens < 0, "max-tokens", "at least 0")
	fault(!(o.Temperature == 0 || o.Temperature >= 0.01 && o.Temperature <= 100), "temperature", "0, or 0.01 to 100")
	fault(!(o.TopP == -1 || o.TopP > 0 && o.TopP <= 1), "top-p", "above 0 to 1")
	fault(!(o.MinP >= 0 && o.MinP <= 1), "min-p", "0 to 1")
	fault(o.TopK < 0, "top-k", "at least 0")
	fault(o.Samples < 1 || o.Samples > 4096, "samples", "1 to 4096")
	return errors.Join(faults...)
}

// talk is a conversation with a model.
type talk struct {
	engine     *engine.Engine
	speaker    *speaker
	out        *output
	set        chatSettings
	isEmbedded bool
	memory     string // what it takes, as a table
	batch      int    // so many samples are decoded together
	reopen     func(batch int) (*engine.Engine, error)

	history  []chat.Message // without the system message
	question string         // the last one
	asked    int            // questions so far: each draws from a seed of its own
	last     replyUsage
}

// turn is one question on its way.
type turn struct {
	question string
	prompt   chat.Prompt
	begin    time.Time
	first    time.Duration
	stopped  bool // by the person
}

// ask answers one question, prints the reply while it comes, and takes both into the history. keys, if not nil, is what a person does meanwhile.
func (t *talk) ask(ctx context.Context, question string, keys *keyboard) error {
	messages := append(t.messages(), chat.Message{Role: "user", Content: question})
	prompt, err := t.speaker.ask(messages)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if prompt.Tags.CloseID == 0 && t.set.Budget != 0 {
		return fmt.Errorf("run: %q is no token of the model's vocabulary, so that a thought cannot be closed for it; try: --think on", prompt.Tags.Close)
	}
	if err := t.widen(); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	q := &turn{question: question, prompt: prompt, begin: time.Now()}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	job, err := t.engine.Submit(ctx, t.request(q))
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	t.asked++
	t.question = question
	answer := ""
	if t.set.Samples > 1 {
		answer, err = t.vote(q, job, cancel, keys)
	} else {
		answer, err = t.follow(q, job, cancel, keys)
	}
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if t.speaker.hasTemplate() {
		t.history = append(t.history, chat.Message{Role: "user", Content: question}, chat.Message{Role: "assistant", Content: answer})
	}
	return nil
}

// widen makes room for as many samples at once as a question wants: an engine is made for a batch, and a chat begins with one sample. The next prompt is
// evaluated anew. A cache whose size was given keeps it.
func (t *talk) widen() error {
	batch := together(t.set.Samples)
	if t.reopen == nil || batch <= t.batch {
		return nil
	}
	e, err := t.reopen(batch)
	if err != nil {
		return err
	}
	t.engine, t.batch, t.memory = e, batch, "" // the table was for fewer
	return nil
}

// messages is the conversation so far.
func (t *talk) messages() []chat.Message {
	var list []chat.Message
	if t.set.System != "" {
		list = append(list, chat.Message{Role: "system", Content: t.set.System})
	}
	return append(list, t.history...)
}

// request is a turn as the engine gets it.
func (t *talk) request(q *turn) engine.Request {
	r := engine.Request{
		Prompt: q.prompt.IDs, MaxTokens: t.set.MaxTokens, Temperature: t.set.Temperature, TopK: t.set.TopK, MinP: t.set.MinP,
		Stop: t.speaker.stopTokens(), Seed: engine.Seed{Run: t.set.Seed, Problem: uint64(t.asked)}, Samples: t.set.Samples,
	}
	if t.set.TopP < 1 {
		r.TopP = t.set.TopP
	}
	if tags := q.prompt.Tags; tags.CloseID != 0 {
		r.Thinking = &engine.Thinking{
			Begins: engine.ThoughtState(q.prompt.State), Open: []int32{tags.OpenID}, Close: []int32{tags.CloseID}, Budget: t.set.Budget,
			Loop: &engine.LoopDetection{},
		}
	}
	return r
}

// follow prints the only reply.
func (t *talk) follow(q *turn, job *engine.Job, cancel func(), keys *keyboard) (string, error) {
	view := newReplyView(t.speaker.tokenizer, &q.prompt, t.out)
	keys.watch(job, func(u engine.Update) {
		if q.first == 0 {
			q.first = time.Since(q.begin)
		}
		for _, token := range u.Tokens {
			view.push(token)
		}
	}, func() { q.stopped = true; cancel() })
	results, err := job.Wait()
	view.end()
	if err != nil && !q.stopped {
		return "", err
	}
	r := t.reply(q, &results[0], view)
	switch {
	case r.Verdict == "right":
		t.out.result("right")
	case r.Verdict != "":
		t.out.result("wrong: %s", oneLine(r.Reason))
	}
	t.remark(q, r)
	return r.Content, t.out.event("reply", r)
}

// reply makes the record of a result that view has seen.
func (t *talk) reply(q *turn, result *engine.Result, view *replyView) *reply {
	r := &reply{
		Question: q.question, Reasoning: strings.TrimSpace(view.thought.String()), Content: strings.TrimSpace(view.answer.String()),
		Finish: result.Finish, Closed: result.Thought.Ended, Sample: result.Sample,
		Usage: replyUsage{
			Prompt: len(q.prompt.IDs), Cached: result.PromptCached, Reply: len(result.Tokens), Reasoning: view.splitter.ReasoningTokens(),
		},
		Timings: replyTimings{FirstToken: q.first.Seconds(), Total: time.Since(q.begin).Seconds()},
	}
	t.last = r.Usage
	r.judge()
	return r
}

// remark tells what a person should know about a reply.
func (t *talk) remark(q *turn, r *reply) {
	switch {
	case q.stopped:
		t.out.note("stopped after %d tokens", r.Usage.Reply)
	case r.Finish == engine.FinishLength && r.Content == "" && r.Usage.Reasoning > 0:
		t.out.note("the thought took all %d tokens and left no answer; try: a larger --max-tokens, or --think with a number", r.Usage.Reply)
	case r.Finish == engine.FinishLength:
		t.out.note("the reply was cut after %d tokens; try: a larger --max-tokens", r.Usage.Reply)
	}
	switch r.Closed {
	case engine.EndedByLoop:
		t.out.note("the thought went round in circles and was closed after %d tokens", r.Usage.Reasoning)
	case engine.EndedByBudget:
		if t.set.Budget > 0 {
			t.out.note("the thought was closed after %d tokens", r.Usage.Reasoning)
		}
	}
	if t.isEmbedded && r.Verdict == "" {
		t.out.note(`the embedded model knows only questions such as "Use 3, 7, 11 to make 32."`)
	}
}
