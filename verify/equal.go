package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// The rules by which a verdict is reached.
const (
	RuleText       = "same text"              // the texts are equal but for spaces and layout
	RuleWords      = "words"                  // the words are compared, without case
	RuleLetter     = "letter"                 // the letters of a multiple choice are compared
	RuleExact      = "exact rational"         // both are rational numbers, compared exactly
	RuleRecurring  = "recurring decimal"      // the decimal shows the expansion of the fraction to twelve digits or more
	RuleNormal     = "normal form"            // fractions of polynomials with radicals over Q
	RuleResidue    = "modular evaluation"     // random evaluation modulo three primes of 61 bits
	RuleInterval   = "interval arithmetic"    // certified enclosures at up to 1,024 bits
	RulePoints     = "random points"          // evaluation in double precision at random points
	RuleRounded    = "rounded decimal"        // granted by Options.Decimals or Options.Precision
	RuleKind       = "kind"                   // one is a list, a point, a matrix ... and the other is not
	RuleSize       = "size"                   // the numbers of items differ
	RuleBrackets   = "brackets"               // (a, b) is not [a, b]
	RuleItems      = "items"                  // item by item
	RuleSets       = "sets of reals"          // intervals, unions and inequalities as sets
	RuleEquation   = "proportional equations" // both sides differ by a constant factor
	RuleInequality = "inequalities"           // relation by relation
	RuleUnits      = "units"                  // the units do not agree
	RuleBase       = "base"                   // digits and bases are compared
	RuleUndefined  = "undefined"              // a division by zero
	RuleReduced    = "lowest terms"           // Options.Fractions
	RuleMalformed  = "not mathematics"        // the answer cannot be read, the gold answer can
	RuleNoAnswer   = "no answer"
	RuleNoGold     = "no gold answer"
	RuleLimit      = "limit" // the answer is too large to be read
	RuleBudget     = "budget"
)

// result is an outcome with its rule.
type result struct {
	outcome Outcome
	rule    string
}

func judged(same bool, rule string) result {
	if same {
		return result{Right, rule}
	}
	return result{Wrong, rule}
}

// same compares two trees of any kind. What the budget cut short is Unknown.
func (c *checker) same(a, b *node) result {
	r := c.compare(a, b)
	if r.outcome == Wrong && c.spent {
		return result{Unknown, RuleBudget}
	}
	return r
}

func (c *checker) compare(a, b *node) result {
	if !c.step(1) {
		return result{Unknown, RuleBudget}
	}
	a, b = c.withoutMembership(a), c.withoutMembership(b)
	if r, decided := c.sameClock(a, b); decided {
		return r
	}
	a, b, apart := c.undress(a, b)
	if apart {
		return result{Wrong, RuleUnits}
	}
	if a.kind == kNumber && b.kind == kNumber {
		return c.sameScalar(a, b)
	}
	if c.sameRounded(a, b) || c.sameRounded(b, a) {
		return result{Right, RuleRounded}
	}
	if a.kind == kBased && b.kind == kBased { // before base 10 is taken for none
		return c.sameBased(a, b)
	}
	a, b = c.simplify(a), c.simplify(b)
	a, b = lettered(a, b), lettered(b, a)
	if r, decided := c.sameCongruence(a, b); decided {
		return r
	}
	if a.kind == kRelation || b.kind == kRelation {
		return c.sameRelation(a, b)
	}
	if r, decided := c.sameCollections(a, b); decided {
		return r
	}
	switch {
	case a.kind == kText || b.kind == kText:
		return c.sameWords(a, b)
	case a.kind == kBased || b.kind == kBased:
		return c.sameBased(a, b)
	}
	r := c.sameScalar(a, b)
	if r.outcome == Right || c.spent {
		return r
	}
	if named, decided := c.sameConstant(a, b); decided {
		return named
	}
	if family, decided := c.sameFamily(a, b); decided {
		return family
	}
	return r
}

