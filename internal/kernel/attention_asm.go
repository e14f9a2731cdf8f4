//go:build (amd64 || arm64) && !purego

package kernel

import "github.com/retort-ml/retort/tensor"

// attentionState is what the tallest tile keeps between chunks, in floats. A tile is the query vectors (one head of one row) that
// are evaluated at once, at most attentionTallest; see csrc/attention.h.
const attentionState = 4 * PanelWidth

func attentionScratch(heads, kvHeads, headSize int) int {
	tile := product(attentionTallest, sum(attentionChunk, product(3, headSize)))
	return sum(sum(attentionState, tile), product(attentionChunk/blockSize, headSize)) // the last is for scales of Q8_0
}

func attention(out []float32, ldOut int, lse, q []float32, ldQ int, kv []float32, f tensor.Format, table []int32, rows, pos, g, heads, kvHeads, headSize int, scale float32, scratch []float32) {
	if !useAssembly() {
		attentionGo(out, ldOut, lse, q, ldQ, kv, f, table, rows, pos, g, heads, kvHeads, headSize, scale, scratch)
		return
	}
	group := heads / kvHeads
	blockNumbers := kvHeads * headNumbers(f, headSize)
	cache := &kv[g*blockLength(f, 1, headSize)]
	for first, count := 0, 0; first < rows*group; first += count {
		count = attentionTileHeight(rows*group - first)
		row, head := first/group, first%group
		to, from := &out[row*ldOut+g*group*headSize], &q[row*ldQ+g*group*headSize]
		var norms *float32
		if lse != nil {
			norms = &lse[row*heads+g*group]
		}
		keys := pos + (first+count-1)/group + 1
		for start := 0; start < keys; start += attentionChunk {
			attentionTile(f, to, ldOut, norms, heads, from, ldQ, cache, blockNumbers, &table[0], start, pos+row, head, count, group, headSize, scale, &scratch[0])
		}
	}
}

// attentionRows is how many rows of scores AttentionBackward holds at once: a multiple of the height of all tiles.
const attentionRows = 24

func attentionBackwardScratch(n, heads, kvHeads, headSize int) int {
	keys, columns := packedLen(n, 1), packedLen(headSize, 1)
	operands := sum(product(2, product(keys, headSize)), product(3, product(columns, n)))
	return sum(operands, product(2*attentionRows, keys))
}

// attentionBackward goes through the rows of each head in pieces, of which each is five small products and, between them, the
// element-wise part. Sums over rows run over ascending rows of ascending heads.
func attentionBackward(dq, dk, dv []float32, ldD int, dout, out []float32, ldOut int, lse []float32, q, k, v []float32, ld int, n, g, heads, kvHeads, headSize int, scale float32, scratch []float32) {
	if !useAssembly() {
		attentionBackwardGo(dq, dk, dv, ldD, dout, out, ldOut, lse, q, k, v, ld, n, g, heads, kvHeads, headSize, scale)
		return
	}
	b := newAttentionBackwardBuffers(scratch, n, headSize)
	group := heads / kvHeads
	narrow := g * headSize
	dk, dv, k, v = dk[narrow:], dv[narrow:], k[narrow:], v[narrow:]
	for j := range n {
		clear(dk[j*ldD:][:headSize])
		clear(dv[j*ldD:][:headSize])
	}
	PackRows(b.keyRows, k, n, headSize, ld)
	PackRows(b.valueRows, v, n, headSize, ld)
	PackColumns(b.keys, k, n, headSize, ld)
	for h := g * group; h < (g+1)*group; h++ {
		at := h * headSize
		query, dquery, d, o := q[at:], dq[at:], dout[at:], out[at:]
		PackColumns(b.queries, query, n, headSize, ld)
		PackColumns(b.gradients, d, n, headSize, ldOut)
		for i := 0; i < n; i += attentionRows {
			rows := min(attentionRows, n-i)
			keys := i + rows
			// q·kᵀ and dout·vᵀ, which become p and ds.
			gemmPanels(b.scores, b.width, query[i*ld:], ld, 1, b.keyRows, PanelWidth*headSize, rows, keys, headSize, nil, 0)
			gemmPanels(b.products, b.width, d[i*ldOut:], ldOut, 1, b.valueRows, PanelWidth*headSize, rows, keys, headSize, nil, 0)
			attentionGradient(&b.scores[0], &b.products[0], b.width, &lse[i*heads+h], heads, &d[i*ldOut], &o[i*ldOut], ldOut, rows, i, keys, headSize, scale)
			gemmPanels(dquery[i*ldD:], ldD, b.products, b.width, 1, b.keys, PanelWidth*n, rows, headSize, keys, nil, 0)
			gemmPanels(dk, ldD, b.products, 1, b.width, b.queries[i*PanelWidth:], PanelWidth*n, keys, headSize, rows, dk, ldD)
			gemmPanels(dv, ldD, b.scores, 1, b.width, b.gradients[i*PanelWidth:], PanelWidth*n, keys, headSize, rows, dv, ldD)
		}
	}
}

// attentionBackwardBuffers are the parts of the scratch space of AttentionBackward.
type attentionBackwardBuffers struct {
	keyRows, valueRows       []float32 // PackRows of k and v
	keys, queries, gradients []float32 // PackColumns of k, q and dout
	scores, products         []float32 // [attentionRows][width]
	width                    int       // n in whole panels
}

func newAttentionBackwardBuffers(scratch []float32, n, headSize int) attentionBackwardBuffers {
	b := attentionBackwardBuffers{width: packedLen(n, 1)}
	take := func(length int) []float32 {
		part := scratch[:length:length]
		scratch = scratch[length:]
		return part
	}
	rows, columns := b.width*headSize, packedLen(headSize, 1)*n
	b.keyRows, b.valueRows = take(rows), take(rows)
	b.keys, b.queries, b.gradients = take(columns), take(columns), take(columns)
	b.scores, b.products = take(attentionRows*b.width), take(attentionRows*b.width)
	return b
}
