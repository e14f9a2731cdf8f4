package verify

import (
	"strings"
	"unicode/utf8"
)

// tokenKind is what a token is. Operators and brackets are tokens of their own.
type tokenKind uint8

const (
	tEnd tokenKind = iota
	tNumber
	tSymbol   // text: a variable's name
	tWord     // text: a plain word of several letters that no table knows
	tText     // text: the content of \text{...} and its like
	tFunction // text: the function's name
	tConstant // text: the constant's name
	tUnit     // text: a known unit's name
	tCommand  // text: a command that the parser knows by name: frac, sqrt, binom, sum, begin, ...
	tPlus
	tMinus
	tTimes
	tDivide
	tPower
	tSub
	tFactorial
	tPrime
	tOpen    // op: ( [ or <
	tShut    // op: ) ] or >
	tBrace   // { of a LaTeX group
	tUnbrace // }
	tSetOpen // \{
	tSetShut // \}
	tComma
	tSemicolon
	tColon
	tBar
	tPercent
	tDegree
	tPlusMinus // op: 0 for ±, 1 for ∓
	tRelation  // op: one of the relations
	tUnion
	tIntersection
	tSetMinus
	tMod
	tAnd // and, or, a quad between items
	tEllipsis
	tAmpersand
	tNewline
)

// token is one token and where it begins.
type token struct {
	kind  tokenKind
	op    byte
	space bool // white space before it
	start int
	text  string
}

// next reads the token at p.pos into p.tok. It never goes back, and each scan moves on, so that reading is linear.
func (p *parser) next() {
	p.tok.space = false
	for p.again = true; p.again; {
		p.again = false
		p.scan(p.tok.space)
	}
}

// rescan says that what was scanned is no token and the next one is wanted; space, that it parts like white space.
func (p *parser) rescan(space bool) { p.again, p.tok.space = true, space }

// scan reads one token or what is none; space says that white space was before it.
func (p *parser) scan(space bool) {
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~' || c == '$' {
			p.pos++
			space = true
			continue
		}
		if c == '}' && len(p.skips) > 0 && p.skips[len(p.skips)-1] == p.pos {
			p.skips = p.skips[:len(p.skips)-1]
			p.pos++
			continue
		}
		if c == '*' && strings.HasPrefix(p.src[p.pos:], "**") { // Markdown's bold at the end, or a power between
			if p.boldAt(p.pos) {
				p.pos += 2
				continue
			}
		}
		if c != '\\' {
			break
		}
		if rest := p.src[p.pos:]; len(rest) > 6 && rest[5] == '.' && strings.HasPrefix(rest, "\\left.") && p.barAhead() {
			p.tok = token{kind: tOpen, op: '.', start: p.pos, space: space}
			p.pos += len("\\left.")
			return
		}
		n := skippable(p.src[p.pos:])
		if n == 0 {
			break
		}
		space = space || !strings.HasPrefix(p.src[p.pos:], "\\left") // f\left(x\right) is f(x)
		p.pos += n
	}
	p.tok = token{kind: tEnd, start: p.pos, space: space}
	if p.pos >= len(p.src) {
		return
	}
	c := p.src[p.pos]
	switch {
	case c >= '0' && c <= '9' && basedDigits(p.src, p.pos) > 0:
		p.tok.kind, p.tok.text = tText, p.src[p.pos:basedDigits(p.src, p.pos)]
		p.pos += len(p.tok.text)
	case c >= '0' && c <= '9', c == '.' && digitAt(p.src, p.pos+1):
		p.lexNumber()
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		p.lexLetters()
	case c == '\\':
		p.lexCommand()
	case c < utf8.RuneSelf:
		p.lexPunctuation(c)
	default:
		p.lexRune()
	}
}

// barAhead says whether the \\left. at the scanner is closed by a bar, within a window.
func (p *parser) barAhead() bool {
	rest := p.src[p.pos:min(len(p.src), p.pos+400)]
	depth := 0
	for i := 0; i < len(rest); i++ {
		switch {
		case strings.HasPrefix(rest[i:], "\\left") && !letterAt(rest, i+5):
			depth++
		case strings.HasPrefix(rest[i:], "\\right") && !letterAt(rest, i+6):
			if depth--; depth == 0 {
				rest = strings.TrimLeft(rest[i+6:], " ")
				return strings.HasPrefix(rest, "|") || strings.HasPrefix(rest, "\\vert") || strings.HasPrefix(rest, "\\rvert")
			}
		}
	}
	return false
}

