package verify

import "strings"

// series reads a sum or product with its bounds, in either order.
func (p *parser) series(name string) *node {
	var variable, lo, hi *node
	for p.failed == failNone && (p.tok.kind == tSub || p.tok.kind == tPower) {
		below := p.tok.kind == tSub
		p.advance()
		bound := p.argument()
		switch {
		case below && bound.kind == kRelation && bound.name == "=":
			variable, lo = bound.args[0], bound.args[1]
		case below:
			return p.fail(failSyntax)
		default:
			hi = bound
		}
	}
	if variable == nil || hi == nil || variable.kind != kSymbol && variable.kind != kConstant {
		return p.fail(failSyntax)
	}
	variable = p.named(kSymbol, variable.name)
	body := p.unary()
	for p.failed == failNone && p.startsFactor() {
		body = p.multiply(body, p.power())
	}
	return p.named(kBig, name, variable, lo, hi, body)
}

// environment reads \begin{...} ... \end{...}: a matrix, or the lines of another environment as a list.
func (p *parser) environment() *node {
	kindOf := cleanName(p.rawArgumentOfBegin())
	if strings.HasSuffix(kindOf, "array") || kindOf == "tabular" {
		if p.tok.kind == tBrace { // the columns
			p.rawArgument()
		}
	}
	brackets, bars, was := p.brackets, p.bars, p.plain
	p.brackets, p.bars, p.plain = 1, 0, false
	rows, continued, ok := p.rows()
	p.brackets, p.bars, p.plain = brackets, bars, was
	p.matrices--
	if !ok {
		return p.fail(failSyntax)
	}
	// the scanner is on \end
	p.advance()
	p.rawArgument()
	if strings.Contains(kindOf, "matrix") || kindOf == "array" {
		return p.matrix(kindOf, rows)
	}
	if kindOf == "cases" || kindOf == "dcases" || kindOf == "rcases" {
		if pieces := p.pieces(rows); pieces != nil {
			return pieces
		}
	}
	if n := p.steps(kindOf, rows, continued); n != nil {
		return n
	}
	var items []*node
	for _, row := range rows {
		items = append(items, row...)
	}
	if len(items) == 1 {
		return items[0]
	}
	return p.make(kList, items...)
}

// steps makes one equation of aligned lines of which each but the first continues it: x &= 8 + 9 \\\\ &= 17. It is nil for other
// lines.
func (p *parser) steps(kindOf string, rows [][]*node, continued int) *node {
	if strings.HasSuffix(kindOf, "cases") || continued != len(rows)-1 || continued < 1 || len(rows[0]) != 2 {
		return nil
	}
	args := []*node{rows[0][0], rows[0][1]}
	for _, row := range rows[1:] {
		if len(row) != 1 {
			return nil
		}
		args = append(args, row[0])
	}
	return p.named(kRelation, strings.Repeat("=", len(args)-1), args...)
}

// pieces makes a function of its rows of a value and a condition, and nil where the rows are something else. A piece is a
// tuple in braces, which equals no point.
func (p *parser) pieces(rows [][]*node) *node {
	list := p.make(kList)
	for _, row := range rows {
		if len(row) != 2 || row[0].kind == kRelation || row[1].kind != kRelation && row[1].kind != kText && row[1].kind != kConstant {
			return nil
		}
		piece := p.make(kTuple, row...)
		piece.open, piece.shut = '{', '}'
		list.args = append(list.args, piece)
	}
	return list
}

// rawArgumentOfBegin takes the name of an environment; from here on \\ ends a row.
func (p *parser) rawArgumentOfBegin() string {
	p.matrices++
	return p.rawArgument()
}

// rows reads cells up to \end. continued is how many rows begin with the sign =.
func (p *parser) rows() (rows [][]*node, continued int, ok bool) {
	var row []*node
	for p.failed == failNone {
		if len(row) == 0 && len(rows) > 0 && p.tok.kind == tRelation && p.tok.op == relEqual {
			continued++
		}
		switch {
		case p.tok.kind == tAmpersand:
			p.advance()
		case p.tok.kind == tNewline:
			p.advance()
			if len(row) > 0 {
				rows, row = append(rows, row), nil
			}
		case p.tok.kind == tComma:
			p.advance()
		case p.tok.kind == tCommand && p.tok.text == "end":
			if len(row) > 0 {
				rows = append(rows, row)
			}
			return rows, continued, len(rows) > 0
		case p.ended():
			return nil, 0, false
		default:
			row = append(row, p.relation())
		}
	}
	return nil, 0, false
}

