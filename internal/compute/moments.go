package compute

import (
	"math"
	"slices"
)

// momentBlock is the number of moments that share a scale (Dettmers et al. 2022, arXiv:2110.02861, section 2.1).
const momentBlock = 2048

// momentCode is the 256 values between -1 and 1, or 0 and 1, that a moment over its block's largest can have: dynamic
// tree quantisation (as above, section 1.3). Level i of 7 lies between 10^(i-7) and 10^(i-6), cut into 2^i equal parts, or 2^(i+1)
// without a sign, whose middles are values; 0 and 1 are added.
type momentCode struct {
	values  [256]float32 // ascending
	borders [255]float32 // halfway between neighbours
	zero    uint8        // the code of 0
	// start is the number of borders at or below all numbers between -1 and 1 with a sign and these upper 15 bits behind it.
	start [2][startBits]uint8
}

// startBits is one more than the upper 16 bits of 1.
const startBits = 0x3f80 + 1

func newMomentCode(signed bool) *momentCode {
	list := []float64{0, 1}
	for i := range 7 {
		parts := 2 << i
		if signed {
			parts = 1 << i
		}
		for j := range parts {
			x := math.Pow(10, float64(i-6)) * (0.1 + 0.9*(float64(j)+0.5)/float64(parts))
			list = append(list, x)
			if signed {
				list = append(list, -x)
			}
		}
	}
	slices.Sort(list)
	c := &momentCode{zero: uint8(slices.Index(list, 0))}
	for i, x := range list {
		c.values[i] = float32(x)
		if i > 0 {
			c.borders[i-1] = float32((x + list[i-1]) / 2)
		}
	}
	for bits := range startBits {
		c.start[0][bits] = c.below(math.Float32frombits(uint32(bits) << 16))
		c.start[1][bits] = c.below(-math.Float32frombits(uint32(bits)<<16 | 0xffff))
	}
	return c
}

// below is the number of borders at or below v.
func (c *momentCode) below(v float32) uint8 {
	n := 0
	for n < len(c.borders) && c.borders[n] <= v {
		n++
	}
	return uint8(n)
}

// encode writes the codes of x, at most one block, and returns their scale. With up, what is above zero stays above it.
func (c *momentCode) encode(codes []uint8, x []float32, up bool) (scale float32) {
	for _, v := range x {
		scale = max(scale, float32(math.Abs(float64(v))))
	}
	for i, v := range x {
		codes[i] = c.zero
		if v == 0 {
			continue
		}
		v /= scale
		bits := math.Float32bits(v)
		code := c.start[bits>>31][min(bits&(1<<31-1)>>16, startBits-1)] // a moment that overflowed gives NaN here
		for code < 255 && c.borders[code] <= v {
			code++
		}
		if up && code == c.zero {
			code++
		}
		codes[i] = code
	}
	return scale
}

func (c *momentCode) decode(x []float32, codes []uint8, scale float32) {
	for i, code := range codes {
		x[i] = c.values[code] * scale
	}
}

// moments8 are the moments of AdamW in 8 bits each and 32 for each block. A second moment is never rounded to zero, where
// the paper's are: a first moment over the root of nothing would be a step without bound.
type moments8 struct {
	signed, unsigned *momentCode
	m, v             []uint8
	mScale, vScale   []float32
	scratch          [][]float32 // per worker, of two chunks
}

func newMoments8(threads, size, blocks int) *moments8 {
	s := &moments8{signed: newMomentCode(true), unsigned: newMomentCode(false)}
	s.m, s.v = slices.Repeat([]uint8{s.signed.zero}, size), slices.Repeat([]uint8{s.unsigned.zero}, size)
	s.mScale, s.vScale = make([]float32, blocks), make([]float32, blocks)
	for range threads {
		s.scratch = append(s.scratch, Floats(2*optimizerChunk))
	}
	return s
}

// blocksOf is the number of blocks of n moments.
func blocksOf(n int) int { return (n + momentBlock - 1) / momentBlock }

// load returns a span's moments as floats; store writes them back.
func (s *moments8) load(worker int, at span) (m, v []float32) {
	n := at.hi - at.lo
	m, v = s.scratch[worker][:n], s.scratch[worker][optimizerChunk:optimizerChunk+n]
	for b := range blocksOf(n) {
		lo, hi := b*momentBlock, min((b+1)*momentBlock, n)
		s.signed.decode(m[lo:hi], s.m[at.lo+lo:at.lo+hi], s.mScale[at.block+b])
		s.unsigned.decode(v[lo:hi], s.v[at.lo+lo:at.lo+hi], s.vScale[at.block+b])
	}
	return m, v
}

func (s *moments8) store(m, v []float32, at span) {
	n := at.hi - at.lo
	for b := range blocksOf(n) {
		lo, hi := b*momentBlock, min((b+1)*momentBlock, n)
		s.mScale[at.block+b] = s.signed.encode(s.m[at.lo+lo:at.lo+hi], m[lo:hi], false)
		s.vScale[at.block+b] = s.unsigned.encode(s.v[at.lo+lo:at.lo+hi], v[lo:hi], true)
	}
}
