package kernel

import (
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// BlockTokens is the number of positions in one block of the key/value cache.
const BlockTokens = 16

// IsKVFormat reports whether the cache can hold numbers of a format: tensor.F32, tensor.BF16, tensor.F16 or tensor.Q8_0. Those of 16 bits want an
// even head size, Q8_0 a multiple of 32.
func IsKVFormat(f tensor.Format) bool {
	return f == tensor.F32 || f == tensor.BF16 || f == tensor.F16 || f == tensor.Q8_0
}

// FitsKV reports whether the cache can hold heads of a size in a format.
func FitsKV(f tensor.Format, headSize int) bool { return headSize >= 0 && !badKVFormat(f, headSize) }

// BlockFloats is the memory, counted in float32s, of one cache block of one layer: 2·G·K·16 numbers of 32 or 16 bits, or of 8 bits with a scale in F16
// for 32 of them. Block b begins at b*BlockFloats; inside it lie, for each key/value head, the keys transposed [K][16], then the values [16][K]. For Q8_0
// the scales follow: of the keys [K/32][16], of the values [16][K/32].
func BlockFloats(f tensor.Format, kvHeads, headSize int) int {
	if kvHeads < 0 || headSize < 0 || badKVFormat(f, headSize) {
		panic("kernel: BlockFloats: bad size or format")
	}
	length := blockLength(f, kvHeads, headSize)
	if length == maxInt {
		panic("kernel: BlockFloats: size does not fit an int")
	}
	return length
}

func blockLength(f tensor.Format, kvHeads, headSize int) int {
	width := product(kvHeads, headSize)
	switch f {
	case tensor.F32:
		return product(width, 2*BlockTokens)
	case tensor.Q8_0:
		return product(width/blockSize, headNumbers(f, blockSize)/4)
	}
	return product(width, BlockTokens)
}

// headNumbers is the length of a head's part of a block, counted in its numbers. With Q8_0 that is bytes.
func headNumbers(f tensor.Format, headSize int) int {
	if f == tensor.Q8_0 {
		return headSize * (2*BlockTokens + 2)
	}
	return headSize * 2 * BlockTokens
}

func badKVFormat(f tensor.Format, headSize int) bool {
	switch f {
	case tensor.F32:
		return false
	case tensor.Q8_0:
		return headSize%blockSize != 0
	}
	return !IsKVFormat(f) || headSize%2 != 0
}

// halves is the memory of x as numbers of 16 bits.
func halves(x []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}

// KVWrite puts the keys and values of rows into their places in the cache. Into 16 bits they are rounded to nearest even; a number beyond
// the range becomes an infinity (65504 is the largest of F16), a NaN stays one. Into Q8_0 each 32 along the head are rounded as package tensor
// encodes them; where one of them is not finite, or beyond 127 · 65504, all 32 become NaN.
//
//	k, v: row t begins at t*ld and holds G adjacent heads; keys are already rotated
//	slots [rows]: block*16 + offset in the block   kv: the blocks of one layer with numbers of format f, see BlockFloats
//
// It writes nothing but the named slots. Two rows do not name one slot.
func KVWrite(kv []float32, f tensor.Format, slots []int32, k, v []float32, ld, rows, kvHeads, headSize int) {
	if kvHeads < 0 || headSize < 0 || badKVFormat(f, headSize) {
		panic("kernel: KVWrite: bad size or format")
	}
	width := product(kvHeads, headSize)
	if badRows(rows, ld, width) {
		panic("kernel: KVWrite: bad size")
	}
	if need := span(rows, ld, width); len(k) < need || len(v) < need {
		panic("kernel: KVWrite: k or v is too short")
	}
	if len(slots) < rows {
		panic("kernel: KVWrite: slots is too short")
	}
	if rows == 0 || width == 0 {
		return
	}
	blockFloats := blockLength(f, kvHeads, headSize)
	blocks := len(kv) / blockFloats
	for _, slot := range slots[:rows] {
		if slot < 0 || int(slot)/BlockTokens >= blocks {
			panic("kernel: KVWrite: slot outside the cache")
		}
	}
	for t, slot := range slots[:rows] {
		block := kv[int(slot)/BlockTokens*blockFloats:][:blockFloats]
		offset := int(slot) % BlockTokens
		for g := range kvHeads {
			key, value := k[t*ld+g*headSize:][:headSize], v[t*ld+g*headSize:][:headSize]
			at := g * headNumbers(f, headSize)
			switch f {
			case tensor.F32:
				writeFloats(block[at:], offset, key, value)
			case tensor.Q8_0:
				writeBytes(octets(block)[at:], offset, key, value)
			default:
				writeHalves(halves(block)[at:], f, offset, key, value)
			}
		}
	}
}

// writeFloats puts a key and a value at an offset in a head's part of a block.
func writeFloats(head []float32, offset int, key, value []float32) {
	n := len(key)
	keys := head[offset : n*BlockTokens]
	for i, x := range key {
		keys[i*BlockTokens] = x
	}
	copy(head[n*BlockTokens+offset*n:], value)
}

// writeHalves is writeFloats for numbers of 16 bits.
func writeHalves(head []uint16, f tensor.Format, offset int, key, value []float32) {
	n := len(key)
	roundNumbers(head[n*BlockTokens+offset*n:][:n], f, value)
	keys := head[offset : n*BlockTokens]
	var rounded [128]uint16
	for len(key) > 0 {
		some := rounded[:min(len(key), len(rounded))]
		roundNumbers(some, f, key[:len(some)])
		for i, x := range some {
			keys[i*BlockTokens] = x
		}
		if key = key[len(some):]; len(key) > 0 {
			keys = keys[len(some)*BlockTokens:]
		}
	}
}

func roundNumbersGo(to []uint16, f tensor.Format, from []float32) {
	for i, x := range from {
		if f == tensor.F16 {
			to[i] = tensor.F16FromFloat(x)
		} else {
			to[i] = tensor.BF16FromFloat(x)
		}
	}
}

// A headCache is the keys and values of one head, widened as they are read.
type headCache struct {
	kv                           []float32
	format                       tensor.Format
	table                        []int32
	blockNumbers, head, headSize int
	wide                         []float32 // [16*K], overwritten, unless numbers are floats
}

// keys is [K][16] of the block that the table names at an index, until the next call.
func (c *headCache) keys(index int) []float32 { return c.part(index, 0) }

// values is [16][K] likewise.
func (c *headCache) values(index int) []float32 { return c.part(index, c.headSize*BlockTokens) }

func (c *headCache) part(index, skip int) []float32 {
	n := c.headSize * BlockTokens
	start := int(c.table[index])*c.blockNumbers + c.head*headNumbers(c.format, c.headSize) + skip
	if c.format == tensor.F32 {
		return c.kv[start:][:n]
	}
	if c.format == tensor.Q8_0 {
		return c.scaled(index, skip)
	}
	for i, x := range halves(c.kv)[start:][:n] {
		if c.format == tensor.F16 {
			c.wide[i] = tensor.FloatFromF16(x)
		} else {
			c.wide[i] = tensor.FloatFromBF16(x)
		}
	}
	return c.wide[:n]
}
