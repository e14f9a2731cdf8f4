package eval

import (
	"errors"
	"fmt"
	"slices"

	"github.com/retort-ml/retort/internal/report"
)

// Comparison sets two runs on the same problems side by side.
type Comparison struct {
	A        string      `json:"a"`
	B        string      `json:"b"`
	Problems int         `json:"problems"` // that both have asked
	OnlyA    int         `json:"only_a"`   // problems that one has asked alone: they are left out
	OnlyB    int         `json:"only_b"`
	Rows     []Compared  `json:"rows"`
	Settings []Different `json:"settings"` // of the plans, where they differ
	// Apart are the problems on which the runs differ most, the largest difference first.
	Apart []Apart `json:"apart"`
}

// Compared is a measure of both and the difference, whose interval comes from drawing the same problems for both.
type Compared struct {
	Measure    string   `json:"measure"`
	A          Estimate `json:"a"`
	B          Estimate `json:"b"`
	Difference Estimate `json:"difference"` // A - B
}

// Different is a setting with two values.
type Different struct {
	Setting string `json:"setting"`
	A       string `json:"a"`
	B       string `json:"b"`
}

// Apart is a problem with both shares of right samples.
type Apart struct {
	Problem string  `json:"problem"`
	A       float64 `json:"a"`
	B       float64 `json:"b"`
}

// mostApart bounds Comparison.Apart.
const mostApart = 10

// Compare compares two records on the problems that both have asked in the same words with the same gold answer. Other
// problems are left out and counted; without a common one it is an error.
func Compare(a, b *Record, o *IntervalOptions) (*Comparison, error) {
	c := &Comparison{A: a.Dir, B: b.Dir}
	ra, rb := a.Result(), b.Result()
	var pa, pb []ProblemResult
	for i := range ra.Problems {
		q := &a.Questions[i]
		at, ok := b.place[q.ID]
		if !ok || b.Questions[at].Gold != q.Gold || b.Questions[at].Kind != q.Kind {
			c.OnlyA++
			continue
		}
		pa, pb = append(pa, ra.Problems[i]), append(pb, rb.Problems[at])
	}
	c.Problems, c.OnlyB = len(pa), len(rb.Problems)-len(pa)
	if c.Problems == 0 {
		return nil, fmt.Errorf("eval: %s and %s have no problem in common", a.Dir, b.Dir)
	}
	ra.Problems, rb.Problems = pa, pb
	if err := c.measure(ra, rb, o); err != nil {
		return nil, err
	}
	c.addApart(ra, rb)
	c.Settings = different(&a.Plan, &b.Plan)
	return c, nil
}

// measure compares pass@1, cons@k and the lengths.
func (c *Comparison) measure(a, b *Result, o *IntervalOptions) error {
	rows := []struct {
		name string
		a, b []float64
	}{{"pass@1", a.Rates(), b.Rates()}}
	if k := min(a.Samples, b.Samples); k > 1 {
		rows = append(rows, struct {
			name string
			a, b []float64
		}{fmt.Sprintf("cons@%d", k), a.consensusValues(k), b.consensusValues(k)})
	}
	rows = append(rows, struct {
		name string
		a, b []float64
	}{"tokens", a.meanLengths(), b.meanLengths()})
	for _, row := range rows {
		difference, err := PairedDifference(row.a, row.b, a.Clusters(), o)
		if err != nil {
			if row.name != "pass@1" {
				continue // too few samples for a consensus
			}
			return errors.Join(errors.New("eval: compare: no problem has judged samples in both runs"), err)
		}
		// Both means are over the problems of the difference.
		for i := range row.a {
			if row.a[i] != row.a[i] || row.b[i] != row.b[i] {
				row.a[i], row.b[i] = nan, nan
			}
		}
		x, errA := Mean(row.a, a.Clusters(), o)
		y, errB := Mean(row.b, a.Clusters(), o)
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		c.Rows = append(c.Rows, Compared{row.name, x, y, difference})
	}
	return nil
}

// consensusValues is each problem's cons@k, NaN where there are too few votes.
func (r *Result) consensusValues(k int) []float64 {
	values := make([]float64, len(r.Problems))
	for i := range r.Problems {
		p := &r.Problems[i]
		values[i] = nan
		if p.IsDecided && k == r.Samples {
			values[i] = consensus(p.Votes)
		} else if !p.IsDecided && len(p.Votes) >= k {
			values[i], _ = ConsensusAtK(p.Votes, k, r.Seed) // k is in range
		}
	}
	return values
}

// meanLengths is each problem's mean length in tokens.
func (r *Result) meanLengths() []float64 {
	values := make([]float64, len(r.Problems))
	for i, p := range r.Problems {
		values[i] = nan
		if len(p.Lengths) > 0 {
			values[i] = describe(p.Lengths).Mean
		}
	}
	return values
}

