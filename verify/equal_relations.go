package verify

import (
	"math"
	"math/cmplx"
	"slices"
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

func sortedKeys(m map[string]*node) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// isName says whether a node is the name of a quantity, such as x, f(x), |AB|, S_n, NO/BO or (p, q), so that an equation
// that begins with it gives its value.
func isName(n *node) bool {
	switch n.kind {
	case kSymbol, kText:
		return true
	case kCall:
		if n.n == 1 {
			return true
		}
		switch n.name {
		case "arg", "re", "im", "det", "tr", "rank", "gcd", "lcm", "dim": // arg z = π/3; but sin x < 1/2 is no interval
			for _, a := range n.args {
				if !isName(a) {
					return false
				}
			}
			return true
		}
		return (n.name == "abs" || strings.HasPrefix(n.name, "index_")) && isName(n.args[0]) || n.name == "max" || n.name == "min" || n.name == "lim_"
	case kDiv, kRatio:
		for _, a := range n.args {
			if !isName(a) {
				return false
			}
		}
		return true
	case kTuple, kList:
		for _, a := range n.args {
			if a.kind != kSymbol && a.kind != kConstant && a.kind != kText {
				return false
			}
		}
		return true
	case kMul: // AB, ∠ABC
		for _, a := range n.args {
			if a.kind != kSymbol || a.name[0] >= 'a' && a.name != "angle" && a.name != "triangle" && a.name != "m" {
				return false
			}
		}
		return true
	case kQuantity: // ∠ABC
		return isName(n.args[0])
	case kConstant:
		return n.name == "e" || n.name == "i"
	}
	return false
}

// chain reduces a relation: implications to the last, a chain of equations to its name and its last value (before ≈),
// membership to the set.
func (c *checker) chain(n *node) *node {
	names, args := n.name, n.args
	if i := strings.LastIndexByte(names, relImplies); i >= 0 {
		names, args = names[i+1:], args[i+1:]
		if len(args) == 1 {
			return args[0]
		}
		return &node{kind: kRelation, name: names, args: args}
	}
	if names == string(rune(relIn)) && isName(args[0]) {
		return args[1]
	}
	if strings.Trim(names, equalityish) != "" {
		return n
	}
	// What follows ≈ is a remark, unless it is all that is said of a name.
	if i := strings.IndexByte(names, relNear); i >= 0 {
		if i > 0 || !isName(args[0]) {
			names, args = names[:i], args[:i+1]
		} else {
			names = strings.ReplaceAll(names, string(rune(relNear)), string(rune(relEqual)))
		}
	}
	switch {
	case len(args) == 1:
		return args[0]
	case len(args) == 2 && !hasVariables(args[0]) && !hasVariables(args[1]): // 2 + 3 = 5
		return args[1]
	case len(args) > 2 && !isName(args[0]):
		if hasVariables(args[0]) {
			for _, a := range args[1 : len(args)-1] {
				if isName(a) {
					return &node{kind: kRelation, name: "=", args: []*node{a, args[len(args)-1]}}
				}
			}
		}
		return args[len(args)-1]
	case len(args) > 2:
		return &node{kind: kRelation, name: "=", args: []*node{args[0], args[len(args)-1]}}
	case len(names) == len(n.name) && names == n.name:
		return n
	}
	return &node{kind: kRelation, name: names, args: args}
}

// assignment splits name = value.
func assignment(n *node) (name, value *node, ok bool) {
	if n.kind != kRelation || n.name != "=" || len(n.args) != 2 {
		return nil, nil, false
	}
	if isName(n.args[0]) {
		return n.args[0], n.args[1], true
	}
	if n.args[1].kind == kSymbol && !hasVariables(n.args[0]) { // 5 = x
		return n.args[1], n.args[0], true
	}
	return nil, nil, false
}

// sameRelation compares where at least one side is a relation.
func (c *checker) sameRelation(a, b *node) result {
	nameA, valueA, assignsA := assignment(a)
	nameB, valueB, assignsB := assignment(b)
	switch {
	case assignsA && assignsB:
		return c.sameAssignments(a, b, nameA, valueA, nameB, valueB)
	case assignsA && b.kind != kRelation:
		return c.same(valueA, b)
	case assignsB && a.kind != kRelation:
		return c.same(a, valueB)
	case isEquation(a) && isEquation(b):
		return c.proportional(a, b)
	case isEquation(a) || isEquation(b):
		if isList(a) || isList(b) {
			return c.sameLists(a, b)
		}
		return result{Wrong, RuleKind}
	}
	return c.sameSets(a, b)
}

func isEquation(n *node) bool { return n.kind == kRelation && n.name == "=" }

// sameAssignments compares x = a with y = b: by the values where the names agree (functions with their arguments renamed),
// else as equations.
func (c *checker) sameAssignments(a, b, nameA, valueA, nameB, valueB *node) result {
	if sameTree(nameA, nameB) {
		return c.same(valueA, valueB)
	}
	if sameFunction(nameA, nameB) || sameFunction(nameB, nameA) || unindexed(nameA, nameB) || unindexed(nameB, nameA) {
		return c.same(valueA, valueB)
	}
	if nameA.kind == kCall && nameB.kind == kCall && nameA.n == 1 && nameB.n == 1 && len(nameA.args) == len(nameB.args) {
		if nameA.name == nameB.name || c.options.Names == NamesAny {
			for i, argument := range nameA.args { // f(y) = x is not f(x) = x
				if argument.kind == kSymbol && !sameTree(argument, nameB.args[i]) && valueB.holds(func(m *node) bool { return m.kind == kSymbol && m.name == argument.name }) {
					return result{Wrong, RuleItems}
				}
			}
			return c.same(valueA, rename(valueB, nameB.args, nameA.args))
		}
		return result{Wrong, RuleItems}
	}
	if c.options.Names == NamesAny {
		return c.same(valueA, valueB)
	}
	if nameA.kind == kSymbol && nameB.kind == kSymbol && !hasVariables(valueA) && !hasVariables(valueB) {
		return result{Wrong, RuleKind}
	}
	if nameA.kind == kTuple && nameB.kind == kTuple || nameA.kind == kList || nameB.kind == kList {
		return result{Wrong, RuleKind}
	}
	return c.proportional(a, b)
}

// sameFunction says whether y and f(x) name the same.
func sameFunction(y, f *node) bool {
	return y.kind == kSymbol && f.kind == kCall && f.n == 1 && len(f.args) == 1 && (y.name == "y" && isFunctionName(f.name) || y.name == f.name) && f.args[0].kind == kSymbol && f.args[0].name != "y"
}

// unindexed says whether x is x_1 without its index.
func unindexed(x, x1 *node) bool {
	if x.kind != kSymbol || x1.kind != kSymbol {
		return false
	}
	index, ok := strings.CutPrefix(x1.name, x.name+"_")
	return ok && index != "" && strings.Map(onlyDigits, index) == index
}

// rename replaces symbols.
func rename(n *node, from, to []*node) *node {
	if n.kind == kSymbol {
		for i, f := range from {
			if f.kind == kSymbol && f.name == n.name && to[i].kind == kSymbol {
				return to[i]
			}
		}
		return n
	}
	if len(n.args) == 0 {
		return n
	}
	m := *n
	m.args = make([]*node, len(n.args))
	for i, a := range n.args {
		m.args[i] = rename(a, from, to)
	}
	return &m
}

// difference is left - right of an equation.
func difference(n *node) *node {
	return &node{kind: kAdd, args: []*node{n.args[0], {kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, n.args[1]}}}}
}

