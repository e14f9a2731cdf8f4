package lab

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/retort-ml/retort/internal/report"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/train"
)

// Titles of the models in tables and charts.
var modelTitles = map[string]string{
	modelBase: "base", modelReinforced: "base + GRPO (teacher)", modelStudent: "weak student", modelDistilled: "student, distilled",
	modelControl: "student, RL only", modelOnPolicy: "student, distilled + on-policy", modelAfter: "student, distilled + RL",
	modelSameSize: "same size, distilled", modelFidelity: "GRPO, price on untruth", modelPlainBase: "base without reflection", modelPlain: "the same + GRPO",
}

// publish writes report.html, report.md and result.json.
func (l *lab) publish(r *Result) error {
	d, err := r.document()
	if err != nil {
		return err
	}
	html, err := report.HTML(d)
	if err != nil {
		return fmt.Errorf("lab: report: %w", err)
	}
	markdown, err := report.Markdown(d)
	if err != nil {
		return fmt.Errorf("lab: report: %w", err)
	}
	r.Report, r.Markdown = filepath.Join(r.Dir, "report.html"), filepath.Join(r.Dir, "report.md")
	for path, text := range map[string][]byte{r.Report: html, r.Markdown: markdown} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	if err := writeCharts(filepath.Join(r.Dir, "charts"), d); err != nil {
		return err
	}
	return writeJSON(filepath.Join(r.Dir, "result.json"), r)
}

// writeCharts writes each chart of a report as a picture of its own, named by its title.
func writeCharts(dir string, d *report.Document) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	for _, section := range d.Sections {
		for _, block := range section.Blocks {
			chart, ok := block.(report.Chart)
			if !ok {
				continue
			}
			picture, err := report.SVG(chart, nil)
			if err != nil {
				return fmt.Errorf("lab: chart: %w", err)
			}
			if err := os.WriteFile(filepath.Join(dir, chartName(chart)+".svg"), picture, 0o644); err != nil {
				return fmt.Errorf("lab: %w", err)
			}
		}
	}
	return nil
}

// chartName is a chart's title as a file name.
func chartName(c report.Chart) string {
	title := ""
	switch c := c.(type) {
	case *report.LineChart:
		title = c.Title
	case *report.BarChart:
		title = c.Title
	case *report.Histogram:
		title = c.Title
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ':
			return '-'
		}
		return -1
	}, strings.ToLower(title))
}

// document composes the report from the first seed's curves and every seed's table.
func (r *Result) document() (*report.Document, error) {
	s := &r.Seeds[0]
	curves, err := r.curves(s)
	if err != nil {
		return nil, err
	}
	d := &report.Document{
		Title:    "A reasoning model from nothing",
		Subtitle: fmt.Sprintf("%s, %s parameters, trained, reinforced and distilled on this machine.", tasks[s.Settings.taskName()].title, report.Count.Text(float64(s.Settings.Base.NumParameters()))),
		Footer:   "Every number is read from the run folders beside this page.",
	}
	d.Sections = append(d.Sections, r.summarySection(s), report.Section{Title: "Reinforcement: accuracy, length, reflection", Blocks: curves})
	transcripts, err := r.transcriptSection(s)
	if err != nil {
		return nil, err
	}
	d.Sections = append(d.Sections, comparisonSection(s), honestySection(s), transcripts)
	if r := r.seedsSection(); r != nil {
		d.Sections = append(d.Sections, *r)
	}
	d.Sections = append(d.Sections, r.methodSection(s))
	return d, nil
}

func (r *Result) summarySection(s *SeedResult) report.Section {
	base, reinforced, distilled, control := s.Models[modelBase], s.Models[modelReinforced], s.Models[modelDistilled], s.Models[modelControl]
	figures := &report.Figures{Items: []report.Figure{
		{Value: report.Percent.Text(base.PassAt1()), Label: "base, pass@1", Detail: fmt.Sprintf("%.2f reflections an answer", base.Reflections())},
		{Value: report.Percent.Text(reinforced.PassAt1()), Label: "after GRPO", Detail: fmt.Sprintf("%.2f reflections; blind search with the same patience: %s", reinforced.Reflections(), report.Percent.Text(reinforced.BlindRate()))},
		{Value: report.Percent.Text(distilled.PassAt1()), Label: "small student, distilled", Detail: fmt.Sprintf("%s parameters", report.Count.Text(float64(distilled.Parameters)))},
		{Value: report.Percent.Text(control.PassAt1()), Label: "small student, RL only", Detail: fmt.Sprintf("best of %d learning rates", len(s.Sweep))},
	}}
	gates := &report.Gates{}
	for _, g := range r.Gates {
		gates.Items = append(gates.Items, reportGate(g))
	}
	return report.Section{Title: "What was found", Blocks: []report.Block{figures, gates, &report.Paragraph{Text: s.BlindLine()}, &report.Paragraph{Text: wording(s)}}}
}

