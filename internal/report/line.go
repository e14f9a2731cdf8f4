package report

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// LineChart shows values over steps.
type LineChart struct {
	Title      string
	Caption    string
	Wide       bool // takes a whole row
	X, Y       Axis
	Series     []Series
	Markers    []Marker
	References []Reference
}

// Series is one line.
type Series struct {
	Name   string
	X      []float64 // one per value of Y; nil is 0, 1, 2, ...
	Y      []float64 // NaN leaves a gap
	Low    []float64 // Low and High draw a band: one per value of Y, or nil
	High   []float64
	Smooth int  // if > 1, a centred mean of so many points is drawn strong and the points faint
	Colour int  // 1 to 6; 0 takes the place in the list
	Dashed bool // for controls and targets
}

// Marker is a vertical line at a value of X.
type Marker struct {
	At    float64
	Label string
}

// Reference is a line at a value of the value axis, such as a baseline.
type Reference struct {
	At    float64
	Label string
}

func (c *LineChart) head() chartHead { return chartHead{c.Title, c.Caption, c.Wide} }

func (c *LineChart) check() error {
	for _, s := range c.Series {
		for _, part := range []struct {
			name string
			v    []float64
		}{{"x values", s.X}, {"low values", s.Low}, {"high values", s.High}} {
			if part.v != nil && len(part.v) != len(s.Y) {
				return fmt.Errorf("chart %q: series %q: got %d %s, want %d", c.Title, s.Name, len(part.v), part.name, len(s.Y))
			}
		}
		if (s.Low == nil) != (s.High == nil) {
			return fmt.Errorf("chart %q: series %q: got one bound of the band, want both or none", c.Title, s.Name)
		}
		if s.Colour < 0 || s.Colour > colours {
			return fmt.Errorf("chart %q: series %q: got colour %d, want 0 to %d", c.Title, s.Name, s.Colour, colours)
		}
	}
	return nil
}

// colour returns the index of series i in the palette.
func (c *LineChart) colour(i int) int {
	if n := c.Series[i].Colour; n > 0 {
		return n - 1
	}
	return i % colours
}

// point is one value of a series; shown is false for a gap.
type point struct {
	x, y, low, high float64
	shown, band     bool
}

// points returns the points of series s in its order, and how many had a value that the
// axes cannot show.
func (c *LineChart) points(s *Series) (pts []point, hidden int) {
	pts = make([]point, len(s.Y))
	for i, y := range s.Y {
		p := point{x: float64(i), y: y}
		if s.X != nil {
			p.x = s.X[i]
		}
		p.shown = c.X.shows(p.x) && c.Y.shows(y)
		if !p.shown && finite(p.x) && finite(y) {
			hidden++
		}
		if s.Low != nil {
			p.low, p.high = s.Low[i], s.High[i]
			p.band = c.X.shows(p.x) && c.Y.shows(p.low) && c.Y.shows(p.high)
		}
		pts[i] = p
	}
	return pts, hidden
}

// smooth returns pts with every shown y replaced by the mean of the shown
// values among the window points around it.
func smooth(pts []point, window int) []point {
	out := append([]point(nil), pts...)
	for i := range out {
		sum, n := 0.0, 0
		for j := max(0, i-window/2); j < min(len(pts), i-window/2+window); j++ {
			if pts[j].shown {
				sum += pts[j].y
				n++
			}
		}
		if out[i].shown {
			out[i].y = sum / float64(n)
		}
	}
	return out
}

// lineData is a chart's data made ready to draw.
type lineData struct {
	points [][]point
	ex, ey extent
	hidden int
}

func (c *LineChart) data() *lineData {
	d := &lineData{}
	for i := range c.Series {
		pts, hidden := c.points(&c.Series[i])
		d.points = append(d.points, pts)
		d.hidden += hidden
		for _, p := range pts {
			if p.shown {
				d.ex.add(p.x)
				d.ey.add(p.y)
			}
			if p.band {
				d.ey.add(p.low)
				d.ey.add(p.high)
			}
		}
	}
	if d.ey.any {
		for _, r := range c.References {
			if c.Y.shows(r.At) {
				d.ey.add(r.At)
			}
		}
	}
	return d
}

func (c *LineChart) draw(p *picture) {
	d := c.data()
	if len(c.Series) > 1 || len(c.Series) == 1 && c.Series[0].Name != "" && c.Series[0].Name != c.Title {
		entries := make([]entry, len(c.Series))
		for i, s := range c.Series {
			entries[i] = entry{name: s.Name, colour: c.colour(i), dashed: s.Dashed}
		}
		p.legend(entries)
	}
	pl := p.newPlot(c.X, c.Y, d.ex, d.ey, false)
	var flags []pennant
	for _, m := range c.Markers {
		if !d.ex.any || !c.X.shows(m.At) {
			continue
		}
		if x := pl.x.at(m.At); x >= -0.5 && x <= pl.width+0.5 {
			flags = append(flags, pennant{x, m.Label})
		}
	}
	sort.SliceStable(flags, func(i, j int) bool { return flags[i].x < flags[j].x })
	p.frame(pl, c.X, c.Y, flags)
	if !d.ex.any {
		p.noData(pl)
	}
	p.references(pl, c.Y, c.References, d.ey.any)
	p.clipped(pl, func() {
		for i := range c.Series {
			p.band(pl, d.points[i], c.colour(i))
		}
		for i := range c.Series {
			c.drawSeries(p, pl, d.points[i], i)
		}
	})
	if p.hover && d.ex.any {
		c.hits(p, pl, d)
	}
	if d.hidden > 0 {
		p.notes = append(p.notes, plural(d.hidden, "value")+" not above zero, left out of the logarithmic axis")
	}
	windows := ""
	for _, s := range c.Series {
		if w := strconv.Itoa(s.Smooth); s.Smooth > 1 && !strings.Contains(", "+windows+",", ", "+w+",") {
			windows = strings.TrimPrefix(windows+", "+w, ", ")
		}
	}
	if windows != "" {
		p.notes = append(p.notes, "Strong line: centred mean of "+windows+" points.")
	}
	p.footnotes()
}

