package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/eval"
)

// evalCommand evaluates.
type evalCommand struct {
	Run evalRunCommand `cmd:"" default:"withargs" help:"Run a benchmark or a task, or judge recorded answers."`
}

// evalRunCommand runs a benchmark, or judges recorded answers.
type evalRunCommand struct {
	Replay  string   `name:"replay" placeholder:"FILE" help:"Judge recorded answers: JSON lines with gold and completion (or pred), perhaps gzipped; - is standard input."`
	Options []string `name:"option" placeholder:"NAME=VALUE" sep:"none" help:"A convention of grading, such as percent=either; an unknown name lists them all. Repeatable."`
}

// Run does what the flags ask for.
func (c *evalRunCommand) Run(_ context.Context, out *output) error {
	if c.Replay != "" {
		return c.replay(out)
	}
	return usage(errors.New("nothing to evaluate"), "retort eval --replay FILE.jsonl.gz")
}

// replay judges recorded answers against their reviewed verdicts.
func (c *evalRunCommand) replay(out *output) error {
	base, err := gradeOptions(c.Options, "retort eval --replay FILE")
	if err != nil {
		return err
	}
	source, err := openInput(out, c.Replay)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was only read
	all := eval.NewReplay()
	err = eval.EachRecorded(source, func(r *eval.Recorded) error {
		before := all.Disagree + all.Unknown
		v, err := all.Judge(r, base)
		if err != nil || all.Disagree+all.Unknown == before {
			return err
		}
		out.result("%s: %s, recorded %s, by %s: gold %s | answer %s", oneLine(r.ID), v.Outcome, rightOrWrong(*r.Reference()), v.Rule, oneLine(v.Gold), oneLine(v.Answer))
		return out.event("disagreement", map[string]any{"id": r.ID, "source": r.Source, "verdict": v, "recorded": rightOrWrong(*r.Reference())})
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.Replay, err)
	}
	return printReplay(out, all)
}

func rightOrWrong(isRight bool) string {
	if isRight {
		return "right"
	}
	return "wrong"
}

func printReplay(out *output, r *eval.Replay) error {
	rows := [][]string{{"SOURCE", "ANSWERS", "AGREE", "DISAGREE", "UNKNOWN", "AGREEMENT", "NO VERDICT"}}
	row := func(name string, a *eval.Agreement) {
		share := "-"
		if a.N > 0 {
			share = fmt.Sprintf("%.2f %%", 100*float64(a.Agree)/float64(a.N))
		}
		rows = append(rows, []string{oneLine(name), fmt.Sprint(a.N), fmt.Sprint(a.Agree), fmt.Sprint(a.Disagree), fmt.Sprint(a.Unknown), share, fmt.Sprint(a.WithoutOne)})
	}
	for _, name := range r.Names() {
		row(name, r.Sources[name])
	}
	row("in all", &r.Agreement)
	table(out, rows)
	return out.event("summary", r)
}
