package kernel

import (
	"encoding/binary"
	"math"

	"github.com/retort-ml/retort/tensor"
)

// A quantised weight is scale·(code − zero), or scale·code + minimum. Codes are whole numbers from 0 to 255. Scales and minima belong to
// 32 weights of a row that follow each other (a block), or to each half of them.
//
// Panels hold 16 rows in units of 64 or 256 values of k: first the scales, then the codes in their file's own bits. Four bytes of a
// row that are neighbours in the file stay neighbours, and the same four bytes of the 16 rows lie side by side:
// [bytes/4][16 rows][4 bytes]. So packing moves words, a vector of 64 bytes holds 4 values of k of 16 rows, and a panel takes the file's bits.

const (
	blockSize = 32             // values of k with one scale of an activation
	groups    = blockSize / 4  // of 4 values of k in a block
	lanes     = 4 * PanelWidth // bytes of one group of a panel
)

// quantFormat is how a panel holds one format.
type quantFormat struct {
	id              int           // in the C sources
	elements, bytes int           // of a block of the file
	blocks          int           // of 32 in a unit of a panel
	unit            int           // bytes of a unit
	zero            int32         // what a code of the number zero is
	halves          int           // 1, or 2 where each half of a block has a scale
	minima          bool          // the weights have minima, and zero is 0
	moves           []wordMove    // of codes, from one block of the file
	halfMoves       []halfMove    // of scales in F16
	low, high       codeBits      // a code is their sum
	table           *[16]uint8    // of codes, by the low bits; or nil
	packScales      scalePacker   // and what else is no move
	scales          scaleUnpacker //
	flip            uint32        // exclusive or with each word that is moved
}

// wordMove is words of the o-th of a unit's file blocks: word c of a row goes to to + step·c + block·o + 4·lane.
type wordMove struct{ from, to, words, step, block int }

// halfMove is two bytes of a file block that go to to + block·o + 2·lane.
type halfMove struct{ from, to, block int }

// codeBits are some bits of every code: mask of the byte at `at` + offset, shifted right by shift, then left by up.
type codeBits struct {
	at       int
	place    func(b, group int) (offset, shift int) // of block b of the unit
	mask, up uint8
}

// scalePacker writes the scales of one row of a file's block, the o-th of the unit.
type scalePacker func(unit []byte, lane, o int, src []byte)

// scaleUnpacker reads the scale and the minimum of half h of block b.
type scaleUnpacker func(unit []byte, b, h, lane int) (scale, minimum float32)

// Places of bits. The codes of a block of 32 lie as bytes, or as nibbles of which the first half of the block has the lower ones, behind a fifth bit of every
// code where there is one. Those of a super-block of 256 lie as nibbles of which even blocks have the lower ones, as four pairs of bits, or in vectors
// of which two hold the nibbles of four blocks and a third their upper pairs; single bits belong to the blocks of a super-block. Everything lies in the order in which it is read:
// the processor fetches the next lines by itself only then.
func placeBytes(b, group int) (offset, shift int)  { return 8*lanes*b + lanes*group, 0 }
func placeHalves(b, group int) (offset, shift int) { return 4*lanes*b + lanes*(group%4), group / 4 * 4 }
func placePairs(b, group int) (offset, shift int)  { return 8*lanes*(b/2) + lanes*group, b % 2 * 4 }
func placeFifths(b, group int) (offset, shift int) { return 5*lanes*b + lanes*(group%4), group / 4 * 4 }
func placeFours(b, group int) (offset, shift int) {
	return 24*lanes*(b/4) + 3*lanes*group + lanes*(b%2), b % 4 / 2 * 4
}
func placeThirds(b, group int) (offset, shift int) {
	return 24*lanes*(b/4) + 3*lanes*group, b % 4 * 2
}
func placeQuarters(b, group int) (offset, shift int) {
	return 8*lanes*(b/4) + lanes*group, b % 4 * 2
}
func placeGroups(b, group int) (offset, shift int) { return 5 * lanes * b, group }
func placeBlocks(b, group int) (offset, shift int) { return lanes * group, b }

