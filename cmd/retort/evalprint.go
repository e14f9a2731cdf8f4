package main

import (
	"fmt"
	"math"

	"github.com/retort-ml/retort/eval"
)

// printRecord prints what a run found.
func printRecord(out *output, dir string, intervals *eval.IntervalOptions) error {
	record, err := eval.ReadRecord(dir)
	if err != nil {
		return err
	}
	for _, warning := range record.Warnings {
		out.note("%s: %s", dir, warning)
	}
	f, err := record.Figures(intervals)
	if err != nil {
		return err
	}
	printFigures(out, f)
	return out.event("summary", f)
}

// printFigures prints the tables that fit a terminal; the report has them all.
func printFigures(out *output, f *eval.Figures) {
	p := &f.Plan
	out.result("%s: %s", f.Run, oneLine(p.Name()))
	line := fmt.Sprintf("%d problems", f.Asked)
	if f.Refused > 0 {
		line += fmt.Sprintf(" (%d of them cannot be asked)", f.Refused)
	}
	line += fmt.Sprintf(", %d samples", f.Answers)
	if f.Missing > 0 {
		line += fmt.Sprintf(", %d missing", f.Missing)
	}
	if f.Unjudged > 0 {
		line += fmt.Sprintf(", %d cannot be judged", f.Unjudged)
	}
	if p.Replay == "" {
		line += fmt.Sprintf("; temperature %v, top-p %v, seed %d", p.Temperature, p.TopP, p.Seed)
	}
	out.result("%s", line)
	rows := [][]string{{"MEASURE", "VALUE", "95 %", "ERROR OF PROBLEMS", "ERROR OF SAMPLING", "PROBLEMS"}}
	for i, at := range f.PassAt {
		sampling := "-"
		if i == 0 && f.SamplingError != nil {
			sampling = points(*f.SamplingError)
		}
		rows = append(rows, measureRow(fmt.Sprintf("pass@%d", at.K), at.Estimate, sampling))
	}
	for _, at := range f.ConsAt {
		rows = append(rows, measureRow(fmt.Sprintf("cons@%d", at.K), at.Estimate, "-"))
	}
	table(out, rows)
	out.result("")
	printLengths(out, f)
	box := ""
	if p.Kind == eval.Maths || p.Kind == eval.Choice {
		box = ", no box " + percent(f.Rates.Unboxed)
	}
	out.result("truncated %s, thought without end %s, no thought %s, loops %s, no answer %s%s",
		percent(f.Rates.Truncated), percent(f.Rates.Unclosed), percent(f.Rates.Thoughtless), percent(f.Rates.Loops), percent(f.Rates.Unanswered), box)
	printCost(out, f)
	printPublished(out, f)
}

func measureRow(name string, e eval.Estimate, sampling string) []string {
	return []string{name, percent(e.Value), interval(e), points(e.StandardError), sampling, fmt.Sprint(e.Problems)}
}

func percent(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}

func points(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*x)
}

func interval(e eval.Estimate) string {
	if math.IsInf(e.Low, 0) || math.IsNaN(e.Value) {
		return "-"
	}
	if e.Low == e.High {
		return "none: all equal"
	}
	return fmt.Sprintf("%.1f to %.1f", 100*e.Low, 100*e.High)
}

func printLengths(out *output, f *eval.Figures) {
	rows := [][]string{{"LENGTH", "UNIT", "MEAN", "MEDIAN", "P95", "RIGHT: MEAN", "MEDIAN", "P95", "NOT RIGHT: MEAN", "MEDIAN", "P95"}}
	row := func(name, unit string, all ...eval.Lengths) {
		cells := []string{name, unit}
		for _, l := range all {
			if l.Answers == 0 {
				cells = append(cells, "-", "-", "-")
				continue
			}
			cells = append(cells, fmt.Sprintf("%.0f", l.Mean), fmt.Sprintf("%.0f", l.Median), fmt.Sprintf("%.0f", l.P95))
		}
		rows = append(rows, cells)
	}
	row("reply", f.Reply.Unit, f.Reply.All, f.Reply.Right, f.Reply.Wrong)
	row("thought", f.Thought.Unit, f.Thought.All, f.Thought.Right, f.Thought.Wrong)
	row("answer", f.Answered.Unit, f.Answered.All, f.Answered.Right, f.Answered.Wrong)
	table(out, rows)
}

func printCost(out *output, f *eval.Figures) {
	c := &f.Cost
	each := func(amount float64, format string) string {
		if x, ok := c.Each(amount); ok {
			return fmt.Sprintf(format, x)
		}
		return "-"
	}
	rate := "-"
	if c.Seconds > 0 {
		rate = fmt.Sprintf("%.0f", float64(c.Tokens)/c.Seconds)
	}
	if c.Tokens == 0 {
		return // recorded answers, or an endpoint that does not count
	}
	out.result("%d tokens in %.1f s (%s tokens/s); per solved problem %s tokens, %s s", c.Tokens, c.Seconds, rate, each(float64(c.Tokens), "%.0f"), each(c.Seconds, "%.2f"))
	if c.Price != nil {
		out.result("cost %.4f, per solved problem %s", *c.Price, each(*c.Price, "%.6f"))
	}
	if c.Joules != nil {
		out.result("energy %.0f J, per solved problem %s J (all processor packages, whatever else ran)", *c.Joules, each(*c.Joules, "%.1f"))
	} else {
		out.result("energy unknown: no readable counter for the whole run")
	}
	if v := f.Vote; v != nil {
		out.result("votes: %d of %d samples drawn, %d problems decided early, about %d tokens saved (%s); pass@k is of the first %d samples",
			v.Drawn, v.Samples, v.Decided, v.Saved, percent(float64(v.Saved)/float64(max(1, v.Saved+v.Tokens))), min(f.Plan.Votes.Round, f.Plan.Samples))
	}
}

// printPublished prints the published figures beside ours, and what makes them incomparable.
func printPublished(out *output, f *eval.Figures) {
	if len(f.Published) > 0 {
		rows := [][]string{{"MODEL", "MEASURE", "VALUE", "95 %", "K", "SOURCE"}}
		rows = append(rows, []string{"this run", "pass@1", percent(f.PassAt1.Value), interval(f.PassAt1), fmt.Sprint(f.Plan.Samples), oneLine(f.Run)})
		if n := len(f.ConsAt); n > 0 {
			at := f.ConsAt[n-1]
			rows = append(rows, []string{"this run", fmt.Sprintf("cons@%d", at.K), percent(at.Estimate.Value), interval(at.Estimate), fmt.Sprint(at.K), oneLine(f.Run)})
		}
		for _, p := range f.Published {
			k := "not stated"
			if p.Samples > 0 {
				k = fmt.Sprint(p.Samples)
			}
			rows = append(rows, []string{p.Model, p.Measure, fmt.Sprintf("%.1f %%", p.Value), eval.PublishedBound(p), k, p.Source})
		}
		out.result("")
		table(out, rows)
		out.result("%s", eval.BoundNote)
	}
	if len(f.Deviates) == 0 {
		return
	}
	out.result("\nWhat differs from the published protocol (%s):", eval.PublishedProtocol)
	for _, d := range f.Deviates {
		out.result("- %s: %s; published: %s. %s. [%s]", d.Setting, oneLine(d.Ours), oneLine(d.Published), d.Cost, d.Source)
	}
}
