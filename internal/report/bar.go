package report

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// BarChart compares values of named groups by horizontal bars from zero, with
// their intervals as error bars and in figures.
type BarChart struct {
	Title      string
	Caption    string
	Wide       bool // takes a whole row
	Value      Axis // Log is not for bars: they begin at zero
	Groups     []string
	Series     []BarSeries
	References []Reference
}

// BarSeries is one bar in each group.
type BarSeries struct {
	Name    string
	Values  []float64 // one per group; NaN is an empty place
	Low     []float64 // Low and High draw error bars: one per group, or nil
	High    []float64
	Colour  int   // 1 to 6; 0 takes the place in the list
	Colours []int // one per group in place of Colour, or nil
}

func (c *BarChart) head() chartHead { return chartHead{c.Title, c.Caption, c.Wide} }

func (c *BarChart) check() error {
	if c.Value.Log {
		return fmt.Errorf("chart %q: got a logarithmic axis for bars, want a linear one", c.Title)
	}
	for _, s := range c.Series {
		if len(s.Values) != len(c.Groups) {
			return fmt.Errorf("chart %q: series %q: got %d values, want one for each of %d groups", c.Title, s.Name, len(s.Values), len(c.Groups))
		}
		if (s.Low == nil) != (s.High == nil) || s.Low != nil && (len(s.Low) != len(s.Values) || len(s.High) != len(s.Values)) {
			return fmt.Errorf("chart %q: series %q: got %d low and %d high values, want %d of each or none", c.Title, s.Name, len(s.Low), len(s.High), len(s.Values))
		}
		if s.Colours != nil && len(s.Colours) != len(s.Values) {
			return fmt.Errorf("chart %q: series %q: got %d colours, want %d or none", c.Title, s.Name, len(s.Colours), len(s.Values))
		}
		for _, n := range append([]int{s.Colour}, s.Colours...) {
			if n < 0 || n > colours {
				return fmt.Errorf("chart %q: series %q: got colour %d, want 0 to %d", c.Title, s.Name, n, colours)
			}
		}
	}
	return nil
}

func (c *BarChart) colour(series, group int) int {
	s := &c.Series[series]
	n := s.Colour
	if s.Colours != nil {
		n = s.Colours[group]
	}
	if n > 0 {
		return n - 1
	}
	return series % colours
}

// bounds returns the interval of a bar, and whether it has one.
func (s *BarSeries) bounds(group int) (low, high float64, ok bool) {
	if s.Low == nil || !finite(s.Values[group]) || !finite(s.Low[group]) || !finite(s.High[group]) {
		return 0, 0, false
	}
	return s.Low[group], s.High[group], true
}

// valueTexts returns the figures of a bar and of its interval.
func (c *BarChart) valueTexts(series, group int) (value, bounds string) {
	s := &c.Series[series]
	value = c.Value.Format.Text(s.Values[group])
	if low, high, ok := s.bounds(group); ok {
		bounds = interval(c.Value.Format, low, high)
	}
	return value, bounds
}

// barLayout is the room of the columns: names, bars, figures.
type barLayout struct {
	plot
	names          [][]string // lines of each group's name
	value, bounds  float64    // right edges of the figures
	rows           []float64  // top of each group
	thick, between float64
}

func (c *BarChart) layout(p *picture) *barLayout {
	l := &barLayout{thick: 17, between: 12}
	if len(c.Series) > 1 {
		l.thick = 13
	}
	nameWidth, valueWidth, boundsWidth := 0.0, 0.0, 0.0
	most := 0.3 * p.width
	for g, name := range c.Groups {
		lines := wrap(clean(name), labelSize, most, 2)
		l.names = append(l.names, lines)
		for _, line := range lines {
			nameWidth = math.Max(nameWidth, textWidth(line, labelSize))
		}
		for i := range c.Series {
			value, bounds := c.valueTexts(i, g)
			valueWidth = math.Max(valueWidth, textWidth(value, labelSize))
			boundsWidth = math.Max(boundsWidth, textWidth(bounds, tickSize))
		}
	}
	valueWidth, boundsWidth = math.Min(valueWidth, 0.18*p.width), math.Min(boundsWidth, 0.3*p.width)
	l.bounds = p.width
	l.value = p.width
	if boundsWidth > 0 {
		l.value -= boundsWidth + 6
	}
	l.left = nameWidth + 8
	l.width = math.Max(60, l.value-valueWidth-12-l.left)
	for range c.Groups {
		l.rows = append(l.rows, l.height)
		l.height += math.Max(1, float64(len(c.Series)))*(l.thick+2) + l.between
	}
	l.height = math.Max(l.height, 30)
	return l
}

func (c *BarChart) extent() extent {
	var e extent
	for i := range c.Series {
		s := &c.Series[i]
		for g, v := range s.Values {
			if !finite(v) {
				continue
			}
			e.add(v)
			if low, high, ok := s.bounds(g); ok {
				e.add(low)
				e.add(high)
			}
		}
	}
	if e.any {
		for _, r := range c.References {
			if finite(r.At) {
				e.add(r.At)
			}
		}
	}
	return e
}

