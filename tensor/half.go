package tensor

import "math"

// FloatFromBF16 widens a bfloat16, exactly.
func FloatFromBF16(bits uint16) float32 {
	return math.Float32frombits(uint32(bits) << 16)
}

// BF16FromFloat rounds to the nearest bfloat16, ties to even. NaN stays a quiet
// NaN with its sign; a number that rounds beyond the range becomes an infinity.
func BF16FromFloat(x float32) uint16 {
	bits := math.Float32bits(x)
	if x != x {
		// Rounding could carry a NaN's fraction into infinity or into the sign.
		return uint16(bits>>16) | 0x0040
	}
	isOdd := bits >> 16 & 1
	return uint16((bits + 0x7fff + isOdd) >> 16)
}

// FloatFromF16 widens a binary16, exactly; NaN keeps its payload.
func FloatFromF16(bits uint16) float32 {
	sign := uint32(bits&0x8000) << 16
	exponent := uint32(bits >> 10 & 0x1f)
	fraction := uint32(bits & 0x3ff)
	switch exponent {
	case 0: // zero or subnormal: fraction * 2^-24
		magnitude := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(magnitude))
	case 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// F16FromFloat rounds to the nearest binary16, ties to even. NaN stays a quiet
// NaN with its sign; a number that rounds beyond 65504 becomes an infinity.
func F16FromFloat(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	exponent := int(bits>>23&0xff) - 127
	fraction := bits & 0x7fffff
	switch {
	case exponent == 128: // infinity or NaN
		if fraction != 0 {
			return sign | 0x7e00 | uint16(fraction>>13)
		}
		return sign | 0x7c00
	case exponent > 15:
		return sign | 0x7c00
	case exponent >= -14:
		// A carry out of the fraction moves into the exponent, and from the
		// largest exponent into infinity: both are the right result.
		return sign | uint16(roundShift(uint32(exponent+15)<<23|fraction, 13))
	case exponent >= -25:
		// Subnormal: the leading one becomes visible and the unit is 2^-24.
		return sign | uint16(roundShift(1<<23|fraction, uint(-exponent-1)))
	}
	return sign
}

// roundShift returns x / 2^shift rounded to the nearest integer, ties to even.
// shift is at least 1 and at most 24.
func roundShift(x uint32, shift uint) uint32 {
	half := uint32(1) << (shift - 1)
	isOdd := x >> shift & 1
	return (x + half - 1 + isOdd) >> shift
}
