package kernel

import "math"

// expGo is the exponential of the plain Go level: within 1 ulp or so of the true value over the whole range, 0 below
// -87.33 (where the result would be subnormal), +Inf above 88.72, exactly 1 at 0.
//
// exp(x) = 2ⁿ·exp(r), n = round(x/ln 2), |r| <= ln(2)/2, ln 2 in two parts so that r is exact to the last bit
// (Cody & Waite 1980, chapter 6); exp(r) by its Taylor polynomial of degree 7, whose remainder at ln(2)/2 is 5e-9.
func expGo(x float32) float32 {
	const (
		log2E  = 1.44269504
		ln2Hi  = 0.693359375 // 9 bits: n·ln2Hi is exact
		ln2Lo  = -2.12194440e-4
		toInt  = 12582912 // 1.5·2²³: adding it rounds to an integer in the low bits
		lowest = -87.33654
		top    = 88.72284
	)
	if !(x >= lowest) {
		if x != x {
			return x
		}
		return 0
	}
	if x > top {
		return float32(math.Inf(1))
	}
	shifted := float32(x*log2E) + toInt
	n := shifted - toInt
	r := x - float32(n*ln2Hi)
	r -= float32(n * ln2Lo)
	p := float32(r*(1.0/5040)) + 1.0/720
	p = float32(p*r) + 1.0/120
	p = float32(p*r) + 1.0/24
	p = float32(p*r) + 1.0/6
	p = float32(p*r) + 0.5
	p = float32(float32(p*r)*r) + r
	p++
	// 2ⁿ in two factors, for n = 128 alone has no finite float32.
	exponent := int32(n)
	first := exponent >> 1
	return p * math.Float32frombits(uint32(first+127)<<23) * math.Float32frombits(uint32(exponent-first+127)<<23)
}

func logGo(x float32) float32 { return float32(math.Log(float64(x))) }
