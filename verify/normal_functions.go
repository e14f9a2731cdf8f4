package verify

import (
	"math/big"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// rootPoly is x^(p/q) for p > 0 and q > 1.
func (c *checker) rootPoly(x poly, p, q int64) (fraction, bool) {
	switch len(x) {
	case 0:
		return fraction{}, true
	case 1:
		return c.rootTerm(x[0], p, q)
	}
	if q == 2 {
		if root, ok := c.denested(x); ok {
			return c.integerPower(root, p)
		}
	}
	c.partial = true
	lead := x[len(x)-1].value
	if q%2 == 0 {
		lead = lead.Abs()
	}
	monic := scalePoly(x, lead.Inv())
	a := c.atom(atomPoly, "("+c.showPoly(monic)+")")
	c.table[a].base = monic
	content, ok := c.rootTerm(term{value: lead}, p, q)
	if !ok {
		return content, false
	}
	root, ok := c.monomial(a, int32(p*unity/q))
	if !ok {
		return content, false
	}
	return c.mulFraction(content, root)
}

// rootTerm is t^(p/q): roots of primes, of -1 by i, and of variables, which are taken to be positive where the root is
// even, but for even powers.
func (c *checker) rootTerm(t term, p, q int64) (fraction, bool) {
	value := t.value
	result := fraction{over: constant(rat.Int(1))}
	multiply := func(a, exponent int32) bool {
		one, ok := c.monomial(a, exponent)
		if ok {
			result, ok = c.mulFraction(result, one)
		}
		return ok
	}
	if value.Sign() < 0 {
		switch {
		case q%2 != 0:
			if p%2 != 0 {
				result.over = constant(rat.Int(-1))
			}
		case q == 2:
			if !multiply(c.atom(atomI, "i"), int32(p)*unity) {
				return result, false
			}
		default:
			return result, false
		}
		value = value.Neg()
	}
	for _, f := range c.primeFactors(value) {
		a := c.atom(atomRoot, f.name)
		c.table[a].value = f.value
		if !multiply(a, f.times*int32(p*unity/q)) {
			return result, false
		}
	}
	for _, f := range t.factors {
		e := int64(f.exponent) * p
		if e%q != 0 {
			return result, false
		}
		a := f.atom
		switch c.table[a].kind {
		case atomI:
			return result, false
		case atomFree:
			if key := c.table[a].key; q%2 == 0 && int64(f.exponent)%(2*unity) == 0 && e/q%(2*unity) != 0 && key != "pi" && key != "e" {
				c.partial = true
				a = c.atom(atomFree, "abs("+key+")")
			}
		}
		if !multiply(a, int32(e/q)) {
			return result, false
		}
	}
	return result, true
}

// monomial is one atom's power with whole powers multiplied out.
func (c *checker) monomial(a, exponent int32) (fraction, bool) {
	t, high, ok := c.mulTerm(term{value: rat.Int(1)}, term{factors: []factor{{a, exponent}}, value: rat.Int(1)})
	if high != nil || !ok {
		return fraction{over: high}, ok
	}
	return fraction{over: poly{t}}, true
}

type primePower struct {
	name  string
	value rat.Rat
	times int32
}

// primeFactors factors a positive rational by trial division; what is left of it counts as one prime. -1 is left out.
func (c *checker) primeFactors(v rat.Rat) []primePower {
	var list []primePower
	list = c.factorInt(list, v.Num(), 1)
	if !v.IsInt() {
		list = c.factorInt(list, v.Denom(), -1)
	}
	return list
}

func (c *checker) factorInt(list []primePower, n *big.Int, sign int32) []primePower {
	if !n.IsInt64() {
		return c.factorBig(list, n, sign)
	}
	return c.factorWord(list, n.Int64(), sign)
}

func (c *checker) factorWord(list []primePower, m int64, sign int32) []primePower {
	if m < 0 {
		m = -m
	}
	for p := int64(2); p*p <= m; p++ {
		if p&63 == 0 && !c.step(1) {
			c.partial = true // what is left may not be prime
			break
		}
		if p > 1<<14 {
			if p > 1<<16 {
				// Two equal large primes still make a square.
				if r := int64(new(big.Int).Sqrt(big.NewInt(m)).Int64()); r*r == m {
					return append(list, primePower{rat.Int(r).String(), rat.Int(r), 2 * sign})
				}
				c.partial = true
				break
			}
		}
		times := int32(0)
		for m%p == 0 {
			m /= p
			times++
		}
		if times > 0 {
			list = append(list, primePower{rat.Int(p).String(), rat.Int(p), times * sign})
		}
	}
	if m > 1 {
		list = append(list, primePower{rat.Int(m).String(), rat.Int(m), sign})
	}
	return list
}

// factorBig takes small primes out of a large integer.
func (c *checker) factorBig(list []primePower, n *big.Int, sign int32) []primePower {
	if n.BitLen() > 4096 {
		c.partial = true
		v := rat.BigInt(n)
		return append(list, primePower{v.String(), v, sign})
	}
	m, rest, q := new(big.Int).Abs(n), new(big.Int), new(big.Int)
	for p := int64(2); p < 1000 && !m.IsInt64(); p++ {
		times := int32(0)
		divisor := big.NewInt(p)
		for {
			q.QuoRem(m, divisor, rest)
			if rest.Sign() != 0 {
				break
			}
			m.Set(q)
			times++
		}
		if times > 0 {
			list = append(list, primePower{rat.Int(p).String(), rat.Int(p), times * sign})
		}
	}
	if m.IsInt64() {
		return c.factorWord(list, m.Int64(), sign)
	}
	c.partial = true
	times := sign
	if r := new(big.Int).Sqrt(m); new(big.Int).Mul(r, r).Cmp(m) == 0 {
		m, times = r, 2*sign
	}
	v := rat.BigInt(m)
	return append(list, primePower{v.String(), v, times})
}

// normalCall rewrites the functions that are made of others, and makes atoms of the rest.
func (c *checker) normalCall(n *node) (fraction, bool) {
	if isFactor(n) { // x(2), a product as far as can be told
		x, ok := c.normal(n.args[0])
		if !ok {
			return x, false
		}
		return c.mulFraction(x, fraction{over: single(c.atom(atomFree, n.name), unity)})
	}
	if len(n.args) == 0 {
		return fraction{}, false
	}
	switch n.name {
	case "exp":
		return c.normalPower(&node{kind: kConstant, name: "e"}, n.args[0])
	case "sinh", "cosh", "tanh", "coth", "sech", "csch":
		return c.hyperbolic(n)
	case "log", "log10", "logbase":
		return c.logarithm(n)
	case "sin", "cos", "tan", "cot", "sec", "csc":
		return c.trigonometric(n)
	case "asin", "acos", "atan":
		if len(n.args) == 1 && !hasVariables(n.args[0]) && !n.args[0].holds(isImaginary) {
			if angle, ok := c.inverseTrig(n); ok {
				return angle, true
			}
		}
	}
	return c.opaque(n)
}

// isFactor says whether a call is a small letter before a bracket, which is a factor unless it is f, g or h. A capital names a
// function: P(0) is not 0.
func isFactor(n *node) bool {
	return n.n == 1 && len(n.args) == 1 && len(n.name) > 0 && n.name[0] >= 'a' && n.name[0] <= 'z' && !isFunctionName(n.name)
}

// trigonometric writes every trigonometric function with sine and cosine.
func (c *checker) trigonometric(n *node) (fraction, bool) {
	if len(n.args) != 1 {
		return fraction{}, false
	}
	c.trig++
	x, ok := c.normal(n.args[0])
	c.trig--
	if !ok {
		return x, false
	}
	if q, ok := c.turns(x); ok {
		sine, ok1 := c.sineOf(q)
		cosine, ok2 := c.cosineOf(q)
		if ok1 && ok2 {
			return c.ofSineAndCosine(n.name, sine, cosine)
		}
	}
	c.partial = true
	arg := c.show(x)
	sine := fraction{over: single(c.atom(atomFree, "sin("+arg+")"), unity)}
	cosine := fraction{over: single(c.atom(atomFree, "cos("+arg+")"), unity)}
	return c.ofSineAndCosine(n.name, sine, cosine)
}

func (c *checker) ofSineAndCosine(name string, sine, cosine fraction) (fraction, bool) {
	over, under := fraction{over: constant(rat.Int(1))}, fraction{over: constant(rat.Int(1))}
	switch name {
	case "sin":
		return sine, true
	case "cos":
		return cosine, true
	case "tan":
		over, under = sine, cosine
	case "cot":
		over, under = cosine, sine
	case "sec":
		under = cosine
	case "csc":
		under = sine
	}
	inverse, ok := c.invert(under)
	if !ok {
		return over, false
	}
	return c.mulFraction(over, inverse)
}

// hyperbolic writes hyperbolic functions with e^x.
func (c *checker) hyperbolic(n *node) (fraction, bool) {
	e := &node{kind: kConstant, name: "e"}
	x, ok1 := c.normalPower(e, n.args[0])
	y, ok2 := c.normalPower(e, &node{kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, n.args[0]}})
	if !ok1 || !ok2 {
		return x, false
	}
	half := rat.Of(1, 2)
	sinh, ok1 := c.addFraction(x, y, rat.Int(-1))
	cosh, ok2 := c.addFraction(x, y, rat.Int(1))
	if !ok1 || !ok2 {
		return x, false
	}
	sinh.over, cosh.over = scalePoly(sinh.over, half), scalePoly(cosh.over, half)
	over, under := fraction{over: constant(rat.Int(1))}, fraction{over: constant(rat.Int(1))}
	switch n.name {
	case "sinh":
		return sinh, true
	case "cosh":
		return cosh, true
	case "tanh":
		over, under = sinh, cosh
	case "coth":
		over, under = cosh, sinh
	case "sech":
		under = cosh
	case "csch":
		under = sinh
	}
	inverse, ok := c.invert(under)
	if !ok {
		return x, false
	}
	return c.mulFraction(over, inverse)
}