// Codes of the formats with a table: its numbers plus 128 (ggml-common.h, kvalues_iq4nl), and twice the numbers of E2M1 plus 12.
var (
	nonlinearCodes = [16]uint8{1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241}
	e2m1Codes      = [16]uint8{12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0}
)

// PanelLayout is the version of what PackQuantised writes: whoever keeps panels compares it. It is the same for all instruction sets.
const PanelLayout = 1

// quantFormats are in the order of the C sources. Formats with a header that is no whole count of 64 bytes fill it up, but for MXFP4.
var quantFormats = map[tensor.Format]*quantFormat{
	tensor.Q8_0: {id: 0, elements: 32, bytes: 34, blocks: 2, unit: 64 + 1024, zero: 128, halves: 1, flip: 0x80808080,
		moves: []wordMove{{2, 64, 8, lanes, 8 * lanes}}, low: codeBits{64, placeBytes, 255, 0}, halfMoves: []halfMove{{0, 0, 32}}, scales: scaleHalf},
	tensor.Q4_0: {id: 1, elements: 32, bytes: 18, blocks: 2, unit: 64 + 512, zero: 8, halves: 1,
		moves: []wordMove{{2, 64, 4, lanes, 4 * lanes}}, low: codeBits{64, placeHalves, 15, 0}, halfMoves: []halfMove{{0, 0, 32}}, scales: scaleHalf},
	tensor.Q4_1: {id: 2, elements: 32, bytes: 20, blocks: 2, unit: 128 + 512, halves: 1, minima: true,
		moves: []wordMove{{4, 128, 4, lanes, 4 * lanes}}, low: codeBits{128, placeHalves, 15, 0}, halfMoves: []halfMove{{0, 0, 32}, {2, 64, 32}}, scales: scaleHalves},
	tensor.Q5_0: {id: 3, elements: 32, bytes: 22, blocks: 2, unit: 64 + 512 + 128, zero: 16, halves: 1,
		moves: []wordMove{{6, 64 + lanes, 4, lanes, 5 * lanes}}, low: codeBits{64 + lanes, placeFifths, 15, 0}, high: codeBits{64, placeGroups, 1, 4},
		halfMoves: []halfMove{{0, 0, 32}}, packScales: packQ5_0, scales: scaleHalf},
	tensor.Q5_1: {id: 4, elements: 32, bytes: 24, blocks: 2, unit: 128 + 512 + 128, halves: 1, minima: true,
		moves: []wordMove{{8, 128 + lanes, 4, lanes, 5 * lanes}}, low: codeBits{128 + lanes, placeFifths, 15, 0}, high: codeBits{128, placeGroups, 1, 4},
		halfMoves: []halfMove{{0, 0, 32}, {2, 64, 32}}, packScales: packQ5_1, scales: scaleHalves},
	tensor.IQ4_NL: {id: 5, elements: 32, bytes: 18, blocks: 2, unit: 64 + 512, zero: 128, halves: 1, table: &nonlinearCodes,
		moves: []wordMove{{2, 64, 4, lanes, 4 * lanes}}, low: codeBits{64, placeHalves, 15, 0}, halfMoves: []halfMove{{0, 0, 32}}, scales: scaleHalf},
	tensor.MXFP4: {id: 6, elements: 32, bytes: 17, blocks: 2, unit: 32 + 512, zero: 12, halves: 1, table: &e2m1Codes,
		moves: []wordMove{{1, 32, 4, lanes, 4 * lanes}}, low: codeBits{32, placeHalves, 15, 0}, packScales: packExponent, scales: scaleExponent},
	tensor.IQ4_XS: {id: 7, elements: 256, bytes: 136, blocks: 8, unit: 128 + 2048, zero: 128, halves: 1, table: &nonlinearCodes,
		moves: []wordMove{{8, 128, 32, lanes, 32 * lanes}}, low: codeBits{128, placeHalves, 15, 0}, halfMoves: []halfMove{{0, 0, 0}}, packScales: packIQ4_XS, scales: scaleIQ4_XS},
	tensor.Q2_K: {id: 8, elements: 256, bytes: 84, blocks: 8, unit: 320 + 1024, halves: 2, minima: true,
		moves: []wordMove{{16, 320, 16, lanes, 16 * lanes}}, low: codeBits{320, placeQuarters, 3, 0}, halfMoves: []halfMove{{80, 0, 0}, {82, 32, 0}}, packScales: packQ2_K, scales: scaleQ2_K},
	tensor.Q3_K: {id: 9, elements: 256, bytes: 110, blocks: 8, unit: 256 + 512 + 1024, zero: 4, halves: 2,
		moves: []wordMove{{0, 256, 8, lanes, 8 * lanes}, {32, 768, 16, lanes, 16 * lanes}}, low: codeBits{768, placeQuarters, 3, 0}, high: codeBits{256, placeBlocks, 1, 2},
		halfMoves: []halfMove{{108, 0, 0}}, packScales: packQ3_K, scales: scaleQ3_K},
	tensor.Q4_K: {id: 10, elements: 256, bytes: 144, blocks: 8, unit: 256 + 2048, halves: 1, minima: true,
		moves: []wordMove{{16, 256, 32, lanes, 32 * lanes}}, low: codeBits{256, placePairs, 15, 0}, halfMoves: []halfMove{{0, 0, 0}, {2, 32, 0}}, packScales: packQ4_K, scales: scaleQ4_K},
	tensor.Q5_K: {id: 11, elements: 256, bytes: 176, blocks: 8, unit: 256 + 512 + 2048, halves: 1, minima: true,
		moves: []wordMove{{16, 256, 8, lanes, 8 * lanes}, {48, 768, 32, lanes, 32 * lanes}}, low: codeBits{768, placePairs, 15, 0}, high: codeBits{256, placeBlocks, 1, 4},
		halfMoves: []halfMove{{0, 0, 0}, {2, 32, 0}}, packScales: packQ4_K, scales: scaleQ4_K},
	tensor.Q6_K: {id: 12, elements: 256, bytes: 210, blocks: 8, unit: 320 + 2048 + 1024, zero: 32, halves: 2,
		moves: []wordMove{{0, 320, 8, 3 * lanes, 0}, {32, 320 + lanes, 8, 3 * lanes, 0}, {64, 320 + 24*lanes, 8, 3 * lanes, 0}, {96, 320 + 25*lanes, 8, 3 * lanes, 0}, {128, 320 + 2*lanes, 8, 3 * lanes, 0}, {160, 320 + 26*lanes, 8, 3 * lanes, 0}}, low: codeBits{320, placeFours, 15, 0}, high: codeBits{320 + 2*lanes, placeThirds, 3, 4},
		halfMoves: []halfMove{{208, 0, 0}}, packScales: packQ6_K, scales: scaleQ6_K},
}

