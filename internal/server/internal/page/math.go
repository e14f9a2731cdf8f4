package page

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mathNode is an element of MathML. Names and attributes come from the tables and literals of this package, never from a formula; only Text does.
type mathNode struct {
	Name string            `json:"n"`
	Text string            `json:"t,omitempty"`
	Attr map[string]string `json:"a,omitempty"`
	Kids []*mathNode       `json:"c,omitempty"`
}

// The bounds of one formula.
const (
	maxFormula      = 4096 // bytes
	maxFormulaDepth = 48
	maxFormulaNodes = 8192
	maxFormulas     = 100 // of one request
)

var errFormula = errors.New("the formula cannot be read")

// convertMath answers with a tree per formula, null where it cannot be read.
func (p *Page) convertMath(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Formulas []struct {
			Latex   string `json:"latex"`
			Display bool   `json:"display"`
		} `json:"formulas"`
	}
	if err := readBody(w, r, 1<<20, &asked); err != nil {
		return nil, err
	}
	if len(asked.Formulas) > maxFormulas {
		return nil, badRequest("formulas: got %d, want at most %d", len(asked.Formulas), maxFormulas)
	}
	list := make([]*mathNode, len(asked.Formulas))
	for i, f := range asked.Formulas {
		list[i], _ = formula(f.Latex, f.Display) // the page shows the text as it is where there is no tree
	}
	return map[string]any{"formulas": list}, nil
}

// formula converts LaTeX to MathML. An unknown command is shown by its name.
func formula(latex string, display bool) (root *mathNode, err error) {
	if len(latex) > maxFormula || !utf8.ValidString(latex) {
		return nil, errFormula
	}
	m := &mathReader{text: latex, display: display}
	table, err := m.rows("")
	if err != nil {
		return nil, err
	}
	root = &mathNode{Name: "math"}
	if display {
		root.Attr = map[string]string{"display": "block"}
	}
	if len(table) == 1 && len(table[0]) == 1 {
		root.Kids = []*mathNode{table[0][0]}
		return root, nil
	}
	root.Kids = []*mathNode{grid(table, "left")}
	return root, nil
}

// mathReader reads a formula from left to right.
type mathReader struct {
	text    string
	at      int
	depth   int
	nodes   int
	display bool
}

// enter counts a level of nesting; each call is matched by leave.
func (m *mathReader) enter() error {
	m.depth++
	if m.depth > maxFormulaDepth || m.nodes > maxFormulaNodes {
		return errFormula
	}
	return nil
}

func (m *mathReader) leave() { m.depth-- }

func (m *mathReader) node(name, text string, kids ...*mathNode) *mathNode {
	m.nodes++
	return &mathNode{Name: name, Text: text, Kids: kids}
}

func with(n *mathNode, name, value string) *mathNode {
	if n.Attr == nil {
		n.Attr = map[string]string{}
	}
	n.Attr[name] = value
	return n
}

// spaces skips white space.
func (m *mathReader) spaces() {
	for m.at < len(m.text) {
		r, size := utf8.DecodeRuneInString(m.text[m.at:])
		if !unicode.IsSpace(r) {
			return
		}
		m.at += size
	}
}

// peek returns the next token after white space without taking it: a command with its backslash, or one character; "" at the end.
func (m *mathReader) peek() string {
	m.spaces()
	rest := m.text[m.at:]
	if rest == "" {
		return ""
	}
	if rest[0] != '\\' {
		_, size := utf8.DecodeRuneInString(rest)
		return rest[:size]
	}
	end := 1
	for end < len(rest) && (rest[end] >= 'a' && rest[end] <= 'z' || rest[end] >= 'A' && rest[end] <= 'Z') {
		end++
	}
	if end == 1 && len(rest) > 1 {
		_, size := utf8.DecodeRuneInString(rest[1:])
		end += size
	}
	return rest[:end]
}

func (m *mathReader) take() string {
	token := m.peek()
	m.at += len(token)
	return token
}

// raw takes a group in braces as it is written, for text and names.
func (m *mathReader) raw() (string, error) {
	if m.peek() != "{" {
		return m.take(), nil
	}
	m.at++
	from, depth := m.at, 1
	for ; m.at < len(m.text); m.at++ {
		switch m.text[m.at] {
		case '\\':
			m.at++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				m.at++
				return m.text[from : m.at-1], nil
			}
		}
	}
	m.at = len(m.text)
	return "", errFormula
}

