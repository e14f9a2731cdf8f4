package report

// wrapPicture puts a drawn picture into its svg element. id must be unique in the file;
// the title and the description are for those who cannot see it.
func (m *markup) wrapPicture(c Chart, p *picture, id, class string, alone bool) {
	width, height := coordinate(p.width), coordinate(p.y)
	attributes := []string{"class", class, "viewBox", "0 0 " + width + " " + height, "role", "img", "aria-labelledby", id + "t " + id + "d"}
	if alone {
		const margin = 16
		w, h := coordinate(p.width+2*margin), coordinate(p.y+2*margin)
		attributes = []string{"xmlns", "http://www.w3.org/2000/svg", "class", class, "width", w, "height", h,
			"viewBox", coordinate(-margin) + " " + coordinate(-margin) + " " + w + " " + h, "role", "img", "aria-labelledby", id + "t " + id + "d"}
	}
	m.open("svg", attributes...)
	m.element("title", c.head().title, "id", id+"t")
	m.element("desc", c.describe(), "id", id+"d")
}

// renderPicture draws c as a file of its own.
func renderPicture(c Chart, o *SVGOptions) []byte {
	p := &picture{width: narrowWidth}
	if o.Wide {
		p.width = wideWidth
	}
	h := c.head()
	for _, line := range wrap(clean(h.title), 16, p.width, 2) {
		p.y += 16
		p.label(0, p.y, "start", "t-title", line)
		p.y += 4
	}
	for _, line := range wrap(clean(h.caption), tickSize, p.width, 4) {
		p.y += 13
		p.label(0, p.y, "start", "t-note", line)
		p.y += 2
	}
	if p.y > 0 {
		p.y += 10
	}
	c.draw(p)
	m := &markup{}
	m.wrapPicture(c, p, "chart-", "chart", true)
	m.open("style")
	m.b.WriteString(themeStyle(".chart", o.Theme) + chartStyle())
	m.close("style")
	m.box(-16, -16, p.width+32, p.y+32)
	m.b.WriteString(p.b.String())
	m.close("svg")
	m.line()
	return []byte(m.b.String())
}

func (m *markup) box(x, y, w, h float64) {
	m.empty("rect", "x", coordinate(x), "y", coordinate(y), "width", coordinate(w), "height", coordinate(h), "rx", "8", "class", "ground")
}

// chart writes one figure of the page. A wide chart is drawn twice; the style
// shows the one that fits the reader's window.
func (p *page) chart(c Chart) {
	h := c.head()
	class := "figure"
	if h.wide {
		class += " wide"
	}
	p.open("figure", "class", class)
	p.open("figcaption")
	if h.title != "" {
		p.element("strong", h.title)
	}
	if h.caption != "" {
		p.element("span", h.caption)
	}
	p.close("figcaption")
	p.line()
	p.svg(c, narrowWidth, "chart narrow")
	if h.wide {
		p.svg(c, wideWidth, "chart broad")
	}
	const rows = 24
	p.open("details", "class", "data")
	p.element("summary", "Numbers")
	p.table(c.numbers(rows))
	p.close("details", "figure")
	p.line()
}

func (p *page) svg(c Chart, width float64, class string) {
	q := &picture{width: width, hover: true}
	c.draw(q)
	p.wrapPicture(c, q, p.nextID(), class, false)
	p.b.WriteString(q.b.String())
	p.close("svg")
	p.line()
}
