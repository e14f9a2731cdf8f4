package verify

import (
	"strings"
	"unicode/utf8"

	"github.com/retort-ml/retort/verify/internal/rat"
)

func superscriptAt(s string) (string, int) {
	r, width := utf8.DecodeRuneInString(s)
	if text, ok := superscripts[r]; ok {
		return text, width
	}
	return "", 0
}

func trimMarks(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '$' {
			return -1
		}
		return r
	}, s)
}

// jump moves the scanner to a place further on.
func (p *parser) jump(to int) {
	p.pos = to
	p.tok.kind = tUnbrace
	p.advance()
}

// primary reads one operand.
func (p *parser) primary() *node {
	switch p.tok.kind {
	case tNumber:
		return p.numeral()
	case tSymbol:
		return p.symbol()
	case tConstant:
		n := p.named(kConstant, p.tok.text)
		p.advance()
		return n
	case tFunction:
		return p.function()
	case tOpen:
		if p.tok.op == '.' {
			return p.barred()
		}
		return p.bracketed()
	case tBrace:
		return p.braceGroup()
	case tSetOpen:
		return p.setBraces()
	case tBar:
		return p.absolute()
	case tCommand:
		return p.structure()
	case tText, tWord, tUnit:
		return p.words()
	case tEllipsis:
		p.advance()
		p.dots = true
		return p.named(kSymbol, "...")
	case tShut:
		if p.tok.op == ']' {
			return p.reversedInterval()
		}
	case tSub, tPower:
		return p.choices()
	}
	return p.fail(failSyntax)
}

// numeral reads a number: plain, mixed with a fraction, or in a base.
func (p *parser) numeral() *node {
	n := p.numberNode()
	digits, whole := p.number.whole, p.number.fraction == "" && p.number.period == "" && !p.number.scientific
	p.advance()
	if p.tok.kind == tSub && whole {
		return p.inBase(digits)
	}
	if !whole || p.plain {
		return n
	}
	switch {
	case p.tok.kind == tCommand && p.tok.op == 'f':
		return p.make(kAdd, n, p.structure())
	case p.tok.kind == tCommand && p.tok.text == "frac":
		f := p.structure()
		if proper(f) {
			return p.make(kAdd, n, f)
		}
		return p.make(kMul, n, f)
	case p.tok.kind == tNumber && p.tok.space && p.pos < len(p.src) && p.src[p.pos] == '/' && digitAt(p.src, p.pos+1):
		over := p.numberNode()
		p.advance()
		p.advance()
		if p.tok.kind != tNumber {
			return p.fail(failSyntax)
		}
		f := p.make(kDiv, over, p.numberNode())
		p.advance()
		if proper(f) {
			return p.make(kAdd, n, f)
		}
		return p.fail(failSyntax)
	}
	return n
}

// proper says whether f is a fraction of two literals below 1, the second part of a mixed number.
func proper(f *node) bool {
	if f.kind != kDiv || f.args[0].kind != kNumber || f.args[1].kind != kNumber {
		return false
	}
	a, b := f.args[0].value, f.args[1].value
	return a.IsInt() && b.IsInt() && a.Sign() >= 0 && a.Cmp(b) < 0
}

// inBase reads the subscript of digits: 204_5.
func (p *parser) inBase(digits string) *node {
	p.advance()
	raw := strings.TrimSuffix(cleanName(p.rawArgument()), ".")
	raw = strings.TrimPrefix(raw, "base")
	if strings.IndexByte(raw, '(') >= 0 { // 204_{(5)}
		raw = strings.Trim(strings.TrimPrefix(strings.ReplaceAll(raw, "right", ""), "left"), "()")
	}
	if n, ok := spelledUnits[raw]; ok {
		raw = rat.Int(n).String()
	}
	base := int32(0)
	for i := range len(raw) {
		if raw[i] < '0' || raw[i] > '9' || base > 99 {
			base = 0
			break
		}
		base = base*10 + int32(raw[i]-'0')
	}
	if base < 2 || base > 62 {
		return p.named(kSymbol, digits+"_"+raw)
	}
	n := p.named(kBased, strings.ToUpper(digits))
	n.n = base
	return n
}

