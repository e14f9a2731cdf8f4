package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/lab"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/train"
)

// labCommand tells the whole story at tiny scale.
type labCommand struct {
	Task    string   `default:"countdown-3" complete:"task" help:"What everything is about: countdown-3, countdown-4, linear or multiplication. The gates are meant for the first."`
	Quick   bool     `help:"Run every stage in seconds; the claims of science are not judged."`
	Full    bool     `help:"Add the controls that take longer."`
	Seeds   int      `default:"1" help:"How many seeds."`
	Seed    uint64   `default:"1" help:"The first seed."`
	Dir     string   `placeholder:"DIR" help:"The lab's folder; an interrupted lab goes on. Default: runs/lab, runs/lab-quick or runs/lab-full."`
	Threads int      `default:"0" help:"Threads; 0 means 2."`
	Inexact bool     `help:"Let an interrupted stage go on with another build or instruction set."`
	Embed   string   `placeholder:"DIR" help:"Write the best model to DIR in bf16, as internal/tinymodel/files holds it."`
	Set     []string `placeholder:"KEY=VALUE" sep:"none" help:"Change a setting, such as reinforce.steps=100; repeatable."`
}

// Run runs the lab.
func (c *labCommand) Run(ctx context.Context, out *output) error {
	size, err := c.size()
	if err != nil {
		return err
	}
	if c.Seeds < 1 || c.Threads < 0 {
		return usage(explain.Errorf("bad-value", "got --seeds %d --threads %d, want at least 1 and at least 0", c.Seeds, c.Threads), "retort lab --help")
	}
	if names := lab.TaskNames(); c.Task != "" && !slices.Contains(names, c.Task) {
		return usage(explain.Errorf("bad-value", "--task: got %.60q, want one of %s", c.Task, strings.Join(names, ", ")), "")
	}
	if c.Dir == "" {
		c.Dir = labFolder(c.Task, size)
	}
	p := &labPrinter{out: out}
	result, err := lab.Run(ctx, &lab.Options{
		Dir: c.Dir, Task: c.Task, Size: size, Seed: c.Seed, Seeds: c.Seeds, Threads: c.Threads, Inexact: c.Inexact, Event: p.event,
		Command: append([]string{"retort"}, os.Args[1:]...),
		Change: func(s *lab.Settings) error {
			for _, assignment := range c.Set {
				if err := recipe.Set(s, assignment); err != nil {
					return usage(recipeFault(err), "retort lab --help")
				}
			}
			return nil
		},
	})
	if err != nil {
		return advise(err, "the same command goes on from the last checkpoint")
	}
	if err := out.event("result", result); err != nil {
		return err
	}
	printLab(out, result)
	if !result.Sound() {
		return explain.Errorf("unsound", "a gate about the machinery failed: this build is not to be trusted, whatever the science says; see the gates above")
	}
	if c.Embed == "" {
		return nil
	}
	best, err := result.WriteBest(c.Embed)
	if err == nil {
		out.note("the best model, %s, is in %s", best, c.Embed)
	}
	return err
}

// labFolder is where a lab lies if no folder is named: runs/lab, then the task if it is not the first, then the size.
func labFolder(name string, size lab.Size) string {
	folder := "runs/lab"
	if name != "" && name != lab.TaskNames()[0] {
		folder += "-" + name
	}
	return strings.TrimSuffix(folder+"-"+string(size), "-")
}

func (c *labCommand) size() (lab.Size, error) {
	switch {
	case c.Quick && c.Full:
		return "", usage(fmt.Errorf("got --quick and --full, want one of them"), "retort lab --help")
	case c.Quick:
		return lab.Quick, nil
	case c.Full:
		return lab.Full, nil
	}
	return lab.Standard, nil
}

// labPrinter shows a lab's events.
type labPrinter struct {
	out      *output
	stage    string
	progress *progress
}

// labMetrics are the metrics of a step that its line shows.
var labMetrics = []struct{ name, label, format string }{
	{train.MetricLoss, "loss", "%.3f"}, {train.MetricAccuracy, "accuracy", "%.3f"},
	{"reflections", "reflections", "%.2f"}, {train.MetricLengthMean, "length", "%.0f"},
}

func (p *labPrinter) event(e lab.Event) {
	if err := p.out.event(e.Kind, e); err != nil {
		p.out.note("%v", err)
	}
	switch e.Kind {
	case "plan":
		p.out.note("%s\n%s", e.Title, e.Text)
	case "begin":
		p.progress = nil
	case "step":
		if key := fmt.Sprint(e.Seed, e.Stage); p.progress == nil || p.stage != key {
			p.stage, p.progress = key, newProgress(p.out, e.Title, e.Step, e.Steps) // how long the first took is not known
		}
		p.progress.step(e.Step, labDetail(e.Metrics))
	case "end":
		p.out.note("%s: %s", e.Title, e.Text)
	case "finding":
		p.out.note("%s, step %d: %s", e.Title, e.Step, e.Text)
	}
}

func labDetail(metrics []runstore.Value) string {
	var parts []string
	for _, m := range labMetrics {
		for _, v := range metrics {
			if v.Name == m.name {
				parts = append(parts, m.label+" "+fmt.Sprintf(m.format, v.Number))
			}
		}
	}
	return strings.Join(parts, "  ")
}

// printLab prints the table and the gates.
func printLab(out *output, r *lab.Result) {
	for i := range r.Seeds {
		s := &r.Seeds[i]
		out.result("\nSeed %d, %d held-out problems\n", s.Seed, s.Settings.Evaluation.Problems)
		out.result("%-30s %10s %8s %17s %14s %7s %12s %9s %8s", "model", "parameters", "pass@1", "95 %", "pass@k", "blind", "reflections", "converted", "verdicts")
		for _, m := range s.Summary {
			out.result("%-30s %10d %7.1f%% %7.1f%% to %5.1f%% %8.1f%% (%2d) %6.1f%% %12.2f %8.1f%% %7.1f%%", lab.ModelTitle(m.Model), m.Parameters, 100*m.PassAt1,
				100*m.Low, 100*m.High, 100*m.PassAtK, m.K, 100*m.Blind, m.Reflections, 100*m.Converted, 100*m.Verdicts)
		}
		out.result("%s", s.BlindLine())
		for _, row := range s.Sweep {
			out.result("RL-only sweep: learning rate %-8g %5.1f%% on training problems, %d tokens", row.LearningRate, 100*row.TrainAccuracy, row.Tokens)
		}
	}
	out.result("")
	for i := range r.Gates {
		out.result("%s", r.Gates[i].Line())
	}
	out.result("\nReport: %s\n        %s", r.Report, r.Markdown)
}