// wording says "amplified", and "emerged" only if the control without reflection shows it.
func wording(s *SeedResult) string {
	text := "The cold start already holds turning back, rarely and briefly: what GRPO did here is called amplified, not emerged."
	plain, after := s.Models[modelPlainBase], s.Models[modelPlain]
	if plain == nil || after == nil {
		return text + " The control that could show emergence, a base whose cold start holds no reflection at all, runs with --full."
	}
	if after.Reflections() > 0.1 && after.Reflections() > 2*plain.Reflections() {
		return fmt.Sprintf("The base whose cold start holds no reflection went from %.3f to %.3f reflections an answer under GRPO: here reflection emerged. In the main run, whose cold start holds some, it was amplified.", plain.Reflections(), after.Reflections())
	}
	return text + fmt.Sprintf(" The base whose cold start holds no reflection stayed at %.3f reflections an answer (from %.3f): nothing emerged.", after.Reflections(), plain.Reflections())
}

func reportGate(g Gate) report.Gate {
	out := report.Gate{Name: g.Name, Claim: g.Claim, Value: g.Value, Low: g.Low, High: g.High, Relation: g.Relation, Threshold: g.Threshold, Note: g.Note}
	if g.Percent {
		out.Format = report.Percent
	}
	switch g.Outcome {
	case Pass:
		out.Outcome = report.Pass
	case Fail:
		out.Outcome = report.Fail
	}
	return out
}

// curves are the three charts of R1-Zero's figures, over the steps of the reinforcement.
func (r *Result) curves(s *SeedResult) ([]report.Block, error) {
	dir := filepath.Join(r.Dir, fmt.Sprintf("seed-%d", s.Seed))
	main, err := runstore.Read(filepath.Join(dir, modelReinforced))
	if err != nil {
		return nil, err
	}
	control, err := runstore.Read(filepath.Join(dir, s.controlStage()))
	if err != nil {
		return nil, err
	}
	line := func(title, caption, metric string, format report.Format) report.Block {
		return &report.LineChart{
			Title: title, Caption: caption, X: report.Axis{Label: "GRPO step", Format: report.Count}, Y: report.Axis{Format: format},
			Series: []report.Series{series("base + GRPO", main, metric, false), series("weak student, RL only", control, metric, true)},
		}
	}
	charts := []report.Block{
		line("Accuracy", "Share of right answers among the step's samples (training problems).", train.MetricAccuracy, report.Percent),
		line("Length", "Mean tokens of an answer.", train.MetricLengthMean, report.Plain),
		line("Reflection", "Turnings back per answer.", metricReflections, report.Plain),
		line("Untrue verdicts", "Share of the verdicts in the samples that said other than the truth.", train.MetricFalseVerdictRate, report.Percent),
		line("Conversion", "Share of answers that became right after a reflection.", metricConverted, report.Percent),
		line("Entropy", "Nats per sampled token.", train.MetricEntropy, report.Plain),
	}
	return charts, nil
}

func series(name string, r *runstore.Record, metric string, dashed bool) report.Series {
	out := report.Series{Name: name, Smooth: 9, Dashed: dashed}
	for _, row := range r.Rows {
		v, ok := row.Get(metric)
		if !ok {
			v = math.NaN()
		}
		out.X, out.Y = append(out.X, float64(row.Step)), append(out.Y, v)
	}
	return out
}

