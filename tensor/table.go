package tensor

import (
	"encoding/binary"
	"math"
)

// nonlinear are the 16 numbers of IQ4_NL and IQ4_XS, closer together near zero,
// where weights are (ggml-common.h, kvalues_iq4nl).
var nonlinear = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// doubledE2M1 are the 16 numbers of E2M1, times 2 so that they are whole.
var doubledE2M1 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// decodeIQ4_NL reads d, then 16 bytes of nibbles.
func decodeIQ4_NL(dst []float32, src []byte) {
	const size = 2 + block/2
	for ; len(dst) > 0; dst, src = dst[block:], src[size:] {
		lookUp(dst[:block], src[2:size], scaleF16(src), &nonlinear)
	}
}

// lookUp reads 16 bytes of nibbles into 32 numbers, each the table's times d.
func lookUp(out []float32, q []byte, d float32, table *[16]float32) {
	out = out[:block]
	for j, b := range q[:block/2] {
		out[j] = d * table[b&15]
		out[j+block/2] = d * table[b>>4]
	}
}

// decodeIQ4_XS reads d, the upper 2 bits of 8 scales, their lower 4 bits, then
// 8 blocks of 16 bytes of nibbles. A scale has an offset of 32.
func decodeIQ4_XS(dst []float32, src []byte) {
	const size = 2 + 2 + 4 + superBlock/2
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[size:] {
		d, high, low, q := scaleF16(src), binary.LittleEndian.Uint16(src[2:]), src[4:8], src[8:size]
		for i := range superBlock / block {
			scale := int(low[i/2]>>(4*(i%2))&15) | int(high>>(2*i)&3)<<4
			lookUp(dst[block*i:], q[block/2*i:], d*float32(scale-32), &nonlinear)
		}
	}
}

// decodeMXFP4 reads a shared exponent, then 16 bytes of nibbles in E2M1.
func decodeMXFP4(dst []float32, src []byte) {
	const size = 1 + block/2
	for ; len(dst) > 0; dst, src = dst[block:], src[size:] {
		lookUp(dst[:block], src[1:size], halfE8M0(src[0]), &doubledE2M1)
	}
}

// halfE8M0 is half the power of two 2^(e-127). The two smallest are below the
// range of normal numbers. The specification's NaN, 255, is 2^127 here as in
// ggml.
func halfE8M0(e byte) float32 {
	if e < 2 {
		return math.Float32frombits(0x00200000 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}
