package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// EncodeRow stores one row in format f into dst so that the error of the
// numbers that matter most is least: importance holds, for each column, how much
// its number matters, such as the mean square of the activations that it is
// multiplied with (llama.cpp's importance matrix). The result is that of ggml's
// quantisers with these weights; the formats that have no weighted quantiser
// there (the plain ones, Q8_0 and MXFP4) are stored as [Encode] does.
//
// len(dst) must be f.Size(len(row)), and importance as long as the row, finite
// and not negative. Where [Encode] is an error, this is as well.
func EncodeRow(dst []byte, f Format, row, importance []float32) error {
	if len(importance) != len(row) {
		return fmt.Errorf("tensor: %s: got %d importances for a row of %d", f, len(importance), len(row))
	}
	for i, w := range importance {
		if !(w >= 0 && w <= math.MaxFloat32) {
			return fmt.Errorf("tensor: %s: importance %d is %v, want a finite number that is not negative", f, i, w)
		}
	}
	if f >= numFormats || weightedEncoders[f] == nil {
		return Encode(dst, f, row)
	}
	if err := checkEncode(dst, f, row); err != nil {
		return err
	}
	weightedEncoders[f](dst, row, importance)
	return nil
}

// weightedEncoders handle one whole row.
var weightedEncoders = [numFormats]func(dst []byte, row, importance []float32){
	Q4_0: weightedQ4_0, Q4_1: weightedQ4_1, Q5_0: weightedQ5_0, Q5_1: weightedQ5_1,
	Q2_K: weightedQ2_K, Q3_K: weightedQ3_K, Q4_K: weightedQ4_K, Q5_K: weightedQ5_K, Q6_K: encodeQ6_KBy,
	IQ4_NL: encodeIQ4_NLBy, IQ4_XS: encodeIQ4_XSBy,
}

// fineLadder is what the weighted quantisers try.
var fineLadder = ladder{first: -0.9, step: 0.05, steps: 36}

// meanSquare is factor times the mean of the squares.
func meanSquare(x []float32, factor float32) float32 {
	var sum float32
	for _, v := range x {
		sum += float32(v * v)
	}
	return factor * sum / float32(len(x))
}

// weigh sets each weight to its importance times sqrt(square + x²): numbers near zero count by what
// is usual around them.
func weigh(weights, x, importance []float32, square float32) {
	for i, v := range x {
		weights[i] = importance[i] * float32(math.Sqrt(float64(square+float32(v*v))))
	}
}

// spread returns the weights of a block, or nil without importance. dst may be nil.
func spread(dst, x, importance []float32, factor float32) []float32 {
	if importance == nil {
		return nil
	}
	if dst == nil {
		dst = make([]float32, len(x))
	}
	weigh(dst, x, importance, meanSquare(x, factor))
	return dst
}

// positive finds the scale for x = scale*code with weights, codes from 0 to top, x not negative: the
// best of nine scales, then single codes are changed while the error falls (ggml's make_qp_quants).
func positive(codes []byte, x, weights []float32, top int) float32 {
	largest := largestOf(x)
	if largest < tinyGroup {
		clear(codes)
		return 0
	}
	inverse := float32(top) / largest
	best := squareError(x, weights, inverse, math.MaxInt)
	for step := -4; step <= 4; step++ {
		if step == 0 {
			continue
		}
		trial := (float32(0.1*float32(step)) + float32(top)) / largest
		if e := squareError(x, weights, trial, top); e < best {
			best, inverse = e, trial
		}
	}
	var xq, qq float32
	for i, v := range x {
		codes[i] = byte(min(top, nearest(inverse*v)))
		w, q := weights[i], float32(codes[i])
		xq += float32(w * v * q)
		qq += float32(w * q * q)
	}
	for range 5 {
		if !improvePositive(codes, x, weights, top, &xq, &qq) {
			break
		}
	}
	if qq > 0 {
		return xq / qq
	}
	return 0
}

// squareError is the weighted square error of the levels nearest to x*inverse, at most top.
func squareError(x, weights []float32, inverse float32, top int) (sum float32) {
	scale := 1 / inverse
	for i, v := range x {
		d := v - float32(scale*float32(min(top, nearest(inverse*v))))
		sum += float32(float32(weights[i]*d) * d)
	}
	return sum
}

// improvePositive goes over the codes once and says whether one was changed.
func improvePositive(codes []byte, x, weights []float32, top int, xq, qq *float32) (changed bool) {
	for i, v := range x {
		w, q := weights[i], float32(codes[i])
		restXQ, restQQ := *xq-float32(w*v*q), *qq-float32(w*q*q)
		if !(restXQ > 0 && restQQ > 0) {
			continue
		}
		candidate := min(top, nearest(v*restQQ/restXQ))
		if candidate == int(codes[i]) {
			continue
		}
		q = float32(candidate)
		restXQ += float32(w * v * q)
		restQQ += float32(w * q * q)
		if restXQ*restXQ**qq > *xq**xq*restQQ {
			codes[i], *xq, *qq, changed = byte(candidate), restXQ, restQQ, true
		}
	}
	return changed
}

func weightedQ4_0(dst []byte, row, importance []float32) {
	const size = 2 + block/2
	var codes [block]byte
	var weights [block]float32
	square := meanSquare(row, 1)
	for ; len(row) > 0; row, importance, dst = row[block:], importance[block:], dst[size:] {
		weigh(weights[:], row[:block], importance, square)
		putF16(dst, symmetric(codes[:], row[:block], weights[:], 8))
		packNibbles(dst[2:], &codes)
	}
}

