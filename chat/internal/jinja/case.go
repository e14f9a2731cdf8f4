package jinja

import (
	"strings"
	"unicode"
)

// specialUpper are the characters whose upper case is several characters (Unicode's SpecialCasing.txt without conditions),
// each before what it becomes.
var specialUpper = makeSpecialUpper(`
ßSS ŉʼN ǰJ̌ ΐΪ́ ΰΫ́ ևԵՒ ẖH̱ ẗT̈ ẘW̊ ẙY̊ ẚAʾ ὐΥ̓ ὒΥ̓̀ ὔΥ̓́ ὖΥ̓͂ ᾀἈΙ ᾁἉΙ ᾂἊΙ ᾃἋΙ ᾄἌΙ ᾅἍΙ ᾆἎΙ ᾇἏΙ ᾈἈΙ
ᾉἉΙ ᾊἊΙ ᾋἋΙ ᾌἌΙ ᾍἍΙ ᾎἎΙ ᾏἏΙ ᾐἨΙ ᾑἩΙ ᾒἪΙ ᾓἫΙ ᾔἬΙ ᾕἭΙ ᾖἮΙ ᾗἯΙ ᾘἨΙ ᾙἩΙ ᾚἪΙ ᾛἫΙ ᾜἬΙ ᾝἭΙ ᾞἮΙ ᾟἯΙ ᾠὨΙ
ᾡὩΙ ᾢὪΙ ᾣὫΙ ᾤὬΙ ᾥὭΙ ᾦὮΙ ᾧὯΙ ᾨὨΙ ᾩὩΙ ᾪὪΙ ᾫὫΙ ᾬὬΙ ᾭὭΙ ᾮὮΙ ᾯὯΙ ᾲᾺΙ ᾳΑΙ ᾴΆΙ ᾶΑ͂ ᾷΑ͂Ι ᾼΑΙ ῂῊΙ ῃΗΙ ῄΉΙ
ῆΗ͂ ῇΗ͂Ι ῌΗΙ ῒΪ̀ ΐΪ́ ῖΙ͂ ῗΪ͂ ῢΫ̀ ΰΫ́ ῤΡ̓ ῦΥ͂ ῧΫ͂ ῲῺΙ ῳΩΙ ῴΏΙ ῶΩ͂ ῷΩ͂Ι ῼΩΙ ﬀFF ﬁFI ﬂFL ﬃFFI ﬄFFL ﬅST
ﬆST ﬓՄՆ ﬔՄԵ ﬕՄԻ ﬖՎՆ ﬗՄԽ`)

// specialTitle are those whose title case is neither their upper case nor one character.
var specialTitle = makeSpecialUpper(`
ßSs ŉʼN ǰJ̌ ΐΪ́ ΰΫ́ ևԵւ ẖH̱ ẗT̈ ẘW̊ ẙY̊ ẚAʾ ὐΥ̓ ὒΥ̓̀ ὔΥ̓́ ὖΥ̓͂ ᾲᾺͅ ᾴΆͅ ᾶΑ͂ ᾷᾼ͂ ῂῊͅ ῄΉͅ ῆΗ͂ ῇῌ͂ ῒΪ̀
ΐΪ́ ῖΙ͂ ῗΪ͂ ῢΫ̀ ΰΫ́ ῤΡ̓ ῦΥ͂ ῧΫ͂ ῲῺͅ ῴΏͅ ῶΩ͂ ῷῼ͂ ﬀFf ﬁFi ﬂFl ﬃFfi ﬄFfl ﬅSt ﬆSt ﬓՄն ﬔՄե ﬕՄի ﬖՎն ﬗՄխ`)

func makeSpecialUpper(table string) map[rune]string {
	m := map[rune]string{}
	for _, entry := range strings.Fields(table) {
		runes := []rune(entry)
		m[runes[0]] = string(runes[1:])
	}
	return m
}

// upper is Python's str.upper.
func upper(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		if special, ok := specialUpper[r]; ok && r >= 0x80 {
			b.WriteString(special)
			continue
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// lower is Python's str.lower: a sigma at the end of a word is a final one.
func lower(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	var runes []rune
	at := -1 // the index of a rune, once it is needed
	for i, r := range s {
		at++
		switch {
		case r == 'Σ':
			if runes == nil {
				runes = []rune(s)
			}
			b.WriteRune(lowerSigma(runes, at))
		case r == 'İ':
			b.WriteString("i̇")
		case r < 0x80 && (r < 'A' || r > 'Z'):
			b.WriteByte(s[i])
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// maxIgnorable bounds the search for the letter beside a sigma.
const maxIgnorable = 64

// lowerSigma is the final form after a cased letter and before none (Unicode 3.13, Final_Sigma).
func lowerSigma(runes []rune, at int) rune {
	cased := func(i, step int) bool {
		for n := 0; i >= 0 && i < len(runes) && n < maxIgnorable; n++ {
			if !caseIgnorable(runes[i]) {
				return isCased(runes[i])
			}
			i += step
		}
		return false
	}
	if cased(at-1, -1) && !cased(at+1, 1) {
		return 'ς'
	}
	return 'σ'
}

func isCased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) || unicode.In(r, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '·', '’', '‘', '‧', '^', '`', '¨', '¯', '´', '¸':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

func titleRune(r rune) string {
	if special, ok := specialTitle[r]; ok {
		return special
	}
	return string(unicode.ToTitle(r))
}

// capitalize is Python's str.capitalize.
func capitalize(s string) string {
	for i, r := range s {
		if i == 0 {
			head := string(r)
			return titleRune(r) + lower("a" + s[len(head):])[1:] // a letter before, for a final sigma
		}
	}
	return s
}

// title is Python's str.title: a letter is in title case unless a cased one is before it.
func title(s string) string {
	var b strings.Builder
	before := false
	low := []rune(lower(s))
	at := 0
	for _, r := range s {
		// lower makes two characters of one only for İ.
		width := 1
		if r == 'İ' {
			width = 2
		}
		switch {
		case before:
			b.WriteString(string(low[at : at+width]))
		default:
			b.WriteString(titleRune(r))
		}
		at += width
		before = isCased(r)
	}
	return b.String()
}

// swapCase is Python's str.swapcase.
func swapCase(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			b.WriteString(lower(string(r)))
		case unicode.IsLower(r):
			b.WriteString(upper(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
