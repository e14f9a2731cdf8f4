package verify

import (
	"slices"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// The normal form of an expression is a fraction of two polynomials over Q in atoms: variables, π, e, i, roots of primes,
// roots of polynomials, and functions of normal forms. Exponents are multiples of 1/unity. Products of roots of distinct
// primes are linearly independent over Q (Besicovitch 1940), so that a form with variables and such roots only is zero just
// when it has no terms.

// unity is how many parts an exponent of 1 has.
const unity = 60

// atomKind is what is known about an atom.
type atomKind uint8

const (
	atomFree atomKind = iota // nothing: a variable, a transcendental number
	atomRoot                 // a positive integer whose powers of unity multiply out: the roots of a prime
	atomI                    // the imaginary unit
	atomPoly                 // a polynomial whose powers of unity multiply out
)

type atom struct {
	kind  atomKind
	key   string
	value rat.Rat // of atomRoot
	base  poly    // of atomPoly
	log   poly    // of an atom log(x): x
}

type factor struct {
	atom, exponent int32
}

type term struct {
	factors []factor // by ascending atom, no exponent zero
	value   rat.Rat  // never zero
}

// poly is a sum of terms by ascending factors.
type poly []term

const maxPoly = 1500 // terms of a polynomial

func (c *checker) atom(kind atomKind, key string) int32 {
	if i, ok := c.index[key]; ok {
		return i
	}
	if c.index == nil {
		c.index = make(map[string]int32, 8)
	}
	i := int32(len(c.table))
	c.table = append(c.table, atom{kind: kind, key: key})
	c.index[key] = i
	return i
}

func constant(v rat.Rat) poly {
	if v.Sign() == 0 {
		return nil
	}
	return poly{{value: v}}
}

func single(a int32, exponent int32) poly {
	return poly{{factors: []factor{{a, exponent}}, value: rat.Int(1)}}
}

func compareFactors(a, b []factor) int {
	return slices.CompareFunc(a, b, func(x, y factor) int {
		if x.atom != y.atom {
			return int(x.atom - y.atom)
		}
		return int(x.exponent - y.exponent)
	})
}

// addPoly is x + y·scale.
func addPoly(x, y poly, scale rat.Rat) poly {
	sum := make(poly, 0, len(x)+len(y))
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		order := 0
		switch {
		case i == len(x):
			order = 1
		case j == len(y):
			order = -1
		default:
			order = compareFactors(x[i].factors, y[j].factors)
		}
		switch {
		case order < 0:
			sum = append(sum, x[i])
			i++
		case order > 0:
			sum = append(sum, term{y[j].factors, y[j].value.Mul(scale)})
			j++
		default:
			if v := x[i].value.Add(y[j].value.Mul(scale)); v.Sign() != 0 {
				sum = append(sum, term{x[i].factors, v})
			}
			i, j = i+1, j+1
		}
	}
	return sum
}

// mulPoly is x·y with the atoms' powers multiplied out, and false beyond the limits.
func (c *checker) mulPoly(x, y poly) (poly, bool) {
	if len(x)*len(y) > 40*maxPoly || !c.step(1+len(x)*len(y)/4) {
		return nil, false
	}
	if len(x) == 1 && len(x[0].factors) == 0 {
		return scalePoly(y, x[0].value), true
	}
	if len(y) == 1 && len(y[0].factors) == 0 {
		return scalePoly(x, y[0].value), true
	}
	terms := make(poly, 0, len(x)*len(y))
	var rest []poly // products whose atoms multiplied out to polynomials
	for _, a := range x {
		for _, b := range y {
			t, high, ok := c.mulTerm(a, b)
			if !ok {
				return nil, false
			}
			if high == nil {
				terms = append(terms, t)
				continue
			}
			rest = append(rest, high)
		}
	}
	terms = collect(terms)
	for _, r := range rest {
		terms = addPoly(terms, r, rat.Int(1))
	}
	return terms, len(terms) <= maxPoly
}

