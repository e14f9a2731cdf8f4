package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// eachBF16Level runs test once on every way to multiply BF16 numbers, and says which ones this machine or build lacks.
func eachBF16Level(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer setBF16Level(bestBF16Level())
	for _, level := range []string{"generic", "avx2", "avx512", "avx512bf16"} {
		t.Run(level, func(t *testing.T) {
			if !slices.Contains(bf16Levels(), level) {
				t.Skipf("not run: this machine or build has no %s", level)
			}
			setBF16Level(level)
			test(t)
		})
	}
}

// sameOrNaN fails unless got and want have the same bits, or are both NaN.
func sameOrNaN(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: element %d of %d: got %x, want %x", what, i, len(want), got[i], want[i])
		}
	}
}

// exactFMA is the definition of fmaBF16 for finite numbers in arithmetic of any precision.
func exactFMA(a, b, acc float64) float64 {
	exact := new(big.Float).SetPrec(2000).Mul(big.NewFloat(a), big.NewFloat(b))
	exact.Add(exact, big.NewFloat(acc))
	rounded, _ := new(big.Float).SetPrec(24).SetMode(big.ToNearestEven).Set(exact).Float64()
	if exact.Sign() != 0 && math.Abs(rounded) < 0x1p-126 {
		return math.Copysign(0, float64(exact.Sign()))
	}
	return float64(float32(rounded))
}

// bf16Bits draws the bits of a float32: mode 0 any bits, 1 exponents about that of one, 2 near underflow of a product, 3 near overflow,
// 4 special numbers.
func bf16Bits(r *rand.Rand, mode int, product bool) uint32 {
	exponent := func(from, count uint32) uint32 { return r.Uint32()&0x807fffff | (from+r.Uint32N(count))<<23 }
	switch mode {
	case 1:
		return exponent(122, 10)
	case 2:
		if product {
			return exponent(54, 15)
		}
		return exponent(0, 10)
	case 3:
		if product {
			return exponent(183, 12)
		}
		return exponent(240, 16)
	case 4:
		special := []uint32{0, 0x8000, 1, 0x8001, 0x7f, 0x80, 0x8080, 0x3f80, 0xbf80, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0, 0x4000, 0x3f81}
		return special[r.IntN(len(special))] << 16
	}
	return r.Uint32()
}

// TestFMABF16IsExact compares the plain Go step with arithmetic of any precision.
func TestFMABF16IsExact(t *testing.T) {
	r := newRand(11)
	check := func(a, b, acc float64) {
		t.Helper()
		if got, want := fmaBF16(a, b, acc), exactFMA(a, b, acc); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%x · %x + %x: got %x, want %x", a, b, acc, got, want)
		}
	}
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
	for i := range 300000 {
		a, b := widen(bf16Bits(r, i%4, true)&0xffff0000), widen(bf16Bits(r, i%4, true)&0xffff0000)
		acc := widen(bf16Bits(r, i%4, false))
		if !finite(a) || !finite(b) || !finite(acc) || a*b == 0 {
			continue
		}
		check(a, b, acc)
		// A small number 22 to 60 places below a large one, about the midpoints of the sum and where float64 begins to round.
		if x := math.Abs(a) + 1; x < 0x1p30 {
			near := float64(float32(math.Ldexp(1+float64(i%5-2)*0x1p-23, math.Ilogb(x)-22-i%39)))
			check(a, 1, near)
			check(a, 1, -near)
			check(math.Ldexp(1+float64(i%7)*0x1p-7, math.Ilogb(x)-22-i%39), 1, float64(float32(x)))
		}
	}
	// What 24 bits round to 2^-126 is normal; what lies below that midpoint becomes zero.
	for i := range 16 {
		check(float64(-i)*0x1p-79, 0x1p-75, 0x1p-126)
		check(float64(i)*0x1p-79, 0x1p-75, -0x1p-126)
	}
}

