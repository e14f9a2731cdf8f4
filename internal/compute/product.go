package compute

import (
	"slices"
	"unsafe"

	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
)

// panels are the right-hand side of x·Wᵀ as the kernels read it: float32, BF16 pairs, or quantised.
type panels struct {
	float     []float32
	pairs     []uint32        // if not nil, x is rounded to BF16 too
	quantised []QuantisedRows // if not nil, x is quantised too
	ins       int
}

// panels are those of w.
func (r *run) panels(w *Weight) panels {
	switch {
	case w.Quantised != nil:
		return panels{quantised: w.Quantised, ins: w.Ins}
	case !w.BF16:
		return panels{float: r.packed(w), ins: w.Ins}
	}
	at := w.PairsOffset
	return panels{pairs: r.buf.Pairs[at : at+kernel.PackedLenBF16(w.Outs, w.Ins)], ins: w.Ins}
}

// product writes columns first..first+n-1 of init + x·Wᵀ for some rows of x [rows,ins]; first is a multiple of
// kernel.PanelWidth, rows at most maxForwardChunk, or maxColumnRows where w is quantised. A row's BF16 or quantised numbers depend on
// that row alone, so batches do not matter.
//
//	c [rows,n], rows ldc apart   init [rows,n], rows ldInit apart, or nil
func (r *run) product(worker int, c []float32, ldc int, x []float32, w panels, rows, first, n int, init []float32, ldInit int) {
	if w.quantised != nil {
		r.quantisedProduct(worker, c, ldc, x, w, rows, first, n, init, ldInit)
		return
	}
	if w.pairs == nil {
		kernel.Gemm(c, ldc, x, w.ins, 1, w.float[first*w.ins:], rows, n, w.ins, init, ldInit)
		return
	}
	pairs, rounded := kernel.RoundedLen(w.ins), r.rounded[worker]
	r.reduceOnce(worker, pairs, tensor.BF16, x, rows, w.ins)
	kernel.GemmBF16(c, ldc, rounded, pairs, w.pairs[first*pairs:], rows, n, w.ins, init, ldInit)
}

// quantisedInput says what a worker's buffer of quantised activations holds, so that the products of one op with the same rows quantise them once.
type quantisedInput struct {
	x         *float32
	rows, ins int
	kind      int
}

// kindBF16 is the activationKind of BF16: that of no quantised format.
const kindBF16 = -1

// activationKind is the same for formats whose products read the same numbers.
func activationKind(f tensor.Format) int {
	if f == tensor.BF16 {
		return kindBF16
	}
	return kernel.ActivationKind(f)
}

// reduceOnce makes of rows of x what products with weights in format f read, in the worker's buffer, unless they lie there.
func (r *run) reduceOnce(worker, ld int, f tensor.Format, x []float32, rows, ins int) {
	input := quantisedInput{&x[0], rows, ins, activationKind(f)}
	if r.inputs[worker] == input {
		return
	}
	r.inputs[worker] = input
	if f == tensor.BF16 {
		kernel.RoundBF16(r.rounded[worker], ld, x, ins, rows, ins)
		return
	}
	kernel.Quantise(r.rounded[worker], ld, f, x, ins, rows, ins)
}

// quantisedProduct is product over the rows of w that columns first..first+n-1 stand for, format by format.
func (r *run) quantisedProduct(worker int, c []float32, ldc int, x []float32, w panels, rows, first, n int, init []float32, ldInit int) {
	a := r.rounded[worker]
	for _, part := range w.quantised {
		lo, hi := max(first, part.First), min(first+n, part.First+part.Rows)
		if lo >= hi {
			continue
		}
		from := init
		if from != nil {
			from = from[lo-first:]
		}
		panel := len(part.Panels) / ((part.Rows + kernel.PanelWidth - 1) / kernel.PanelWidth)
		b := part.Panels[(lo-part.First)/kernel.PanelWidth*panel:]
		if part.Format == tensor.F16 {
			kernel.GemmF16(c[lo-first:], ldc, x, w.ins, kernel.PanelPairs(b), rows, hi-lo, w.ins, from, ldInit, r.unpacked[worker])
			continue
		}
		ld := kernel.QuantisedLen(w.ins)
		if part.Format == tensor.BF16 {
			ld = kernel.RoundedLen(w.ins)
		}
		r.reduceOnce(worker, ld, part.Format, x, rows, w.ins)
		if part.Format == tensor.BF16 {
			kernel.GemmBF16(c[lo-first:], ldc, a, ld, kernel.PanelPairs(b), rows, hi-lo, w.ins, from, ldInit)
			continue
		}
		kernel.GemmQuantised(c[lo-first:], ldc, part.Format, a, ld, b, rows, hi-lo, w.ins, from, ldInit, r.unpacked[worker])
	}
}

func hasBF16(parts []QuantisedRows) bool {
	return slices.ContainsFunc(parts, func(q QuantisedRows) bool { return q.Format == tensor.BF16 })
}

// multiplies notes that the plan multiplies by w.
func (p *Plan) multiplies(w *Weight) {
	switch {
	case w.Quantised != nil:
		p.quantisedIns = max(p.quantisedIns, w.Ins)
		if hasBF16(w.Quantised) {
			p.roundedIns = max(p.roundedIns, w.Ins)
		}
	case w.BF16:
		p.roundedIns = max(p.roundedIns, w.Ins)
	}
}

// roundedWords is what one worker needs for the rounded or quantised rows of x.
func roundedWords(p *Plan, buf *Buffers) int {
	ins, quantised := p.roundedIns, p.quantisedIns
	switch {
	case buf.Teacher.Quantised != nil:
		quantised = max(quantised, buf.Teacher.Ins)
		if hasBF16(buf.Teacher.Quantised) {
			ins = max(ins, buf.Teacher.Ins)
		}
	case buf.Teacher.Pairs != nil:
		ins = max(ins, buf.Teacher.Ins)
	}
	rows := maxForwardChunk
	if quantised > 0 {
		rows = maxColumnRows
	}
	return rows * max(kernel.RoundedLen(ins), kernel.QuantisedLen(quantised))
}

// unpackedWords is what one worker needs to unpack quantised weights and to widen those in F16.
func unpackedWords(p *Plan, buf *Buffers) int {
	if p.quantisedIns == 0 && buf.Teacher.Quantised == nil {
		return 0
	}
	return max(kernel.QuantisedScratch(), kernel.WidenedScratch())
}

// Pairs returns n zeroed pairs of BF16 numbers that begin on a cache line.
func Pairs(n int) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(Floats(n)))), n)
}
