package kernel

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// quantised lists the formats in the order of their ids.
func quantised() []tensor.Format {
	list := make([]tensor.Format, len(quantFormats))
	for f, q := range quantFormats {
		list[q.id] = f
	}
	return list
}

// eachQuantLevel runs test once on every way to multiply quantised weights, and says which ones this machine or build lacks.
func eachQuantLevel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer setQuantLevel(bestQuantLevel())
	for _, level := range []string{"generic", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "dotprod", "i8mm"} {
		t.Run(level, func(t *testing.T) {
			if !slices.Contains(quantLevels(), level) {
				t.Skipf("not run: this machine or build has no %s", level)
			}
			setQuantLevel(level)
			test(t)
		})
	}
}

// fileBytes draws a weight [n,k] as a file holds it: any codes and scales, but those in F16 between 2^-10 and 2 of either sign, so that sums are finite.
func fileBytes(r *rand.Rand, f tensor.Format, n, k int) []byte {
	q := quantFormats[f]
	w := make([]byte, n*k/q.elements*q.bytes)
	for i := range w {
		w[i] = byte(r.Uint32())
	}
	halves := map[tensor.Format][]int{tensor.Q4_1: {0, 2}, tensor.Q5_1: {0, 2}, tensor.Q2_K: {80, 82}, tensor.Q3_K: {108},
		tensor.Q4_K: {0, 2}, tensor.Q5_K: {0, 2}, tensor.Q6_K: {208}, tensor.MXFP4: {}}[f]
	if halves == nil {
		halves = []int{0}
	}
	for at := 0; at < len(w); at += q.bytes {
		for _, h := range halves {
			w[at+h+1] = w[at+h+1]&0x80 | 0x14 + byte(r.IntN(40))
		}
		if f == tensor.MXFP4 {
			w[at] = byte(100 + r.IntN(40))
		}
	}
	return w
}

func packed(f tensor.Format, w []byte, n, k int) []byte {
	b := make([]byte, QuantisedBytes(f, n, k))
	PackQuantised(b, f, w, n, k)
	return b
}

// TestPackedWeightsAreTheFiles: the scale, code and minimum of every weight in a panel give the number that package tensor reads.
func TestPackedWeightsAreTheFiles(t *testing.T) {
	for _, f := range quantised() {
		r := newRand(31)
		q := quantFormats[f]
		if elements, bytes := f.Block(); elements != q.elements || bytes != q.bytes {
			t.Fatalf("%s: blocks of %d in %d bytes, want %d in %d", f, q.elements, q.bytes, elements, bytes)
		}
		for _, size := range [][2]int{{1, 256}, {16, 512}, {21, 768}, {17, 5 * q.elements}} {
			n, k := size[0], size[1]
			w := fileBytes(r, f, n, k)
			want := make([]float32, n*k)
			if err := tensor.Decode(want, f, w); err != nil {
				t.Fatal(err)
			}
			b := packed(f, w, n, k)
			comparePanels(t, q, b, want, n, k)
			row := make([]float32, k)
			for j := range n {
				QuantisedRow(row, f, b, j)
				near(t, f.String(), row, want[j*k:(j+1)*k], 0, 0)
			}
		}
	}
}

// comparePanels wants the numbers of want [n,k] in the panels b, and zeros behind them.
func comparePanels(t *testing.T, q *quantFormat, b []byte, want []float32, n, k int) {
	t.Helper()
	var block quantBlock
	units := q.units(k)
	for j := 0; j < len(b)/(units*q.unit)*PanelWidth; j++ {
		for p := range units * q.blocks {
			q.unpack(&block, b[(j/PanelWidth*units+p/q.blocks)*q.unit:], p%q.blocks)
			for i := range blockSize {
				h, lane := i/(blockSize/q.halves), j%PanelWidth
				got := block.scales[h][lane] * float32(int32(block.codes[i/4][4*lane+i%4])-q.zero)
				got += block.minimum[h][lane]
				w := float32(0)
				if j < n && p*blockSize+i < k {
					w = want[j*k+p*blockSize+i]
				}
				if got != w && (got == got || w == w) {
					t.Fatalf("unit of %d bytes: row %d, column %d: got %v, want %v", q.unit, j, p*blockSize+i, got, w)
				}
			}
		}
	}
}

