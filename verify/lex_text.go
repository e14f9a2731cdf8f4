package verify

import "strings"

// lexText reads the argument of \text and its like. A known unit after a value, a function's name and a single letter are
// what they are; and, or and commas separate; with digits inside, the argument is read as mathematics.
func (p *parser) lexText() {
	content, end, ok := p.group(p.pos)
	if !ok {
		p.rescan(false)
		return
	}
	trimmed := strings.TrimSpace(strings.ReplaceAll(content, "~", " "))
	trimmed = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(trimmed, "\\"), "\\"))
	p.tok.text = trimmed
	kind := tText
	_, isUnit := units[unitKey(trimmed)]
	if len(trimmed) == 1 && letterAt(trimmed, 0) {
		_, isUnit = letterUnits[trimmed]
	}
	word := strings.ToLower(strings.Trim(trimmed, " ,;."))
	switch {
	case trimmed == "" || trimmed == ".":
		p.pos = end
		p.rescan(true)
		return
	case word == "and" || word == "or" || word == "and/or" || word == "" && strings.Trim(trimmed, ",; ") == "":
		kind = tAnd
	case word == "mod":
		kind = tMod
	case isUnit && p.valued:
		kind = tUnit
	case end < len(p.src) && p.src[end] == '_' && digitAt(trimmed, 0): // digits in a base
	case functionNames[trimmed] != "":
		kind, p.tok.text = tFunction, functionNames[trimmed]
	case word == "undefined" || word == "none":
	case len(trimmed) == 1 && strings.IndexByte(":;-+=", trimmed[0]) < 0:
		p.pos = end
		if letterAt(trimmed, 0) {
			p.tok.kind = tSymbol
			if p.valued || trimmed == "i" || trimmed == "e" {
				p.letter(trimmed)
			}
			return
		}
		kind = tText
	case strings.ContainsAny(trimmed, "0123456789\\^_") && !p.valued, letterPair(trimmed), mathOnly(trimmed):
		p.pos = strings.IndexByte(p.src[p.pos:], '{') + p.pos + 1
		p.skips = append(p.skips, end-1) // the closing brace is met later and skipped
		p.rescan(false)
		return
	}
	p.pos = end
	p.tok.kind = kind
}

// letterPair says whether text is a list of single letters or a letter in brackets, as A, B or (C).
func letterPair(text string) bool {
	for i := 0; i < len(text); i++ {
		if letterAt(text, i) && letterAt(text, i+1) {
			return false
		}
		if text[i] >= 0x80 {
			return false
		}
	}
	return strings.ContainsAny(text, ",()")
}

// mathOnly says whether text has no letters at all, as in \text{ - }.
func mathOnly(text string) bool {
	for i := 0; i < len(text); i++ {
		if letterAt(text, i) || text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// group is braced within a budget: unclosed groups in a row would each be read to the end.
func (p *parser) group(i int) (content string, end int, ok bool) {
	const window = 1 << 12
	content, end, ok = braced(p.src[:min(len(p.src), i+window)], i)
	if p.scanned += end - i + 16; !ok {
		p.scanned += window
	}
	if p.scanned > 1<<20 {
		p.fail(failLimit)
		return "", len(p.src), false
	}
	return content, end, ok
}

// braced returns the content of the group in braces that begins at or after white space from i, and the end of the group.
func braced(s string, i int) (content string, end int, ok bool) {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '*') {
		i++
	}
	if i >= len(s) || s[i] != '{' {
		return "", i, false
	}
	depth := 0
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[i+1 : j], j + 1, true
			}
		}
	}
	return "", i, false
}
