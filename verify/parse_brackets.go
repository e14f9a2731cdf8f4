package verify

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
	items := p.items()
	p.brackets--
	if p.tok.kind != tUnbrace && p.tok.kind != tSetShut || len(items) == 0 {
		return p.fail(failSyntax)
	}
	p.advance()
	if len(items) == 1 {
		return items[0]
	}
	set := p.make(kSet, items...)
	set.n = 1
	return set
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
	items := p.items2()
	if len(items) == 1 && (p.tok.kind == tColon || p.tok.kind == tBar) {
		p.advance()
		conditions := p.items2()
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
func (p *parser) items2() (items []*node) {
	for p.failed == failNone && !p.ended() && p.tok.kind != tColon && p.tok.kind != tBar {
		items = append(items, p.relation())
		for p.separator() && p.failed == failNone {
			p.advance()
		}
		if !p.ended() && p.tok.kind != tColon && p.tok.kind != tBar && !valueStarts(p) {
			p.fail(failSyntax)
		}
	}
	return items
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
	items := p.items()
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
	items := p.items()
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
	if n.kind == kMatrix {
		return p.determinant(n)
	}
	return p.named(kCall, "abs", n)
}

// barred reads \\left. f \\right|_a^b, the value of f at b less the one at a, and with one bound the value there.
func (p *parser) barred() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	bars := p.bars
	p.bars = 1
	p.advance()
	n := p.sum()
	p.bars = bars
	if p.tok.kind != tBar {
		return p.fail(failSyntax)
	}
	p.tok.kind = tShut
	p.advance()
	var lo, hi *node
	name := ""
	for p.failed == failNone && (p.tok.kind == tSub || p.tok.kind == tPower && p.tok.op != 's') {
		below := p.tok.kind == tSub
		p.advance()
		bound := p.argument()
		if bound.kind == kRelation && bound.name == "=" && bound.args[0].kind == kSymbol {
			name, bound = bound.args[0].name, bound.args[1]
		}
		if below {
			lo = bound
		} else {
			hi = bound
		}
	}
	if own := variables(n, nil); name == "" && len(own) == 1 {
		name = own[0].name
	}
	if lo == nil || name == "" {
		return p.fail(failSyntax)
	}
	value := p.named(kCall, "at", n, p.named(kSymbol, name), lo)
	if hi != nil {
		value.args = append(value.args, hi)
	}
	return value
}