// TestPackQuantised: every level writes the bytes that plain Go does.
func TestPackQuantised(t *testing.T) {
	sizes := func(f tensor.Format) [][2]int {
		return [][2]int{{16, quantFormats[f].elements}, {16, 256}, {32, 768}, {35, 3 * quantFormats[f].elements}}
	}
	wants := map[tensor.Format][][]byte{}
	defer setQuantLevel(bestQuantLevel())
	setQuantLevel("generic")
	for _, f := range quantised() {
		for _, size := range sizes(f) {
			wants[f] = append(wants[f], packed(f, fileBytes(newRand(36), f, size[0], size[1]), size[0], size[1]))
		}
	}
	eachQuantLevel(t, func(t *testing.T) {
		for _, f := range quantised() {
			for i, size := range sizes(f) {
				got, want := packed(f, fileBytes(newRand(36), f, size[0], size[1]), size[0], size[1]), wants[f][i]
				for at := range want {
					if got[at] != want[at] {
						t.Fatalf("%s %v: byte %d of %d: got %x, want %x", f, size, at, len(want), got[at], want[at])
					}
				}
			}
		}
	})
}

// FuzzPackQuantised packs any bytes.
func FuzzPackQuantised(f *testing.F) {
	for id := range quantised() {
		f.Add(uint8(id), uint8(3), uint64(id))
	}
	f.Fuzz(func(t *testing.T, id, blocks uint8, seed uint64) {
		format := quantised()[int(id)%len(quantFormats)]
		q, r := quantFormats[format], newRand(seed)
		n, k := 1+r.IntN(33), (1+int(blocks%8))*q.elements
		w := make([]byte, n*k/q.elements*q.bytes)
		for i := range w {
			w[i] = byte(r.Uint32())
		}
		want := make([]float32, n*k)
		if err := tensor.Decode(want, format, w); err != nil {
			t.Fatal(err)
		}
		comparePanels(t, q, packed(format, w, n, k), want, n, k)
	})
}

// TestFusedMultiplyAddIsExact compares with arithmetic of any precision.
func TestFusedMultiplyAddIsExact(t *testing.T) {
	r := newRand(32)
	for i := range 400000 {
		number := func(spread int) float32 {
			return math.Float32frombits(r.Uint32()&0x807fffff | uint32(127+r.IntN(spread+1)-spread/2)<<23)
		}
		a, b := number(20), number(20)
		c := number(60)
		if i%2 == 0 { // a midpoint of two neighbours of c, or almost
			a, b = float32(r.IntN(1<<12)+1), float32(r.IntN(1<<12)+1)
			c = float32(math.Ldexp(float64(r.IntN(1<<24)|1<<23), r.IntN(50)-25))
		}
		exact := new(big.Float).SetPrec(400).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		exact.Add(exact, big.NewFloat(float64(c)))
		want, _ := exact.Float32()
		if got := fusedMultiplyAdd(a, b, c); got != want {
			t.Fatalf("%x·%x + %x: got %x, want %x", a, b, c, got, want)
		}
	}
	if got := fusedMultiplyAdd(1e30, 1e30, 1); !math.IsInf(float64(got), 1) {
		t.Errorf("overflow: got %v", got)
	}
	if got := fusedMultiplyAdd(float32(math.Inf(-1)), 1, 1); !math.IsInf(float64(got), -1) {
		t.Errorf("infinity: got %v", got)
	}
}

// activationRows draws rows that try a quantiser: normal ones, products of two (which outliers rule), whole numbers that often lie between two steps, one
// magnitude in all places, and sizes far apart. The first block of all is zeros.
func activationRows(r *rand.Rand, rows, k, ld int) []float32 {
	x := normals(r, rows*ld)
	for i := range rows {
		row := x[i*ld:][:k]
		for p := range row {
			switch i % 5 {
			case 1:
				row[p] *= float32(r.NormFloat64())
			case 2:
				row[p] = float32(r.IntN(509) - 254)
			case 3:
				row[p] = float32(math.Copysign(0.3, float64(row[p])))
			case 4:
				row[p] = float32(math.Ldexp(float64(row[p]), r.IntN(220)-110))
			}
		}
	}
	clear(x[:32])
	return x
}

