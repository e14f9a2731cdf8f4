package verify

import (
	"github.com/retort-ml/retort/verify/internal/rat"
	"sort"
	"strings"
)

// fraction is over/under; under is nil for 1.
type fraction struct{ over, under poly }

func isOne(p poly) bool {
	if p == nil {
		return true
	}
	if len(p) != 1 || len(p[0].factors) != 0 {
		return false
	}
	n, ok := p[0].value.Int64()
	return ok && n == 1
}

func (c *checker) addFraction(x, y fraction, scale rat.Rat) (fraction, bool) {
	if x.under == nil && y.under == nil {
		sum := addPoly(x.over, y.over, scale)
		return fraction{over: sum}, len(sum) <= maxPoly && c.step(1+len(sum)/16)
	}
	if x.under != nil && y.under != nil && equalPoly(x.under, y.under) {
		return c.fraction(addPoly(x.over, y.over, scale), x.under)
	}
	a, ok1 := c.mulUnder(x.over, y.under)
	b, ok2 := c.mulUnder(y.over, x.under)
	under, ok3 := c.mulUnder(orOne(x.under), y.under)
	if !ok1 || !ok2 || !ok3 {
		return fraction{}, false
	}
	return c.fraction(addPoly(a, b, scale), under)
}

func orOne(p poly) poly {
	if p == nil {
		return constant(rat.Int(1))
	}
	return p
}

func (c *checker) mulUnder(x, under poly) (poly, bool) {
	if under == nil {
		return x, true
	}
	return c.mulPoly(x, under)
}

func (c *checker) mulFraction(x, y fraction) (fraction, bool) {
	over, ok := c.mulPoly(x.over, y.over)
	if !ok {
		return fraction{}, false
	}
	if x.under == nil && y.under == nil {
		return fraction{over: over}, true
	}
	under, ok := c.mulUnder(orOne(x.under), y.under)
	if !ok {
		return fraction{}, false
	}
	return c.fraction(over, under)
}

// fraction is over/under with a monomial divided out; false where under is zero.
func (c *checker) fraction(over, under poly) (fraction, bool) {
	if len(under) == 0 {
		return fraction{}, false
	}
	if isOne(under) {
		return fraction{over: over}, true
	}
	if len(under) == 1 {
		inverse, rest, ok := c.invertTerm(under[0])
		if !ok {
			return fraction{}, false
		}
		if over, ok = c.mulPoly(over, poly{inverse}); !ok {
			return fraction{}, false
		}
		if rest == nil {
			return fraction{over: over}, true
		}
		return fraction{over, rest}, true
	}
	lead := under[len(under)-1].value
	if n, ok := lead.Int64(); !ok || n != 1 {
		inverse := lead.Inv()
		over, under = scalePoly(over, inverse), scalePoly(under, inverse)
	}
	if len(over) == len(under) && proportional(over, under) {
		return fraction{over: constant(over[len(over)-1].value)}, true
	}
	return fraction{over, under}, true
}

func proportional(x, monic poly) bool {
	scale := x[len(x)-1].value
	for i := range x {
		if compareFactors(x[i].factors, monic[i].factors) != 0 || !x[i].value.Equal(monic[i].value.Mul(scale)) {
			return false
		}
	}
	return true
}

// invertTerm is 1/t as a term over the polynomial rest, which is nil for 1.
func (c *checker) invertTerm(t term) (inverse term, rest poly, ok bool) {
	factors := make([]factor, 0, len(t.factors))
	for _, f := range t.factors {
		if c.table[f.atom].kind == atomPoly { // 1/P^(1/2) = P^(1/2)/P
			if rest, ok = c.mulUnder(c.table[f.atom].base, rest); !ok {
				return t, nil, false
			}
			factors = append(factors, factor{f.atom, unity - f.exponent})
			continue
		}
		factors = append(factors, factor{f.atom, -f.exponent})
	}
	value := t.value.Inv()
	factors, value, _, ok = c.reduce(factors, value)
	return term{factors, value}, rest, ok
}