func half(unit []byte, at, lane int) float32 {
	return tensor.FloatFromF16(binary.LittleEndian.Uint16(unit[at+2*lane:]))
}

func scaleHalf(unit []byte, b, _, lane int) (scale, minimum float32) {
	return half(unit, 32*b, lane), 0
}

func scaleHalves(unit []byte, b, _, lane int) (scale, minimum float32) {
	return half(unit, 32*b, lane), half(unit, 64+32*b, lane)
}

// spreadFifths makes bytes of the fifth bits of 32 codes: bit g of byte c belongs to code 4g+c.
func spreadFifths(unit []byte, at, lane int, fifths uint32) {
	var word uint32
	for g := range groups {
		four := fifths >> (4 * g) & 15
		word |= (four&1 | four&2<<7 | four&4<<14 | four&8<<21) << g
	}
	binary.LittleEndian.PutUint32(unit[at+4*lane:], word)
}

func packQ5_0(unit []byte, lane, o int, src []byte) {
	spreadFifths(unit, 64+5*lanes*o, lane, binary.LittleEndian.Uint32(src[2:]))
}

func packQ5_1(unit []byte, lane, o int, src []byte) {
	spreadFifths(unit, 128+5*lanes*o, lane, binary.LittleEndian.Uint32(src[4:]))
}

func packExponent(unit []byte, lane, o int, src []byte) { unit[16*o+lane] = src[0] }

