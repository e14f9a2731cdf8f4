package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

var kvHalves = []tensor.Format{tensor.BF16, tensor.F16}

// roundedKV is x rounded to a format of 16 bits and widened, by the functions of package tensor.
func roundedKV(f tensor.Format, x []float32) []float32 {
	y := make([]float32, len(x))
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

// rounded is c with keys and values that a format of 16 bits can hold, in float32.
func (c *attentionCase) rounded(f tensor.Format) *attentionCase {
	r := *c
	r.cache = filled(len(c.cache), nan)
	KVWrite(r.cache, tensor.F32, c.slots(), roundedKV(f, c.k()), roundedKV(f, c.v()), c.ld, c.n, c.kvHeads, c.headSize)
	return &r
}

// TestAttentionHalves: over numbers of 16 bits attention has the bits that it has over the same values in float32, for all rows at once, one at a time,
// and some.
func TestAttentionHalves(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, c := range append([]*attentionCase{newAttentionCase(70, 12, 2, 128), newAttentionCase(40, 7, 1, 62)}, attentionCases...) {
			if c.headSize%2 != 0 {
				continue
			}
			for _, f := range kvHalves {
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
	for _, f := range []tensor.Format{tensor.F32, tensor.BF16, tensor.F16} {
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
