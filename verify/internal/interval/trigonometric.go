package interval

import "math/big"

// sinCosPoint returns sin x and cos x for a finite x with |x| < 2^60, with absolute errors below 2^-(wp-spare+8).
func sinCosPoint(x *big.Float, wp uint) (sin, cos *big.Float) {
	wp += 80 // x may have 60 bits before the point
	half := piValue(wp)
	half.SetMantExp(half, -1)
	quotient, _ := near(wp).Quo(x, half).Int64()
	r := near(wp).Mul(half, near(wp).SetInt64(quotient))
	r.Sub(near(wp).Set(x), r)
	square := near(wp).Mul(r, r)
	square.Neg(square)
	divisor, product := near(64), near(wp)
	odd := func(k int64, term *big.Float) {
		term.Quo(product.Mul(term, square), divisor.SetInt64((2*k)*(2*k+1)))
	}
	even := func(k int64, term *big.Float) {
		term.Quo(product.Mul(term, square), divisor.SetInt64((2*k-1)*(2*k)))
	}
	s := near(wp)
	if r.Sign() != 0 {
		s = series(r, wp, odd)
	}
	c := series(near(wp).SetInt64(1), wp, even)
	switch ((quotient % 4) + 4) % 4 {
	case 0:
		return s, c
	case 1:
		return c, s.Neg(s)
	case 2:
		return s.Neg(s), c.Neg(c)
	}
	return c.Neg(c), s
}

// Sin is the sine.
func (x Interval) Sin() Interval {
	sin, _ := x.sinCos()
	return sin
}

// Cos is the cosine.
func (x Interval) Cos() Interval {
	_, cos := x.sinCos()
	return cos
}

// sinCos evaluates at the lower end and widens by the width of x: neither function grows faster than its argument.
func (x Interval) sinCos() (sin, cos Interval) {
	b := x.bits()
	all := Interval{down(b).SetInt64(-1), up(b).SetInt64(1)}
	if x.Lo.IsInf() || x.Hi.IsInf() || exponent(x.Lo) > 58 || exponent(x.Hi) > 58 {
		return all, all
	}
	if exponent(x.Lo) < -8192 && x.Lo.Sign() != 0 { // too small to be told from 0
		x.Lo = down(b).SetMantExp(down(b).SetInt64(int64(x.Lo.Sign())), -8192)
		if x.Lo.Sign() > 0 {
			x.Lo = down(b)
		}
	}
	width := sum(up(b), x.Hi, new(big.Float).Neg(x.Lo), false)
	if exponent(width) > 1 && width.Sign() != 0 {
		return all, all
	}
	// The error of sinCosPoint is absolute: it is added to the width.
	width = sum(up(b), width, near(32).SetMantExp(near(32).SetInt64(1), -int(b)-16), false)
	s, c := sinCosPoint(x.Lo, b+spare)
	return around(s, width, all), around(c, width, all)
}

// around is the interval of the given half-width around a value, inside all.
func around(value, width *big.Float, all Interval) Interval {
	b := all.bits()
	lo, hi := sum(down(b), value, new(big.Float).Neg(width), true), sum(up(b), value, width, false)
	if lo.Cmp(all.Lo) < 0 {
		lo = all.Lo
	}
	if hi.Cmp(all.Hi) > 0 {
		hi = all.Hi
	}
	return Interval{lo, hi}
}

// Tan is the tangent, and false where the cosine may be 0.
func (x Interval) Tan() (Interval, bool) {
	sin, cos := x.sinCos()
	return sin.Div(cos)
}

// atanPoint is atan x: the argument is halved until it is small, atan x = 2 atan(x/(1+sqrt(1+x²))).
func atanPoint(x *big.Float, wp uint) *big.Float {
	wp += 32
	if x.Sign() == 0 {
		return near(wp)
	}
	one := near(wp).SetInt64(1)
	t := near(wp).Set(x)
	const halvings = 8
	for range halvings {
		root := near(wp).Mul(t, t)
		root.Add(root, one)
		root.Sqrt(root)
		t.Quo(t, root.Add(root, one))
	}
	square := near(wp).Mul(t, t)
	square.Neg(square)
	power, sum := near(wp).Set(t), near(wp).Set(t)
	term, divisor := near(wp), near(64)
	for k := int64(1); k < 1<<14; k++ {
		power.Mul(power, square)
		term.Quo(power, divisor.SetInt64(2*k+1))
		if exponent(term) < exponent(sum)-int(wp) {
			break
		}
		sum.Add(sum, term)
	}
	return sum.SetMantExp(sum, halvings)
}

// Atan is the inverse tangent.
func (x Interval) Atan() Interval {
	b := x.bits()
	end := func(f, z *big.Float) *big.Float {
		if f.IsInf() || exponent(f) > 1<<12 { // within 2^-4096 of ±π/2
			value := piValue(b + spare)
			value.SetMantExp(value, -1)
			if f.Signbit() {
				value.Neg(value)
			}
			return nudge(value, z)
		}
		if exponent(f) < -int(b)-16 { // x - x³/3 < atan x < x
			return nudge(f, z)
		}
		return nudge(atanPoint(f, b+spare), z)
	}
	return Interval{end(x.Lo, down(b)), end(x.Hi, up(b))}
}

// Asin is the inverse sine, atan(x/sqrt(1-x²)), and false where x may leave (-1, 1).
func (x Interval) Asin() (Interval, bool) {
	b := x.bits()
	one := Int(1, b)
	half := func(sign int64) Interval {
		value := piValue(b + spare)
		value.SetMantExp(value, -1)
		p := point(value, b)
		if sign < 0 {
			return p.Neg()
		}
		return p
	}
	for _, sign := range []int64{1, -1} {
		end := near(8).SetInt64(sign)
		if x.Lo.Cmp(end) == 0 && x.Hi.Cmp(end) == 0 {
			return half(sign), true
		}
	}
	rest := one.Sub(x.Mul(x))
	if rest.Sign() <= 0 {
		return Interval{}, false
	}
	root, _ := rest.Sqrt()
	ratio, ok := x.Div(root)
	if !ok {
		return Interval{}, false
	}
	return ratio.Atan(), true
}

// Acos is the inverse cosine, π/2 - asin x.
func (x Interval) Acos() (Interval, bool) {
	asin, ok := x.Asin()
	if !ok {
		return Interval{}, false
	}
	value := piValue(x.bits() + spare)
	value.SetMantExp(value, -1)
	return point(value, x.bits()).Sub(asin), true
}
