package verify

import (
	"math"

	"github.com/retort-ml/retort/verify/internal/interval"
	"github.com/retort-ml/retort/verify/internal/rat"
)

// enclosure evaluates a tree of real constants between bounds.
type enclosure struct {
	c       *checker
	bits    uint
	bound   []boundInterval
	highest int // the largest binary exponent of any value met
}

type boundInterval struct {
	name  string
	value interval.Interval
}

// cost is how many steps an elementary function takes at a precision.
func (e *enclosure) cost() int { return 1 + int(e.bits*e.bits)>>13 }

// value encloses a node, and says whether it is a real constant that this knows how to enclose.
func (e *enclosure) value(n *node) (interval.Interval, bool) {
	x, ok := e.raw(n)
	if ok {
		if exponent := x.Exponent(); exponent > e.highest {
			e.highest = exponent
		}
	}
	return x, ok
}

func (e *enclosure) raw(n *node) (interval.Interval, bool) {
	if !e.c.step(1) {
		return interval.Interval{}, false
	}
	switch n.kind {
	case kNumber:
		return interval.FromRat(n.value, e.bits), true
	case kHuge:
		lead, ok := n.value.Int64()
		scale, ok2 := n.args[0].value.Int64()
		if !ok || !ok2 {
			break
		}
		power, ok := e.power10(scale)
		return interval.Range(interval.Int(lead, e.bits).Mul(power), interval.Int(lead+1, e.bits).Mul(power)), ok
	case kConstant, kSymbol:
		return e.constant(n.name)
	case kAdd, kMul:
		return e.fold(n)
	case kDiv, kRatio:
		if len(n.args) != 2 {
			break
		}
		x, ok1 := e.value(n.args[0])
		y, ok2 := e.value(n.args[1])
		if !ok1 || !ok2 {
			break
		}
		return x.Div(y)
	case kPow:
		return e.power(n.args[0], n.args[1])
	case kPercent:
		x, ok := e.value(n.args[0])
		if !ok {
			break
		}
		return x.Div(interval.Int(100, e.bits))
	case kDegree:
		x, ok := e.value(n.args[0])
		if !ok || e.c.trig == 0 {
			return x, ok
		}
		return x.Mul(interval.Pi(e.bits)).Div(interval.Int(180, e.bits))
	case kCall:
		return e.call(n)
	case kBig:
		return e.series(n)
	case kSet:
		if len(n.args) == 1 {
			return e.value(n.args[0])
		}
	}
	return interval.Interval{}, false
}

func (e *enclosure) power10(k int64) (interval.Interval, bool) {
	if k > math.MaxInt32 {
		k = math.MaxInt32 // already beyond all bounds
	}
	return interval.Int(10, e.bits).PowInt(max(k, -math.MaxInt32))
}

func (e *enclosure) constant(name string) (interval.Interval, bool) {
	for i := len(e.bound) - 1; i >= 0; i-- {
		if e.bound[i].name == name {
			return e.bound[i].value, true
		}
	}
	switch name {
	case "pi":
		return interval.Pi(e.bits), e.c.step(1)
	case "e":
		return interval.E(e.bits), e.c.step(1)
	}
	return interval.Interval{}, false
}

func (e *enclosure) fold(n *node) (interval.Interval, bool) {
	total, ok := e.value(n.args[0])
	for _, a := range n.args[1:] {
		if !ok {
			return total, false
		}
		var x interval.Interval
		if x, ok = e.value(a); ok && n.kind == kAdd {
			total = total.Add(x)
		} else if ok {
			total = total.Mul(x)
		}
	}
	return total, ok
}

