package train

import (
	"cmp"
	"slices"

	"github.com/retort-ml/retort/internal/compute"
)

// sequence is one training sequence: token i is a target if i >= from and mask (where there is
// one) allows it. Token 0 has nothing before it and is never a target.
type sequence struct {
	tokens []int32
	from   int
	mask   []bool // [len(tokens)] or nil
}

// newSequence drops what comes after the last target, because no loss depends on it.
func newSequence(tokens []int32, from int, mask []bool) sequence {
	s := sequence{tokens: tokens, from: max(from, 1), mask: mask}
	end := len(tokens)
	for end > 0 && !s.isTarget(end-1) {
		end--
	}
	s.tokens = tokens[:end]
	return s
}

func (s *sequence) isTarget(i int) bool {
	return i >= s.from && (s.mask == nil || s.mask[i])
}

// rows is the number of token rows that the model evaluates: the last token is only predicted.
func (s *sequence) rows() int { return max(0, len(s.tokens)-1) }

// targets is the number of predicted tokens.
func (s *sequence) targets() int {
	if s.mask == nil {
		return max(0, len(s.tokens)-s.from)
	}
	n := 0
	for i := s.from; i < len(s.tokens); i++ {
		if s.mask[i] {
			n++
		}
	}
	return n
}

// pack puts sequences of the given numbers of rows into bins of at most maxRows rows, best fit
// decreasing (Johnson 1973): a sequence is never split, each one is in exactly one bin, and the
// result depends on the lengths and their order alone. Sequences are ascending within a bin.
func pack(lengths []int, maxRows int) [][]int {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lengths[b], lengths[a]) })
	var bins [][]int
	var free []int
	for _, i := range order {
		best := -1
		for j, room := range free {
			if room >= lengths[i] && (best < 0 || room < free[best]) {
				best = j
			}
		}
		if best < 0 {
			best = len(bins)
			bins = append(bins, nil)
			free = append(free, maxRows)
		}
		bins[best] = append(bins[best], i)
		free[best] -= lengths[i]
	}
	for _, bin := range bins {
		slices.Sort(bin)
	}
	return bins
}

// packSequences packs the sequences that which lists; the bins hold indices into sequences.
func packSequences(sequences []sequence, which []int, maxRows int) [][]int {
	lengths := make([]int, len(which))
	for i, s := range which {
		lengths[i] = sequences[s].rows()
	}
	bins := pack(lengths, maxRows)
	for _, bin := range bins {
		for i := range bin {
			bin[i] = which[bin[i]]
		}
	}
	return bins
}

// fillBatch makes b the microbatch of the sequences that bin lists, reusing b's slices. The targets of
// each sequence are consecutive wanted rows, in the order of bin. b.DLogProb has one zero per row.
func fillBatch(b *compute.Batch, sequences []sequence, bin []int) {
	b.Tokens, b.Seqs, b.Rows, b.Targets = b.Tokens[:0], b.Seqs[:0], b.Rows[:0], b.Targets[:0]
	for _, index := range bin {
		s := &sequences[index]
		start := len(b.Tokens)
		n := s.rows()
		b.Tokens = append(b.Tokens, s.tokens[:n]...)
		b.Seqs = append(b.Seqs, compute.Seq{Start: start, Len: n})
		for i := s.from; i < len(s.tokens); i++ {
			if s.isTarget(i) {
				b.Rows = append(b.Rows, int32(start+i-1))
				b.Targets = append(b.Targets, s.tokens[i])
			}
		}
	}
	b.DLogProb = slices.Grow(b.DLogProb[:0], len(b.Rows))[:len(b.Rows)]
	clear(b.DLogProb)
}
