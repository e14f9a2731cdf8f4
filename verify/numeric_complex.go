package verify

import (
	"math"
	"math/cmplx"
)

// point evaluates trees in double precision at one point: every variable has a pseudo-random value that follows from its
// name and the point's number alone, so that the outcome is the same in every run.
type point struct {
	c       *checker
	number  int
	bound   []boundFloat
	shift   bool    // complex values for the variables
	integer bool    // positive integers for them
	signs   bool    // negative values, too
	top     float64 // the largest term of any sum met
}

type boundFloat struct {
	name  string
	value complex128
}

// hash is the 64-bit FNV-1a of name, mixed with the point's number (the finaliser of SplitMix64).
func hash(name string, number int) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h += uint64(number+1) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func (p *point) variable(name string) complex128 {
	for i := len(p.bound) - 1; i >= 0; i-- {
		if p.bound[i].name == name {
			return p.bound[i].value
		}
	}
	h := hash(name, p.number)
	if p.integer {
		return complex(float64(2+h%9), 0)
	}
	re := 0.3 + 2.2*float64(h>>11)/(1<<53)
	if p.signs && (h&1 != 0 || p.number == 1) {
		re = -re
	}
	if p.shift {
		return complex(re, 0.2+1.3*float64(hash(name, p.number+1000)>>11)/(1<<53))
	}
	return complex(re, 0)
}

var undefined = cmplx.NaN()

func (p *point) value(n *node) complex128 {
	if !p.c.step(1) {
		return undefined
	}
	switch n.kind {
	case kNumber:
		return complex(n.value.Float(), 0)
	case kSymbol:
		return p.variable(n.name)
	case kText:
		return p.variable("text " + n.name)
	case kConstant:
		return p.constant(n.name)
	case kAdd, kMul:
		total := p.value(n.args[0])
		for _, a := range n.args[1:] {
			v := p.value(a)
			if n.kind == kAdd {
				p.top = max(p.top, cmplx.Abs(total), cmplx.Abs(v))
				total += v
			} else {
				total *= v
			}
		}
		return total
	case kDiv, kRatio:
		if len(n.args) != 2 {
			return undefined
		}
		under := p.value(n.args[1])
		if under == 0 {
			return undefined
		}
		return p.value(n.args[0]) / under
	case kPow:
		return p.power(n.args[0], n.args[1])
	case kPercent:
		return p.value(n.args[0]) / 100
	case kDegree:
		if p.c.trig > 0 {
			return p.value(n.args[0]) * math.Pi / 180
		}
		return p.value(n.args[0])
	case kCall:
		return p.call(n)
	case kBig:
		return p.series(n)
	case kSet:
		if len(n.args) == 1 {
			return p.value(n.args[0])
		}
	}
	return undefined
}

func (p *point) constant(name string) complex128 {
	for i := len(p.bound) - 1; i >= 0; i-- {
		if p.bound[i].name == name {
			return p.bound[i].value
		}
	}
	switch name {
	case "pi":
		return math.Pi
	case "e":
		return math.E
	case "i":
		return 1i
	}
	return undefined
}

// power takes real odd roots of negative numbers, as school mathematics does.
func (p *point) power(base, exponent *node) complex128 {
	x := p.value(base)
	y := p.value(exponent)
	if imag(x) == 0 && imag(y) == 0 {
		a, b := real(x), real(y)
		if a >= 0 || b == math.Trunc(b) {
			if a == 0 && b <= 0 {
				return undefined
			}
			return complex(math.Pow(a, b), 0)
		}
		if len(p.bound) == 0 {
			if r, ok := p.c.exact(exponent); ok {
				if k, q, small := r.Small(); small && q%2 != 0 {
					v := math.Pow(-a, b)
					if k%2 != 0 {
						v = -v
					}
					return complex(v, 0)
				}
			}
		}
	}
	if x == 0 {
		return undefined
	}
	return cmplx.Pow(x, y)
}

func (p *point) call(n *node) complex128 {
	if n.n == 1 {
		return p.named(n)
	}
	if len(n.args) == 0 {
		return undefined
	}
	trig := n.name == "sin" || n.name == "cos" || n.name == "tan" || n.name == "cot" || n.name == "sec" || n.name == "csc"
	if trig {
		p.c.trig++
	}
	x := p.value(n.args[0])
	if trig {
		p.c.trig--
	}
	if f, ok := complexFunctions[n.name]; ok && len(n.args) == 1 {
		return f(x)
	}
	if n.name == "logbase" {
		return cmplx.Log(x) / cmplx.Log(p.value(n.args[1]))
	}
	if n.name == "binom" && len(n.args) == 2 {
		k := p.value(n.args[1])
		return gamma(x+1) / (gamma(k+1) * gamma(x-k+1))
	}
	if n.name == "mod" && len(n.args) == 2 {
		y := p.value(n.args[1])
		if imag(x) != 0 || imag(y) != 0 || y == 0 {
			return undefined
		}
		return x - y*complex(math.Floor(real(x)/real(y)), 0)
	}
	if n.name == "max" || n.name == "min" {
		return p.extreme(n, x)
	}
	return p.named(n)
}

func (p *point) extreme(n *node, x complex128) complex128 {
	for _, a := range n.args[1:] {
		y := p.value(a)
		if imag(x) != 0 || imag(y) != 0 {
			return undefined
		}
		if (real(y) > real(x)) == (n.name == "max") {
			x = y
		}
	}
	return x
}

