package eval

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/internal/report"
	"github.com/retort-ml/retort/verify"
)

// Report is a record as HTML, one file that needs nothing else, and as Markdown.
func (r *Record) Report(o *IntervalOptions) (html, markdown []byte, err error) {
	f, err := r.Figures(o)
	if err != nil {
		return nil, nil, err
	}
	shown, err := r.examples()
	if err != nil {
		return nil, nil, err
	}
	return render(f.document(r.Result(), r.Questions, shown))
}

func render(d *report.Document) (html, markdown []byte, err error) {
	if html, err = report.HTML(d); err != nil {
		return nil, nil, fmt.Errorf("eval: report: %w", err)
	}
	if markdown, err = report.Markdown(d); err != nil {
		return nil, nil, fmt.Errorf("eval: report: %w", err)
	}
	return html, markdown, nil
}

func (f *Figures) document(r *Result, questions []Question, shown []report.Block) *report.Document {
	p := &f.Plan
	d := &report.Document{
		Title:    p.Name(),
		Subtitle: fmt.Sprintf("%d problems, %s. pass@1 is the mean over all samples; intervals draw problems with replacement.", f.Asked-f.Refused, sampling(p)),
		Footer:   "Every number is computed from the samples in " + f.Run + ".",
	}
	d.Sections = append(d.Sections, f.measureSection(r), f.lengthSection(r))
	if s, ok := f.partSection(); ok {
		d.Sections = append(d.Sections, s)
	}
	if s, ok := f.publishedSection(); ok {
		d.Sections = append(d.Sections, s)
	}
	if len(shown) > 0 {
		d.Sections = append(d.Sections, report.Section{Title: "Samples", Blocks: shown})
	}
	d.Sections = append(d.Sections, f.costSection(), f.problemSection(r, questions), f.settingsSection())
	return d
}

// sampling says how the samples were drawn.
func sampling(p *Plan) string {
	if p.Replay != "" {
		return fmt.Sprintf("up to %d recorded answers each", p.Samples)
	}
	return fmt.Sprintf("%d samples each at temperature %v and top-p %v, seed %d", p.Samples, p.Temperature, p.TopP, p.Seed)
}

func cellOf(x float64) string { return report.Percent.Text(x) }

func rangeOf(e Estimate) string {
	switch {
	case math.IsInf(e.Low, 0) || math.IsNaN(e.Value):
		return "-"
	case e.Low == e.High:
		return "none: all problems are equal"
	}
	return cellOf(e.Low) + " to " + cellOf(e.High)
}

func (f *Figures) measureSection(r *Result) report.Section {
	ofSampling := "-"
	if f.SamplingError != nil {
		ofSampling = cellOf(*f.SamplingError)
	}
	figures := &report.Figures{Items: []report.Figure{
		{Value: cellOf(f.PassAt1.Value), Label: "pass@1", Detail: rangeOf(f.PassAt1)},
		{Value: fmt.Sprintf("%.0f", f.Reply.All.Mean), Label: f.Reply.Unit + "s a reply, mean", Detail: fmt.Sprintf("median %.0f, p95 %.0f", f.Reply.All.Median, f.Reply.All.P95)},
		{Value: cellOf(f.Rates.Truncated), Label: "truncated"},
	}}
	if n := len(f.ConsAt); n > 0 {
		at := f.ConsAt[n-1]
		figures.Items = slices.Insert(figures.Items, 1, report.Figure{Value: cellOf(at.Estimate.Value), Label: fmt.Sprintf("cons@%d", at.K), Detail: rangeOf(at.Estimate)})
	}
	table := &report.Table{
		Columns: []report.Column{{Title: "Measure"}, {Title: "Value", Numeric: true}, {Title: "95 % interval", Numeric: true}, {Title: "Error of problems", Numeric: true}, {Title: "Error of sampling", Numeric: true}, {Title: "Problems", Numeric: true}, {Title: "Left out", Numeric: true}},
		Note:    tieRule,
	}
	row := func(name string, e Estimate, sampling string) {
		table.Rows = append(table.Rows, report.Cells(name, cellOf(e.Value), rangeOf(e), cellOf(e.StandardError), sampling, fmt.Sprint(e.Problems), fmt.Sprint(e.Dropped)))
	}
	for i, at := range f.PassAt {
		if i > 0 {
			ofSampling = "-"
		}
		row(fmt.Sprintf("pass@%d", at.K), at.Estimate, ofSampling)
	}
	for _, at := range f.ConsAt {
		row(fmt.Sprintf("cons@%d", at.K), at.Estimate, "-")
	}
	blocks := []report.Block{figures, table}
	if len(f.PassAt) > 1 {
		blocks = append(blocks, f.samplesChart())
	}
	blocks = append(blocks, &report.Histogram{Title: "How hard the problems are", Caption: "Share of right samples, problem by problem.", X: report.Axis{Label: "share right", Format: report.Percent},
		Series: []report.HistogramSeries{{Name: "problems", Values: r.Rates()}}})
	return report.Section{Title: "What was found", Blocks: blocks}
}

