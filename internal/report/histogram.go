package report

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// Histogram shows how values are distributed: the share of each series' values in bins of
// equal width, which are the same for all series.
type Histogram struct {
	Title   string
	Caption string
	Wide    bool // takes a whole row
	X       Axis // Log is not for histograms
	Series  []HistogramSeries
	Bins    int // about so many; 0 chooses by the spread of the values
}

// HistogramSeries is one set of values; what is not a finite number is left out.
type HistogramSeries struct {
	Name   string
	Values []float64
	Colour int // 1 to 6; 0 takes the place in the list
}

func (c *Histogram) head() chartHead { return chartHead{c.Title, c.Caption, c.Wide} }

func (c *Histogram) check() error {
	if c.X.Log {
		return fmt.Errorf("chart %q: got a logarithmic axis for a histogram, want a linear one", c.Title)
	}
	if c.Bins < 0 {
		return fmt.Errorf("chart %q: got %d bins, want 0 or more", c.Title, c.Bins)
	}
	for _, s := range c.Series {
		if s.Colour < 0 || s.Colour > colours {
			return fmt.Errorf("chart %q: series %q: got colour %d, want 0 to %d", c.Title, s.Name, s.Colour, colours)
		}
	}
	return nil
}

func (c *Histogram) colour(i int) int {
	if n := c.Series[i].Colour; n > 0 {
		return n - 1
	}
	return i % colours
}

// binned is the distribution of all series over the same bins.
type binned struct {
	edges  []float64   // one more than bins
	shares [][]float64 // [series][bin]
	counts []int       // finite values of each series
	whole  bool        // each bin is one whole number, in its middle
}

func (c *Histogram) bin() binned {
	var e extent
	values := make([][]float64, len(c.Series))
	for i, s := range c.Series {
		for _, v := range s.Values {
			if finite(v) {
				values[i] = append(values[i], v)
				e.add(v)
			}
		}
	}
	b := binned{}
	b.edges, b.whole = c.binEdges(e, values)
	for _, vs := range values {
		shares := make([]float64, len(b.edges)-1)
		for _, v := range vs {
			k := sort.SearchFloat64s(b.edges, v)
			if k == len(b.edges) || b.edges[k] != v {
				k--
			}
			k = min(max(k, 0), len(shares)-1)
			shares[k] += 1 / float64(len(vs))
		}
		b.shares = append(b.shares, shares)
		b.counts = append(b.counts, len(vs))
	}
	return b
}

// binEdges chooses round edges. The width follows the rule of Freedman and Diaconis
// (1981), 2 IQR / cube root of n, between 8 and 40 bins; whole numbers in a
// small range get a bin each.
func (c *Histogram) binEdges(e extent, values [][]float64) (edges []float64, whole bool) {
	axis, e := c.X.widen(e)
	lo, hi, _ := axis.settle(e)
	const exact = 1 << 40 // below it halves are exact
	if c.Bins == 0 && e.any && e.whole && e.hi-e.lo <= 40 && math.Abs(e.lo) < exact && math.Abs(e.hi) < exact {
		for k := 0; k <= int(e.hi-e.lo)+1; k++ {
			edges = append(edges, e.lo+float64(k)-0.5)
		}
		return edges, true
	}
	bins := c.Bins
	if bins == 0 {
		bins = 40
		for _, vs := range values {
			sorted := append([]float64(nil), vs...)
			sort.Float64s(sorted)
			if n := len(sorted); n > 0 {
				width := 2 * (sorted[3*n/4] - sorted[n/4]) / math.Cbrt(float64(n))
				if width > 0 {
					bins = min(bins, int(math.Min(40, (hi-lo)/width)))
				}
			}
		}
		bins = max(bins, 8)
	}
	least := 0.0
	if e.whole {
		least = 1
	}
	edges, _ = niceTicks(lo, hi, min(bins, 60), least, true)
	return edges, false
}

