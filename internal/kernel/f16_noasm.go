//go:build purego || (!amd64 && !arm64)

package kernel

func widenPairs(to []float32, from []uint32, n int) { widenPairsGo(to, from, n) }
