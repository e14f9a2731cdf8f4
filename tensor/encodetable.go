package tensor

import (
	"encoding/binary"
	"math"
)

// tableTries is how many inverse scales are tried on either side of the obvious
// one (ggml's quantize_iq4_nl).
const tableTries = 7

// nearestLevel returns the place of the level nearest to x in the ascending
// table, the upper of two that are equally near.
func nearestLevel(x float32) byte {
	x = float32(x) // not fused with the differences below
	low, high := 0, len(nonlinear)-1
	switch {
	case x <= nonlinear[low]:
		return byte(low)
	case x >= nonlinear[high]:
		return byte(high)
	}
	for high-low > 1 {
		if middle := (low + high) / 2; x < nonlinear[middle] {
			high = middle
		} else {
			low = middle
		}
	}
	if x-nonlinear[low] < nonlinear[high]-x {
		return byte(low)
	}
	return byte(high)
}

// nonlinearScale finds the scale d of x = d*level with the given weights, or x²
// for each number where they are nil.
func nonlinearScale(x, weights []float32) (d float32) {
	largest := extreme(x)
	if abs(largest) < tinyGroup {
		return 0
	}
	sums := func(inverse float32) (xq, qq float32) {
		for i, v := range x {
			q, w := nonlinear[nearestLevel(inverse*v)], v*v
			if weights != nil {
				w = weights[i]
			}
			xq += float32(w * q * v)
			qq += float32(w * q * q)
		}
		return xq, qq
	}
	xq, qq := sums(1 / (-largest / nonlinear[0]))
	if qq > 0 {
		d = xq / qq
	}
	best := d * xq
	for try := -tableTries; try <= tableTries; try++ {
		xq, qq := sums((float32(try) + nonlinear[0]) / largest)
		if qq > 0 && xq*xq > best*qq {
			d = xq / qq
			best = d * xq
		}
	}
	return d
}

// putLevels stores the levels nearest to 32 numbers times inverse.
func putLevels(dst []byte, x []float32, inverse float32) {
	for j := range block / 2 {
		dst[j] = nearestLevel(inverse*x[j]) | nearestLevel(inverse*x[j+block/2])<<4
	}
}

func encodeIQ4_NL(dst []byte, src []float32) { encodeIQ4_NLBy(dst, src, nil) }

func encodeIQ4_NLBy(dst []byte, src, importance []float32) {
	const size = 2 + block/2
	for ; len(src) > 0; src, dst = src[block:], dst[size:] {
		d := nonlinearScale(src[:block], spread(nil, src[:block], importance, 2))
		putF16(dst, d)
		putLevels(dst[2:], src, inverseOf(d))
		if importance != nil {
			importance = importance[block:]
		}
	}
}

func encodeIQ4_XS(dst []byte, src []float32) { encodeIQ4_XSBy(dst, src, nil) }

func encodeIQ4_XSBy(dst []byte, src, importance []float32) {
	const size = 2 + 2 + 4 + superBlock/2
	for ; len(src) > 0; src, dst = src[superBlock:], dst[size:] {
		var scales [superBlock / block]float32
		weights := spread(nil, src[:superBlock], importance, 2)
		for i := range scales {
			var own []float32
			if weights != nil {
				own = weights[block*i:][:block]
			}
			scales[i] = nonlinearScale(src[block*i:][:block], own)
		}
		if importance != nil {
			importance = importance[superBlock:]
		}
		d := -extreme(scales[:]) / 32
		putF16(dst, d)
		inverse := inverseOf(d)
		clear(dst[2:8])
		var high uint16
		for i, s := range scales {
			stored := clamp(nearest(inverse*s), -32, 31)
			// The scale before it is rounded to F16, as in the reference.
			putLevels(dst[8+block/2*i:], src[block*i:], inverseOf(d*float32(stored)))
			dst[4+i/2] |= byte(stored+32) & 15 << (i % 2 * 4)
			high |= uint16(stored+32) >> 4 << (2 * i)
		}
		binary.LittleEndian.PutUint16(dst[2:], high)
	}
}

// encodeMXFP4 takes the power of two under which the largest number lies among
// the largest levels, and then the nearest level of each number, the first of
// two that are equally near.
func encodeMXFP4(dst []byte, src []float32) {
	const size = 1 + block/2
	for ; len(src) > 0; src, dst = src[block:], dst[size:] {
		dst[0] = 0
		if largest := abs(extreme(src[:block])); largest > 0 {
			_, exponent := math.Frexp(float64(largest))
			dst[0] = byte(clamp(exponent-1-2+127, 0, 254))
		}
		d := halfE8M0(dst[0])
		for j := range block / 2 {
			dst[1+j] = nearestE2M1(src[j], d) | nearestE2M1(src[j+block/2], d)<<4
		}
	}
}

func nearestE2M1(x, d float32) (code byte) {
	best := abs(float32(doubledE2M1[0]*d) - x)
	for i, level := range doubledE2M1[1:] {
		if distance := abs(float32(level*d) - x); distance < best {
			code, best = byte(i+1), distance
		}
	}
	return code
}
