package verify

import "strings"

// lexLetters reads plain letters: a name that a table knows, one variable, or a word.
func (p *parser) lexLetters() {
	start := p.pos
	end := start
	for letterAt(p.src, end) {
		end++
	}
	word := p.src[start:end]
	if end := basedDigits(p.src, start); end > 0 {
		p.pos = end
		p.tok.kind, p.tok.text = tText, p.src[start:end]
		return
	}
	if p.specialWord(word, end) {
		return
	}
	if name, ok := constantNames[word]; ok {
		p.pos = end
		p.tok.kind, p.tok.text = tConstant, name
		return
	}
	if greek[word] {
		p.pos = end
		p.tok.kind, p.tok.text = tSymbol, word
		return
	}
	if rest, joined := conjunction(word); joined && p.valued { // 1orx
		p.pos = start + len(word) - len(rest)
		p.tok.kind, p.tok.text = tAnd, word[:len(word)-len(rest)]
		return
	}
	_, isUnit := units[unitKey(word)]
	isUnit = isUnit && (start == 0 || !letterAt(p.src, start-1)) // GMm has no megametres
	if name, ok := functionNames[word]; ok && !(isUnit && p.valued && (p.closes(end) || word == "min" && p.numbered && !opens(p.src[end:])) && !(word == "min" && start > 1 && p.src[start-1] == '/' && letterAt(p.src, start-2) && p.closes(end))) && word != "Re" && word != "Im" && word != "Pr" {
		p.pos = end
		p.tok.kind, p.tok.text = tFunction, name
		return
	}
	if isUnit && (p.valued || p.overUnit(start) || word == "min") {
		p.pos = end
		p.tok.kind, p.tok.text = tUnit, word
		return
	}
	if (len(word) >= 4 || len(word) > 1 && p.valued && p.tok.space && !p.inMath(end)) && !p.angled {
		p.pos = end
		p.tok.kind, p.tok.text = tWord, word
		return
	}
	p.pos = start + 1 // a product of variables, one at a time
	p.letter(word[:1])
}

// overUnit says whether a stroke after a number, a space and a unit of one letter is before i: 5 g/cm^3.
func (p *parser) overUnit(i int) bool {
	if i < 4 || p.src[i-1] != '/' || p.src[i-3] != ' ' || !digitAt(p.src, i-4) {
		return false
	}
	_, ok := letterUnits[p.src[i-2:i-1]]
	return ok
}

// specialWord emits a word that is an operator, a separator or no more than a remark, and single letters.
func (p *parser) specialWord(word string, end int) bool {
	switch {
	case word == "Eq" && end < len(p.src) && p.src[end] == '(':
		p.pos = end
		p.tok.kind, p.tok.text = tWord, word
		return true
	case (word == "a" || word == "p") && p.valued && strings.HasPrefix(p.src[end:], ".m"): // 10 a.m.
		p.pos = min(len(p.src), end+len(".m."))
		p.tok.kind, p.tok.text = tText, word+"m"
		return true
	case len(word) == 1 && p.crossAt(end):
		p.emit(tTimes, 0, 1)
		return true
	case word == "U" && p.valued && setAt(p.src[end:]) && p.shut:
		p.emit(tUnion, 0, 1)
		return true
	case len(word) == 1:
		p.pos = end
		p.letter(word)
		return true
	case word == "and" || word == "or" || word == "und" || word == "et" || word == "ou":
		p.pos = end
		p.tok.kind, p.tok.text = tAnd, word
		return true
	case word == "mod":
		p.emit(tMod, 0, len(word))
		return true
	case word == "Rs" && !p.valued && (digitAt(strings.TrimLeft(p.src[end:], ". "), 0)):
		p.pos, p.currency = end, "₹"
		if p.pos < len(p.src) && p.src[p.pos] == '.' {
			p.pos++
		}
		p.rescan(true)
		return true
	case (word == "the" || word == "The") && end < len(p.src) && p.src[end] == ' ' && letterAt(p.src, end+2):
		p.pos = end
		p.rescan(true)
		return true
	case word == "USD" || word == "EUR" || word == "GBP" || word == "approximately" || word == "roughly":
		p.pos = end // says no more than a sign of money or ≈
		p.rescan(true)
		return true
	case word == "sum" || word == "prod" || word == "frac":
		p.pos = end
		p.command(word)
		return true
	}
	return false
}

