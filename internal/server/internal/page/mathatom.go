package page

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// atom reads one thing without its scripts; nil means that there is nothing to show.
func (m *mathReader) atom() (*mathNode, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	token := m.peek()
	switch {
	case token == "{":
		return m.group()
	case token[0] == '\\':
		m.at += len(token)
		return m.command(token[1:])
	case token[0] >= '0' && token[0] <= '9' || token == "." && m.digitAt(m.at+1):
		return m.node("mn", m.numeral()), nil
	}
	m.at += len(token)
	r, _ := utf8.DecodeRuneInString(token)
	switch {
	case token == "~":
		return with(m.node("mspace", ""), "width", "0.33em"), nil
	case token == "-":
		return m.node("mo", "−"), nil
	case token == "*":
		return m.node("mo", "∗"), nil
	case strings.Contains("()[]|", token):
		return with(m.node("mo", token), "stretchy", "false"), nil
	case unicode.IsLetter(r):
		return m.node("mi", token), nil
	case unicode.IsDigit(r):
		return m.node("mn", token), nil
	case r < ' ' || r == 0x7f || r == utf8.RuneError:
		return nil, nil
	}
	return m.node("mo", token), nil
}

func (m *mathReader) digitAt(at int) bool {
	return at < len(m.text) && m.text[at] >= '0' && m.text[at] <= '9'
}

// numeral takes digits, with a point within and with commas before groups of three.
func (m *mathReader) numeral() string {
	from := m.at
	for m.at < len(m.text) {
		switch {
		case m.digitAt(m.at):
			m.at++
		case m.text[m.at] == '.' && m.digitAt(m.at+1):
			m.at++
		case m.text[m.at] == ',' && m.digitAt(m.at+1) && m.digitAt(m.at+2) && m.digitAt(m.at+3) && !m.digitAt(m.at+4):
			m.at++
		default:
			return m.text[from:m.at]
		}
	}
	return m.text[from:]
}

// command reads what stands behind a command's name.
func (m *mathReader) command(name string) (*mathNode, error) {
	if s, ok := mathSymbols[name]; ok {
		n := m.node(s.name, s.text)
		if s.limits {
			with(n, "movablelimits", "true")
		}
		return n, nil
	}
	if width, ok := mathSpaces[name]; ok {
		if width == "" {
			return nil, nil
		}
		return with(m.node("mspace", ""), "width", width), nil
	}
	if read, ok := mathCommands()[name]; ok {
		return read(m)
	}
	if mark, ok := mathAccents[name]; ok {
		return m.accent(mark)
	}
	if letters, ok := mathAlphabets[name]; ok {
		kid, err := m.group()
		if err == nil {
			letters.apply(kid)
		}
		return kid, err
	}
	if mathTexts[name] {
		if m.peek() == "*" {
			m.at++
		}
		text, err := m.raw()
		return m.node("mtext", plainMathText(text)), err
	}
	if size, ok := mathSizes[name]; ok {
		return m.sized(size)
	}
	return m.node("mtext", "\\"+name), nil
}

// accent sets a mark above or below its argument.
func (m *mathReader) accent(mark mathAccent) (*mathNode, error) {
	kid, err := m.group()
	if err != nil {
		return nil, err
	}
	o := with(m.node("mo", mark.text), "stretchy", map[bool]string{true: "true", false: "false"}[mark.stretches])
	if mark.below {
		n := m.node("munder", "", kid, o)
		if mark.takesScripts {
			with(n, "movablelimits", "true")
		}
		return n, nil
	}
	n := with(m.node("mover", "", kid, o), "accent", "true")
	if mark.takesScripts {
		with(n, "movablelimits", "true")
	}
	return n, nil
}

// sized reads a bracket of a fixed size.
func (m *mathReader) sized(size string) (*mathNode, error) {
	text, err := m.delimiter()
	if err != nil {
		return nil, err
	}
	return with(with(m.node("mo", text), "minsize", size), "maxsize", size), nil
}

// delimiter reads a bracket; "." is none.
func (m *mathReader) delimiter() (string, error) {
	token := m.take()
	switch {
	case token == "":
		return "", errFormula
	case token == ".":
		return "", nil
	case token[0] == '\\':
		if s, ok := mathSymbols[token[1:]]; ok && s.name == "mo" {
			return s.text, nil
		}
		return "", errFormula
	}
	return token, nil
}

// fenced reads \left ... \right.
func (m *mathReader) fenced() (*mathNode, error) {
	open, err := m.delimiter()
	if err != nil {
		return nil, err
	}
	row := m.node("mrow", "", with(with(m.node("mo", open), "fence", "true"), "form", "prefix"))
	for {
		part, err := m.row(func(token string) bool { return token == "\\right" || token == "\\middle" })
		if err != nil {
			return nil, err
		}
		row.Kids = append(row.Kids, part)
		isMiddle := m.take() == "\\middle"
		text, err := m.delimiter()
		if err != nil {
			return nil, err
		}
		o := with(m.node("mo", text), "fence", "true")
		row.Kids = append(row.Kids, o)
		if !isMiddle {
			with(o, "form", "postfix")
			return row, nil
		}
	}
}

// environment reads \begin{...} ... \end{...}.
func (m *mathReader) environment() (*mathNode, error) {
	name, err := m.raw()
	if err != nil {
		return nil, err
	}
	e, ok := mathEnvironments[name]
	if !ok {
		return nil, errFormula
	}
	if e.columns {
		if _, err := m.raw(); err != nil {
			return nil, err
		}
	}
	table, err := m.rows(name)
	if err != nil {
		return nil, err
	}
	t := grid(table, e.align)
	m.nodes += len(table)
	if e.open == "" && e.close == "" {
		return t, nil
	}
	row := m.node("mrow", "", with(with(m.node("mo", e.open), "fence", "true"), "form", "prefix"), t)
	if e.close != "" {
		row.Kids = append(row.Kids, with(with(m.node("mo", e.close), "fence", "true"), "form", "postfix"))
	}
	return row, nil
}

// plainMathText is the text of \text without the commonest commands in it.
func plainMathText(text string) string {
	text = strings.NewReplacer(`\%`, "%", `\$`, "$", `\&`, "&", `\#`, "#", `\_`, "_", `\{`, "{", `\}`, "}", `\ `, " ", `~`, "\u00a0", "$", "").Replace(text)
	// An element of text drops white space at its ends.
	if trimmed := strings.TrimLeft(text, " "); trimmed != text {
		text = "\u00a0" + trimmed
	}
	if trimmed := strings.TrimRight(text, " "); trimmed != text {
		text = trimmed + "\u00a0"
	}
	return text
}
