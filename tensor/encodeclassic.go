package tensor

import (
	"encoding/binary"
	"math"
)

// The classic formats are quantised by their extremes alone, as ggml's
// quantize_row_*_ref do.

func putF16(dst []byte, x float32) { binary.LittleEndian.PutUint16(dst, F16FromFloat(x)) }

// inverseOf is 1/d, or 0 where that is no number: d is stored as zero then.
func inverseOf(d float32) float32 {
	if inverse := 1 / d; abs(inverse) <= math.MaxFloat32 {
		return inverse
	}
	return 0
}

func encodeQ8_0(dst []byte, src []float32) {
	for ; len(src) > 0; src, dst = src[block:], dst[2+block:] {
		d := abs(extreme(src[:block])) / 127
		inverse := inverseOf(d)
		putF16(dst, d)
		for j, x := range src[:block] {
			// Halves away from zero.
			dst[2+j] = byte(int8(math.Round(float64(x * inverse))))
		}
	}
}

// truncate is floor(x*inverse + half) for what cannot be negative, at most top.
func truncate(x, inverse, half float32, top int) uint32 {
	return uint32(clamp(int(float32(x*inverse)+half), 0, top))
}

func encodeQ4_0(dst []byte, src []float32) {
	const size = 2 + block/2
	for ; len(src) > 0; src, dst = src[block:], dst[size:] {
		d := extreme(src[:block]) / -8
		inverse := inverseOf(d)
		putF16(dst, d)
		for j := range block / 2 {
			low, high := truncate(src[j], inverse, 8.5, 15), truncate(src[j+block/2], inverse, 8.5, 15)
			dst[2+j] = byte(low | high<<4)
		}
	}
}

func encodeQ5_0(dst []byte, src []float32) {
	const size = 2 + 4 + block/2
	for ; len(src) > 0; src, dst = src[block:], dst[size:] {
		d := extreme(src[:block]) / -16
		inverse := inverseOf(d)
		putF16(dst, d)
		var fifth uint32
		for j := range block / 2 {
			low, high := truncate(src[j], inverse, 16.5, 31), truncate(src[j+block/2], inverse, 16.5, 31)
			dst[6+j] = byte(low&15 | high<<4)
			fifth |= low>>4<<j | high>>4<<(j+block/2)
		}
		binary.LittleEndian.PutUint32(dst[2:], fifth)
	}
}

// span is the least number, and the step between levels from 0 to top.
func span(x []float32, top float32) (least, step float32) {
	least, most := x[0], x[0]
	for _, v := range x {
		least, most = min(least, v), max(most, v)
	}
	return least, (most - least) / top
}

func encodeQ4_1(dst []byte, src []float32) {
	const size = 4 + block/2
	for ; len(src) > 0; src, dst = src[block:], dst[size:] {
		least, d := span(src[:block], 15)
		inverse := inverseOf(d)
		putF16(dst, d)
		putF16(dst[2:], least)
		for j := range block / 2 {
			low, high := truncate(src[j]-least, inverse, 0.5, 15), truncate(src[j+block/2]-least, inverse, 0.5, 15)
			dst[4+j] = byte(low | high<<4)
		}
	}
}

func encodeQ5_1(dst []byte, src []float32) {
	const size = 4 + 4 + block/2
	for ; len(src) > 0; src, dst = src[block:], dst[size:] {
		least, d := span(src[:block], 31)
		inverse := inverseOf(d)
		putF16(dst, d)
		putF16(dst[2:], least)
		var fifth uint32
		for j := range block / 2 {
			low, high := truncate(src[j]-least, inverse, 0.5, 31), truncate(src[j+block/2]-least, inverse, 0.5, 31)
			dst[8+j] = byte(low&15 | high<<4)
			fifth |= low>>4<<j | high>>4<<(j+block/2)
		}
		binary.LittleEndian.PutUint32(dst[4:], fifth)
	}
}
