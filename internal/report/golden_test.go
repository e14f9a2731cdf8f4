package report

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files (go test ./internal/report -update)")

// goldenDocument holds every block once, with short data.
func goldenDocument() *Document {
	return &Document{
		Title: "Every block", Subtitle: "Once.", Footer: "The end.",
		Sections: []Section{
			{Title: "Words", Blocks: []Block{
				&Paragraph{Text: "One paragraph.\n\nAnother, with 3*7 & more."},
				&Note{Tone: Good, Title: "Well.", Text: "It holds."},
				&List{Items: []string{"first", "1. second"}},
				&Figures{Items: []Figure{{"61.2%", "pass@1", "of 1,000"}}},
				&Facts{Title: "Manifest", Items: []Fact{{"seed", "1"}}},
				&Code{Caption: "Run it.", Language: "sh", Text: "retort lab --seed 1"},
				&Table{Caption: "A table", Columns: []Column{{Title: "Model"}, {"pass@1", true}}, Rows: []Row{{Heading: "Here"}, Cells("base", "11.8"), {Cells: []Cell{{Text: "GRPO"}, {"61.2", true}}}}, Note: "In percent."},
				exampleGates(),
			}},
			{Title: "Charts", Blocks: []Block{goldenLine(), goldenBars(), goldenHistogram()}},
			{Title: "Traces", Blocks: exampleTranscripts()},
		},
	}
}

func goldenLine() *LineChart {
	nan := math.NaN()
	return &LineChart{Title: "Lines", Caption: "With a gap, a lone point and a band.", Wide: true,
		X: Axis{Label: "step", Format: Count}, Y: Axis{Label: "share", Format: Percent},
		Series: []Series{
			{Name: "gap", Y: []float64{0.1, 0.2, nan, 0.3, 0.5}, Smooth: 3},
			{Name: "alone", X: []float64{0, 2, 4}, Y: []float64{nan, 0.6, math.Inf(1)}},
			{Name: "band", X: []float64{0, 4}, Y: []float64{0.2, 0.4}, Low: []float64{0.1, 0.3}, High: []float64{0.3, 0.5}, Dashed: true},
			{Name: "empty"},
		},
		Markers:    []Marker{{1, "begins"}, {1.2, "goes on"}, {99, "outside"}},
		References: []Reference{{0.45, "blind"}, {0.46, "also blind"}}}
}

func goldenBars() *BarChart {
	return &BarChart{Title: "Bars", Value: Axis{Label: "pass@1", Format: Percent}, Groups: []string{"base", "a name that takes more than one line", "nothing"},
		Series:     []BarSeries{{Name: "one", Values: []float64{0.1, 0.6, math.NaN()}, Low: []float64{0.08, 0.5, 0}, High: []float64{0.12, 0.7, 0}}, {Name: "two", Values: []float64{-0.1, 0.3, 0}}},
		References: []Reference{{0.4, "blind search"}}}
}

func goldenHistogram() *Histogram {
	return &Histogram{Title: "Lengths", X: Axis{Label: "tokens"}, Series: []HistogramSeries{{Name: "before", Values: []float64{1, 2, 2, 3, 3, 3, math.NaN()}}, {Name: "after", Values: []float64{3, 4, 4, 9}}, {Name: "none"}}}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		n := 0
		for n < len(got) && n < len(want) && got[n] == want[n] {
			n++
		}
		from := max(0, n-60)
		t.Errorf("%s: differs at byte %d: got …%q, want …%q (rewrite with -update, then look at it)", name, n, got[from:min(len(got), n+60)], want[from:min(len(want), n+60)])
	}
}

func TestGolden(t *testing.T) {
	page, err := HTML(goldenDocument())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "every.html", page)
	text, err := Markdown(goldenDocument())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "every.md", text)
	for name, c := range map[string]Chart{"line.svg": goldenLine(), "bars.svg": goldenBars(), "histogram.svg": goldenHistogram()} {
		picture, err := SVG(c, &SVGOptions{Theme: Light})
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, picture)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	first, err := HTML(exampleDocument())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 3; i++ {
		again, err := HTML(exampleDocument())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("HTML: two renderings of one document differ")
		}
	}
}
