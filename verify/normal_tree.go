package verify

import (
	"sort"
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// normal brings a tree into normal form, and says whether it could within the budget.
func (c *checker) normal(n *node) (fraction, bool) {
	if v, ok := c.exactLeaf(n); ok {
		return fraction{over: constant(v)}, true
	}
	if !c.step(1) {
		return fraction{}, false
	}
	switch n.kind {
	case kSymbol:
		if v, ok := c.lookup(n.name); ok {
			return fraction{over: constant(v)}, true
		}
		return fraction{over: single(c.atom(atomFree, n.name), unity)}, true
	case kConstant:
		return c.normalConstant(n)
	case kAdd:
		return c.normalSum(n.args)
	case kMul:
		return c.normalProduct(n.args)
	case kDiv:
		return c.normalQuotient(n.args[0], n.args[1])
	case kRatio:
		if len(n.args) == 2 {
			return c.normalQuotient(n.args[0], n.args[1])
		}
	case kPow:
		return c.normalPower(n.args[0], n.args[1])
	case kPercent:
		x, ok := c.normal(n.args[0])
		if !ok {
			return x, false
		}
		return c.mulFraction(x, fraction{over: constant(hundredth)})
	case kDegree:
		x, ok := c.normal(n.args[0])
		if !ok || c.trig == 0 {
			return x, ok
		}
		pi := single(c.atom(atomFree, "pi"), unity)
		pi[0].value = rat.Of(1, 180)
		return c.mulFraction(x, fraction{over: pi})
	case kCall:
		return c.normalCall(n)
	case kBig:
		return c.normalSeries(n)
	case kSet: // \left{3+1\right} in place of a bracket
		if len(n.args) == 1 {
			return c.normal(n.args[0])
		}
	case kText:
		if !strings.ContainsAny(n.name, " ") { // a variable of several letters
			return fraction{over: single(c.atom(atomFree, n.name), unity)}, true
		}
	}
	return fraction{}, false
}

// exactLeaf is exact for the nodes where it does not repeat work at every level.
func (c *checker) exactLeaf(n *node) (rat.Rat, bool) {
	switch n.kind {
	case kNumber:
		return n.value, true
	case kBig, kCall:
		return c.exact(n)
	case kPow:
		if n.args[0].kind == kNumber && n.args[1].kind == kNumber {
			return c.exact(n)
		}
	case kBased:
		return c.exact(n)
	}
	return rat.Rat{}, false
}

func (c *checker) normalConstant(n *node) (fraction, bool) {
	if v, ok := c.lookup(n.name); ok {
		return fraction{over: constant(v)}, true
	}
	switch n.name {
	case "pi":
		return fraction{over: single(c.atom(atomFree, "pi"), unity)}, true
	case "e":
		if _, both := c.index["pi"]; both {
			c.partial = true // whether e and π are independent is not known
		}
		return fraction{over: single(c.atom(atomFree, "e"), unity)}, true
	case "i":
		return fraction{over: single(c.atom(atomI, "i"), unity)}, true
	}
	return fraction{}, false
}

func (c *checker) normalSum(args []*node) (fraction, bool) {
	total := fraction{}
	var exact rat.Rat
	for _, a := range args {
		if a.kind == kNumber {
			exact = exact.Add(a.value)
			continue
		}
		x, ok := c.normal(a)
		if !ok {
			return total, false
		}
		if total, ok = c.addFraction(total, x, rat.Int(1)); !ok {
			return total, false
		}
	}
	if exact.Sign() == 0 {
		return total, true
	}
	return c.addFraction(total, fraction{over: constant(exact)}, rat.Int(1))
}

func (c *checker) normalProduct(args []*node) (fraction, bool) {
	total := fraction{over: constant(rat.Int(1))}
	for _, a := range args {
		x, ok := c.normal(a)
		if !ok {
			return total, false
		}
		if total, ok = c.mulFraction(total, x); !ok {
			return total, false
		}
	}
	return total, true
}

func (c *checker) normalQuotient(a, b *node) (fraction, bool) {
	x, ok1 := c.normal(a)
	y, ok2 := c.normal(b)
	if !ok1 || !ok2 {
		return x, false
	}
	inverse, ok := c.invert(y)
	if !ok {
		return x, false
	}
	return c.mulFraction(x, inverse)
}

func (c *checker) invert(x fraction) (fraction, bool) {
	return c.fraction(orOne(x.under), x.over)
}

// normalPower is base^exponent.
func (c *checker) normalPower(base, exponent *node) (fraction, bool) {
	if r, ok := c.exact(exponent); ok {
		x, ok := c.normal(base)
		if !ok {
			return x, false
		}
		return c.rationalPower(x, r)
	}
	trig := c.trig
	c.trig = 0
	y, ok := c.normal(exponent)
	c.trig = trig
	if !ok || y.under != nil {
		return c.opaquePower(base, y, ok)
	}
	x, ok := c.normal(base)
	if !ok {
		return x, false
	}
	return c.symbolicPower(x, y.over)
}

// opaquePower is a power whose exponent is a fraction of polynomials: an atom of its own.
func (c *checker) opaquePower(base *node, y fraction, ok bool) (fraction, bool) {
	if !ok {
		return y, false
	}
	x, ok := c.normal(base)
	if !ok {
		return x, false
	}
	c.partial = true
	return fraction{over: single(c.atom(atomFree, "("+c.show(x)+")^("+c.show(y)+")"), unity)}, true
}

func (c *checker) rationalPower(x fraction, r rat.Rat) (fraction, bool) {
	p, q, ok := r.Small()
	if !ok || q > unity || unity%q != 0 || p > 4096 || p < -4096 {
		return x, false
	}
	if q == 1 {
		return c.integerPower(x, p)
	}
	if p < 0 {
		y, ok := c.rationalPower(x, r.Neg())
		if !ok {
			return y, false
		}
		return c.invert(y)
	}
	over, ok := c.rootPoly(x.over, p, q)
	if !ok || x.under == nil {
		return over, ok
	}
	under, ok := c.rootPoly(x.under, p, q)
	if !ok {
		return over, false
	}
	inverse, ok := c.invert(under)
	if !ok {
		return over, false
	}
	return c.mulFraction(over, inverse)
}

func (c *checker) integerPower(x fraction, k int64) (fraction, bool) {
	if k < 0 {
		y, ok := c.invert(x)
		if !ok {
			return y, false
		}
		return c.integerPower(y, -k)
	}
	if len(x.over) > 1 && k > 64 || len(x.under) > 1 && k > 64 {
		return x, false
	}
	result, ok := fraction{over: constant(rat.Int(1))}, true
	for ; k > 0; k >>= 1 {
		if k&1 != 0 {
			if result, ok = c.mulFraction(result, x); !ok {
				return x, false
			}
		}
		if k > 1 {
			if x, ok = c.mulFraction(x, x); !ok {
				return x, false
			}
		}
	}
	return result, true
}

// symbolicPower is x^y for a polynomial y: one power for each of its terms.
func (c *checker) symbolicPower(x fraction, y poly) (fraction, bool) {
	result := fraction{over: constant(rat.Int(1))}
	for _, t := range y {
		var part fraction
		var ok bool
		if len(t.factors) == 0 {
			part, ok = c.rationalPower(x, t.value)
		} else if c.isE(x) {
			if part, ok = c.exponential(t); !ok {
				part, ok = c.termPower(x, t)
			}
		} else {
			part, ok = c.termPower(x, t)
		}
		if !ok {
			return result, false
		}
		if result, ok = c.mulFraction(result, part); !ok {
			return result, false
		}
	}
	return result, true
}

// isE says whether x is the number e.
func (c *checker) isE(x fraction) bool {
	if x.under != nil || len(x.over) != 1 || len(x.over[0].factors) != 1 || x.over[0].factors[0].exponent != unity || !x.over[0].value.Equal(rat.Int(1)) {
		return false
	}
	return c.table[x.over[0].factors[0].atom].key == "e"
}

// termPower is x^(value·factors): the power of each of x's factors is an atom whose exponent is the value.
func (c *checker) termPower(x fraction, t term) (fraction, bool) {
	c.partial = true
	exponent := c.showFactors(t.factors)
	scaled, ok := t.value.Mul(rat.Int(unity)).Int64()
	if !ok || scaled > 1<<20 || scaled < -1<<20 {
		return x, false
	}
	power := func(base string, times int32) (fraction, bool) {
		e := int64(times) * scaled
		if e%unity != 0 {
			return x, false
		}
		return fraction{over: single(c.atom(atomFree, base+"^("+exponent+")"), int32(e/unity))}, true
	}
	if x.under != nil || len(x.over) != 1 {
		return power("("+c.show(x)+")", unity)
	}
	result := fraction{over: constant(rat.Int(1))}
	if x.over[0].value.Sign() < 0 { // the factors are those of the magnitude
		if result, ok = power("(-1)", unity); !ok {
			return x, false
		}
	}
	for _, f := range c.primeFactors(x.over[0].value) {
		part, ok := power(f.name, f.times*unity)
		if !ok {
			return x, false
		}
		if result, ok = c.mulFraction(result, part); !ok {
			return x, false
		}
	}
	for _, f := range x.over[0].factors {
		part, ok := power(c.table[f.atom].key, f.exponent)
		if !ok {
			return x, false
		}
		if result, ok = c.mulFraction(result, part); !ok {
			return x, false
		}
	}
	return result, true
}

// normalSeries writes out a sum or product with few terms.
func (c *checker) normalSeries(n *node) (fraction, bool) {
	lo, ok1 := c.exact(n.args[1])
	hi, ok2 := c.exact(n.args[2])
	from, ok3 := lo.Int64()
	to, ok4 := hi.Int64()
	if !ok1 || !ok2 || !ok3 || !ok4 || to-from > 200 {
		return c.opaque(n)
	}
	total := fraction{}
	if n.name == "prod" {
		total.over = constant(rat.Int(1))
	}
	for k := from; k <= to; k++ {
		c.bound = append(c.bound, binding{n.args[0].name, rat.Int(k)})
		x, ok := c.normal(n.args[3])
		c.bound = c.bound[:len(c.bound)-1]
		if ok && n.name == "prod" {
			total, ok = c.mulFraction(total, x)
		} else if ok {
			total, ok = c.addFraction(total, x, rat.Int(1))
		}
		if !ok {
			return total, false
		}
	}
	return total, true
}

// opaque makes an atom of a node about which nothing is known.
func (c *checker) opaque(n *node) (fraction, bool) {
	c.partial = true
	parts := make([]string, len(n.args))
	for i, a := range n.args {
		x, ok := c.normal(a)
		if !ok {
			return x, false
		}
		parts[i] = c.show(x)
	}
	if n.name == "max" || n.name == "min" || n.name == "gcd" || n.name == "lcm" {
		sort.Strings(parts)
	}
	return fraction{over: single(c.atom(atomFree, n.name+"("+strings.Join(parts, ",")+")"), unity)}, true
}
