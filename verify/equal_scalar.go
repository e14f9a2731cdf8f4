package verify

import (
	"github.com/retort-ml/retort/verify/internal/rat"
	"math"
)

// sameScalar compares two numbers or expressions, by the cheapest means that decides.
func (c *checker) sameScalar(a, b *node) result {
	r := c.sameScalarExactly(a, b)
	if r.outcome == Right {
		return r
	}
	if c.options.Percent == PercentEither && (a.kind == kPercent) != (b.kind == kPercent) {
		if c.sameScalarExactly(bare(a), bare(b)).outcome == Right {
			return result{Right, RuleExact}
		}
	}
	if c.options.Degrees == DegreesAngle && (a.kind == kDegree) != (b.kind == kDegree) {
		c.trig++
		turned := c.sameScalarExactly(a, b)
		c.trig--
		if turned.outcome == Right {
			return turned
		}
	}
	if (c.options.Decimals != DecimalsExact || c.options.Precision > 0) && c.roughly(a, b) {
		return result{Right, RuleRounded}
	}
	if c.options.Names == NamesAny && hasVariables(a) && hasVariables(b) {
		x, y := variables(a, nil), variables(b, nil)
		if len(x) == 1 && len(y) == 1 && x[0].name != y[0].name {
			return c.sameScalarExactly(a, rename(b, y, x))
		}
	}
	return r
}

// variables lists the variables of a tree, up to a few.
func variables(n *node, list []*node) []*node {
	if n.kind == kSymbol {
		for _, v := range list {
			if v.name == n.name {
				return list
			}
		}
		return append(list, n)
	}
	for _, a := range n.args {
		if len(list) < 3 {
			list = variables(a, list)
		}
	}
	return list
}

func bare(n *node) *node {
	if n.kind == kPercent {
		return n.args[0]
	}
	return n
}

func (c *checker) sameScalarExactly(a, b *node) result {
	x, ok1 := c.exact(a)
	y, ok2 := c.exact(b)
	if ok1 && ok2 {
		return sameNumbers(a, b, x, y)
	}
	if s, t := infinite(a), infinite(b); s != 0 || t != 0 {
		return judged(s == t, RuleKind)
	}
	if a.kind == kHuge && b.kind == kHuge {
		return judged(a.name == b.name, RuleExact)
	}
	if a.kind == kHuge && ok2 && y.Sign() == 0 || b.kind == kHuge && ok1 && x.Sign() == 0 {
		return result{Wrong, RuleExact}
	}
	if a.kind == kCall && b.kind == kCall && a.name == "!" && b.name == "!" { // factorials grow from 1! on
		v, good := c.exact(a.args[0])
		w, fine := c.exact(b.args[0])
		if good && fine && v.IsInt() && w.IsInt() && v.Sign() > 0 && w.Sign() > 0 {
			return judged(v.Equal(w), RuleExact)
		}
	}
	c.partial = false
	if a.size(1000)+b.size(1000) >= 1000 {
		if o := c.compareResidues(a, b); o != orderUnknown {
			return judged(o == orderSame, RuleResidue)
		}
	}
	f, ok1 := c.normal(a)
	g, ok2 := c.normal(b)
	if ok1 && ok2 {
		if c.trig == 0 {
			c.formed = [2]formed{{a, f}, {b, g}}
		}
		same, ok := c.sameFraction(f, g)
		if ok && (same || !c.partial) {
			return judged(same, RuleNormal)
		}
	} else if o := c.compareResidues(a, b); o != orderUnknown {
		return judged(o == orderSame, RuleResidue)
	}
	return c.sameNumerically(a, b)
}

// sameNumerically decides by enclosures for constants and by random points for functions.
func (c *checker) sameNumerically(a, b *node) result {
	free := hasVariables(a) || hasVariables(b)
	if !free {
		o, _, _ := c.compareReal(a, b)
		if o != orderUnknown {
			return judged(o == orderSame, RuleInterval)
		}
	}
	if c.undefinedIn(a) != c.undefinedIn(b) {
		return result{Wrong, RuleUndefined}
	}
	if !c.spent && (free || a.holds(isImaginary) || b.holds(isImaginary)) {
		if o := c.comparePoints(a, b, free); o != orderUnknown {
			return judged(o == orderSame, RulePoints)
		}
	}
	if !c.spent && sameTree(a, b) {
		return result{Right, RuleText}
	}
	if c.spent {
		return result{Unknown, RuleBudget}
	}
	if readable(a) != readable(b) {
		return result{Wrong, RuleKind}
	}
	return result{Unknown, RuleLimit}
}

// readable says whether a node is a scalar that the layers know how to evaluate at all.
func readable(n *node) bool {
	return !n.holds(func(m *node) bool {
		switch m.kind {
		case kText, kList, kTuple, kSet, kUnion, kIntersection, kDifference, kRelation, kMatrix, kQuantity, kBased, kPlusMinus:
			return true
		case kRatio:
			return len(m.args) != 2
		case kConstant:
			return m.name != "pi" && m.name != "e" && m.name != "i"
		case kCall:
			return m.name == "int" || m.name == "lim" || m.name == "det"
		}
		return false
	})
}

