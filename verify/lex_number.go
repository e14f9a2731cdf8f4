package verify

import (
	"math/big"
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// maxDigits is how many digits a literal may have to be read as an exact number; longer ones are compared by their digits
// and their size.
const maxDigits = 12000

// lexNumber reads a number literal: digits with thousands marks, a point, a recurring part, an exponent. The token's text is
// the digits without marks; p.literal is its value.
func (p *parser) lexNumber() {
	start := p.pos
	p.integerDigits()
	whole, marked := p.src[start:p.pos], p.marked
	p.number = literal{}
	if p.pos < len(p.src) && p.src[p.pos] == '.' && !strings.HasPrefix(p.src[p.pos:], "...") {
		p.pos++
		from := p.pos
		for digitAt(p.src, p.pos) {
			p.pos++
		}
		p.number.fraction = p.src[from:p.pos]
		p.recurring()
	} else if strings.HasPrefix(p.src[p.pos:], "{,}") && digitAt(p.src, p.pos+3) { // a decimal comma: no group of three follows
		p.pos += len("{,}")
		from := p.pos
		for digitAt(p.src, p.pos) {
			p.pos++
		}
		p.number.fraction = p.src[from:p.pos]
	}
	if marked {
		whole = strings.Map(onlyDigits, whole)
	}
	p.number.whole = whole
	p.exponent()
	p.tok.kind = tNumber
	p.tok.text = p.src[start:p.pos]
	p.ordinal()
}

// ordinal passes over the ending of 1st, 2nd, 3rd and 4th.
func (p *parser) ordinal() {
	if end := p.pos + 2; letterAt(p.src, p.pos) && letterAt(p.src, p.pos+1) && !letterAt(p.src, end) && p.number.fraction == "" {
		switch p.src[p.pos:end] {
		case "st", "nd", "rd", "th":
			p.pos = end
		}
	}
}

// literal is the parts of a number as written.
type literal struct {
	whole, fraction, period string
	exponent                int64
	scientific              bool
}

func onlyDigits(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

// integerDigits reads digits and the marks between thousands: 1,234 and 1{,}234 and 1,\!234 and 1\,234 and 1 234. Inside
// brackets a comma is a mark only where a group begins with 0, for (1,234) is a pair.
func (p *parser) integerDigits() {
	p.marked = false
	start := p.pos
	for digitAt(p.src, p.pos) {
		p.pos++
	}
	first := p.pos - start
	if first == 0 || first > 3 || (p.src[start] == '0' && first > 0) {
		p.mergeThin()
		return
	}
	mark, _ := p.markAt(p.pos)
	if mark == 0 {
		return
	}
	end, groups, zero := p.pos, 0, false
	for {
		m, w := p.markAt(end)
		if m != mark || !groupAt(p.src, end+w) {
			break
		}
		zero = zero || p.src[end+w] == '0'
		end += w + 3
		groups++
	}
	switch {
	case mark == 't':
		p.mergeThin() // \! joins groups of any length
	case groups == 0 && (mark == ',' || mark == 'b'):
		p.indian(start, mark)
	case groups == 0:
	case mark == ',' && p.brackets > 0 && !zero:
	case mark == ' ' && !p.lone(start, end):
	default:
		p.pos, p.marked = end, true
	}
}

// indian reads on over groups of two digits and a last one of three: 12{,}34{,}567, and with plain commas where a group begins
// with 0, as no item of a list does: 1,50,000.
func (p *parser) indian(start int, mark byte) {
	end, zero, pairs := p.pos, false, 0
	if end-start > 2 {
		return
	}
	for {
		m, width := p.markAt(end)
		at := end + width
		if m != mark || !digitAt(p.src, at) || !digitAt(p.src, at+1) {
			return
		}
		zero = zero || p.src[at] == '0'
		if groupAt(p.src, at) {
			if pairs > 0 && (zero || mark == 'b') && (p.brackets == 0 || mark == 'b') {
				if m, _ := p.markAt(at + 3); m != mark || !digitAt(p.src, at+4) {
					p.pos, p.marked = at+3, true
				}
			}
			return
		}
		if digitAt(p.src, at+2) {
			return
		}
		end = at + 2
		pairs++
	}
}

// markAt recognises a thousands mark: ',' plain, 'b' {,} , 't' a comma with \!, 's' \, and ' ' a space.
func (p *parser) markAt(i int) (mark byte, width int) {
	s := p.src[min(i, len(p.src)):]
	switch {
	case s == "":
		return 0, 0
	case strings.HasPrefix(s, ",\\!"):
		return 't', 3
	case strings.HasPrefix(s, "\\!,"):
		return 't', 3
	case s[0] == ',':
		return ',', 1
	case strings.HasPrefix(s, "{,}"):
		return 'b', 3
	case strings.HasPrefix(s, "\\,"):
		return 's', 2
	case s[0] == ' ':
		return ' ', 1
	}
	return 0, 0
}

// groupAt says whether exactly three digits stand at i.
func groupAt(s string, i int) bool {
	return digitAt(s, i) && digitAt(s, i+1) && digitAt(s, i+2) && !digitAt(s, i+3)
}

// lone says whether the number from start to end is all there is, but for a sign, so that spaces in it are marks.
func (p *parser) lone(start, end int) bool {
	rest := strings.TrimSpace(p.src[end:])
	return strings.Trim(p.src[:start], "-+ $") == "" && (rest == "" || !digitAt(rest, 0))
}

// mergeThin joins digit groups that a comma with a negative space separates, of any length (Indian grouping).
func (p *parser) mergeThin() {
	for {
		mark, width := p.markAt(p.pos)
		if mark != 't' {
			return
		}
		at := p.pos + width
		for at < len(p.src) && p.src[at] == ' ' {
			at++
		}
		if !digitAt(p.src, at) {
			return
		}
		for p.pos = at; digitAt(p.src, p.pos); p.pos++ {
		}
		p.marked = true
	}
}

// recurring reads the recurring part of a decimal: \overline{3}, \dot{3}, (3) after digits at once, or 333... .
func (p *parser) recurring() {
	s := p.src[p.pos:]
	for _, mark := range [...]string{"\\overline", "\\bar", "\\dot"} {
		if rest, ok := strings.CutPrefix(s, mark); ok && !letterAt(rest, 0) {
			if period, width := digitsIn(rest); width > 0 {
				p.number.period = period
				p.pos += len(mark) + width
				p.closeDots()
			}
			return
		}
	}
	for _, dots := range [...]string{"...", "\\ldots", "\\dots", "…", "\\cdots"} {
		if strings.HasPrefix(s, dots) {
			if period := repeats(p.number.fraction); period != "" {
				p.number.period = period
				p.pos += len(dots)
			}
			return
		}
	}
	if strings.HasPrefix(s, "(") {
		end := strings.IndexByte(s, ')')
		if end > 1 && end < 64 && strings.Map(onlyDigits, s[1:end]) == s[1:end] {
			p.number.period = s[1:end]
			p.pos += end + 1
		}
	}
}

// closeDots continues \dot{1}42857 ... \dot{7}: digits up to a second dot belong to the period.
func (p *parser) closeDots() {
	at := p.pos
	for digitAt(p.src, at) {
		at++
	}
	rest, ok := strings.CutPrefix(p.src[at:], "\\dot")
	last, width := digitsIn(rest)
	if !ok || width == 0 || len(last) != 1 {
		return
	}
	p.number.period += p.src[p.pos:at] + last
	p.pos = at + len("\\dot") + width
}

// digitsIn reads the argument of a mark over digits: {3}, or one digit without braces, and how many bytes it takes.
func digitsIn(s string) (digits string, width int) {
	s, spaces := strings.TrimLeft(s, " "), len(s)-len(strings.TrimLeft(s, " "))
	if digitAt(s, 0) {
		return s[:1], spaces + 1
	}
	end := strings.IndexByte(s[:min(len(s), 64)], '}')
	if end < 2 || s[0] != '{' || strings.Map(onlyDigits, s[1:end]) != s[1:end] {
		return "", 0
	}
	return s[1:end], spaces + end + 1
}

// repeats returns the shortest block of which digits ends in at least three copies (two for blocks of two or more digits).
func repeats(digits string) string {
	for width := 1; width <= len(digits)/2 && width <= 12; width++ {
		block := digits[len(digits)-width:]
		need := 2
		if width == 1 {
			need = 3
		}
		if strings.HasSuffix(digits, strings.Repeat(block, need)) {
			return block
		}
	}
	return ""
}

// exponent reads e-8 or E34 at once after the digits.
func (p *parser) exponent() {
	if p.pos >= len(p.src) || p.src[p.pos] != 'e' && p.src[p.pos] != 'E' {
		return
	}
	at, sign := p.pos+1, int64(1)
	if at < len(p.src) && (p.src[at] == '-' || p.src[at] == '+') {
		if p.src[at] == '-' {
			sign = -1
		}
		at++
	}
	if !digitAt(p.src, at) {
		return
	}
	value := int64(0)
	for ; digitAt(p.src, at); at++ {
		value = min(value*10+int64(p.src[at]-'0'), 1<<40)
	}
	p.number.exponent, p.number.scientific = sign*value, true
	p.pos = at
}

// numberNode makes the node of the literal just read.
func (p *parser) numberNode() *node {
	l := p.number
	digits := len(l.whole) + len(l.fraction) + len(l.period)
	n := p.make(kNumber)
	n.places = int16(min(len(l.fraction)+len(l.period), 30000))
	if l.scientific && l.exponent < 0 {
		n.places = int16(min(int64(n.places)-l.exponent, 30000))
	}
	n.n = int32(len(strings.TrimLeft(l.whole+l.fraction, "0")))
	if l.period != "" {
		n.places, n.n = 0, 0
	}
	if digits > maxDigits || l.exponent > maxDigits || l.exponent < -maxDigits {
		return p.hugeNode(n, l)
	}
	n.value = exactLiteral(l)
	return n
}

// hugeNode is a literal beyond the limit: its digits and a power of ten, not multiplied out.
func (p *parser) hugeNode(n *node, l literal) *node {
	digits := strings.TrimLeft(l.whole+l.fraction+l.period, "0")
	scale := l.exponent - int64(len(l.fraction)+len(l.period))
	trimmed := strings.TrimRight(digits, "0")
	scale += int64(len(digits) - len(trimmed))
	if trimmed == "" {
		n.value = rat.Int(0)
		return n
	}
	n.kind, n.places = kHuge, 0
	n.name = trimmed + "e" + rat.Int(scale).String()
	// The leading digits enclose the value between value·10^n and (value+1)·10^n.
	lead := trimmed[:min(len(trimmed), 17)]
	var v int64
	for i := range len(lead) {
		v = v*10 + int64(lead[i]-'0')
	}
	n.value = rat.Int(v)
	n.args = []*node{p.integer(scale + int64(len(trimmed)-len(lead)))}
	return n
}

// exactLiteral is the value of a literal within the limit.
func exactLiteral(l literal) rat.Rat {
	value := decimal(l.whole, l.fraction)
	if l.period != "" {
		// 0.a(b) = 0.a + 0.b / (1 - 10^-len(b)), shifted by the digits of a.
		part := parseInt(l.period).Mul(power10(len(l.period)).Sub(rat.Int(1)).Inv())
		value = value.Add(part.Mul(power10(len(l.fraction)).Inv()))
	}
	switch {
	case l.exponent > 0:
		value = value.Mul(power10(int(l.exponent)))
	case l.exponent < 0:
		value = value.Mul(power10(int(-l.exponent)).Inv())
	}
	return value
}

func decimal(whole, fraction string) rat.Rat {
	fraction = strings.TrimRight(fraction, "0")
	if fraction == "" {
		return parseInt(whole)
	}
	if len(whole)+len(fraction) <= 17 {
		n := int64(0)
		for i := range len(whole) {
			n = n*10 + int64(whole[i]-'0')
		}
		d := int64(1)
		for i := range len(fraction) {
			n = n*10 + int64(fraction[i]-'0')
			d *= 10
		}
		return rat.Of(n, d)
	}
	return parseInt(whole + fraction).Mul(power10(len(fraction)).Inv())
}

func parseInt(digits string) rat.Rat {
	if len(digits) <= 18 {
		n := int64(0)
		for i := range len(digits) {
			n = n*10 + int64(digits[i]-'0')
		}
		return rat.Int(n)
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return rat.Int(0)
	}
	return rat.BigInt(n)
}

func power10(k int) rat.Rat {
	if k <= 18 {
		n := int64(1)
		for range k {
			n *= 10
		}
		return rat.Int(n)
	}
	return rat.BigInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(k)), nil))
}
