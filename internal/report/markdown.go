package report

import (
	"strings"
	"unicode"
)

// mark is a Markdown file being written.
type mark struct {
	b strings.Builder
}

func renderMarkdown(d *Document) []byte {
	m := &mark{}
	m.block("# " + m.escape(d.Title))
	if d.Subtitle != "" {
		m.block(m.paragraph(d.Subtitle))
	}
	for _, s := range d.Sections {
		if s.Title != "" {
			m.block("## " + m.escape(s.Title))
		}
		for _, b := range s.Blocks {
			b.markdown(m)
		}
	}
	if d.Footer != "" {
		m.block("---")
		m.block(m.paragraph(d.Footer))
	}
	return []byte(m.b.String())
}

// block writes ready Markdown as a block of its own.
func (m *mark) block(text string) {
	if m.b.Len() > 0 {
		m.b.WriteByte('\n')
	}
	m.b.WriteString(text)
	m.b.WriteByte('\n')
}

// escape makes text stand for itself on one line of Markdown. It leaves alone what
// cannot begin markup, for those who read the file as it is.
func (m *mark) escape(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	runes := []rune(s)
	var b strings.Builder
	for i, r := range runes {
		if needsEscape(runes, i) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// needsEscape reports whether the rune could begin or end markup inside a line. A
// bracket pair alone is text: only what may follow it makes a link.
func needsEscape(runes []rune, i int) bool {
	next := func(k int) rune {
		if i+k < len(runes) {
			return runes[i+k]
		}
		return 0
	}
	switch r := runes[i]; r {
	case '\\', '`', '*', '<', '|', '~', '$', '&':
		return true
	case '_':
		return i == 0 || i+1 == len(runes) || !isWord(runes[i-1]) || !isWord(runes[i+1])
	case '[':
		return next(1) == '^' || i > 0 && runes[i-1] == '!'
	case ']':
		return next(1) == '(' || next(1) == '[' || next(1) == ':'
	case ':':
		return next(1) == '/' && next(2) == '/' // a bare address would become a link
	}
	return false
}

// paragraph escapes text that begins a line, where a heading, a quote, a list or a rule could begin.
func (m *mark) paragraph(s string) string {
	s = m.escape(s)
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	switch rest := s[digits:]; {
	case digits > 0 && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, ")")) && (len(rest) == 1 || rest[1] == ' '):
		return s[:digits] + "\\" + rest
	case digits == 0 && rest != "" && strings.ContainsRune("#>+-=[", rune(rest[0])):
		return "\\" + rest
	}
	return s
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// fence writes text as it is, between fences longer than any inside.
func (m *mark) fence(language, text string) {
	text = clean(text)
	longest, run := 0, 0
	for _, r := range text {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	bars := strings.Repeat("`", max(3, longest+1))
	name := ""
	for _, r := range language {
		if isWord(r) || r == '-' {
			name += string(r)
		}
	}
	m.block(bars + name + "\n" + strings.TrimRight(text, "\n") + "\n" + bars)
}

func (b *Paragraph) markdown(m *mark) {
	for _, text := range paragraphs(b.Text) {
		m.block(m.paragraph(text))
	}
}

func (b *Note) markdown(m *mark) {
	text := m.paragraph(b.Text)
	if b.Title != "" {
		text = "**" + m.escape(b.Title) + "** " + text
	}
	m.block("> " + text)
}

func (b *List) markdown(m *mark) {
	lines := make([]string, len(b.Items))
	for i, item := range b.Items {
		lines[i] = "- " + m.paragraph(item)
	}
	if len(lines) > 0 {
		m.block(strings.Join(lines, "\n"))
	}
}

func (b *Figures) markdown(m *mark) {
	t := &Table{Columns: []Column{{}, {Numeric: true}, {}}}
	for _, f := range b.Items {
		row := Cells(f.Label, f.Value, f.Detail)
		row.Cells[1].Strong = true
		t.Rows = append(t.Rows, row)
	}
	t.markdown(m)
}

func (b *Facts) markdown(m *mark) {
	t := &Table{Caption: b.Title, Columns: []Column{{}, {}}}
	for _, f := range b.Items {
		t.Rows = append(t.Rows, Cells(f.Name, f.Value))
	}
	t.markdown(m)
}

func (b *Code) markdown(m *mark) {
	if b.Caption != "" {
		m.block(m.paragraph(b.Caption))
	}
	m.fence(b.Language, b.Text)
}

// markdown writes the table with its columns padded, so that it reads as text.
func (t *Table) markdown(m *mark) {
	if t.Caption != "" {
		m.block("**" + m.escape(t.Caption) + "**")
	}
	rows := [][]string{make([]string, len(t.Columns))}
	for i, c := range t.Columns {
		rows[0][i] = m.escape(c.Title)
	}
	for _, r := range t.Rows {
		line := make([]string, len(t.Columns))
		if r.Heading != "" && len(line) > 0 {
			line[0] = "**" + m.escape(r.Heading) + "**"
		}
		for i, c := range r.Cells {
			if r.Heading == "" {
				line[i] = m.escape(c.Text)
				if c.Strong && line[i] != "" {
					line[i] = "**" + line[i] + "**"
				}
			}
		}
		rows = append(rows, line)
	}
	if len(t.Columns) > 0 {
		m.grid(rows, t.Columns)
	}
	if t.Note != "" {
		m.block(m.paragraph(t.Note))
	}
}

// grid writes ready cells; the first row is the head.
func (m *mark) grid(rows [][]string, columns []Column) {
	widths := make([]int, len(columns))
	for i := range columns {
		widths[i] = 3
		for _, r := range rows {
			widths[i] = max(widths[i], columnsOf(r[i]))
		}
	}
	var b strings.Builder
	for k, r := range rows {
		for i, cell := range r {
			space := strings.Repeat(" ", widths[i]-columnsOf(cell))
			if columns[i].Numeric {
				cell = space + cell
			} else {
				cell += space
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
		if k > 0 {
			continue
		}
		for i := range columns {
			rule := strings.Repeat("-", widths[i])
			if columns[i].Numeric {
				rule = rule[1:] + ":"
			}
			b.WriteString("| " + rule + " ")
		}
		b.WriteString("|\n")
	}
	m.block(strings.TrimRight(b.String(), "\n"))
}

// columnsOf returns how many columns of a terminal s takes.
func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r):
		case runeWidth(r) > 1:
			n += 2
		default:
			n++
		}
	}
	return n
}
