package page

// mathCommands are the commands with arguments of their own kind. It is a function because they lead back to those who look here.
func mathCommands() map[string]func(*mathReader) (*mathNode, error) {
	fraction := func(m *mathReader) (*mathNode, error) { return m.two("mfrac") }
	choose := func(m *mathReader) (*mathNode, error) {
		f, err := m.two("mfrac")
		if err != nil {
			return nil, err
		}
		return m.node("mrow", "", m.node("mo", "("), with(f, "linethickness", "0"), m.node("mo", ")")), nil
	}
	return map[string]func(*mathReader) (*mathNode, error){
		"frac": fraction, "dfrac": fraction, "tfrac": fraction, "cfrac": fraction, "binom": choose, "dbinom": choose, "tbinom": choose,
		"sqrt": (*mathReader).root, "left": (*mathReader).fenced, "begin": (*mathReader).environment, "not": (*mathReader).negated,
		"boxed":    func(m *mathReader) (*mathNode, error) { return m.around("menclose", "notation", "box") },
		"cancel":   func(m *mathReader) (*mathNode, error) { return m.around("menclose", "notation", "updiagonalstrike") },
		"phantom":  func(m *mathReader) (*mathNode, error) { return m.around("mphantom", "", "") },
		"overset":  func(m *mathReader) (*mathNode, error) { return m.stacked("mover") },
		"stackrel": func(m *mathReader) (*mathNode, error) { return m.stacked("mover") },
		"underset": func(m *mathReader) (*mathNode, error) { return m.stacked("munder") },
		"pmod": func(m *mathReader) (*mathNode, error) {
			kid, err := m.group()
			if err != nil {
				return nil, err
			}
			return m.node("mrow", "", with(m.node("mspace", ""), "width", "0.6em"), m.node("mo", "("), m.node("mi", "mod"), with(m.node("mspace", ""), "width", "0.33em"), kid, m.node("mo", ")")), nil
		},
		"mod": func(m *mathReader) (*mathNode, error) {
			return m.node("mrow", "", with(m.node("mspace", ""), "width", "0.6em"), m.node("mi", "mod"), with(m.node("mspace", ""), "width", "0.33em")), nil
		},
		"color": (*mathReader).unstyled, "textcolor": (*mathReader).coloured, "hspace": (*mathReader).unstyled, "vspace": (*mathReader).unstyled,
		"label": (*mathReader).unstyled, "kern": (*mathReader).unstyled,
		"tag": func(m *mathReader) (*mathNode, error) {
			text, err := m.raw()
			return m.node("mtext", "\u2003("+plainMathText(text)+")"), err
		},
		"xrightarrow": func(m *mathReader) (*mathNode, error) {
			kid, err := m.group()
			return m.node("mover", "", with(m.node("mo", "→"), "stretchy", "true"), kid), err
		},
	}
}

// two reads two arguments.
func (m *mathReader) two(name string) (*mathNode, error) {
	a, err := m.group()
	if err != nil {
		return nil, err
	}
	b, err := m.group()
	return m.node(name, "", a, b), err
}

// root reads the argument of \sqrt, and its degree in brackets.
func (m *mathReader) root() (*mathNode, error) {
	var degree *mathNode
	var err error
	if m.peek() == "[" {
		m.at++
		if degree, err = m.row(func(token string) bool { return token == "]" }); err != nil {
			return nil, err
		}
		m.take()
	}
	kid, err := m.group()
	if err != nil || degree == nil {
		return m.node("msqrt", "", kid), err
	}
	return m.node("mroot", "", kid, degree), nil
}

// around puts an element around an argument.
func (m *mathReader) around(name, attribute, value string) (*mathNode, error) {
	kid, err := m.group()
	n := m.node(name, "", kid)
	if attribute != "" {
		with(n, attribute, value)
	}
	return n, err
}

// stacked reads what stands above or below, and then the base.
func (m *mathReader) stacked(name string) (*mathNode, error) {
	mark, err := m.group()
	if err != nil {
		return nil, err
	}
	base, err := m.group()
	return m.node(name, "", base, mark), err
}

// negated strikes the relation that follows through.
func (m *mathReader) negated() (*mathNode, error) {
	if m.peek() == "" {
		return nil, errFormula
	}
	n, err := m.atom()
	if err == nil && n != nil && n.Text != "" {
		n.Text += "\u0338"
	}
	return n, err
}

// unstyled passes over an argument that only says how something looks.
func (m *mathReader) unstyled() (*mathNode, error) {
	_, err := m.raw()
	return nil, err
}

// coloured shows its second argument; a colour from a text is left out.
func (m *mathReader) coloured() (*mathNode, error) {
	if _, err := m.raw(); err != nil {
		return nil, err
	}
	return m.group()
}
