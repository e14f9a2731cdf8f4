package kernel

import (
	"encoding/binary"
	"math"

	"github.com/retort-ml/retort/tensor"
)

// Products with quantised weights. Both operands are whole numbers with scales, and there is one arithmetic for each format. For each block
// of 32 values of k, or each half of one where a half has its own scale, in ascending order:
//
//	n = Σ (code − zero)·a            exact, 32 bits
//	acc = fma(float(n), scale·d, acc)
//	acc = fma(minimum, d·float(Σ a), acc)     if the format has minima
//
// where a and d are the activation's numbers and scale, and every operation on floats is rounded to nearest even. Every level does exactly
// this, so all levels give the same bits (but for the payload of a NaN), whatever the number of rows.

// Quantised reports whether products with weights of a format are here.
func Quantised(f tensor.Format) bool { return quantFormats[f] != nil }

// ActivationKind is the same for formats whose products read the same quantised activations.
func ActivationKind(f tensor.Format) int {
	q := quantFormats[f]
	if q == nil {
		panic("kernel: ActivationKind: bad format")
	}
	kind := int(q.zero)<<2 | q.halves<<1&2
	if q.minima {
		kind |= 1
	}
	return kind
}

// QuantisedBytes is the size of the panels of a weight [n,k]: ceil(n/16) panels. k is a whole count of the format's blocks.
func QuantisedBytes(f tensor.Format, n, k int) int {
	q := quantFormats[f]
	if q == nil || n < 0 || k < 0 || k%q.elements != 0 {
		panic("kernel: QuantisedBytes: bad size or format")
	}
	size := q.packedBytes(n, k)
	if size == maxInt {
		panic("kernel: QuantisedBytes: size does not fit an int")
	}
	return size
}

func (q *quantFormat) units(k int) int {
	per := blockSize * q.blocks
	units := k / per
	if k%per != 0 {
		units++
	}
	return units
}

func (q *quantFormat) packedBytes(n, k int) int {
	return product(packedLen(n, 1)/PanelWidth, product(q.units(k), q.unit))
}

// PackQuantised makes the B operand of y = x·Wᵀ from the weights as a file stores them, row after row.
//
//	w [n,k] in format f   dst QuantisedBytes(f, n, k) bytes, overwritten
//
// Rows behind n in the last panel, and values of k up to a multiple of 64, are zero. Panels do not depend on each other: whoever wants them packed in
// parallel cuts rows at multiples of 16.
func PackQuantised(dst []byte, f tensor.Format, w []byte, n, k int) {
	q := quantFormats[f]
	if q == nil || n < 0 || k < 0 || k%q.elements != 0 {
		panic("kernel: PackQuantised: bad size or format")
	}
	ld := product(k/q.elements, q.bytes)
	if len(w) < product(n, ld) {
		panic("kernel: PackQuantised: w is too short")
	}
	if len(dst) < q.packedBytes(n, k) {
		panic("kernel: PackQuantised: dst is too short")
	}
	panel := q.units(k) * q.unit
	for j := 0; j < n; j += PanelWidth {
		out := dst[j/PanelWidth*panel:][:panel]
		if n-j < PanelWidth || k%(blockSize*q.blocks) != 0 {
			clear(out)
		}
		q.packPanel(out, w[j*ld:], min(PanelWidth, n-j), ld)
	}
}

// packPanel lays out some rows of ld bytes.
func (q *quantFormat) packPanel(dst, w []byte, rows, ld int) {
	isMoved := rows == PanelWidth && packMoves(q, dst, w, ld)
	if isMoved && q.packScales == nil {
		return
	}
	perUnit := blockSize * q.blocks / q.elements // blocks of the file
	for at, o := 0, 0; at < ld; at += q.bytes {
		for lane := range rows {
			block := w[lane*ld+at:][:q.bytes]
			if !isMoved {
				q.moveBlock(dst[:q.unit], lane, o, block)
			}
			if q.packScales != nil {
				q.packScales(dst[:q.unit], lane, o, block)
			}
		}
		if o++; o == perUnit {
			dst, o = dst[q.unit:], 0
		}
	}
}

