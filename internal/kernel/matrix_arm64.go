//go:build arm64 && !purego

package kernel

import (
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// attentionTallest is the height of the tallest tile, for which the scratch space is laid out.
const attentionTallest = 6

// attentionTileHeight is the number of query vectors to take of those that are left: there is code for no others.
func attentionTileHeight(left int) int {
	if left >= 6 {
		return 6
	}
	return min(left, 4)
}

func packRows(dst, w []float32, n, k, ldw int) {
	if !useNEON {
		packRowsGo(dst, w, n, k, ldw)
		return
	}
	packRowsNEON(&dst[0], &w[0], n, k, ldw)
}

func packColumns(dst, w []float32, k, n, ldw int) {
	if !useNEON {
		packColumnsGo(dst, w, k, n, ldw)
		return
	}
	packColumnsNEON(&dst[0], &w[0], k, n, ldw)
}

func gemmPass(c *float32, ldc int, a *float32, rowStride, kStride int, b *float32, panelStride, m, n, k int, init *float32, ldInit int) {
	if m <= gemmFew {
		gemmFewNEON(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
		return
	}
	gemmNEON(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
}

func copyRows(dst *float32, ldDst int, src *float32, ldSrc, rows, n int) {
	copyRowsNEON(dst, ldDst, src, ldSrc, rows, n)
}

func attentionTile(f tensor.Format, out *float32, ldOut int, lse *float32, ldLse int, q *float32, ldQ int, kv *float32, blockNumbers int, table *int32, start, pos, head, count, group, headSize int, scale float32, scratch *float32) {
	half := (*uint16)(unsafe.Pointer(kv))
	switch f {
	case tensor.Q8_0:
		attentionTileQ8NEON(out, ldOut, lse, ldLse, q, ldQ, (*uint8)(unsafe.Pointer(kv)), blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case tensor.BF16:
		attentionTileBF16NEON(out, ldOut, lse, ldLse, q, ldQ, half, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case tensor.F16:
		attentionTileF16NEON(out, ldOut, lse, ldLse, q, ldQ, half, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	default:
		attentionTileNEON(out, ldOut, lse, ldLse, q, ldQ, kv, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	}
}

// roundNumbers rounds an even count of numbers.
func roundNumbers(to []uint16, f tensor.Format, from []float32) {
	switch {
	case !useNEON:
		roundNumbersGo(to, f, from)
	case f == tensor.BF16:
		roundNumbersBF16NEON(&to[0], &from[0], len(from))
	default:
		roundNumbersF16NEON(&to[0], &from[0], len(from))
	}
}

func attentionGradient(p, ds *float32, ldScores int, lse *float32, ldLse int, dout, out *float32, ldOut, rows, pos, keys, headSize int, scale float32) {
	attentionGradientNEON(p, ds, ldScores, lse, ldLse, dout, out, ldOut, rows, pos, keys, headSize, scale)
}
