package interval

import "math/big"

// The functions here evaluate a Taylor series at one point with spare bits, so that the error before the last rounding
// is below 2^-(precision+8) of the result, and then round outwards (nudge). Arguments are reduced first.

const spare = 48

// series sums terms from the first on, each made in place from the one before by next, until one is below the precision.
func series(first *big.Float, wp uint, next func(k int64, term *big.Float)) *big.Float {
	sum := near(wp).Set(first)
	term := near(wp).Set(first)
	for k := int64(1); k < 1<<14; k++ {
		next(k, term)
		if term.Sign() == 0 || exponent(term) < exponent(sum)-int(wp) {
			break
		}
		sum.Add(sum, term)
	}
	return sum
}

// atanInverse is atan(1/n) for an integer n > 1 (Gregory's series).
func atanInverse(n int64, wp uint) *big.Float {
	square := near(64).SetInt64(n * n)
	power := near(wp).Quo(near(wp).SetInt64(1), near(wp).SetInt64(n))
	sum := near(wp).Set(power)
	term, divisor := near(wp), near(64)
	for k := int64(1); k < 1<<14; k++ {
		power.Quo(power, square)
		power.Neg(power)
		term.Quo(power, divisor.SetInt64(2*k+1))
		if exponent(term) < -int(wp) {
			break
		}
		sum.Add(sum, term)
	}
	return sum
}

// piValue is π by Machin's formula, π/4 = 4 atan(1/5) - atan(1/239).
func piValue(wp uint) *big.Float {
	a := atanInverse(5, wp)
	a.Mul(a, near(wp).SetInt64(16))
	b := atanInverse(239, wp)
	b.Mul(b, near(wp).SetInt64(4))
	return a.Sub(a, b)
}

// ln2Value is log 2 = 18 atanh(1/26) - 2 atanh(1/4801) + 8 atanh(1/8749).
func ln2Value(wp uint) *big.Float {
	total := near(wp)
	for _, t := range []struct{ factor, n int64 }{{18, 26}, {-2, 4801}, {8, 8749}} {
		square := near(64).SetInt64(t.n * t.n)
		power := near(wp).Quo(near(wp).SetInt64(t.factor), near(wp).SetInt64(t.n))
		sum := near(wp).Set(power)
		term, divisor := near(wp), near(64)
		for k := int64(1); k < 1<<14; k++ {
			power.Quo(power, square)
			term.Quo(power, divisor.SetInt64(2*k+1))
			if exponent(term) < -int(wp) {
				break
			}
			sum.Add(sum, term)
		}
		total.Add(total, sum)
	}
	return total
}

// point encloses a value known to spare bits.
func point(value *big.Float, bits uint) Interval {
	return Interval{nudge(value, down(bits)), nudge(value, up(bits))}
}

// Pi encloses π.
func Pi(bits uint) Interval { return point(piValue(bits+spare), bits) }

// E encloses e.
func E(bits uint) Interval { return Int(1, bits).Exp() }

// expPoint is e^x for a finite x with |x| < 2^30, with a relative error below 2^-(wp-spare+8).
func expPoint(x *big.Float, wp uint) *big.Float {
	if x.Sign() == 0 {
		return near(wp).SetInt64(1)
	}
	wp += 32 // bits lost to the reduction by multiples of log 2
	ln2 := ln2Value(wp)
	quotient, _ := near(64).Quo(x, ln2).Int64()
	r := near(wp).Mul(ln2, near(wp).SetInt64(quotient))
	r.Sub(near(wp).Set(x), r)
	const halvings = 8
	r.SetMantExp(r, -halvings)
	one := near(wp).SetInt64(1)
	var divisor, product big.Float
	divisor.SetPrec(64)
	product.SetPrec(wp)
	sum := series(one, wp, func(k int64, term *big.Float) {
		term.Quo(product.Mul(term, r), divisor.SetInt64(k))
	})
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(quotient))
}

// Exp is e^x.
func (x Interval) Exp() Interval {
	b := x.bits()
	return Interval{expEnd(x.Lo, down(b)), expEnd(x.Hi, up(b))}
}

