package kernel

import (
	"math"

	"github.com/retort-ml/retort/tensor"
)

// attentionChunk is the number of keys, counted from a sequence's start, whose softmax is begun afresh and then merged.
const attentionChunk = 256

// AttentionScratch is the number of floats that one worker needs for Attention.
func AttentionScratch(heads, kvHeads, headSize int) int {
	if heads < 0 || headSize < 0 || kvHeads <= 0 || heads%kvHeads != 0 {
		panic("kernel: AttentionScratch: bad size")
	}
	length := attentionScratch(heads, kvHeads, headSize)
	if length == maxInt {
		panic("kernel: AttentionScratch: size does not fit an int")
	}
	return length
}

// Attention is causal attention of neighbouring rows of one sequence over its cached keys and values, for key/value head g and the H/G query heads
// that read it (Vaswani et al. 2017, eq. 1; grouped heads as Ainslie et al. 2023; the running softmax as Dao et al. 2022, algorithm 1). The heads of
// different g may run at once.
//
//	q, out: row t begins at t*ldQ, t*ldOut, and holds H adjacent heads; q is already rotated; the heads of g in out are overwritten
//	lse [rows][H], kept for AttentionBackward, of which likewise, or nil
//	kv: the blocks of one layer with numbers of format f, see BlockFloats   table [ceil((pos+rows)/16)]: the sequence's blocks in order
//	scratch: AttentionScratch floats, overwritten
//
// Row t is at position pos+t and sees keys 0 to pos+t, which are already written. Query head h reads key/value head
// h/(H/G). out = Σ_j softmax_j(scale·q·k_j)·v_j; lse = log Σ_j exp(scale·q·k_j).
//
// Keys go in chunks of 256 from the sequence's start. Each chunk begins with a fresh (max, sum, out); chunks are merged
// in ascending order. So a row has the same bits whether it comes alone (decode) or among others (prefill, training). Numbers of 16 or 8 bits
// give the bits that the same values in float32 give.
func Attention(out []float32, ldOut int, lse, q []float32, ldQ int, kv []float32, f tensor.Format, table []int32, rows, pos, g, heads, kvHeads, headSize int, scale float32, scratch []float32) {
	if heads < 0 || headSize < 0 || kvHeads <= 0 || heads%kvHeads != 0 || g < 0 || g >= kvHeads || pos < 0 || badKVFormat(f, headSize) {
		panic("kernel: Attention: bad size or format")
	}
	width := product(heads, headSize)
	if badRows(rows, ldOut, width) || badRows(rows, ldQ, width) {
		panic("kernel: Attention: bad size")
	}
	if len(out) < span(rows, ldOut, width) || len(q) < span(rows, ldQ, width) {
		panic("kernel: Attention: out or q is too short")
	}
	if lse != nil && len(lse) < product(rows, heads) {
		panic("kernel: Attention: lse is too short")
	}
	if len(scratch) < attentionScratch(heads, kvHeads, headSize) {
		panic("kernel: Attention: scratch is too short")
	}
	if rows == 0 || width == 0 {
		return
	}
	last := sum(pos, rows-1)
	if len(table) <= last/BlockTokens {
		panic("kernel: Attention: table is too short")
	}
	blocks := len(kv) / blockLength(f, kvHeads, headSize)
	for _, block := range table[:last/BlockTokens+1] {
		if block < 0 || int(block) >= blocks {
			panic("kernel: Attention: block outside the cache")
		}
	}
	attention(out, ldOut, lse, q, ldQ, kv, f, table, rows, pos, g, heads, kvHeads, headSize, scale, scratch)
}

func attentionGo(out []float32, ldOut int, lse, q []float32, ldQ int, kv []float32, f tensor.Format, table []int32, rows, pos, g, heads, kvHeads, headSize int, scale float32, scratch []float32) {
	scores := scratch[:attentionChunk]
	part := scratch[attentionChunk:][:headSize]
	cache := headCache{
		kv: kv, format: f, table: table, blockNumbers: kvHeads * headNumbers(f, headSize), headSize: headSize, head: g,
		wide: scratch[attentionChunk+headSize:][:headSize*BlockTokens],
	}
	group := heads / kvHeads
	for t := range rows {
		keys := pos + t + 1
		for h := g * group; h < (g+1)*group; h++ {
			query := q[t*ldQ+h*headSize:][:headSize]
			to := out[t*ldOut+h*headSize:][:headSize]
			highest, total := float32(math.Inf(-1)), float32(0)
			clear(to)
			for start := 0; start < keys; start += attentionChunk {
				n := min(attentionChunk, keys-start)
				chunkHighest := attentionScores(scores[:n], query, &cache, start, scale)
				chunkTotal := attentionValues(part, scores[:n], chunkHighest, &cache, start)
				merged := max(highest, chunkHighest)
				a, b := expGo(highest-merged), expGo(chunkHighest-merged)
				total = float32(total*a) + float32(chunkTotal*b)
				for i, v := range part {
					to[i] = float32(to[i]*a) + float32(v*b)
				}
				highest = merged
			}
			inverse := 1 / total
			for i := range to {
				to[i] *= inverse
			}
			if lse != nil {
				lse[t*heads+h] = highest + logGo(total)
			}
		}
	}
}

// attentionScores writes scale·q·k for len(scores) keys from first, which begins a block, and returns the highest.
func attentionScores(scores, query []float32, cache *headCache, first int, scale float32) float32 {
	highest := float32(math.Inf(-1))
	for start := 0; start < len(scores); start += BlockTokens {
		var acc [BlockTokens]float32
		keys := cache.keys((first + start) / BlockTokens)
		for half := 0; half < BlockTokens; half += PanelWidth / 2 {
			// A block of transposed keys is a packed panel.
			gemmStrip((*[PanelWidth / 2]float32)(acc[half:]), query, 1, keys[half:], len(query))
		}
		to := scores[start:min(start+BlockTokens, len(scores))]
		for j := range to {
			to[j] = acc[j] * scale
			highest = max(highest, to[j])
		}
	}
	return highest
}

