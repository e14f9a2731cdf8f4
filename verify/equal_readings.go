package verify

import "strings"

// Some notations have two readings. Where the usual one finds two answers apart, otherReading tries the other, in which the
// two may be the same only if all of their parts are.

// otherReading compares the second readings of a and b, whose texts are gold and answer.
func (c *checker) otherReading(gold, answer string, a, b *node) result {
	if len(gold) > maxWords || len(answer) > maxWords || a.kind == kNumber && b.kind == kNumber {
		return result{}
	}
	either := func(mark byte) bool {
		return strings.IndexByte(gold, mark) >= 0 || strings.IndexByte(answer, mark) >= 0
	}
	x, y := a, b
	if either('(') {
		x, y = unapplied(x, y), unapplied(y, x)
	}
	if either('j') {
		x, y = imaginary(x, y), imaginary(y, x)
	}
	if either('c') && either('C') {
		x, y = constantsNamed(x, y), constantsNamed(y, x)
	}
	x, y = measured(gold, x, y), measured(answer, y, x)
	x, y = placed(x, y), placed(y, x)
	if x != a || y != b {
		return c.same(x, y)
	}
	if rest, ok := afterLabel(gold); ok {
		if x, fail := parse(rest, c.options); fail == failNone {
			return c.same(x, b)
		}
	} else if rest, ok := afterLabel(answer); ok {
		if y, fail := parse(rest, c.options); fail == failNone {
			return c.same(a, y)
		}
	}
	if (either('j') || either('k')) && !plainNumber(gold) && !plainNumber(answer) {
		if v, w := unitVectors(a), unitVectors(b); v != nil && w != nil {
			return c.inOrder(v.args, w.args)
		}
	}
	return result{}
}

// unapplied reads h(x + y) as a product where the other side has a plain h and no function h.
func unapplied(n, other *node) *node {
	applied := func(m *node) bool {
		return m.kind == kCall && m.n == 1 && len(m.args) == 1 && len(m.name) == 1 && m.args[0].kind == kAdd && m.name != "f" && m.name != "F"
	}
	if !n.holds(applied) || n.kind == kRelation {
		return n
	}
	if !n.holds(func(m *node) bool {
		return applied(m) && other.holds(func(o *node) bool { return o.kind == kSymbol && o.name == m.name })
	}) {
		return n
	}
	var multiplied func(m *node) *node
	multiplied = func(m *node) *node {
		if len(m.args) == 0 {
			return m
		}
		k := *m
		k.args = make([]*node, len(m.args))
		for i, arg := range m.args {
			k.args[i] = multiplied(arg)
		}
		if applied(m) && !other.holds(func(o *node) bool { return o.kind == kCall && o.name == m.name }) {
			return &node{kind: kMul, args: []*node{{kind: kSymbol, name: m.name}, k.args[0]}}
		}
		return &k
	}
	return multiplied(n)
}

// imaginary reads j as the imaginary unit, as electrical engineers write it, where the other side has i and no j.
func imaginary(n, other *node) *node {
	isJ := func(m *node) bool { return m.kind == kSymbol && m.name == "j" }
	if hasOther(n, "j") || !n.holds(isJ) || n.holds(isImaginary) || !other.holds(isImaginary) || hasVariables(other) || !readable(n) {
		return n
	}
	return substitute(n, "j", &node{kind: kConstant, name: "i"})
}

// constantsNamed renames c_1, c_2, ... of a general solution as C_1, C_2, ... where the other side has those only.
func constantsNamed(n, other *node) *node {
	for _, index := range [...]string{"_1", "_2", "_3", "_4"} {
		small, large := "c"+index, "C"+index
		has := func(m *node, name string) bool {
			return m.holds(func(o *node) bool { return o.kind == kSymbol && o.name == name })
		}
		if has(n, small) && !has(n, large) && has(other, large) && !has(other, small) {
			n = substitute(n, small, &node{kind: kSymbol, name: large})
		}
	}
	return n
}

// placed reads A(2, 3) as the point (2, 3) with its name, where the other side is a tuple.
func placed(n, other *node) *node {
	if n.kind != kCall || n.n != 1 || len(n.args) < 2 || len(n.name) != 1 || n.name[0] < 'A' || n.name[0] > 'Z' || other.kind != kTuple || len(other.args) != len(n.args) {
		return n
	}
	return &node{kind: kTuple, args: n.args, open: '(', shut: ')'}
}

// measured reads a last letter after a space as a unit, where the other side is a plain number: \\frac{37}{4} m.
func measured(text string, n, other *node) *node {
	if hasVariables(other) || n.kind != kMul || len(n.args) != 2 || n.args[1].kind != kSymbol || hasVariables(n.args[0]) {
		return n
	}
	name := n.args[1].name
	text = strings.TrimRight(text, " .$")
	if name == "Omega" {
		return &node{kind: kQuantity, name: "Ω", args: n.args[:1]}
	}
	if _, known := letterUnits[name]; !known || len(name) != 1 || !strings.HasSuffix(text, " "+name) && !strings.HasSuffix(text, "\\,"+name) && !strings.HasSuffix(text, "~"+name) {
		return n
	}
	return &node{kind: kQuantity, name: name, args: n.args[:1]}
}

// afterLabel is what follows the letter of a choice in brackets: \text{(C) }12 is 12.
func afterLabel(text string) (string, bool) {
	text = strings.TrimSpace(text)
	for _, font := range [...]string{"\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "\\textrm{"} {
		inner, found := strings.CutPrefix(text, font)
		if shut := strings.IndexByte(inner, '}'); found && shut >= 3 && shut <= 5 {
			text = strings.TrimSpace(inner[:shut]) + " " + inner[shut+1:]
			break
		}
	}
	if len(text) < 5 || len(text) > 300 || text[0] != '(' || text[1] < 'A' || text[1] > 'J' || text[2] != ')' {
		return "", false
	}
	rest := strings.TrimLeft(text[3:], " ~")
	for _, space := range [...]string{"\\ ", "\\;", "\\,", "\\quad", "\\:"} {
		rest = strings.TrimPrefix(rest, space)
	}
	return rest, strings.TrimSpace(rest) != ""
}

// unitVectors reads a sum of multiples of unit vectors in space, and is nil where n is none.
func unitVectors(n *node) *node {
	if n.kind == kRelation && n.name == "=" && len(n.args) == 2 && isName(n.args[0]) {
		n = n.args[1]
	}
	if n.kind != kAdd && n.kind != kMul && n.kind != kSymbol {
		return nil
	}
	return vector(n, 3)
}
