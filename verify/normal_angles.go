package verify

import (
	"math"
	"math/big"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// Values that radicals write: sines of multiples of 15° and of some of 18°, their inverses, e to multiples of iπ, and square
// roots of a + b√c that come apart.

// surd is value·√radicand.
type surd struct {
	value    rat.Rat
	radicand int64
}

// surds makes a sum of square roots.
func (c *checker) surds(list ...surd) (fraction, bool) {
	total := fraction{}
	for _, s := range list {
		root, ok := c.rootTerm(term{value: rat.Int(s.radicand)}, 1, 2)
		if !ok {
			return total, false
		}
		if total, ok = c.addFraction(total, root, s.value); !ok {
			return total, false
		}
	}
	return total, true
}

// sineOf is sin(qπ) where q is a multiple of 1/12, or of 1/10 with a simple sine; ok is false for any other q.
func (c *checker) sineOf(q rat.Rat) (fraction, bool) {
	q = q.Sub(q.Mul(rat.Of(1, 2)).Floor().Mul(rat.Int(2))) // into [0, 2)
	sign := rat.Int(1)
	if q.Cmp(rat.Int(1)) >= 0 {
		sign, q = rat.Int(-1), q.Sub(rat.Int(1))
	}
	if q.Cmp(rat.Of(1, 2)) > 0 {
		q = rat.Int(1).Sub(q)
	}
	quarter := rat.Of(1, 4).Mul(sign)
	if k, ok := q.Mul(rat.Int(12)).Int64(); ok {
		switch k {
		case 0:
			return fraction{}, true
		case 1:
			return c.surds(surd{quarter, 6}, surd{quarter.Neg(), 2})
		case 2:
			return c.surds(surd{quarter, 4})
		case 3:
			return c.surds(surd{quarter, 8})
		case 4:
			return c.surds(surd{quarter, 12})
		case 5:
			return c.surds(surd{quarter, 6}, surd{quarter, 2})
		case 6:
			return c.surds(surd{sign, 1})
		}
	}
	switch k, ok := q.Mul(rat.Int(10)).Int64(); {
	case ok && k == 1:
		return c.surds(surd{quarter, 5}, surd{quarter.Neg(), 1})
	case ok && k == 3:
		return c.surds(surd{quarter, 5}, surd{quarter, 1})
	}
	return fraction{}, false
}

// cosineOf is cos(qπ).
func (c *checker) cosineOf(q rat.Rat) (fraction, bool) { return c.sineOf(rat.Of(1, 2).Sub(q)) }

// turns is q where x is qπ with a rational q.
func (c *checker) turns(x fraction) (rat.Rat, bool) {
	if x.under != nil || len(x.over) > 1 {
		return rat.Rat{}, false
	}
	if len(x.over) == 0 {
		return rat.Rat{}, true
	}
	t := x.over[0]
	if len(t.factors) != 1 || t.factors[0].exponent != unity || c.table[t.factors[0].atom].key != "pi" {
		return rat.Rat{}, false
	}
	return t.value, true
}

// inverseTrig is the angle whose sine, cosine or tangent is the argument, where sineOf knows it.
func (c *checker) inverseTrig(n *node) (fraction, bool) {
	x, ok := c.normal(n.args[0])
	if !ok || c.trig > 0 {
		return fraction{}, false
	}
	value, ok := c.float(n.args[0])
	if !ok {
		return fraction{}, false
	}
	angle := map[string]func(float64) float64{"asin": math.Asin, "acos": math.Acos, "atan": math.Atan}[n.name](value) / math.Pi
	for _, parts := range [...]int64{12, 10} {
		k := math.Round(angle * float64(parts))
		if math.Abs(angle*float64(parts)-k) > 1e-9 {
			continue
		}
		q := rat.Of(int64(k), parts)
		of, ok1 := c.sineOf(q)
		cosine, ok2 := c.cosineOf(q)
		switch n.name {
		case "acos":
			of, ok1 = cosine, ok2
		case "atan":
			inverse, ok3 := c.invert(cosine)
			if ok1 = ok1 && ok2 && ok3; ok1 {
				of, ok1 = c.mulFraction(of, inverse)
			}
		}
		if !ok1 {
			continue
		}
		if same, ok := c.sameFraction(x, of); ok && same {
			pi := single(c.atom(atomFree, "pi"), unity)
			return fraction{over: scalePoly(pi, q)}, true
		}
	}
	return fraction{}, false
}

// exponential is e^t for one term t: a power where t is a multiple of a logarithm, and a complex number on the unit circle
// where it is a rational multiple of iπ.
func (c *checker) exponential(t term) (fraction, bool) {
	switch len(t.factors) {
	case 1:
		if a := c.table[t.factors[0].atom]; a.log != nil && t.factors[0].exponent == unity {
			return c.rationalPower(fraction{over: a.log}, t.value)
		}
	case 2:
		first, second := c.table[t.factors[0].atom], c.table[t.factors[1].atom]
		if t.factors[0].exponent != unity || t.factors[1].exponent != unity || !(first.kind == atomI && second.key == "pi" || second.kind == atomI && first.key == "pi") {
			break
		}
		cosine, ok1 := c.cosineOf(t.value)
		sine, ok2 := c.sineOf(t.value)
		if !ok1 || !ok2 {
			break
		}
		turned, ok := c.mulFraction(sine, fraction{over: single(c.atom(atomI, "i"), unity)})
		if !ok {
			break
		}
		return c.addFraction(cosine, turned, rat.Int(1))
	}
	return fraction{}, false
}

// denested is the square root of a + b√c as a sum of two roots, where a² - b²c is the square of a rational d:
// √((a+d)/2) ± √((a-d)/2).
func (c *checker) denested(x poly) (fraction, bool) {
	if len(x) != 2 || len(x[0].factors) != 0 || x[0].value.Sign() <= 0 {
		return fraction{}, false
	}
	square := x[1].value.Mul(x[1].value)
	for _, f := range x[1].factors {
		if c.table[f.atom].kind != atomRoot || f.exponent != unity/2 {
			return fraction{}, false
		}
		square = square.Mul(c.table[f.atom].value)
	}
	a := x[0].value
	if square.Bits() > 1024 || a.Bits() > 1024 {
		return fraction{}, false
	}
	d, ok := squareRoot(a.Mul(a).Sub(square))
	if !ok {
		return fraction{}, false
	}
	half, sign := rat.Of(1, 2), rat.Int(1)
	if x[1].value.Sign() < 0 {
		sign = rat.Int(-1)
	}
	first, ok1 := c.rootTerm(term{value: a.Add(d).Mul(half)}, 1, 2)
	rest := a.Sub(d).Mul(half)
	if rest.Sign() == 0 {
		return first, ok1
	}
	second, ok2 := c.rootTerm(term{value: rest}, 1, 2)
	if !ok1 || !ok2 {
		return first, false
	}
	return c.addFraction(first, second, sign)
}

// squareRoot is the root of a rational that is a square.
func squareRoot(v rat.Rat) (rat.Rat, bool) {
	if v.Sign() < 0 {
		return v, false
	}
	n, d := new(big.Int).Sqrt(v.Num()), new(big.Int).Sqrt(v.Denom())
	root := rat.BigInt(n).Mul(rat.BigInt(d).Inv())
	return root, root.Mul(root).Equal(v)
}