func (c *BarChart) draw(p *picture) {
	if len(c.Series) > 1 {
		entries := make([]entry, len(c.Series))
		for i, s := range c.Series {
			entries[i] = entry{name: s.Name, colour: c.colour(i, 0), area: true}
		}
		p.legend(entries)
	}
	l := c.layout(p)
	axis, e := c.Value.widen(c.extent())
	l.fitHorizontal(axis, e.withZero(), p.width)
	s := l.x
	flags := make([]pennant, 0, len(c.References))
	for _, r := range c.References {
		if finite(r.At) && e.any {
			if x := s.at(r.At); x >= -0.5 && x <= l.width+0.5 {
				flags = append(flags, pennant{l.left + x, r.Label})
			}
		}
	}
	sort.SliceStable(flags, func(i, j int) bool { return flags[i].x < flags[j].x })
	// The reference lines are drawn over the bars, but their labels decide where the bars begin.
	over := &picture{width: p.width, y: p.y}
	over.flags(flags, 0, p.width, l.height)
	l.top = over.y + 4
	for i, t := range s.ticks {
		x := l.left + s.at(t)
		p.rule(x, l.top-4, x, l.top+l.height-4, "grid")
		p.label(x, l.top+l.height+11, "middle", "t-tick", s.labels[i])
	}
	c.bars(p, l)
	p.b.WriteString(over.b.String())
	p.notes = append(p.notes, over.notes...)
	zero := l.left + s.at(math.Min(s.hi, math.Max(s.lo, 0)))
	p.rule(zero, l.top-4, zero, l.top+l.height-4, "axis")
	if !e.any {
		p.label(l.left+l.width/2, l.top+l.height/2, "middle", "t-axis", "no data")
	}
	p.y = l.top + l.height + 18
	if c.Value.Label != "" {
		p.y += 13
		p.label(l.left+l.width/2, p.y, "middle", "t-axis", shorten(clean(c.Value.Label), labelSize, p.width))
		p.y += 6
	}
	p.footnotes()
}

// bars draws the groups: names, bars, error bars and figures.
func (c *BarChart) bars(p *picture, l *barLayout) {
	for g := range c.Groups {
		top := l.top + l.rows[g]
		middle := top + (math.Max(1, float64(len(c.Series)))*(l.thick+2)-2)/2
		for k, line := range l.names[g] {
			y := middle + 4 + (float64(k)-float64(len(l.names[g])-1)/2)*14
			p.label(l.left-8, y, "end", "t-name", line)
		}
		for i := range c.Series {
			s := &c.Series[i]
			y := top + float64(i)*(l.thick+2)
			value, bounds := c.valueTexts(i, g)
			value, bounds = shorten(value, labelSize, 0.18*p.width), shorten(bounds, tickSize, 0.3*p.width)
			p.label(l.value, y+l.thick/2+4, "end", "t-value", value)
			if bounds != "" {
				p.label(l.bounds, y+l.thick/2+4, "end", "t-tick", bounds)
			}
			if !finite(s.Values[g]) {
				continue
			}
			from, to := l.x.at(0), l.x.at(s.Values[g])
			p.box(l.left+math.Min(from, to), y, math.Abs(to-from), l.thick, "bar f"+strconv.Itoa(c.colour(i, g)), "2")
			if low, high, ok := s.bounds(g); ok {
				a, b, m := l.left+l.x.at(low), l.left+l.x.at(high), y+l.thick/2
				p.empty("path", "class", "error", "d", fmt.Sprintf("M%s %sV%sM%s %sH%sM%s %sV%s",
					coordinate(a), coordinate(m-4), coordinate(m+4), coordinate(a), coordinate(m), coordinate(b),
					coordinate(b), coordinate(m-4), coordinate(m+4)))
			}
		}
	}
}

func (c *BarChart) describe() string {
	var b strings.Builder
	b.WriteString("Bar chart")
	if c.Value.Label != "" {
		b.WriteString(" of " + c.Value.Label)
	}
	b.WriteString(".")
	for g, name := range c.Groups {
		for i, s := range c.Series {
			value, bounds := c.valueTexts(i, g)
			b.WriteString(" " + strings.TrimSpace(name+" "+s.Name) + ": " + strings.TrimSpace(value+" "+bounds) + ".")
		}
	}
	for _, r := range c.References {
		fmt.Fprintf(&b, " Line at %s: %s.", c.Value.Format.Text(r.At), r.Label)
	}
	return b.String()
}

func (c *BarChart) numbers(rows int) *Table {
	t := &Table{Columns: []Column{{Title: ""}}}
	for _, s := range c.Series {
		name := s.Name
		if name == "" {
			name = axisName(c.Value, "value")
		}
		t.Columns = append(t.Columns, Column{Title: name, Numeric: true})
	}
	for g, name := range c.Groups {
		if g == rows {
			t.Note = fmt.Sprintf("%d of %d groups.", rows, len(c.Groups))
			break
		}
		row := Row{Cells: []Cell{{Text: name}}}
		for i := range c.Series {
			value, bounds := c.valueTexts(i, g)
			row.Cells = append(row.Cells, Cell{Text: strings.TrimSpace(value + " " + bounds)})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
