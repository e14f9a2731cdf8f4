package kernel

// BlockTokens is the number of positions in one block of the key/value cache.
const BlockTokens = 16

// BlockFloats is the number of floats of one cache block of one layer: 2·G·K·16. Block b begins at b*BlockFloats;
// inside it lie, for each key/value head, the keys transposed [K][16], then the values [16][K].
func BlockFloats(kvHeads, headSize int) int {
	if kvHeads < 0 || headSize < 0 {
		panic("kernel: BlockFloats: negative size")
	}
	length := blockLength(kvHeads, headSize)
	if length == maxInt {
		panic("kernel: BlockFloats: size does not fit an int")
	}
	return length
}

func blockLength(kvHeads, headSize int) int {
	return product(product(kvHeads, headSize), 2*BlockTokens)
}

// KVWrite puts the keys and values of rows into their places in the cache.
//
//	k, v: row t begins at t*ld and holds G adjacent heads; keys are already rotated
//	slots [rows]: block*16 + offset in the block   kv: the blocks of one layer, see BlockFloats
//
// It writes nothing but the named slots. Two rows do not name one slot.
func KVWrite(kv []float32, slots []int32, k, v []float32, ld, rows, kvHeads, headSize int) {
	if kvHeads < 0 || headSize < 0 {
		panic("kernel: KVWrite: bad size")
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
	blockFloats := blockLength(kvHeads, headSize)
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
			head := block[g*2*headSize*BlockTokens:]
			keys := head[offset : headSize*BlockTokens]
			for i, value := range k[t*ld+g*headSize:][:headSize] {
				keys[i*BlockTokens] = value
			}
			copy(head[(headSize*BlockTokens+offset*headSize):], v[t*ld+g*headSize:][:headSize])
		}
	}
}
