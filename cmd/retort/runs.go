package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/runstore"
)

// runsCommand looks at what was run.
type runsCommand struct {
	Root string `name:"root" default:"runs" placeholder:"DIR" help:"The folder of the runs."`

	Ls      runsListCommand    `cmd:"" name:"ls" help:"List the runs."`
	Show    runsShowCommand    `cmd:"" help:"Show one run: settings, metrics, how it ended."`
	Compare runsCompareCommand `cmd:"" help:"Set two runs side by side."`
	Export  runsExportCommand  `cmd:"" help:"Write a run's metrics or samples as CSV, JSON lines or Parquet, or the whole run as one HTML page."`
}

// openRecord reads a run by its path or by its name below the root.
func (c *runsCommand) openRecord(name string) (*runstore.Record, error) {
	if below := filepath.Join(c.Root, name); !isRun(name) && isRun(below) {
		name = below
	}
	if !isRun(name) {
		list, err := runstore.List(c.Root)
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, s := range list {
			ids = append(ids, s.ID)
		}
		try := "retort runs ls"
		if near := recipe.Nearest(filepath.Base(name), ids); near != "" {
			try = near
		}
		return nil, advise(explain.Errorf("no-run", "%s is no run", name), try)
	}
	r, err := runstore.Read(name)
	return r, explain.With("run-damaged", err)
}

func isRun(dir string) bool { return isFile(filepath.Join(dir, "run.json")) }

// table prints rows of cells in columns, the first row being the headings.
func table(out *output, rows [][]string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t")) // a strings.Builder does not fail
	}
	_ = w.Flush()
	for line := range strings.Lines(b.String()) {
		out.result("%s", strings.TrimRight(line, " \n"))
	}
}

// number writes a metric so that a person can compare it with its neighbours.
func number(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e9 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', 5, 64)
}

// jsonNumber is a metric in an event: JSON has no NaN and no infinities.
func jsonNumber(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return x
}

type runsListCommand struct{}

// Run lists the runs, the oldest first.
func (*runsListCommand) Run(c *runsCommand, out *output) error {
	list, err := runstore.List(c.Root)
	if err != nil {
		return err
	}
	rows := [][]string{{"RUN", "KIND", "STATUS", "STEP", "CHECKPOINTS", "CREATED"}}
	for _, s := range list {
		err := out.event("run", map[string]any{
			"dir": s.Dir, "id": s.ID, "kind": s.Kind, "status": s.Status, "step": s.Step, "checkpoints": s.Checkpoints,
			"created": s.Manifest.Created, "fault": s.Fault,
		})
		if err != nil {
			return err
		}
		created := s.Manifest.Created.Local().Format("2006-01-02 15:04")
		if s.Status == runstore.StatusDamaged {
			created = oneLine(s.Fault)
		}
		rows = append(rows, []string{oneLine(s.ID), oneLine(s.Kind), string(s.Status), strconv.Itoa(s.Step), strconv.Itoa(len(s.Checkpoints)), created})
	}
	if len(list) == 0 {
		out.result("no runs below %s", c.Root)
		return nil
	}
	table(out, rows)
	return nil
}

type runsShowCommand struct {
	Name   string `arg:"" name:"run" help:"A run's name or folder."`
	Sample int    `name:"samples" placeholder:"N" help:"Show the last N samples too."`
}

// Run shows everything that is recorded about a run, in short.
func (s *runsShowCommand) Run(c *runsCommand, out *output) error {
	r, err := c.openRecord(s.Name)
	if err != nil {
		return err
	}
	step := 0
	if n := len(r.Rows); n > 0 {
		step = r.Rows[n-1].Step
	}
	if err := out.event("run", map[string]any{"dir": r.Dir, "status": r.Status, "step": step, "manifest": r.Manifest, "warnings": r.Warnings}); err != nil {
		return err
	}
	m := r.Manifest
	out.result("%s: %s, %s at step %d", oneLine(m.ID), oneLine(m.Kind), r.Status, step)
	out.result("created %s by %s", m.Created.Local().Format("2006-01-02 15:04:05"), oneLine(strings.Join(m.Command, " ")))
	out.result("build %s, instruction set %s, seed %d", oneLine(m.Build), oneLine(m.Level), m.Seed)
	for _, warning := range r.Warnings {
		out.result("warning: %s", oneLine(warning))
	}
	settings, err := recipe.YAML(m.Config)
	if err != nil {
		return fmt.Errorf("%s: config: %w", r.Dir, err)
	}
	out.result("\n%s", printable(string(settings), true))
	if err := s.showMetrics(r, out); err != nil {
		return err
	}
	return s.showSamples(r, out)
}

