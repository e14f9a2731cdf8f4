package verify

import (
	"math"
	"math/cmplx"
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// Answers with a free choice of names: parameters that run over the integers, constants of integration, unit vectors.

// integerLetters are the names that a parameter has by custom.
const integerLetters = "klmnjNK"

// sameFamily compares two expressions with one integer parameter each, x = π/4 + nπ, that differ in its name or in where it
// begins to count. decided is false where they are not of that kind.
func (c *checker) sameFamily(a, b *node) (r result, decided bool) {
	x, y := ownVariable(a, b), ownVariable(b, a)
	if x == nil && y == nil { // the same name: only the beginning may differ
		if x = c.parameter(a); x == nil || !c.periodic(a, b) {
			return r, false
		}
		y = x
	}
	if x == nil || y == nil || !isParameter(x) || !isParameter(y) || !c.periodic(a, b) {
		return r, false
	}
	b = rename(b, []*node{y}, []*node{x})
	if c.farFamilies(a, b, x.name) {
		return result{Wrong, RulePoints}, true
	}
	if r = c.sameScalarExactly(a, b); r.outcome == Right {
		return r, true
	}
	at := func(n *node, v int64) *node { return substitute(n, x.name, &node{kind: kNumber, value: rat.Int(v)}) }
	minus := func(p, q *node) *node {
		return &node{kind: kAdd, args: []*node{p, {kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, q}}}}
	}
	slope, other := minus(at(a, 1), at(a, 0)), minus(at(b, 1), at(b, 0))
	for _, n := range [...]*node{a, b} { // both must be linear
		step := minus(at(n, 3), at(n, 2))
		first := slope
		if n == b {
			first = other
		}
		if c.sameScalarExactly(step, first).outcome != Right {
			return r, true
		}
	}
	if s, ok := c.wholeRatio(other, slope); !ok || s*s != 1 {
		return r, true
	}
	_, ok := c.wholeRatio(minus(at(a, 0), at(b, 0)), slope)
	return judged(ok, RuleNormal), true
}

// farFamilies says whether two families with one parameter clearly never meet, by double precision.
func (c *checker) farFamilies(a, b *node, name string) bool {
	at := func(n *node, v complex128) complex128 {
		p := point{c: c, bound: []boundFloat{{name, v}}}
		return p.value(n)
	}
	shift := (at(a, 0) - at(b, 0)) / (at(a, 1) - at(a, 0))
	if cmplx.IsNaN(shift) || cmplx.IsInf(shift) {
		return false
	}
	return cmplx.Abs(shift-complex(math.Round(real(shift)), 0)) > 1e-6
}

// wholeRatio is a/b where it is an integer by the normal form.
func (c *checker) wholeRatio(a, b *node) (int64, bool) {
	f, ok := c.normalQuotient(a, b)
	if !ok || f.under != nil || len(f.over) > 1 {
		return 0, false
	}
	if len(f.over) == 0 {
		return 0, true
	}
	if len(f.over[0].factors) > 0 {
		return 0, false
	}
	return f.over[0].value.Int64()
}

// periodic says whether π, a degree sign or a remark says that the parameter of both runs over the integers.
func (c *checker) periodic(a, b *node) bool {
	angle := func(m *node) bool { return m.kind == kDegree || m.kind == kConstant && m.name == "pi" }
	return c.integers || a.holds(angle) && b.holds(angle)
}

func isParameter(n *node) bool {
	return len(n.name) == 1 && strings.Contains(integerLetters, n.name) || n.name == "ell"
}

// parameter is the only variable of n where it is a parameter by custom.
func (c *checker) parameter(n *node) *node {
	list := variables(n, nil)
	if len(list) != 1 || !isParameter(list[0]) {
		return nil
	}
	return list[0]
}

// ownVariable is the only variable of n that other lacks, and nil where there are none or several.
func ownVariable(n, other *node) *node {
	var own *node
	theirs := variables(other, nil)
	for _, v := range variables(n, nil) {
		found := false
		for _, w := range theirs {
			found = found || w.name == v.name
		}
		if found {
			continue
		}
		if own != nil {
			return nil
		}
		own = v
	}
	return own
}

// substitute replaces a variable by a value.
func substitute(n *node, name string, value *node) *node {
	if n.kind == kSymbol && n.name == name {
		return value
	}
	if len(n.args) == 0 {
		return n
	}
	m := *n
	m.args = make([]*node, len(n.args))
	for i, a := range n.args {
		m.args[i] = substitute(a, name, value)
	}
	return &m
}

// sameConstant compares two sums that differ in the name of a constant of integration: x² + C and x² + K.
func (c *checker) sameConstant(a, b *node) (result, bool) {
	x, y := ownVariable(a, b), ownVariable(b, a)
	if x == nil || y == nil || a.kind != kAdd || b.kind != kAdd || !addsConstant(a, x) || !addsConstant(b, y) {
		return result{}, false
	}
	return c.sameScalarExactly(a, rename(b, []*node{y}, []*node{x})), true
}