// rawArgument takes the next argument as text: a group, one character or one command. The scanner stands on its first token.
func (p *parser) rawArgument() string {
	if p.tok.kind == tBrace {
		content, end, ok := p.group(p.tok.start)
		if !ok {
			p.fail(failSyntax)
			return ""
		}
		p.jump(end)
		return content
	}
	start := p.tok.start
	text := p.src[start:p.pos]
	if p.tok.kind == tNumber || p.tok.kind == tWord {
		// Plain notation: all of the digits or letters.
		p.advance()
		return text
	}
	p.advance()
	return text
}

// cleanName takes the braces, spaces and font commands out of a subscript.
func cleanName(raw string) string {
	if len(raw) == 1 {
		return raw
	}
	for _, font := range [...]string{"\\mathrm", "\\text", "\\textrm", "\\rm", "\\mathbf", "\\operatorname"} {
		raw = strings.ReplaceAll(raw, font, "")
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '{', '}', ' ', '\\', '$', '~':
			return -1
		}
		return r
	}, raw)
}

// subscript makes an index part of a name.
func (p *parser) subscript(base *node) *node {
	if base.kind == kText {
		name := base.name
		p.advance()
		raw := cleanName(p.rawArgument())
		n := p.named(kBased, strings.ToUpper(name))
		for i := range len(raw) {
			if raw[i] < '0' || raw[i] > '9' || n.n > 99 {
				return p.fail(failSyntax)
			}
			n.n = n.n*10 + int32(raw[i]-'0')
		}
		return n
	}
	if base.kind == kNumber && base.value.IsInt() && base.places == 0 { // (204)_5
		return p.inBase(base.value.String())
	}
	p.advance()
	index := cleanName(p.rawArgument())
	switch base.kind {
	case kSymbol:
		return p.named(kSymbol, base.name+"_"+index)
	case kMul: // AB_1 is A·B_1
		last := base.args[len(base.args)-1]
		if last.kind == kSymbol {
			base.args[len(base.args)-1] = p.named(kSymbol, last.name+"_"+index)
			return base
		}
	}
	return p.named(kCall, "index_"+index, base)
}

// symbol reads a variable, or a function of one that is written f(x).
func (p *parser) symbol() *node {
	name := p.tok.text
	p.advance()
	if n := p.combinations(name); n != nil {
		return n
	}
	for p.tok.kind == tSub && p.failed == failNone {
		if len(name) > maxWords {
			return p.fail(failLimit)
		}
		p.advance()
		name += "_" + cleanName(p.rawArgument())
	}
	if p.tok.kind == tPower && isFunctionName(name) {
		rest := p.src[p.tok.start:]
		if after, ok := cutSpaced(rest, "^{-1}"); ok && strings.HasPrefix(strings.TrimPrefix(strings.TrimLeft(after, " "), "\\left"), "(") {
			p.jump(len(p.src) - len(after))
			name += "^{-1}"
		}
	}
	for p.failed == failNone {
		if p.tok.kind == tPrime {
			p.advance()
		} else if p.tok.kind == tPower && p.primeExponent() {
			continue
		} else {
			break
		}
		if name += "'"; len(name) > maxWords {
			return p.fail(failLimit)
		}
	}
	n := p.named(kSymbol, name)
	if p.tok.kind == tBrace && isFunctionName(name) && strings.HasPrefix(strings.TrimPrefix(strings.TrimLeft(p.src[p.pos:], " "), "\\left"), "(") { // f{\left(x \right)}
		call := p.named(kCall, name, p.braceGroup())
		call.n = 1
		return call
	}
	if p.tok.kind != tOpen || p.tok.op != '(' || p.tok.space && !isFunctionName(name) {
		return n
	}
	if !isFunctionName(name) && !shortArguments(p.src[p.pos:]) {
		return n
	}
	inner := p.bracketed()
	args := []*node{inner}
	if inner.kind == kTuple {
		args = inner.args
	} else if !isFunctionName(name) && inner.kind != kSymbol && inner.kind != kNumber && inner.kind != kConstant {
		return p.multiply(n, inner)
	}
	call := p.named(kCall, name, args...)
	call.n = 1
	return call
}