// activationError is the squared error of a quantised block, and that of the nearest numbers to max|x|/127, over its square.
func activationError(block []uint32, x []float32) (got, plain float64) {
	d, most, size := float64(math.Float32frombits(block[0])), 0.0, 0.0
	for _, v := range x {
		most, size = max(most, math.Abs(float64(v))), size+float64(v)*float64(v)
	}
	for i, v := range x {
		off := float64(v) - d*float64(int8(block[4+i/4]>>(i%4*8)))
		offPlain := float64(v) - most/127*math.RoundToEven(float64(v)*127/most)
		got, plain = got+off*off/size, plain+offPlain*offPlain/size
	}
	return got, plain
}

// TestQuantise: every level has the words of plain Go, sums those of the format; and blocks of normal numbers lose 13 % less than by the nearest numbers to
// their largest magnitude, products 10 %, and none but by the rounding of fine steps more than by those.
func TestQuantise(t *testing.T) {
	eachQuantLevel(t, func(t *testing.T) {
		for _, f := range quantised() {
			q := quantFormats[f]
			const rows = 10
			for _, k := range []int{32, 64, 96, 128, 160, 320, 1536} {
				ldX, ld := k+5, QuantisedLen(k)+3
				x := activationRows(newRand(33), rows, k, ldX)
				got, want := make([]uint32, rows*ld), make([]uint32, rows*ld)
				for i := range got {
					got[i], want[i] = 7, 7
				}
				Quantise(got, ld, f, x, ldX, rows, k)
				quantiseGo(q, want, ld, x, ldX, rows, k)
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%s, k %d: word %d of row %d: got %x, want %x", f, k, i%ld, i/ld, got[i], want[i])
					}
				}
				checkSums(t, q, want, ld, rows, k)
			}
		}
	})
	const rows, k = 5, 32 * 400
	x, words := activationRows(newRand(37), rows, k, k), make([]uint32, rows*QuantisedLen(k))
	Quantise(words, QuantisedLen(k), tensor.Q4_0, x, k, rows, k)
	for i, most := range []float64{0.87, 0.9, 1, 1.001, 1} {
		sum, plainSum := 0.0, 0.0
		for p := 0; p < k; p += 32 {
			block := words[i*QuantisedLen(k)+p/32*quantWords:][:quantWords]
			if block[0] == 0 {
				continue
			}
			got, plain := activationError(block, x[i*k+p:][:32])
			if sum, plainSum = sum+got, plainSum+plain; got > plain*1.02+1e-9 {
				t.Errorf("row %d, block %d: squared error %.4g, want at most %.4g", i, p/32, got, plain)
			}
		}
		if !(sum <= most*plainSum+400e-9) {
			t.Errorf("row %d: squared error %.4g, want at most %g of %.4g", i, sum, most, plainSum)
		}
	}
}

// checkSums holds the sums of quantised blocks against their numbers.
func checkSums(t *testing.T, q *quantFormat, words []uint32, ld, rows, k int) {
	t.Helper()
	for i := range rows * k / 32 {
		block := words[i/(k/32)*ld+i%(k/32)*quantWords:][:quantWords]
		for h := range 2 {
			var sum int32
			for g := h * groups / q.halves; g < (h+1)*groups/q.halves && g < groups; g++ {
				for b := range 4 {
					n := int32(int8(block[4+g] >> (8 * b)))
					if sum += n; n < -127 {
						t.Fatalf("block %d: number %d", i, n)
					}
				}
			}
			want := uint32(-q.zero * sum)
			if q.minima {
				want = math.Float32bits(math.Float32frombits(block[0]) * float32(sum))
			}
			if block[1+h] != want {
				t.Fatalf("block %d: sum %d: got %x, want %x", i, h, block[1+h], want)
			}
		}
	}
}