func (p *parser) matrix(kindOf string, rows [][]*node) *node {
	n := p.make(kMatrix)
	n.n = int32(len(rows[0]))
	for _, row := range rows {
		if len(row) != int(n.n) {
			return p.fail(failSyntax)
		}
		n.args = append(n.args, row...)
	}
	if kindOf == "vmatrix" {
		return p.determinant(n)
	}
	return n
}

// determinant expands a square matrix of up to four rows by its first row; a larger one stays a call.
func (p *parser) determinant(m *node) *node {
	size := int(m.n)
	if size*size != len(m.args) {
		return p.fail(failSyntax)
	}
	if size > 4 {
		return p.named(kCall, "det", m)
	}
	return p.minors(m.args, size)
}

func (p *parser) minors(entries []*node, size int) *node {
	if size == 1 {
		return entries[0]
	}
	total := p.make(kAdd)
	for column := range size {
		var rest []*node
		for at := size; at < len(entries); at++ {
			if at%size != column {
				rest = append(rest, entries[at])
			}
		}
		term := p.make(kMul, entries[column], p.minors(rest, size-1))
		if column%2 == 1 {
			term = p.make(kMul, p.integer(-1), term)
		}
		total.args = append(total.args, term)
	}
	return total
}

// integral reads an integral as the function int of its integrand, its variable and its bounds. Without dx the variable is x.
func (p *parser) integral() *node {
	var bounds []*node
	var lo, hi *node
	for p.failed == failNone && (p.tok.kind == tSub || p.tok.kind == tPower) {
		below := p.tok.kind == tSub
		p.advance()
		if p.tok.kind == tBrace {
			if content, end, ok := p.group(p.tok.start); ok && strings.TrimSpace(content) == "" {
				p.jump(end)
				continue
			}
		}
		if bound := p.argument(); below {
			lo = bound
		} else {
			hi = bound
		}
	}
	for _, bound := range [...]*node{lo, hi} {
		if bound != nil {
			bounds = append(bounds, bound)
		}
	}
	body, variable := p.splitDifferential(p.sum())
	if variable == "" {
		variable = "x"
	}
	return p.named(kCall, "int", append([]*node{body, p.named(kSymbol, variable)}, bounds...)...)
}

// splitDifferential takes dx off an integrand: off a product or its last term, or off a numerator.
func (p *parser) splitDifferential(n *node) (rest *node, variable string) {
	switch n.kind {
	case kQuantity:
		if len(n.name) == 2 && n.name[0] == 'd' {
			return n.args[0], n.name[1:]
		}
	case kMul:
		last := len(n.args) - 1
		if d := n.args[last-1]; d.kind == kSymbol && d.name == "d" && n.args[last].kind == kSymbol {
			if last == 1 {
				return p.integer(1), n.args[last].name
			}
			if last == 2 {
				return n.args[0], n.args[last].name
			}
			return p.make(kMul, n.args[:last-1]...), n.args[last].name
		}
		if rest, variable = p.splitDifferential(n.args[last]); variable != "" {
			return p.make(kMul, append(append([]*node{}, n.args[:last]...), rest)...), variable
		}
	case kDiv:
		if rest, variable = p.splitDifferential(n.args[0]); variable != "" {
			return p.make(kDiv, rest, n.args[1]), variable
		}
	case kAdd:
		last := len(n.args) - 1
		if rest, variable = p.splitDifferential(n.args[last]); variable != "" {
			return p.make(kAdd, append(append([]*node{}, n.args[:last]...), rest)...), variable
		}
	}
	return n, ""
}

// constructors are the names with which SymPy prints what is no expression, and what they make.
var constructors = map[string]string{
	"Interval": "[]", "Interval open": "()", "Interval Lopen": "(]", "Interval Ropen": "[)", "Union": "u", "Matrix": "m", "Eq": "=", "FiniteSet": "s",
}

// constructed makes what a constructor of SymPy with the arguments inner stands for.
func (p *parser) constructed(shape string, inner *node) *node {
	switch {
	case shape == "m":
		if rows := rowsOf(inner); rows != nil {
			return rows
		}
		if inner.kind == kTuple { // a column: [[1], [2]]
			column := p.make(kMatrix, inner.args...)
			column.n = 1
			return column
		}
		return inner
	case shape == "s":
		if inner.kind == kTuple {
			return p.make(kSet, inner.args...)
		}
		return inner
	case inner.kind != kTuple || len(inner.args) < 2:
		return p.fail(failSyntax)
	case shape == "u":
		union := inner.args[0]
		for _, a := range inner.args[1:] {
			union = p.make(kUnion, union, a)
		}
		return union
	case shape == "=":
		return p.named(kRelation, "=", inner.args[:2]...)
	}
	interval := p.make(kTuple, inner.args[:2]...)
	interval.open, interval.shut = shape[0], shape[1]
	return interval
}
