package kernel

// AddScaled adds a multiple of a vector: y += a·x.
//
//	x, y of one length; y overlaps x only if it is x
func AddScaled(y, x []float32, a float32) {
	if len(x) != len(y) {
		panic("kernel: AddScaled: lengths differ")
	}
	if len(x) == 0 {
		return
	}
	addScaled(y, x, a)
}

func addScaledGo(y, x []float32, a float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float32(a * v)
	}
}

// Add adds two vectors: out = a + b.
//
//	out, a, b of one length; out may be a, or b, or both
func Add(out, a, b []float32) {
	if len(a) != len(out) || len(b) != len(out) {
		panic("kernel: Add: lengths differ")
	}
	if len(out) == 0 {
		return
	}
	add(out, a, b)
}

func addGo(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] + b[i]
	}
}

// SumSquares is Σ x², in float64.
//
// Lane l of eight sums the squares of x[l], x[l+8], ..., ascending; then lane l takes lane l+4, then l+2, then l+1.
// A square of a float32 is exact in float64, so every level gives the same bits.
func SumSquares(x []float32) float64 {
	if len(x) == 0 {
		return 0
	}
	return sumSquares(x)
}

func sumSquaresGo(x []float32) float64 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float64
	for len(x) >= 8 {
		v := (*[8]float32)(x)
		s0 += float64(v[0]) * float64(v[0])
		s1 += float64(v[1]) * float64(v[1])
		s2 += float64(v[2]) * float64(v[2])
		s3 += float64(v[3]) * float64(v[3])
		s4 += float64(v[4]) * float64(v[4])
		s5 += float64(v[5]) * float64(v[5])
		s6 += float64(v[6]) * float64(v[6])
		s7 += float64(v[7]) * float64(v[7])
		x = x[8:]
	}
	lanes := [8]float64{s0, s1, s2, s3, s4, s5, s6, s7}
	for l, v := range x {
		lanes[l] += float64(v) * float64(v)
	}
	return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}