// comparisonSection sets distilled beside reinforced, as a chart and as a table in the paper's form.
func comparisonSection(s *SeedResult) report.Section {
	chart := &report.BarChart{Title: "pass@1 on held-out problems", Wide: true, Value: report.Axis{Format: report.Percent},
		Caption: fmt.Sprintf("%d problems, intervals of 95 %% clustered by number multiset. Beside it: blind search with the same patience.", s.Models[modelBase].Problems),
		Series:  []report.BarSeries{{Name: "pass@1"}, {Name: "blind search, same patience"}}}
	table := &report.Table{
		Caption: "The lab's models, in the form of the paper's table of distilled models",
		Columns: []report.Column{{Title: "Model"}, {Title: "Parameters", Numeric: true}, {Title: "pass@1", Numeric: true}, {Title: "95 %", Numeric: true}, {Title: "pass@k", Numeric: true},
			{Title: "Blind", Numeric: true}, {Title: "Reflections", Numeric: true}, {Title: "Converted", Numeric: true}, {Title: "Tokens", Numeric: true}, {Title: "True verdicts", Numeric: true}, {Title: "Trained on", Numeric: true}},
		Note: "pass@k: unbiased estimate (Chen et al. 2021) with k of the row. Trained on: tokens that carried loss in the row's own stage. Converted: answers that became right after a reflection.",
	}
	for _, m := range s.Summary {
		chart.Groups = append(chart.Groups, modelTitles[m.Model])
		add := func(b *report.BarSeries, v, low, high float64) {
			b.Values, b.Low, b.High = append(b.Values, v), append(b.Low, low), append(b.High, high)
		}
		add(&chart.Series[0], m.PassAt1, m.Low, m.High)
		add(&chart.Series[1], m.Blind, m.Blind, m.Blind)
		p := report.Percent.Text
		table.Rows = append(table.Rows, report.Cells(modelTitles[m.Model], report.Count.Text(float64(m.Parameters)), p(m.PassAt1), p(m.Low)+" to "+p(m.High),
			fmt.Sprintf("%s (%d)", p(m.PassAtK), m.K), p(m.Blind), fmt.Sprintf("%.2f", m.Reflections), p(m.Converted), fmt.Sprintf("%.1f", m.Length), p(m.Verdicts), report.Count.Text(float64(m.Tokens))))
	}
	sweep := &report.Table{Caption: "RL-only control: the sweep", Columns: []report.Column{{Title: "Learning rate"}, {Title: "Accuracy on training problems after it", Numeric: true}, {Title: "Tokens", Numeric: true}},
		Note: "The best is chosen by training problems; held-out problems have no part in the choice."}
	for _, row := range s.Sweep {
		sweep.Rows = append(sweep.Rows, report.Cells(fmt.Sprintf("%g", row.LearningRate), report.Percent.Text(row.TrainAccuracy), report.Count.Text(float64(row.Tokens))))
	}
	base, reinforced := s.Models[modelBase], s.Models[modelReinforced]
	expand := &report.Paragraph{Text: fmt.Sprintf("Does RL expand what the base can do, or sharpen it? The base solves %s of the problems with %d answers each (pass@%d); the reinforced model solves %s with one.",
		percent(base.PassAtK(base.Samples)), base.Samples, base.Samples, percent(reinforced.PassAt1()))}
	return report.Section{Title: "Distillation against reinforcement", Blocks: []report.Block{chart, table, expand, sweep, tracesTable(s)}}
}

func tracesTable(s *SeedResult) report.Block {
	t := &report.Table{Caption: "What became of the teacher's traces", Columns: []report.Column{{Title: "Count"}, {Title: "Number", Numeric: true}, {Title: "Meaning"}}}
	for _, c := range s.Traces.Table() {
		t.Rows = append(t.Rows, report.Cells(c.Name, report.Count.Text(float64(c.Number)), c.Meaning))
	}
	return t
}

