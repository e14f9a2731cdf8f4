//go:build amd64 && !purego

package kernel

// setLevel makes one of Levels the one in use. Nothing else may run meanwhile.
func setLevel(level string) {
	useAVX512 = level == "avx512"
	useAVX2 = level == "avx2" || useAVX512
}
