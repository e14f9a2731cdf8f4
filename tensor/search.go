package tensor

import "math"

// The searches for the scale of a sub-block are those of ggml (src/ggml-quants.c:
// make_qx_quants, make_q3_quants, make_qkx2_quants): they try scales near the
// obvious one and keep that with the least weighted square error. Every product
// is rounded before it is added, so that the bits are the same on every machine.

// tinyGroup is the largest magnitude of numbers that are stored as zeros.
const tinyGroup = 1e-15

// nearest rounds to the nearest integer, ties to even. The magnitude of x is at
// most 2^22; beyond, the result is another number, but the same everywhere.
func nearest(x float32) int {
	// 1.5 * 2^23: after the addition the last bit of the fraction counts ones. The
	// conversion keeps a product in the argument from being fused with the sum.
	return int(math.Float32bits(float32(x)+12582912)&0x7fffff) - 0x400000
}

func clamp(n, low, high int) int { return max(low, min(n, high)) }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// extreme returns the number of largest magnitude, the first of several.
func extreme(x []float32) (number float32) {
	for _, v := range x {
		if abs(v) > abs(number) {
			number = v
		}
	}
	return number
}

// symmetric finds the scale for x = scale*(code-top), codes from 0 to 2*top-1,
// with the given weights, or x² for each number where they are nil. It tries 19
// scales.
func symmetric(codes []byte, x, weights []float32, top int) (scale float32) {
	largest := extreme(x)
	if abs(largest) < tinyGroup {
		clear(codes)
		return 0
	}
	var best float32
	for try := -10; try <= 9; try++ {
		step := try // the obvious scale first, then from -9 to 9
		switch try {
		case -10:
			step = 0
		case 0:
			continue
		}
		inverse := -(float32(top) + float32(0.1*float32(step))) / largest
		var xq, qq float32
		for i, v := range x {
			q := float32(clamp(nearest(inverse*v), -top, top-1))
			w := v * v
			if weights != nil {
				w = weights[i]
			}
			xq += float32(w * v * q)
			qq += float32(w * q * q)
		}
		isFirst := try == -10
		if !isFirst && !(qq > 0 && xq*xq > best*qq) {
			continue
		}
		for i, v := range x {
			codes[i] = byte(top + clamp(nearest(inverse*v), -top, top-1))
		}
		scale = 0
		if qq != 0 {
			scale = xq / qq
		}
		best = scale * xq
	}
	return scale
}

// symmetric3 finds the scale for x = scale*(code-4), codes from 0 to 7, by
// changing one code at a time while the error falls.
func symmetric3(codes []byte, x []float32) (scale float32) {
	const top = 4
	largest := extreme(x)
	if abs(largest) < tinyGroup {
		clear(codes)
		return 0
	}
	var q [16]int
	inverse := -top / largest
	var xq, qq float32
	for i, v := range x {
		q[i] = clamp(nearest(inverse*v), -top, top-1)
		w, f := v*v, float32(q[i])
		xq += float32(w * v * f)
		qq += float32(w * f * f)
	}
	for range 5 {
		if !improve(&q, x, top, &xq, &qq) {
			break
		}
	}
	for i := range x {
		codes[i] = byte(q[i] + top)
	}
	if qq > 0 {
		return xq / qq
	}
	return 0
}

// improve goes over the codes once and says whether one was changed. xq and qq
// are the weighted sums of x*q and q*q.
func improve(q *[16]int, x []float32, top int, xq, qq *float32) (changed bool) {
	for i, v := range x {
		w, f := v*v, float32(q[i])
		restXQ := *xq - float32(w*v*f)
		if !(restXQ > 0) {
			continue
		}
		restQQ := *qq - float32(w*f*f)
		candidate := clamp(nearest(v*restQQ/restXQ), -top, top-1)
		if candidate == q[i] {
			continue
		}
		f = float32(candidate)
		restXQ += float32(w * v * f)
		restQQ += float32(w * f * f)
		if restQQ > 0 && restXQ*restXQ**qq > *xq**xq*restQQ {
			q[i], *xq, *qq, changed = candidate, restXQ, restQQ, true
		}
	}
	return changed
}

// ladder says which scales affine tries: those of top+first, top+first+step, ...
// levels, steps+1 of them.
type ladder struct {
	first, step float32
	steps       int
	isAbsolute  bool // the error is the distance and not its square
}

// affine finds scale and minimum for x = scale*code - minimum, codes from 0 to
// top, minimum not negative, with the given weights.
func affine(codes []byte, x, weights []float32, top int, l ladder) (scale, minimum float32) {
	least, most := x[0], x[0]
	var sumW, sumX float32
	for i, v := range x {
		least, most = min(least, v), max(most, v)
		sumW += weights[i]
		sumX += float32(weights[i] * v)
	}
	least = min(least, 0)
	if most <= least {
		clear(codes)
		return 0, -least
	}
	var trial [block]byte
	inverse := float32(top) / (most - least)
	scale = 1 / inverse
	levels(codes, x, inverse, least, top)
	best := distance(codes, x, weights, scale, least, l.isAbsolute)
	for step := range l.steps + 1 {
		inverse := (l.first + float32(l.step*float32(step)) + float32(top)) / (most - least)
		levels(trial[:len(x)], x, inverse, least, top)
		s, m, ok := fit(trial[:len(x)], x, weights, sumW, sumX)
		if !ok {
			continue
		}
		if d := distance(trial[:len(x)], x, weights, s, m, l.isAbsolute); d < best {
			copy(codes, trial[:len(x)])
			// The next try begins at the better offset, as in the reference.
			best, scale, least = d, s, m
		}
	}
	return scale, -least
}

// levels sets each code to the level nearest to its number.
func levels(codes []byte, x []float32, inverse, least float32, top int) {
	for i, v := range x {
		codes[i] = byte(clamp(nearest(inverse*(v-least)), 0, top))
	}
}

// fit is the weighted least-squares line through codes and numbers, with an
// offset that is not positive; sumW and sumX are the sums of w and w*x.
func fit(codes []byte, x, weights []float32, sumW, sumX float32) (scale, offset float32, ok bool) {
	var sumL, sumLL, sumXL float32
	for i, c := range codes {
		w, q := weights[i], float32(c)
		sumL += float32(w * q)
		sumLL += float32(w * q * q)
		sumXL += float32(w * q * x[i])
	}
	determinant := float32(sumW*sumLL) - float32(sumL*sumL)
	if !(determinant > 0) {
		return 0, 0, false
	}
	scale = (float32(sumW*sumXL) - float32(sumX*sumL)) / determinant
	offset = (float32(sumLL*sumX) - float32(sumL*sumXL)) / determinant
	if offset > 0 {
		return sumXL / sumLL, 0, true
	}
	return scale, offset, true
}

// distance is the weighted error of scale*code + offset.
func distance(codes []byte, x, weights []float32, scale, offset float32, isAbsolute bool) (total float32) {
	for i, c := range codes {
		d := float32(scale*float32(c)) + offset - x[i]
		if isAbsolute {
			d = abs(d)
		} else {
			d *= d
		}
		total += float32(weights[i] * d)
	}
	return total
}