// references draws dashed lines with their labels above them at the right,
// keeping labels apart.
func (p *picture) references(pl *plot, a Axis, refs []Reference, anyData bool) {
	var taken []float64
	for _, r := range refs {
		if !anyData || !a.shows(r.At) {
			continue
		}
		at := pl.top + pl.y.at(r.At)
		if at < pl.top-0.5 || at > pl.top+pl.height+0.5 {
			continue
		}
		p.rule(pl.left, at, pl.left+pl.width, at, "reference")
		y := at - 5
		for i := 0; i < len(taken); i++ {
			if math.Abs(taken[i]-y) < 13 {
				y = taken[i] + 13
				i = -1
			}
		}
		taken = append(taken, y)
		p.label(pl.left+pl.width-2, y, "end", "t-reference", shorten(clean(r.Label), tickSize, pl.width))
	}
}

// band fills the area between the bounds, run by run of neighbouring points.
func (p *picture) band(pl *plot, pts []point, colour int) {
	for i := 0; i < len(pts); {
		if !pts[i].band {
			i++
			continue
		}
		j := i
		for j < len(pts) && pts[j].band {
			j++
		}
		var b strings.Builder
		for k := i; k < j; k++ {
			command := "L"
			if k == i {
				command = "M"
			}
			b.WriteString(command + pl.position(pts[k].x, pts[k].high))
		}
		for k := j - 1; k >= i; k-- {
			b.WriteString("L" + pl.position(pts[k].x, pts[k].low))
		}
		p.empty("path", "d", b.String()+"Z", "class", "f"+strconv.Itoa(colour)+" band")
		i = j
	}
}

func (pl *plot) position(x, y float64) string {
	return coordinate(pl.left+pl.x.at(x)) + " " + coordinate(pl.top+pl.y.at(y))
}

// drawSeries draws the line of series i and its marks: on each point while they
// are few, else on some of them.
func (c *LineChart) drawSeries(p *picture, pl *plot, pts []point, i int) {
	s, colour := &c.Series[i], c.colour(i)
	line := pts
	if s.Smooth > 1 {
		p.empty("path", "d", pl.path(thin(pts, pl.width)), "class", strokeClass(colour, false)+" faint")
		line = smooth(pts, s.Smooth)
	}
	if d := pl.path(thin(line, pl.width)); d != "" {
		p.empty("path", "d", d, "class", strokeClass(colour, s.Dashed || i >= colours))
	}
	every, offset := 1, 0
	if len(line) > 24 {
		every = len(line)/6 + 1
		offset = every/2 + i*every/max(len(c.Series), 1)
	}
	for k, q := range line {
		alone := q.shown && (k == 0 || !line[k-1].shown) && (k+1 == len(line) || !line[k+1].shown)
		few := every == 1 || len(c.Series) > 1 && (k+every-offset%every)%every == 0
		if q.shown && (few || alone) {
			p.shape(colour, pl.left+pl.x.at(q.x), pl.top+pl.y.at(q.y), 3.2)
		}
	}
}

// path writes the line through the shown points; a gap starts it anew.
func (pl *plot) path(pts []point) string {
	var b strings.Builder
	pen := false
	for i, q := range pts {
		if !q.shown {
			pen = false
			continue
		}
		if !pen && (i+1 == len(pts) || !pts[i+1].shown) {
			continue // alone: a mark, no line
		}
		command := "L"
		if !pen {
			command = "M"
		}
		b.WriteString(command + pl.position(q.x, q.y))
		pen = true
	}
	return b.String()
}

// thin keeps of very long lines the lowest and highest point of each half unit of
// width, in their order, so that the drawn line is the same and the file small.
func thin(pts []point, width float64) []point {
	buckets := int(2 * width)
	if len(pts) <= 2*buckets {
		return pts
	}
	var out []point
	for b := 0; b < buckets; b++ {
		from, to := b*len(pts)/buckets, (b+1)*len(pts)/buckets
		lo, hi, gap := -1, -1, -1
		for k := from; k < to; k++ {
			switch {
			case !pts[k].shown:
				gap = k
			case lo < 0:
				lo, hi = k, k
			case pts[k].y < pts[lo].y:
				lo = k
			case pts[k].y > pts[hi].y:
				hi = k
			}
		}
		keep := []int{lo, hi, gap}
		sort.Ints(keep)
		last := -1
		for _, k := range keep {
			if k >= 0 && k != last {
				out = append(out, pts[k])
				last = k
			}
		}
	}
	return out
}