// FuzzQuantise quantises rows of any bits on every level. Where a block holds what is not finite, its scale is neither; elsewhere all words are those of plain Go.
func FuzzQuantise(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(0), uint8(8))
	f.Add(uint64(2), uint8(8), uint8(4), uint8(0))
	f.Add(uint64(3), uint8(5), uint8(9), uint8(255))
	f.Fuzz(func(t *testing.T, seed uint64, blocks, id, spread uint8) {
		defer setQuantLevel(bestQuantLevel())
		format, r := quantised()[int(id)%len(quantFormats)], newRand(seed)
		k := 32 * (1 + int(blocks)%20)
		x := make([]float32, k)
		for i := range x {
			exponent := 127 - int(spread)/2 + r.IntN(int(spread)+1)
			x[i] = math.Float32frombits(r.Uint32()&0x807fffff | uint32(exponent)<<23)
		}
		got, want := make([]uint32, QuantisedLen(k)), make([]uint32, QuantisedLen(k))
		quantiseGo(quantFormats[format], want, len(want), x, k, 1, k)
		for _, level := range quantLevels() {
			setQuantLevel(level)
			Quantise(got, len(got), format, x, k, 1, k)
			for at := range want {
				p := at / quantWords * quantWords
				if d := math.Float32frombits(want[p]); d-d != 0 {
					if d := math.Float32frombits(got[p]); d-d == 0 {
						t.Fatalf("%s: block %d: scale %v, want none that is finite", level, p/quantWords, d)
					}
				} else if got[at] != want[at] {
					t.Fatalf("%s: block %d, word %d: got %x, want %x", level, p/quantWords, at%quantWords, got[at], want[at])
				}
			}
		}
	})
}

// TestQuantiseSpecials: a block that holds what is not finite gives no finite product, and tiny numbers count as zero.
func TestQuantiseSpecials(t *testing.T) {
	eachQuantLevel(t, func(t *testing.T) {
		w := fileBytes(newRand(34), tensor.Q4_0, 16, 32)
		b, c := packed(tensor.Q4_0, w, 16, 32), make([]float32, 16)
		for _, special := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e-40} {
			x := normals(newRand(35), 32)
			if special == 1e-40 {
				clear(x)
			}
			x[9] = float32(special)
			a := make([]uint32, QuantisedLen(32))
			Quantise(a, len(a), tensor.Q4_0, x, 32, 1, 32)
			GemmQuantised(c, 16, tensor.Q4_0, a, len(a), b, 1, 16, 32, nil, 0, nil)
			for j, y := range c {
				if finite := y-y == 0; finite != (special == 1e-40) || finite && y != 0 {
					t.Errorf("%v: output %d is %v", special, j, y)
				}
			}
		}
	})
}

// quantCase is a product and its operands.
type quantCase struct {
	f       tensor.Format
	m, n, k int
	x       []float32
	a       []uint32
	w, b    []byte
	init    []float32
}

func newQuantCase(f tensor.Format, m, n, k int) *quantCase {
	r := newRand(uint64(1000*m + n + k))
	c := &quantCase{f: f, m: m, n: n, k: k, x: normals(r, m*k), w: fileBytes(r, f, n, k), init: normals(r, m*n)}
	c.b = packed(f, c.w, n, k)
	c.a = make([]uint32, m*QuantisedLen(k))
	Quantise(c.a, QuantisedLen(k), f, c.x, k, m, k)
	return c
}

// rows computes rows lo..hi-1 of columns first..first+n-1 into c [m,n].
func (q *quantCase) rows(c []float32, lo, hi, first, n int, init bool) {
	ld := QuantisedLen(q.k)
	var from []float32
	if init {
		from = q.init[lo*q.n+first:]
	}
	b := q.b[first/PanelWidth*(len(q.b)/((q.n+PanelWidth-1)/PanelWidth)):]
	GemmQuantised(c[lo*q.n+first:], q.n, q.f, q.a[lo*ld:], ld, b, hi-lo, n, q.k, from, q.n, make([]uint32, QuantisedScratch()))
}

func (q *quantCase) all(init bool) []float32 {
	c := make([]float32, q.m*q.n)
	q.rows(c, 0, q.m, 0, q.n, init)
	return c
}