// packNibbles puts the lower four bits of 32 codes into 16 bytes.
func packNibbles(dst []byte, codes *[block]byte) {
	for j := range block / 2 {
		dst[j] = codes[j]&15 | codes[j+block/2]<<4
	}
}

// putFifth stores the fifth bits of 32 codes.
func putFifth(dst []byte, codes *[block]byte) {
	var fifth uint32
	for j, c := range codes {
		fifth |= uint32(c>>4&1) << j
	}
	binary.LittleEndian.PutUint32(dst, fifth)
}

func weightedQ5_0(dst []byte, row, importance []float32) {
	const size = 2 + 4 + block/2
	var codes [block]byte
	var weights [block]float32
	square := meanSquare(row, 1)
	for ; len(row) > 0; row, importance, dst = row[block:], importance[block:], dst[size:] {
		weigh(weights[:], row[:block], importance, square)
		putF16(dst, symmetric(codes[:], row[:block], weights[:], 16))
		putFifth(dst[2:], &codes)
		packNibbles(dst[6:], &codes)
	}
}

func weightedQ4_1(dst []byte, row, importance []float32) {
	const size = 4 + block/2
	var codes [block]byte
	var weights [block]float32
	square := meanSquare(row, 1)
	for ; len(row) > 0; row, importance, dst = row[block:], importance[block:], dst[size:] {
		weigh(weights[:], row[:block], importance, square)
		scale, minimum := affine(codes[:], row[:block], weights[:], 15, fineLadder)
		putF16(dst, scale)
		putF16(dst[2:], -minimum)
		packNibbles(dst[4:], &codes)
	}
}

func weightedQ5_1(dst []byte, row, importance []float32) {
	const size = 4 + 4 + block/2
	var codes [block]byte
	var weights [block]float32
	square := meanSquare(row, 1)
	for ; len(row) > 0; row, importance, dst = row[block:], importance[block:], dst[size:] {
		weigh(weights[:], row[:block], importance, square)
		scale, minimum := affine(codes[:], row[:block], weights[:], 31, fineLadder)
		putF16(dst, scale)
		putF16(dst[2:], -minimum)
		putFifth(dst[4:], &codes)
		packNibbles(dst[8:], &codes)
	}
}

// sumOf adds in order.
func sumOf(x []float32) (sum float32) {
	for _, v := range x {
		sum += v
	}
	return sum
}

func weightedQ2_K(dst []byte, row, importance []float32) {
	const size = 16 + 64 + 4
	var weights [superBlock]float32
	for ; len(row) > 0; row, importance, dst = row[superBlock:], importance[superBlock:], dst[size:] {
		var codes [superBlock]byte
		var scales, minima, sums [16]float32
		var s, m [16]byte
		spread(weights[:], row[:superBlock], importance, 1)
		for i := range scales {
			w := weights[16*i:][:16]
			sums[i] = sumOf(w)
			scales[i], minima[i] = affine(codes[16*i:][:16], row[16*i:][:16], w, 3, fineLadder)
		}
		putF16(dst[80:], positive(s[:], scales[:], sums[:], 15))
		putF16(dst[82:], positive(m[:], minima[:], sums[:], 15))
		for i := range s {
			dst[i] = s[i] | m[i]<<4
		}
		finishQ2_K(dst, &codes, row)
	}
}

func weightedQ3_K(dst []byte, row, importance []float32) {
	const size = 32 + 64 + 12 + 2
	var weights [superBlock]float32
	for ; len(row) > 0; row, importance, dst = row[superBlock:], importance[superBlock:], dst[size:] {
		var codes [superBlock]byte
		var scales, sums [16]float32
		var s [16]byte
		var stored [16]int
		spread(weights[:], row[:superBlock], importance, 2)
		for i := range scales {
			w := weights[16*i:][:16]
			sums[i] = sumOf(w)
			scales[i] = symmetric(codes[16*i:][:16], row[16*i:][:16], w, 4)
		}
		putF16(dst[108:], symmetric(s[:], scales[:], sums[:], 32))
		for i, c := range s {
			stored[i] = int(c) - 32
		}
		finishQ3_K(dst, &codes, row, &stored)
	}
}

func weightedQ4_K(dst []byte, row, importance []float32) {
	const size = 4 + 12 + 128
	for ; len(row) > 0; row, importance, dst = row[superBlock:], importance[superBlock:], dst[size:] {
		var codes [superBlock]byte
		weightedScaleMinimum(dst, &codes, row[:superBlock], importance, 15)
		packQ4_K(dst, &codes)
	}
}

func weightedQ5_K(dst []byte, row, importance []float32) {
	const size = 4 + 12 + 32 + 128
	for ; len(row) > 0; row, importance, dst = row[superBlock:], importance[superBlock:], dst[size:] {
		var codes [superBlock]byte
		weightedScaleMinimum(dst, &codes, row[:superBlock], importance, 31)
		packQ5_K(dst, &codes)
	}
}

// weightedScaleMinimum is encodeScaleMinimum with weights.
func weightedScaleMinimum(dst []byte, codes *[superBlock]byte, src, importance []float32, top int) {
	var weights [superBlock]float32
	var scales, minima, sums [8]float32
	var s, m [8]byte
	spread(weights[:], src, importance, 2)
	for i := range scales {
		w := weights[block*i:][:block]
		sums[i] = sumOf(w)
		scales[i], minima[i] = affine(codes[block*i:][:block], src[block*i:][:block], w, top, fineLadder)
	}
	putF16(dst, positive(s[:], scales[:], sums[:], 63))
	putF16(dst[2:], positive(m[:], minima[:], sums[:], 63))
	finishScaleMinimum(dst, codes, src, top, &s, &m)
}
