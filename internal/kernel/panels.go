package kernel

import (
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// Weights stay as a file stores them in panels of bytes: the quantised formats (PackQuantised), and BF16 and F16, of
// which panels hold pairs of neighbouring k as GemmBF16 and GemmF16 read them.

// InPanels reports whether products read weights of a format as a file stores them.
func InPanels(f tensor.Format) bool { return inPairs(f) || Quantised(f) }

func inPairs(f tensor.Format) bool { return f == tensor.BF16 || f == tensor.F16 }

// PanelBytes is the size of the panels of a weight [n,k] in format f.
func PanelBytes(f tensor.Format, n, k int) int {
	if !inPairs(f) {
		return QuantisedBytes(f, n, k)
	}
	size := product(packedLen(n, k/2+k%2), 4)
	if n < 0 || k < 0 || size == maxInt {
		panic("kernel: PanelBytes: bad size")
	}
	return size
}

// PackPanels makes the panels of rows as a file stores them, one after another.
//
//	w [n,k] in format f   dst PanelBytes(f, n, k) bytes that begin on a multiple of 4, overwritten
//
// Panels do not depend on each other: whoever wants them packed in parallel cuts rows at multiples of PanelWidth.
func PackPanels(dst []byte, f tensor.Format, w []byte, n, k int) {
	if !inPairs(f) {
		PackQuantised(dst, f, w, n, k)
		return
	}
	if n < 0 || k < 0 || len(w) < product(product(n, k), 2) {
		panic("kernel: PackPanels: bad size")
	}
	if n == 0 || k == 0 {
		return
	}
	to, pairs := PanelPairs(dst), k/2+k%2
	if len(to) < packedLen(n, pairs) {
		panic("kernel: PackPanels: dst is too short")
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(w)))%4 != 0 {
		w = append(make([]byte, 0, len(w)), w...)
	}
	if k%2 != 0 {
		PackRowsFromBF16(to, unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(w))), n*k), n, k, k)
		return
	}
	// A pair is two neighbours of a row as they lie there, and moves as a float32 does.
	packRows(floatBits(to), unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(w))), n*pairs), n, pairs, pairs)
}

// PanelPairs is the same memory as the operand of GemmBF16 and GemmF16. It begins on a multiple of 4.
func PanelPairs(panels []byte) []uint32 {
	p := unsafe.Pointer(unsafe.SliceData(panels))
	if uintptr(p)%4 != 0 {
		panic("kernel: PanelPairs: panels do not begin on a multiple of 4")
	}
	return unsafe.Slice((*uint32)(p), len(panels)/4)
}

// PanelRow reads row j of panels: the numbers that the file holds.
//
//	dst [k], overwritten   panels made by PackPanels, of more than j rows
func PanelRow(dst []float32, f tensor.Format, panels []byte, j int) {
	if !inPairs(f) {
		QuantisedRow(dst, f, panels, j)
		return
	}
	k := len(dst)
	pairs := k/2 + k%2
	b := PanelPairs(panels)
	if j < 0 || j == maxInt || len(b) < packedLen(j+1, pairs) {
		panic("kernel: PanelRow: bad size")
	}
	if k == 0 {
		return
	}
	panel := b[j/PanelWidth*PanelWidth*pairs+j%PanelWidth:]
	for p := range dst {
		half := uint16(panel[p/2*PanelWidth] >> (p % 2 * 16))
		if dst[p] = tensor.FloatFromBF16(half); f == tensor.F16 {
			dst[p] = tensor.FloatFromF16(half)
		}
	}
}
