package report

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// xs returns the shown x values of all series, ascending, each once.
func (d *lineData) xs() []float64 {
	var all []float64
	for _, pts := range d.points {
		for _, q := range pts {
			if q.shown {
				all = append(all, q.x)
			}
		}
	}
	sort.Float64s(all)
	out := all[:0]
	for i, x := range all {
		if i == 0 || x != out[len(out)-1] {
			out = append(out, x)
		}
	}
	return out
}

// pick returns at most limit of the values, evenly chosen, with the first and
// the last.
func pick(values []float64, limit int) []float64 {
	if len(values) <= limit || limit < 2 {
		return values
	}
	out := make([]float64, limit)
	for i := range out {
		out[i] = values[i*(len(values)-1)/(limit-1)]
	}
	return out
}

// find returns the shown point at x.
func find(pts []point, x float64) (point, bool) {
	for _, q := range pts {
		if q.shown && q.x == x {
			return q, true
		}
	}
	return point{}, false
}

// hits draws invisible columns over the plot: the one under the pointer shows a
// line, the points on it and their values. It needs no script.
func (c *LineChart) hits(p *picture, pl *plot, d *lineData) {
	xs := pick(d.xs(), int(pl.width/6))
	name := c.X.Label
	if name == "" {
		name = "x"
	}
	for i, x := range xs {
		at, from, to := pl.x.at(x), 0.0, pl.width
		if at < -0.5 || at > pl.width+0.5 {
			continue
		}
		if i > 0 {
			from = math.Max(from, (pl.x.at(xs[i-1])+at)/2)
		}
		if i+1 < len(xs) {
			to = math.Min(to, (pl.x.at(xs[i+1])+at)/2)
		}
		p.open("g", "class", "hit")
		p.box(pl.left+from, pl.top, to-from, pl.height, "area", "")
		p.rule(pl.left+at, pl.top, pl.left+at, pl.top+pl.height, "guide")
		for k, pts := range d.points {
			if q, ok := find(pts, x); ok {
				if y := pl.y.at(q.y); y >= -0.5 && y <= pl.height+0.5 {
					p.shape(c.colour(k), pl.left+at, pl.top+y, 4)
				}
			}
		}
		p.open("text", "x", coordinate(pl.left+pl.width), "y", coordinate(pl.readout), "class", "t-readout", "text-anchor", "end")
		p.element("tspan", shorten(clean(name), tickSize, p.width/3)+" "+c.X.Format.Text(x), "class", "at")
		for k, pts := range d.points {
			if q, ok := find(pts, x); ok {
				p.readout(c.colour(k), c.Y.Format.Text(q.y))
			}
		}
		p.close("text", "g")
	}
}

// readout writes a value behind the mark of its colour.
func (p *picture) readout(colour int, value string) {
	p.element("tspan", "  ● ", "class", "f"+strconv.Itoa(colour))
	p.text(value)
}

func (c *LineChart) describe() string {
	d := c.data()
	if !d.ex.any {
		return "Line chart without data."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Line chart, %s from %s to %s.", axisName(c.X, "x"), c.X.Format.Text(d.ex.lo), c.X.Format.Text(d.ex.hi))
	for i, s := range c.Series {
		sum := summarise(d.points[i])
		name := s.Name
		if name == "" {
			name = axisName(c.Y, "value")
		}
		if sum.n == 0 {
			fmt.Fprintf(&b, " %s: no data.", name)
			continue
		}
		f := c.Y.Format
		fmt.Fprintf(&b, " %s: first %s, last %s, lowest %s, highest %s.", name, f.Text(sum.first), f.Text(sum.last), f.Text(sum.lo), f.Text(sum.hi))
	}
	for _, m := range c.Markers {
		fmt.Fprintf(&b, " At %s: %s.", c.X.Format.Text(m.At), m.Label)
	}
	for _, r := range c.References {
		fmt.Fprintf(&b, " Line at %s: %s.", c.Y.Format.Text(r.At), r.Label)
	}
	return b.String()
}

func axisName(a Axis, otherwise string) string {
	if a.Label == "" {
		return otherwise
	}
	return a.Label
}

type summary struct {
	first, last, lo, hi float64
	n                   int
}

func summarise(pts []point) summary {
	var s summary
	for _, q := range pts {
		if !q.shown {
			continue
		}
		if s.n == 0 {
			s = summary{first: q.y, lo: q.y, hi: q.y}
		}
		s.last, s.lo, s.hi = q.y, math.Min(s.lo, q.y), math.Max(s.hi, q.y)
		s.n++
	}
	return s
}

func (c *LineChart) numbers(rows int) *Table {
	d := c.data()
	all := d.xs()
	xs := pick(all, rows)
	t := &Table{Columns: []Column{{Title: axisName(c.X, "x"), Numeric: true}}}
	for i, s := range c.Series {
		name := s.Name
		if name == "" {
			name = axisName(c.Y, "value "+strconv.Itoa(i+1))
		}
		t.Columns = append(t.Columns, Column{Title: name, Numeric: true})
	}
	for _, x := range xs {
		row := Row{Cells: []Cell{{Text: c.X.Format.Text(x)}}}
		for _, pts := range d.points {
			text := ""
			if q, ok := find(pts, x); ok {
				text = c.Y.Format.Text(q.y)
				if q.band {
					text += " " + interval(c.Y.Format, q.low, q.high)
				}
			}
			row.Cells = append(row.Cells, Cell{Text: text})
		}
		t.Rows = append(t.Rows, row)
	}
	if len(xs) < len(all) {
		t.Note = fmt.Sprintf("%d of %d points.", len(xs), len(all))
	}
	return t
}

// interval writes the bounds of a value that stands beside it, without its unit.
func interval(f Format, low, high float64) string {
	return "[" + strings.TrimSuffix(f.Text(low), "%") + ", " + strings.TrimSuffix(f.Text(high), "%") + "]"
}
