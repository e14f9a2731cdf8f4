package eval

import (
	"fmt"
	"math"
	"time"

	"github.com/retort-ml/retort/internal/report"
)

// publishedSection sets our figures beside the published ones, and says what keeps them from being compared.
func (f *Figures) publishedSection() (report.Section, bool) {
	s := report.Section{Title: "Beside the published figures"}
	if len(f.Published) > 0 {
		table := &report.Table{Columns: []report.Column{{Title: "Model"}, {Title: "Measure"}, {Title: "Percent", Numeric: true}, {Title: "95 % interval", Numeric: true}, {Title: "k", Numeric: true}, {Title: "Source"}},
			Note: "The published tables give no intervals. " + BoundNote}
		own := func(measure string, e Estimate, k int) {
			row := report.Cells("this run", measure, cellOf(e.Value), rangeOf(e), fmt.Sprint(k), f.Run)
			row.Cells[0].Strong = true
			table.Rows = append(table.Rows, row)
		}
		own("pass@1", f.PassAt1, f.Plan.Samples)
		if n := len(f.ConsAt); n > 0 {
			own(fmt.Sprintf("cons@%d", f.ConsAt[n-1].K), f.ConsAt[n-1].Estimate, f.ConsAt[n-1].K)
		}
		low, high := ends(f.PassAt1)
		chart := &report.BarChart{Title: "pass@1 beside the published", Value: report.Axis{Format: report.Percent}, Wide: true, Groups: []string{"this run"},
			Series: []report.BarSeries{{Values: []float64{f.PassAt1.Value}, Low: []float64{low}, High: []float64{high}}}}
		for _, p := range f.Published {
			table.Rows = append(table.Rows, report.Cells(p.Model, p.Measure, fmt.Sprint(p.Value), PublishedBound(p), samplesOf(p), p.Source))
			if p.Measure == "pass@1" && p.Source == SourcePaper {
				bars := &chart.Series[0]
				chart.Groups = append(chart.Groups, p.Model)
				bars.Values, bars.Low, bars.High = append(bars.Values, p.Value/100), append(bars.Low, nan), append(bars.High, nan)
			}
		}
		s.Blocks = append(s.Blocks, chart, table)
	}
	if len(f.Deviates) > 0 {
		table := &report.Table{Caption: "What differs from the published protocol: " + PublishedProtocol,
			Columns: []report.Column{{Title: "Setting"}, {Title: "Ours"}, {Title: "Published"}, {Title: "What it usually costs"}, {Title: "Source"}}}
		for _, d := range f.Deviates {
			table.Rows = append(table.Rows, report.Cells(d.Setting, d.Ours, d.Published, d.Cost, d.Source))
		}
		s.Blocks = append(s.Blocks, table)
	}
	return s, len(s.Blocks) > 0
}

func samplesOf(p Published) string {
	if p.Samples == 0 {
		return "not stated"
	}
	return fmt.Sprint(p.Samples)
}

// BoundNote says what PublishedBound is, for whoever prints it.
const BoundNote = "The range beside a published figure is the widest that it can have over other problems like these, +/- 1.96 sqrt(p (1-p) / n): it would have it if every problem were always or never solved."

// publishedProblems is how many problems a published figure is over, where that is known.
var publishedProblems = map[string]int{AIME2024: 30, MATH500: 500, GPQADiamond: 198}

// PublishedBound is the widest 95 % interval that a published share can have over other problems like these, "-" where the
// number of problems is not known.
func PublishedBound(p Published) string {
	n, ok := publishedProblems[p.Benchmark]
	if !ok || p.Measure == "rating" {
		return "-"
	}
	share := p.Value / 100
	half := 1.96 * math.Sqrt(share*(1-share)/float64(n))
	return fmt.Sprintf("at most %.1f to %.1f", 100*max(0, share-half), 100*min(1, share+half))
}