// TestGemmQuantised: the bits of the plain version on every level, which are near the exact product of what the operands stand for.
func TestGemmQuantised(t *testing.T) {
	eachQuantLevel(t, func(t *testing.T) {
		for _, f := range quantised() {
			for _, size := range [][3]int{{1, 16, 256}, {1, 40, 768}, {2, 17, 256}, {3, 33, 512}, {4, 50, 256}, {5, 31, 256}, {6, 32, 1280}, {7, 65, 512}, {13, 48, 256},
				{29, 35, 256 + quantFormats[f].elements}, {1, 1, quantFormats[f].elements}} {
				c := newQuantCase(f, size[0], size[1], size[2])
				for _, init := range []bool{false, true} {
					got, want := c.all(init), make([]float32, c.m*c.n)
					var from []float32
					if init {
						from = c.init
					}
					gemmQuantisedGo(quantFormats[f], want, c.n, c.a, QuantisedLen(c.k), c.b, c.m, c.n, c.k, from, c.n)
					same(t, fmt.Sprintf("%s %v", f, size), got, want)
					c.nearExact(t, got, init)
				}
			}
		}
	})
}

// nearExact compares with the product of the file's weights and the quantised activations in float64.
func (q *quantCase) nearExact(t *testing.T, got []float32, init bool) {
	t.Helper()
	w := make([]float32, q.n*q.k)
	if err := tensor.Decode(w, q.f, q.w); err != nil {
		t.Fatal(err)
	}
	for i := range q.m {
		row := q.a[i*QuantisedLen(q.k):]
		for j := range q.n {
			sum, size := 0.0, 0.0
			if init {
				sum = float64(q.init[i*q.n+j])
			}
			for p := range q.k {
				block := row[p/32*quantWords:]
				a := float64(math.Float32frombits(block[0])) * float64(int8(block[4+p%32/4]>>(p%4*8)))
				sum += a * float64(w[j*q.k+p])
				size += math.Abs(a * float64(w[j*q.k+p]))
			}
			if !(math.Abs(float64(got[i*q.n+j])-sum) <= 1e-6*size+1e-5) {
				t.Fatalf("%s: output %d,%d: got %v, want %v (magnitudes %v)", q.f, i, j, got[i*q.n+j], sum, size)
			}
		}
	}
}

// TestGemmQuantisedIsInvariant: a row's bits depend neither on the rows beside it nor on where columns were cut.
func TestGemmQuantisedIsInvariant(t *testing.T) {
	eachQuantLevel(t, func(t *testing.T) {
		formats, m := quantised(), 64
		if useQuantGo() {
			formats, m = []tensor.Format{tensor.Q4_0, tensor.Q6_K}, 16
		}
		for _, f := range formats {
			c := newQuantCase(f, m, 83, 1024)
			whole := c.all(true)
			for _, step := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 31} {
				got := make([]float32, len(whole))
				for lo := 0; lo < c.m; lo += step {
					for first := 0; first < c.n; first += 48 {
						c.rows(got, lo, min(lo+step, c.m), first, min(48, c.n-first), true)
					}
				}
				same(t, fmt.Sprintf("%s, %d rows at once", f, step), got, whole)
			}
		}
	})
}

// FuzzGemmQuantised multiplies any sizes of any format on every level, into a part of a larger matrix whose other elements keep their bits.
func FuzzGemmQuantised(f *testing.F) {
	for id := range quantised() {
		f.Add(uint8(id), uint8(7*id), uint8(11*id), uint8(id), uint64(id))
	}
	f.Fuzz(func(t *testing.T, id, rows, columns, blocks uint8, seed uint64) {
		defer setQuantLevel(bestQuantLevel())
		format, r := quantised()[int(id)%len(quantFormats)], newRand(seed)
		q := quantFormats[format]
		m, n, k := 1+int(rows)%29, 1+int(columns)%41, (1+int(blocks)%(2048/q.elements))*q.elements
		lda, ldc := QuantisedLen(k)+r.IntN(5), n+r.IntN(5)
		a, b, init := make([]uint32, m*lda), packed(format, fileBytes(r, format, n, k), n, k), normals(r, m*ldc)
		Quantise(a, lda, format, normals(r, m*k), k, m, k)
		want := append([]float32(nil), init...)
		gemmQuantisedGo(q, want, ldc, a, lda, b, m, n, k, want, ldc)
		for _, level := range quantLevels() {
			setQuantLevel(level)
			got := append([]float32(nil), init...)
			GemmQuantised(got, ldc, format, a, lda, b, m, n, k, got, ldc, make([]uint32, QuantisedScratch()))
			same(t, fmt.Sprintf("%s %s %dx%dx%d", level, format, m, n, k), got, want)
		}
	})
}

// bytesOf is the same memory as bytes.
func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}
