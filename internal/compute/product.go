package compute

import (
	"unsafe"

	"github.com/retort-ml/retort/internal/kernel"
)

// panels are the right-hand side of x·Wᵀ as the kernels read it: float32, or BF16 pairs.
type panels struct {
	float []float32
	pairs []uint32 // if not nil, x is rounded to BF16 too
	ins   int
}

// panels are those of w.
func (r *run) panels(w *Weight) panels {
	if !w.BF16 {
		return panels{float: r.packed(w), ins: w.Ins}
	}
	at := w.PairsOffset
	return panels{pairs: r.buf.Pairs[at : at+kernel.PackedLenBF16(w.Outs, w.Ins)], ins: w.Ins}
}

// product writes columns first..first+n-1 of init + x·Wᵀ for some rows of x [rows,ins]; first is a multiple of
// kernel.PanelWidth, rows at most maxForwardChunk. A row's BF16 numbers depend on that row alone, so batches do not matter.
//
//	c [rows,n], rows ldc apart   init [rows,n], rows ldInit apart, or nil
func (r *run) product(worker int, c []float32, ldc int, x []float32, w panels, rows, first, n int, init []float32, ldInit int) {
	if w.pairs == nil {
		kernel.Gemm(c, ldc, x, w.ins, 1, w.float[first*w.ins:], rows, n, w.ins, init, ldInit)
		return
	}
	pairs, rounded := kernel.RoundedLen(w.ins), r.rounded[worker]
	kernel.RoundBF16(rounded, pairs, x, w.ins, rows, w.ins)
	kernel.GemmBF16(c, ldc, rounded, pairs, w.pairs[first*pairs:], rows, n, w.ins, init, ldInit)
}

// multiplies notes that the plan multiplies by w.
func (p *Plan) multiplies(w *Weight) {
	if w.BF16 {
		p.roundedIns = max(p.roundedIns, w.Ins)
	}
}

// roundedPairs is what one worker needs for the rounded rows of x.
func roundedPairs(p *Plan, buf *Buffers) int {
	ins := p.roundedIns
	if buf.Teacher.Pairs != nil {
		ins = max(ins, buf.Teacher.Ins)
	}
	return maxForwardChunk * kernel.RoundedLen(ins)
}

// Pairs returns n zeroed pairs of BF16 numbers that begin on a cache line.
func Pairs(n int) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(Floats(n)))), n)
}