// TestBF16StepsAgree runs pairs of all kinds, denormals, infinities and NaNs among them, through every level.
func TestBF16StepsAgree(t *testing.T) {
	const m, n, k = 48, 48, 2
	eachBF16Level(t, func(t *testing.T) {
		r := newRand(12)
		for round := range 60 {
			mode := round % 5
			a, b := make([]uint32, m), make([]uint32, n)
			for i := range a {
				a[i] = bf16Bits(r, mode, true)&0xffff0000 | bf16Bits(r, mode, true)>>16
				b[i] = bf16Bits(r, mode, true)&0xffff0000 | bf16Bits(r, mode, true)>>16
			}
			init := make([]float32, m*n)
			for i := range init {
				init[i] = math.Float32frombits(bf16Bits(r, mode, false))
				if mode == 4 && i%2 == 0 {
					init[i] = math.Float32frombits(math.Float32bits(init[i]) | r.Uint32N(1<<16))
				}
				if mode == 2 && i%3 == 0 { // at the edge of the denormals
					init[i] = math.Float32frombits(0x00800000 + r.Uint32N(2) | r.Uint32N(2)<<31)
				}
			}
			got, want := make([]float32, m*n), make([]float32, m*n)
			gemmBF16Go(want, n, a, 1, b, m, n, 1, init, n)
			GemmBF16(got, n, a, 1, b, m, n, k, init, n)
			sameOrNaN(t, fmt.Sprintf("mode %d", mode), got, want)
		}
	})
}

// TestBF16StepsAtTheLeastNormal: what 24 bits round to 2^-126 is kept and what lies below that midpoint becomes zero, by
// either number of a pair, on every level.
func TestBF16StepsAtTheLeastNormal(t *testing.T) {
	eachBF16Level(t, func(t *testing.T) {
		for shift := range 2 {
			for i := range 16 {
				a := math.Float32bits(float32(-i)*0x1p-79) >> 16 << (16 * shift)
				b := make([]uint32, PanelWidth)
				for j := range b {
					b[j] = math.Float32bits(0x1p-75) >> 16 << (16 * shift)
				}
				want := float32(0x1p-126)
				if i > 8 { // 2^-126 - i·2^-154, the midpoint at i = 8
					want = 0
				}
				c := []float32{0}
				GemmBF16(c, 1, []uint32{a}, 1, b, 1, 1, 2, []float32{0x1p-126}, 0)
				wantSame(t, fmt.Sprintf("2^-126 - %d·2^-154", i), c, []float32{want})
			}
		}
	})
}

// TestBF16Step holds the reference to values worked out by hand: the odd product goes first, nothing is kept between the
// two, and denormals are zeros.
func TestBF16Step(t *testing.T) {
	pair := func(even, odd float32) uint32 { return math.Float32bits(even)>>16 | math.Float32bits(odd)&0xffff0000 }
	for _, c := range []struct {
		a, b      uint32
		acc, want float32
	}{
		{pair(1, 2), pair(3, 4), 5, 16},
		{pair(1, 0x1p30), pair(1, 1), -0x1p30, 1},                            // even first would lose the 1
		{pair(0x1p30, 1), pair(1, 1), -0x1p30, 0},                            // and here it does: -2^30 + 1 rounds to -2^30
		{pair(0x1p-24, 0x1p-24), pair(1, 1), 1, 1},                           // two halves of a place, each rounded away
		{pair(0x1p-127, 1), pair(0x1p126, 1), 0, 1},                          // a denormal operand
		{pair(1, 0), pair(0x1p-126, 0), -0x1p-127, 0x1p-126},                 // a denormal start
		{pair(0x1p-64, 0), pair(0x1p-64, 0), 0, 0},                           // a denormal result
		{pair(-0x1p-64, 0x1p-64), pair(0x1p-62, 0x1p-63), 0, -0x1p-126},      // 2^-127 in between is lost
		{pair(0x1p127, -0x1p127), pair(2, 2), 0, float32(math.Inf(-1))},      // the first product is -Inf, the second finite
		{pair(-0x1p127, 0x1p127), pair(1, 1), 0x1p127, float32(math.Inf(1))}, // the sum overflows before the second product
	} {
		if got := dotBF16(c.acc, []uint32{c.a}, []uint32{c.b}); got != c.want {
			t.Errorf("%08x·%08x + %x: got %x, want %x", c.a, c.b, c.acc, got, c.want)
		}
	}
}

