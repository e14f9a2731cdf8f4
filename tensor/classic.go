package tensor

import "encoding/binary"

// The classic formats hold 32 numbers x = d*q, or x = d*q + m, with d and m in
// F16. Nibbles lie so that byte j holds q[j] below and q[j+16] above. Products
// are rounded before they are added (the conversion to float32 forbids a fused
// operation), as in the reference.

func scaleF16(src []byte) float32 { return FloatFromF16(binary.LittleEndian.Uint16(src)) }

// decodeQ8_0 reads d, then 32 signed bytes.
func decodeQ8_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[block:], src[2+block:] {
		d, q, out := scaleF16(src), src[2:2+block], dst[:block]
		for j, b := range q {
			out[j] = d * float32(int8(b))
		}
	}
}

// decodeQ4_0 reads d, then 16 bytes of nibbles with an offset of 8.
func decodeQ4_0(dst []float32, src []byte) {
	const size = 2 + block/2
	for ; len(dst) > 0; dst, src = dst[block:], src[size:] {
		d, q, out := scaleF16(src), src[2:size], dst[:block]
		for j, b := range q {
			out[j] = d * float32(int(b&15)-8)
			out[j+block/2] = d * float32(int(b>>4)-8)
		}
	}
}

// decodeQ4_1 reads d and m, then 16 bytes of nibbles.
func decodeQ4_1(dst []float32, src []byte) {
	const size = 4 + block/2
	for ; len(dst) > 0; dst, src = dst[block:], src[size:] {
		d, m, q, out := scaleF16(src), scaleF16(src[2:]), src[4:size], dst[:block]
		for j, b := range q {
			out[j] = float32(d*float32(b&15)) + m
			out[j+block/2] = float32(d*float32(b>>4)) + m
		}
	}
}

// decodeQ5_0 reads d, 32 fifth bits, then 16 bytes of nibbles; the offset is 16.
func decodeQ5_0(dst []float32, src []byte) {
	const size = 2 + 4 + block/2
	for ; len(dst) > 0; dst, src = dst[block:], src[size:] {
		d, high, q, out := scaleF16(src), binary.LittleEndian.Uint32(src[2:]), src[6:size], dst[:block]
		for j, b := range q {
			out[j] = d * float32(int(uint32(b&15)|high>>j&1<<4)-16)
			out[j+block/2] = d * float32(int(uint32(b>>4)|high>>(j+block/2)&1<<4)-16)
		}
	}
}

// decodeQ5_1 reads d and m, 32 fifth bits, then 16 bytes of nibbles.
func decodeQ5_1(dst []float32, src []byte) {
	const size = 4 + 4 + block/2
	for ; len(dst) > 0; dst, src = dst[block:], src[size:] {
		d, m, high := scaleF16(src), scaleF16(src[2:]), binary.LittleEndian.Uint32(src[4:])
		q, out := src[8:size], dst[:block]
		for j, b := range q {
			out[j] = float32(d*float32(uint32(b&15)|high>>j&1<<4)) + m
			out[j+block/2] = float32(d*float32(uint32(b>>4)|high>>(j+block/2)&1<<4)) + m
		}
	}
}
