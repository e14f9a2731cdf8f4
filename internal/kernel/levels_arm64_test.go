//go:build arm64 && !purego

package kernel

// setLevel makes one of Levels the one in use. Nothing else may run meanwhile.
func setLevel(level string) { useNEON = level == "neon" }

// multiplyAdd runs about `steps` rounds of independent fused multiply-adds and returns the number of operations.
func multiplyAdd(steps int) (operations float64) {
	if !useNEON {
		return 0
	}
	var out [2 * PanelWidth]float32
	fmaPeakNEON(&out[0], steps)
	return float64(steps) * 24 * 2 * 4
}
