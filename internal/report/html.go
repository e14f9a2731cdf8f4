package report

import (
	"strconv"
	"strings"
)

// page is an HTML file being written.
type page struct {
	markup
	ids int
}

// nextID returns an id that no other element of the page has.
func (p *page) nextID() string {
	p.ids++
	return "c" + strconv.Itoa(p.ids)
}

func renderPage(d *Document) []byte {
	p := &page{}
	p.b.WriteString("<!DOCTYPE html>\n")
	p.open("html", "lang", "en")
	p.open("head")
	p.empty("meta", "charset", "utf-8")
	p.empty("meta", "http-equiv", "Content-Security-Policy", "content", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
	p.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1")
	p.empty("meta", "name", "color-scheme", "content", "light dark")
	p.element("title", d.Title)
	p.open("style")
	p.b.WriteString("\n" + themeStyle(":root", Auto) + pageStyle + chartStyle())
	p.close("style", "head")
	p.line()
	p.open("body")
	p.open("header")
	p.element("h1", d.Title)
	if d.Subtitle != "" {
		p.element("p", d.Subtitle, "class", "subtitle")
	}
	p.contents(d)
	p.close("header")
	p.line()
	p.open("main")
	for i, s := range d.Sections {
		p.open("section", "id", "s"+strconv.Itoa(i+1))
		if s.Title != "" {
			p.element("h2", s.Title)
		}
		p.line()
		p.blocks(s.Blocks)
		p.close("section")
		p.line()
	}
	p.close("main")
	if d.Footer != "" {
		p.element("footer", d.Footer)
	}
	p.close("body", "html")
	p.line()
	return []byte(p.b.String())
}

// contents writes links to the titled sections if there are several.
func (p *page) contents(d *Document) {
	n := 0
	for _, s := range d.Sections {
		if s.Title != "" {
			n++
		}
	}
	if n < 2 {
		return
	}
	p.open("nav", "aria-label", "Contents")
	for i, s := range d.Sections {
		if s.Title != "" {
			p.element("a", s.Title, "href", "#s"+strconv.Itoa(i+1))
			p.text(" ")
		}
	}
	p.close("nav")
}

// blocks writes the blocks; neighbouring charts go into one grid.
func (p *page) blocks(blocks []Block) {
	inside := false
	for _, b := range blocks {
		_, isChart := b.(Chart)
		if isChart && !inside {
			p.open("div", "class", "charts")
		}
		if !isChart && inside {
			p.close("div")
		}
		inside = isChart
		b.html(p)
	}
	if inside {
		p.close("div")
	}
}

func (c *LineChart) html(p *page) { p.chart(c) }
func (c *BarChart) html(p *page)  { p.chart(c) }
func (c *Histogram) html(p *page) { p.chart(c) }

func (b *Paragraph) html(p *page) {
	for _, text := range paragraphs(b.Text) {
		p.element("p", text, "class", "text")
		p.line()
	}
}

// paragraphs splits text at empty lines.
func paragraphs(text string) []string {
	var out []string
	for _, part := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (b *Note) html(p *page) {
	p.open("div", "class", "note "+b.Tone.class(), "role", "note")
	if b.Title != "" {
		p.element("strong", b.Title)
		p.text(" ")
	}
	p.text(b.Text)
	p.close("div")
	p.line()
}

func (b *List) html(p *page) {
	p.open("ul", "class", "text")
	for _, item := range b.Items {
		p.element("li", item)
	}
	p.close("ul")
	p.line()
}

func (b *Figures) html(p *page) {
	p.open("dl", "class", "figures")
	for _, f := range b.Items {
		p.open("div")
		p.element("dt", f.Label)
		p.open("dd")
		p.element("b", f.Value)
		if f.Detail != "" {
			p.element("span", f.Detail)
		}
		p.close("dd", "div")
	}
	p.close("dl")
	p.line()
}

func (b *Facts) html(p *page) {
	switch {
	case b.Folded:
		p.open("details", "class", "facts")
		p.element("summary", named(b.Title, "Facts"))
	case b.Title != "":
		p.element("h3", b.Title)
	}
	p.open("dl", "class", "facts")
	for _, f := range b.Items {
		p.open("div")
		p.element("dt", f.Name)
		p.element("dd", f.Value)
		p.close("div")
	}
	p.close("dl")
	if b.Folded {
		p.close("details")
	}
	p.line()
}

// named returns title, or what stands for it.
func named(title, otherwise string) string {
	if title == "" {
		return otherwise
	}
	return title
}

func (b *Code) html(p *page) {
	if b.Caption != "" {
		p.element("p", b.Caption, "class", "why")
	}
	p.open("pre", "class", "code", "tabindex", "0")
	p.element("code", b.Text)
	p.close("pre")
	p.line()
}

func (t *Table) html(p *page) { p.table(t) }

// table writes a table that scrolls by itself where it is wider than the page.
func (p *page) table(t *Table) {
	p.open("div", "class", "scroll", "tabindex", "0", "role", "region", "aria-label", named(t.Caption, "Table"))
	p.open("table")
	if t.Caption != "" {
		p.element("caption", t.Caption)
	}
	p.open("thead")
	p.open("tr")
	for _, c := range t.Columns {
		p.element("th", c.Title, "scope", "col", "class", numericClass(c.Numeric))
	}
	p.close("tr", "thead")
	p.open("tbody")
	for _, r := range t.Rows {
		p.open("tr")
		if r.Heading != "" {
			p.element("th", r.Heading, "class", "group", "scope", "colgroup", "colspan", strconv.Itoa(max(1, len(t.Columns))))
			p.close("tr")
			continue
		}
		for i, cell := range r.Cells {
			tag, scope := "td", ""
			if i == 0 {
				tag, scope = "th", "row"
			}
			p.open(tag, "scope", scope, "class", numericClass(t.Columns[i].Numeric))
			if cell.Strong {
				p.element("strong", cell.Text)
			} else {
				p.text(cell.Text)
			}
			p.close(tag)
		}
		p.close("tr")
		p.line()
	}
	p.close("tbody", "table", "div")
	if t.Note != "" {
		p.element("p", t.Note, "class", "why")
	}
	p.line()
}

func numericClass(numeric bool) string {
	if numeric {
		return "number"
	}
	return ""
}
