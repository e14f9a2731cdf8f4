package tokenizer

import (
	"slices"
	"sync"
	"unicode/utf8"
)

// combiningRun says that the characters from..to have a canonical combining class, which is not 0.
type combiningRun struct {
	from, to rune
	class    uint8
}

// decomposition is the full canonical decomposition of a character. composes says that NFC puts the character together again.
type decomposition struct {
	from     rune
	to       string
	composes bool
}

// The algorithm of Hangul syllables (Unicode Standard, section 3.12).
const (
	hangulBase, leadBase, vowelBase, trailBase = 0xac00, 0x1100, 0x1161, 0x11a7
	leads, vowels, trails                      = 19, 21, 28
	hangulSyllables                            = leads * vowels * trails
)

// longestDecomposition is the largest number of characters in a full canonical decomposition.
const longestDecomposition = 4

// composer holds what NFC needs beyond the properties.
type composer struct {
	decomposed map[rune]string
	composed   map[[2]rune]rune
	class      map[rune]uint8
}

// composition is the one composer, made at its first use. Package golang.org/x/text/unicode/norm is not used, because it
// breaks runs of more than 30 marks and follows the Go version.
var composition = sync.OnceValue(func() *composer {
	c := &composer{map[rune]string{}, map[[2]rune]rune{}, map[rune]uint8{}}
	for _, run := range combiningRuns {
		for r := run.from; r <= run.to; r++ {
			c.class[r] = run.class
		}
	}
	for i := range decompositions {
		c.decomposed[decompositions[i].from] = decompositions[i].to
	}
	for length := 2; length <= longestDecomposition; length++ { // the shorter ones are what the longer ones begin with
		for i := range decompositions {
			if d := &decompositions[i]; d.composes && utf8.RuneCountInString(d.to) == length {
				last, size := utf8.DecodeLastRuneInString(d.to)
				first := c.compose([]rune(d.to[:len(d.to)-size]))
				c.composed[[2]rune{first[0], last}] = d.from
			}
		}
	}
	return c
})

// nfc returns text in Unicode's normalization form C (UAX 15) as of Unicode 12. Bytes that are no characters stay, and
// divide what is around them.
func nfc(p *propertyTable, text string) string {
	stable := stablePrefix(p, text, 0)
	if stable == len(text) {
		return text
	}
	c := composition()
	out := make([]byte, 0, len(text)+16)
	done := 0
	var segment []rune
	for stable < len(text) {
		// A segment is the character before an unstable one, unless it is a stray byte, and all unstable ones behind it.
		start := stable
		if start > done {
			if r, size := utf8.DecodeLastRuneInString(text[done:start]); r != utf8.RuneError || size > 1 {
				start -= size
			}
		}
		out = append(out, text[done:start]...)
		end := p.run(text, stable, isUnstable, isUnstable)
		segment = c.decompose(segment[:0], text[start:end])
		for _, r := range c.compose(segment) {
			out = utf8.AppendRune(out, r)
		}
		done = end
		stable = stablePrefix(p, text, end)
	}
	return string(append(out, text[done:]...))
}

// stablePrefix returns the end of the characters from text[at] on that NFC leaves alone.
func stablePrefix(p *propertyTable, text string, at int) int {
	return p.run(text, at, isUnstable, 0)
}

// decompose appends the decomposition of text, its marks in canonical order.
func (c *composer) decompose(dst []rune, text string) []rune {
	for _, r := range text {
		switch full, ok := c.decomposed[r]; {
		case ok:
			dst = append(dst, []rune(full)...)
		case r >= hangulBase && r < hangulBase+hangulSyllables:
			at := r - hangulBase
			dst = append(dst, leadBase+at/(vowels*trails), vowelBase+at/trails%vowels)
			if trail := at % trails; trail > 0 {
				dst = append(dst, trailBase+trail)
			}
		default:
			dst = append(dst, r)
		}
	}
	for from := 0; from < len(dst); {
		if c.class[dst[from]] == 0 {
			from++
			continue
		}
		to := from
		for to < len(dst) && c.class[dst[to]] != 0 {
			to++
		}
		slices.SortStableFunc(dst[from:to], func(a, b rune) int { return int(c.class[a]) - int(c.class[b]) })
		from = to
	}
	return dst
}

// compose puts decomposed runes together, in place (UAX 15, section 1.3: a mark that no mark of the same class or starter
// keeps from its starter joins it if the two have a primary composite).
func (c *composer) compose(runes []rune) []rune {
	out := runes[:0]
	starter := -1     // index in out
	var blocked uint8 // the class of the last rune left behind the starter
	adjacent := true  // nothing has been left behind it
	for _, r := range runes {
		class := c.class[r]
		if starter >= 0 && (adjacent || blocked < class) {
			if whole, ok := c.pair(out[starter], r); ok {
				out[starter] = whole
				continue
			}
		}
		out = append(out, r)
		if class == 0 {
			starter, adjacent, blocked = len(out)-1, true, 0
		} else {
			adjacent, blocked = false, class
		}
	}
	return out
}

// pair returns the primary composite of two characters.
func (c *composer) pair(a, b rune) (rune, bool) {
	if lead, vowel := a-leadBase, b-vowelBase; lead >= 0 && lead < leads && vowel >= 0 && vowel < vowels {
		return hangulBase + (lead*vowels+vowel)*trails, true
	}
	if at, trail := a-hangulBase, b-trailBase; at >= 0 && at < hangulSyllables && at%trails == 0 && trail > 0 && trail < trails {
		return a + trail, true
	}
	whole, ok := c.composed[[2]rune{a, b}]
	return whole, ok
}
