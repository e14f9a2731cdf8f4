package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// The properties of a character, as the parts of Hugging Face's tokenizers know them: the splitting regex (Oniguruma)
// and the regex of added tokens follow Unicode 16, the normaliser Unicode 12. Go's own tables follow the Go version, so
// that an id would depend on the compiler; these do not.
const (
	isLetter   = 1 << iota // \p{L}
	isNumber               // \p{N}
	isSpace                // \s
	isWord                 // \w of single_word
	isUnstable             // NFC may change it, or compose it with what stands before it
)

// propertyRun says that the characters from here to the next run have these properties.
type propertyRun struct {
	from rune
	bits uint8
}

// flatRunes bounds the characters whose properties lie in one array; the few beyond are looked for in the runs.
const flatRunes = 0x32400

// propertyTable holds the properties of each character below flatRunes.
type propertyTable [flatRunes]uint8

// properties is the one table, made at its first use.
var properties = sync.OnceValue(func() *propertyTable {
	t := new(propertyTable)
	for i, run := range propertyRuns {
		to := rune(flatRunes)
		if i+1 < len(propertyRuns) {
			to = min(to, propertyRuns[i+1].from)
		}
		for r := run.from; r < to; r++ {
			t[r] = run.bits
		}
	}
	return t
})

// of returns the properties of a character.
func (t *propertyTable) of(r rune) uint8 {
	if uint32(r) < flatRunes {
		return t[r]
	}
	for i := len(propertyRuns) - 1; i >= 0; i-- {
		if run := &propertyRuns[i]; run.from <= r {
			return run.bits
		}
	}
	return 0
}

// at returns the properties and the length of the character at text[i]. A byte that is not part of one has none.
func (t *propertyTable) at(text string, i int) (bits uint8, size int) {
	if c := text[i]; c < utf8.RuneSelf {
		return t[c], 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	return t.of(r), size
}

// run returns the end of the characters from text[at] on whose properties, masked, are want.
func (t *propertyTable) run(text string, at int, mask, want uint8) int {
	for at < len(text) {
		if c := text[at]; c < utf8.RuneSelf {
			if t[c]&mask != want {
				return at
			}
			at++
			continue
		}
		bits, size := t.at(text, at)
		if bits&mask != want {
			return at
		}
		at += size
	}
	return at
}