// proportional says whether two equations have sides whose differences are constant multiples of each other.
func (c *checker) proportional(a, b *node) result {
	if readable(a.args[0]) && readable(a.args[1]) && readable(b.args[0]) && readable(b.args[1]) {
		x, ok1 := c.normal(difference(a))
		y, ok2 := c.normal(difference(b))
		if ok1 && ok2 {
			if factor, ok := c.constantFactor(cleared(x.over), cleared(y.over)); ok {
				return judged(factor.Sign() != 0, RuleEquation)
			}
		}
		if r := c.proportionalPoints(difference(a), difference(b)); r != orderUnknown {
			return judged(r == orderSame, RulePoints)
		}
		return result{Unknown, RuleBudget}
	}
	left := c.same(a.args[0], b.args[0])
	right := c.same(a.args[1], b.args[1])
	return result{worse(left.outcome, right.outcome), RuleItems}
}

// constantFactor finds the rational f with x = f·y; ok is false where radicals could hide one, and f is 0 where there is none.
func (c *checker) constantFactor(x, y poly) (f rat.Rat, ok bool) {
	if len(x) == 0 || len(y) == 0 {
		if len(x) == len(y) {
			return rat.Int(1), true
		}
		return rat.Rat{}, true
	}
	if len(x) == len(y) {
		factor := x[0].value.Mul(y[0].value.Inv())
		if equalPoly(x, scalePoly(y, factor)) {
			return factor, true
		}
	}
	for _, a := range c.table {
		if a.kind != atomFree || strings.ContainsAny(a.key, "(^") {
			return rat.Rat{}, false
		}
	}
	if monomialRatio(x, y) {
		return rat.Rat{}, false // one may be the other times a variable: not the same set, but let points decide
	}
	return rat.Rat{}, true
}

