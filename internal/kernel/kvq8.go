package kernel

import (
	"math"
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// octets is the memory of x as bytes.
func octets(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// q8Head is a head's part of a block in Q8_0, see BlockFloats.
type q8Head struct {
	keys, values           []byte
	keyScales, valueScales []uint16
}

// newQ8Head reads the layout of b, which is aligned to 4 bytes.
func newQ8Head(b []byte, headSize int) q8Head {
	n := headSize * BlockTokens
	scales := unsafe.Slice((*uint16)(unsafe.Pointer(&b[2*n])), 2*n/blockSize)
	return q8Head{b[:n], b[n : 2*n], scales[:n/blockSize], scales[n/blockSize:]}
}

// writeBytes is writeFloats for Q8_0.
func writeBytes(b []byte, offset int, key, value []float32) {
	head := newQ8Head(b, len(key))
	groups := len(key) / blockSize
	var rounded [blockSize]byte
	for g := range groups {
		head.keyScales[g*BlockTokens+offset] = roundGroup(&rounded, (*[blockSize]float32)(key[g*blockSize:]))
		keys := head.keys[g*blockSize*BlockTokens:][:blockSize*BlockTokens]
		for i, x := range rounded {
			keys[i*BlockTokens+offset] = x
		}
		to := (*[blockSize]byte)(head.values[offset*len(key)+g*blockSize:])
		head.valueScales[offset*groups+g] = roundGroup(to, (*[blockSize]float32)(value[g*blockSize:]))
	}
}

// roundGroup writes the numbers of from divided by their scale, halves away from zero, and returns the scale in F16: 1/127 of the greatest magnitude.
func roundGroup(to *[blockSize]byte, from *[blockSize]float32) uint16 {
	const positive, infinity, halfNaN = 1<<31 - 1, 0x7f800000, 0x7e00
	var most uint32 // the bits of magnitudes are in their order, with NaN on top
	for _, x := range from {
		most = max(most, math.Float32bits(x)&positive)
	}
	scale := math.Float32frombits(most) / 127
	half := tensor.F16FromFloat(scale)
	if most >= infinity || half >= 0x7c00 {
		clear(to[:])
		return halfNaN
	}
	inverse := 1 / scale
	if inverse > math.MaxFloat32 {
		inverse = 0
	}
	for i, x := range from {
		// In float64 the sum is exact, so that truncating it rounds.
		y := float64(x * inverse)
		to[i] = byte(int32(y + math.Copysign(0.5, y)))
	}
	return half
}

// scaled is part for Q8_0.
func (c *headCache) scaled(index, skip int) []float32 {
	k := c.headSize
	head := newQ8Head(octets(c.kv)[int(c.table[index])*c.blockNumbers+c.head*headNumbers(tensor.Q8_0, k):], k)
	wide := c.wide[:k*BlockTokens]
	if skip > 0 {
		for i, x := range head.values {
			wide[i] = float32(int8(x)) * tensor.FloatFromF16(head.valueScales[i/blockSize])
		}
		return wide
	}
	for i, x := range head.keys {
		wide[i] = float32(int8(x)) * tensor.FloatFromF16(head.keyScales[i/BlockTokens/blockSize*BlockTokens+i%BlockTokens])
	}
	return wide
}