// primeExponent passes over ^\prime and ^{\prime}, and reports it by leaving the scanner on a prime.
func (p *parser) primeExponent() bool {
	rest := strings.TrimLeft(p.src[p.pos:], " {")
	if !strings.HasPrefix(rest, "\\prime") {
		return false
	}
	at := len(p.src) - len(rest) + len("\\prime")
	for at < len(p.src) && (p.src[at] == ' ' || p.src[at] == '}') {
		brace := p.src[at] == '}'
		at++
		if brace {
			break
		}
	}
	p.tok.kind = tPrime
	p.pos = at
	return true
}

// isFunctionName says whether a letter before a bracket is a function by custom.
func isFunctionName(name string) bool {
	if name == "" {
		return false
	}
	switch name[0] {
	case 'f', 'g', 'h', 'F', 'G', 'H':
		return len(name) == 1 || name[1] == '_' || name[1] == '\'' || name[1] == '^'
	}
	return strings.HasSuffix(name, "'")
}

// shortArguments says whether the text up to the closing bracket is a few single letters and integers, as in P(x) or T(n, 2).
func shortArguments(s string) bool {
	for i := 0; i < len(s) && i < 16; i++ {
		switch c := s[i]; {
		case c == ')' || strings.HasPrefix(s[i:], "\\right)"):
			return i > 0
		case letterAt(s, i):
			if letterAt(s, i+1) {
				return false
			}
		case c != ' ' && c != ',' && !digitAt(s, i):
			return false
		}
	}
	return false
}

// words reads text. Before a value it is a remark; alone it is a text.
func (p *parser) words() *node {
	text, plainWord := "", p.tok.kind == tWord
	for p.failed == failNone && (p.tok.kind == tText || p.tok.kind == tWord || p.tok.kind == tUnit || p.tok.kind == tAnd && p.tok.op != 'q' && text != "") {
		if len(text) < maxWords {
			if text != "" {
				text += " "
			}
			text += p.tok.text
		}
		p.advance()
		if p.tok.kind == tAnd && p.tok.op != 'q' {
			return p.named(kText, text)
		}
	}
	if shape, ok := constructors[text]; ok && plainWord && p.tok.kind == tOpen && p.tok.op == '(' {
		return p.constructed(shape, p.bracketed())
	}
	if plainWord && p.tok.kind == tOpen && p.tok.op == '(' && !p.tok.space && !strings.Contains(text, " ") { // print(5) is not 5
		call := p.named(kCall, text, p.bracketed())
		call.n = 1
		return call
	}
	if p.tok.kind == tSub && !strings.Contains(text, " ") {
		return p.named(kText, text)
	}
	if p.startsFactor() && !contrary(text) || p.tok.kind == tMinus {
		return p.unary()
	}
	return p.named(kText, text)
}

// maxWords is how many bytes of words or of a name are kept; what exceeds it changes no verdict but costs time.
const maxWords = 1024

// contrary says whether a remark changes what follows it.
func contrary(text string) bool {
	for _, word := range strings.Fields(strings.ToLower(text)) {
		switch strings.Trim(word, ".,:") {
		case "not", "no", "less", "more", "least", "most", "than", "except", "over", "under", "above", "below", "approximately", "minus", "wrong":
			return true
		}
	}
	return false
}
