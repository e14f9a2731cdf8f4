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