// scaleExponent is half the power of two 2^(e-127): codes count halves.
func scaleExponent(unit []byte, b, _, lane int) (scale, minimum float32) {
	e := unit[16*b+lane]
	if e < 2 {
		return math.Float32frombits(0x00200000 << e), 0
	}
	return math.Float32frombits(uint32(e-1) << 23), 0
}

// The scales of a super-block of IQ4_XS: d, then the lower 4 bits of two scales to a byte, then the upper 2 bits of four.
func packIQ4_XS(unit []byte, lane, _ int, src []byte) {
	for i := range 4 {
		unit[32+16*i+lane] = src[4+i]
	}
	unit[96+lane], unit[112+lane] = src[2], src[3]
}

func scaleIQ4_XS(unit []byte, b, _, lane int) (scale, minimum float32) {
	low, high := unit[32+16*(b/2)+lane]>>(4*(b%2))&15, unit[96+16*(b/4)+lane]>>(2*(b%4))&3
	return half(unit, 0, lane) * float32(int(low|high<<4)-32), 0
}

// The scales of Q2_K: d, dmin, then 16 bytes of a scale (lower) and a minimum (upper).
func packQ2_K(unit []byte, lane, _ int, src []byte) {
	for i, s := range src[:16] {
		unit[64+16*i+lane] = s
	}
}

func scaleQ2_K(unit []byte, b, h, lane int) (scale, minimum float32) {
	s := unit[64+16*(2*b+h)+lane]
	return half(unit, 0, lane) * float32(s&15), -(half(unit, 32, lane) * float32(s>>4))
}

// The scales of Q3_K: d, then the lower 4 bits of a block's two scales in a byte, then the upper 2 bits of two blocks' four scales.
func packQ3_K(unit []byte, lane, _ int, src []byte) {
	packed := src[96:108]
	scale := func(i int) byte { return packed[i%8]>>(i/8*4)&15 | packed[8+i%4]>>(i/4*2)&3<<4 }
	for b := range 8 {
		unit[32+16*b+lane] = scale(2*b)&15 | scale(2*b+1)<<4
	}
	for i := range 4 {
		unit[160+16*i+lane] = scale(4*i)>>4 | scale(4*i+1)>>4<<2 | scale(4*i+2)>>4<<4 | scale(4*i+3)>>4<<6
	}
}

func scaleQ3_K(unit []byte, b, h, lane int) (scale, minimum float32) {
	low, high := unit[32+16*b+lane]>>(4*h)&15, unit[160+16*(b/2)+lane]>>(4*(b%2)+2*h)&3
	return half(unit, 0, lane) * float32(int(low|high<<4)-32), 0
}

// The scales of Q4_K and Q5_K: d, dmin, then the lower 4 bits of a scale and (above) of a minimum in a byte, then the upper 2 bits of both
// for two blocks.
func packQ4_K(unit []byte, lane, _ int, src []byte) {
	packed := src[4:16]
	var high [4]byte
	for b := range 8 {
		scale, minimum := packed[b%4]&63, packed[b%4+4]&63
		if b >= 4 {
			scale, minimum = packed[b+4]&15|packed[b-4]>>6<<4, packed[b+4]>>4|packed[b]>>6<<4
		}
		unit[64+16*b+lane] = scale&15 | minimum<<4
		high[b/2] |= (scale>>4 | minimum>>4<<2) << (b % 2 * 4)
	}
	for i, h := range high {
		unit[192+16*i+lane] = h
	}
}

func scaleQ4_K(unit []byte, b, _, lane int) (scale, minimum float32) {
	low, high := unit[64+16*b+lane], unit[192+16*(b/2)+lane]>>(b%2*4)
	s, m := low&15|high&3<<4, low>>4|high&12<<2
	return half(unit, 0, lane) * float32(s), -(half(unit, 32, lane) * float32(m))
}

// The scales of Q6_K: d, then 16 signed bytes.
func packQ6_K(unit []byte, lane, _ int, src []byte) {
	for i, s := range src[192:208] {
		unit[32+16*i+lane] = s
	}
}

func scaleQ6_K(unit []byte, b, h, lane int) (scale, minimum float32) {
	return half(unit, 0, lane) * float32(int8(unit[32+16*(2*b+h)+lane])), 0
}
