//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// quantRows is the bytes of activations that stay in the second-level cache while panels go by.
const quantRows = 640 << 10

func quantise(q *quantFormat, dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	if !useAssembly() {
		quantiseGo(q, dst, ldDst, x, ldX, rows, k)
		return
	}
	blocks, minima := k/blockSize, 0
	if q.minima {
		minima = 1
	}
	for i := range rows {
		row := dst[i*ldDst:][:quantisedLen(k)]
		quantiseRow(&row[0], &x[i*ldX], blocks, int(q.zero), q.halves, minima)
		clear(row[blocks*quantWords:])
	}
}

// packMoves moves what moves of 16 rows of ld bytes each, if there is code for it.
func packMoves(q *quantFormat, dst, w []byte, ld int) bool {
	if !useAssembly() || ld == 0 {
		return false
	}
	perUnit := blockSize * q.blocks / q.elements
	for _, m := range q.moves {
		packWords(&dst[m.to], &w[m.from], ld, m.words, m.step, int(int32(q.flip)), ld/q.bytes, q.bytes, perUnit, q.unit, m.block)
	}
	for _, m := range q.halfMoves {
		packHalves(&dst[m.to], &w[m.from], ld, ld/q.bytes, q.bytes, perUnit, q.unit, m.block)
	}
	return true
}

func gemmQuantised(q *quantFormat, c []float32, ldc int, a []uint32, lda int, b []byte, m, n, k int, init []float32, ldInit int, scratch []uint32) {
	if !useAssembly() || k == 0 {
		gemmQuantisedGo(q, c, ldc, a, lda, b, m, n, k, init, ldInit)
		return
	}
	p := quantProduct{q: q, c: &c[0], a: &a[0], b: &b[0], init: unsafe.SliceData(init), ldc: ldc, lda: lda, ldInit: ldInit, m: m, n: n, units: q.units(k)}
	if m <= QuantisedFew {
		p.few()
		return
	}
	rows := max(12, quantRows/(4*quantisedLen(k))/12*12)
	for i := 0; i < m; i += rows {
		part := p
		part.c, part.a, part.m = at(p.c, i*ldc), word(p.a, i*lda), min(rows, m-i)
		if p.init != nil {
			part.init = at(p.init, i*ldInit)
		}
		part.tiles(scratch)
	}
}

// quantProduct is the operands of GemmQuantised.
type quantProduct struct {
	q                             *quantFormat
	c, init                       *float32 // init may be nil
	a                             *uint32
	b                             *byte
	ldc, lda, ldInit, m, n, units int
}

// from is where column j's outputs start from when `done` blocks have been added.
func (p *quantProduct) from(j, done int) (init *float32, ld int) {
	switch {
	case done > 0:
		return at(p.c, j), p.ldc
	case p.init != nil:
		return at(p.init, j), p.ldInit
	}
	return nil, 0
}

// few reads each panel once. Where not all rows can be multiplied at once, they take turns at every 16 blocks, which stay in the first-level cache.
func (p *quantProduct) few() {
	pass := quantPass(p.q)
	turn := p.units
	if p.m > pass {
		turn = 16 / p.q.blocks
	}
	for j := 0; j < p.n; j += PanelWidth {
		panel := unsafe.Add(unsafe.Pointer(p.b), j/PanelWidth*p.units*p.q.unit)
		for u := 0; u < p.units; u += turn {
			init, ld := p.from(j, u)
			for i := 0; i < p.m; i += pass {
				start := init
				if start != nil {
					start = at(start, i*ld)
				}
				quantFew(p.q.id, at(p.c, i*p.ldc+j), p.ldc, word(p.a, i*p.lda+u*p.q.blocks*quantWords), p.lda, (*byte)(unsafe.Add(panel, u*p.q.unit)),
					min(pass, p.m-i), p.n-j, min(turn, p.units-u), start, ld, turn%p.units*p.q.unit)
			}
		}
	}
}

// tiles unpacks quantDepth blocks of a few panels at a time and multiplies them with all rows.
func (p *quantProduct) tiles(scratch []uint32) {
	panels := quantPanels()
	blocks, panelBytes := p.units*p.q.blocks, p.units*p.q.unit
	record := (groups*lanes + 4*PanelWidth*p.q.halves) / 4
	if p.q.minima {
		record += PanelWidth * p.q.halves
	}
	for j := 0; j < p.n; j += panels * PanelWidth {
		for done := 0; done < blocks; done += quantDepth {
			end := min(done+quantDepth, blocks)
			stride := 0 // words between panels; a missing panel is the first one again, and its outputs are not stored
			for i := 0; i < panels && j+i*PanelWidth < p.n; i++ {
				stride = i * quantDepth * record
				quantUnpack(p.q.id, &scratch[stride], (*byte)(unsafe.Add(unsafe.Pointer(p.b), (j/PanelWidth+i)*panelBytes)), done, end)
			}
			init, ld := p.from(j, done)
			next, bytes := p.next(j, end, panels)
			quantTiles(p.q.id, at(p.c, j), p.ldc, word(p.a, done*quantWords), p.lda, &scratch[0], 4*stride, p.m, p.n-j, end-done, init, ld, next, bytes, panelBytes)
		}
	}
}

// next is the part of a panel that is unpacked after the blocks up to end of the panels at column j.
func (p *quantProduct) next(j, end, panels int) (first *byte, bytes int) {
	blocks := p.units * p.q.blocks
	if end == blocks {
		end, j = 0, j+panels*PanelWidth
	}
	if j >= p.n {
		return p.b, 0
	}
	at := (j/PanelWidth*p.units + end/p.q.blocks) * p.q.unit
	return (*byte)(unsafe.Add(unsafe.Pointer(p.b), at)), min(quantDepth, blocks-end) / p.q.blocks * p.q.unit
}

// word is the address of element i of the words that begin at p.
func word(p *uint32, i int) *uint32 { return (*uint32)(unsafe.Add(unsafe.Pointer(p), 4*i)) }
