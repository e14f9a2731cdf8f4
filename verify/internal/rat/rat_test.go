package rat

import (
	"math"
	"math/big"
	"testing"
)

// TestAgainstBig compares every operation with math/big, across the border between words and big numbers.
func TestAgainstBig(t *testing.T) {
	var numbers []Rat
	for _, n := range []int64{0, 1, -1, 2, -7, 1 << 30, -(1 << 31), 1<<61 + 3, -(1 << 62), math.MaxInt64, math.MinInt64} {
		for _, d := range []int64{1, 3, 1 << 32, 1<<61 - 1} {
			numbers = append(numbers, Of(n, d))
		}
	}
	check := func(name string, x, y, got Rat, want *big.Rat) {
		t.Helper()
		if got.Big().Cmp(want) != 0 || got.String() != Big(want).String() {
			t.Errorf("%v %s %v = %v, want %v", x, name, y, got, want)
		}
	}
	for _, x := range numbers {
		for _, y := range numbers {
			check("+", x, y, x.Add(y), new(big.Rat).Add(x.Big(), y.Big()))
			check("-", x, y, x.Sub(y), new(big.Rat).Sub(x.Big(), y.Big()))
			check("*", x, y, x.Mul(y), new(big.Rat).Mul(x.Big(), y.Big()))
			if y.Sign() != 0 {
				check("/", x, y, x.Mul(y.Inv()), new(big.Rat).Quo(x.Big(), y.Big()))
			}
			if got, want := x.Cmp(y), x.Big().Cmp(y.Big()); got != want || x.Equal(y) != (want == 0) {
				t.Errorf("compare %v with %v: %d, want %d", x, y, got, want)
			}
		}
		if f := x.Floor(); !f.IsInt() || f.Cmp(x) > 0 || f.Add(Int(1)).Cmp(x) <= 0 {
			t.Errorf("floor of %v is %v", x, f)
		}
		want := new(big.Rat).SetInt64(1)
		for range 3 {
			want.Mul(want, x.Big())
		}
		check("^", x, Int(3), x.Pow(3), want)
	}
}

// TestRest covers what TestAgainstBig leaves out: negative powers, sizes, magnitudes and floats.
func TestRest(t *testing.T) {
	for _, c := range []struct {
		x    Rat
		k    int64
		want Rat
	}{
		{Of(2, 3), -2, Of(9, 4)}, {Of(-2, 3), -3, Of(-27, 8)}, {Int(7), -1, Of(1, 7)}, {Int(10), -40, Int(10).Pow(40).Inv()}, {Of(3, 5), 0, Int(1)},
	} {
		if got := c.x.Pow(c.k); !got.Equal(c.want) || !got.Mul(c.x.Pow(-c.k)).Equal(Int(1)) {
			t.Errorf("%v^%d = %v, want %v", c.x, c.k, got, c.want)
		}
	}
	for _, c := range []struct {
		x    Rat
		bits int
	}{{Int(0), 1}, {Int(1), 2}, {Of(3, 4), 5}, {Int(2).Pow(100), 102}, {Int(2).Pow(100).Inv(), 102}, {Of(-3, 4), 5}} {
		if got := c.x.Bits(); got != c.bits {
			t.Errorf("%v has %d bits, want %d", c.x, got, c.bits)
		}
	}
	for _, x := range []Rat{Of(-3, 4), Of(3, 4), Int(0), Int(10).Pow(30).Neg(), Int(10).Pow(30)} {
		if a := x.Abs(); a.Sign() < 0 || !a.Equal(x) && !a.Equal(x.Neg()) {
			t.Errorf("|%v| = %v", x, a)
		}
		want, _ := x.Big().Float64()
		if got := x.Float(); got != want {
			t.Errorf("%v as a float is %v, want %v", x, got, want)
		}
	}
}
