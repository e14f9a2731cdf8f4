package engine

import "github.com/retort-ml/retort/internal/kernel"

// noBlock ends a list of blocks.
const noBlock = int32(-1)

// block is the bookkeeping of one KV block; the keys and values themselves belong to the model.
//
// A block that holds part of a prompt is indexed: later sequences find it by what it holds. Its
// name is a serial number that is never used twice, and its key is (name of the block before it,
// its own tokens). By induction the name stands for one exact prefix, so that a match needs no
// trust in the hash.
type block struct {
	refs    int32  // sequences whose table holds the block
	indexed bool   // findable by key
	ready   bool   // all of its prompt positions are written
	name    uint64 // serial number of the indexed content
	before  uint64 // name of the preceding block, 0 at the start of a sequence
	hash    uint64
	count   int // prompt tokens in the block, 1..16
	tokens  [kernel.BlockTokens]int32

	nextInBucket int32
	older, newer int32 // neighbours among the cached blocks
}

// blockPool hands out the blocks of one KV arena and remembers which of them hold prompts.
//
// A block is in exactly one of three states: held (refs > 0), cached (refs == 0, indexed: it keeps
// its content until it is needed for something else, oldest first) or free.
type blockPool struct {
	blocks         []block
	free           []int32 // a stack: the block that was used last is reused first
	buckets        []int32
	oldest, newest int32
	numCached      int
	lastName       uint64
}

func newBlockPool(n int) *blockPool {
	numBuckets := 1
	for numBuckets < 2*n {
		numBuckets *= 2
	}
	p := &blockPool{
		blocks:  make([]block, n),
		free:    make([]int32, 0, n),
		buckets: make([]int32, numBuckets),
		oldest:  noBlock,
		newest:  noBlock,
	}
	for id := n - 1; id >= 0; id-- {
		p.free = append(p.free, int32(id))
	}
	for i := range p.buckets {
		p.buckets[i] = noBlock
	}
	return p
}

// forgetPrompts frees all cached blocks.
func (p *blockPool) forgetPrompts() {
	for id := p.oldest; id != noBlock; id = p.oldest {
		p.uncache(id)
		p.forget(id)
		p.free = append(p.free, id)
	}
}

// available is the number of blocks that take can hand out.
func (p *blockPool) available() int { return len(p.free) + p.numCached }

// take returns a block with one reference and no content, noBlock if all blocks are held.
func (p *blockPool) take() int32 {
	id := p.oldest
	if n := len(p.free); n > 0 {
		id = p.free[n-1]
		p.free = p.free[:n-1]
	} else if id != noBlock {
		p.uncache(id)
		p.forget(id)
	} else {
		return noBlock
	}
	p.blocks[id].refs = 1
	return id
}

// hold adds a reference to a held or cached block.
func (p *blockPool) hold(id int32) {
	b := &p.blocks[id]
	if b.refs == 0 {
		p.uncache(id)
	}
	b.refs++
}

// release drops one reference. The last one caches a written prompt block and frees any other.
func (p *blockPool) release(id int32) {
	b := &p.blocks[id]
	b.refs--
	if b.refs > 0 {
		return
	}
	if b.indexed && !b.ready {
		p.forget(id)
	}
	if !b.indexed {
		p.free = append(p.free, id)
		return
	}
	b.older, b.newer = p.newest, noBlock
	if p.newest != noBlock {
		p.blocks[p.newest].newer = id
	} else {
		p.oldest = id
	}
	p.newest = id
	p.numCached++
}

func (p *blockPool) uncache(id int32) {
	b := &p.blocks[id]
	if b.older != noBlock {
		p.blocks[b.older].newer = b.newer
	} else {
		p.oldest = b.newer
	}
	if b.newer != noBlock {
		p.blocks[b.newer].older = b.older
	} else {
		p.newest = b.older
	}
	p.numCached--
}

// find returns the indexed block that holds tokens (at most 16) right after the block named before,
// noBlock if there is none.
func (p *blockPool) find(before uint64, tokens []int32) int32 {
	hash := hashTokens(before, tokens)
	for id := p.buckets[hash&uint64(len(p.buckets)-1)]; id != noBlock; id = p.blocks[id].nextInBucket {
		if b := &p.blocks[id]; b.hash == hash && b.before == before && b.holds(tokens) {
			return id
		}
	}
	return noBlock
}

func (b *block) holds(tokens []int32) bool {
	if b.count != len(tokens) {
		return false
	}
	for i, token := range tokens {
		if b.tokens[i] != token {
			return false
		}
	}
	return true
}

// index makes a held block findable as (before, tokens); it is not ready until its owner says so.
// It returns the block's name.
func (p *blockPool) index(id int32, before uint64, tokens []int32) uint64 {
	b := &p.blocks[id]
	p.lastName++
	b.indexed, b.ready = true, false
	b.name, b.before = p.lastName, before
	b.hash = hashTokens(before, tokens)
	b.count = copy(b.tokens[:], tokens)
	bucket := &p.buckets[b.hash&uint64(len(p.buckets)-1)]
	b.nextInBucket, *bucket = *bucket, id
	return b.name
}

// forget takes a block out of the index.
func (p *blockPool) forget(id int32) {
	b := &p.blocks[id]
	link := &p.buckets[b.hash&uint64(len(p.buckets)-1)]
	for *link != id {
		link = &p.blocks[*link].nextInBucket
	}
	*link = b.nextInBucket
	b.indexed, b.ready = false, false
}

func hashTokens(before uint64, tokens []int32) uint64 {
	h := mix(before)
	for _, token := range tokens {
		h = mix(h ^ uint64(uint32(token)))
	}
	return h
}

// mix is the output function of SplitMix64 (Steele, Lea & Flood 2014, fig. 16): a bijection that
// spreads every input bit over all output bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
