package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

var (
	kvHalves = []tensor.Format{tensor.BF16, tensor.F16}
	kvSmall  = []tensor.Format{tensor.BF16, tensor.F16, tensor.Q8_0}
)

// roundedKV is x, of which rows of width begin ld apart, rounded to a format and widened by the functions of package tensor.
func roundedKV(f tensor.Format, x []float32, ld, width int) []float32 {
	y := make([]float32, len(x))
	if f == tensor.Q8_0 {
		for ; len(x) >= width; x = x[min(ld, len(x)):] {
			elements, bytes := f.Block()
			encoded := make([]byte, width/elements*bytes)
			if err := tensor.Encode(encoded, f, x[:width]); err != nil {
				panic(err)
			}
			if err := tensor.Decode(y[len(y)-len(x):][:width], f, encoded); err != nil {
				panic(err)
			}
		}
		return y
	}
	for i, v := range x {
		if f == tensor.F16 {
			y[i] = tensor.FloatFromF16(tensor.F16FromFloat(v))
		} else {
			y[i] = tensor.FloatFromBF16(tensor.BF16FromFloat(v))
		}
	}
	return y
}

// in is c with a cache of numbers of another format.
func (c *attentionCase) in(f tensor.Format) *attentionCase {
	h := *c
	h.format = f
	h.cache = filled(2*len(c.table)*BlockFloats(f, c.kvHeads, c.headSize), math.Float32frombits(math.MaxUint32)) // NaN in every format
	KVWrite(h.cache, f, c.slots(), c.k(), c.v(), c.ld, c.n, c.kvHeads, c.headSize)
	return &h
}

// rounded is c with keys and values that a format of 16 or 8 bits can hold, in float32.
func (c *attentionCase) rounded(f tensor.Format) *attentionCase {
	r := *c
	r.cache = filled(len(c.cache), nan)
	width := c.kvHeads * c.headSize
	KVWrite(r.cache, tensor.F32, c.slots(), roundedKV(f, c.k(), c.ld, width), roundedKV(f, c.v(), c.ld, width), c.ld, c.n, c.kvHeads, c.headSize)
	return &r
}

// TestAttentionRounded: over numbers of 16 or 8 bits attention has the bits that it has over the same values in float32, for all rows at once, one at a
// time, and some.
func TestAttentionRounded(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, c := range append([]*attentionCase{newAttentionCase(70, 12, 2, 128), newAttentionCase(40, 7, 1, 62), newAttentionCase(280, 5, 1, 96)}, attentionCases...) {
			for _, f := range kvSmall {
				if badKVFormat(f, c.headSize) {
					continue
				}
				width := c.heads * c.headSize
				want, wantLSE := c.rounded(f).run(0, c.n, width)
				h := c.in(f)
				for _, step := range []int{c.n, 1, 7, 32} {
					for pos := 0; pos < c.n; pos += step {
						rows := min(step, c.n-pos)
						got, lse := h.run(pos, rows, width)
						what := fmt.Sprintf("%s %s: %d rows from %d", f, c, rows, pos)
						wantSame(t, what, got, want[pos*width:(pos+rows)*width])
						wantSame(t, what+" lse", lse, wantLSE[pos*c.heads:(pos+rows)*c.heads])
					}
				}
			}
		}
	})
}

// TestKVWriteHalves reads each slot back from the layout that the documentation gives, and finds nothing else written. A head of 140 is written in two
// pieces.
func TestKVWriteHalves(t *testing.T) {
	const kvHeads, rows = 3, 4
	eachLevel(t, func(t *testing.T) {
		for _, headSize := range []int{2, 6, 16, 140} {
			for _, f := range kvHalves {
				ld := kvHeads*headSize + 1
				k, v := normals(newRand(5), rows*ld), normals(newRand(6), rows*ld)
				slots := []int32{17, 0, 15, 47}
				blockFloats := BlockFloats(f, kvHeads, headSize)
				if blockFloats != 3*headSize*16 {
					t.Fatalf("BlockFloats(%s, 3, %d): got %d, want %d", f, headSize, blockFloats, 3*headSize*16)
				}
				kv, want := filled(3*blockFloats, nan), filled(3*blockFloats, nan)
				KVWrite(kv, f, slots, k, v, ld, rows, kvHeads, headSize)
				for row, slot := range slots {
					for g := range kvHeads {
						for i := range headSize {
							head := halves(want)[int(slot)/16*2*blockFloats+g*2*headSize*16:]
							roundNumbersGo(head[i*16+int(slot)%16:][:1], f, k[row*ld+g*headSize+i:][:1])
							roundNumbersGo(head[headSize*16+int(slot)%16*headSize+i:][:1], f, v[row*ld+g*headSize+i:][:1])
						}
					}
				}
				wantSame(t, fmt.Sprintf("%s cache, heads of %d", f, headSize), kv, want)
			}
		}
	})
}

