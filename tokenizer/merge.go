package tokenizer

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// noMerge is the rank of a pair that is not merged.
const noMerge = ^uint32(0)

// merge is what becomes of a pair of neighbouring tokens.
type merge struct {
	rank uint32 // lower is earlier
	id   int32
}

// mergeTable maps pairs of tokens to merges: open addressing, at most half full. The multiplier of its hash is
// random, so that no file can make it slow.
type mergeTable struct {
	slots      []mergeSlot
	multiplier uint64
	shift      int
}

type mergeSlot struct {
	pair uint64
	merge
	used bool
}

func pairOf(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// newMergeTable returns a table with room for n pairs.
func newMergeTable(n int) mergeTable {
	log := bits.Len(uint(2*n + 1))
	return mergeTable{
		slots:      make([]mergeSlot, 1<<log),
		multiplier: maphash.String(maphash.MakeSeed(), "") | 1,
		shift:      64 - log,
	}
}

// set stores a merge; a pair that is set again has the later merge.
func (m *mergeTable) set(left, right int32, to merge) {
	pair := pairOf(left, right)
	for i := pair * m.multiplier >> m.shift; ; i = (i + 1) & uint64(len(m.slots)-1) {
		if slot := &m.slots[i]; !slot.used || slot.pair == pair {
			*slot = mergeSlot{pair, to, true}
			return
		}
	}
}

// find returns the merge of a pair, of rank noMerge if there is none.
func (m *mergeTable) find(left, right int32) merge {
	pair := pairOf(left, right)
	for i := pair * m.multiplier >> m.shift; ; i = (i + 1) & uint64(len(m.slots)-1) {
		slot := &m.slots[i]
		if !slot.used {
			return merge{rank: noMerge}
		}
		if slot.pair == pair {
			return slot.merge
		}
	}
}

// shortWord bounds the words, in bytes, that are merged by looking at all pairs after every merge.
const shortWord = 64

// appendMerged appends the tokens of a word: its bytes, then the merge of lowest rank, leftmost first, until there is
// none (Sennrich et al. 2016, algorithm 1).
func (t *Tokenizer) appendMerged(dst []int32, word string) []int32 {
	if len(word) > shortWord {
		return t.appendMergedLong(dst, word)
	}
	var ids [shortWord]int32
	var merges [shortWord]merge // of ids[i] and ids[i+1]
	n := len(word)
	for i := range n {
		ids[i] = t.byteIDs[word[i]]
	}
	for i := range n - 1 {
		merges[i] = t.merges.find(ids[i], ids[i+1])
	}
	for n > 1 {
		best, rank := 0, noMerge
		for i := range merges[:n-1] {
			if merges[i].rank < rank {
				best, rank = i, merges[i].rank
			}
		}
		if rank == noMerge {
			break
		}
		ids[best] = merges[best].id
		n--
		for i := best + 1; i < n; i++ {
			ids[i], merges[i] = ids[i+1], merges[i+1]
		}
		if best > 0 {
			merges[best-1] = t.merges.find(ids[best-1], ids[best])
		}
		if best < n-1 {
			merges[best] = t.merges.find(ids[best], ids[best+1])
		}
	}
	return append(dst, ids[:n]...)
}

// symbol is a token of a long word that is being merged; the symbols are a list, so that a merge costs the same wherever it is.
type symbol struct {
	id             int32 // -1: merged into the symbol before it
	previous, next int32 // -1: none
}

// appendMergedLong does the same with a heap of the possible merges: n log n.
func (t *Tokenizer) appendMergedLong(dst []int32, word string) []int32 {
	symbols := make([]symbol, len(word))
	for i := range symbols {
		symbols[i] = symbol{t.byteIDs[word[i]], int32(i - 1), int32(i + 1)}
	}
	symbols[len(symbols)-1].next = -1
	queue := make(mergeHeap, 0, len(word))
	for i := range len(symbols) - 1 {
		if m := t.merges.find(symbols[i].id, symbols[i+1].id); m.rank != noMerge {
			queue = append(queue, uint64(m.rank)<<32|uint64(i))
		}
	}
	queue.order()
	offer := func(left int32) {
		if right := symbols[left].next; right >= 0 {
			if m := t.merges.find(symbols[left].id, symbols[right].id); m.rank != noMerge {
				queue.push(uint64(m.rank)<<32 | uint64(left))
			}
		}
	}
	for len(queue) > 0 {
		top := queue.pop()
		at := int32(uint32(top))
		left := &symbols[at]
		if left.id < 0 || left.next < 0 {
			continue
		}
		right := &symbols[left.next]
		m := t.merges.find(left.id, right.id)
		if uint64(m.rank) != top>>32 { // the pair has changed since
			continue
		}
		left.id, left.next, right.id = m.id, right.next, -1
		if left.next >= 0 {
			symbols[left.next].previous = at
			offer(at)
		}
		if left.previous >= 0 {
			offer(left.previous)
		}
	}
	for i := int32(0); i >= 0; i = symbols[i].next {
		dst = append(dst, symbols[i].id)
	}
	return dst
}

// mergeHeap is a heap of merges, each its rank and, below 32 bits, its position: the least is the lowest rank, and
// of those the leftmost. Each node has 4 children.
type mergeHeap []uint64

func (h mergeHeap) order() {
	for i := len(h) / 4; i >= 0; i-- {
		h.down(i)
	}
}

func (h mergeHeap) down(i int) {
	for first := 4*i + 1; first < len(h); first = 4*i + 1 {
		least := first
		for child := first + 1; child < min(first+4, len(h)); child++ {
			if h[child] < h[least] {
				least = child
			}
		}
		if h[i] <= h[least] {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

func (h *mergeHeap) push(value uint64) {
	*h = append(*h, value)
	list := *h
	for i := len(list) - 1; i > 0 && list[i] < list[(i-1)/4]; i = (i - 1) / 4 {
		list[i], list[(i-1)/4] = list[(i-1)/4], list[i]
	}
}

func (h *mergeHeap) pop() uint64 {
	list := *h
	top := list[0]
	last := len(list) - 1
	list[0] = list[last]
	*h = list[:last]
	h.down(0)
	return top
}

// The bounds of the cache of merged words; with them an entry has 64 bytes, and the cache of a tokenizer 2.25 MiB at most.
const (
	cacheSlots  = 1 << 15
	cachedBytes = 38
	cachedIDs   = 6
)

// cachedWord is a word and its tokens; it does not change.
type cachedWord struct {
	length, count uint8
	word          [cachedBytes]byte
	ids           [cachedIDs]int32
}

// wordCache remembers merged words: each word has one slot, the newest stays. Many goroutines may use it.
type wordCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cachedWord] // [cacheSlots]
}

func newWordCache() wordCache {
	return wordCache{maphash.MakeSeed(), make([]atomic.Pointer[cachedWord], cacheSlots)}
}

// appendWord appends the tokens of a piece between two cuts.
func (t *Tokenizer) appendWord(dst []int32, word string) []int32 {
	if len(word) == 1 {
		return append(dst, t.byteIDs[word[0]]) // a byte's token is the only one of its text
	}
	if len(word) > cachedBytes {
		return t.appendUncached(dst, word)
	}
	slot := &t.cache.slots[maphash.String(t.cache.seed, word)%cacheSlots]
	if known := slot.Load(); known != nil && string(known.word[:known.length]) == word {
		return append(dst, known.ids[:known.count]...)
	}
	before := len(dst)
	dst = t.appendUncached(dst, word)
	if ids := dst[before:]; len(ids) <= cachedIDs {
		fresh := &cachedWord{length: uint8(len(word)), count: uint8(len(ids))}
		copy(fresh.word[:], word)
		copy(fresh.ids[:], ids)
		slot.Store(fresh)
	}
	return dst
}

func (t *Tokenizer) appendUncached(dst []int32, word string) []int32 {
	if t.def.ignoreMerges {
		if id, ok := t.words[word]; ok {
			return append(dst, id)
		}
	}
	return t.appendMerged(dst, word)
}
