//go:build amd64 && !purego

package kernel

// setLevel makes one of Levels the one in use. Nothing else may run meanwhile.
func setLevel(level string) {
	useAVX512 = level == "avx512"
	useAVX2 = level == "avx2" || useAVX512
}

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