// TestKVWriteQ8 reads each slot back from the layout that the documentation gives, and finds nothing else written. Infinities, NaN and what is too
// large become NaN together with their group, what is tiny becomes 0.
func TestKVWriteQ8(t *testing.T) {
	const kvHeads, headSize, rows = 2, 96, 4
	const ld, perHead = kvHeads*headSize + 1, 34 * headSize
	k, v := normals(newRand(5), rows*ld), normals(newRand(6), rows*ld)
	for i, x := range []float32{nan, float32(math.Inf(-1)), 127 * 65536, 127 * 65500, -1e-30} {
		k[i*blockSize+7], v[ld+i*blockSize] = x, x
	}
	clear(v[2*ld:][:blockSize])
	v[2*ld+3], v[2*ld+4], v[2*ld+5] = 127, 0.5, -1.5
	slots := []int32{17, 0, 15, 47}
	if got, want := BlockFloats(tensor.Q8_0, kvHeads, headSize), kvHeads*perHead/4; got != want {
		t.Fatalf("BlockFloats: got %d, want %d", got, want)
	}
	untouched := math.Float32frombits(0xfefefefe)
	eachLevel(t, func(t *testing.T) {
		kv, want := filled(3*kvHeads*perHead/4, untouched), filled(3*kvHeads*perHead/4, untouched)
		KVWrite(kv, tensor.Q8_0, slots, k, v, ld, rows, kvHeads, headSize)
		wantQ8 := func(x []float32, put func(group int, scale uint16), number func(i int, b byte)) {
			for group := range headSize / 32 {
				encoded, scale := make([]byte, 34), uint16(0x7e00)
				if !slices.ContainsFunc(x[group*32:][:32], func(x float32) bool { return !(math.Abs(float64(x)) <= 127*65504) }) {
					if err := tensor.Encode(encoded, tensor.Q8_0, x[group*32:][:32]); err != nil {
						t.Fatal(err)
					}
					scale = uint16(encoded[0]) | uint16(encoded[1])<<8
				}
				put(group, scale)
				for i, b := range encoded[2:] {
					number(group*32+i, b)
				}
			}
		}
		for row, slot := range slots {
			at := int(slot) % 16
			for g := range kvHeads {
				head := octets(want)[(int(slot)/16*kvHeads+g)*perHead:][:perHead]
				scales := halves(want)[(int(slot)/16*kvHeads+g)*perHead/2+16*headSize:][:headSize]
				wantQ8(k[row*ld+g*headSize:][:headSize], func(group int, scale uint16) { scales[group*16+at] = scale }, func(i int, b byte) { head[i*16+at] = b })
				wantQ8(v[row*ld+g*headSize:][:headSize], func(group int, scale uint16) { scales[headSize/2+at*headSize/32+group] = scale },
					func(i int, b byte) { head[16*headSize+at*headSize+i] = b })
			}
		}
		for i, got := range octets(kv) {
			if want := octets(want)[i]; got != want {
				t.Fatalf("byte %d of the cache: got %d, want %d", i, got, want)
			}
		}
	})
}

// TestRoundNumbers: every level rounds as package tensor does, NaN and denormals included.
func TestRoundNumbers(t *testing.T) {
	r := newRand(7)
	var x []float32
	for exponent := range uint32(256) {
		for _, fraction := range []uint32{0, 1, 0xfff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x7fff, 0x8000, 0x8001, 0x18000, 0x400000, 0x7fefff, 0x7ff000, 0x7f8000, 0x7fffff, r.Uint32() >> 9} {
			x = append(x, math.Float32frombits(exponent<<23|fraction), math.Float32frombits(1<<31|exponent<<23|fraction))
		}
	}
	for range 4000 {
		x = append(x, math.Float32frombits(r.Uint32()))
	}
	eachLevel(t, func(t *testing.T) {
		for _, f := range kvHalves {
			for n := 2; n <= 66; n += 2 {
				for start := 0; start+n <= len(x); start += n {
					got, want := make([]uint16, n+1), make([]uint16, n+1)
					got[n], want[n] = 7, 7
					roundNumbers(got[:n], f, x[start:start+n])
					roundNumbersGo(want[:n], f, x[start:start+n])
					for i := range got {
						if got[i] != want[i] {
							t.Fatalf("%s, %d numbers: %v (%#x) becomes %#x, want %#x", f, n, x[start+i], math.Float32bits(x[start+i]), got[i], want[i])
						}
					}
				}
			}
		}
	})
}

// BenchmarkAttentionFormats times decoding at a depth and a piece of a prompt with the heads of R1-Distill-Qwen-1.5B.
func BenchmarkAttentionFormats(b *testing.B) {
	const n = 4096
	c := newAttentionCase(n, 12, 2, 128)
	for _, f := range []tensor.Format{tensor.F32, tensor.BF16, tensor.F16, tensor.Q8_0} {
		h := c
		if f != tensor.F32 {
			h = c.in(f)
		}
		for _, rows := range []int{1, 32} {
			out := make([]float32, rows*12*128)
			scratch := make([]float32, AttentionScratch(12, 2, 128))
			b.Run(fmt.Sprintf("%s/rows=%d", f, rows), func(b *testing.B) {
				benchmarkLevels(b, func(b *testing.B) {
					seconds := best(b, func() {
						for g := range 2 {
							Attention(out, 12*128, nil, h.q(), h.ld, h.cache, f, h.table, rows, n-rows, g, 12, 2, 128, h.scale, scratch)
						}
					})
					b.ReportMetric(seconds*1e6/float64(rows), "us/row")
				})
			})
		}
	}
}