func equalPoly(x, y poly) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if compareFactors(x[i].factors, y[i].factors) != 0 || !x[i].value.Equal(y[i].value) {
			return false
		}
	}
	return true
}

// sameFraction says whether x = y, as far as the atoms' relations tell.
func (c *checker) sameFraction(x, y fraction) (same, ok bool) {
	a, ok1 := c.mulUnder(x.over, y.under)
	b, ok2 := c.mulUnder(y.over, x.under)
	if !ok1 || !ok2 {
		return false, false
	}
	return equalPoly(a, b), true
}

// show writes a fraction with its terms and factors by name, so that equal forms are equal texts.
func (c *checker) show(f fraction) string {
	over := c.showPoly(f.over)
	if f.under == nil {
		return over
	}
	return "(" + over + ")/(" + c.showPoly(f.under) + ")"
}

func (c *checker) showPoly(p poly) string {
	if len(p) == 0 {
		return "0"
	}
	type piece struct{ name, text string }
	pieces := make([]piece, 0, len(p))
	for _, t := range p {
		name := c.showFactors(t.factors)
		text := t.value.String()
		switch {
		case name == "":
		case text == "1":
			text = name
		case text == "-1":
			text = "-" + name
		case strings.Contains(text, "/"):
			text = "(" + text + ")*" + name
		default:
			text += "*" + name
		}
		pieces = append(pieces, piece{name, text})
	}
	sort.Slice(pieces, func(i, j int) bool { return pieces[i].name > pieces[j].name })
	var b strings.Builder
	for i, q := range pieces {
		switch {
		case i == 0:
			b.WriteString(q.text)
		case q.text[0] == '-':
			b.WriteString(" - " + q.text[1:])
		default:
			b.WriteString(" + " + q.text)
		}
	}
	return b.String()
}

func (c *checker) showFactors(factors []factor) string {
	names := make([]string, 0, len(factors))
	for _, f := range factors {
		name := c.table[f.atom].key
		if f.exponent != unity {
			if c.table[f.atom].kind == atomRoot && f.exponent == unity/2 {
				name = "sqrt(" + name + ")"
			} else {
				e := rat.Of(int64(f.exponent), unity).String()
				if strings.ContainsAny(e, "/-") {
					e = "(" + e + ")"
				}
				name += "^" + e
			}
		}
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, "*")
}

// cleared multiplies a polynomial by a variable with negative exponents, such as y - 1/x by x, where that adds no solution:
// where what is left of it at x = 0 is a constant other than 0.
func cleared(p poly) poly {
	for _, t := range p {
		for _, f := range t.factors {
			if f.exponent >= 0 || f.exponent%unity != 0 {
				continue
			}
			atZero, lowest := 0, f.exponent
			for _, other := range p {
				e := exponentOf(other, f.atom)
				lowest = min(lowest, e)
				if e == f.exponent && len(other.factors) > 1 {
					return p
				}
				if e == f.exponent {
					atZero++
				}
			}
			if lowest < f.exponent || atZero != 1 {
				return p
			}
			shifted := make(poly, 0, len(p))
			for _, other := range p {
				shifted = append(shifted, term{shift(other.factors, f.atom, -f.exponent), other.value})
			}
			return collect(shifted)
		}
	}
	return p
}

func exponentOf(t term, atom int32) int32 {
	for _, f := range t.factors {
		if f.atom == atom {
			return f.exponent
		}
	}
	return 0
}

// shift adds to an atom's exponent.
func shift(factors []factor, atom, by int32) []factor {
	var out []factor
	done := false
	for _, f := range factors {
		if !done && f.atom >= atom {
			done = true
			if f.atom > atom {
				out = append(out, factor{atom, by})
			} else {
				f.exponent += by
			}
		}
		if f.exponent != 0 {
			out = append(out, f)
		}
	}
	if !done {
		out = append(out, factor{atom, by})
	}
	return out
}
