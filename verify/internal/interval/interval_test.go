package interval

import (
	"math"
	"math/big"
	"testing"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// holds says whether the interval holds a float64's value to within its own rounding.
func holds(x Interval, v float64) bool {
	lo, _ := x.Lo.Float64()
	hi, _ := x.Hi.Float64()
	slack := 1e-12 * math.Max(1, math.Abs(v))
	return lo-slack <= v && v <= hi+slack && lo <= hi
}

// TestAgainstFloat compares with package math at many points, and each precision with the next, which must lie inside.
func TestAgainstFloat(t *testing.T) {
	functions := map[string]struct {
		f    func(Interval) (Interval, bool)
		want func(float64) float64
	}{
		"exp":  {func(x Interval) (Interval, bool) { return x.Exp(), true }, math.Exp},
		"log":  {Interval.Log, math.Log},
		"sqrt": {Interval.Sqrt, math.Sqrt},
		"cbrt": {func(x Interval) (Interval, bool) { return x.Root(3) }, math.Cbrt},
		"sin":  {func(x Interval) (Interval, bool) { return x.Sin(), true }, math.Sin},
		"cos":  {func(x Interval) (Interval, bool) { return x.Cos(), true }, math.Cos},
		"tan":  {Interval.Tan, math.Tan},
		"atan": {func(x Interval) (Interval, bool) { return x.Atan(), true }, math.Atan},
		"asin": {Interval.Asin, math.Asin},
		"acos": {Interval.Acos, math.Acos},
		"cube": {func(x Interval) (Interval, bool) { return x.PowInt(3) }, func(v float64) float64 { return v * v * v }},
		"pow":  {func(x Interval) (Interval, bool) { return x.Pow(FromRat(rat.Of(7, 3), x.bits())) }, func(v float64) float64 { return math.Pow(v, 7.0/3) }},
	}
	for name, f := range functions {
		seen := 0
		for i := int64(-40); i <= 40; i++ {
			x := rat.Of(i*i*i, 997)
			if name == "asin" || name == "acos" {
				x = rat.Of(i, 41)
			}
			want := f.want(x.Float())
			narrow, ok := f.f(FromRat(x, 64))
			if !ok {
				if !math.IsNaN(want) && !math.IsInf(want, 0) && x.Sign() > 0 {
					t.Errorf("%s(%v) is not enclosed", name, x)
				}
				continue
			}
			seen++
			if !holds(narrow, want) {
				t.Errorf("%s(%v) = [%v, %v], want %v", name, x, narrow.Lo, narrow.Hi, want)
			}
			wide, ok := f.f(FromRat(x, 320))
			if !ok || wide.Lo.Cmp(narrow.Lo) < 0 || wide.Hi.Cmp(narrow.Hi) > 0 {
				t.Errorf("%s(%v): 320 bits [%v, %v] are not inside 64 bits [%v, %v]", name, x, wide.Lo, wide.Hi, narrow.Lo, narrow.Hi)
			}
			if wide.Agree() < 250 && want != 0 {
				t.Errorf("%s(%v): 320 bits agree on %d", name, x, wide.Agree())
			}
		}
		if seen < 30 {
			t.Errorf("%s: %d points only", name, seen)
		}
	}
}

// TestConstants compares with the published decimals of π and e.
func TestConstants(t *testing.T) {
	for _, c := range []struct {
		got    Interval
		digits string
	}{
		{Pi(256), "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899"},
		{E(256), "2.71828182845904523536028747135266249775724709369995957496696762772407663035354759"},
	} {
		lower, _, err := big.ParseFloat(c.digits, 10, 512, big.ToNegativeInf)
		if err != nil {
			t.Fatal(err)
		}
		upper := new(big.Float).SetPrec(512).Add(lower, new(big.Float).SetMantExp(big.NewFloat(1), -262))
		if c.got.Lo.Cmp(upper) > 0 || c.got.Hi.Cmp(lower) < 0 || c.got.Agree() < 250 {
			t.Errorf("[%v, %v], want %s", c.got.Lo, c.got.Hi, c.digits)
		}
	}
}

// TestBounds is about the ends of the range: nothing panics and nothing crosses zero or infinity.
func TestBounds(t *testing.T) {
	huge, ok := Int(10, 64).PowInt(1 << 40)
	if !ok || huge.Lo.IsInf() || !huge.Hi.IsInf() {
		t.Errorf("10^(2^40) = [%v, %v]", huge.Lo, huge.Hi)
	}
	tiny, ok := huge.Inv()
	if !ok || tiny.Lo.Sign() < 0 || tiny.Hi.Sign() <= 0 {
		t.Errorf("1/10^(2^40) = [%v, %v]", tiny.Lo, tiny.Hi)
	}
	for _, x := range []Interval{huge, tiny, huge.Neg(), tiny.Neg(), Whole(64), Int(0, 64), huge.Sub(huge)} {
		for _, y := range []Interval{x.Exp(), x.Sin(), x.Cos(), x.Atan(), x.Abs(), x.Floor(), x.Mul(x), x.Add(x), x.Add(Int(1, 64)), x.Sub(x)} {
			if y.Lo.Cmp(y.Hi) > 0 {
				t.Errorf("[%v, %v] is no interval", y.Lo, y.Hi)
			}
		}
		for _, f := range []func(Interval) (Interval, bool){Interval.Log, Interval.Sqrt, Interval.Tan, Interval.Asin, Interval.Acos, Interval.Inv} {
			if y, ok := f(x); ok && y.Lo.Cmp(y.Hi) > 0 {
				t.Errorf("[%v, %v] is no interval", y.Lo, y.Hi)
			}
		}
	}
	if _, ok := Int(-1, 64).Sqrt(); ok {
		t.Error("the root of -1 is real")
	}
	if _, ok := Int(0, 64).Inv(); ok {
		t.Error("1/0 is a number")
	}
}

// TestOrder is about intervals on both sides of each other and of zero.
func TestOrder(t *testing.T) {
	span := func(lo, hi int64) Interval { return Range(Int(lo, 64), Int(hi, 64)) }
	for _, c := range []struct {
		x, y        Interval
		apart, less bool
	}{{span(1, 2), span(3, 4), true, true}, {span(3, 4), span(1, 2), true, false}, {span(1, 3), span(2, 4), false, false}, {span(1, 2), span(2, 3), false, false}} {
		if c.x.Apart(c.y) != c.apart || c.x.Less(c.y) != c.less {
			t.Errorf("[%v, %v] and [%v, %v]: apart %v, less %v", c.x.Lo, c.x.Hi, c.y.Lo, c.y.Hi, c.x.Apart(c.y), c.x.Less(c.y))
		}
	}
	for _, c := range []struct{ x, want Interval }{{span(-3, 2), span(0, 3)}, {span(-2, 3), span(0, 3)}, {span(-3, -2), span(2, 3)}, {span(2, 3), span(2, 3)}} {
		if got := c.x.Abs(); got.Lo.Cmp(c.want.Lo) != 0 || got.Hi.Cmp(c.want.Hi) != 0 {
			t.Errorf("|[%v, %v]| = [%v, %v]", c.x.Lo, c.x.Hi, got.Lo, got.Hi)
		}
	}
}

// TestFar adds numbers of which one is far below the last bit of the other: the sum must still hold both sides.
func TestFar(t *testing.T) {
	large, ok := Int(2, 64).PowInt(20000)
	if !ok {
		t.Fatal("2^20000")
	}
	if up := large.Add(Int(1, 64)); up.Hi.Cmp(large.Hi) <= 0 || up.Lo.Cmp(large.Lo) < 0 {
		t.Errorf("2^20000 + 1 = [%v, %v]", up.Lo, up.Hi)
	}
	if down := large.Sub(Int(1, 64)); down.Lo.Cmp(large.Lo) >= 0 || down.Hi.Cmp(large.Hi) > 0 {
		t.Errorf("2^20000 - 1 = [%v, %v]", down.Lo, down.Hi)
	}
}

// TestLogNearOne meets log(1+x), between x - x²/2 and x - x²/2 + x³/3, for x = 2^-200, where all the leading bits cancel.
func TestLogNearOne(t *testing.T) {
	tiny := rat.Int(2).Pow(-200)
	log, ok := FromRat(tiny.Add(rat.Int(1)), 320).Log()
	if !ok {
		t.Fatal("no logarithm")
	}
	below := tiny.Sub(tiny.Mul(tiny).Mul(rat.Of(1, 2)))
	above := below.Add(tiny.Pow(3).Mul(rat.Of(1, 3)))
	if log.Hi.Cmp(FromRat(below, 1024).Lo) < 0 || log.Lo.Cmp(FromRat(above, 1024).Hi) > 0 || log.Agree() < 300 {
		t.Errorf("[%v, %v], agreeing on %d bits", log.Lo, log.Hi, log.Agree())
	}
}
