package tensor

import "math"

// encodeQ2_K and the others first find the scale of each sub-block, then store
// these scales in a few bits, and then take each number's nearest level under
// the scale that will be read (ggml's quantize_row_q2_K_ref and its relatives).
func encodeQ2_K(dst []byte, src []float32) {
	const size = 16 + 64 + 4
	for ; len(src) > 0; src, dst = src[superBlock:], dst[size:] {
		var codes [superBlock]byte
		var scales, minima [16]float32
		var weights [16]float32
		for i := range scales {
			x := src[16*i:][:16]
			for j, v := range x {
				weights[j] = abs(v)
			}
			scales[i], minima[i] = affine(codes[16*i:][:16], x, weights[:], 3, ladder{first: -0.5, step: 0.1, steps: 15, isAbsolute: true})
		}
		top, topMinimum := largestOf(scales[:]), largestOf(minima[:])
		clear(dst[:16])
		if top > 0 {
			for i, s := range scales {
				dst[i] = byte(nearest(15 / top * s))
			}
		}
		if topMinimum > 0 {
			for i, m := range minima {
				dst[i] |= byte(nearest(15/topMinimum*m) << 4)
			}
		}
		putF16(dst[80:], top/15)
		putF16(dst[82:], topMinimum/15)
		finishQ2_K(dst, &codes, src)
	}
}

// finishQ2_K takes the levels under the scales and minima that dst holds already.
func finishQ2_K(dst []byte, codes *[superBlock]byte, src []float32) {
	d, dmin := scaleF16(dst[80:]), scaleF16(dst[82:])
	for i, s := range dst[:16] {
		requantize(codes[16*i:][:16], src[16*i:], d*float32(s&15), dmin*float32(s>>4), 0, 3)
	}
	packCrumbs(dst[16:80], codes)
}

// largestOf is the largest number, at least 0.
func largestOf(x []float32) (largest float32) {
	for _, v := range x {
		largest = max(largest, v)
	}
	return largest
}

// requantize sets each code to the nearest level of code = (x+minimum)/d, from
// low to high, counted from 0. With a scale of 0 the codes stay as they are.
func requantize(codes []byte, x []float32, d, minimum float32, low, high int) {
	if d == 0 {
		return
	}
	for i := range codes {
		codes[i] = byte(clamp(nearest((x[i]+float32(minimum))/d), low, high) - low)
	}
}

// packCrumbs puts the lower two bits of the codes into 64 bytes, as Q2_K and Q3_K
// have them.
func packCrumbs(dst []byte, codes *[superBlock]byte) {
	for half := range 2 {
		c := codes[128*half:]
		for j := range 32 {
			dst[32*half+j] = c[j]&3 | c[j+32]&3<<2 | c[j+64]&3<<4 | c[j+96]&3<<6
		}
	}
}

func encodeQ3_K(dst []byte, src []float32) {
	const size = 32 + 64 + 12 + 2
	for ; len(src) > 0; src, dst = src[superBlock:], dst[size:] {
		var codes [superBlock]byte
		var scales [16]float32
		for i := range scales {
			scales[i] = symmetric3(codes[16*i:][:16], src[16*i:][:16])
		}
		var d float32
		var stored [16]int
		if largest := extreme(scales[:]); largest != 0 {
			inverse := -32 / largest
			d = 1 / inverse
			for i, s := range scales {
				stored[i] = clamp(int(int8(nearest(inverse*s))), -32, 31)
			}
		} else {
			for i := range stored {
				stored[i] = -32 // what zero bytes mean
			}
		}
		putF16(dst[108:], d)
		finishQ3_K(dst, &codes, src, &stored)
	}
}

// finishQ3_K stores the scales, from -32 to 31, and takes the levels under them and the scale of the
// super-block that dst holds already.
func finishQ3_K(dst []byte, codes *[superBlock]byte, src []float32, stored *[16]int) {
	packed := dst[96:108]
	clear(packed)
	d := scaleF16(dst[108:])
	for i, s := range stored {
		six := byte(s + 32)
		packed[i%8] |= six & 15 << (i / 8 * 4)
		packed[8+i%4] |= six >> 4 << (i / 4 * 2)
		requantize(codes[16*i:][:16], src[16*i:], d*float32(s), 0, -4, 3)
	}
	clear(dst[:32])
	for i, c := range codes {
		dst[i%32] |= c >> 2 << (i / 32)
	}
	packCrumbs(dst[32:96], codes)
}