// boldAt says whether ** at i is Markdown and not a power: nothing of an expression on one of its sides.
func (p *parser) boldAt(i int) bool {
	rest := strings.TrimLeft(p.src[i+2:], " ")
	before := strings.TrimRight(p.src[:i], " ")
	return rest == "" || before == "" || strings.IndexByte(".,;:", rest[0]) >= 0
}

func (p *parser) emit(kind tokenKind, op byte, width int) {
	p.tok.kind, p.tok.op = kind, op
	p.pos += width
}

var punctuation = [128]struct {
	kind tokenKind
	op   byte
}{
	'+': {tPlus, 0}, '-': {tMinus, 0}, '*': {tTimes, 0}, '/': {tDivide, 0}, '^': {tPower, 0}, '_': {tSub, 0},
	'!': {tFactorial, 0}, '\'': {tPrime, 0}, '(': {tOpen, '('}, '[': {tOpen, '['}, ')': {tShut, ')'}, ']': {tShut, ']'},
	'{': {tBrace, 0}, '}': {tUnbrace, 0}, ',': {tComma, 0}, ';': {tSemicolon, 0}, ':': {tColon, 0}, '|': {tBar, 0},
	'%': {tPercent, 0}, '=': {tRelation, relEqual}, '<': {tRelation, relLess}, '>': {tRelation, relMore},
	'&': {tAmpersand, 0}, '"': {tText, 0}, '.': {tText, 0}, '?': {tText, 0}, '#': {tText, 0}, '@': {tText, 0}, '`': {tText, 0},
}

func (p *parser) lexPunctuation(c byte) {
	rest := p.src[p.pos:]
	two := ""
	if len(rest) > 1 {
		two = rest[:2]
	}
	switch {
	case two == "**":
		p.emit(tPower, 0, 2)
	case two == "<=" || two == "=<":
		p.emit(tRelation, relAtMost, 2)
	case two == ">=":
		p.emit(tRelation, relAtLeast, 2)
	case two == "!=" || two == "<>":
		p.emit(tRelation, relNot, 2)
	case two == "==":
		p.emit(tRelation, relEqual, 2)
	case two == "=>" || two == "->":
		p.emit(tRelation, relImplies, 2)
	case strings.HasPrefix(rest, "+/-"):
		p.emit(tPlusMinus, 0, 3)
	case two == "+-":
		p.emit(tPlusMinus, 0, 2)
	case strings.HasPrefix(rest, "{-}"):
		p.emit(tMinus, 0, 3)
	case strings.HasPrefix(rest, "{+}"):
		p.emit(tPlus, 0, 3)
	case strings.HasPrefix(rest, "{:}"):
		p.emit(tColon, 0, 3)
	case strings.HasPrefix(rest, "{=}"):
		p.emit(tRelation, relEqual, 3)
	case strings.HasPrefix(rest, "..."):
		p.emit(tEllipsis, 0, 3)
	case c == '.':
		p.pos++ // a full stop says nothing
		p.rescan(p.tok.space)
	case punctuation[c].kind != tEnd:
		if punctuation[c].kind == tText {
			p.tok.text = rest[:1]
		}
		p.emit(punctuation[c].kind, punctuation[c].op, 1)
	default:
		p.tok.text = rest[:1]
		p.emit(tText, 0, 1)
	}
}

// runes maps a character outside ASCII to the command that it stands for.
var runes = map[rune]string{
	'×': "times", '·': "cdot", '⋅': "cdot", '∙': "cdot", '∗': "ast", '÷': "div", '±': "pm", '∓': "mp",
	'≤': "le", '≥': "ge", '⩽': "le", '⩾': "ge", '≠': "ne", '≈': "approx", '∈': "in", '∪': "cup", '∩': "cap", '∖': "setminus",
	'∞': "infty", 'π': "pi", 'θ': "theta", 'α': "alpha", 'β': "beta", 'γ': "gamma", 'δ': "delta", 'ε': "epsilon", 'λ': "lambda",
	'μ': "mu", 'σ': "sigma", 'φ': "phi", 'ω': "omega", 'ρ': "rho", 'τ': "tau", 'Δ': "Delta", 'Ω': "Omega", '∅': "emptyset",
	'°': "degree", 'º': "degree", '√': "sqrt", '∛': "cbrt", '…': "ldots", '⌊': "lfloor", '⌋': "rfloor", '⌈': "lceil", '⌉': "rceil", '∑': "sum",
	'∏': "prod", '⟨': "langle", '⟩': "rangle", 'ℝ': "reals", 'ℤ': "integers", 'ℕ': "naturals", 'ℚ': "rationals",
	'∧': "wedge", '∨': "vee", '⇒': "implies", '→': "to", '∠': "angle", '≡': "equiv",
}

