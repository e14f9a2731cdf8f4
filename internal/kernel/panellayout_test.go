package kernel

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestPanelLayout holds what PackQuantised writes against PanelLayout: panels are kept on disk under that number, so a change of them is another number.
func TestPanelLayout(t *testing.T) {
	want := map[int]string{1: "1e6771e38d1e0baf"}
	const n, k = 21, 512
	h := sha256.New()
	for _, f := range quantised() {
		elements, bytes := f.Block()
		w := make([]byte, n*k/elements*bytes)
		for i := range w {
			w[i] = byte(uint32(i) * 2654435761 >> 13)
		}
		h.Write(packed(f, w, n, k))
	}
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want[PanelLayout] {
		t.Errorf("layout %d has hash %s, want %s: if panels are to change, raise PanelLayout and write its hash here", PanelLayout, got, want[PanelLayout])
	}
}
