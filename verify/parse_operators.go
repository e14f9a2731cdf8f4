package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// sum reads terms joined by + and - and ±.
func (p *parser) sum() *node {
	left := p.product()
	if p.tok.kind != tPlus && p.tok.kind != tMinus && p.tok.kind != tPlusMinus {
		return left
	}
	args := []*node{left}
	for p.failed == failNone {
		switch op := p.tok; op.kind {
		case tPlus:
			p.advance()
			if p.ended() || p.separator() {
				p.fail(failSyntax)
			}
			args = append(args, p.product())
		case tMinus:
			p.advance()
			right := p.product()
			if len(args) == 1 && right.kind == kSet && isRealSet(left) { // ℝ - {0}
				left = p.make(kDifference, left, right)
				args[0] = left
				continue
			}
			args = append(args, p.negative(right))
		case tPlusMinus:
			p.advance()
			n := p.make(kPlusMinus, p.product())
			n.n = int32(op.op)
			args = append(args, n)
		default:
			if len(args) == 1 {
				return left
			}
			if p.dots {
				return p.dotted(args)
			}
			return p.make(kAdd, args...)
		}
	}
	return p.make(kAdd, args...)
}

// negative is -n, folded into a literal.
func (p *parser) negative(n *node) *node {
	if n.kind == kNumber {
		m := p.make(kNumber)
		m.value, m.places, m.n = n.value.Neg(), n.places, n.n
		return m
	}
	if n.kind == kQuantity && n.args[0].kind == kNumber {
		return p.named(kQuantity, n.name, p.negative(n.args[0]))
	}
	if n.kind == kBased && n.name[0] != '-' {
		m := p.named(kBased, "-"+n.name)
		m.n = n.n
		return m
	}
	return p.make(kMul, p.integer(-1), n)
}

// product reads factors: with an operator, or side by side.
func (p *parser) product() *node {
	left := p.unary()
	for p.failed == failNone {
		switch {
		case p.tok.kind == tTimes:
			p.advance()
			left = p.multiply(left, p.unary())
		case p.tok.kind == tDivide:
			p.advance()
			if left.kind == kQuantity && (p.tok.kind == tSymbol || p.tok.kind == tUnit || p.tok.kind == tWord || p.tok.kind == tText) {
				name := left.name + "/" + p.tok.text
				p.advance()
				left = p.named(kQuantity, name+p.unitPower(), left.args[0])
				continue
			}
			left = p.make(kDiv, left, p.unary())
		case p.tok.kind == tMod:
			p.advance()
			left = p.named(kCall, "mod", left, p.unary())
		case p.tok.kind == tCommand && p.tok.text == "pmod":
			p.advance()
			p.modulus = p.argument()
		case p.tok.kind == tOpen && modAt(p.src[p.pos:]):
			p.bracketedModulus()
		case p.to():
			return left // a ratio
		case p.tok.kind == tWord && spelledScales[p.tok.text] > 0 || p.tok.kind == tText && spelledScales[p.tok.text] > 0:
			scale := p.integer(spelledScales[p.tok.text])
			p.advance()
			left = p.make(kMul, left, scale)
		case p.tok.kind == tUnit || p.tok.kind == tText || p.tok.kind == tWord:
			left = p.quantity(left)
		case p.tok.kind == tSymbol && p.tok.text == "angle" && !hasVariables(left): // a phasor
			p.advance()
			left = p.phasor(left, p.unary())
		case p.tok.kind == tSymbol && micro(left) && !p.tok.space && symbols[p.tok.text].dimension != "": // 4.7 μF
			left = p.quantity(left)
		case p.startsFactor():
			if p.tok.kind == tNumber {
				if left.kind == kNumber && p.spaces {
					return left
				}
				if m := p.afterUnit(left); m != nil {
					left = m
					continue
				}
				if left.kind == kNumber && !p.shut || left.kind == kQuantity { // but (-1) 2 is a product
					return p.fail(failSyntax)
				}
			}
			left = p.multiply(left, p.power())
		default:
			return left
		}
	}
	return left
}

