package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// argument reads the argument of a command: a group, one digit, one letter or one command.
func (p *parser) argument() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	was := p.plain
	p.plain = false
	defer func() { p.plain = was }()
	switch p.tok.kind {
	case tBrace:
		return p.group1()
	case tNumber: // one digit only
		start := p.tok.start
		if p.src[start] < '0' || p.src[start] > '9' {
			return p.fail(failSyntax)
		}
		n := p.integer(int64(p.src[start] - '0'))
		p.pos = start + 1
		p.advance()
		return n
	}
	p.plain = true
	return p.primary()
}

// group1 reads { ... } as one value.
func (p *parser) group1() *node {
	brackets := p.brackets
	p.brackets = 0
	p.advance()
	if p.tok.kind == tUnbrace || p.tok.kind == tEnd {
		return p.fail(failSyntax)
	}
	bars := p.bars
	p.bars = 0
	n := p.list()
	p.bars, p.brackets = bars, brackets
	if p.tok.kind != tUnbrace {
		return p.fail(failSyntax)
	}
	p.advance()
	return n
}

// braceGroup reads a bare group: a value, or with commas a set.
func (p *parser) braceGroup() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	p.brackets++
	bars, was := p.bars, p.plain
	p.bars, p.plain = 0, false
	defer func() { p.bars, p.plain = bars, was }()
	p.advance()
	if p.tok.kind == tUnbrace { // {} is nothing, as in {}5
		p.brackets--
		p.advance()
		return p.primary()
	}
	items, _ := p.items()
	p.brackets--
	if p.tok.kind != tUnbrace && p.tok.kind != tSetShut || len(items) == 0 {
		return p.fail(failSyntax)
	}
	p.advance()
	if len(items) == 1 {
		return items[0]
	}
	return p.make(kSet, items...)
}

// setBraces reads \{ ... \}: a set, or a condition on a variable.
func (p *parser) setBraces() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	p.brackets++
	p.builder++
	bars := p.bars
	p.bars = 0
	p.advance()
	if p.tok.kind == tSetShut || p.tok.kind == tUnbrace {
		p.brackets, p.builder, p.bars = p.brackets-1, p.builder-1, bars
		p.advance()
		return p.named(kConstant, "empty")
	}
	items, _ := p.items2()
	if len(items) == 1 && (p.tok.kind == tColon || p.tok.kind == tBar) {
		p.advance()
		conditions, _ := p.items2()
		if len(conditions) == 1 {
			items = conditions
		} else if len(conditions) > 1 {
			items = []*node{p.named(kCall, "where", conditions...)}
		}
	}
	p.brackets, p.builder, p.bars = p.brackets-1, p.builder-1, bars
	if p.tok.kind != tSetShut && p.tok.kind != tUnbrace || len(items) == 0 {
		return p.fail(failSyntax)
	}
	p.advance()
	if len(items) == 1 && items[0].kind == kRelation {
		return items[0]
	}
	return p.make(kSet, items...)
}

// items2 reads items that may end at a colon or a bar.
func (p *parser) items2() (items []*node, semicolons []int) {
	for p.failed == failNone && !p.ended() && p.tok.kind != tColon && p.tok.kind != tBar {
		items = append(items, p.relation())
		for p.separator() && p.failed == failNone {
			p.advance()
		}
		if !p.ended() && p.tok.kind != tColon && p.tok.kind != tBar && !valueStarts(p) {
			p.fail(failSyntax)
		}
	}
	return items, nil
}

func valueStarts(p *parser) bool {
	switch p.tok.kind {
	case tMinus, tPlus, tPlusMinus, tText, tWord, tEllipsis, tUnit:
		return true
	}
	return p.startsFactor()
}

