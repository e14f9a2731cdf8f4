package tensor

// The K formats hold super-blocks of 256 numbers in sub-blocks of 16 or 32,
// x = d*scale*q - dmin*minimum, where scale and minimum are small integers for
// each sub-block and d and dmin are F16 for the whole. Where the numbers of a
// super-block lie is settled by the way in which they were first multiplied:
// the bits of one byte belong to numbers 32 apart.

// decodeQ2_K reads 16 bytes of scale (lower nibble) and minimum (upper) for
// sub-blocks of 16, 64 bytes of four 2-bit numbers, d and dmin.
func decodeQ2_K(dst []float32, src []byte) {
	const size = 16 + 64 + 4
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[size:] {
		scales, q, d, dmin := src[:16], src[16:80], scaleF16(src[80:]), scaleF16(src[82:])
		for i, s := range scales {
			scale, minimum := d*float32(s&15), float32(dmin*float32(s>>4))
			bytes, shift, out := q[i/8*32+i%2*16:][:16], i/2%4*2, dst[16*i:][:16]
			for j, b := range bytes {
				out[j] = float32(scale*float32(b>>shift&3)) - minimum
			}
		}
	}
}

// decodeQ3_K reads 256 third bits, 64 bytes of four 2-bit numbers, 16 scales of
// 6 bits for sub-blocks of 16, and d. The number's offset is 4, which the third
// bit takes away; a scale's is 32.
func decodeQ3_K(dst []float32, src []byte) {
	const size = 32 + 64 + 12 + 2
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[size:] {
		high, q, packed, d := src[:32], src[32:96], src[96:108], scaleF16(src[108:])
		for i := range superBlock / 16 {
			scale := int(packed[i%8]>>(i/8*4)&15) | int(packed[8+i%4]>>(i/4*2)&3)<<4
			dl := d * float32(scale-32)
			bytes, third := q[i/8*32+i%2*16:][:16], high[i%2*16:][:16]
			shift, bit, out := i/2%4*2, i/2, dst[16*i:][:16]
			for j, b := range bytes {
				out[j] = dl * float32(int(b>>shift&3)+int(third[j]>>bit&1)<<2-4)
			}
		}
	}
}

// scaleMinimum returns the i-th of 8 scales and minima, 6 bits each, from the 12
// bytes of Q4_K and Q5_K: the first four of both lie in the lower bits of 8
// bytes, of the others 4 bits in the last 4 bytes and 2 above the first.
func scaleMinimum(packed []byte, i int) (scale, minimum byte) {
	if i < 4 {
		return packed[i] & 63, packed[i+4] & 63
	}
	return packed[i+4]&15 | packed[i-4]>>6<<4, packed[i+4]>>4 | packed[i]>>6<<4
}

// decodeQ4_K reads d and dmin, the scales and minima of sub-blocks of 32, and
// 128 bytes of nibbles.
func decodeQ4_K(dst []float32, src []byte) {
	const size = 4 + 12 + 128
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[size:] {
		d, dmin, packed, q := scaleF16(src), scaleF16(src[2:]), src[4:16], src[16:size]
		for i := range superBlock / block {
			s, m := scaleMinimum(packed, i)
			scale, minimum := d*float32(s), float32(dmin*float32(m))
			bytes, shift, out := q[i/2*32:][:32], i%2*4, dst[block*i:][:block]
			for j, b := range bytes {
				out[j] = float32(scale*float32(b>>shift&15)) - minimum
			}
		}
	}
}

// decodeQ5_K reads as Q4_K, with 256 fifth bits before the nibbles.
func decodeQ5_K(dst []float32, src []byte) {
	const size = 4 + 12 + 32 + 128
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[size:] {
		d, dmin, packed := scaleF16(src), scaleF16(src[2:]), src[4:16]
		high, q := src[16:48], src[48:size]
		for i := range superBlock / block {
			s, m := scaleMinimum(packed, i)
			scale, minimum := d*float32(s), float32(dmin*float32(m))
			bytes, shift, out := q[i/2*32:][:32], i%2*4, dst[block*i:][:block]
			for j, b := range bytes {
				out[j] = float32(scale*float32(b>>shift&15|high[j]>>i&1<<4)) - minimum
			}
		}
	}
}

// decodeQ6_K reads 128 bytes of lower nibbles, 64 bytes of four upper pairs of
// bits, 16 signed scales for sub-blocks of 16, and d. The number's offset is 32.
func decodeQ6_K(dst []float32, src []byte) {
	const size = 128 + 64 + 16 + 2
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[size:] {
		low, high, scales, d := src[:128], src[128:192], src[192:208], scaleF16(src[208:])
		for i, s := range scales {
			// Of each half of 128 numbers, sub-blocks 0 to 3 are lower nibbles.
			half, part := i/8, i%8
			scale := d * float32(int8(s))
			bytes, shift := low[half*64+part%4*16:][:16], part/4*4
			pairs, pairShift := high[half*32+part%2*16:][:16], part/2*2
			out := dst[16*i:][:16]
			for j, b := range bytes {
				out[j] = scale * float32(int(b>>shift&15|pairs[j]>>pairShift&3<<4)-32)
			}
		}
	}
}