var plainRunes = map[rune]byte{
	'−': '-', '–': '-', '—': '-', '，': ',', '；': ';', '：': ':', '（': '(', '）': ')', '＝': '=', '＋': '+', '％': '%', '［': '[',
	'］': ']', '｜': '|', '＜': '<', '＞': '>', '、': ',', '′': '\'', '’': '\'', '｛': '{', '｝': '}', '／': '/', '⁄': '/', '∕': '/', '∣': '|',
}

var superscripts = map[rune]string{
	'⁰': "0", '¹': "1", '²': "2", '³': "3", '⁴': "4", '⁵': "5", '⁶': "6", '⁷': "7", '⁸': "8", '⁹': "9", 'ⁿ': "n", '⁻': "-",
}

var fractions = map[rune]string{
	'½': "1/2", '⅓': "1/3", '⅔': "2/3", '¼': "1/4", '¾': "3/4", '⅕': "1/5", '⅖': "2/5", '⅗': "3/5", '⅘': "4/5", '⅙': "1/6", '⅚': "5/6",
	'⅐': "1/7", '⅛': "1/8", '⅜': "3/8", '⅝': "5/8", '⅞': "7/8", '⅑': "1/9", '⅒': "1/10",
}

func (p *parser) lexRune() {
	r, width := utf8.DecodeRuneInString(p.src[p.pos:])
	if c, ok := plainRunes[r]; ok {
		p.emit(punctuation[c].kind, punctuation[c].op, width)
		return
	}
	if name, ok := runes[r]; ok {
		p.pos += width
		p.command(name)
		return
	}
	if _, ok := superscripts[r]; ok {
		p.tok.kind = tPower
		p.tok.op = 's' // the exponent follows as superscripts
		return
	}
	if f, ok := fractions[r]; ok {
		p.tok.text = f
		p.emit(tCommand, 'f', width)
		return
	}
	switch r {
	case '¥', '€', '£', '₹':
		p.currency = p.src[p.pos : p.pos+width]
		p.pos += width
		p.rescan(true)
		return
	case '\u00a0', '\u2009', '\u200b', '\u202f', '\u3000', '。', '✅', '✓', '\u2061', '\u2062':
		p.pos += width
		p.rescan(true)
		return
	}
	start := p.pos // any other script: a run of it is a word
	for p.pos < len(p.src) {
		r, width := utf8.DecodeRuneInString(p.src[p.pos:])
		if r < utf8.RuneSelf || runes[r] != "" || plainRunes[r] != 0 {
			break
		}
		p.pos += width
	}
	p.tok.kind, p.tok.text = tWord, p.src[start:p.pos]
}

func digitAt(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }

func letterAt(s string, i int) bool {
	return i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z')
}

// skippable is the length of a LaTeX command at the start of s that only moves or sizes, and 0 for any other.
func skippable(s string) int {
	if len(s) < 2 {
		return len(s) // a lone backslash at the end
	}
	switch s[1] {
	case ',', '!', ':', '>', ' ', '/', '$', '@', '(', ')', '[', ']', '\n':
		return 2
	}
	if !letterAt(s, 1) {
		return 0
	}
	end := 1
	for letterAt(s, end) {
		end++
	}
	if !invisible[s[1:end]] {
		return 0
	}
	return end
}

// invisible are the commands without a meaning of their own.
var invisible = map[string]bool{
	"left": true, "right": true, "big": true, "Big": true, "bigg": true, "Bigg": true, "bigl": true, "bigr": true,
	"Bigl": true, "Bigr": true, "biggl": true, "biggr": true, "Biggl": true, "Biggr": true, "displaystyle": true, "textstyle": true,
	"limits": true, "nolimits": true, "thinspace": true, "hfill": true, "hspace": true, "middle": true, "scriptstyle": true,
	"rm": true, "bf": true, "it": true, "allowbreak": true, "nobreak": true, "hline": true, "small": true, "large": true,
	"mathstrut": true, "strut": true, "boldmath": true, "enspace": true, "ensuremath": true, "centering": true,
}
