//go:build amd64 && !purego

package kernel

// multiplyAdd runs about `steps` rounds of independent fused multiply-adds and returns the number of operations.
func multiplyAdd(steps int) (operations float64) {
	var out [2 * PanelWidth]float32
	switch {
	case useAVX512:
		fmaPeakAVX512(&out[0], steps)
		return float64(steps) * 24 * 2 * 16
	case useAVX2:
		fmaPeakAVX2(&out[0], steps)
		return float64(steps) * 24 * 2 * 8
	}
	return 0
}

// multiplyAddBF16 is multiplyAdd with pairs of BF16 numbers, two operations for each number.
func multiplyAddBF16(steps int) (operations float64) {
	var out [2 * PanelWidth]float32
	switch {
	case useBF16 && useAVX512:
		fmaPeakBF16Native(&out[0], steps)
		return float64(steps) * 24 * 4 * 16
	case useAVX512:
		fmaPeakBF16AVX512(&out[0], steps)
		return float64(steps) * 24 * 2 * 16
	case useAVX2:
		fmaPeakBF16AVX2(&out[0], steps)
		return float64(steps) * 24 * 2 * 8
	}
	return 0
}

// multiplyBytes runs about `steps` rounds of independent sums of products of bytes and returns the number of operations.
func multiplyBytes(steps int) (operations float64) {
	var out [32]uint32
	switch {
	case useAVX512 && useAVX512VNNI:
		dotPeakAVX512VNNI(&out[0], steps)
		return float64(steps) * 10 * 2 * 2 * 64
	case useAVX512:
		dotPeakAVX512(&out[0], steps)
		return float64(steps) * 10 * 2 * 2 * 64
	case useAVXVNNI:
		dotPeakAVXVNNI(&out[0], steps)
		return float64(steps) * 10 * 2 * 2 * 32
	case useAVX2:
		dotPeakAVX2(&out[0], steps)
		return float64(steps) * 10 * 2 * 2 * 32
	}
	return 0
}