func (q *quantFormat) moveBlock(unit []byte, lane, o int, src []byte) {
	for _, m := range q.moves {
		from, at := src[m.from:m.from+4*m.words], m.to+m.block*o+4*lane
		for ; len(from) >= 4; from, at = from[4:], at+m.step {
			binary.LittleEndian.PutUint32(unit[at:], binary.LittleEndian.Uint32(from)^q.flip)
		}
	}
	for _, m := range q.halfMoves {
		copy(unit[m.to+m.block*o+2*lane:][:2], src[m.from:m.from+2])
	}
}

// QuantisedFew is the most rows of which GemmQuantised needs no scratch space, since it reads the weights once and unpacks them in registers.
const QuantisedFew = 8

// The weights of quantDepth blocks of two panels are unpacked at a time, to stay in the first-level cache beside what they are multiplied with.
const (
	quantDepth   = 32
	quantScratch = 2 * quantDepth * (lanes*groups + 4*4*PanelWidth) / 4 // words
)

// QuantisedScratch is the words of scratch space that GemmQuantised wants, whatever the sizes.
func QuantisedScratch() int { return quantScratch }

// GemmQuantised multiplies an m by k matrix of quantised activations with packed quantised weights.
//
//	c [m,n], rows ldc apart, overwritten   a [m, QuantisedLen(k)] made by Quantise for format f, rows lda words apart
//	b packed by PackQuantised   init [m,n], rows ldInit apart, or nil   scratch QuantisedScratch() words, or nil if m <= QuantisedFew
//
// c[i,j] = init[i,j] + Σ_p a[i,p]·b[p,j] in the steps told above, from init or from 0. ldInit 0 gives one row for all: a bias.
// init may be c itself (same first element, ldInit = ldc), which adds to c. c overlaps neither a nor b.
func GemmQuantised(c []float32, ldc int, f tensor.Format, a []uint32, lda int, b []byte, m, n, k int, init []float32, ldInit int, scratch []uint32) {
	q := quantFormats[f]
	if q == nil || k < 0 || k%q.elements != 0 || badRows(m, ldc, n) || badRows(m, lda, quantisedLen(k)) {
		panic("kernel: GemmQuantised: bad size or format")
	}
	if len(c) < span(m, ldc, n) {
		panic("kernel: GemmQuantised: c is too short")
	}
	if len(a) < span(m, lda, quantisedLen(k)) {
		panic("kernel: GemmQuantised: a is too short")
	}
	if len(b) < q.packedBytes(n, k) {
		panic("kernel: GemmQuantised: b is too short")
	}
	if init != nil && (ldInit < 0 || len(init) < span(m, ldInit, n)) {
		panic("kernel: GemmQuantised: init is too short")
	}
	if m > QuantisedFew && len(scratch) < quantScratch {
		panic("kernel: GemmQuantised: scratch is too short")
	}
	if m == 0 || n == 0 {
		return
	}
	gemmQuantised(q, c, ldc, a, lda, b, m, n, k, init, ldInit, scratch)
}

// quantBlock is a block of a panel, unpacked.
type quantBlock struct {
	codes           [groups][lanes]uint8
	scales, minimum [2][PanelWidth]float32
}

func (q *quantFormat) unpack(dst *quantBlock, unit []byte, b int) {
	for g := range groups {
		q.unpackGroup(&dst.codes[g], unit, b, g)
	}
	for h := range q.halves {
		for lane := range PanelWidth {
			dst.scales[h][lane], dst.minimum[h][lane] = q.scales(unit, b, h, lane)
		}
	}
}

func (q *quantFormat) unpackGroup(codes *[lanes]uint8, unit []byte, b, group int) {
	at, shift := q.low.place(b, group)
	for i, x := range unit[q.low.at+at:][:lanes] {
		code := x >> shift & q.low.mask
		if q.table != nil {
			code = q.table[code]
		}
		codes[i] = code
	}
	if q.high.place == nil {
		return
	}
	at, shift = q.high.place(b, group)
	for i, x := range unit[q.high.at+at:][:lanes] {
		codes[i] |= x >> shift & q.high.mask << q.high.up
	}
}

