package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 42)) }

// normals returns n normally distributed numbers.
func normals(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func filled(n int, value float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = value
	}
	return x
}

var nan = float32(math.NaN())

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// relativeError is ||got-want|| / ||want||.
func relativeError(got []float32, want []float64) float64 {
	var difference, size float64
	for i, w := range want {
		d := float64(got[i]) - w
		difference += d * d
		size += w * w
	}
	if difference == 0 {
		return 0
	}
	return math.Sqrt(difference / size)
}

func wantClose(t *testing.T, what string, got []float32, want []float64, limit float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	if e := relativeError(got, want); !(e <= limit) {
		t.Errorf("%s: relative error %.3g, want at most %.3g", what, e, limit)
	}
}

// wantSame compares bits, so that NaN equals itself and 0 is not -0.
func wantSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

// rowsOf copies the first width elements of each row out of a matrix with leading dimension ld.
func rowsOf(x []float32, rows, ld, width int) []float32 {
	var out []float32
	for i := range rows {
		out = append(out, x[i*ld:i*ld+width]...)
	}
	return out
}

// wantGapsKept checks that a matrix of NaNs was written only in the first width elements of its rows.
func wantGapsKept(t *testing.T, what string, x []float32, rows, ld, width int) {
	t.Helper()
	for i, v := range x {
		inside := i/ld < rows && i%ld < width
		if isNaN := v != v; inside == isNaN {
			t.Fatalf("%s: element %d (row %d, column %d): got %v", what, i, i/ld, i%ld, v)
		}
	}
}

// derivative is the gradient of loss at x by central differences; x is restored.
func derivative(x []float64, loss func() float64) []float64 {
	const h = 1e-5
	gradient := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + h
		up := loss()
		x[i] = v - h
		gradient[i] = (up - loss()) / (2 * h)
		x[i] = v
	}
	return gradient
}

func inner(a, b []float64) float64 {
	var s float64
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// caught runs f and returns the text of its panic, or "".
func caught(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
			if _, constant := r.(string); !constant {
				text = "not a constant: " + text
			}
		}
	}()
	f()
	return ""
}

func wantPanic(t *testing.T, op string, f func()) {
	t.Helper()
	if text := caught(f); !strings.HasPrefix(text, "kernel: "+op+": ") {
		t.Errorf("%s: got panic %q, want one that begins with its name", op, text)
	}
}

func TestLevels(t *testing.T) {
	levels := Levels()
	if len(levels) == 0 || levels[0] != "generic" {
		t.Fatalf("Levels: got %v, want generic first", levels)
	}
	if !slices.Contains(levels, Level()) {
		t.Errorf("Level: got %q, want one of %v", Level(), levels)
	}
}