// tieRule stands below every table with a consensus.
const tieRule = "The error of problems is about other problems like these, the error of sampling about other samples of these very problems; the first contains the second. " +
	"pass@k is the unbiased estimate (Chen et al. 2021). cons@k: answers that are equivalent vote together, samples without an answer do not vote, no vote at all is wrong, and among equally frequent answers each is chosen with the same probability; below the full number of samples it is the mean over random subsets."

// samplesChart shows pass@k and cons@k over k.
func (f *Figures) samplesChart() report.Block {
	series := func(name string, all []AtK, dashed bool) report.Series {
		s := report.Series{Name: name, Dashed: dashed}
		for _, at := range all {
			low, high := ends(at.Estimate)
			s.X, s.Y, s.Low, s.High = append(s.X, float64(at.K)), append(s.Y, at.Estimate.Value), append(s.Low, low), append(s.High, high)
		}
		return s
	}
	c := &report.LineChart{Title: "More samples", Caption: "The bands are 95 % intervals over problems.", X: report.Axis{Label: "k", Log: true}, Y: report.Axis{Label: "share of problems", Format: report.Percent},
		Series: []report.Series{series("pass@k", f.PassAt, false)}}
	if len(f.ConsAt) > 1 {
		c.Series = append(c.Series, series("cons@k", f.ConsAt, true))
	}
	return c
}

// ends are an interval's, NaN where it says nothing.
func ends(e Estimate) (low, high float64) {
	if math.IsInf(e.Low, 0) || math.IsInf(e.High, 0) || e.Low == e.High {
		return nan, nan
	}
	return e.Low, e.High
}

func (f *Figures) lengthSection(r *Result) report.Section {
	table := &report.Table{Columns: []report.Column{{Title: "Length"}, {Title: "Unit"}, {Title: "Samples", Numeric: true}, {Title: "Mean", Numeric: true}, {Title: "Median", Numeric: true}, {Title: "95th percentile", Numeric: true}}}
	add := func(name, unit string, all, right, wrong Lengths) {
		table.Rows = append(table.Rows, report.Row{Heading: name})
		for _, part := range []struct {
			name string
			l    Lengths
		}{{"all", all}, {"right", right}, {"not right", wrong}} {
			table.Rows = append(table.Rows, report.Cells(part.name, unit, fmt.Sprint(part.l.Answers), fmt.Sprintf("%.1f", part.l.Mean), fmt.Sprintf("%.0f", part.l.Median), fmt.Sprintf("%.0f", part.l.P95)))
		}
	}
	add("Reply", f.Reply.Unit, f.Reply.All, f.Reply.Right, f.Reply.Wrong)
	add("Thought", f.Thought.Unit, f.Thought.All, f.Thought.Right, f.Thought.Wrong)
	add("Answer", f.Answered.Unit, f.Answered.All, f.Answered.Right, f.Answered.Wrong)
	var right, wrong []float64
	for _, p := range r.Problems {
		for i, n := range p.Lengths {
			if p.RightOnes[i] {
				right = append(right, float64(n))
			} else {
				wrong = append(wrong, float64(n))
			}
		}
	}
	blocks := []report.Block{table}
	if len(right)+len(wrong) > 0 && f.Reply.Unit == "token" {
		h := &report.Histogram{Title: "Tokens in a reply", X: report.Axis{Label: "tokens"}}
		for _, s := range []report.HistogramSeries{{Name: "right", Values: right, Colour: 1}, {Name: "not right", Values: wrong, Colour: 6}} {
			if len(s.Values) > 0 {
				h.Series = append(h.Series, s)
			}
		}
		blocks = append(blocks, h)
	}
	rates := &report.Facts{Title: "Shares of all samples", Items: []report.Fact{
		{Name: "ran out of tokens", Value: cellOf(f.Rates.Truncated)}, {Name: "a thought without an end", Value: cellOf(f.Rates.Unclosed)},
		{Name: "no thought", Value: cellOf(f.Rates.Thoughtless)}, {Name: "end in a repetition", Value: cellOf(f.Rates.Loops)},
		{Name: "no answer found", Value: cellOf(f.Rates.Unanswered)}, {Name: "cannot be judged", Value: cellOf(f.Rates.Undecidable)},
	}}
	if f.Plan.Kind == Maths || f.Plan.Kind == Choice {
		rates.Items = append(rates.Items, report.Fact{Name: "no box in the answer", Value: cellOf(f.Rates.Unboxed)})
	}
	return report.Section{Title: "Lengths and forms", Blocks: append(blocks, rates)}
}