// encodeScaleMinimum is what Q4_K and Q5_K have in common: it writes d, dmin and
// the 12 bytes of scales and minima, and sets the codes, from 0 to top.
func encodeScaleMinimum(dst []byte, codes *[superBlock]byte, src []float32, top int, l ladder) {
	var scales, minima [8]float32
	var weights [block]float32
	for i := range scales {
		x := src[block*i:][:block]
		var squares float32
		for _, v := range x {
			squares += float32(v * v)
		}
		mean := float32(math.Sqrt(float64(squares / block)))
		for j, v := range x {
			weights[j] = mean + abs(v)
		}
		scales[i], minima[i] = affine(codes[block*i:][:block], x, weights[:], top, l)
	}
	topScale, topMinimum := largestOf(scales[:]), largestOf(minima[:])
	var inverse, inverseMinimum float32
	if topScale > 0 {
		inverse = 63 / topScale
	}
	if topMinimum > 0 {
		inverseMinimum = 63 / topMinimum
	}
	var s, m [8]byte
	for i := range scales {
		s[i] = min(63, byte(nearest(inverse*scales[i])))
		m[i] = min(63, byte(nearest(inverseMinimum*minima[i])))
	}
	putF16(dst, topScale/63)
	putF16(dst[2:], topMinimum/63)
	finishScaleMinimum(dst, codes, src, top, &s, &m)
}

// finishScaleMinimum stores scales and minima, from 0 to 63, and takes the levels under them and the
// two numbers of the super-block that dst holds already.
func finishScaleMinimum(dst []byte, codes *[superBlock]byte, src []float32, top int, scales, minima *[8]byte) {
	packed := dst[4:16]
	for i, s := range scales {
		m := minima[i]
		if i < 4 {
			packed[i], packed[i+4] = s, m
			continue
		}
		packed[i+4] = s&15 | m<<4
		packed[i-4] |= s >> 4 << 6
		packed[i] |= m >> 4 << 6
	}
	d, dmin := scaleF16(dst), scaleF16(dst[2:])
	for i := range scales {
		s, m := scaleMinimum(packed, i)
		requantize(codes[block*i:][:block], src[block*i:], d*float32(s), dmin*float32(m), 0, top)
	}
}

func encodeQ4_K(dst []byte, src []float32) {
	const size = 4 + 12 + 128
	for ; len(src) > 0; src, dst = src[superBlock:], dst[size:] {
		var codes [superBlock]byte
		encodeScaleMinimum(dst, &codes, src, 15, ladder{first: -1, step: 0.1, steps: 20})
		packQ4_K(dst, &codes)
	}
}

func packQ4_K(dst []byte, codes *[superBlock]byte) {
	for i := range 128 {
		pair := codes[i/32*64+i%32:]
		dst[16+i] = pair[0] | pair[32]<<4
	}
}

func encodeQ5_K(dst []byte, src []float32) {
	const size = 4 + 12 + 32 + 128
	for ; len(src) > 0; src, dst = src[superBlock:], dst[size:] {
		var codes [superBlock]byte
		encodeScaleMinimum(dst, &codes, src, 31, ladder{first: -0.5, step: 0.1, steps: 15})
		packQ5_K(dst, &codes)
	}
}

func packQ5_K(dst []byte, codes *[superBlock]byte) {
	for i := range 128 {
		pair := codes[i/32*64+i%32:]
		dst[48+i] = pair[0]&15 | pair[32]<<4
	}
	clear(dst[16:48])
	for i, c := range codes {
		dst[16+i%32] |= c >> 4 << (i / 32)
	}
}

func encodeQ6_K(dst []byte, src []float32) { encodeQ6_KBy(dst, src, nil) }

// encodeQ6_KBy weights the numbers by their importance, or by themselves where it is nil.
func encodeQ6_KBy(dst []byte, src, importance []float32) {
	const size = 128 + 64 + 16 + 2
	for ; len(src) > 0; src, dst = src[superBlock:], dst[size:] {
		var codes [superBlock]byte
		var scales [16]float32
		for i := range scales {
			var weights []float32
			if importance != nil {
				weights = importance[16*i:][:16]
			}
			scales[i] = symmetric(codes[16*i:][:16], src[16*i:][:16], weights, 32)
		}
		if importance != nil {
			importance = importance[superBlock:]
		}
		largest := extreme(scales[:])
		if abs(largest) < tinyGroup {
			clear(dst[:size])
			continue
		}
		inverse := -128 / largest
		putF16(dst[208:], 1/inverse)
		d := scaleF16(dst[208:])
		for i, s := range scales {
			stored := int8(min(127, nearest(inverse*s)))
			dst[192+i] = byte(stored)
			requantize(codes[16*i:][:16], src[16*i:], d*float32(stored), 0, -32, 31)
		}
		for half := range 2 {
			c := codes[128*half:]
			for j := range 32 {
				dst[64*half+j] = c[j]&15 | c[j+64]<<4
				dst[64*half+j+32] = c[j+32]&15 | c[j+96]<<4
				dst[128+32*half+j] = c[j]>>4 | c[j+32]>>4<<2 | c[j+64]>>4<<4 | c[j+96]>>4<<6
			}
		}
	}
}
