package verify

import (
	"math/cmplx"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// limit is the limit of n in the relation x → a: the value where n is continuous, by L'Hôpital's rule where a quotient is 0/0,
// and by the leading terms of a rational function at infinity. It is nil where none of these decides.
func (c *checker) limit(n, to *node) *node {
	if to.kind != kRelation || to.name != string(rune(relImplies)) || to.args[0].kind != kSymbol {
		return nil
	}
	x, a := to.args[0].name, to.args[1]
	if sign := infinite(a); sign != 0 {
		return c.limitFar(n, x, sign)
	}
	if hasVariables(a) || !continuous(n) {
		return nil
	}
	for range 4 {
		if n.kind != kDiv || hasOther(n, x) {
			break
		}
		under := c.same(substitute(n.args[1], x, a), number(0)).outcome
		if under == Wrong {
			break
		}
		if under != Right || c.same(substitute(n.args[0], x, a), number(0)).outcome != Right {
			return nil
		}
		over, below := derivative(n.args[0], x), derivative(n.args[1], x)
		if over == nil || below == nil || over.size(2000)+below.size(2000) > 2000 {
			return nil
		}
		n = operation(kDiv, over, below)
	}
	value := substitute(n, x, a)
	if hasOther(n, x) && n.holds(func(m *node) bool { return m.kind == kDiv && depends(m.args[1], x) }) || c.undefinedIn(value) {
		return nil
	}
	if !hasVariables(value) {
		p := point{c: c}
		if v := p.value(value); cmplx.IsNaN(v) || cmplx.IsInf(v) {
			return nil
		}
	}
	return value
}

// continuous says whether a tree is made of functions that are continuous wherever they are defined.
func continuous(n *node) bool {
	return !n.holds(func(m *node) bool {
		switch m.kind {
		case kNumber, kSymbol, kAdd, kMul, kDiv, kPow:
			return false
		case kConstant:
			return m.name != "pi" && m.name != "e"
		case kCall:
			switch m.name {
			case "sin", "cos", "tan", "log", "exp", "asin", "acos", "atan", "sinh", "cosh", "tanh", "abs":
				return m.n == 1
			}
		}
		return true
	})
}

// limitFar is the limit of a rational function at ±∞.
func (c *checker) limitFar(n *node, x string, sign int) *node {
	if n.kind != kDiv {
		return nil
	}
	over, under := polynomial(n.args[0], x), polynomial(n.args[1], x)
	p, ok1 := c.leading(over)
	q, ok2 := c.leading(under)
	switch {
	case !ok1 || !ok2 || q == 0 && sign < 0 && p > 0:
		return nil
	case p < q:
		return number(0)
	case p == q:
		return operation(kDiv, over[p], under[q])
	}
	return nil
}

// leading is the degree of a polynomial with rational coefficients.
func (c *checker) leading(p []*node) (int, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		v, ok := c.exact(p[i])
		if !ok {
			return 0, false
		}
		if v.Sign() != 0 {
			return i, true
		}
	}
	return 0, false
}

// geometric is the sum of a series whose terms have a constant rational ratio below 1.
func (c *checker) geometric(n *node) *node {
	k, lo, body := n.args[0].name, n.args[1], n.args[3]
	next := substitute(body, k, operation(kAdd, &node{kind: kSymbol, name: k}, number(1)))
	f, ok := c.normalQuotient(next, body)
	if !ok || f.under != nil || len(f.over) != 1 || len(f.over[0].factors) > 0 || infinite(lo) != 0 {
		return nil
	}
	ratio := f.over[0].value
	if ratio.Abs().Cmp(rat.Int(1)) >= 0 {
		return nil
	}
	return operation(kDiv, substitute(body, k, lo), &node{kind: kNumber, value: rat.Int(1).Sub(ratio)})
}

// sameRounded says whether a decimal is what the other side, a = b ≈ c, ends with, and b rounds to it.
func (c *checker) sameRounded(a, b *node) bool {
	if a.kind != kNumber || a.places == 0 || b.kind != kRelation || b.name[len(b.name)-1] != relNear {
		return false
	}
	last := b.args[len(b.args)-1]
	if last.kind != kNumber || !last.value.Equal(a.value) {
		return false
	}
	x, ok := c.float(b.args[len(b.args)-2])
	if !ok {
		return false
	}
	off := rat.Int(10).Pow(-int64(a.places)).Float()
	return x-a.value.Float() <= off && a.value.Float()-x <= off
}