// named is a function about which nothing is known: a value that follows from its name and its arguments' values.
func (p *point) named(n *node) complex128 {
	if isFactor(n) {
		return p.variable(n.name) * p.value(n.args[0])
	}
	total := complex(0, 0)
	for i, a := range n.args {
		v := p.value(a)
		if cmplx.IsNaN(v) {
			return v
		}
		// A smooth function of the argument, so that rounding stays small.
		total += cmplx.Sin(v*complex(1+0.3*float64(i), 0)+complex(float64(hash(n.name, 0)%64), 0)) + v*complex(0.1*float64(i+1), 0)
	}
	return total + p.variable("function "+n.name)
}

var complexFunctions = map[string]func(complex128) complex128{
	"sin": cmplx.Sin, "cos": cmplx.Cos, "tan": cmplx.Tan, "cot": cmplx.Cot, "exp": cmplx.Exp, "log": cmplx.Log, "log10": cmplx.Log10,
	"sec": func(x complex128) complex128 { return 1 / cmplx.Cos(x) }, "csc": func(x complex128) complex128 { return 1 / cmplx.Sin(x) },
	"asin": cmplx.Asin, "acos": cmplx.Acos, "atan": cmplx.Atan, "sinh": cmplx.Sinh, "cosh": cmplx.Cosh, "tanh": cmplx.Tanh,
	"asinh": cmplx.Asinh, "acosh": cmplx.Acosh, "atanh": cmplx.Atanh,
	"acot": func(x complex128) complex128 { return cmplx.Atan(1 / x) }, "asec": func(x complex128) complex128 { return cmplx.Acos(1 / x) },
	"acsc": func(x complex128) complex128 { return cmplx.Asin(1 / x) }, "coth": func(x complex128) complex128 { return 1 / cmplx.Tanh(x) },
	"sech": func(x complex128) complex128 { return 1 / cmplx.Cosh(x) }, "csch": func(x complex128) complex128 { return 1 / cmplx.Sinh(x) },
	"abs":   func(x complex128) complex128 { return complex(cmplx.Abs(x), 0) },
	"floor": func(x complex128) complex128 { return onReal(x, math.Floor) },
	"ceil":  func(x complex128) complex128 { return onReal(x, math.Ceil) },
	"re":    func(x complex128) complex128 { return complex(real(x), 0) }, "im": func(x complex128) complex128 { return complex(imag(x), 0) },
	"!":   func(x complex128) complex128 { return gamma(x + 1) },
	"arg": func(x complex128) complex128 { return complex(cmplx.Phase(x), 0) },
	"sign": func(x complex128) complex128 {
		return onReal(x, func(v float64) float64 { return math.Copysign(1, v) })
	},
}

func onReal(x complex128, f func(float64) float64) complex128 {
	if imag(x) != 0 {
		return undefined
	}
	return complex(f(real(x)), 0)
}

func gamma(x complex128) complex128 { return onReal(x, math.Gamma) }

func (p *point) series(n *node) complex128 {
	lo, hi := p.value(n.args[1]), p.value(n.args[2])
	if imag(lo) != 0 || imag(hi) != 0 || real(lo) != math.Trunc(real(lo)) || real(hi) != math.Trunc(real(hi)) || real(hi)-real(lo) > 2000 {
		return undefined
	}
	total := complex(0, 0)
	if n.name == "prod" {
		total = 1
	}
	for k := real(lo); k <= real(hi); k++ {
		p.bound = append(p.bound, boundFloat{n.args[0].name, complex(k, 0)})
		v := p.value(n.args[3])
		p.bound = p.bound[:len(p.bound)-1]
		if n.name == "prod" {
			total *= v
		} else {
			total += v
		}
		if p.c.spent {
			return undefined
		}
	}
	return total
}

// nearly says whether two values are equal as far as double precision tells, and clearly whether they differ beyond doubt. top
// is the largest term of any sum in them, whose rounding is what is left where a sum cancels.
func nearly(a, b complex128, top float64) (same, clear bool) {
	scale := math.Max(cmplx.Abs(a), cmplx.Abs(b))
	difference := cmplx.Abs(a - b)
	return difference <= 1e-9*scale || difference <= 1e-13*top, difference > 1e-6*scale && difference > 1e-10*top
}

// comparePoints compares two expressions at random points: positive, then of both signs where both are real, complex ones,
// and integers. Variables are taken as real; a point where either has no value says nothing.
func (c *checker) comparePoints(a, b *node, free bool) order {
	agreed := 0
	trials := 12
	if !free {
		trials = 1
	}
	for i := range trials {
		p := point{c: c, number: i, signs: i%3 == 1, shift: i%3 == 2 && i > 5, integer: i >= 9}
		x, y := p.value(a), p.value(b)
		if c.spent {
			return orderUnknown
		}
		if cmplx.IsNaN(x) || cmplx.IsNaN(y) || cmplx.IsInf(x) || cmplx.IsInf(y) {
			continue
		}
		if p.signs && (imag(x) != 0 || imag(y) != 0) || p.shift {
			// Branches of roots and logarithms may differ off the positive axis: agreement counts, difference does not.
			if same, _ := nearly(x, y, p.top); same {
				agreed++
			}
			continue
		}
		same, clear := nearly(x, y, p.top)
		switch {
		case clear:
			return orderApart
		case same:
			agreed++
		default:
			return orderUnknown
		}
	}
	if agreed >= 3 || !free && agreed == 1 {
		return orderSame
	}
	return orderUnknown
}
