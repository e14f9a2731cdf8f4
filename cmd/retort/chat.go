package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/engine"
)

// keyboard is what a person types and presses while the model speaks. A nil one is nobody.
type keyboard struct {
	lines      chan string
	failed     error // why there are no more lines; read after lines is closed
	interrupts chan os.Signal
	waiting    []string // lines typed meanwhile
	isPerson   bool
}

// newKeyboard reads lines. For a person Ctrl-C stops the answer from now on, not the program.
func newKeyboard(in io.Reader, isPerson bool) *keyboard {
	k := &keyboard{lines: make(chan string), isPerson: isPerson}
	if isPerson {
		k.interrupts = make(chan os.Signal, 1)
		signal.Reset(os.Interrupt)
		signal.Notify(k.interrupts, os.Interrupt)
	}
	go func() {
		defer close(k.lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			k.lines <- scanner.Text()
		}
		k.failed = scanner.Err()
	}()
	return k
}

// line returns the next line; ok is false at the end, or when a person pressed Ctrl-C.
func (k *keyboard) line(ctx context.Context) (text string, ok bool, err error) {
	if len(k.waiting) > 0 {
		text, k.waiting = k.waiting[0], k.waiting[1:]
		return text, true, nil
	}
	select {
	case text, ok = <-k.lines:
		if !ok {
			err = k.failed
		}
		return text, ok, err
	case <-k.interrupts:
		return "", false, nil
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}

// watch hands over the news of a job. Meanwhile Ctrl-C stops it, and /answer closes its thoughts.
func (k *keyboard) watch(job *engine.Job, news func(engine.Update), stop func()) {
	updates := make(chan engine.Update)
	go func() {
		defer close(updates)
		for u, ok := job.Next(); ok; u, ok = job.Next() {
			updates <- u
		}
	}()
	var lines chan string
	var interrupts chan os.Signal
	if k != nil && k.isPerson {
		lines, interrupts = k.lines, k.interrupts
	}
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				return
			}
			news(u)
		case <-interrupts:
			stop()
		case text, ok := <-lines:
			switch {
			case !ok:
				lines = nil
			case strings.TrimSpace(text) == "/answer":
				job.CloseThoughts()
			default:
				k.waiting = append(k.waiting, text)
			}
		}
	}
}

// chat asks line by line until the input ends.
func (t *talk) chat(ctx context.Context) error {
	return t.converse(ctx, newKeyboard(t.out.std.in, t.out.terminal))
}

// converse is a chat with who sits at keys.
func (t *talk) converse(ctx context.Context, keys *keyboard) error {
	for {
		t.out.ask()
		text, ok, err := keys.line(ctx)
		if !ok || err != nil {
			return err
		}
		if rest, quoted := strings.CutPrefix(strings.TrimSpace(text), `"""`); quoted {
			if text, err = keys.block(ctx, rest); err != nil {
				if err = t.tolerate(ctx, err, keys); err != nil {
					return err
				}
				continue
			}
		} else if text = strings.TrimSpace(text); strings.HasPrefix(text, "/") {
			if leave, err := t.command(ctx, text, keys); leave || err != nil {
				return err
			}
			continue
		}
		if text == "" {
			continue
		}
		if err := t.tolerate(ctx, t.ask(ctx, text, keys), keys); err != nil {
			return err
		}
	}
}

// block reads the lines up to one that ends with """.
func (k *keyboard) block(ctx context.Context, text string) (string, error) {
	for {
		if body, ended := strings.CutSuffix(strings.TrimRight(text, " \t"), `"""`); ended {
			return strings.TrimSpace(body), nil
		}
		next, ok, err := k.line(ctx)
		if err == nil && !ok {
			err = errors.New(`run: the input ended within """`)
		}
		if err != nil {
			return "", err
		}
		text += "\n" + next
	}
}

// tolerate shows a person what went wrong with one question, and goes on, so that no conversation is lost by it; a program gets the error.
func (t *talk) tolerate(ctx context.Context, err error, keys *keyboard) error {
	if err == nil || !keys.isPerson || ctx.Err() != nil {
		return err
	}
	text := strings.TrimPrefix(err.Error(), "run: ")
	var refused *engine.RequestError
	if errors.As(err, &refused) {
		text = refused.Reason
	}
	t.out.note("%s", text)
	return nil
}

