//go:build !purego

package kernel

func widenPairs(to []float32, from []uint32, n int) {
	_, _ = to[2*n*PanelWidth-1], from[n*PanelWidth-1]
	if useNEON {
		widenPairsNEON(&to[0], &from[0], n)
		return
	}
	widenPairsGo(to, from, n)
}