func monomialRatio(x, y poly) bool { return len(x) == len(y) && len(x) == 1 }

// proportionalPoints compares the ratio of two expressions at random points.
func (c *checker) proportionalPoints(a, b *node) order {
	var ratio complex128
	seen := 0
	for i := range 8 {
		p := point{c: c, number: i, signs: i%2 == 1}
		x, y := p.value(a), p.value(b)
		if c.spent {
			return orderUnknown
		}
		if cmplx.IsNaN(x) || cmplx.IsNaN(y) || y == 0 {
			continue
		}
		r := x / y
		if seen > 0 {
			if same, clear := nearly(r, ratio, p.top/math.Max(cmplx.Abs(y), 1e-300)); clear {
				return orderApart
			} else if !same {
				return orderUnknown
			}
		}
		ratio = r
		seen++
	}
	if seen < 3 {
		return orderUnknown
	}
	return orderSame
}

// sameInequalities compares chains of relations that are no sets of one variable: left to right or right to left, and
// single ones up to a positive factor.
func (c *checker) sameInequalities(a, b *node) result {
	if a.kind != kRelation || b.kind != kRelation {
		return result{Wrong, RuleKind}
	}
	if len(a.args) != len(b.args) {
		return result{Wrong, RuleSize}
	}
	for _, other := range [...]*node{b, reversed(b)} {
		if a.name == other.name && c.inOrder(a.args, other.args).outcome == Right {
			return result{Right, RuleInequality}
		}
	}
	if len(a.args) != 2 {
		return result{Wrong, RuleInequality}
	}
	for _, other := range [...]*node{b, reversed(b)} {
		if a.name != other.name {
			continue
		}
		x, ok1 := c.normal(difference(a))
		y, ok2 := c.normal(difference(other))
		if !ok1 || !ok2 || x.under != nil || y.under != nil {
			continue
		}
		factor, ok := c.constantFactor(x.over, y.over)
		if ok && (factor.Sign() > 0 || factor.Sign() != 0 && a.name == "#") {
			return result{Right, RuleInequality}
		}
	}
	return result{Wrong, RuleInequality}
}

// reversed reads a chain of relations from right to left.
func reversed(n *node) *node {
	m := &node{kind: kRelation}
	names := make([]byte, 0, len(n.name))
	for i := len(n.args) - 1; i >= 0; i-- {
		m.args = append(m.args, n.args[i])
		if i > 0 {
			names = append(names, flipped(n.name[i-1]))
		}
	}
	m.name = string(names)
	return m
}
