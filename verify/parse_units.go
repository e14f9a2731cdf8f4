package verify

import "strings"

// quantity takes the words after a value as its unit or noun.
func (p *parser) quantity(left *node) *node {
	noun := ""
	if p.tok.kind == tSymbol { // F after μ
		p.tok.kind = tUnit
	}
	for p.failed == failNone && (p.tok.kind == tUnit || p.tok.kind == tText || p.tok.kind == tWord) {
		if len(noun) < maxWords {
			if noun != "" {
				noun += " "
			}
			noun += p.tok.text
		}
		p.advance()
		noun += p.unitPower()
	}
	noun = strings.TrimSuffix(noun, " and")
	if micro(left) { // 5 \mu\text{m}
		if _, known := prefixed("μ" + noun); known {
			return p.named(kQuantity, "μ"+noun, left.args[0])
		}
	}
	if left.kind == kQuantity {
		if len(left.name) > maxWords {
			return left
		}
		return p.named(kQuantity, left.name+" "+noun, left.args[0])
	}
	return p.named(kQuantity, noun, left)
}

// micro says whether n is a number before the letter μ.
func micro(n *node) bool {
	return n.kind == kMul && len(n.args) == 2 && n.args[0].kind == kNumber && n.args[1].kind == kSymbol && n.args[1].name == "mu"
}

// unitPower reads the exponent of a unit as text, such as ^2.
func (p *parser) unitPower() string {
	switch {
	case p.tok.kind != tPower:
		return ""
	case p.tok.op == 's':
		return "^" + p.superscript().text()
	}
	p.advance()
	minus := ""
	if p.tok.kind == tMinus {
		minus = "-"
		p.advance()
	}
	return "^" + minus + cleanName(p.rawArgument())
}

// afterUnit reads on where a number follows a value with a unit: smaller units of the same value (5 ft 3 in, 2 h 15 min), or
// minutes and seconds after degrees; nil where it is none of these.
func (p *parser) afterUnit(left *node) *node {
	if left.kind == kDegree {
		return p.arc(left)
	}
	if left.kind == kMul && len(left.args) == 2 && left.args[0].kind == kNumber && left.args[1].kind == kSymbol {
		if name := left.args[1].name; name == "h" || name == "m" || name == "s" {
			left = p.named(kQuantity, name, left.args[0])
		}
	}
	if left.kind != kQuantity || left.args[0].kind != kNumber {
		return nil
	}
	parts := []*node{left}
	for p.tok.kind == tNumber && p.failed == failNone {
		n := p.numeral()
		switch p.tok.kind {
		case tUnit, tText, tWord:
			n = p.quantity(n)
		case tSymbol:
			n = p.named(kQuantity, p.tok.text, n)
			p.advance()
		default:
			return p.fail(failSyntax)
		}
		parts = append(parts, n)
	}
	sum := p.make(kAdd, parts...)
	if _, ok := mixedUnits(sum); !ok {
		return p.fail(failSyntax)
	}
	return sum
}

// arc adds minutes and seconds of arc to degrees.
func (p *parser) arc(left *node) *node {
	parts, over := []*node{left.args[0]}, int64(60)
	for p.tok.kind == tNumber && over <= 3600 && p.failed == failNone {
		n := p.numeral()
		if p.tok.kind != tPrime && (p.tok.kind != tText || p.tok.text != "\"") {
			return p.fail(failSyntax)
		}
		p.advance()
		if p.tok.kind == tPrime { // two primes
			p.advance()
		}
		parts = append(parts, p.make(kDiv, n, p.integer(over)))
		over *= 60
	}
	return p.make(kDegree, p.make(kAdd, parts...))
}