// bracketed reads ( ... ), [ ... ], ⟨ ... ⟩, ⌊ ... ⌋ and ⌈ ... ⌉.
func (p *parser) bracketed() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	open := p.tok.op
	p.brackets++
	bars, builder, was := p.bars, p.builder, p.plain
	p.bars, p.builder, p.plain = 0, 0, false
	p.advance()
	items, semicolons := p.items()
	p.brackets--
	p.bars, p.builder, p.plain = bars, builder, was
	if p.tok.kind != tShut || len(items) == 0 {
		return p.fail(failSyntax)
	}
	shut := p.tok.op
	p.advance()
	switch {
	case open == 'f' && len(items) == 1:
		return p.named(kCall, "floor", items[0])
	case open == 'k' && len(items) == 1:
		return p.named(kCall, "ceil", items[0])
	case len(items) == 1 && open != '<' && (open != '[' || items[0].kind != kTuple):
		return items[0]
	}
	_ = semicolons
	n := p.make(kTuple, items...)
	n.open, n.shut = open, shut
	if open == '<' {
		n.open, n.shut = '(', ')'
	}
	return n
}

// reversedInterval reads ]a, b[ and ]a, b] as (a, b) and (a, b].
func (p *parser) reversedInterval() *node {
	p.brackets++
	p.reversed = true
	p.advance()
	items, _ := p.items()
	p.brackets--
	p.reversed = false
	if len(items) != 2 {
		return p.fail(failSyntax)
	}
	n := p.make(kTuple, items...)
	n.open, n.shut = '(', ']'
	if p.tok.kind == tOpen && p.tok.op == '[' {
		n.shut = ')'
	} else if p.tok.kind != tShut {
		return p.fail(failSyntax)
	}
	p.advance()
	return n
}

// absolute reads | ... |.
func (p *parser) absolute() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	p.bars++
	p.advance()
	n := p.sum()
	p.bars--
	if p.tok.kind != tBar {
		return p.fail(failSyntax)
	}
	p.tok.kind = tShut
	p.advance()
	return p.named(kCall, "abs", n)
}

// function reads a function's power, index and argument.
func (p *parser) function() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	name := p.tok.text
	if name == "sqrt" || name == "cbrt" {
		return p.plainRoot(name)
	}
	p.advance()
	var power, base *node
	for p.failed == failNone {
		if p.tok.kind == tPower && p.tok.op != 's' && power == nil {
			p.advance()
			power = p.exponentOperand()
		} else if p.tok.kind == tPower && p.tok.op == 's' {
			power = p.superscript()
		} else if p.tok.kind == tSub && base == nil {
			p.advance()
			base = p.argument()
		} else {
			break
		}
	}
	args := p.functionArguments()
	if power != nil && power.kind == kNumber && power.value.Equal(rat.Int(-1)) && inverses[name] != "" {
		name, power = inverses[name], nil
	}
	n := p.named(kCall, name, args...)
	if base != nil && strings.HasPrefix(name, "log") {
		n = p.named(kCall, "logbase", args[0], base)
	} else if base != nil {
		n = p.named(kCall, name+"_", append(args, base)...)
	}
	if power != nil {
		n = p.make(kPow, n, power)
	}
	return n
}

var inverses = map[string]string{
	"sin": "asin", "cos": "acos", "tan": "atan", "cot": "acot", "sec": "asec", "csc": "acsc", "sinh": "asinh", "cosh": "acosh", "tanh": "atanh",
}

// functionArguments reads the bracketed arguments, or the factors side by side up to the next function.
func (p *parser) functionArguments() []*node {
	switch {
	case p.tok.kind == tOpen && p.tok.op != 'f' && p.tok.op != 'k':
		n := p.bracketed()
		if n.kind == kTuple {
			return n.args
		}
		return []*node{n}
	case p.tok.kind == tBrace:
		n := p.braceGroup()
		if n.kind == kTuple || n.kind == kSet {
			return n.args
		}
		return []*node{n}
	case p.tok.kind == tMinus:
		p.advance()
		return []*node{p.negative(p.power())}
	case !p.startsFactor():
		return []*node{p.fail(failSyntax)}
	}
	n := p.power()
	for p.failed == failNone && p.startsFactor() && p.tok.kind != tFunction && p.tok.kind != tOpen {
		n = p.multiply(n, p.power())
	}
	return []*node{n}
}