// phasor is r∠θ, r·(cos θ + i·sin θ), for an angle in degrees or in parts of π.
func (p *parser) phasor(r, angle *node) *node {
	if angle.kind != kDegree && !angle.holds(func(m *node) bool { return m.kind == kConstant && m.name == "pi" }) || hasVariables(angle) {
		return p.make(kMul, r, p.named(kSymbol, "angle"), angle)
	}
	return p.make(kMul, r, p.cis(angle))
}

// bracketedModulus reads (mod 7).
func (p *parser) bracketedModulus() {
	p.advance()
	if p.tok.kind != tMod {
		p.fail(failSyntax)
		return
	}
	p.advance()
	p.modulus = p.sum()
	if p.tok.kind != tShut {
		p.fail(failSyntax)
		return
	}
	p.advance()
}

// modAt says whether the content of a bracket begins with mod.
func modAt(s string) bool {
	s = strings.TrimLeft(s, " \\")
	if len(s) < 4 || s[0] != 'm' && s[0] != 'b' && s[0] != 't' {
		return false
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "text{"), "b")
	return strings.HasPrefix(s, "mod") && !letterAt(s, 3)
}

// multiply makes a product flat.
func (p *parser) multiply(a, b *node) *node {
	if a.kind == kSymbol && b.kind == kRelation { // P(X = 2)
		call := p.named(kCall, a.name, b)
		call.n = 1
		return call
	}
	if b.kind == kText { // 4{cm}
		return p.named(kQuantity, b.name, a)
	}
	if b.kind == kPow && b.args[0].kind == kText && b.args[1].kind == kNumber {
		return p.named(kQuantity, b.args[0].name+"^"+b.args[1].value.String(), a)
	}
	if a.kind == kMul && len(a.args) < 64 {
		a.args = append(a.args, b)
		return a
	}
	return p.make(kMul, a, b)
}

// startsFactor says whether the token begins a factor that is written side by side.
func (p *parser) startsFactor() bool {
	switch p.tok.kind {
	case tNumber, tSymbol, tFunction, tConstant, tBrace, tSetOpen:
		return true
	case tOpen:
		return !p.reversed || p.tok.op != '['
	case tBar:
		return p.bars == 0 && p.builder == 0
	case tCommand:
		return p.tok.text != "end" && p.tok.op != 'c' && p.tok.op != 'o' && p.tok.text != "tag" && p.tok.text != "label"
	}
	return false
}

// unary reads signs before a factor. A sign binds more tightly than a product: -7 mod 3 is (-7) mod 3.
func (p *parser) unary() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	switch op := p.tok; op.kind {
	case tMinus:
		p.advance()
		return p.negative(p.unary())
	case tPlus:
		p.advance()
		return p.unary()
	case tPlusMinus:
		p.advance()
		n := p.make(kPlusMinus, p.unary())
		n.n = int32(op.op)
		return n
	}
	return p.power()
}

// power reads a primary with what stands behind it: powers, indices, factorials, primes, percent and degree signs.
func (p *parser) power() *node {
	base := p.primary()
	for p.failed == failNone {
		switch p.tok.kind {
		case tPower:
			base = p.exponentOf(base)
		case tSub:
			base = p.subscript(base)
		case tFactorial:
			p.advance()
			name := "!"
			if p.tok.kind == tFactorial && !p.tok.space && (p.pos >= len(p.src) || p.src[p.pos] != '!') && base.kind != kCall {
				p.advance() // n!! is not (n!)!, but n!!! is ((n!)!)!
				name = "!!"
			}
			base = p.named(kCall, name, base)
		case tPrime:
			p.advance()
			base = p.primed(base)
		case tPercent:
			p.advance()
			base = p.make(kPercent, base)
		case tDegree:
			p.advance()
			base = p.degrees(base)
		case tCommand:
			if p.tok.op != 'o' && p.tok.op != 'c' {
				return base
			}
			name := p.tok.op
			p.advance()
			right := p.sum()
			if name == 'o' {
				return p.make(kDiv, base, right)
			}
			return p.named(kCall, "binom", base, right)
		default:
			return base
		}
	}
	return base
}

