//go:build !purego

package kernel

func widenPairs(to []float32, from []uint32, n int) {
	_, _ = to[2*n*PanelWidth-1], from[n*PanelWidth-1]
	switch {
	case useAVX512:
		widenPairsAVX512(&to[0], &from[0], n)
	case useAVX2:
		widenPairsAVX2(&to[0], &from[0], n)
	default:
		widenPairsGo(to, from, n)
	}
}
