package verify

import (
	"slices"
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// list reads items with separators up to a token that ends it, and shapes them: one item is itself.
func (p *parser) list() *node {
	first := p.firstItem()
	if first == nil {
		return p.fail(failSyntax)
	}
	if p.ended() {
		return first
	}
	items, semicolons, joined := p.moreItems(first)
	if len(items) == 1 {
		return items[0]
	}
	n := p.shape(items, semicolons)
	if n.kind == kList {
		if joined {
			n.n = 1
		}
		n.name = p.logic
	}
	p.logic = ""
	return n
}

// items reads items up to a closing token.
func (p *parser) items() []*node {
	first := p.firstItem()
	switch {
	case first == nil:
		return nil
	case p.ended():
		return []*node{first}
	}
	items, _, _ := p.moreItems(first)
	return items
}

// firstItem reads the item after any separators, and returns nil where there is none.
func (p *parser) firstItem() *node {
	if !p.enter() {
		return nil
	}
	defer func() { p.depth-- }()
	for p.separator() {
		p.advance()
	}
	if p.failed != failNone || p.ended() {
		return nil
	}
	return p.relation()
}

// moreItems reads what follows the first item up to a closing token. semicolons holds how many items stood before each
// semicolon; joined says that every separator was the word and.
func (p *parser) moreItems(first *node) (items []*node, semicolons []int, joined bool) {
	items, joined = append(items, first), true
	logic := ""
	for p.failed == failNone && !p.ended() {
		if !p.separator() && !(p.spaces && (p.tok.kind == tNumber || p.tok.kind == tMinus)) {
			p.fail(failSyntax)
			break
		}
		for p.separator() {
			if p.tok.kind != tAnd || p.tok.text != "and" && p.tok.text != "wedge" && p.tok.text != "land" {
				joined = false
			}
			if p.tok.kind == tComma {
				items = p.integers(items)
			}
			if p.tok.kind == tAnd && (p.tok.op == '&' || p.tok.op == '|') {
				logic = string(rune(p.tok.op))
			}
			if p.tok.kind == tSemicolon && (len(semicolons) == 0 || semicolons[len(semicolons)-1] != len(items)) {
				semicolons = append(semicolons, len(items))
			}
			p.advance()
		}
		if p.failed == failNone && !p.ended() {
			items = append(items, p.relation())
		}
	}
	p.logic = logic
	return items, semicolons, joined
}

// integers appends the integers that follow a comma, up to the last one before a comma, at once, since a list may have tens of
// thousands. What may be a group of thousands is left to the scanner. Equal integers share a node.
func (p *parser) integers(items []*node) []*node {
	if p.spaces || p.matrices > 0 {
		return items
	}
	for p.pos < len(p.src) {
		start := p.pos
		for start < len(p.src) && p.src[start] == ' ' {
			start++
		}
		end, value := start, int64(0)
		for digitAt(p.src, end) && end-start < 18 {
			value = value*10 + int64(p.src[end]-'0')
			end++
		}
		if end == start || end >= len(p.src) || p.src[end] != ',' || end-start <= 3 && groupAt(p.src, end+1) || strings.HasPrefix(p.src[end:], ",\\") {
			return items
		}
		if len(items) == 64 {
			items = slices.Grow(items, strings.Count(p.src[p.pos:], ","))
			p.shared = make([]*node, 1000)
		}
		items = append(items, p.sharedInteger(value, p.src[start:end]))
		p.pos = end + 1
	}
	return items
}

// sharedInteger is the node of an integer, the same one for equal digits in a row of a long list.
func (p *parser) sharedInteger(value int64, digits string) *node {
	var place *(*node)
	if len(p.shared) > 0 {
		place = &p.shared[value%int64(len(p.shared))]
		if n := *place; n != nil && n.value.Equal(rat.Int(value)) {
			return n
		}
	}
	n := p.make(kNumber)
	n.value, n.n = rat.Int(value), int32(len(strings.TrimLeft(digits, "0")))
	if place != nil {
		*place = n
	}
	return n
}

func (p *parser) separator() bool {
	return p.tok.kind == tComma || p.tok.kind == tSemicolon || p.tok.kind == tAnd
}

func (p *parser) ended() bool {
	switch p.tok.kind {
	case tEnd, tShut, tUnbrace, tSetShut, tAmpersand, tNewline:
		return true
	case tOpen:
		return p.reversed && p.tok.op == '['
	}
	return p.tok.kind == tCommand && p.tok.text == "end"
}

// shape makes a list of items. Where semicolons part it into groups of several items, each group is a tuple; where
// assignments repeat the same names in turn, each turn is a tuple of them.
func (p *parser) shape(items []*node, semicolons []int) *node {
	if len(semicolons) > 0 && semicolons[len(semicolons)-1] < len(items) {
		groups := append(semicolons, len(items))
		width := groups[0]
		even := width > 1
		for i, g := range groups {
			even = even && g == (i+1)*width
		}
		if even {
			return p.turns(items, width)
		}
	}
	if first := items[0]; first.kind == kRelation && first.name == string(rune(relNot)) { // x ≠ 1, 2
		for i, item := range items {
			if item.kind != kRelation {
				items[i] = p.named(kRelation, first.name, first.args[0], item)
			}
		}
	}
	if width := period(items); width > 1 && width < len(items) {
		return p.turns(items, width)
	}
	return p.make(kList, items...)
}

func (p *parser) turns(items []*node, width int) *node {
	var groups []*node
	for i := 0; i+width <= len(items); i += width {
		t := p.make(kTuple, items[i:i+width]...)
		t.open, t.shut = '(', ')'
		groups = append(groups, t)
	}
	if len(groups) == 1 {
		return groups[0]
	}
	return p.make(kList, groups...)
}

// period is after how many assignments their names repeat, and 0 where they do not.
func period(items []*node) int {
	name := func(n *node) string {
		if n.kind != kRelation || n.name != "=" || n.args[0].kind != kSymbol {
			return ""
		}
		return n.args[0].name
	}
	first := name(items[0])
	if first == "" {
		return 0
	}
	width := 0
	for i, item := range items {
		this := name(item)
		if this == "" {
			return 0
		}
		if width == 0 && i > 0 && this == first {
			width = i
		}
		if width > 0 && this != name(items[i%width]) {
			return 0
		}
	}
	if width == 0 || len(items)%width != 0 {
		return 0
	}
	return width
}