func (s *runsShowCommand) showMetrics(r *runstore.Record, out *output) error {
	rows := [][]string{{"METRIC", "FIRST", "LAST", "COURSE", "UNIT"}}
	for _, metric := range r.Manifest.Metrics {
		var course []float64
		for _, row := range r.Rows {
			if x, ok := row.Get(metric.Name); ok {
				course = append(course, x)
			}
		}
		if len(course) == 0 {
			continue
		}
		first, last := course[0], course[len(course)-1]
		err := out.event("metric", map[string]any{
			"name": metric.Name, "unit": metric.Unit, "formula": metric.Formula, "steps": len(course),
			"first": jsonNumber(first), "last": jsonNumber(last),
		})
		if err != nil {
			return err
		}
		rows = append(rows, []string{metric.Name, number(first), number(last), sparkline(course, 32), oneLine(metric.Unit)})
	}
	if len(rows) > 1 {
		table(out, rows)
	}
	return nil
}

// sparkline draws a course in at most width characters, each the mean of its
// part; a part without a finite number is a blank.
func sparkline(course []float64, width int) string {
	width = min(width, len(course))
	means := make([]float64, width)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range means {
		part := course[i*len(course)/width : (i+1)*len(course)/width]
		sum := 0.0
		for _, x := range part {
			sum += x
		}
		means[i] = sum / float64(len(part))
		if !math.IsNaN(means[i]) && !math.IsInf(means[i], 0) {
			low, high = min(low, means[i]), max(high, means[i])
		}
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	line := make([]rune, width)
	for i, x := range means {
		line[i] = ' '
		if low <= x && x <= high {
			level := 0
			if high > low {
				level = int((x - low) / (high - low) * float64(len(levels)-1))
			}
			line[i] = levels[level]
		}
	}
	return string(line)
}

func (s *runsShowCommand) showSamples(r *runstore.Record, out *output) error {
	if s.Sample <= 0 {
		return nil
	}
	var last []json.RawMessage
	err := r.Samples(func(sample json.RawMessage) error {
		if last = append(last, append(json.RawMessage(nil), sample...)); len(last) > s.Sample {
			last = last[1:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, sample := range last {
		if err := out.event("sample", sample); err != nil {
			return err
		}
		var text struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(sample, &text); err != nil || text.Text == "" {
			text.Text = string(sample)
		}
		out.result("\n%s", printable(text.Text, true))
	}
	return nil
}

type runsCompareCommand struct {
	A string `arg:"" help:"A run's name or folder."`
	B string `arg:"" help:"Another's."`
}

// Run prints the settings that differ and where the metrics part.
func (s *runsCompareCommand) Run(c *runsCommand, out *output) error {
	a, err := c.openRecord(s.A)
	if err != nil {
		return err
	}
	b, err := c.openRecord(s.B)
	if err != nil {
		return err
	}
	comparison, err := runstore.Compare(a, b)
	if err != nil {
		return err
	}
	settings := [][]string{{"SETTING", a.Manifest.ID, b.Manifest.ID}}
	for _, d := range comparison.Settings {
		if err := out.event("setting", map[string]any{"key": d.Key, "a": d.A, "b": d.B}); err != nil {
			return err
		}
		settings = append(settings, []string{oneLine(d.Key), oneLine(orDash(d.A)), oneLine(orDash(d.B))})
	}
	if len(settings) > 1 {
		table(out, settings)
	} else {
		out.result("equal settings")
	}
	metrics := [][]string{{"METRIC", a.Manifest.ID, b.Manifest.ID, "FIRST DIFFERENCE"}}
	for _, m := range comparison.Metrics {
		if math.IsNaN(m.LastA) && math.IsNaN(m.LastB) && m.FirstDifference < 0 {
			continue // neither run has recorded it
		}
		err := out.event("metric", map[string]any{
			"name": m.Metric.Name, "unit": m.Metric.Unit, "a": jsonNumber(m.LastA), "b": jsonNumber(m.LastB), "first_difference": m.FirstDifference,
		})
		if err != nil {
			return err
		}
		parting := "none"
		if m.FirstDifference >= 0 {
			parting = "step " + strconv.Itoa(m.FirstDifference)
		}
		metrics = append(metrics, []string{m.Metric.Name, number(m.LastA), number(m.LastB), parting})
	}
	out.result("")
	table(out, metrics)
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