// attentionValues writes Σ_j exp(score-highest)·v to out, turns scores into these exponentials and returns their sum.
func attentionValues(out, scores []float32, highest float32, cache *headCache, first int) float32 {
	var total float32
	var values []float32
	clear(out)
	for j, score := range scores {
		e := expGo(score - highest)
		scores[j] = e
		total += e
		if j%BlockTokens == 0 {
			values = cache.values((first + j) / BlockTokens)
		}
		for i, v := range values[j%BlockTokens*len(out):][:len(out)] {
			out[i] += float32(e * v)
		}
	}
	return total
}

// AttentionBackwardScratch is the number of floats that one worker needs for AttentionBackward of a sequence of n rows.
func AttentionBackwardScratch(n, heads, kvHeads, headSize int) int {
	if n < 0 || heads < 0 || headSize < 0 || kvHeads <= 0 || heads%kvHeads != 0 {
		panic("kernel: AttentionBackwardScratch: bad size")
	}
	length := attentionBackwardScratch(n, heads, kvHeads, headSize)
	if length == maxInt {
		panic("kernel: AttentionBackwardScratch: size does not fit an int")
	}
	return length
}

// AttentionBackward is the adjoint of causal attention over one whole sequence, positions 0 to n-1, for key/value head
// g and the H/G query heads that read it (Dao et al. 2022, algorithm 4). The heads of different g may run at once.
//
//	q, dq: row t begins at t*ld, t*ldD, and holds H adjacent heads; k, v, dk, dv likewise with G heads
//	dout, out: row t begins at t*ldOut and holds H adjacent heads   lse [n][H]; out and lse as Attention wrote them
//	scratch: AttentionBackwardScratch floats, overwritten
//
// It overwrites the H/G heads of dq, and head g of dk and dv, and touches no other head. q and k are already rotated;
// dq and dk are gradients of the rotated ones. The slices may be offset views of one buffer with rows [q | k | v].
//
// With p_ij = exp(scale·q_i·k_j - lse_i) and s_ij = p_ij·(dout_i·v_j - dout_i·out_i):
// dv_j = Σ_i p_ij·dout_i; dq_i = scale·Σ_j s_ij·k_j; dk_j = scale·Σ_i s_ij·q_i.
func AttentionBackward(dq, dk, dv []float32, ldD int, dout, out []float32, ldOut int, lse []float32, q, k, v []float32, ld int, n, g, heads, kvHeads, headSize int, scale float32, scratch []float32) {
	if headSize < 0 || kvHeads <= 0 || heads < kvHeads || heads%kvHeads != 0 || g < 0 || g >= kvHeads {
		panic("kernel: AttentionBackward: bad size")
	}
	wide, narrow := product(heads, headSize), product(kvHeads, headSize)
	if badRows(n, ldD, wide) || badRows(n, ldOut, wide) || badRows(n, ld, wide) {
		panic("kernel: AttentionBackward: bad size")
	}
	if len(dq) < span(n, ldD, wide) || len(dk) < span(n, ldD, narrow) || len(dv) < span(n, ldD, narrow) {
		panic("kernel: AttentionBackward: dq, dk or dv is too short")
	}
	if need := span(n, ldOut, wide); len(dout) < need || len(out) < need {
		panic("kernel: AttentionBackward: dout or out is too short")
	}
	if len(q) < span(n, ld, wide) || len(k) < span(n, ld, narrow) || len(v) < span(n, ld, narrow) {
		panic("kernel: AttentionBackward: q, k or v is too short")
	}
	if len(lse) < product(n, heads) {
		panic("kernel: AttentionBackward: lse is too short")
	}
	if len(scratch) < attentionBackwardScratch(n, heads, kvHeads, headSize) {
		panic("kernel: AttentionBackward: scratch is too short")
	}
	if n == 0 || headSize == 0 {
		return
	}
	attentionBackward(dq, dk, dv, ldD, dout, out, ldOut, lse, q, k, v, ld, n, g, heads, kvHeads, headSize, scale, scratch)
}

func attentionBackwardGo(dq, dk, dv []float32, ldD int, dout, out []float32, ldOut int, lse []float32, q, k, v []float32, ld int, n, g, heads, kvHeads, headSize int, scale float32) {
	group := heads / kvHeads
	narrow := g * headSize
	for j := range n {
		clear(dk[j*ldD+narrow:][:headSize])
		clear(dv[j*ldD+narrow:][:headSize])
	}
	for h := g * group; h < (g+1)*group; h++ {
		wide := h * headSize
		for i := range n {
			query := q[i*ld+wide:][:headSize]
			dquery := dq[i*ldD+wide:][:headSize]
			d := dout[i*ldOut+wide:][:headSize]
			delta := dot(d, out[i*ldOut+wide:][:headSize])
			clear(dquery)
			for j := range i + 1 {
				key := k[j*ld+narrow:][:headSize]
				p := expGo(float32(dot(query, key)*scale) - lse[i*heads+h])
				s := float32(p*(dot(d, v[j*ld+narrow:][:headSize])-delta)) * scale
				addScaledGo(dquery, key, s)
				addScaledGo(dk[j*ldD+narrow:][:headSize], query, s)
				addScaledGo(dv[j*ldD+narrow:][:headSize], d, p)
			}
		}
	}
}

func dot(a, b []float32) float32 {
	var acc float32
	b = b[:len(a)]
	for i, v := range a {
		acc += float32(v * b[i])
	}
	return acc
}
