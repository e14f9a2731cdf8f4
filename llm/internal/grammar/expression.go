package grammar

import (
	"cmp"
	"slices"
	"strings"
)

// expression is a piece of a rule.
type expression struct {
	kind     expressionKind
	ranges   []runeRange  // of characters, ascending and apart
	rule     string       // of reference
	list     []expression // of sequence and choice; one of repeat
	min, max int          // of repeat; max is -1 for no bound
}

type expressionKind uint8

const (
	sequence   expressionKind = iota // an empty one is the empty text
	choice                           // an empty one cannot be met
	characters                       // one of some code points
	reference                        // to a rule
	repeat
)

// runeRange is the code points from lo to hi.
type runeRange struct{ lo, hi rune }

const maxRune = 0x10FFFF

// literal is the text itself.
func literal(text string) expression {
	var list []expression
	for _, r := range text {
		list = append(list, oneOf(runeRange{r, r}))
	}
	return expression{kind: sequence, list: list}
}

func oneOf(ranges ...runeRange) expression { return expression{kind: characters, ranges: ranges} }

func all(list ...expression) expression    { return expression{kind: sequence, list: list} }
func either(list ...expression) expression { return expression{kind: choice, list: list} }
func to(rule string) expression            { return expression{kind: reference, rule: rule} }

func times(e expression, min, max int) expression {
	return expression{kind: repeat, list: []expression{e}, min: min, max: max}
}

func optional(e expression) expression { return times(e, 0, 1) }

// union lists the code points of ranges in ascending order, neighbours joined.
func union(ranges []runeRange) []runeRange {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b runeRange) int { return cmp.Compare(a.lo, b.lo) })
	out := ranges[:0]
	for _, r := range ranges {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// complement lists the code points outside ranges.
func complement(ranges []runeRange) []runeRange {
	ranges = union(ranges)
	var out []runeRange
	next := rune(0)
	for _, r := range ranges {
		if r.lo > next {
			out = append(out, runeRange{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= maxRune {
		out = append(out, runeRange{next, maxRune})
	}
	return out
}

// byteRange is the bytes from lo to hi.
type byteRange struct{ lo, hi byte }

// encodings lists sequences of byte ranges that together are the UTF-8 encodings of the code points from lo to hi, surrogates left out
// (RFC 3629, section 4).
func encodings(lo, hi rune) [][]byteRange {
	var out [][]byteRange
	for _, part := range []runeRange{{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, maxRune}} {
		if l, h := max(lo, part.lo), min(hi, part.hi); l <= h {
			out = appendEncodings(out, []byte(string(l)), []byte(string(h)))
		}
	}
	return out
}

// appendEncodings does so for encodings of one length: it splits where a byte before the last is not the same in both and what follows is not the
// whole range of continuations.
func appendEncodings(out [][]byteRange, lo, hi []byte) [][]byteRange {
	n := len(lo)
	same := 0
	for same < n-1 && lo[same] == hi[same] {
		same++
	}
	lowest, highest := true, true
	for i := same + 1; i < n; i++ {
		lowest = lowest && lo[i] == 0x80
		highest = highest && hi[i] == 0xBF
	}
	if lowest && highest {
		list := make([]byteRange, n)
		for i := range list {
			list[i] = byteRange{lo[i], hi[i]}
		}
		return append(out, list)
	}
	// The first value of the byte goes with the rest from lo on, the last one with the rest up to hi, those between with any.
	fill := func(from []byte, first, rest byte) []byte {
		b := append([]byte(nil), from[:same]...)
		b = append(b, first)
		return append(b, strings.Repeat(string([]byte{rest}), n-same-1)...)
	}
	if !lowest {
		out = appendEncodings(out, lo, fill(lo, lo[same], 0xBF))
		lo = fill(lo, lo[same]+1, 0x80)
	}
	if !highest {
		if hi[same] > lo[same] || lowest && lo[same] < hi[same] {
			out = appendMiddle(out, lo, fill(hi, hi[same]-1, 0xBF))
		}
		return appendEncodings(out, fill(hi, hi[same], 0x80), hi)
	}
	return appendMiddle(out, lo, hi)
}

// appendMiddle appends a range that may be empty.
func appendMiddle(out [][]byteRange, lo, hi []byte) [][]byteRange {
	if string(lo) > string(hi) {
		return out
	}
	return appendEncodings(out, lo, hi)
}
