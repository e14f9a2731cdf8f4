// Package rat is exact rational arithmetic that stays in machine words while the numbers are small.
//
// It does not parse and does not round. The caller bounds the sizes: Bits says how large a number has become, and the
// operations cost what math/big costs.
//
// Invariant: a Rat is in lowest terms with a positive denominator; two equal Rats have equal strings.
package rat

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// Rat is a rational number. The zero value is 0. It is immutable.
type Rat struct {
	n int64    // numerator, when big is nil
	d int64    // denominator less one, when big is nil, so that the zero value is 0/1
	b *big.Rat // set only when numerator or denominator does not fit in 62 bits
}

const small = 1 << 62

// Int is the integer n.
func Int(n int64) Rat {
	if n <= -small || n >= small {
		return Rat{b: new(big.Rat).SetInt64(n)}
	}
	return Rat{n: n}
}

// Of is n/d; d must not be zero.
func Of(n, d int64) Rat {
	if n <= -small || n >= small || d <= -small || d >= small {
		return Big(big.NewRat(n, d))
	}
	if d < 0 {
		n, d = -n, -d
	}
	g := gcd(magnitude(n), uint64(d))
	return Rat{n: n / int64(g), d: d/int64(g) - 1}
}

// Big is the number r, which it keeps; r must not be changed afterwards.
func Big(r *big.Rat) Rat {
	if n, d := r.Num(), r.Denom(); n.BitLen() < 62 && d.BitLen() < 62 {
		return Rat{n: n.Int64(), d: d.Int64() - 1}
	}
	return Rat{b: r}
}

// BigInt is the integer n, which it keeps.
func BigInt(n *big.Int) Rat {
	if n.BitLen() < 62 {
		return Rat{n: n.Int64()}
	}
	return Rat{b: new(big.Rat).SetInt(n)}
}

// Big returns x as a big.Rat that the caller must not change.
func (x Rat) Big() *big.Rat {
	if x.b != nil {
		return x.b
	}
	return big.NewRat(x.n, x.d+1)
}

// Num returns the numerator and Denom the denominator, not to be changed.
func (x Rat) Num() *big.Int {
	if x.b != nil {
		return x.b.Num()
	}
	return big.NewInt(x.n)
}

// Denom returns the positive denominator, not to be changed.
func (x Rat) Denom() *big.Int {
	if x.b != nil {
		return x.b.Denom()
	}
	return big.NewInt(x.d + 1)
}

// Small returns numerator and denominator where both fit in 62 bits.
func (x Rat) Small() (n, d int64, ok bool) { return x.n, x.d + 1, x.b == nil }

// Int64 returns x where it is an integer of at most 62 bits.
func (x Rat) Int64() (int64, bool) { return x.n, x.b == nil && x.d == 0 }

// IsInt says whether x is an integer.
func (x Rat) IsInt() bool {
	if x.b != nil {
		return x.b.IsInt()
	}
	return x.d == 0
}

// Sign is -1, 0 or 1.
func (x Rat) Sign() int {
	switch {
	case x.b != nil:
		return x.b.Sign()
	case x.n < 0:
		return -1
	case x.n > 0:
		return 1
	}
	return 0
}

// Bits is the length of numerator and denominator together.
func (x Rat) Bits() int {
	if x.b != nil {
		return x.b.Num().BitLen() + x.b.Denom().BitLen()
	}
	return bits.Len64(magnitude(x.n)) + bits.Len64(uint64(x.d+1))
}

// Add is x + y.
func (x Rat) Add(y Rat) Rat {
	if x.b == nil && y.b == nil {
		if x.d == 0 && y.d == 0 {
			return Int(x.n + y.n) // below 2^63 in magnitude
		}
		p, ok1 := mul64(x.n, y.d+1)
		q, ok2 := mul64(y.n, x.d+1)
		d, ok3 := mul64(x.d+1, y.d+1)
		if ok1 && ok2 && ok3 {
			return Of(p+q, d)
		}
	}
	return Big(new(big.Rat).Add(x.Big(), y.Big()))
}

