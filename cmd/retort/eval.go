package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/eval"
)

// evalCommand evaluates.
type evalCommand struct {
	Run     evalRunCommand     `cmd:"" default:"withargs" help:"Run a benchmark or a task, or judge recorded answers."`
	Report  evalReportCommand  `cmd:"" help:"Write a run's report: HTML and Markdown, with plots."`
	Compare evalCompareCommand `cmd:"" help:"Set two runs on the same problems side by side, with the interval of the difference."`
	Regrade evalRegradeCommand `cmd:"" help:"Judge a run's samples anew, without generating."`
}

// evalRunCommand runs a benchmark, or judges recorded answers.
type evalRunCommand struct {
	inferenceFlags
	KV    string `name:"kv" default:"f32" enum:"f32,bf16,f16,q8_0" placeholder:"FORMAT" help:"Keys and values in f32, bf16, f16 or q8_0: 16 bits take half the memory and the traffic, and round; q8_0 takes 8.5 and costs accuracy."`
	Bench string `name:"bench" complete:"benchmark" placeholder:"NAME" help:"A benchmark: ${benchmarks}."`
	Task  string `name:"task" complete:"task" placeholder:"NAME" help:"Or a task of the lab, such as countdown-3: held-out problems."`
	Data  string `name:"data" complete:"file" variable:"RETORT_BENCH_DATA" placeholder:"PATH" help:"The benchmark's problems: a file of JSON lines, or a folder that holds one of its name."`
	Limit int    `name:"limit" placeholder:"N" help:"Only the first N problems; of a task the default is 100."`

	Model        string `name:"model" complete:"model" placeholder:"DIR" help:"A GGUF file, a model's folder, or a run's; default: the embedded model. With --endpoint, its name there."`
	Tokenizer    string `name:"tokenizer" complete:"tokenizer" placeholder:"NAME" help:"lab, bytes or a tokenizer.json; default: the one beside the model."`
	System       string `name:"system" placeholder:"TEXT" help:"A system message; the published protocol has none."`
	Prompt       string `name:"prompt" placeholder:"TEXT" help:"What the user says in place of the benchmark's form; {problem} and {choices} are filled in."`
	ForceThought bool   `name:"force-thought" help:"Begin every reply within a thought, where the template does not."`

	endpointFlags

	Samples     int      `name:"samples" short:"n" placeholder:"N" help:"Samples of each problem; default: the published number."`
	Temperature *float32 `name:"temperature" placeholder:"T" help:"Default 0.6; 0 is greedy, with one sample."`
	TopP        *float32 `name:"top-p" placeholder:"P" help:"Default: the benchmark's, 0.95; of a task 1."`
	MaxTokens   int      `name:"max-tokens" placeholder:"N" help:"Most tokens of a reply; default 32768, or what the model's positions leave."`
	Seed        uint64   `name:"seed" help:"Equal seeds give equal samples, whatever the batch."`
	Batch       int      `name:"batch" placeholder:"N" help:"Samples generated together, and recorded together by a local model; default 64, of replies beyond 4096 tokens 16."`

	Votes     int      `name:"votes" placeholder:"K" help:"Samples of each problem that vote; as --samples."`
	Decided   deciding `name:"stop-when-decided" help:"Stop sampling a problem when its vote cannot change any more, or with =CONFIDENCE (above 0.5, below 1) when it is settled with that probability."`
	Round     int      `name:"round" placeholder:"N" help:"Samples drawn before a vote is looked at; default 4."`
	Price     []string `name:"price" placeholder:"IN,OUT" help:"Price of a million prompt tokens and of a million sampled ones, for the cost of a solved problem."`
	Options   []string `name:"option" placeholder:"NAME=VALUE" sep:"none" help:"A convention of grading, such as percent=either; an unknown name lists them all. Repeatable."`
	Resamples int      `name:"resamples" placeholder:"N" help:"Of the bootstrap; default 4000."`

	Folder  string `name:"run" placeholder:"DIR" help:"Folder of the run; default: below runs, by name and time."`
	Resume  string `name:"resume" placeholder:"RUN" help:"Go on with a run that was stopped or killed."`
	Inexact bool   `name:"inexact" help:"Resume although the program or the instruction set is another: further samples may have other bits."`
	Replay  string `name:"replay" placeholder:"FILE" help:"Judge recorded answers: JSON lines with gold and completion (or pred), perhaps gzipped; - is standard input. With --run they become a run; --model chooses whose."`
}

// deciding is a flag with or without a value.
type deciding struct {
	isOn       bool
	confidence float64
}

// IsBool implements kong.BoolMapperValue.
func (deciding) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (d *deciding) Decode(ctx *kong.DecodeContext) error {
	d.isOn, d.confidence = true, 1
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	text := fmt.Sprint(ctx.Scan.Pop().Value)
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x > 0.5 && x <= 1) {
		return fmt.Errorf("got %q, want a probability above 0.5 to 1", text)
	}
	d.confidence = x
	return nil
}

// Run does what the flags ask for.
func (c *evalRunCommand) Run(ctx context.Context, out *output) error {
	switch {
	case c.Replay != "" && c.Folder != "":
		return c.record(ctx, out)
	case c.Replay != "":
		return c.replay(ctx, out)
	case c.Resume != "":
		return c.resume(ctx, out)
	case (c.Bench == "") == (c.Task == ""):
		return usage(explain.Errorf("missing-argument", "nothing to evaluate: want --bench or --task"), "retort eval --task countdown-3")
	}
	return c.begin(ctx, out)
}

// replay judges recorded answers against their reviewed verdicts.
func (c *evalRunCommand) replay(ctx context.Context, out *output) error {
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
	all.Code = eval.CodeJudge(ctx, newPythonRunner(""))
	err = eval.EachRecorded(source, func(r *eval.Recorded) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		before := all.Disagree + all.Unknown
		v, err := all.Judge(r, base)
		if err != nil || all.Disagree+all.Unknown == before {
			return err
		}
		out.result("%s: %s, recorded %s, by %s: gold %s | answer %s", oneLine(string(r.ID)), v.Outcome, rightOrWrong(*r.Reference()), v.Rule, oneLine(v.Gold), oneLine(v.Answer))
		return out.event("disagreement", map[string]any{"id": r.ID, "source": r.Source, "verdict": v, "recorded": rightOrWrong(*r.Reference())})
	})
	if err != nil {
		return inputFault(fmt.Errorf("%s: %w", c.Replay, err))
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
