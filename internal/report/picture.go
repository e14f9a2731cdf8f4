package report

import (
	"math"
	"strconv"
)

// Sizes in the picture's units: at 440 wide one unit is about one CSS pixel.
const (
	narrowWidth = 440.0
	wideWidth   = 920.0
	tickSize    = 11.5
	labelSize   = 12.0
	legendRow   = 20.0
	flagRow     = 16.0
	colours     = 6
)

// picture is one SVG being drawn: y grows downwards and is the place of the next element.
type picture struct {
	markup
	width float64
	y     float64
	hover bool     // react to the pointer
	notes []string // small print below the plot
}

// chartHead is what every chart has.
type chartHead struct {
	title, caption string
	wide           bool
}

// label writes text at a position. anchor is start, middle or end.
func (p *picture) label(x, y float64, anchor, class, text string) {
	if anchor == "start" {
		anchor = "" // the default
	}
	p.element("text", text, "x", coordinate(x), "y", coordinate(y), "class", class, "text-anchor", anchor)
}

func (p *picture) rule(x1, y1, x2, y2 float64, class string) {
	p.empty("line", "x1", coordinate(x1), "y1", coordinate(y1), "x2", coordinate(x2), "y2", coordinate(y2), "class", class)
}

// box draws a rectangle; negative sizes are drawn as nothing.
func (p *picture) box(x, y, w, h float64, class, radius string) {
	p.empty("rect", "x", coordinate(x), "y", coordinate(y), "width", coordinate(math.Max(w, 0)), "height", coordinate(math.Max(h, 0)), "rx", radius, "class", class)
}

// shape draws the mark of a colour at a position: every colour has its own, so
// that series can be told apart without seeing colours.
func (p *picture) shape(colour int, x, y, r float64) {
	class := "f" + strconv.Itoa(colour) + " dot"
	c := coordinate
	switch colour {
	case 0:
		p.empty("circle", "cx", c(x), "cy", c(y), "r", c(r), "class", class)
	case 1:
		p.box(x-0.9*r, y-0.9*r, 1.8*r, 1.8*r, class, "")
	case 2:
		p.polygon(class, x, y-1.25*r, x+1.15*r, y+0.85*r, x-1.15*r, y+0.85*r)
	case 3:
		p.polygon(class, x, y-1.3*r, x+1.3*r, y, x, y+1.3*r, x-1.3*r, y)
	case 4:
		p.polygon(class, x, y+1.25*r, x+1.15*r, y-0.85*r, x-1.15*r, y-0.85*r)
	default:
		p.polygon(class, x-0.6*r, y-1.2*r, x+0.6*r, y-1.2*r, x+1.2*r, y, x+0.6*r, y+1.2*r, x-0.6*r, y+1.2*r, x-1.2*r, y)
	}
}

func (p *picture) polygon(class string, xy ...float64) {
	points := ""
	for i := 0; i+1 < len(xy); i += 2 {
		if i > 0 {
			points += " "
		}
		points += coordinate(xy[i]) + "," + coordinate(xy[i+1])
	}
	p.empty("polygon", "points", points, "class", class)
}

// entry is one name in the legend.
type entry struct {
	name   string
	colour int
	dashed bool
	area   bool // a filled sample in place of a line
}

// legend writes the names in rows from the left edge and moves down. One series needs
// no legend unless it is named otherwise than the chart.
func (p *picture) legend(entries []entry) {
	const sample, gap = 26, 18
	x := 0.0
	for i, e := range entries {
		name := shorten(clean(e.name), labelSize, p.width-sample-4)
		w := sample + textWidth(name, labelSize)
		if i > 0 && x+w > p.width {
			x, p.y = 0, p.y+legendRow
		}
		y := p.y + 10
		if e.area {
			p.box(x, y-5, 18, 10, "f"+strconv.Itoa(e.colour), "2")
		} else {
			p.rule(x, y, x+20, y, strokeClass(e.colour, e.dashed))
			p.shape(e.colour, x+10, y, 3.4)
		}
		p.label(x+sample, y+4, "start", "t-legend", name)
		x += w + gap
	}
	if len(entries) > 0 {
		p.y += legendRow + 4
	}
}

func strokeClass(colour int, dashed bool) string {
	class := "l" + strconv.Itoa(colour)
	if dashed {
		class += " dashed"
	}
	return class
}

// pennant is a label above the plot with a line down into it.
type pennant struct {
	x     float64
	label string
}

// placed is where a pennant's label went: its row counted from the plot upwards, or -1
// without room, and its left and right edge.
type placed struct {
	row        int
	start, end float64
}

// placeFlags gives each label the lowest of six rows where it overlaps none. Labels start at their
// line and are turned round where they would leave [left, right]. The pennants are ordered by x and
// placed from the right: so a line that comes from a higher row runs left of the labels below it.
func placeFlags(flags []pennant, left, right float64) (out []placed, count int) {
	const rows, gap = 6, 8
	out = make([]placed, len(flags))
	for i := len(flags) - 1; i >= 0; i-- {
		w := textWidth(flags[i].label, tickSize)
		q := placed{start: flags[i].x + 4}
		if q.start+w > right {
			q.start = flags[i].x - 4 - w
		}
		if q.start < left {
			q.start = math.Max(left, right-w)
		}
		q.end = q.start + w
		taken := [rows + 1]bool{}
		for _, o := range out[i+1:] {
			if o.row >= 0 && q.start < o.end+gap && o.start < q.end+gap {
				taken[o.row] = true
			}
		}
		for taken[q.row] {
			q.row++
		}
		if q.row == rows {
			q.row = -1
		}
		out[i] = q
		count = max(count, q.row+1)
	}
	return out, count
}

// flags draws the labels and moves down below them; the lines go from each label to bottom(y).
func (p *picture) flags(flags []pennant, left, right float64, height float64) {
	kept := make([]pennant, len(flags))
	for i, f := range flags {
		kept[i] = pennant{f.x, shorten(clean(f.label), tickSize, right-left)}
	}
	places, count := placeFlags(kept, left, right)
	top := p.y
	p.y += float64(count) * flagRow
	dropped := 0
	for i, f := range kept {
		from := p.y
		if places[i].row < 0 {
			dropped++
		} else {
			from = top + float64(count-1-places[i].row)*flagRow
		}
		p.rule(f.x, from+2, f.x, p.y+height, "flag")
	}
	for i, f := range kept {
		if row := places[i].row; row >= 0 {
			p.label(places[i].start, top+float64(count-1-row)*flagRow+11, "start", "t-flag", f.label)
		}
	}
	if dropped > 0 {
		p.notes = append(p.notes, plural(dropped, "label")+" without room")
	}
}

// footnotes writes the notes below everything.
func (p *picture) footnotes() {
	for _, n := range p.notes {
		for _, line := range wrap(n, tickSize, p.width, 3) {
			p.y += 15
			p.label(0, p.y, "start", "t-note", line)
		}
	}
	if len(p.notes) > 0 {
		p.y += 4
	}
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return plain(float64(n), 0) + " " + noun
}