// power encloses base^exponent: for a rational exponent also of a negative base, where the root is odd.
func (e *enclosure) power(base, exponent *node) (interval.Interval, bool) {
	x, ok := e.value(base)
	if !ok {
		return x, false
	}
	if len(e.bound) == 0 || exponent.kind == kNumber { // an exponent that may hold a bound variable is no constant
		if r, exact := e.c.exact(exponent); exact {
			if p, q, small := r.Small(); small && q < 1<<20 && p < 1<<24 && p > -1<<24 {
				return e.rational(x, p, q)
			}
		}
	}
	y, ok := e.value(exponent)
	if !ok || !e.c.step(4*e.cost()) { // two logarithms and two exponentials
		return x, false
	}
	return x.Pow(y)
}

func (e *enclosure) rational(x interval.Interval, p, q int64) (interval.Interval, bool) {
	if q > 1 {
		if !e.c.step(e.cost()) {
			return x, false
		}
		negative := x.Hi.Sign() <= 0 && q%2 != 0
		if negative {
			x = x.Neg()
		}
		var ok bool
		if x, ok = x.Root(q); !ok {
			return x, false
		}
		if negative {
			x = x.Neg()
		}
	}
	return x.PowInt(p)
}

func (e *enclosure) call(n *node) (interval.Interval, bool) {
	if n.n == 1 || len(n.args) == 0 || len(n.args) > 64 {
		return interval.Interval{}, false
	}
	degrees := false
	switch n.name {
	case "sin", "cos", "tan", "cot", "sec", "csc":
		degrees = true
		e.c.trig++
	}
	x, ok := e.value(n.args[0])
	if degrees {
		e.c.trig--
	}
	if !ok || !e.c.step(e.cost()) {
		return x, false
	}
	if len(n.args) == 1 {
		return e.unary(n.name, x)
	}
	y, ok := e.value(n.args[1])
	if !ok {
		return x, false
	}
	switch n.name {
	case "logbase":
		a, ok1 := x.Log()
		b, ok2 := y.Log()
		if !ok1 || !ok2 {
			return x, false
		}
		return a.Div(b)
	case "max", "min":
		for _, a := range n.args[1:] {
			if y, ok = e.value(a); !ok {
				return x, false
			}
			if (n.name == "max") == x.Less(y) && (x.Less(y) || y.Less(x)) {
				x = y
			} else if !x.Apart(y) {
				return x, false
			}
		}
		return x, true
	}
	return x, false
}

// unary encloses a function of one argument.
func (e *enclosure) unary(name string, x interval.Interval) (interval.Interval, bool) {
	one := interval.Int(1, e.bits)
	switch name {
	case "abs":
		return x.Abs(), true
	case "floor":
		x = x.Floor()
		return x, x.Lo.Cmp(x.Hi) == 0
	case "ceil":
		x = x.Neg().Floor().Neg()
		return x, x.Lo.Cmp(x.Hi) == 0
	case "exp":
		return x.Exp(), true
	case "log":
		return x.Log()
	case "log10":
		a, ok := x.Log()
		b, _ := interval.Int(10, e.bits).Log()
		if !ok {
			return x, false
		}
		return a.Div(b)
	case "sin":
		return x.Sin(), true
	case "cos":
		return x.Cos(), true
	case "tan":
		return x.Tan()
	case "cot":
		return x.Cos().Div(x.Sin())
	case "sec":
		return one.Div(x.Cos())
	case "csc":
		return one.Div(x.Sin())
	case "asin":
		return x.Asin()
	case "acos":
		return x.Acos()
	case "atan":
		return x.Atan(), true
	case "sinh", "cosh", "tanh":
		return e.hyperbolic(name, x)
	case "!":
		return e.factorial(x)
	}
	return x, false
}

func (e *enclosure) hyperbolic(name string, x interval.Interval) (interval.Interval, bool) {
	a, b, two := x.Exp(), x.Neg().Exp(), interval.Int(2, e.bits)
	switch name {
	case "sinh":
		return a.Sub(b).Div(two)
	case "cosh":
		return a.Add(b).Div(two)
	}
	return a.Sub(b).Div(a.Add(b))
}

