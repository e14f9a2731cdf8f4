//go:build amd64 && !purego

package kernel

// bf16Levels are Levels and the one with BF16 instructions, which shares AVX-512 for all else.
func bf16Levels() []string {
	if hasBF16 {
		return append(Levels(), "avx512bf16")
	}
	return Levels()
}

// setBF16Level makes one of bf16Levels the one in use. Nothing else may run meanwhile.
func setBF16Level(level string) {
	useBF16 = level == "avx512bf16"
	if useBF16 {
		level = "avx512"
	}
	setLevel(level)
}

// bestBF16Level is what this machine uses by itself.
func bestBF16Level() string { return bf16Levels()[len(bf16Levels())-1] }

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
