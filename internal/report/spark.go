package report

import (
	"math"
	"strings"
)

// sparkWidth is the length of a line chart's picture in text.
const sparkWidth = 32

var sparks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws shown points as one character per stretch of x: its height is the mean of
// the stretch, on a scale from the bottom to the top of the chart. A dot is a stretch without a value.
func sparkline(pts []point, x, y *scale) string {
	sums, counts := make([]float64, sparkWidth), make([]int, sparkWidth)
	for _, q := range pts {
		if !q.shown {
			continue
		}
		k := min(max(int(x.at(q.x)*sparkWidth), 0), sparkWidth-1)
		sums[k] += y.at(q.y)
		counts[k]++
	}
	var b strings.Builder
	for k, n := range counts {
		if n == 0 {
			b.WriteRune('·')
			continue
		}
		level := int(math.Floor(sums[k] / float64(n) * float64(len(sparks))))
		b.WriteRune(sparks[min(max(level, 0), len(sparks)-1)])
	}
	return b.String()
}

// textBar draws a share in [0, 1] of width characters.
func textBar(share float64, width int) string {
	eighths := int(math.Round(math.Min(1, math.Max(0, share)) * float64(8*width)))
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return bar
}

func (m *mark) chartHead(h chartHead) {
	if h.title != "" {
		m.block("**" + m.escape(h.title) + "**")
	}
	if h.caption != "" {
		m.block(m.paragraph(h.caption))
	}
}

func (c *LineChart) markdown(m *mark) {
	m.chartHead(c.head())
	d := c.data()
	x, y := c.X.horizontal(d.ex, 1), c.Y.vertical(d.ey, 5, false)
	x.from, x.to, y.from, y.to = 0, 1, 0, 1
	over := axisName(c.X, "x")
	if d.ex.any {
		over += " " + c.X.Format.Text(d.ex.lo) + " to " + c.X.Format.Text(d.ex.hi)
	}
	t := &Table{Columns: []Column{{Title: axisName(c.Y, "value")}, {Title: over}, {Title: "first", Numeric: true}, {Title: "last", Numeric: true}, {Title: "lowest", Numeric: true}, {Title: "highest", Numeric: true}}}
	for i, s := range c.Series {
		sum, f := summarise(d.points[i]), c.Y.Format
		if sum.n == 0 {
			sum = summary{first: math.NaN(), last: math.NaN(), lo: math.NaN(), hi: math.NaN()}
		}
		t.Rows = append(t.Rows, Cells(s.Name, sparkline(d.points[i], x, y), f.Text(sum.first), f.Text(sum.last), f.Text(sum.lo), f.Text(sum.hi)))
	}
	t.markdown(m)
	var lines []string
	for _, k := range c.Markers {
		lines = append(lines, "At "+c.X.Format.Text(k.At)+": "+k.Label)
	}
	for _, r := range c.References {
		lines = append(lines, "Line at "+c.Y.Format.Text(r.At)+": "+r.Label)
	}
	(&List{Items: lines}).markdown(m)
}

func (c *BarChart) markdown(m *mark) {
	m.chartHead(c.head())
	axis, e := c.Value.widen(c.extent())
	s := axis.horizontal(e.withZero(), 1)
	most := math.Max(math.Abs(s.lo), math.Abs(s.hi))
	t := &Table{Columns: []Column{{}, {Title: axisName(c.Value, "value")}, {Numeric: true}, {}}}
	for g, name := range c.Groups {
		for i, series := range c.Series {
			value, bounds := c.valueTexts(i, g)
			bar := ""
			if v := series.Values[g]; finite(v) {
				bar = textBar(math.Abs(v)/most, 20)
				if v < 0 {
					bar = "−" + bar
				}
			}
			t.Rows = append(t.Rows, Cells(strings.TrimSpace(name+" "+series.Name), bar, value, bounds))
		}
	}
	t.markdown(m)
	var lines []string
	for _, r := range c.References {
		lines = append(lines, "Line at "+c.Value.Format.Text(r.At)+": "+r.Label)
	}
	(&List{Items: lines}).markdown(m)
}

func (c *Histogram) markdown(m *mark) {
	m.chartHead(c.head())
	b := c.bin()
	most := 0.0
	for i, shares := range b.shares {
		for _, v := range shares {
			if b.counts[i] > 0 {
				most = math.Max(most, v)
			}
		}
	}
	t := &Table{Columns: []Column{{Title: axisName(c.X, "bin")}}}
	for i, s := range c.Series {
		t.Columns = append(t.Columns, Column{Title: axisName(Axis{Label: s.Name}, "share") + " (n = " + plain(float64(b.counts[i]), 0) + ")"})
	}
	for k := 0; k+1 < len(b.edges); k++ {
		row := Cells(c.binName(b, k))
		for i := range c.Series {
			text := ""
			if b.counts[i] > 0 {
				text = textBar(b.shares[i][k]/most, 16) + " " + Percent.Text(b.shares[i][k])
			}
			row.Cells = append(row.Cells, Cell{Text: text})
		}
		t.Rows = append(t.Rows, row)
	}
	t.markdown(m)
}