// addsConstant says whether a symbol is a term of a sum, occurs nowhere else in it, and is a constant by custom.
func addsConstant(sum, symbol *node) bool {
	switch symbol.name {
	case "C", "c", "K", "k", "C_1", "c_1", "constant", "const":
	default:
		return false
	}
	seen := 0
	for _, term := range sum.args {
		if term.kind == kSymbol && term.name == symbol.name {
			seen++
		} else if term.holds(func(m *node) bool { return m.kind == kSymbol && m.name == symbol.name }) {
			return false
		}
	}
	return seen == 1
}

// withoutMembership cuts from a list what only says where its parameters run: 2nπ, n ∈ ℤ.
func (c *checker) withoutMembership(n *node) *node {
	if n.kind != kList {
		return n
	}
	var kept []*node
	for i, a := range n.args {
		if a.kind == kRelation && a.name == string(rune(relIn)) && a.args[0].kind == kSymbol && lettered(a.args[1], &node{kind: kTuple}).kind == kConstant && !isReals(a.args[1]) {
			if kept == nil {
				kept = append(make([]*node, 0, len(n.args)), n.args[:i]...)
			}
		} else if kept != nil {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return n
	}
	c.integers = true
	if len(kept) == 1 {
		return kept[0]
	}
	m := *n
	m.args = kept
	return &m
}

func isReals(n *node) bool {
	return n.kind == kConstant && n.name == "reals" || n.kind == kSymbol && n.name == "R"
}

// axes are the names of the unit vectors.
var axes = map[string]int{
	"i": 0, "hat(i)": 0, "vec(i)": 0, "hat(imath)": 0, "hat(ı)": 0, "imath": 0, "j": 1, "hat(j)": 1, "vec(j)": 1, "hat(jmath)": 1, "jmath": 1,
	"k": 2, "hat(k)": 2, "vec(k)": 2, "bar(i)": 0, "bar(j)": 1, "bar(k)": 2,
}

// vector reads 3i - 2j + k as its components, of which there are as many as asked for; nil where n is no such sum.
func vector(n *node, size int) *node {
	if size < 2 || size > 3 {
		return nil
	}
	terms := []*node{n}
	if n.kind == kAdd {
		terms = n.args
	}
	parts := make([][]*node, size)
	highest := 0
	for _, term := range terms {
		axis, coefficient := component(term)
		if coefficient == nil || axis >= size {
			return nil
		}
		highest = max(highest, axis)
		parts[axis] = append(parts[axis], coefficient)
	}
	if highest == 0 {
		return nil // 3i alone is a complex number
	}
	v := &node{kind: kTuple, open: '(', shut: ')'}
	for _, sum := range parts {
		switch len(sum) {
		case 0:
			v.args = append(v.args, &node{kind: kNumber})
		case 1:
			v.args = append(v.args, sum[0])
		default:
			v.args = append(v.args, &node{kind: kAdd, args: sum})
		}
	}
	return v
}

// component splits a term into its unit vector and its coefficient, which is nil where there is not just one unit vector.
func component(term *node) (axis int, coefficient *node) {
	isAxis := func(m *node) bool {
		_, ok := axes[m.name]
		return ok && (m.kind == kSymbol || m.kind == kConstant)
	}
	one := &node{kind: kNumber, value: rat.Int(1)}
	switch {
	case isAxis(term):
		return axes[term.name], one
	case term.kind == kDiv && !term.args[1].holds(isAxis):
		if axis, c := component(term.args[0]); c != nil {
			return axis, &node{kind: kDiv, args: []*node{c, term.args[1]}}
		}
		return 0, nil
	case term.kind != kMul:
		return 0, nil
	}
	var rest []*node
	found := false
	for _, f := range term.args {
		switch {
		case !f.holds(isAxis):
			rest = append(rest, f)
		case found:
			return 0, nil
		default:
			a, c := component(f)
			if c == nil {
				return 0, nil
			}
			axis, found = a, true
			rest = append(rest, c)
		}
	}
	if !found {
		return 0, nil
	}
	return axis, &node{kind: kMul, args: append(rest, one)}
}

// sameCongruence compares x ≡ 3 (mod 7) with another congruence, and with a bare residue.
func (c *checker) sameCongruence(a, b *node) (result, bool) {
	if !isCongruence(a) && !isCongruence(b) {
		return result{}, false
	}
	if !isCongruence(a) {
		a, b = b, a
	}
	if !isCongruence(b) {
		return c.same(a.args[0], b), true
	}
	if r := c.same(a.args[1], b.args[1]); r.outcome != Right {
		return r, true
	}
	if len(a.args) == len(b.args) && len(a.args) > 2 {
		if left := c.same(a.args[2], b.args[2]); left.outcome != Right {
			return left, true
		}
	}
	x, ok1 := c.exact(a.args[0])
	y, ok2 := c.exact(b.args[0])
	m, ok3 := c.exact(c.peel(a.args[1]).inner)
	if !ok1 || !ok2 || !ok3 || m.Sign() == 0 {
		return c.same(a.args[0], b.args[0]), true
	}
	return judged(x.Sub(y).Mul(m.Inv()).IsInt(), RuleExact), true
}

// isCongruence says whether a node is a residue, a modulus and perhaps what is congruent to it.
func isCongruence(n *node) bool { return n.kind == kCall && n.name == "congruence" }
