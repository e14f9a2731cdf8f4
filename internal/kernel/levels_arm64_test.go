//go:build arm64 && !purego

package kernel

// setLevel makes one of Levels the one in use. Nothing else may run meanwhile.
func setLevel(level string) { useNEON = level == "neon" }