// partSection breaks pass@1 down by subject and by level.
func (f *Figures) partSection() (report.Section, bool) {
	s := report.Section{Title: "By subject and level"}
	for _, by := range []struct {
		title string
		head  string
		parts []Part
	}{{"By subject", "Subject", f.BySubject}, {"By level", "Level", f.ByLevel}} {
		if len(by.parts) == 0 {
			continue
		}
		chart := &report.BarChart{Title: by.title, Value: report.Axis{Label: "pass@1", Format: report.Percent}, Series: []report.BarSeries{{}}}
		table := &report.Table{Columns: []report.Column{{Title: by.head}, {Title: "Problems", Numeric: true}, {Title: "pass@1", Numeric: true}, {Title: "95 % interval", Numeric: true}, {Title: "Tokens, mean", Numeric: true}}}
		for _, p := range by.parts {
			name := p.Name
			if _, err := strconv.Atoi(name); err == nil {
				name = by.head + " " + name
			}
			bars := &chart.Series[0]
			low, high := ends(p.PassAt1)
			chart.Groups = append(chart.Groups, name)
			bars.Values, bars.Low, bars.High = append(bars.Values, p.PassAt1.Value), append(bars.Low, low), append(bars.High, high)
			table.Rows = append(table.Rows, report.Cells(name, fmt.Sprint(p.Problems), cellOf(p.PassAt1.Value), rangeOf(p.PassAt1), fmt.Sprintf("%.0f", p.Tokens)))
		}
		s.Blocks = append(s.Blocks, chart, table)
	}
	return s, len(s.Blocks) > 0
}

// problemSection lists every problem.
func (f *Figures) problemSection(r *Result, questions []Question) report.Section {
	table := &report.Table{Columns: []report.Column{{Title: "Problem"}, {Title: "Right", Numeric: true}, {Title: "Judged", Numeric: true}, {Title: "Samples", Numeric: true}, {Title: "Most frequent answer"}, {Title: "Gold answer"}}}
	for i, p := range r.Problems {
		table.Rows = append(table.Rows, report.Cells(p.ID, fmt.Sprint(p.Right), fmt.Sprint(p.Judged), fmt.Sprint(p.Generated), brief(mostFrequent(p.Votes)), brief(questions[i].Gold)))
	}
	blocks := []report.Block{table}
	var refused []string
	for _, q := range questions {
		if q.Refused != "" {
			refused = append(refused, q.ID+": "+q.Refused)
		}
	}
	if len(refused) > 0 {
		blocks = append(blocks, &report.Note{Title: "Problems that cannot be asked", Text: "They have no samples, and are counted neither as wrong nor as missing."}, &report.List{Items: refused})
	}
	return report.Section{Title: "Problem by problem", Blocks: blocks}
}

func brief(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return text
}

// mostFrequent is the answer with most votes, the first one given among equals.
func mostFrequent(votes []Vote) string {
	count, best := map[string]int{}, ""
	for _, v := range votes {
		if v.Votes {
			count[v.Answer]++
		}
	}
	for _, v := range votes {
		if v.Votes && count[v.Answer] > count[best] {
			best = v.Answer
		}
	}
	return best
}

// examples are the texts of a few samples: the first that is right, wrong, and a loop.
func (r *Record) examples() ([]report.Block, error) {
	wanted := map[string]bool{"right": true, "wrong": true, "a loop": true}
	var blocks []report.Block
	err := r.eachSample(func(s *Sample) error {
		q := &r.Questions[r.place[s.Problem]]
		k := r.samples[r.place[s.Problem]][s.Sample]
		kind := k.Verdict.Outcome.String()
		if k.trace.IsLoop && wanted["a loop"] {
			kind = "a loop"
		}
		if !wanted[kind] {
			return nil
		}
		delete(wanted, kind)
		tone := report.Bad
		if k.Verdict.Outcome == verify.Right {
			tone = report.Good
		}
		blocks = append(blocks, &report.Transcript{
			Title: fmt.Sprintf("%s, sample %d", s.Problem, s.Sample), Result: kind, Tone: tone, Folded: true, Note: strings.TrimSpace(k.Verdict.String() + "; gold answer: " + q.Gold),
			Spans: []report.Span{{Kind: report.PromptText, Text: q.Text + "\n"}, {Kind: report.Thought, Text: clip(s.Text[:s.ThoughtBytes])}, {Kind: report.Answer, Text: clip(s.Text[s.ThoughtBytes:])}},
		})
		return nil
	})
	return blocks, err
}

// clip keeps both ends of a long text.
func clip(text string) string {
	const most = 6000
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most/2], "") + fmt.Sprintf("\n[... %d bytes ...]\n", len(text)-most) + strings.ToValidUTF8(text[len(text)-most/2:], "")
}
