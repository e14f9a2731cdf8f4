// Package report makes self-contained HTML and Markdown reports with charts.
//
// A [Document] is a list of sections, a section a list of blocks: text, tables,
// facts, gates, transcripts, charts. [HTML] renders it to one file that needs
// nothing else: the style and the pictures are inside, there is no script, and
// the page's own content policy forbids every request. [Markdown] renders the
// same document for a terminal. [SVG] renders one chart alone.
//
// It does not know what is measured or why (the packages above compose the
// document), it reads no files, and it does not lay out pages.
//
// Invariants: the same document gives the same bytes. Every text is foreign
// text: it is escaped, and its control and direction-changing characters are
// made visible, so that no model output can act on a browser or on a terminal.
// A value that is not a number is a gap in a line and a dash in a table, never
// a coordinate. Colour is never the only carrier of a meaning.
package report

import "fmt"

// Document is a whole report.
type Document struct {
	Title    string
	Subtitle string // one or two sentences under the title
	Sections []Section
	Footer   string // the last line of the page
}

// Section is a titled part of a document. The HTML contents list names every
// section that has a title.
type Section struct {
	Title  string
	Blocks []Block
}

// Block is one element of a section: one of this package's block types.
// Consecutive charts share rows where the page is wide enough.
type Block interface {
	check() error // a fault of the caller's making, such as lengths that differ
	html(p *page)
	markdown(m *mark)
}

// Chart is a block that [SVG] can also render alone: *LineChart, *BarChart or
// *Histogram.
type Chart interface {
	Block
	head() chartHead
	draw(p *picture)         // draws on p and sets its height
	describe() string        // one sentence of what the chart shows, for those who cannot see it
	numbers(rows int) *Table // the data, thinned to at most rows rows
}

// HTML renders d as one HTML file. It returns an error if a block's fields
// contradict each other.
func HTML(d *Document) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return renderPage(d), nil
}

// Markdown renders d as GitHub-flavoured Markdown that also reads as plain
// text. It returns an error if a block's fields contradict each other.
func Markdown(d *Document) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return renderMarkdown(d), nil
}

func (d *Document) check() error {
	for _, s := range d.Sections {
		for i, b := range s.Blocks {
			if b == nil {
				return fmt.Errorf("report: section %q: block %d: got nil, want a block", s.Title, i)
			}
			if err := b.check(); err != nil {
				return fmt.Errorf("report: section %q: block %d: %w", s.Title, i, err)
			}
		}
	}
	return nil
}

// Theme chooses the colours of a picture that stands alone.
type Theme uint8

// The themes: Auto follows the reader's setting.
const (
	Auto Theme = iota
	Light
	Dark
)

// SVGOptions are the settings of [SVG]; nil and the zero value are the default.
type SVGOptions struct {
	Theme Theme
	Wide  bool // 920 units wide; the default is 440
}

// SVG renders one chart as a file of its own, with its title and caption inside. It
// returns an error if the chart's fields contradict each other.
func SVG(c Chart, o *SVGOptions) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if o == nil {
		o = &SVGOptions{}
	}
	return renderPicture(c, o), nil
}
