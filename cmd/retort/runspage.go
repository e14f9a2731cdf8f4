package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/internal/report"
	"github.com/retort-ml/retort/runstore"
)

const (
	pagePoints  = 400 // of a curve; more are averaged
	pageSamples = 8   // the last ones are shown
	pageText    = 4000
)

// writeRunPage writes a whole run as one HTML file without a script: what it is, its curves, its time, its last samples, its settings.
func writeRunPage(w io.Writer, r *runstore.Record) error {
	d, err := runDocument(r)
	if err != nil {
		return err
	}
	html, err := report.HTML(d)
	if err != nil {
		return err
	}
	_, err = w.Write(html)
	return err
}

func runDocument(r *runstore.Record) (*report.Document, error) {
	m := r.Manifest
	last := 0
	if n := len(r.Rows); n > 0 {
		last = r.Rows[n-1].Step
	}
	d := &report.Document{Title: m.ID, Subtitle: fmt.Sprintf("%s, %s at step %d", m.Kind, r.Status, last), Footer: "retort runs export"}
	curves := report.Section{Title: "Curves", Blocks: runCurves(r)}
	if len(curves.Blocks) == 0 {
		curves.Blocks = []report.Block{&report.Paragraph{Text: "No metrics were recorded."}}
	}
	d.Sections = append(d.Sections, curves, report.Section{Title: "Numbers", Blocks: []report.Block{metricsTable(r)}})
	times, err := timeTable(r)
	if err != nil {
		return nil, err
	}
	if times != nil {
		d.Sections = append(d.Sections, report.Section{Title: "Time", Blocks: []report.Block{times}})
	}
	samples, err := lastSamples(r)
	if err != nil {
		return nil, err
	}
	if len(samples) > 0 {
		d.Sections = append(d.Sections, report.Section{Title: "The last samples", Blocks: samples})
	}
	settings, err := recipe.YAML(m.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	facts := &report.Facts{Items: []report.Fact{
		{Name: "created", Value: m.Created.UTC().Format(time.RFC3339)}, {Name: "command", Value: strings.Join(m.Command, " ")},
		{Name: "build", Value: m.Build}, {Name: "instruction set", Value: m.Level}, {Name: "seed", Value: strconv.FormatUint(m.Seed, 10)},
		{Name: "parents", Value: strings.Join(m.Parents, ", ")},
	}}
	facts.Items = slices.DeleteFunc(facts.Items, func(f report.Fact) bool { return f.Value == "" })
	blocks := []report.Block{facts}
	for _, warning := range r.Warnings {
		blocks = append(blocks, &report.Note{Tone: report.Bad, Title: "Passed over", Text: warning})
	}
	d.Sections = append(d.Sections, report.Section{Title: "What it is", Blocks: append(blocks, &report.Code{Caption: "Settings", Language: "yaml", Text: string(settings)})})
	return d, nil
}

// runCurves is a chart for each metric that has a number.
func runCurves(r *runstore.Record) (blocks []report.Block) {
	for _, m := range r.Manifest.Metrics {
		var x, y []float64
		for _, row := range r.Rows {
			if number, ok := row.Get(m.Name); ok {
				x, y = append(x, float64(row.Step)), append(y, number)
			}
		}
		if len(y) == 0 {
			continue
		}
		caption := m.Formula
		if len(y) > pagePoints {
			caption += fmt.Sprintf(" Each point is the mean of about %d steps.", (len(y)+pagePoints-1)/pagePoints)
			x, y = means(x, pagePoints), means(y, pagePoints)
		}
		blocks = append(blocks, &report.LineChart{
			Title: m.Name, Caption: caption, X: report.Axis{Label: "step", Format: report.Count}, Y: report.Axis{Label: m.Unit},
			Series: []report.Series{{Name: m.Name, X: x, Y: y}},
		})
	}
	return blocks
}

// means are n means of neighbours. A part that holds what is no number has none.
func means(values []float64, n int) []float64 {
	short := make([]float64, n)
	for i := range short {
		part := values[i*len(values)/n : (i+1)*len(values)/n]
		for _, x := range part {
			short[i] += x / float64(len(part))
		}
	}
	return short
}

// metricsTable is the first, the last, the least and the largest number of each metric.
func metricsTable(r *runstore.Record) *report.Table {
	t := &report.Table{Columns: []report.Column{{Title: "Metric"}, {Title: "Unit"}, {Title: "Steps", Numeric: true}, {Title: "First", Numeric: true}, {Title: "Last", Numeric: true}, {Title: "Least", Numeric: true}, {Title: "Largest", Numeric: true}}}
	for _, m := range r.Manifest.Metrics {
		var all []float64
		least, largest := math.Inf(1), math.Inf(-1)
		for _, row := range r.Rows {
			if x, ok := row.Get(m.Name); ok {
				all, least, largest = append(all, x), math.Min(least, x), math.Max(largest, x)
			}
		}
		if len(all) > 0 {
			t.Rows = append(t.Rows, report.Cells(m.Name, m.Unit, strconv.Itoa(len(all)), number(all[0]), number(all[len(all)-1]), number(least), number(largest)))
		}
	}
	return t
}

// timeTable is how long each part of a step took in all; nil where nothing is recorded.
func timeTable(r *runstore.Record) (*report.Table, error) {
	timings, err := r.Timings()
	if err != nil || len(timings) == 0 {
		return nil, err
	}
	sums := map[string]time.Duration{}
	var parts []string
	all := time.Duration(0)
	for _, list := range timings {
		for _, part := range list {
			if _, ok := sums[part.Part]; !ok {
				parts = append(parts, part.Part)
			}
			sums[part.Part] += part.Duration
			all += part.Duration
		}
	}
	slices.Sort(parts)
	t := &report.Table{Columns: []report.Column{{Title: "Part"}, {Title: "Seconds", Numeric: true}, {Title: "A step", Numeric: true}, {Title: "Share", Numeric: true}}}
	for _, part := range parts {
		seconds := sums[part].Seconds()
		share := math.NaN()
		if all > 0 {
			share = seconds / all.Seconds()
		}
		t.Rows = append(t.Rows, report.Cells(part, report.Plain.Text(seconds), report.Plain.Text(seconds/float64(len(timings))), report.Percent.Text(share)))
	}
	return t, nil
}

// lastSamples are the run's last samples, their text apart from their numbers.
func lastSamples(r *runstore.Record) ([]report.Block, error) {
	var last []json.RawMessage
	err := r.Samples(func(sample json.RawMessage) error {
		if last = append(last, slices.Clone(sample)); len(last) > pageSamples {
			last = last[1:]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var blocks []report.Block
	for _, sample := range last {
		var fields map[string]any
		if err := json.Unmarshal(sample, &fields); err != nil {
			return nil, err
		}
		text, ok := fields["text"].(string)
		if !ok {
			text = string(sample)
		}
		var rest []string
		for key, value := range fields {
			switch value.(type) {
			case float64, bool:
				rest = append(rest, fmt.Sprintf("%s %v", key, value))
			}
		}
		slices.Sort(rest)
		if runes := []rune(text); len(runes) > pageText {
			text = string(runes[:pageText]) + "…"
		}
		blocks = append(blocks, &report.Code{Caption: strings.Join(rest, ", "), Text: text})
	}
	return blocks, nil
}