// bf16Case is one product with its operands; c has spare columns, a and w spare elements between rows.
type bf16Case struct {
	m, n, k, lda, ldc int
	x, w, init        []float32
	a, b              []uint32
}

func newBF16Case(m, n, k int) *bf16Case {
	g := &bf16Case{m: m, n: n, k: k, lda: RoundedLen(k) + 1, ldc: n + 3}
	r := newRand(uint64(m*n + k))
	g.x, g.w, g.init = normals(r, m*(k+2)), normals(r, n*(k+1)), normals(r, m*(n+1))
	g.a, g.b = make([]uint32, m*g.lda), make([]uint32, PackedLenBF16(n, k))
	RoundBF16(g.a, g.lda, g.x, k+2, m, k)
	PackRowsBF16(g.b, g.w, n, k, k+1)
	return g
}

var bf16Sizes = [][3]int{{1, 1, 1}, {1, 16, 5}, {1, 65, 7}, {1, 200, 33}, {2, 47, 9}, {3, 33, 12}, {4, 17, 3}, {5, 15, 31}, {6, 16, 8}, {7, 31, 4},
	{8, 32, 5}, {9, 48, 2}, {12, 64, 6}, {13, 50, 11}, {25, 100, 40}, {200, 18, 13}, {14, 20, 1601}, {1, 70, 1000}, {2, 40, 900}, {30, 70, 301}}

func TestGemmBF16(t *testing.T) {
	eachBF16Level(t, func(t *testing.T) {
		for _, size := range bf16Sizes {
			g := newBF16Case(size[0], size[1], size[2])
			for name, init := range map[string][]float32{"no init": nil, "bias": g.init, "matrix": g.init} {
				ldInit := 0
				if name == "matrix" {
					ldInit = g.n + 1
				}
				got, want := filled(g.m*g.ldc, nan), filled(g.m*g.ldc, nan)
				GemmBF16(got, g.ldc, g.a, g.lda, g.b, g.m, g.n, g.k, init, ldInit)
				gemmBF16Go(want, g.ldc, g.a, g.lda, g.b, g.m, g.n, RoundedLen(g.k), init, ldInit)
				wantGapsKept(t, "c", got, g.m, g.ldc, g.n)
				wantSame(t, fmt.Sprintf("%v %s", size, name), rowsOf(got, g.m, g.ldc, g.n), rowsOf(want, g.m, g.ldc, g.n))
			}
		}
	})
}

// TestGemmBF16IsAProduct compares with float64 sums of the rounded numbers.
func TestGemmBF16IsAProduct(t *testing.T) {
	rounded := func(x float32) float64 { return widen(uint32(roundToBF16(x)) << 16) }
	eachBF16Level(t, func(t *testing.T) {
		for _, size := range bf16Sizes {
			g := newBF16Case(size[0], size[1], size[2])
			want, bound := gemmReference(
				func(i, p int) float64 { return rounded(g.x[i*(g.k+2)+p]) },
				func(p, j int) float64 { return rounded(g.w[j*(g.k+1)+p]) }, g.m, g.n, g.k,
				func(i, j int) float64 { return float64(g.init[i*(g.n+1)+j]) })
			c := make([]float32, g.m*g.n)
			GemmBF16(c, g.n, g.a, g.lda, g.b, g.m, g.n, g.k, g.init, g.n+1)
			wantProduct(t, fmt.Sprint(size), c, want, bound, g.k)
		}
	})
}