// setAt says whether a bracket of a set follows.
func setAt(s string) bool {
	s = strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(s, " "), "\\left"), " ")
	return strings.HasPrefix(s, "(") || strings.HasPrefix(s, "[") || strings.HasPrefix(s, "\\{")
}

// crossAt says whether the x that ends at end is a multiplication sign: after a number, before a power of ten.
func (p *parser) crossAt(end int) bool {
	if p.src[end-1] != 'x' || !p.numbered {
		return false
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(p.src[end:], " "), "10")
	return ok && (strings.HasPrefix(rest, "^") || strings.HasPrefix(rest, "**") || superscriptWidth(rest) > 0)
}

func superscriptWidth(s string) int {
	_, width := superscriptAt(s)
	return width
}

// basedDigits is the end of digits beyond 9 at i that a base from 11 to 16 follows, such as A5_{11}, and 0 where there are
// none.
func basedDigits(s string, i int) int {
	end, figures := i, 0
	for end < len(s) && (digitAt(s, end) || s[end] >= 'A' && s[end] <= 'F') {
		if digitAt(s, end) {
			figures++
		}
		end++
	}
	if end-i < 2 || figures == end-i {
		return 0
	}
	base := strings.TrimLeft(s[end:], "_{")
	if base == s[end:] || len(base) < 2 || base[0] != '1' || base[1] < '1' || base[1] > '6' || digitAt(base, 2) || figures == 0 && base[1] != '6' {
		return 0
	}
	return end
}

// conjunction splits and or or from one letter that it ran into.
func conjunction(word string) (rest string, ok bool) {
	for _, c := range [...]string{"and", "or"} {
		if rest, found := strings.CutPrefix(word, c); found && len(rest) == 1 {
			return rest, true
		}
	}
	return "", false
}

// opens says whether an argument follows.
func opens(s string) bool {
	s = strings.TrimLeft(s, " ")
	return s != "" && strings.IndexByte("({[\\_", s[0]) >= 0
}

// closes says whether nothing of the expression follows at i.
func (p *parser) closes(i int) bool {
	rest := strings.TrimLeft(p.src[i:], " $")
	return rest == "" || strings.IndexByte(",.;)}]", rest[0]) >= 0
}

// inMath says whether the character at i continues an expression, so that letters before it are factors.
func (p *parser) inMath(i int) bool {
	rest := strings.TrimLeft(p.src[i:], " ")
	return i < len(p.src) && strings.IndexByte("^_=+-*/()\\{}|<>", p.src[i]) >= 0 || rest != "" && strings.IndexByte("=<>", rest[0]) >= 0
}

// letter emits one letter: a variable, or e or i.
func (p *parser) letter(name string) {
	switch {
	case p.pos < len(p.src) && p.src[p.pos] == '_':
	case name == "e", name == "i":
		p.tok.kind, p.tok.text = tConstant, name
		return
	case name == "I" && p.pos < len(p.src) && p.src[p.pos] == '(': // a function
	case name == "I":
		p.tok.kind, p.tok.text = tConstant, "i"
		return
	}
	p.tok.kind, p.tok.text = tSymbol, name
}

