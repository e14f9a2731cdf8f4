package report

import (
	"fmt"
	"strings"
)

// Outcome is the result of a gate.
type Outcome uint8

// The outcomes.
const (
	NotJudged Outcome = iota
	Pass
	Fail
)

// String returns PASS, FAIL or NOT JUDGED.
func (o Outcome) String() string {
	switch o {
	case Pass:
		return "PASS"
	case Fail:
		return "FAIL"
	}
	return "NOT JUDGED"
}

func (o Outcome) class() string {
	switch o {
	case Pass:
		return "good"
	case Fail:
		return "bad"
	}
	return "idle"
}

// Gates is a list of claims, each held against its threshold. The outcome is the
// caller's: this package judges nothing.
type Gates struct {
	Items []Gate
}

// Gate is one claim with what was measured.
type Gate struct {
	Name      string // short, such as "(a)"
	Claim     string
	Outcome   Outcome
	Format    Format
	Value     float64 // NaN: nothing was measured
	Low       float64 // Low < High is the interval of Value; equal: none
	High      float64
	Relation  string // how Value should stand to Threshold, such as "≥"; empty: no threshold
	Threshold float64
	Note      string // why, or what was tried
}

func (g *Gates) check() error {
	for _, item := range g.Items {
		if item.Outcome > Fail {
			return fmt.Errorf("gate %q: got outcome %d, want 0 to %d", item.Name, item.Outcome, Fail)
		}
	}
	return nil
}

func (g *Gate) hasInterval() bool { return finite(g.Low) && finite(g.High) && g.Low < g.High }

// measured writes the value and its interval.
func (g *Gate) measured() (value, bounds string) {
	value = g.Format.Text(g.Value)
	if g.hasInterval() {
		bounds = interval(g.Format, g.Low, g.High)
	}
	return value, bounds
}

func (g *Gate) wanted() string {
	if g.Relation == "" {
		return ""
	}
	return g.Relation + " " + g.Format.Text(g.Threshold)
}

func (g *Gates) html(p *page) {
	p.open("ul", "class", "gates")
	for i := range g.Items {
		item := &g.Items[i]
		p.open("li", "class", "gate "+item.Outcome.class())
		p.element("span", item.Outcome.String(), "class", "badge")
		p.open("div", "class", "claim")
		p.open("p")
		if item.Name != "" {
			p.element("b", item.Name)
			p.text(" ")
		}
		p.text(item.Claim)
		p.close("p")
		if item.Note != "" {
			p.element("p", item.Note, "class", "why")
		}
		p.close("div")
		item.strip(p)
		p.open("div", "class", "measure")
		value, bounds := item.measured()
		p.open("p")
		p.element("b", value)
		if bounds != "" {
			p.element("span", " "+bounds)
		}
		p.close("p")
		if w := item.wanted(); w != "" {
			p.element("p", "want "+w, "class", "why")
		}
		p.close("div", "li")
		p.line()
	}
	p.close("ul")
	p.line()
}

// strip draws the value, its interval and the threshold on one small line. The
// figures beside it say the same, so that it is hidden from screen readers.
func (g *Gate) strip(p *page) {
	if !finite(g.Value) || g.Relation == "" || !finite(g.Threshold) {
		return
	}
	const width, height, margin = 150.0, 22.0, 8.0
	var e extent
	e.add(g.Value)
	e.add(g.Threshold)
	if g.hasInterval() {
		e.add(g.Low)
		e.add(g.High)
	}
	if e.lo > 0 && e.lo < e.hi {
		e.add(0)
	}
	lo, hi, _ := Axis{}.settle(e)
	s := scale{lo: lo, hi: hi, from: margin, to: width - margin}
	c := coordinate
	p.open("svg", "class", "strip", "viewBox", "0 0 "+c(width)+" "+c(height), "aria-hidden", "true")
	line := func(x1, y1, x2, y2 float64, class string) {
		p.empty("line", "x1", c(x1), "y1", c(y1), "x2", c(x2), "y2", c(y2), "class", class)
	}
	line(0, height/2, width, height/2, "track")
	if g.hasInterval() {
		line(s.at(g.Low), height/2, s.at(g.High), height/2, "span")
	}
	line(s.at(g.Threshold), 2, s.at(g.Threshold), height-2, "limit")
	p.empty("circle", "cx", c(s.at(g.Value)), "cy", c(height/2), "r", "4.5", "class", "spot")
	p.close("svg")
}

func (g *Gates) markdown(m *mark) {
	t := &Table{Columns: []Column{{Title: "Gate"}, {Title: "Claim"}, {Title: "Result"}, {Title: "Measured", Numeric: true}, {Title: "Want", Numeric: true}}}
	var notes []string
	for i := range g.Items {
		item := &g.Items[i]
		value, bounds := item.measured()
		row := Cells(item.Name, item.Claim, item.Outcome.String(), strings.TrimSpace(value+" "+bounds), item.wanted())
		row.Cells[2].Strong = item.Outcome != NotJudged
		t.Rows = append(t.Rows, row)
		if item.Note != "" {
			notes = append(notes, strings.TrimSpace(item.Name+" "+item.Note))
		}
	}
	t.markdown(m)
	if len(notes) > 0 {
		(&List{Items: notes}).markdown(m)
	}
}
