package kernel

import (
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// Products with weights in F16 are those of Gemm with the widened weights, bit for bit: pieces of the panels are widened into scratch, and the product is cut along k.

// One piece: so many columns, and values of k.
const (
	widenColumns = 2 * PanelWidth
	widenDepth   = 512
)

// WidenedScratch is the number of words that GemmF16 wants.
func WidenedScratch() int { return widenColumns*widenDepth + PanelWidth }

// GemmF16 multiplies an m by k matrix with weights in F16.
//
//	c [m,n], rows ldc apart, overwritten   a [m,k], rows lda apart   b of PanelPairs, made by PackPanels
//	init [m,n], rows ldInit apart, or nil   scratch WidenedScratch() words
//
// c[i,j] = init[i,j] + Σ_p a[i,p]·b[p,j], p ascending from init, as Gemm has it, whose rules for init hold.
func GemmF16(c []float32, ldc int, a []float32, lda int, b []uint32, m, n, k int, init []float32, ldInit int, scratch []uint32) {
	if badRows(m, ldc, n) || badRows(m, lda, k) {
		panic("kernel: GemmF16: bad size")
	}
	pairs := k/2 + k%2
	if len(b) < packedLen(n, pairs) {
		panic("kernel: GemmF16: b is too short")
	}
	if len(scratch) < WidenedScratch() {
		panic("kernel: GemmF16: scratch is too short")
	}
	if k == 0 {
		Gemm(c, ldc, a, lda, 1, nil, m, n, 0, init, ldInit)
		return
	}
	wide := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(scratch))), WidenedScratch())
	for j := 0; j < n && m > 0; j += widenColumns {
		columns := min(widenColumns, n-j)
		from, ldFrom := init, ldInit
		if from != nil {
			from = from[j:]
		}
		for p := 0; p < k; p += widenDepth {
			depth := min(widenDepth, k-p)
			// Behind an odd depth one row too many is widened, and overwritten by the next panel.
			for q := 0; q < columns; q += PanelWidth {
				widenPairs(wide[q*depth:], b[(j+q)*pairs+p/2*PanelWidth:], depth/2+depth%2)
			}
			Gemm(c[j:], ldc, a[p:], lda, 1, wide, m, columns, depth, from, ldFrom)
			from, ldFrom = c[j:], ldc
		}
	}
}

// widenPairsGo widens n rows of 16 pairs to 2n rows of 16 floats.
func widenPairsGo(to []float32, from []uint32, n int) {
	for i, pair := range from[:n*PanelWidth] {
		row, column := i/PanelWidth, i%PanelWidth
		to[2*row*PanelWidth+column] = tensor.FloatFromF16(uint16(pair))
		to[(2*row+1)*PanelWidth+column] = tensor.FloatFromF16(uint16(pair >> 16))
	}
}