// Neg is -x.
func (x Rat) Neg() Rat {
	if x.b != nil {
		return Rat{b: new(big.Rat).Neg(x.b)}
	}
	return Rat{n: -x.n, d: x.d}
}

// Sub is x - y.
func (x Rat) Sub(y Rat) Rat { return x.Add(y.Neg()) }

// Mul is x times y.
func (x Rat) Mul(y Rat) Rat {
	if x.b == nil && y.b == nil {
		n, ok1 := mul64(x.n, y.n)
		d, ok2 := mul64(x.d+1, y.d+1)
		if ok1 && ok2 {
			if d == 1 {
				return Rat{n: n}
			}
			return Of(n, d)
		}
	}
	return Big(new(big.Rat).Mul(x.Big(), y.Big()))
}

// Inv is 1/x; x must not be zero.
func (x Rat) Inv() Rat {
	if x.b != nil {
		return Big(new(big.Rat).Inv(x.b))
	}
	return Of(x.d+1, x.n)
}

// Cmp is -1, 0 or 1 as x is less than, equal to or greater than y.
func (x Rat) Cmp(y Rat) int {
	if x.b == nil && y.b == nil && x.d == y.d {
		switch {
		case x.n < y.n:
			return -1
		case x.n > y.n:
			return 1
		}
		return 0
	}
	return x.Sub(y).Sign()
}

// Equal says whether x = y.
func (x Rat) Equal(y Rat) bool {
	if x.b == nil || y.b == nil {
		return x.b == nil && y.b == nil && x.n == y.n && x.d == y.d
	}
	return x.b.Cmp(y.b) == 0
}

// Abs is the magnitude of x.
func (x Rat) Abs() Rat {
	if x.Sign() < 0 {
		return x.Neg()
	}
	return x
}

// Floor is the greatest integer that is at most x.
func (x Rat) Floor() Rat {
	if x.b == nil {
		d := x.d + 1
		q := x.n / d
		if x.n%d < 0 {
			q--
		}
		return Rat{n: q}
	}
	q, _ := new(big.Int).DivMod(x.b.Num(), x.b.Denom(), new(big.Int))
	return BigInt(q)
}

// Pow is x to the integer k; x must not be zero where k is negative.
func (x Rat) Pow(k int64) Rat {
	if k < 0 {
		return x.Inv().Pow(-k)
	}
	if x.b == nil && k <= 64 && x.Bits()*int(k) < 60 {
		n, d := int64(1), int64(1)
		for range k {
			n *= x.n
			d *= x.d + 1
		}
		return Rat{n: n, d: d - 1}
	}
	e := big.NewInt(k)
	n := new(big.Int).Exp(x.Num(), e, nil)
	d := new(big.Int).Exp(x.Denom(), e, nil)
	return Big(new(big.Rat).SetFrac(n, d))
}

// Float is the nearest float64.
func (x Rat) Float() float64 {
	if x.b != nil {
		f, _ := x.b.Float64()
		return f
	}
	return float64(x.n) / float64(x.d+1)
}

// String is the numerator, and the denominator after a slash where it is not 1.
func (x Rat) String() string { return string(x.Append(nil)) }

// Append appends String to text.
func (x Rat) Append(text []byte) []byte {
	if x.b != nil {
		text = x.b.Num().Append(text, 10)
		if !x.b.IsInt() {
			text = append(text, '/')
			text = x.b.Denom().Append(text, 10)
		}
		return text
	}
	text = strconv.AppendInt(text, x.n, 10)
	if x.d != 0 {
		text = append(text, '/')
		text = strconv.AppendInt(text, x.d+1, 10)
	}
	return text
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// mul64 multiplies, and says whether the product stays below 2^62.
func mul64(a, b int64) (int64, bool) {
	if a > -math.MaxInt32 && a < math.MaxInt32 && b > -math.MaxInt32/2 && b < math.MaxInt32/2 {
		return a * b, true
	}
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 || lo >= small {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}
