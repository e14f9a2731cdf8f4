//go:build purego || (!amd64 && !arm64)

package kernel

// multiplyAdd has nothing to run.
func multiplyAdd(int) (operations float64) { return 0 }

// multiplyAddBF16 has nothing to run.
func multiplyAddBF16(int) (operations float64) { return 0 }

// multiplyBytes has nothing to run.
func multiplyBytes(int) (operations float64) { return 0 }