func (f *Figures) costSection() report.Section {
	c := &f.Cost
	items := []report.Fact{
		{Name: "tokens sampled", Value: report.Count.Text(float64(c.Tokens))}, {Name: "prompt tokens read", Value: report.Count.Text(float64(c.PromptTokens))},
		{Name: "time generating", Value: time.Duration(c.Seconds * float64(time.Second)).Round(100 * time.Millisecond).String()},
		{Name: "right samples", Value: report.Count.Text(float64(c.Right))},
	}
	each := func(name string, amount float64, unit string) {
		value := "no sample is right"
		if x, ok := c.Each(amount); ok {
			value = report.Plain.Text(x) + unit
		}
		items = append(items, report.Fact{Name: name + " per solved problem", Value: value})
	}
	each("tokens", float64(c.Tokens), "")
	each("time", c.Seconds, " s")
	if c.Price != nil {
		items = append(items, report.Fact{Name: "cost", Value: fmt.Sprintf("%.4f", *c.Price)})
		each("cost", *c.Price, "")
	} else {
		items = append(items, report.Fact{Name: "cost", Value: "no price was given"})
	}
	if c.Joules != nil {
		items = append(items, report.Fact{Name: "energy of the processor packages", Value: report.Plain.Text(*c.Joules) + " J"})
		each("energy", *c.Joules, " J")
	} else {
		items = append(items, report.Fact{Name: "energy", Value: "unknown: no counter could be read for the whole run"})
	}
	if v := f.Vote; v != nil {
		items = append(items, report.Fact{Name: "samples drawn of a full vote", Value: fmt.Sprintf("%d of %d", v.Drawn, v.Samples)},
			report.Fact{Name: "problems whose vote ended early", Value: fmt.Sprint(v.Decided)},
			report.Fact{Name: "tokens saved", Value: fmt.Sprintf("about %s beside %s sampled", report.Count.Text(float64(v.Saved)), report.Count.Text(float64(v.Tokens)))})
	}
	return report.Section{Title: "Cost", Blocks: []report.Block{&report.Facts{Items: items}, &report.Paragraph{Text: "Per solved problem: all that was spent, wrong samples included, divided by the number of right samples."}}}
}

// settingsSection is every setting of the plan.
func (f *Figures) settingsSection() report.Section {
	p := &f.Plan
	items := []report.Fact{{Name: "model", Value: p.Model}}
	add := func(name string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" {
			items = append(items, report.Fact{Name: name, Value: text})
		}
	}
	add("endpoint", p.Endpoint)
	add("tokenizer", p.Tokenizer)
	add("problems", fmt.Sprintf("%d asked for, %d could not be asked", p.Problems, f.Refused))
	add("data", p.Data)
	add("sha256 of the data", p.DataSHA256)
	add("prompt", p.Prompt)
	add("system", p.System)
	add("chat template, sha256", p.Template)
	add("opened thought", p.Thought)
	add("positions", p.Context)
	add("today, for the template", p.Today)
	add("products in", p.Compute)
	add("keys and values in", p.KV)
	add("samples", p.Samples)
	items = append(items, report.Fact{Name: "temperature", Value: fmt.Sprint(p.Temperature)})
	add("top-p", p.TopP)
	add("most tokens", p.MaxTokens)
	items = append(items, report.Fact{Name: "seed", Value: fmt.Sprint(p.Seed)})
	for _, option := range p.Grading {
		add("grading option", option)
	}
	if p.Votes != nil {
		add("votes end early", fmt.Sprintf("at confidence %v (1: only when nothing can change), in rounds of %d", p.Votes.Confidence, p.Votes.Round))
	}
	add("missing samples", f.Missing)
	add("later gradings", f.Regraded)
	s := report.Section{Title: "Settings", Blocks: []report.Block{&report.Facts{Items: items}}}
	if b, err := LookupBenchmark(p.Benchmark); err == nil {
		facts := []report.Fact{{Name: "source", Value: b.Source}, {Name: "licence", Value: b.Licence}, {Name: "citation", Value: b.Citation},
			{Name: "public since", Value: b.Since + ": a model trained later may have seen the problems"}}
		if b.Rights != "" {
			facts = append(facts, report.Fact{Name: "rights", Value: b.Rights})
		}
		s.Blocks = append(s.Blocks, &report.Facts{Title: b.Title, Items: facts})
	}
	return s
}