// honestySection shows whether checks tell the truth, by the number of the attempt.
func honestySection(s *SeedResult) report.Section {
	chart := &report.LineChart{Title: "False \"ok\" by attempt", Wide: true, Caption: "Share of the verdicts \"ok\" that were false, by the number of the attempt within its trace; places with fewer than 20 verdicts are left out.",
		X: report.Axis{Label: "attempt", Format: report.Count}, Y: report.Axis{Format: report.Percent}}
	for _, name := range []string{modelBase, modelReinforced, modelDistilled, modelControl, modelFidelity} {
		m := s.Models[name]
		if m == nil {
			continue
		}
		line := report.Series{Name: modelTitles[name]}
		for i, p := range m.Totals.Positions {
			const enough = 20
			if i >= 12 {
				break
			}
			v := math.NaN()
			if p.SaidOK >= enough {
				v = float64(p.FalseOK) / float64(p.SaidOK)
			}
			line.X, line.Y = append(line.X, float64(i+1)), append(line.Y, v)
		}
		chart.Series = append(chart.Series, line)
	}
	base, reinforced := s.Models[modelBase], s.Models[modelReinforced]
	text := fmt.Sprintf("Verdicts told the truth in %s of cases before reinforcement and in %s after it. A reward for the answer alone does not ask a check to be true: it asks the last word to be right.",
		percent(base.VerdictAccuracy()), percent(reinforced.VerdictAccuracy()))
	attempts := &report.BarChart{Title: "Attempts in a trace", Value: report.Axis{Format: report.Percent}, Caption: "Share of answers with so many attempts.", Series: []report.BarSeries{{Name: "base"}, {Name: "base + GRPO"}}}
	for n := 0; n <= 9; n++ {
		attempts.Groups = append(attempts.Groups, fmt.Sprint(n))
		for k, m := range []*ModelResult{base, reinforced} {
			v := 0.0
			if n < len(m.Totals.ByAttempts) {
				v = float64(m.Totals.ByAttempts[n]) / float64(m.Totals.Traces)
			}
			attempts.Series[k].Values = append(attempts.Series[k].Values, v)
		}
	}
	return report.Section{Title: "Is the reflection real?", Blocks: []report.Block{&report.Paragraph{Text: text}, chart, attempts}}
}

func (r *Result) seedsSection() *report.Section {
	if len(r.Seeds) < 2 {
		return nil
	}
	t := &report.Table{Caption: "Every seed", Columns: []report.Column{{Title: "Gate"}}}
	for _, s := range r.Seeds {
		t.Columns = append(t.Columns, report.Column{Title: fmt.Sprintf("seed %d", s.Seed), Numeric: true})
	}
	for k, g := range r.Gates {
		cells := []string{g.Name + " " + g.Claim}
		for i := range r.Seeds {
			sg := r.Seeds[i].Gates[k]
			cells = append(cells, fmt.Sprintf("%s %s", sg.ValueText(), sg.Outcome))
		}
		t.Rows = append(t.Rows, report.Cells(cells...))
	}
	return &report.Section{Title: "Seeds", Blocks: []report.Block{t}}
}

// ValueText writes a gate's value.
func (g *Gate) ValueText() string {
	if g.Percent {
		return percent(g.Value)
	}
	return fmt.Sprintf("%.3g", g.Value)
}

func (r *Result) methodSection(s *SeedResult) report.Section {
	stages := &report.Table{Caption: "Stages", Columns: []report.Column{{Title: "Stage"}, {Title: "Steps", Numeric: true}, {Title: "Tokens trained", Numeric: true}, {Title: "Tokens sampled", Numeric: true}, {Title: "Seconds", Numeric: true}, {Title: "Largest gap", Numeric: true}}}
	var findings []string
	for _, g := range s.Stages {
		stages.Rows = append(stages.Rows, report.Cells(g.Title, report.Count.Text(float64(g.Steps)), report.Count.Text(float64(g.Tokens)), report.Count.Text(float64(g.Sampled)), fmt.Sprintf("%.1f", g.Seconds), fmt.Sprint(g.MaxGap)))
		for _, f := range g.Findings {
			findings = append(findings, g.Title+": "+f)
		}
	}
	settings, err := json.MarshalIndent(s.Settings, "", "  ")
	if err != nil {
		settings = []byte(err.Error())
	}
	blocks := []report.Block{stages}
	if len(findings) > 0 {
		blocks = append(blocks, &report.Note{Title: "What the watchdog said", Text: strings.Join(findings, "\n\n")})
	}
	build, err := runstore.ThisBuild()
	if err != nil {
		build = "unknown"
	}
	blocks = append(blocks,
		&report.Code{Caption: "The command that makes this report again", Language: "sh", Text: strings.Join(r.Command, " ")},
		&report.Facts{Title: "Manifest", Folded: true, Items: []report.Fact{
			{Name: "instruction set", Value: r.Level}, {Name: "threads", Value: fmt.Sprint(r.Threads)}, {Name: "seed", Value: fmt.Sprint(s.Seed)},
			{Name: "Go", Value: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}, {Name: "build", Value: build},
		}},
		&report.Code{Caption: "Settings", Language: "json", Text: string(settings)})
	return report.Section{Title: "How it was made", Blocks: blocks}
}
