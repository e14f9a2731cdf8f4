package tensor

import (
	"math"
	"testing"
)

// plainF16 is the definition of binary16 in float64 arithmetic.
func plainF16(bits uint16) float64 {
	exponent, fraction := int(bits>>10&0x1f), float64(bits&0x3ff)
	value := math.Ldexp(1+fraction/1024, exponent-15)
	switch {
	case exponent == 0:
		value = math.Ldexp(fraction/1024, -14)
	case exponent == 31 && fraction == 0:
		value = math.Inf(1)
	case exponent == 31:
		value = math.NaN()
	}
	if bits&0x8000 != 0 {
		return math.Copysign(value, -1)
	}
	return value
}

func TestF16WidensEveryPatternExactly(t *testing.T) {
	for i := 0; i < 1<<16; i++ {
		bits := uint16(i)
		got, want := float64(FloatFromF16(bits)), plainF16(bits)
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("FloatFromF16(%#04x) = %v, want %v", bits, got, want)
		}
		if math.Signbit(got) != math.Signbit(want) {
			t.Fatalf("FloatFromF16(%#04x): sign of %v is wrong", bits, got)
		}
	}
}

// testRounding checks, for every pair of neighbours of a 16-bit format, the
// values between them: below the middle goes down, above goes up, the middle
// goes to the even pattern.
func testRounding(t *testing.T, widen func(uint16) float32, narrow func(float32) uint16, infinity uint16) {
	t.Helper()
	for sign := 0; sign <= 0x8000; sign += 0x8000 {
		for i := 0; i+1 < int(infinity); i++ {
			lower, upper := uint16(sign|i), uint16(sign|(i+1))
			a, b := widen(lower), widen(upper)
			if got := narrow(a); got != lower {
				t.Fatalf("narrow(%v) = %#04x, want %#04x", a, got, lower)
			}
			middle := float32((float64(a) + float64(b)) / 2)
			even := lower
			if lower&1 == 1 {
				even = upper
			}
			if got := narrow(middle); got != even {
				t.Fatalf("narrow(%v), the middle of %#04x and %#04x, = %#04x, want the even one", middle, lower, upper, got)
			}
			if got := narrow(math.Nextafter32(middle, a)); got != lower {
				t.Fatalf("narrow(just below the middle of %#04x and %#04x) = %#04x", lower, upper, got)
			}
			if got := narrow(math.Nextafter32(middle, b)); got != upper {
				t.Fatalf("narrow(just above the middle of %#04x and %#04x) = %#04x", lower, upper, got)
			}
		}
	}
}

func TestF16RoundsToNearestEven(t *testing.T) {
	testRounding(t, FloatFromF16, F16FromFloat, 0x7c00)
	for _, c := range []struct {
		x    float32
		want uint16
	}{
		{65504, 0x7bff}, {65519.996, 0x7bff}, {65520, 0x7c00}, {1e30, 0x7c00}, {-1e30, 0xfc00},
		{1e-30, 0}, {math.SmallestNonzeroFloat32, 0}, {float32(math.Copysign(0, -1)), 0x8000},
		{float32(math.Inf(1)), 0x7c00}, {float32(math.Inf(-1)), 0xfc00},
	} {
		if got := F16FromFloat(c.x); got != c.want {
			t.Errorf("F16FromFloat(%v) = %#04x, want %#04x", c.x, got, c.want)
		}
	}
}

func TestBF16RoundsToNearestEven(t *testing.T) {
	testRounding(t, FloatFromBF16, BF16FromFloat, 0x7f80)
	if got := BF16FromFloat(math.MaxFloat32); got != 0x7f80 {
		t.Errorf("BF16FromFloat(MaxFloat32) = %#04x, want infinity", got)
	}
	if got := BF16FromFloat(float32(math.Inf(-1))); got != 0xff80 {
		t.Errorf("BF16FromFloat(-Inf) = %#04x, want -Inf", got)
	}
}

func TestNaNStaysNaN(t *testing.T) {
	for _, bits := range []uint32{0x7fc00000, 0xffc00000, 0x7f800001, 0x7fffffff, 0xffffffff, 0xff800001} {
		x := math.Float32frombits(bits)
		for name, y := range map[string]float32{"F16": FloatFromF16(F16FromFloat(x)), "BF16": FloatFromBF16(BF16FromFloat(x))} {
			if y == y {
				t.Errorf("%s: NaN %#08x became %v", name, bits, y)
			}
			if math.Signbit(float64(y)) != (bits>>31 == 1) {
				t.Errorf("%s: NaN %#08x lost its sign", name, bits)
			}
		}
	}
}