func (c *Histogram) draw(p *picture) {
	b := c.bin()
	if len(c.Series) > 1 || len(c.Series) == 1 && c.Series[0].Name != "" && c.Series[0].Name != c.Title {
		entries := make([]entry, len(c.Series))
		for i, s := range c.Series {
			entries[i] = entry{name: s.Name + " (n = " + plain(float64(b.counts[i]), 0) + ")", colour: c.colour(i), area: true}
		}
		p.legend(entries)
	}
	ex := extent{lo: b.edges[0], hi: b.edges[len(b.edges)-1], any: true, whole: b.whole || b.edges[1]-b.edges[0] >= 1}
	var ey extent
	total := 0
	for i, shares := range b.shares {
		total += b.counts[i]
		for _, v := range shares {
			if b.counts[i] > 0 {
				ey.add(v)
			}
		}
	}
	y := Axis{Format: Percent, Label: "share"}
	x, _ := c.X.widen(ex)
	pl := p.newPlot(x, y, ex, ey, true)
	p.frame(pl, x, y, nil)
	if total == 0 {
		p.noData(pl)
	} else {
		for i := range c.Series {
			c.outline(p, pl, b, i)
		}
	}
	dropped := 0
	for i, s := range c.Series {
		dropped += len(s.Values) - b.counts[i]
	}
	if dropped > 0 {
		p.notes = append(p.notes, plural(dropped, "value")+" not a number, left out")
	}
	p.footnotes()
}

// outline draws one series as a filled step line, and invisible columns that
// name their share under the pointer.
func (c *Histogram) outline(p *picture, pl *plot, b binned, i int) {
	if b.counts[i] == 0 {
		return
	}
	n := strconv.Itoa(c.colour(i))
	var d strings.Builder
	d.WriteString("M" + pl.position(b.edges[0], 0))
	for k, share := range b.shares[i] {
		d.WriteString("L" + pl.position(b.edges[k], share) + "L" + pl.position(b.edges[k+1], share))
	}
	d.WriteString("L" + pl.position(b.edges[len(b.edges)-1], 0))
	p.empty("path", "d", d.String()+"Z", "class", "f"+n+" band")
	p.empty("path", "d", d.String(), "class", "l"+n)
	if !p.hover || i > 0 {
		return
	}
	for k := range b.shares[i] {
		x := pl.left + pl.x.at(b.edges[k])
		p.open("g", "class", "hit")
		p.box(x, pl.top, pl.left+pl.x.at(b.edges[k+1])-x, pl.height, "area shade", "")
		p.open("text", "x", coordinate(pl.left+pl.width), "y", coordinate(pl.readout), "class", "t-readout", "text-anchor", "end")
		p.element("tspan", c.binName(b, k), "class", "at")
		for s := range c.Series {
			if b.counts[s] > 0 {
				p.readout(c.colour(s), Percent.Text(b.shares[s][k]))
			}
		}
		p.close("text", "g")
	}
}

func (c *Histogram) binName(b binned, k int) string {
	if b.whole {
		return c.X.Format.Text(b.edges[k] + 0.5)
	}
	return c.X.Format.Text(b.edges[k]) + " to " + c.X.Format.Text(b.edges[k+1])
}

func (c *Histogram) describe() string {
	b := c.bin()
	var out strings.Builder
	out.WriteString("Histogram of " + axisName(c.X, "values") + ".")
	for i, s := range c.Series {
		if b.counts[i] == 0 {
			out.WriteString(" " + s.Name + ": no data.")
			continue
		}
		top := 0
		for k, v := range b.shares[i] {
			if v > b.shares[i][top] {
				top = k
			}
		}
		fmt.Fprintf(&out, " %s: %s, most often %s (%s).", axisName(Axis{Label: s.Name}, "Values"), plural(b.counts[i], "value"), c.binName(b, top), Percent.Text(b.shares[i][top]))
	}
	return out.String()
}

func (c *Histogram) numbers(rows int) *Table {
	b := c.bin()
	t := &Table{Columns: []Column{{Title: axisName(c.X, "bin")}}}
	for _, s := range c.Series {
		t.Columns = append(t.Columns, Column{Title: axisName(Axis{Label: s.Name}, "share"), Numeric: true})
	}
	for k := 0; k+1 < len(b.edges) && k < rows; k++ {
		row := Row{Cells: []Cell{{Text: c.binName(b, k)}}}
		for i := range c.Series {
			text := ""
			if b.counts[i] > 0 {
				text = Percent.Text(b.shares[i][k])
			}
			row.Cells = append(row.Cells, Cell{Text: text})
		}
		t.Rows = append(t.Rows, row)
	}
	if n := len(b.edges) - 1; n > rows {
		t.Note = fmt.Sprintf("%d of %d bins.", rows, n)
	}
	return t
}
