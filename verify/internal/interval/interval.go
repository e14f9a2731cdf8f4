// Package interval encloses real numbers between two binary floating-point numbers of any precision.
//
// It does not decide equality: two intervals that do not meet prove that two numbers differ, and nothing else is proved.
//
// Invariants: an operation's result holds every value that the operation takes on its operands; nothing panics; an
// operation without a real value on part of its operands says so. Magnitudes stay below 2^(2^29): what is larger is
// enclosed by that bound and infinity, what is smaller by zero and its inverse.
package interval

import (
	"math/big"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// Interval is a closed interval; an end may be infinite. The ends are not changed once made.
type Interval struct{ Lo, Hi *big.Float }

// maxExponent leaves room for a product of two numbers of that size in math/big.
const maxExponent = 1 << 29

// down and up make a float of the given precision that rounds outwards.
func down(bits uint) *big.Float { return new(big.Float).SetPrec(bits).SetMode(big.ToNegativeInf) }
func up(bits uint) *big.Float   { return new(big.Float).SetPrec(bits).SetMode(big.ToPositiveInf) }

// near makes a float that rounds to nearest.
func near(bits uint) *big.Float { return new(big.Float).SetPrec(bits) }

// FromRat encloses a rational number.
func FromRat(x rat.Rat, bits uint) Interval {
	if n, d, ok := x.Small(); ok && d == 1 {
		return Interval{down(bits).SetInt64(n), up(bits).SetInt64(n)}
	}
	r := x.Big()
	return Interval{down(bits).SetRat(r), up(bits).SetRat(r)}
}

// Int is the integer n, of at most bits bits.
func Int(n int64, bits uint) Interval {
	return Interval{down(bits).SetInt64(n), up(bits).SetInt64(n)}
}

// Range is the interval from lo to the upper end of hi.
func Range(lo, hi Interval) Interval { return Interval{lo.Lo, hi.Hi} }

// Whole is the real line with both infinities.
func Whole(bits uint) Interval { return Interval{down(bits).SetInf(true), up(bits).SetInf(false)} }

// Apart says whether the intervals do not meet.
func (x Interval) Apart(y Interval) bool { return x.Hi.Cmp(y.Lo) < 0 || y.Hi.Cmp(x.Lo) < 0 }

// Less says whether every number of x is less than every number of y.
func (x Interval) Less(y Interval) bool { return x.Hi.Cmp(y.Lo) < 0 }

// Sign is 1 or -1 where every number of x has that sign, else 0.
func (x Interval) Sign() int {
	switch {
	case x.Lo.Sign() > 0:
		return 1
	case x.Hi.Sign() < 0:
		return -1
	}
	return 0
}

// Agree returns the number of leading bits on which the ends agree: how many binary digits are known, relative to the
// larger end, and 0 where an end is infinite.
func (x Interval) Agree() int {
	if x.Lo.IsInf() || x.Hi.IsInf() {
		return 0
	}
	width := sum(up(64), x.Hi, new(big.Float).Neg(x.Lo), false)
	if width.Sign() == 0 {
		return 1 << 30
	}
	return max(exponent(x.Lo), exponent(x.Hi)) - exponent(width)
}

// Exponent is the largest binary exponent of an end in magnitude, whichever its sign; 0 and infinity count as maxExponent
// unless the interval is the number 0.
func (x Interval) Exponent() int {
	return max(magnitude(x.Lo), magnitude(x.Hi))
}

func magnitude(f *big.Float) int {
	if f.IsInf() {
		return maxExponent
	}
	e := exponent(f)
	return max(e, -e)
}

func exponent(f *big.Float) int {
	if f.Sign() == 0 || f.IsInf() {
		return 0
	}
	return f.MantExp(nil)
}

// clamp brings an end back inside the range of magnitudes, outwards.
func clamp(f *big.Float, upper bool) *big.Float {
	if f.IsInf() && f.Signbit() == upper { // the inner end of what is beyond all bounds
		return power2(f, maxExponent, f.Signbit())
	}
	if f.IsInf() || f.Sign() == 0 {
		return f
	}
	e := f.MantExp(nil)
	negative := f.Sign() < 0
	switch {
	case e > maxExponent && negative != upper: // growing outwards
		return new(big.Float).SetPrec(f.Prec()).SetMode(f.Mode()).SetInf(negative)
	case e > maxExponent:
		return power2(f, maxExponent, negative)
	case e < -maxExponent && negative != upper:
		return power2(f, -maxExponent, negative)
	case e < -maxExponent:
		return new(big.Float).SetPrec(f.Prec()).SetMode(f.Mode())
	}
	return f
}

func power2(like *big.Float, e int, negative bool) *big.Float {
	one := new(big.Float).SetPrec(like.Prec()).SetMode(like.Mode()).SetInt64(1)
	if negative {
		one.Neg(one)
	}
	return one.SetMantExp(one, e)
}

func bound(lo, hi *big.Float) Interval { return Interval{clamp(lo, false), clamp(hi, true)} }

// bits is the precision of an interval.
func (x Interval) bits() uint { return x.Lo.Prec() }

// Neg is -x.
func (x Interval) Neg() Interval {
	b := x.bits()
	return Interval{down(b).Neg(x.Hi), up(b).Neg(x.Lo)}
}

// Add is x + y.
func (x Interval) Add(y Interval) Interval {
	b := x.bits()
	return bound(sum(down(b), x.Lo, y.Lo, true), sum(up(b), x.Hi, y.Hi, false))
}

// sum adds two ends; opposite infinities give the outward one. Where one end is far below the other's last bit, it counts as
// a step outwards: math/big would align them bit by bit.
func sum(z, x, y *big.Float, lower bool) *big.Float {
	if x.IsInf() && y.IsInf() && x.Signbit() != y.Signbit() {
		return z.SetInf(lower)
	}
	if x.IsInf() || y.IsInf() || x.Sign() == 0 || y.Sign() == 0 {
		return z.Add(x, y)
	}
	apart := exponent(x) - exponent(y)
	if apart < 0 {
		x, y, apart = y, x, -apart
	}
	if apart < int(z.Prec())+8192 {
		return z.Add(x, y)
	}
	if (y.Sign() < 0) == lower {
		return nudge(x, z)
	}
	return z.Set(x)
}

// Sub is x - y.
func (x Interval) Sub(y Interval) Interval { return x.Add(y.Neg()) }

// Mul is x times y.
func (x Interval) Mul(y Interval) Interval {
	b := x.bits()
	if x.Lo.Sign() >= 0 && y.Lo.Sign() >= 0 {
		return bound(product(down(b), x.Lo, y.Lo), product(up(b), x.Hi, y.Hi))
	}
	lo, hi := product(down(b), x.Lo, y.Lo), product(up(b), x.Lo, y.Lo)
	for _, p := range [][2]*big.Float{{x.Lo, y.Hi}, {x.Hi, y.Lo}, {x.Hi, y.Hi}} {
		if l := product(down(b), p[0], p[1]); l.Cmp(lo) < 0 {
			lo = l
		}
		if h := product(up(b), p[0], p[1]); h.Cmp(hi) > 0 {
			hi = h
		}
	}
	return bound(lo, hi)
}

// product multiplies two ends; zero times infinity is zero, the limit of a bounded end.
func product(z, x, y *big.Float) *big.Float {
	if x.Sign() == 0 || y.Sign() == 0 {
		return z.SetInt64(0)
	}
	return z.Mul(x, y)
}

// Inv is 1/x, and false where x holds 0.
func (x Interval) Inv() (Interval, bool) {
	if x.Sign() == 0 {
		return Interval{}, false
	}
	b := x.bits()
	return bound(down(b).Quo(down(b).SetInt64(1), x.Hi), up(b).Quo(up(b).SetInt64(1), x.Lo)), true
}

// Div is x/y, and false where y holds 0.
func (x Interval) Div(y Interval) (Interval, bool) {
	inverse, ok := y.Inv()
	if !ok {
		return Interval{}, false
	}
	return x.Mul(inverse), true
}

// Abs is the magnitude of x.
func (x Interval) Abs() Interval {
	switch x.Sign() {
	case 1:
		return x
	case -1:
		return x.Neg()
	}
	hi, other := x.Hi, up(x.bits()).Neg(x.Lo)
	if other.Cmp(hi) > 0 {
		hi = other
	}
	return Interval{down(x.bits()), hi}
}

// Sqrt is the square root, and false where x is not surely at least 0.
func (x Interval) Sqrt() (Interval, bool) {
	if x.Lo.Sign() < 0 {
		return Interval{}, false
	}
	return Interval{root2(x.Lo, down(x.bits())), root2(x.Hi, up(x.bits()))}, true
}

// root2 is the square root of an end with outward rounding: Sqrt of math/big rounds to nearest or by the mode of z, and
// one more step outwards costs nothing.
func root2(x, z *big.Float) *big.Float {
	if x.IsInf() || x.Sign() == 0 {
		return z.Set(x)
	}
	wide := near(z.Prec() + 16).Sqrt(x)
	return nudge(wide, z)
}

// nudge rounds a nearest value outwards into z: by at least 2^-(prec of z + 8) of its size.
func nudge(value, z *big.Float) *big.Float {
	if value.IsInf() || value.Sign() == 0 {
		return z.Set(value)
	}
	step := near(32).SetMantExp(near(32).SetInt64(1), exponent(value)-int(z.Prec())-8)
	if z.Mode() == big.ToNegativeInf {
		return z.Sub(value, step)
	}
	return z.Add(value, step)
}

// PowInt is x to the integer k, and false where x holds 0 and k is negative.
func (x Interval) PowInt(k int64) (Interval, bool) {
	if k < 0 {
		power, _ := x.PowInt(-k)
		return power.Inv()
	}
	b := x.bits()
	if k%2 == 0 && x.Sign() <= 0 {
		x = x.Abs()
	}
	result := Int(1, b)
	for base := x; ; base = base.Mul(base) {
		if k&1 != 0 {
			result = result.Mul(base)
		}
		if k >>= 1; k == 0 {
			return result, true
		}
	}
}

// Floor is the interval of the floors of x.
func (x Interval) Floor() Interval {
	return Interval{floor(x.Lo, down(x.bits())), floor(x.Hi, up(x.bits()))}
}

func floor(f, z *big.Float) *big.Float {
	if f.IsInf() || f.Sign() == 0 || f.IsInt() || exponent(f) > 1<<16 {
		return z.Set(f)
	}
	n, _ := f.Int(nil) // towards zero
	if f.Sign() < 0 {
		n.Sub(n, big.NewInt(1))
	}
	return z.SetInt(n)
}