// sameTree compares two trees node by node.
func sameTree(a, b *node) bool {
	if a.kind != b.kind || a.name != b.name || a.n != b.n && a.kind != kNumber && a.kind != kSet && a.kind != kList || len(a.args) != len(b.args) || !a.value.Equal(b.value) {
		return false
	}
	for i := range a.args {
		if !sameTree(a.args[i], b.args[i]) {
			return false
		}
	}
	return true
}

func isImaginary(n *node) bool { return n.kind == kConstant && n.name == "i" }

func hasVariables(n *node) bool {
	switch n.kind {
	case kSymbol, kText:
		return true
	case kCall:
		if n.n == 1 {
			return true
		}
	case kBig: // its own variable is none
		for _, a := range n.args[1:] {
			if hasOther(a, n.args[0].name) {
				return true
			}
		}
		return false
	}
	for _, a := range n.args {
		if hasVariables(a) {
			return true
		}
	}
	return false
}

// hasOther says whether n has a variable but the one of the given name.
func hasOther(n *node, name string) bool {
	if n.kind == kSymbol || n.kind == kText {
		return n.name != name
	}
	for _, a := range n.args {
		if hasOther(a, name) {
			return true
		}
	}
	return false
}

// infinite is 1 for ∞, -1 for -∞ and 0 for anything else.
func infinite(n *node) int {
	switch {
	case n.kind == kConstant && n.name == "inf":
		return 1
	case n.kind == kMul && len(n.args) == 2 && n.args[0].kind == kNumber && n.args[1].kind == kConstant && n.args[1].name == "inf":
		return n.args[0].value.Sign()
	}
	return 0
}

// undefinedIn says whether a tree divides by zero.
func (c *checker) undefinedIn(n *node) bool {
	return n.holds(func(m *node) bool {
		if m.kind == kRatio { // 14:00 is a time of day
			v, ok := c.exact(m.args[len(m.args)-1])
			return ok && v.Sign() == 0
		}
		if m.kind != kDiv && m.kind != kPow {
			return false
		}
		at := 1
		if m.kind == kPow {
			at = 0
		}
		v, ok := c.exact(m.args[at])
		if !ok || v.Sign() != 0 {
			return false
		}
		if m.kind == kDiv {
			return true
		}
		e, ok := c.exact(m.args[1])
		return ok && e.Sign() < 0
	})
}

// sameNumbers compares two rationals. A decimal of twelve or more significant digits, as programs print them, may stand
// for the recurring expansion that it begins.
func sameNumbers(a, b *node, x, y rat.Rat) result {
	if x.Equal(y) {
		return result{Right, RuleExact}
	}
	const enough = 12
	if b.kind == kNumber && b.places > 0 {
		a, b, x, y = b, a, y, x
	}
	if a.kind == kNumber && a.places >= enough-2 && a.n >= enough && !(b.kind == kNumber && b.places > 0) && !terminates(y, int(a.places)) {
		unit := power10(int(a.places)).Inv()
		if x.Sub(y).Abs().Cmp(unit) <= 0 {
			return result{Right, RuleRecurring}
		}
	}
	return result{Wrong, RuleExact}
}

// terminates says whether a number's decimal expansion ends within the given places.
func terminates(v rat.Rat, places int) bool { return v.Mul(power10(places)).IsInt() }

// roughly compares two constants as Options.Decimals and Options.Precision allow.
func (c *checker) roughly(a, b *node) bool {
	x, ok1 := c.float(a)
	y, ok2 := c.float(b)
	if !ok1 || !ok2 {
		return false
	}
	difference, scale := math.Abs(x-y), math.Max(math.Abs(x), math.Abs(y))
	if c.options.Precision > 0 && difference < math.Pow(10, -float64(c.options.Precision)) {
		return true
	}
	switch c.options.Decimals {
	case DecimalsLoose:
		return difference <= 0.02*scale || difference <= 0.001*(1+1e-9)
	case DecimalsRounded:
		if difference <= 1e-6*scale {
			return true
		}
		for _, n := range [...]*node{a, b} {
			if n.kind == kNumber && n.places > 0 && n.n >= 3 && difference <= math.Pow(10, -float64(n.places))*(1+1e-9) {
				return true
			}
		}
	}
	return false
}

// float is a real constant in double precision.
func (c *checker) float(n *node) (float64, bool) {
	if v, ok := c.exact(n); ok {
		f := v.Float()
		return f, !math.IsInf(f, 0)
	}
	if hasVariables(n) {
		return 0, false
	}
	e := enclosure{c: c, bits: 64}
	x, ok := e.value(n)
	if !ok || x.Lo.IsInf() || x.Hi.IsInf() {
		return 0, false
	}
	f, _ := x.Lo.Float64()
	return f, !math.IsInf(f, 0)
}