func (c *Comparison) addApart(a, b *Result) {
	ra, rb := a.Rates(), b.Rates()
	for i := range ra {
		if ra[i] != rb[i] && ra[i] == ra[i] && rb[i] == rb[i] {
			c.Apart = append(c.Apart, Apart{a.Problems[i].ID, ra[i], rb[i]})
		}
	}
	slices.SortStableFunc(c.Apart, func(x, y Apart) int {
		dx, dy := max(x.A-x.B, x.B-x.A), max(y.A-y.B, y.B-y.A)
		switch {
		case dx > dy:
			return -1
		case dx < dy:
			return 1
		}
		return 0
	})
	c.Apart = c.Apart[:min(len(c.Apart), mostApart)]
}

// keysAndValues is Plan.KV with its default.
func keysAndValues(p *Plan) string {
	if p.KV == "" && p.Endpoint == "" {
		return "f32"
	}
	return p.KV
}

// different lists the settings in which two plans differ.
func different(a, b *Plan) []Different {
	var list []Different
	votes := func(p *Plan) string {
		if p.Votes == nil {
			return "all samples"
		}
		return fmt.Sprintf("until decided at %v, rounds of %d", p.Votes.Confidence, p.Votes.Round)
	}
	for _, s := range []struct {
		name string
		a, b any
	}{
		{"benchmark", a.Benchmark + a.Task, b.Benchmark + b.Task}, {"model", a.Model, b.Model}, {"endpoint", a.Endpoint, b.Endpoint},
		{"tokenizer", a.Tokenizer, b.Tokenizer}, {"data", a.DataSHA256, b.DataSHA256}, {"problems", a.Problems, b.Problems}, {"prompt", a.Prompt, b.Prompt},
		{"system", a.System, b.System}, {"template", a.Template, b.Template}, {"opened thought", a.Thought, b.Thought}, {"today", a.Today, b.Today}, {"compute", a.Compute, b.Compute},
		{"keys and values", keysAndValues(a), keysAndValues(b)}, {"samples", a.Samples, b.Samples},
		{"temperature", a.Temperature, b.Temperature}, {"top-p", a.TopP, b.TopP}, {"most tokens", a.MaxTokens, b.MaxTokens}, {"positions", a.Context, b.Context},
		{"seed", a.Seed, b.Seed}, {"grading", a.Grading, b.Grading}, {"votes", votes(a), votes(b)},
	} {
		if x, y := fmt.Sprint(s.a), fmt.Sprint(s.b); x != y {
			list = append(list, Different{s.name, x, y})
		}
	}
	return list
}

// Report is the comparison as HTML and as Markdown.
func (c *Comparison) Report() (html, markdown []byte, err error) {
	table := &report.Table{Columns: []report.Column{{Title: "Measure"}, {Title: "A", Numeric: true}, {Title: "B", Numeric: true}, {Title: "A - B", Numeric: true}, {Title: "95 % interval", Numeric: true}, {Title: "Problems", Numeric: true}},
		Note: "Each resample draws the same problems for both runs, so what makes a problem hard for both drops out. An interval without 0 is a difference that these problems can show."}
	for _, row := range c.Rows {
		text := func(x float64) string { return cellOf(x) }
		if row.Measure == "tokens" {
			text = func(x float64) string { return report.Plain.Text(x) }
		}
		table.Rows = append(table.Rows, report.Cells(row.Measure, text(row.A.Value), text(row.B.Value), text(row.Difference.Value),
			text(row.Difference.Low)+" to "+text(row.Difference.High), fmt.Sprint(row.Difference.Problems)))
	}
	lowA, highA := ends(c.Rows[0].A)
	lowB, highB := ends(c.Rows[0].B)
	chart := &report.BarChart{Title: "pass@1", Value: report.Axis{Format: report.Percent}, Groups: []string{"A", "B"}, Series: []report.BarSeries{{
		Values: []float64{c.Rows[0].A.Value, c.Rows[0].B.Value}, Low: []float64{lowA, lowB}, High: []float64{highA, highB}}}}
	apart := &report.Table{Caption: "Problems on which they differ most", Columns: []report.Column{{Title: "Problem"}, {Title: "A", Numeric: true}, {Title: "B", Numeric: true}}}
	for _, p := range c.Apart {
		apart.Rows = append(apart.Rows, report.Cells(p.Problem, cellOf(p.A), cellOf(p.B)))
	}
	settings := &report.Table{Caption: "Settings that differ", Columns: []report.Column{{Title: "Setting"}, {Title: "A"}, {Title: "B"}}}
	for _, s := range c.Settings {
		settings.Rows = append(settings.Rows, report.Cells(s.Setting, s.A, s.B))
	}
	return render(&report.Document{
		Title: "Two runs beside each other", Subtitle: fmt.Sprintf("A is %s, B is %s. %d problems in common; %d only in A and %d only in B are left out.", c.A, c.B, c.Problems, c.OnlyA, c.OnlyB),
		Sections: []report.Section{{Title: "What was found", Blocks: []report.Block{table, chart}}, {Title: "Details", Blocks: []report.Block{apart, settings}}},
		Footer:   "Every number is computed from the samples of the two runs.",
	})
}
