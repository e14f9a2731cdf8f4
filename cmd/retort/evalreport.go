package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/runstore"
)

// runRoot is where a run is looked for that is named without its folder.
const runRoot = "runs"

// findRun returns a run's folder by its path or by its name below runs.
func findRun(name string) string {
	if below := filepath.Join(runRoot, name); !isRun(name) && isRun(below) {
		return below
	}
	return name
}

// evalReportCommand writes a run's report.
type evalReportCommand struct {
	Name      string `arg:"" name:"run" help:"A run's name or folder."`
	Output    string `name:"output" short:"o" placeholder:"DIR" help:"Where report.html and report.md go; default: the run's folder."`
	Resamples int    `name:"resamples" placeholder:"N" help:"Of the bootstrap; default 4000."`
}

// Run writes report.html and report.md.
func (c *evalReportCommand) Run(out *output) error {
	record, err := eval.ReadRecord(findRun(c.Name))
	if err != nil {
		return advise(evalFault(findRun(c.Name), err), "retort runs ls")
	}
	o := &eval.IntervalOptions{Resamples: c.Resamples}
	f, err := record.Figures(o)
	if err != nil {
		return err
	}
	html, markdown, err := record.Report(o)
	if err != nil {
		return err
	}
	folder := c.Output
	if folder == "" {
		folder = record.Dir
	}
	if err := writeReport(out, folder, "report", html, markdown); err != nil {
		return err
	}
	printFigures(out, f)
	return out.event("summary", f)
}

func writeReport(out *output, folder, name string, html, markdown []byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for extension, text := range map[string][]byte{".html": html, ".md": markdown} {
		err := writeWhole(filepath.Join(folder, name+extension), func(w io.Writer) error { _, err := w.Write(text); return err })
		if err != nil {
			return err
		}
	}
	path := filepath.Join(folder, name+".html")
	out.note("wrote %s and the same as Markdown", path)
	return out.event("report", map[string]string{"html": path, "markdown": filepath.Join(folder, name+".md")})
}

// evalCompareCommand compares two runs.
type evalCompareCommand struct {
	A         string `arg:"" name:"a" help:"A run's name or folder."`
	B         string `arg:"" name:"b" help:"Another's."`
	Output    string `name:"output" short:"o" placeholder:"DIR" help:"Also write compare.html and compare.md there."`
	Resamples int    `name:"resamples" placeholder:"N" help:"Of the bootstrap; default 4000."`
}

// Run prints both runs' measures and the paired differences.
func (c *evalCompareCommand) Run(out *output) error {
	a, errA := eval.ReadRecord(findRun(c.A))
	b, errB := eval.ReadRecord(findRun(c.B))
	if err := errors.Join(evalFault(findRun(c.A), errA), evalFault(findRun(c.B), errB)); err != nil {
		return advise(err, "retort runs ls")
	}
	compared, err := eval.Compare(a, b, &eval.IntervalOptions{Resamples: c.Resamples})
	if err != nil {
		return err
	}
	out.result("A %s: %s\nB %s: %s", a.Dir, oneLine(a.Plan.Name()), b.Dir, oneLine(b.Plan.Name()))
	out.result("%d problems in common; only in A %d, only in B %d", compared.Problems, compared.OnlyA, compared.OnlyB)
	rows := [][]string{{"MEASURE", "A", "B", "A - B", "95 %", "PROBLEMS"}}
	for _, row := range compared.Rows {
		show, between := percent, interval
		if row.Measure == "tokens" {
			show = func(x float64) string { return fmt.Sprintf("%.1f", x) }
			between = func(e eval.Estimate) string { return fmt.Sprintf("%.1f to %.1f", e.Low, e.High) }
		}
		verdict := between(row.Difference)
		if row.Difference.Excludes(0) {
			verdict += "  differ"
		}
		rows = append(rows, []string{row.Measure, show(row.A.Value), show(row.B.Value), show(row.Difference.Value), verdict, fmt.Sprint(row.Difference.Problems)})
	}
	table(out, rows)
	if len(compared.Settings) > 0 {
		settings := [][]string{{"SETTING", "A", "B"}}
		for _, s := range compared.Settings {
			settings = append(settings, []string{s.Setting, oneLine(orDash(s.A)), oneLine(orDash(s.B))})
		}
		out.result("")
		table(out, settings)
	}
	if c.Output != "" {
		html, markdown, err := compared.Report()
		if err != nil {
			return err
		}
		if err := writeReport(out, c.Output, "compare", html, markdown); err != nil {
			return err
		}
	}
	return out.event("comparison", compared)
}

// evalRegradeCommand judges a run's samples anew.
type evalRegradeCommand struct {
	Name      string   `arg:"" name:"run" help:"A run's name or folder."`
	Options   []string `name:"option" placeholder:"NAME=VALUE" sep:"none" help:"A convention of grading beside the run's own, such as percent=either. Repeatable."`
	Resamples int      `name:"resamples" placeholder:"N" help:"Of the bootstrap; default 4000."`
}

// Run judges, and appends what changed to the run's record.
func (c *evalRegradeCommand) Run(ctx context.Context, out *output) error {
	if _, err := gradeOptions(c.Options, "retort eval regrade RUN"); err != nil {
		return err
	}
	dir := findRun(c.Name)
	if _, err := eval.ReadRecord(dir); err != nil {
		return advise(evalFault(dir, err), "retort runs ls")
	}
	build, err := runstore.ThisBuild()
	if err != nil {
		return err
	}
	store, err := runstore.Open(dir)
	if err != nil {
		return err
	}
	changes, err := eval.Regrade(store, build, c.Options, eval.CodeJudge(ctx, newPythonRunner("")))
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	for _, change := range changes {
		out.result("%s, sample %d: %s, was %s", oneLine(change.Problem), change.Sample, oneLine(change.After.String()), oneLine(change.Before.String()))
		if err := out.event("change", change); err != nil {
			return err
		}
	}
	out.result("changed verdicts: %d", len(changes))
	return printRecord(out, dir, &eval.IntervalOptions{Resamples: c.Resamples})
}
