//go:build amd64 && !purego

package kernel

func addScaled(y, x []float32, a float32) {
	switch {
	case useAVX512:
		addScaledAVX512(&y[0], &x[0], len(x), a)
	case useAVX2:
		addScaledAVX2(&y[0], &x[0], len(x), a)
	default:
		addScaledGo(y, x, a)
	}
}

func add(out, a, b []float32) {
	switch {
	case useAVX512:
		addAVX512(&out[0], &a[0], &b[0], len(out))
	case useAVX2:
		addAVX2(&out[0], &a[0], &b[0], len(out))
	default:
		addGo(out, a, b)
	}
}

func sumSquares(x []float32) (total float64) {
	switch {
	case useAVX512:
		sumSquaresAVX512(&total, &x[0], len(x))
	case useAVX2:
		sumSquaresAVX2(&total, &x[0], len(x))
	default:
		total = sumSquaresGo(x)
	}
	return total
}

func adamW(w, m, v, g []float32, s AdamWStep) {
	// The order of adamW in csrc/flat.h.
	numbers := [8]float32{s.LearningRate, s.Beta1, s.Beta2, s.Epsilon, s.WeightDecay, s.GradScale, s.Correction1, s.Correction2}
	switch {
	case useAVX512:
		adamWAVX512(&w[0], &m[0], &v[0], &g[0], &numbers[0], len(w))
	case useAVX2:
		adamWAVX2(&w[0], &m[0], &v[0], &g[0], &numbers[0], len(w))
	default:
		adamWGo(w, m, v, g, s)
	}
}