func expEnd(x, z *big.Float) *big.Float {
	lower := z.Mode() == big.ToNegativeInf
	switch {
	case x.IsInf() && !x.Signbit(), exponent(x) > 29 && x.Sign() > 0:
		if lower {
			return power2(z, 1<<28, false) // e^(2^29) is far above
		}
		return z.SetInf(false)
	case x.IsInf(), exponent(x) > 29:
		if lower {
			return z.SetInt64(0)
		}
		return power2(z, -1<<28, false)
	case x.Sign() != 0 && exponent(x) < -int(z.Prec())-64: // 1 + x, nudged
		z.SetInt64(1)
		step := near(32).SetMantExp(near(32).SetInt64(1), -int(z.Prec())-8)
		switch {
		case lower && x.Sign() < 0:
			return z.Sub(z, step)
		case !lower && x.Sign() > 0:
			return z.Add(z, step)
		}
		return z
	}
	return nudge(expPoint(x, z.Prec()+spare), z)
}

// logPoint is log x for x > 0: x = m·2^e with m in [1/2, 1), and log m by square roots and the series of atanh.
func logPoint(x *big.Float, wp uint) *big.Float {
	wp += 40
	m := near(wp)
	e := near(wp).Set(x).MantExp(m)
	if m.Cmp(near(8).SetFloat64(0.70710678)) < 0 { // keep m near 1, so that log 1 is not a difference
		m.SetMantExp(m, 1)
		e--
	}
	const roots = 6
	for range roots {
		m.Sqrt(m)
	}
	one := near(wp).SetInt64(1)
	t := near(wp).Quo(near(wp).Sub(m, one), near(wp).Add(m, one))
	result := near(wp)
	if t.Sign() != 0 {
		square := near(wp).Mul(t, t)
		power := near(wp).Set(t)
		result.Set(t)
		term, divisor := near(wp), near(64)
		for k := int64(1); k < 1<<14; k++ {
			power.Mul(power, square)
			term.Quo(power, divisor.SetInt64(2*k+1))
			if exponent(term) < exponent(result)-int(wp) {
				break
			}
			result.Add(result, term)
		}
		result.SetMantExp(result, roots+1)
	}
	if e != 0 {
		result.Add(result, near(wp).Mul(ln2Value(wp), near(wp).SetInt64(int64(e))))
	}
	return result
}

// Log is the natural logarithm, and false where x is not surely positive.
func (x Interval) Log() (Interval, bool) {
	if x.Lo.Sign() <= 0 {
		return Interval{}, false
	}
	b := x.bits()
	return Interval{logEnd(x.Lo, down(b)), logEnd(x.Hi, up(b))}, true
}

func logEnd(x, z *big.Float) *big.Float {
	if x.IsInf() {
		return z.Set(x)
	}
	one := near(8).SetInt64(1)
	if x.Cmp(one) == 0 {
		return z.SetInt64(0)
	}
	// Near 1 the logarithm loses as many bits as x and 1 share.
	lost := uint(0)
	if e := exponent(x); e < 0 || e > 1 {
		return nudge(logPoint(x, z.Prec()+spare), z)
	}
	if d := near(x.Prec()).Sub(x, one); exponent(d) < 0 {
		lost = uint(-exponent(d))
	}
	return nudge(logPoint(x, z.Prec()+spare+lost), z)
}

// Root is the n-th root, n >= 1, of x >= 0, and false where x may be negative.
func (x Interval) Root(n int64) (Interval, bool) {
	switch {
	case n == 1:
		return x, true
	case n == 2:
		return x.Sqrt()
	case x.Lo.Sign() < 0 || n < 1:
		return Interval{}, false
	}
	b := x.bits()
	return Interval{rootEnd(x.Lo, n, down(b)), rootEnd(x.Hi, n, up(b))}, true
}

func rootEnd(x *big.Float, n int64, z *big.Float) *big.Float {
	if x.Sign() == 0 || x.IsInf() {
		return z.Set(x)
	}
	wp := z.Prec() + 2*spare
	log := logPoint(x, wp+32)
	log.Quo(log, near(wp+32).SetInt64(n))
	return nudge(expPoint(log, wp), z)
}

// Pow is x^y for x > 0, and false where x is not surely positive.
func (x Interval) Pow(y Interval) (Interval, bool) {
	wide := Interval{down(x.bits() + 64).Set(x.Lo), up(x.bits() + 64).Set(x.Hi)}
	log, ok := wide.Log()
	if !ok {
		return Interval{}, false
	}
	y = Interval{down(x.bits() + 64).Set(y.Lo), up(x.bits() + 64).Set(y.Hi)}
	power := log.Mul(y).Exp()
	b := x.bits()
	return Interval{down(b).Set(power.Lo), up(b).Set(power.Hi)}, true
}
