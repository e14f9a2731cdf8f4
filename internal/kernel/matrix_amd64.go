//go:build amd64 && !purego

package kernel

import (
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// attentionTallest is the height of the tallest tile, that of AVX-512, for which the scratch space is laid out.
const attentionTallest = 12

// attentionTileHeight is the number of query vectors to take of those that are left: there is code for no others.
func attentionTileHeight(left int) int {
	switch {
	case useAVX512 && left >= 12:
		return 12
	case useAVX512 && left >= 8:
		return 8
	case left >= 6:
		return 6
	}
	return min(left, 4)
}

func packRows(dst, w []float32, n, k, ldw int) {
	switch {
	case useAVX512:
		packRowsAVX512(&dst[0], &w[0], n, k, ldw)
	case useAVX2:
		packRowsAVX2(&dst[0], &w[0], n, k, ldw)
	default:
		packRowsGo(dst, w, n, k, ldw)
	}
}

func packColumns(dst, w []float32, k, n, ldw int) {
	switch {
	case useAVX512:
		packColumnsAVX512(&dst[0], &w[0], k, n, ldw)
	case useAVX2:
		packColumnsAVX2(&dst[0], &w[0], k, n, ldw)
	default:
		packColumnsGo(dst, w, k, n, ldw)
	}
}

func gemmPass(c *float32, ldc int, a *float32, rowStride, kStride int, b *float32, panelStride, m, n, k int, init *float32, ldInit int) {
	switch {
	case useAVX512 && m <= gemmFew:
		gemmFewAVX512(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	case useAVX512:
		gemmAVX512(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	case m <= gemmFew:
		gemmFewAVX2(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	default:
		gemmAVX2(c, ldc, a, rowStride, kStride, b, panelStride, m, n, k, init, ldInit)
	}
}

func copyRows(dst *float32, ldDst int, src *float32, ldSrc, rows, n int) {
	if useAVX512 {
		copyRowsAVX512(dst, ldDst, src, ldSrc, rows, n)
		return
	}
	copyRowsAVX2(dst, ldDst, src, ldSrc, rows, n)
}

func attentionTile(f tensor.Format, out *float32, ldOut int, lse *float32, ldLse int, q *float32, ldQ int, kv *float32, blockNumbers int, table *int32, start, pos, head, count, group, headSize int, scale float32, scratch *float32) {
	half, octet := (*uint16)(unsafe.Pointer(kv)), (*uint8)(unsafe.Pointer(kv))
	switch {
	case useAVX512 && f == tensor.Q8_0:
		attentionTileQ8AVX512(out, ldOut, lse, ldLse, q, ldQ, octet, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case f == tensor.Q8_0:
		attentionTileQ8AVX2(out, ldOut, lse, ldLse, q, ldQ, octet, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case useAVX512 && f == tensor.BF16:
		attentionTileBF16AVX512(out, ldOut, lse, ldLse, q, ldQ, half, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case useAVX512 && f == tensor.F16:
		attentionTileF16AVX512(out, ldOut, lse, ldLse, q, ldQ, half, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case useAVX512:
		attentionTileAVX512(out, ldOut, lse, ldLse, q, ldQ, kv, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case f == tensor.BF16:
		attentionTileBF16AVX2(out, ldOut, lse, ldLse, q, ldQ, half, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	case f == tensor.F16:
		attentionTileF16AVX2(out, ldOut, lse, ldLse, q, ldQ, half, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	default:
		attentionTileAVX2(out, ldOut, lse, ldLse, q, ldQ, kv, blockNumbers, table, start, pos, head, count, group, headSize, scale, scratch)
	}
}

// roundNumbers rounds an even count of numbers.
func roundNumbers(to []uint16, f tensor.Format, from []float32) {
	switch {
	case useAVX512 && f == tensor.BF16:
		roundNumbersBF16AVX512(&to[0], &from[0], len(from))
	case useAVX512:
		roundNumbersF16AVX512(&to[0], &from[0], len(from))
	case useAVX2 && f == tensor.BF16:
		roundNumbersBF16AVX2(&to[0], &from[0], len(from))
	case useAVX2:
		roundNumbersF16AVX2(&to[0], &from[0], len(from))
	default:
		roundNumbersGo(to, f, from)
	}
}

func attentionGradient(p, ds *float32, ldScores int, lse *float32, ldLse int, dout, out *float32, ldOut, rows, pos, keys, headSize int, scale float32) {
	if useAVX512 {
		attentionGradientAVX512(p, ds, ldScores, lse, ldLse, dout, out, ldOut, rows, pos, keys, headSize, scale)
		return
	}
	attentionGradientAVX2(p, ds, ldScores, lse, ldLse, dout, out, ldOut, rows, pos, keys, headSize, scale)
}
