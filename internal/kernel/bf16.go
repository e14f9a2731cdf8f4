package kernel

import (
	"math"
	"unsafe"
)

// BF16 is the upper half of a float32: 1 sign, 8 exponent, 7 fraction bits. Products of BF16 matrices take their numbers in
// pairs of neighbouring k, one uint32 each with the even k in the low half; an odd k is filled up with a zero.
//
// One step of the reduction takes a pair a and a pair b and is what the instruction VDPBF16PS does:
//
//	acc = fma(a[odd], b[odd], acc), then acc = fma(a[even], b[even], acc)
//
// each rounded to nearest even, with denormal operands (acc too) and denormal results taken as zeros of their sign. The source is
// Intel's Software Developer's Manual, volume 2, VDPBF16PS; AMD's Zen 4 was measured to do the same, and to call a result denormal after rounding:
// what rounds to 2^-126 at 24 bits is kept. Intel's manual leaves that last point open. Every level gives these bits, but for
// the payload of a NaN.

// RoundedLen is the number of pairs that k numbers make: ceil(k/2).
func RoundedLen(k int) int {
	if k < 0 {
		panic("kernel: RoundedLen: negative size")
	}
	return k/2 + k%2
}

// RoundBF16 rounds rows to BF16, to nearest even, as the A operand of GemmBF16.
//
//	x [rows,k], rows ldX apart   dst [rows,ceil(k/2)], rows ldDst apart, overwritten
//
// A denormal becomes a zero of its sign, a number beyond the largest BF16 an infinity; a NaN stays one. This is what the instruction
// VCVTNE2PS2BF16 does.
func RoundBF16(dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	if badRows(rows, ldX, k) || badRows(rows, ldDst, k/2+k%2) {
		panic("kernel: RoundBF16: bad size")
	}
	if len(x) < span(rows, ldX, k) {
		panic("kernel: RoundBF16: x is too short")
	}
	if len(dst) < span(rows, ldDst, k/2+k%2) {
		panic("kernel: RoundBF16: dst is too short")
	}
	if rows == 0 || k == 0 {
		return
	}
	roundBF16(dst, ldDst, x, ldX, rows, k)
}

func roundBF16Go(dst []uint32, ldDst int, x []float32, ldX, rows, k int) {
	for i := range rows {
		from, to := x[i*ldX:][:k], dst[i*ldDst:][:k/2+k%2]
		for p := range k / 2 {
			to[p] = uint32(roundToBF16(from[2*p])) | uint32(roundToBF16(from[2*p+1]))<<16
		}
		if k%2 != 0 {
			to[k/2] = uint32(roundToBF16(from[k-1]))
		}
	}
}

func roundToBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	switch magnitude := bits &^ (1 << 31); {
	case magnitude > 0x7f800000:
		return uint16(bits>>16) | 0x40
	case magnitude < 0x00800000:
		return uint16(bits>>16) & 0x8000
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// PackedLenBF16 is the number of pairs of a packed BF16 operand of n columns and k steps of reduction: ceil(n/16)*16*ceil(k/2).
func PackedLenBF16(n, k int) int {
	if n < 0 || k < 0 {
		panic("kernel: PackedLenBF16: negative size")
	}
	return PackedLen(n, k/2+k%2)
}

// packedBF16Piece is how many values of k are rounded at once while packing: 16 rows of them stay in the first-level cache.
const packedBF16Piece = 256

// PackRowsBF16 makes the B operand of y = x·Wᵀ in BF16 from the weights as a linear layer stores them, rounding as RoundBF16.
//
//	w [n,k], rows ldw apart   dst [ceil(n/16)][ceil(k/2)][16] pairs, PackedLenBF16(n, k) of them, overwritten
//
// dst[j/16][p/2][j%16] holds w[j,p]; the columns behind n in the last panel, and the place behind an odd k, are zero.
func PackRowsBF16(dst []uint32, w []float32, n, k, ldw int) {
	if badRows(n, ldw, k) {
		panic("kernel: PackRowsBF16: bad size")
	}
	if len(w) < span(n, ldw, k) {
		panic("kernel: PackRowsBF16: w is too short")
	}
	if len(dst) < packedLen(n, k/2+k%2) {
		panic("kernel: PackRowsBF16: dst is too short")
	}
	var piece [PanelWidth * packedBF16Piece / 2]uint32
	packPiecesBF16(dst, n, k, &piece, func(row, rows, p, depth int) {
		roundBF16(piece[:], packedBF16Piece/2, w[row*ldw+p:], ldw, rows, depth)
	})
}

// PackRowsFromBF16 is PackRowsBF16 for weights that are stored in BF16 already: their bits are kept.
func PackRowsFromBF16(dst []uint32, w []uint16, n, k, ldw int) {
	if badRows(n, ldw, k) {
		panic("kernel: PackRowsFromBF16: bad size")
	}
	if len(w) < span(n, ldw, k) {
		panic("kernel: PackRowsFromBF16: w is too short")
	}
	if len(dst) < packedLen(n, k/2+k%2) {
		panic("kernel: PackRowsFromBF16: dst is too short")
	}
	var piece [PanelWidth * packedBF16Piece / 2]uint32
	packPiecesBF16(dst, n, k, &piece, func(row, rows, p, depth int) {
		for i := range rows {
			from, to := w[(row+i)*ldw+p:][:depth], piece[i*packedBF16Piece/2:]
			for q := range depth / 2 {
				to[q] = uint32(from[2*q]) | uint32(from[2*q+1])<<16
			}
			if depth%2 != 0 {
				to[depth/2] = uint32(from[depth-1])
			}
		}
	})
}

// packPiecesBF16 has fill put the pairs of some rows and some values of k into piece, and lays them out in panels. A pair moves as
// a float32 does, so the packing of floats serves: it copies bits.
func packPiecesBF16(dst []uint32, n, k int, piece *[PanelWidth * packedBF16Piece / 2]uint32, fill func(row, rows, p, depth int)) {
	pairs := k/2 + k%2
	for j := 0; j < n; j += PanelWidth {
		rows := min(PanelWidth, n-j)
		for p := 0; p < k; p += packedBF16Piece {
			depth := min(packedBF16Piece, k-p)
			fill(j, rows, p, depth)
			packRows(floatBits(dst[j*pairs+p/2*PanelWidth:]), floatBits(piece[:]), rows, depth/2+depth%2, packedBF16Piece/2)
		}
	}
}

// floatBits is the same memory as floats, to be moved and not reckoned with.
func floatBits(x []uint32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// GemmBF16 multiplies an m by k matrix with a packed k by n one, both BF16, and sums in float32.
//
//	c [m,n], rows ldc apart, overwritten   a [m,ceil(k/2)] made by RoundBF16, rows lda pairs apart
//	b packed by PackRowsBF16 or PackRowsFromBF16   init [m,n], rows ldInit apart, or nil
//
// c[i,j] = init[i,j] + Σ_p a[i,p]·b[p,j] in the steps told above, pairs of p ascending from init. Without init the sum starts
// at 0. ldInit 0 gives one row for all: a bias. init may be c itself (same first element, ldInit = ldc), which adds to c.
// c overlaps neither a nor b.
func GemmBF16(c []float32, ldc int, a []uint32, lda int, b []uint32, m, n, k int, init []float32, ldInit int) {
	if badRows(m, ldc, n) || k < 0 || badRows(m, lda, k/2+k%2) {
		panic("kernel: GemmBF16: bad size")
	}
	pairs := k/2 + k%2
	if len(c) < span(m, ldc, n) {
		panic("kernel: GemmBF16: c is too short")
	}
	if len(a) < span(m, lda, pairs) {
		panic("kernel: GemmBF16: a is too short")
	}
	if len(b) < packedLen(n, pairs) {
		panic("kernel: GemmBF16: b is too short")
	}
	if init != nil && (ldInit < 0 || len(init) < span(m, ldInit, n)) {
		panic("kernel: GemmBF16: init is too short")
	}
	if m == 0 || n == 0 {
		return
	}
	gemmBF16(c, ldc, a, lda, b, m, n, pairs, init, ldInit)
}

func gemmBF16Go(c []float32, ldc int, a []uint32, lda int, b []uint32, m, n, pairs int, init []float32, ldInit int) {
	for i := range m {
		for j := range n {
			var acc float32
			if init != nil {
				acc = init[i*ldInit+j]
			}
			if pairs > 0 {
				acc = dotBF16(acc, a[i*lda:][:pairs], b[j/PanelWidth*PanelWidth*pairs+j%PanelWidth:])
			}
			c[i*ldc+j] = acc
		}
	}
}

// dotBF16 adds Σ a[p]·b[16*p] to start, pair by pair.
func dotBF16(start float32, a, b []uint32) float32 {
	acc := widen(math.Float32bits(start))
	for p, x := range a {
		y := b[p*PanelWidth]
		acc = fmaBF16(widen(x&0xffff0000), widen(y&0xffff0000), acc)
		acc = fmaBF16(widen(x<<16), widen(y<<16), acc)
	}
	return float32(acc)
}

// widen is the float32 with these bits, a denormal taken as a zero of its sign.
func widen(bits uint32) float64 {
	if bits&0x7f800000 == 0 {
		bits &= 1 << 31
	}
	return float64(math.Float32frombits(bits))
}

// leastNormal is the smallest magnitude that 24 bits of precision round to 2^-126, the smallest normal float32.
const leastNormal = 0x1p-126 - 0x1p-151

// fmaBF16 is a·b + acc rounded once to float32, with a denormal result taken as zero; a and b are BF16 numbers and acc is a float32.
//
// It is exact. a·b has 16 significant bits and an exponent that float64 holds, so it is exact (and a compiler that fuses the product
// with the sum changes nothing). The sum of two numbers of at most 24 bits, rounded to 53 and then to 24, is the sum rounded once
// to 24, because 53 >= 2·24 + 2 (Figueroa, When is double rounding innocuous?, SIGNUM Newsletter 30, 1995): it is a midpoint of
// float32s only if the true sum is. So is leastNormal, one of these midpoints, on the same side of both.
func fmaBF16(a, b, acc float64) float64 {
	s := acc + float64(a*b)
	if s < leastNormal && s > -leastNormal {
		return math.Copysign(0, s)
	}
	return float64(float32(s))
}