// TestGemmBF16Invariance: an element has the same bits whatever rows, panels or pieces of k its call had beside it.
func TestGemmBF16Invariance(t *testing.T) {
	const n, k = 75, 901
	eachBF16Level(t, func(t *testing.T) {
		for _, m := range []int{1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 24, 31, 193} {
			g := newBF16Case(m, n, k)
			c := make([]float32, m*n)
			GemmBF16(c, n, g.a, g.lda, g.b, m, n, k, g.init, n+1)
			for i := range m {
				row, alone := make([]uint32, RoundedLen(k)), make([]float32, n)
				RoundBF16(row, RoundedLen(k), g.x[i*(k+2):], 0, 1, k)
				GemmBF16(alone, n, row, RoundedLen(k), g.b, 1, n, k, g.init[i*(n+1):], 0)
				wantSame(t, fmt.Sprintf("row %d of %d alone", i, m), alone, c[i*n:(i+1)*n])
			}
			panels := make([]float32, m*2*PanelWidth)
			GemmBF16(panels, 2*PanelWidth, g.a, g.lda, g.b[PanelWidth*RoundedLen(k):], m, 2*PanelWidth, k, g.init[PanelWidth:], n+1)
			wantSame(t, "two panels alone", panels, rowsOf(c[PanelWidth:], m, n, 2*PanelWidth))

			const cut = 124 // even: a pair is not torn
			b, pieces := make([]uint32, PackedLenBF16(n, k)), make([]float32, m*n)
			PackRowsBF16(b, g.w, n, cut, k+1)
			GemmBF16(pieces, n, g.a, g.lda, b, m, n, cut, g.init, n+1)
			PackRowsBF16(b, g.w[cut:], n, k-cut, k+1)
			GemmBF16(pieces, n, g.a[cut/2:], g.lda, b, m, n, k-cut, pieces, n)
			wantSame(t, "k in two pieces", pieces, c)
		}
	})
}

// TestGemmBF16Empty: a product over nothing is its start value.
func TestGemmBF16Empty(t *testing.T) {
	eachBF16Level(t, func(t *testing.T) {
		c := []float32{nan, nan, nan, nan}
		GemmBF16(c, 2, nil, 0, nil, 2, 2, 0, []float32{5, 1e-40}, 0)
		wantSame(t, "k=0 with a bias", c, []float32{5, 1e-40, 5, 1e-40})
		GemmBF16(c, 2, nil, 0, nil, 2, 2, 0, nil, 0)
		wantSame(t, "k=0", c, make([]float32, 4))
		GemmBF16(nil, 9, nil, 2, make([]uint32, 32), 0, 9, 3, nil, 0)
	})
}

var tinyFloat float32 = 1e-38 // a variable, so that the compiler does not divide

// TestGemmBF16LeavesDenormalsAlone: the product flushes denormals, the arithmetic of Go behind it does not.
func TestGemmBF16LeavesDenormalsAlone(t *testing.T) {
	eachBF16Level(t, func(t *testing.T) {
		for _, m := range []int{1, 5} {
			g := newBF16Case(m, 20, 9)
			GemmBF16(make([]float32, m*20), 20, g.a, g.lda, g.b, m, 20, 9, nil, 0)
			if tinyFloat/16 == 0 {
				t.Fatal("a denormal result became zero")
			}
		}
	})
}

func TestRoundBF16(t *testing.T) {
	x := make([]float32, 0, 1<<19)
	for high := range uint32(1 << 16) {
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			x = append(x, math.Float32frombits(high<<16|low))
		}
	}
	eachBF16Level(t, func(t *testing.T) {
		got := make([]uint32, len(x)/2)
		RoundBF16(got, len(got), x, len(x), 1, len(x))
		for i, value := range x {
			bits := math.Float32bits(value)
			high := uint16(got[i/2] >> (i % 2 * 16))
			back := math.Float32frombits(uint32(high) << 16)
			switch magnitude := bits &^ (1 << 31); {
			case magnitude > 0x7f800000:
				if back == back {
					t.Fatalf("%08x: got %04x, want a NaN", bits, high)
				}
			case magnitude < 0x00800000:
				if high != uint16(bits>>16&0x8000) {
					t.Fatalf("%08x: got %04x, want a zero of its sign", bits, high)
				}
			case magnitude == 0x7f800000:
				if back != value {
					t.Fatalf("%08x: got %04x, want the infinity", bits, high)
				}
			default:
				want, _ := new(big.Float).SetPrec(8).SetMode(big.ToNearestEven).Set(big.NewFloat(float64(value))).Float32()
				if back != want {
					t.Fatalf("%08x: got %04x, want %x", bits, high, want)
				}
			}
			if plain := roundToBF16(value); plain != high {
				t.Fatalf("%08x: got %04x, want %04x as in plain Go", bits, high, plain)
			}
		}
	})
}