// sameCollections compares lists, sets, points, intervals and matrices.
func (c *checker) sameCollections(a, b *node) (result, bool) {
	if isColumn(a) != isColumn(b) {
		column, other := a, b
		if isColumn(b) {
			column, other = b, a
		}
		if v := vector(other, len(column.args)); v != nil {
			return c.inOrder(column.args, v.args), true
		}
	}
	switch {
	case a.kind == kMatrix || b.kind == kMatrix:
		return c.sameMatrix(a, b), true
	case isRealSet(a) || isRealSet(b):
		return c.sameSets(a, b), true
	case a.kind == kRatio && b.kind == kRatio:
		return c.sameRatio(a, b), true
	case a.kind == kTuple || b.kind == kTuple:
		return c.sameTuple(a, b), true
	case isList(a) || isList(b):
		return c.sameLists(a, b), true
	case a.kind == kConstant && a.name == "empty" || b.kind == kConstant && b.name == "empty":
		return judged(a.kind == b.kind && a.name == b.name, RuleSets), true
	}
	return result{}, false
}

// isColumn says whether a node is a vector by its components.
func isColumn(n *node) bool {
	return n.kind == kTuple && n.open == '(' && n.shut == ')' || n.kind == kMatrix && (n.n == 1 || int(n.n) == len(n.args))
}

func isList(n *node) bool { return n.kind == kList || n.kind == kSet && len(n.args) > 0 }

// simplify resolves what stands for something plainer: a set of one item, a sign ± as a list, a product of matrices, a
// chain of equations as its last, and membership as the set.
func (c *checker) simplify(n *node) *node {
	for range 8 {
		switch n.kind {
		case kQuantity:
			n = c.peel(n).inner
			continue
		case kSet:
			if len(n.args) == 1 {
				n = n.args[0]
				continue
			}
		case kRelation:
			m := c.chain(n)
			if m != n {
				n = m
				continue
			}
		case kBased:
			if n.n == 10 {
				return &node{kind: kNumber, value: parseInt(n.name)}
			}
		case kAdd, kMul, kPlusMinus, kDiv, kPow, kCall:
			if n.holds(func(m *node) bool { return m.kind == kPlusMinus }) {
				return c.expandSigns(n)
			}
			if n.kind != kCall && n.holds(func(m *node) bool { return m.kind == kMatrix }) {
				if m := c.evaluateMatrix(n); m != nil {
					return m
				}
			}
		}
		return n
	}
	return n
}

// expandSigns is the list of an expression with + for ± and with - for it; where each sign is independent, of all choices.
func (c *checker) expandSigns(n *node) *node {
	if c.spread {
		if signs := n.count(isPlusMinus, 4); signs > 1 && signs < 4 {
			list := &node{kind: kList}
			for choice := range 1 << signs {
				at := 0
				list.args = append(list.args, withSigns(n, choice, &at))
			}
			return list
		}
	}
	plus, minus := c.withSign(n, 1), c.withSign(n, -1)
	return &node{kind: kList, args: []*node{plus, minus}}
}

func isPlusMinus(n *node) bool { return n.kind == kPlusMinus }

// withSigns gives the signs of n, from left to right from number at on, the values of the bits of choice.
func withSigns(n *node, choice int, at *int) *node {
	if n.kind == kPlusMinus {
		negative := choice>>*at&1 == 1
		*at++
		inner := withSigns(n.args[0], choice, at)
		if negative {
			return &node{kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, inner}}
		}
		return inner
	}
	if len(n.args) == 0 {
		return n
	}
	m := *n
	m.args = make([]*node, len(n.args))
	for i, a := range n.args {
		m.args[i] = withSigns(a, choice, at)
	}
	return &m
}

func (c *checker) withSign(n *node, sign int) *node {
	if n.kind == kPlusMinus {
		inner := c.withSign(n.args[0], sign)
		if (sign < 0) == (n.n == 0) {
			return &node{kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, inner}}
		}
		return inner
	}
	if len(n.args) == 0 {
		return n
	}
	m := *n
	m.args = make([]*node, len(n.args))
	for i, a := range n.args {
		m.args[i] = c.withSign(a, sign)
	}
	return &m
}

// sameBased compares digits in a base: by base, where both name one, and digits, or by value where the option says so.
func (c *checker) sameBased(a, b *node) result {
	if c.options.Bases == BasesValue {
		return c.sameScalar(a, b)
	}
	trim := func(n *node) string { return strings.TrimLeft(n.name, "0") }
	if a.kind == kNumber || b.kind == kNumber { // the base is left out on one side
		based, bare := a, b
		if a.kind == kNumber {
			based, bare = b, a
		}
		return judged(bare.kind == kNumber && bare.value.IsInt() && bare.value.Sign() != 0 && bare.value.String() == trim(based), RuleBase)
	}
	return judged(a.kind == b.kind && a.n == b.n && trim(a) == trim(b), RuleBase)
}