// rows reads cells and rows up to the end of an environment, or of the formula.
func (m *mathReader) rows(environment string) ([][]*mathNode, error) {
	table := [][]*mathNode{nil}
	for {
		cell, err := m.row(func(token string) bool { return token == "&" || token == "\\\\" || token == "\\cr" || token == "\\end" })
		if err != nil {
			return nil, err
		}
		last := len(table) - 1
		table[last] = append(table[last], cell)
		switch token := m.take(); token {
		case "&":
		case "\\\\", "\\cr":
			if m.peek() == "[" { // space below the row
				if at := strings.IndexByte(m.text[m.at:], ']'); at >= 0 && at < 12 {
					m.at += at + 1
				}
			}
			table = append(table, nil)
		case "\\end":
			name, err := m.raw()
			if err != nil || name != environment || environment == "" {
				return nil, errFormula
			}
			return trimRows(table), nil
		default:
			if environment != "" {
				return nil, errFormula
			}
			return trimRows(table), nil
		}
	}
}

// trimRows leaves out a last row that is empty.
func trimRows(table [][]*mathNode) [][]*mathNode {
	last := table[len(table)-1]
	if len(table) > 1 && (len(last) == 0 || len(last) == 1 && len(last[0].Kids) == 0 && last[0].Text == "") {
		return table[:len(table)-1]
	}
	return table
}

// grid makes a table of cells; align is the alignment of columns: one letter or word for all, or rl in turn.
func grid(table [][]*mathNode, align string) *mathNode {
	t := &mathNode{Name: "mtable"}
	switch align {
	case "turn":
		with(t, "columnalign", "right left")
		with(t, "columnspacing", "0em 2em")
		with(t, "displaystyle", "true")
	case "left":
		with(t, "columnalign", "left")
	}
	for _, row := range table {
		tr := &mathNode{Name: "mtr"}
		for i, cell := range row {
			td := &mathNode{Name: "mtd", Kids: []*mathNode{cell}}
			if align == "turn" {
				with(td, "columnalign", [2]string{"right", "left"}[i%2])
			} else if align == "left" {
				with(td, "columnalign", "left")
			}
			tr.Kids = append(tr.Kids, td)
		}
		t.Kids = append(t.Kids, tr)
	}
	return t
}

// row reads atoms up to a token for which stop is true, which stays. A closing brace or \right that nobody opened ends it with an error.
func (m *mathReader) row(stop func(token string) bool) (*mathNode, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	row := m.node("mrow", "")
	for {
		token := m.peek()
		if token == "" || stop(token) {
			if token == "" && !stop("") && m.depth > 1 {
				return nil, errFormula
			}
			if len(row.Kids) == 1 {
				return row.Kids[0], nil
			}
			return row, nil
		}
		if token == "}" || token == "\\right" {
			return nil, errFormula
		}
		atom, err := m.scripted()
		if err != nil {
			return nil, err
		}
		if atom != nil {
			row.Kids = append(row.Kids, atom)
		}
	}
}

// group reads an argument: a group in braces, or one atom.
func (m *mathReader) group() (*mathNode, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	switch token := m.peek(); token {
	case "{":
		m.at++
		row, err := m.row(func(token string) bool { return token == "}" })
		if err == nil {
			m.take()
		}
		return row, err
	case "", "}", "&", "\\\\", "\\end", "\\right", "^", "_":
		return nil, errFormula
	default:
		if token[0] >= '0' && token[0] <= '9' {
			m.at++ // \frac12 takes one digit each
			return m.node("mn", token), nil
		}
		atom, err := m.atom()
		if err == nil && atom == nil {
			atom = m.node("mrow", "")
		}
		return atom, err
	}
}

// scripted reads an atom with what stands below and above it.
func (m *mathReader) scripted() (*mathNode, error) {
	var base *mathNode
	var err error
	if token := m.peek(); token == "^" || token == "_" || token == "'" {
		base = m.node("mrow", "")
	} else if base, err = m.atom(); err != nil || base == nil {
		return base, err
	}
	var below, above *mathNode
	limits := base.Attr["movablelimits"] == "true" && m.display
	delete(base.Attr, "movablelimits")
	for {
		switch m.peek() {
		case "_":
			m.at++
			if below != nil {
				return nil, errFormula
			}
			if below, err = m.group(); err != nil {
				return nil, err
			}
		case "^":
			m.at++
			var up *mathNode
			if up, err = m.group(); err != nil {
				return nil, err
			}
			above = m.join(above, up)
		case "'":
			m.at++
			above = m.join(above, m.node("mo", "′"))
		case "\\limits":
			m.take()
			limits = true
		case "\\nolimits":
			m.take()
			limits = false
		default:
			return m.scripts(base, below, above, limits), nil
		}
	}
}

// join sets two superscripts side by side.
func (m *mathReader) join(a, b *mathNode) *mathNode {
	if a == nil {
		return b
	}
	return m.node("mrow", "", a, b)
}

func (m *mathReader) scripts(base, below, above *mathNode, limits bool) *mathNode {
	names := [3]string{"msub", "msup", "msubsup"}
	if limits {
		names = [3]string{"munder", "mover", "munderover"}
	}
	switch {
	case below != nil && above != nil:
		return m.node(names[2], "", base, below, above)
	case below != nil:
		return m.node(names[0], "", base, below)
	case above != nil:
		return m.node(names[1], "", base, above)
	}
	return base
}