// degrees is base in degrees, of temperature where C or F follows.
func (p *parser) degrees(base *node) *node {
	if (p.tok.kind == tUnit || p.tok.kind == tSymbol) && (p.tok.text == "C" || p.tok.text == "F") && (p.pos >= len(p.src) || p.src[p.pos] != '_' && p.src[p.pos] != '(') {
		name := "°" + p.tok.text
		p.advance()
		return p.named(kQuantity, name, base)
	}
	return p.make(kDegree, base)
}

func (p *parser) primed(base *node) *node {
	if base.kind == kSymbol && len(base.name) < maxWords {
		return p.named(kSymbol, base.name+"'")
	}
	if base.kind == kNumber { // feet
		return p.named(kQuantity, "'", base)
	}
	return p.named(kCall, "prime", base)
}

// exponentOf reads what follows ^ and applies it.
func (p *parser) exponentOf(base *node) *node {
	if p.tok.op == 's' {
		return p.make(kPow, base, p.superscript())
	}
	p.advance()
	switch p.tok.kind {
	case tDegree:
		p.advance()
		return p.degrees(base)
	case tPrime:
		p.advance()
		return p.primed(base)
	case tText, tWord: // an ordinal or a remark
		p.advance()
		return base
	case tBrace:
		content, end, ok := braced(p.src[:min(len(p.src), p.tok.start+40)], p.tok.start)
		if !ok {
			break
		}
		switch trimmed := trimMarks(content); trimmed {
		case "\\circ", "°", "\\degree", "{\\circ}":
			p.jump(end)
			return p.degrees(base)
		case "\\prime", "'":
			p.jump(end)
			return p.primed(base)
		case "o", "\\text{o}", "\\mathrm{o}", "\\textrm{o}", "\\rmo", "\\text{\\textdegree}":
			if base.kind == kNumber {
				p.jump(end)
				return p.degrees(base)
			}
		case "st", "nd", "rd", "th":
			if base.kind == kNumber {
				p.jump(end)
				return base
			}
		case "":
			p.jump(end)
			return base
		}
	}
	exponent := p.exponentOperand()
	if exponent.kind == kText {
		return base
	}
	if base.kind == kTuple && len(base.args) > 1 && exponent.kind == kSymbol && (exponent.name == "T" || exponent.name == "top") {
		column := p.make(kMatrix, base.args...) // (5, -1)^T
		column.n = 1
		return column
	}
	return p.make(kPow, base, exponent)
}

// exponentOperand reads an exponent: a group, or a sign and one primary, itself perhaps with an exponent.
func (p *parser) exponentOperand() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	was := p.plain
	p.plain = true
	defer func() { p.plain = was }()
	switch p.tok.kind {
	case tMinus:
		p.advance()
		return p.negative(p.exponentOperand())
	case tPlus:
		p.advance()
		return p.exponentOperand()
	}
	n := p.primary()
	if p.tok.kind == tPower && p.tok.op != 's' {
		p.advance()
		return p.make(kPow, n, p.exponentOperand())
	}
	return n
}

// superscript reads a run of Unicode superscripts as an integer or n.
func (p *parser) superscript() *node {
	digits, sign, name := int64(0), int64(1), ""
	for p.pos < len(p.src) {
		text, width := superscriptAt(p.src[p.pos:])
		if width == 0 {
			break
		}
		switch {
		case text == "-":
			sign = -1
		case text == "n":
			name = "n"
		case digits < 1<<40:
			digits = digits*10 + int64(text[0]-'0')
		}
		p.pos += width
	}
	p.tok.kind = tNumber
	p.advance()
	if name != "" {
		return p.named(kSymbol, name)
	}
	return p.integer(sign * digits)
}

// hundredth is what a percent sign stands for.
var hundredth = rat.Of(1, 100)
