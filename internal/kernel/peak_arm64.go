//go:build arm64 && !purego

package kernel

// multiplyAdd runs about `steps` rounds of independent fused multiply-adds and returns the number of operations.
func multiplyAdd(steps int) (operations float64) {
	if !useNEON {
		return 0
	}
	var out [2 * PanelWidth]float32
	fmaPeakNEON(&out[0], steps)
	return float64(steps) * 24 * 2 * 4
}

// multiplyAddBF16 has nothing to run.
func multiplyAddBF16(int) (operations float64) { return 0 }

// multiplyBytes runs about `steps` rounds of independent sums of products of bytes and returns the number of operations.
func multiplyBytes(steps int) (operations float64) {
	var out [32]uint32
	switch {
	case useI8MM:
		dotPeakI8MM(&out[0], steps)
		return float64(steps) * 20 * 2 * 32
	case useDotProd:
		dotPeakDotProd(&out[0], steps)
	case useNEON:
		dotPeakNEON(&out[0], steps)
	}
	return float64(steps) * 10 * 2 * 2 * 16
}