// logarithm writes logarithms with the natural one, and that of a number with those of its primes.
func (c *checker) logarithm(n *node) (fraction, bool) {
	over, ok := c.naturalLog(n.args[0])
	if !ok || n.name == "log" {
		return over, ok && len(n.args) == 1
	}
	base := &node{kind: kNumber, value: rat.Int(10)}
	if n.name == "logbase" {
		base = n.args[1]
	}
	under, ok := c.naturalLog(base)
	if !ok {
		return over, false
	}
	inverse, ok := c.invert(under)
	if !ok {
		return over, false
	}
	return c.mulFraction(over, inverse)
}

func (c *checker) naturalLog(n *node) (fraction, bool) {
	x, ok := c.normal(n)
	if !ok {
		return x, false
	}
	c.partial = true
	a := c.atom(atomFree, "log("+c.show(x)+")")
	if x.under == nil {
		c.table[a].log = x.over
	}
	whole := fraction{over: single(a, unity)}
	if x.under != nil || len(x.over) != 1 || x.over[0].value.Sign() < 0 {
		return whole, true
	}
	for _, f := range x.over[0].factors {
		if a := c.table[f.atom]; a.kind != atomRoot && a.key != "e" {
			return whole, true
		}
	}
	var sum poly
	for _, f := range c.primeFactors(x.over[0].value) {
		a := c.atom(atomFree, "log("+f.name+")")
		c.table[a].log = constant(f.value)
		sum = addPoly(sum, single(a, unity), rat.Int(int64(f.times)))
	}
	for _, f := range x.over[0].factors {
		weight := rat.Of(int64(f.exponent), unity)
		if c.table[f.atom].key == "e" {
			sum = addPoly(sum, constant(rat.Int(1)), weight)
			continue
		}
		sum = addPoly(sum, single(c.atom(atomFree, "log("+c.table[f.atom].key+")"), unity), weight)
	}
	return fraction{over: sum}, true
}
