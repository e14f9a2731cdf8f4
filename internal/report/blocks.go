package report

import "fmt"

// Paragraph is plain text; an empty line begins another paragraph.
type Paragraph struct {
	Text string
}

// Tone says how a note is meant.
type Tone uint8

// The tones.
const (
	Neutral Tone = iota
	Good
	Bad
)

// Note is a remark set apart from the text.
type Note struct {
	Tone  Tone
	Title string
	Text  string
}

// List is a list of short texts.
type List struct {
	Items []string
}

// Figures are the few numbers that a reader should see first.
type Figures struct {
	Items []Figure
}

// Figure is one number with its name below and a detail under it.
type Figure struct {
	Value  string
	Label  string
	Detail string
}

// Facts are names with values, such as a manifest.
type Facts struct {
	Title  string
	Folded bool // in HTML closed until the reader opens it
	Items  []Fact
}

// Fact is a name with its value.
type Fact struct {
	Name, Value string
}

// Code is text to be copied, such as the command that made the report.
type Code struct {
	Caption  string
	Language string // of the Markdown fence; may be empty
	Text     string
}

// Table is a table whose first column names its rows.
type Table struct {
	Caption string
	Columns []Column
	Rows    []Row
	Note    string // below the table
}

// Column is the head of a column. The cells of a numeric one stand at the right.
type Column struct {
	Title   string
	Numeric bool
}

// Row is one row of as many cells as the table has columns, or, if Heading is
// not empty, a line across the table.
type Row struct {
	Heading string
	Cells   []Cell
}

// Cell is one entry of a table; Strong is for the best of a column.
type Cell struct {
	Text   string
	Strong bool
}

// Cells makes a row of plain cells.
func Cells(texts ...string) Row {
	r := Row{Cells: make([]Cell, len(texts))}
	for i, t := range texts {
		r.Cells[i].Text = t
	}
	return r
}

func (*Paragraph) check() error { return nil }
func (*Note) check() error      { return nil }
func (*List) check() error      { return nil }
func (*Figures) check() error   { return nil }
func (*Facts) check() error     { return nil }
func (*Code) check() error      { return nil }

func (t *Table) check() error {
	for i, r := range t.Rows {
		if r.Heading == "" && len(r.Cells) != len(t.Columns) {
			return fmt.Errorf("table %q: row %d: got %d cells, want %d", t.Caption, i, len(r.Cells), len(t.Columns))
		}
	}
	return nil
}