// plainRoot reads sqrt(2), sqrt{2} and sqrt 2 without a backslash.
func (p *parser) plainRoot(name string) *node {
	p.advance()
	degree := int64(2)
	if name == "cbrt" {
		degree = 3
	}
	if p.tok.kind == tEnd {
		return p.fail(failSyntax)
	}
	was := p.plain
	p.plain = true
	n := p.primary()
	p.plain = was
	return p.make(kPow, n, p.make(kDiv, p.integer(1), p.integer(degree)))
}

// structure reads a command with arguments.
func (p *parser) structure() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	if p.tok.op == 'f' { // a Unicode fraction
		f := p.tok.text
		p.advance()
		return p.make(kDiv, p.integer(int64(f[0]-'0')), p.integer(int64(f[2]-'0')))
	}
	name := p.tok.text
	p.advance()
	switch name {
	case "frac":
		over := p.argument()
		return p.make(kDiv, over, p.argument())
	case "binom":
		n := p.argument()
		return p.named(kCall, "binom", n, p.argument())
	case "sqrt":
		return p.root()
	case "sum", "prod":
		return p.series(name)
	case "begin":
		return p.environment()
	case "boxed", "fbox", "underline", "cancel":
		return p.argument()
	case "overline", "bar", "vec", "hat", "tilde", "widehat", "overrightarrow", "dot", "ddot", "widetilde", "overarc":
		return p.decorated(name)
	case "operatorname", "mathbb":
		return p.blackboard()
	case "char":
		return p.character()
	case "color", "textcolor":
		p.rawArgument()
		return p.primary()
	case "int":
		return p.integral()
	}
	return p.fail(failSyntax)
}

// root reads \sqrt[n]{x}.
func (p *parser) root() *node {
	degree := p.integer(2)
	if p.tok.kind == tOpen && p.tok.op == '[' {
		p.advance()
		degree = p.sum()
		if p.tok.kind != tShut {
			return p.fail(failSyntax)
		}
		p.advance()
	}
	x := p.argument()
	return p.make(kPow, x, p.make(kDiv, p.integer(1), degree))
}

// decorated is a symbol under a mark; its name tells the mark.
func (p *parser) decorated(name string) *node {
	raw := cleanName(p.rawArgument())
	if name == "overline" || name == "overarc" || name == "overrightarrow" || name == "vec" {
		name = map[string]string{"overline": "bar", "overarc": "arc", "overrightarrow": "vec", "vec": "vec"}[name]
	}
	return p.named(kSymbol, name+"("+raw+")")
}

// blackboard reads \mathbb{R} and its like.
func (p *parser) blackboard() *node {
	switch raw := cleanName(p.rawArgument()); raw {
	case "R":
		return p.named(kConstant, "reals")
	case "Z":
		return p.named(kConstant, "integers")
	case "N":
		return p.named(kConstant, "naturals")
	case "Q":
		return p.named(kConstant, "rationals")
	default:
		return p.named(kSymbol, raw)
	}
}

// character reads \char"0394, a character by its hexadecimal number.
func (p *parser) character() *node {
	rest := p.src[p.tok.start:]
	end := 1
	for end < len(rest) && end < 8 && (digitAt(rest, end) || rest[end] >= 'A' && rest[end] <= 'F') {
		end++
	}
	if rest == "" || rest[0] != '"' || end == 1 {
		return p.fail(failSyntax)
	}
	code := rune(0)
	for _, c := range strings.ToUpper(rest[1:end]) {
		code = code*16 + rune(strings.IndexRune("0123456789ABCDEF", c))
	}
	p.jump(p.tok.start + end)
	if code == 'Ɛ' || code == 'ɛ' || code == 'ε' {
		return p.named(kSymbol, "epsilon")
	}
	if name, ok := runes[code]; ok {
		return p.named(kSymbol, name)
	}
	return p.named(kSymbol, string(code))
}