// TestRoundBF16Rows: rows of every length, with what lies between them kept.
func TestRoundBF16Rows(t *testing.T) {
	eachBF16Level(t, func(t *testing.T) {
		for k := 1; k < 70; k++ {
			const rows, kept = 3, 0xdeadbeef
			pairs := RoundedLen(k)
			x, ldX, ldDst := normals(newRand(uint64(k)), rows*(k+1)), k+1, pairs+2
			got := make([]uint32, rows*ldDst)
			for i := range got {
				got[i] = kept
			}
			want := slices.Clone(got)
			RoundBF16(got, ldDst, x, ldX, rows, k)
			roundBF16Go(want, ldDst, x, ldX, rows, k)
			if !slices.Equal(got, want) {
				t.Fatalf("k=%d: got %x, want %x", k, got, want)
			}
		}
	})
}

func TestPackRowsBF16(t *testing.T) {
	eachBF16Level(t, func(t *testing.T) {
		for _, size := range [][2]int{{1, 1}, {16, 2}, {17, 3}, {5, 255}, {33, 256}, {20, 257}, {15, 513}, {48, 600}} {
			n, k := size[0], size[1]
			w, ldw := normals(newRand(9), n*(k+3)), k+3
			rows := make([]uint16, len(w))
			want := make([]uint32, PackedLenBF16(n, k))
			for j := range n {
				for p := range k {
					rows[j*ldw+p] = roundToBF16(w[j*ldw+p])
					want[j/16*16*RoundedLen(k)+p/2*16+j%16] |= uint32(rows[j*ldw+p]) << (p % 2 * 16)
				}
			}
			got, bits := make([]uint32, len(want)), make([]uint32, len(want))
			for i := range got {
				got[i], bits[i] = 0xdeadbeef, 0xdeadbeef
			}
			PackRowsBF16(got, w, n, k, ldw)
			PackRowsFromBF16(bits, rows, n, k, ldw)
			if !slices.Equal(got, want) {
				t.Errorf("PackRowsBF16 n=%d k=%d: wrong layout", n, k)
			}
			if !slices.Equal(bits, want) {
				t.Errorf("PackRowsFromBF16 n=%d k=%d: wrong layout", n, k)
			}
		}
	})
}

// pairsOf and halvesOf are the same memory as pairs, and its first half as BF16 numbers, for the tests of lengths.
func pairsOf(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
func halvesOf(x []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

func BenchmarkGemmBF16(b *testing.B) {
	shapes := [][3]int{{1, 1536, 1536}, {4, 1536, 1536}, {64, 704, 128}, {256, 128, 128}, {48, 96, 1536}, {252, 256, 256}, {252, 1536, 1536}, {48, 96, 8960}}
	defer setBF16Level(bestBF16Level())
	for _, level := range bf16Levels() {
		setBF16Level(level)
		b.Run(level, func(b *testing.B) {
			peak := 0.0
			for range 300 {
				start := time.Now()
				operations := multiplyAddBF16(2000)
				peak = max(peak, operations/time.Since(start).Seconds()/1e9)
			}
			for _, s := range shapes {
				if level == "generic" && s[0]*s[1]*s[2] > 1<<22 {
					continue // seconds a call
				}
				b.Run(fmt.Sprintf("m=%d,n=%d,k=%d", s[0], s[1], s[2]), func(b *testing.B) {
					g := newBF16Case(s[0], s[1], s[2])
					c := make([]float32, s[0]*s[1])
					seconds := best(b, func() { GemmBF16(c, s[1], g.a, g.lda, g.b, s[0], s[1], s[2], nil, 0) })
					reportGFLOPS(b, 2*float64(s[0])*float64(s[1])*float64(s[2]), seconds, peak)
					b.ReportMetric(peak, "peak")
				})
			}
		})
	}
}

func BenchmarkRoundBF16(b *testing.B) {
	const rows, k = 64, 1536
	x, dst := normals(newRand(1), rows*k), make([]uint32, rows*k/2)
	defer setBF16Level(bestBF16Level())
	for _, level := range bf16Levels() {
		setBF16Level(level)
		b.Run(level, func(b *testing.B) {
			b.ReportMetric(6*rows*k/best(b, func() { RoundBF16(dst, k/2, x, k, rows, k) })/1e9, "GB/s")
		})
	}
}
