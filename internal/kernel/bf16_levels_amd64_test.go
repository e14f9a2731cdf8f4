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