func scalePoly(x poly, v rat.Rat) poly {
	if n, ok := v.Int64(); ok && n == 1 {
		return x
	}
	scaled := make(poly, len(x))
	for i, t := range x {
		scaled[i] = term{t.factors, t.value.Mul(v)}
	}
	return scaled
}

// collect sorts terms and adds those with equal factors.
func collect(terms poly) poly {
	slices.SortFunc(terms, func(a, b term) int { return compareFactors(a.factors, b.factors) })
	kept := terms[:0]
	for _, t := range terms {
		if n := len(kept); n > 0 && compareFactors(kept[n-1].factors, t.factors) == 0 {
			kept[n-1].value = kept[n-1].value.Add(t.value)
			continue
		} else if n > 0 && kept[n-1].value.Sign() == 0 {
			kept = kept[:n-1]
		}
		kept = append(kept, t)
	}
	if n := len(kept); n > 0 && kept[n-1].value.Sign() == 0 {
		kept = kept[:n-1]
	}
	return kept
}

// mulTerm multiplies two terms. Where a power of a polynomial multiplies out, the product is the polynomial high.
func (c *checker) mulTerm(a, b term) (t term, high poly, ok bool) {
	t.value = a.value.Mul(b.value)
	if t.value.Bits() > maxBits/4 {
		return t, nil, false
	}
	merged := make([]factor, 0, len(a.factors)+len(b.factors))
	i, j := 0, 0
	for i < len(a.factors) || j < len(b.factors) {
		switch {
		case j == len(b.factors) || i < len(a.factors) && a.factors[i].atom < b.factors[j].atom:
			merged = append(merged, a.factors[i])
			i++
		case i == len(a.factors) || b.factors[j].atom < a.factors[i].atom:
			merged = append(merged, b.factors[j])
			j++
		default:
			e := int64(a.factors[i].exponent) + int64(b.factors[j].exponent)
			if e > 1<<30 || e < -1<<30 {
				return t, nil, false
			}
			merged = append(merged, factor{a.factors[i].atom, int32(e)})
			i, j = i+1, j+1
		}
	}
	var out []multiple
	t.factors, t.value, out, ok = c.reduce(merged, t.value)
	if !ok || len(out) == 0 {
		return t, nil, ok
	}
	product := poly{t}
	for _, m := range out {
		for range m.times {
			if product, ok = c.mulPoly(product, m.base); !ok {
				return t, nil, false
			}
		}
	}
	if product == nil {
		product = poly{}
	}
	return t, product, true
}

// multiple is a polynomial to multiply by.
type multiple struct {
	base  poly
	times int
}

// reduce brings the exponents of roots and of i into their ranges.
func (c *checker) reduce(factors []factor, value rat.Rat) ([]factor, rat.Rat, []multiple, bool) {
	kept := factors[:0]
	var out []multiple
	for _, f := range factors {
		a := &c.table[f.atom]
		switch a.kind {
		case atomRoot:
			whole := floorDiv(f.exponent, unity)
			if whole != 0 {
				if int(max(whole, -whole))*a.value.Bits() > maxBits/4 {
					return nil, value, nil, false
				}
				value = value.Mul(a.value.Pow(int64(whole)))
				f.exponent -= whole * unity
			}
		case atomI:
			if f.exponent%unity != 0 {
				return nil, value, nil, false
			}
			turns := ((f.exponent/unity)%4 + 4) % 4
			if turns >= 2 {
				value = value.Neg()
			}
			f.exponent = turns % 2 * unity
		case atomPoly:
			if whole := floorDiv(f.exponent, unity); whole > 0 {
				if whole > 64 {
					return nil, value, nil, false
				}
				out = append(out, multiple{a.base, int(whole)})
				f.exponent -= whole * unity
			}
		}
		if f.exponent != 0 {
			kept = append(kept, f)
		}
	}
	return kept, value, out, true
}

func floorDiv(a, b int32) int32 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
