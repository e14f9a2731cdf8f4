//go:build purego || (!amd64 && !arm64)

package kernel

import "github.com/retort-ml/retort/tensor"

// Level is the instruction set in use, one of Levels.
func Level() string { return "generic" }

// Levels lists the instruction sets that this machine and this build can run, slowest first.
func Levels() []string { return []string{"generic"} }

func packRows(dst, w []float32, n, k, ldw int) { packRowsGo(dst, w, n, k, ldw) }

func packColumns(dst, w []float32, k, n, ldw int) { packColumnsGo(dst, w, k, n, ldw) }

func gemm(c []float32, ldc int, a []float32, rowStride, kStride int, b []float32, m, n, k int, init []float32, ldInit int) {
	gemmGo(c, ldc, a, rowStride, kStride, b, m, n, k, init, ldInit)
}

func rmsNorm(out, x, w, rstd []float32, rows, d int, eps float32) {
	rmsNormGo(out, x, w, rstd, rows, d, eps)
}

func rmsNormBackward(dx, dw, dy, x, w, rstd []float32, rows, d int) {
	rmsNormBackwardGo(dx, dw, dy, x, w, rstd, rows, d)
}

func rope(x []float32, ld int, positions []int32, table []float32, rows, heads, headSize int, inverse bool) {
	ropeGo(x, ld, positions, table, rows, heads, headSize, inverse)
}

func swiGLU(out, gateUp []float32, rows, f int) {
	swiGLUGo(out, gateUp, rows, f)
}

func swiGLUBackward(dgateUp, dout, gateUp []float32, rows, f int) {
	swiGLUBackwardGo(dgateUp, dout, gateUp, rows, f)
}

func softmaxStats(state, logits []float32, ld, rows, n int, invT float32) {
	softmaxStatsGo(state, logits, ld, rows, n, invT)
}

func softmax(p, logits []float32, ld, rows, n int, invT float32, lse []float32) {
	softmaxGo(p, logits, ld, rows, n, invT, lse)
}

func addScaled(y, x []float32, a float32) {
	addScaledGo(y, x, a)
}

func add(out, a, b []float32) {
	addGo(out, a, b)
}

func sumSquares(x []float32) float64 {
	return sumSquaresGo(x)
}

func adamW(w, m, v, g []float32, s AdamWStep) {
	adamWGo(w, m, v, g, s)
}

func attentionScratch(heads, kvHeads, headSize int) int {
	return sum(attentionChunk, product(1+BlockTokens, headSize)) // scores, outputs, a widened half of a block
}

func attention(out []float32, ldOut int, lse, q []float32, ldQ int, kv []float32, f tensor.Format, table []int32, rows, pos, g, heads, kvHeads, headSize int, scale float32, scratch []float32) {
	attentionGo(out, ldOut, lse, q, ldQ, kv, f, table, rows, pos, g, heads, kvHeads, headSize, scale, scratch)
}

func roundNumbers(to []uint16, f tensor.Format, from []float32) { roundNumbersGo(to, f, from) }

func attentionBackwardScratch(n, heads, kvHeads, headSize int) int {
	return 0
}

func attentionBackward(dq, dk, dv []float32, ldD int, dout, out []float32, ldOut int, lse []float32, q, k, v []float32, ld int, n, g, heads, kvHeads, headSize int, scale float32, _ []float32) {
	attentionBackwardGo(dq, dk, dv, ldD, dout, out, ldOut, lse, q, k, v, ld, n, g, heads, kvHeads, headSize, scale)
}
