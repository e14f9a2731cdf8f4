package kernel

import (
	"unsafe"

	"github.com/retort-ml/retort/tensor"
)

// BlockTokens is the number of positions in one block of the key/value cache.
const BlockTokens = 16

// IsKVFormat reports whether the cache can hold numbers of a format: tensor.F32, tensor.BF16 or tensor.F16. Those of 16 bits want an even
// head size.
func IsKVFormat(f tensor.Format) bool { return f == tensor.F32 || f == tensor.BF16 || f == tensor.F16 }

// BlockFloats is the memory, counted in float32s, of one cache block of one layer: 2·G·K·16 numbers of 32 bits, or of 16 bits, of which two lie in
// each float32. Block b begins at b*BlockFloats; inside it lie, for each key/value head, the keys transposed [K][16], then the values [16][K].
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
	tokens := 2 * BlockTokens
	if f != tensor.F32 {
		tokens /= 2
	}
	return product(product(kvHeads, headSize), tokens)
}

func badKVFormat(f tensor.Format, headSize int) bool {
	return !IsKVFormat(f) || f != tensor.F32 && headSize%2 != 0
}

// halves is the memory of x as numbers of 16 bits.
func halves(x []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}

// KVWrite puts the keys and values of rows into their places in the cache. Into 16 bits they are rounded to nearest even; a number beyond
// the range becomes an infinity (65504 is the largest of F16), a NaN stays one.
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
			if f == tensor.F32 {
				writeFloats(block[g*2*headSize*BlockTokens:], offset, key, value)
				continue
			}
			writeHalves(halves(block)[g*2*headSize*BlockTokens:], f, offset, key, value)
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
	start := int(c.table[index])*c.blockNumbers + c.head*2*n + skip
	if c.format == tensor.F32 {
		return c.kv[start:][:n]
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