// QuantisedRow reads row j of packed weights: the numbers that the file holds.
//
//	dst [k], overwritten   b packed by PackQuantised, of more than j rows
func QuantisedRow(dst []float32, f tensor.Format, b []byte, j int) {
	q, k := quantFormats[f], len(dst)
	if q == nil || k%q.elements != 0 || j < 0 || j == maxInt {
		panic("kernel: QuantisedRow: bad size or format")
	}
	if len(b) < q.packedBytes(j+1, k) {
		panic("kernel: QuantisedRow: b is too short")
	}
	panel, lane := b[j/PanelWidth*q.units(k)*q.unit:], j%PanelWidth
	for p := 0; p < k; p += blockSize {
		unit, block := panel[p/blockSize/q.blocks*q.unit:][:q.unit], p/blockSize%q.blocks
		for g := range groups {
			if g%(groups/q.halves) == 0 {
				q.rowGroups(dst[p+4*g:][:blockSize/q.halves], unit, block, g, lane)
			}
		}
	}
}

// rowGroups reads the groups of one row that share a scale, from group g.
func (q *quantFormat) rowGroups(dst []float32, unit []byte, b, g, lane int) {
	scale, minimum := q.scales(unit, b, g*q.halves/groups, lane)
	for i := range dst {
		at, shift := q.low.place(b, g+i/4)
		code := unit[q.low.at+at+4*lane+i%4] >> shift & q.low.mask
		if q.table != nil {
			code = q.table[code]
		}
		if q.high.place != nil {
			at, shift = q.high.place(b, g+i/4)
			code |= unit[q.high.at+at+4*lane+i%4] >> shift & q.high.mask << q.high.up
		}
		dst[i] = float32(scale*float32(int32(code)-q.zero)) + minimum
	}
}

func gemmQuantisedGo(q *quantFormat, c []float32, ldc int, a []uint32, lda int, b []byte, m, n, k int, init []float32, ldInit int) {
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		if init == nil {
			clear(row)
		} else {
			copy(row, init[i*ldInit:i*ldInit+n])
		}
	}
	units := q.units(k)
	var block quantBlock
	for j := 0; j < n; j += PanelWidth {
		width := min(PanelWidth, n-j)
		for p := range units * q.blocks {
			unit := b[(j/PanelWidth*units+p/q.blocks)*q.unit:][:q.unit]
			q.unpack(&block, unit, p%q.blocks)
			for i := range m {
				q.addBlock(c[i*ldc+j:i*ldc+j+width], &block, (*[quantWords]uint32)(a[i*lda+p*quantWords:]))
			}
		}
	}
}

// addBlock adds the products of one block of activations with the rows of a panel.
func (q *quantFormat) addBlock(c []float32, block *quantBlock, a *[quantWords]uint32) {
	d := math.Float32frombits(a[0])
	for h := range q.halves {
		for lane := range c {
			var n int32
			if !q.minima {
				n = int32(a[1+h])
			}
			for g := h * groups / 2; g < (h+3-q.halves)*groups/2; g++ {
				x, codes := a[4+g], block.codes[g][4*lane:][:4]
				n += int32(int8(x))*int32(codes[0]) + int32(int8(x>>8))*int32(codes[1]) + int32(int8(x>>16))*int32(codes[2]) + int32(int8(x>>24))*int32(codes[3])
			}
			acc := fusedMultiplyAdd(float32(n), block.scales[h][lane]*d, c[lane])
			if q.minima {
				acc = fusedMultiplyAdd(block.minimum[h][lane], math.Float32frombits(a[1+h]), acc)
			}
			c[lane] = acc
		}
	}
}

// fusedMultiplyAdd is a·b + c, rounded once.
//
// The product is exact in float64. Its sum with c is rounded to odd (Boldo and Melquiond, Emulation of FMA and correctly rounded sums:
// proved algorithms using rounding to odd, IEEE Transactions on Computers 57(4), 2008): what the sum lost, which TwoSum gives exactly,
// decides the last bit, so that the rounding to float32 that follows sees on which side of a midpoint the true sum lies.
func fusedMultiplyAdd(a, b, c float32) float32 {
	x, y := float64(float64(a)*float64(b)), float64(c)
	s := float64(x + y)
	t := float64(s - x)
	lost := float64(float64(x-float64(s-t)) + float64(y-t))
	if lost == 0 || lost != lost {
		return float32(s)
	}
	bits := math.Float64bits(s)
	if bits&1 == 0 {
		if (lost > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
	}
	return float32(math.Float64frombits(bits))
}