// factorial encloses n! for a large integer n by (n/e)^n < n! < n^n, which hold for n >= 1.
func (e *enclosure) factorial(x interval.Interval) (interval.Interval, bool) {
	if x.Lo.Cmp(interval.Int(1, e.bits).Lo) < 0 {
		return x, false
	}
	quotient, ok := x.Div(interval.E(e.bits))
	if !ok {
		return x, false
	}
	lo, ok1 := quotient.Pow(x)
	hi, ok2 := x.Pow(x)
	return interval.Range(lo, hi), ok1 && ok2
}

// series encloses a long sum or product of real terms: the first terms one by one, the rest by the range of the term over
// all of the remaining indices, times their number.
func (e *enclosure) series(n *node) (interval.Interval, bool) {
	lo, ok1 := e.c.exact(n.args[1])
	hi, ok2 := e.c.exact(n.args[2])
	if !ok1 || !ok2 || !lo.IsInt() || !hi.IsInt() || len(e.bound) > 2 {
		return interval.Interval{}, false
	}
	total := interval.Int(0, e.bits)
	if n.name == "prod" {
		total = interval.Int(1, e.bits)
	}
	at := lo
	for range 64 {
		if at.Cmp(hi) > 0 {
			return total, true
		}
		x, ok := e.at(n, interval.FromRat(at, e.bits))
		if !ok {
			return total, false
		}
		if n.name == "prod" {
			total = total.Mul(x)
		} else {
			total = total.Add(x)
		}
		at = at.Add(rat.Int(1))
	}
	x, ok := e.at(n, interval.Range(interval.FromRat(at, e.bits), interval.FromRat(hi, e.bits)))
	count := interval.FromRat(hi.Sub(at).Add(rat.Int(1)), e.bits)
	if !ok || count.Sign() <= 0 {
		return total, false
	}
	if n.name == "sum" {
		return total.Add(x.Mul(count)), true
	}
	rest, ok := x.Pow(count)
	return total.Mul(rest), ok
}

// at encloses a series' term with its variable in an interval.
func (e *enclosure) at(n *node, k interval.Interval) (interval.Interval, bool) {
	e.bound = append(e.bound, boundInterval{n.args[0].name, k})
	x, ok := e.value(n.args[3])
	e.bound = e.bound[:len(e.bound)-1]
	return x, ok
}

// order is the outcome of comparing two real constants.
type order uint8

const (
	orderUnknown order = iota
	orderApart         // certainly different
	orderSame          // the same to the last precision's digits, every value met being of ordinary size
)

// ordinary is the largest binary exponent of a value in a chain of operations in which agreement to 1024 bits is taken
// for equality.
const ordinary = 300

// compareReal separates two real constants at 64, 256 and 1024 bits. less says, for values that are apart, whether a < b.
func (c *checker) compareReal(a, b *node) (o order, less bool, bits uint) {
	for _, bits = range [...]uint{64, 256, 1024} {
		e := enclosure{c: c, bits: bits}
		x, ok1 := e.value(a)
		y, ok2 := e.value(b)
		if !ok1 || !ok2 {
			if c.spent || bits == 1024 {
				return orderUnknown, false, bits
			}
			continue
		}
		if x.Apart(y) {
			return orderApart, x.Less(y), bits
		}
		if x.Lo.Cmp(x.Hi) == 0 && y.Lo.Cmp(y.Hi) == 0 && x.Lo.Cmp(y.Lo) == 0 {
			return orderSame, false, bits // the same number, exactly
		}
		if bits == 1024 && e.highest <= ordinary && x.Agree() > 600 && y.Agree() > 600 {
			return orderSame, false, bits
		}
		if zero := interval.Int(0, bits); bits == 1024 && e.highest <= 2000 && near0(x, zero) && near0(y, zero) {
			return orderSame, false, bits
		}
	}
	return orderUnknown, false, bits
}

// near0 says whether x holds 0 and is narrower than 2^-600.
func near0(x, zero interval.Interval) bool {
	return !x.Apart(zero) && x.Lo.MantExp(nil) < -600 && x.Hi.MantExp(nil) < -600
}
