package tokenizer

import (
	"strings"
)

// splitter names how text is cut into the pieces (pre-tokens) within which merges happen.
type splitter uint8

const (
	splitNone      splitter = iota
	splitGPT2               // GPT-2
	splitQwen2              // Qwen2, Qwen2.5, Qwen3, DeepSeek-R1-Distill-Qwen
	splitLlama3             // Llama 3, DeepSeek-R1-Distill-Llama
	splitQwen2Old           // as Qwen2, where the long s (U+017F) makes no contraction
	splitLlama3Old          // as Llama 3, likewise
)

// splitPatterns maps the regex of a tokenizer.json to the scanner that does the same.
var splitPatterns = map[string]splitter{
	`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`: splitGPT2,

	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:      splitQwen2,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: splitLlama3,

	`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:      splitQwen2Old,
	`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: splitLlama3Old,
}

// pattern returns the regex of a scanner, "" for splitNone.
func (s splitter) pattern() string {
	for pattern, which := range splitPatterns {
		if which == s {
			return pattern
		}
	}
	return ""
}

// next returns the end of the piece of text that begins at at < len(text).
func (s splitter) next(p *propertyTable, text string, at int) int {
	switch s {
	case splitGPT2:
		return nextGPT2(p, text, at)
	case splitQwen2:
		return nextCL100K(p, text, at, 1, true)
	case splitLlama3:
		return nextCL100K(p, text, at, 3, true)
	case splitQwen2Old:
		return nextCL100K(p, text, at, 1, false)
	case splitLlama3Old:
		return nextCL100K(p, text, at, 3, false)
	}
	return len(text)
}

// nextGPT2 matches, in this order: a contraction in small letters; letters, numbers or other characters, each with a
// space before them; spaces.
func nextGPT2(p *propertyTable, text string, at int) int {
	const all = isLetter | isNumber | isSpace
	if text[at] == '\'' {
		if length := contraction(text[at:], false, false); length > 0 {
			return at + length
		}
	}
	from := at
	bits, size := p.at(text, from)
	if text[at] == ' ' && at+1 < len(text) {
		if after, length := p.at(text, at+1); after&isSpace == 0 {
			from, bits, size = at+1, after, length
		}
	}
	switch {
	case bits&isLetter != 0:
		return p.run(text, from+size, isLetter, isLetter)
	case bits&isNumber != 0:
		return p.run(text, from+size, isNumber, isNumber)
	case bits&isSpace == 0:
		return p.run(text, from+size, all, 0)
	}
	return spaces(p, text, at)
}

// nextCL100K matches, in this order: a contraction; letters with any one character before them that is no line end, letter
// or number; 1 to digits numbers; other characters with a space before and line ends after them; spaces up to the
// last line end among them; spaces.
func nextCL100K(p *propertyTable, text string, at, digits int, longS bool) int {
	const all = isLetter | isNumber | isSpace
	c := text[at]
	if c == '\'' {
		if length := contraction(text[at:], true, longS); length > 0 {
			return at + length
		}
	}
	bits, size := p.at(text, at)
	next := at + size
	if bits&isLetter != 0 {
		return p.run(text, next, isLetter, isLetter)
	}
	if bits&isNumber != 0 {
		for n := 1; n < digits && next < len(text); n++ {
			after, length := p.at(text, next)
			if after&isNumber == 0 {
				break
			}
			next += length
		}
		return next
	}
	if next < len(text) && c != '\r' && c != '\n' {
		after, length := p.at(text, next)
		if after&isLetter != 0 {
			return p.run(text, next+length, isLetter, isLetter)
		}
		if c == ' ' && after&all == 0 {
			return lineEnds(text, p.run(text, next+length, all, 0))
		}
	}
	if bits&isSpace == 0 {
		return lineEnds(text, p.run(text, next, all, 0))
	}
	end := p.run(text, next, isSpace, isSpace)
	if last := strings.LastIndexAny(text[at:end], "\r\n"); last >= 0 {
		return at + last + 1
	}
	return spacesUpTo(text, at, end)
}

// contraction returns the length of the English contraction ('s, 't, 're, 've, 'm, 'll, 'd) that text, which begins with
// an apostrophe, begins with, or 0. fold ignores the case; longS takes U+017F for an s, as a regex that ignores the case does.
func contraction(text string, fold, longS bool) int {
	letter := func(i int) byte {
		if i >= len(text) {
			return 0
		}
		if c := text[i]; fold && 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return text[i]
	}
	second := letter(2)
	switch letter(1) {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if second == 'e' {
			return 3
		}
	case 'l':
		if second == 'l' {
			return 3
		}
	case 0xc5: // the first byte of U+017F
		if longS && second == 0xbf {
			return 3
		}
	}
	return 0
}

// lineEnds returns the end of the line ends from text[at] on.
func lineEnds(text string, at int) int {
	for at < len(text) && (text[at] == '\r' || text[at] == '\n') {
		at++
	}
	return at
}

// spaces is \s+(?!\S)|\s+ at text[at], a space.
func spaces(p *propertyTable, text string, at int) int {
	return spacesUpTo(text, at, p.run(text, at, isSpace, isSpace))
}

// spacesUpTo returns the end of the piece that begins with the spaces text[at:end]: the last of several is left to the
// word behind them.
func spacesUpTo(text string, at, end int) int {
	if end == len(text) {
		return end
	}
	last := end - 1
	for last > at && text[last]&0xc0 == 0x80 { // the inner bytes of a character
		last--
	}
	if last == at {
		return end
	}
	return last
}