// lexCommand reads a backslash and what follows it.
func (p *parser) lexCommand() {
	start := p.pos
	s := p.src
	if start+1 < len(s) && s[start+1] == '\\' {
		// A doubled backslash before a known command is an escaped one, unless rows are being read.
		if p.matrices == 0 && letterAt(s, start+2) && !(s[start+2] == 'n' && !letterAt(s, start+3)) {
			p.pos++
			p.lexCommand()
			return
		}
		if p.matrices == 0 && start+2 < len(s) && strings.IndexByte("{}%,!;: ", s[start+2]) >= 0 {
			p.pos++
			if skippable(s[p.pos:]) > 0 && s[p.pos+1] != '{' {
				p.rescan(false)
				return
			}
			p.lexCommand()
			return
		}
		p.emit(tNewline, 0, 2+rowGap(s[start+2:]))
		return
	}
	end := start + 1
	for letterAt(s, end) {
		end++
	}
	if end == start+1 {
		p.lexEscape()
		return
	}
	p.pos = end
	p.command(s[start+1 : end])
}

// rowGap is the length of the distance that may follow the end of a row, as in \\\\[2pt].
func rowGap(s string) int {
	end := strings.IndexByte(s[:min(len(s), 12)], ']')
	if end < 0 || s[0] != '[' {
		return 0
	}
	unit := strings.TrimLeft(s[1:end], "0123456789.- ")
	if unit == s[1:end] || unit != "pt" && unit != "em" && unit != "ex" && unit != "mm" && unit != "cm" && unit != "in" {
		return 0
	}
	return end + 1
}

// lexEscape reads a backslash before a character that is no letter.
func (p *parser) lexEscape() {
	if p.pos+1 >= len(p.src) {
		p.emit(tEnd, 0, 1)
		return
	}
	switch c := p.src[p.pos+1]; c {
	case '{':
		p.emit(tSetOpen, 0, 2)
	case '}':
		p.emit(tSetShut, 0, 2)
	case '%':
		p.emit(tPercent, 0, 2)
	case '|':
		p.emit(tBar, 0, 2)
	case ';':
		p.pos += 2
		p.rescan(true)
	case '_', '&', '#', '-', '*', '\'', '"', '=', '+', '.', '^', '`':
		p.pos++
		p.rescan(false)
	default:
		p.pos++
		p.rescan(false)
	}
}

// command emits the token of a command; p.pos is after its name.
func (p *parser) command(name string) {
	if other, ok := synonyms[name]; ok {
		name = other
	}
	if o, ok := operators[name]; ok {
		p.tok.kind, p.tok.op, p.tok.text = o.kind, o.op, name
		return
	}
	if name == "deg" && p.valued && p.closes(p.pos) { // 54 \deg
		p.tok.kind = tDegree
		return
	}
	if f, ok := functionNames[name]; ok && name != "sqrt" && name != "inf" {
		p.tok.kind, p.tok.text = tFunction, f
		return
	}
	if c, ok := constantNames[name]; ok {
		p.tok.kind, p.tok.text = tConstant, c
		return
	}
	switch {
	case name == "phantom" || name == "hphantom" || name == "vphantom":
		p.skipArgument()
		p.rescan(true)
	case texts[name]:
		p.lexText()
	case alphabets[name]:
		p.rescan(false) // the argument is read as it stands
	case structural[name]:
		p.tok.kind, p.tok.text = tCommand, name
	default:
		p.unknownCommand(name)
	}
}

// skipArgument passes over a command's argument: a group or one character.
func (p *parser) skipArgument() {
	if _, end, ok := p.group(p.pos); ok {
		p.pos = end
		return
	}
	for p.pos < len(p.src) && p.src[p.pos] == ' ' {
		p.pos++
	}
	if p.pos < len(p.src) && p.src[p.pos] != '{' {
		p.pos++
	}
}

// unknownCommand is a Greek letter or another name; a known one that ran into a letter (\quadx) is taken apart.
func (p *parser) unknownCommand(name string) {
	for _, known := range [...]string{"qquad", "quad", "cdot", "times", "pi"} {
		if strings.HasPrefix(name, known) && len(name) == len(known)+1 && name != "pitchfork" {
			p.pos--
			p.command(known)
			return
		}
	}
	if n := len(name) - 1; n > 2 && functionNames[name[:n]] != "" { // \cotx
		p.pos--
		p.command(name[:n])
		return
	}
	if p.tok.kind, p.tok.text = tSymbol, name; name == "i" {
		p.tok.kind = tConstant
	}
}