// chatHelp lists the commands.
const chatHelp = `/set NAME VALUE   temperature, top-p, top-k, min-p, max-tokens, seed or system
/show             the settings and the length of the conversation
/think on|off|N   let it think, not at all, or for at most N tokens
/n N              so many replies to each question, and how they vote
/retry            ask the last question again, with other draws
/clear            forget the conversation
/save FILE        write it down, a message a line
/load FILE        go on with the one in a file
/tokens           tokens of the last reply
/answer           while it thinks: close the thought now
"""               begins and ends a question of many lines
/bye              leave; Ctrl-C stops an answer`

// command carries out a line that begins with a slash.
func (t *talk) command(ctx context.Context, line string, keys *keyboard) (leave bool, err error) {
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	before := t.set
	switch name {
	case "/bye", "/exit", "/quit":
		return true, nil
	case "/help", "/?":
		t.out.note("%s", chatHelp)
	case "/set":
		key, value, _ := strings.Cut(rest, " ")
		if key == "" {
			t.show()
			break
		}
		err = t.set.assign(key, strings.TrimSpace(value))
	case "/think":
		err = t.set.setThink(strings.TrimSpace(strings.TrimPrefix(rest, "budget ")))
	case "/n":
		err = t.set.assign("samples", rest)
	case "/show":
		t.show()
	case "/save":
		err = t.save(rest)
	case "/load":
		err = t.load(ctx, rest)
	case "/clear":
		t.history = nil
	case "/tokens":
		t.out.note("prompt %d (%d of them from the turn before), reply %d, of which thought %d", t.last.Prompt, t.last.Cached, t.last.Reply, t.last.Reasoning)
	case "/retry":
		return false, t.retry(ctx, keys)
	case "/answer":
		t.out.note("nothing is thought at the moment; /answer closes a thought while it runs")
	default:
		err = fmt.Errorf("unknown command %.20q; try: /help", name)
	}
	if err == nil {
		err = t.set.check()
	}
	if err != nil {
		t.set = before
		t.out.note("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return false, nil
}

// retry takes the last question out of the conversation and asks it again.
func (t *talk) retry(ctx context.Context, keys *keyboard) error {
	if t.question == "" {
		t.out.note("nothing was asked yet")
		return nil
	}
	before := t.history
	t.history = before[:max(0, len(before)-2)]
	err := t.ask(ctx, t.question, keys)
	if err != nil {
		t.history = before
	}
	return t.tolerate(ctx, err, keys)
}

// assign changes one setting by its name.
func (o *chatSettings) assign(name, value string) error {
	var err error
	number := func() float32 {
		x, e := strconv.ParseFloat(value, 32)
		err = e
		return float32(x)
	}
	whole := func() int {
		n, e := strconv.Atoi(value)
		err = e
		return n
	}
	switch name {
	case "temperature":
		o.Temperature = number()
	case "top-p":
		o.TopP = number()
	case "min-p":
		o.MinP = number()
	case "top-k":
		o.TopK = whole()
	case "max-tokens":
		o.MaxTokens = whole()
	case "samples":
		o.Samples = whole()
	case "seed":
		o.Seed, err = strconv.ParseUint(value, 10, 64)
	case "system":
		o.System = value
	default:
		return fmt.Errorf("unknown setting %.20q; try: /help", name)
	}
	if err != nil {
		return fmt.Errorf("%s: got %.20q, want a number", name, value)
	}
	return nil
}

// show prints the settings.
func (t *talk) show() {
	think := "on"
	switch {
	case t.set.Budget == engine.NoThought:
		think = "off"
	case t.set.Budget > 0:
		think = strconv.Itoa(t.set.Budget)
	}
	t.out.note("temperature %v, top-p %v, top-k %d, min-p %v, max-tokens %d, think %s, n %d, seed %d", t.set.Temperature, t.set.TopP, t.set.TopK, t.set.MinP, t.set.MaxTokens, think, t.set.Samples, t.set.Seed)
	if t.set.System != "" {
		t.out.note("system: %s", oneLine(t.set.System))
	}
	t.out.note("%d questions so far, %d messages remembered", t.asked, len(t.history))
	if t.memory != "" {
		t.out.note("%s", t.memory)
	}
}
