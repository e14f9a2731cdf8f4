package verify

import (
	"strings"
	"sync"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// Limits of one parsed text. Beyond them the text cannot be judged.
const (
	maxBytes = 1 << 18
	maxNodes = 1 << 17
	maxDepth = 2500
)

// parser reads one text into a tree. It is a Pratt parser over a scanner that never goes back.
type parser struct {
	src      string
	pos      int // after tok
	tok      token
	number   literal // the parts of tok, where it is a number
	marked   bool    // the number just read had thousands marks
	valued   bool    // the token before tok ended a value
	numbered bool    // the token before tok was a number
	modulus  *node   // of the congruence being read
	shut     bool    // the token before tok was a closing bracket
	angled   bool    // the token before tok was the sign of an angle or a triangle
	again    bool    // what was scanned is no token
	spaces   bool    // Options.Spaces == SpacesList
	depth    int
	count    int
	brackets int    // open brackets, in which a comma separates
	matrices int    // open matrices, in which \\ ends a row
	bars     int    // open absolute values
	builder  int    // open set braces, in which : and | begin a condition
	plain    bool   // no mixed numbers: inside an exponent or an argument
	skips    []int  // closing braces of \text that are passed over
	scanned  int    // bytes read ahead by group
	deep     bool   // maxDepth was passed
	currency string // the last sign of money
	logic    string // & or | between the items of the last list, where \land or \lor was
	dots     bool   // an ellipsis was read as an operand
	reversed bool   // inside ]a, b[, where [ closes
	failed   failure
	arena    []node
	shared   []*node // integers of a long list, by their last digits
}

// failure is why a text was not read.
type failure uint8

const (
	failNone   failure = iota
	failSyntax         // it is no mathematics
	failLimit          // it is beyond a limit
)

// make returns a new node.
func (p *parser) make(k kind, args ...*node) *node {
	if p.count++; p.count > maxNodes {
		p.fail(failLimit)
	}
	if len(p.arena) == 0 {
		p.arena = make([]node, min(max(48, p.count), 1024))
	}
	n := &p.arena[0]
	p.arena = p.arena[1:]
	n.kind, n.args = k, args
	return n
}

func (p *parser) integer(v int64) *node {
	n := p.make(kNumber)
	n.value = rat.Int(v)
	return n
}

func (p *parser) named(k kind, name string, args ...*node) *node {
	n := p.make(k, args...)
	n.name = name
	return n
}

// fail ends the reading: every loop stops at the end that it pretends to have met.
func (p *parser) fail(why failure) *node {
	if p.failed == failNone {
		p.failed = why
	}
	p.pos = len(p.src)
	p.tok = token{kind: tEnd, start: p.pos}
	return &node{kind: kText}
}

// valueEnds are the tokens after which a noun is a unit.
var valueEnds = [tNewline + 1]bool{
	tNumber: true, tSymbol: true, tConstant: true, tShut: true, tUnbrace: true, tSetShut: true, tFactorial: true, tPercent: true,
	tDegree: true, tUnit: true, tPrime: true, tCommand: false,
}

func (p *parser) advance() {
	if p.failed != failNone {
		return
	}
	if p.tok.kind != tBrace { // 4{cm}
		p.valued = valueEnds[p.tok.kind]
	}
	p.numbered, p.shut = p.tok.kind == tNumber, p.tok.kind == tShut
	p.angled = p.tok.kind == tSymbol && (p.tok.text == "angle" || p.tok.text == "triangle")
	p.next()
}

func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.deep = true
		p.fail(failLimit)
		return false
	}
	return true
}

// parse reads a bare answer.
func parse(text string, o *Options) (*node, failure) {
	if len(text) > maxBytes {
		return nil, failLimit
	}
	if n := plainNode(text); n != nil {
		return n, failNone
	}
	src := unwrap(plain(text))
	if whole, ok := respelled(src); ok {
		src = whole
	} else if whole, ok := regrouped(src); ok {
		src = whole
	}
	if maySpell(src) {
		if n := spelledNode(src); n != nil {
			return n, failNone
		}
	}
	if mayAct(src) {
		switch form, acts := wordedForm(src); {
		case acts && form == "":
			return nil, failSyntax
		case acts:
			src = form
		}
	}
	spare, _ := arenas.Get().(*[]node)
	if spare == nil {
		spare = new([]node)
	}
	p := parser{src: src, spaces: o.Spaces == SpacesList, arena: *spare}
	n, failed := p.whole(text)
	*spare = p.arena // the nodes that are left serve the next text
	arenas.Put(spare)
	return n, failed
}

// whole reads all of the source, which is text without what encloses it.
func (p *parser) whole(text string) (*node, failure) {
	src := p.src
	p.next()
	var n *node
	if p.tok.kind == tShut { // ]a, b[
		n = p.sets()
	} else {
		n = p.list()
	}
	if p.failed == failNone && p.tok.kind != tEnd {
		p.failed = failSyntax
	}
	if p.deep && !depthOK(text) {
		p.failed = failSyntax // deep because its brackets do not match
	}
	if p.failed != failNone {
		return nil, p.failed
	}
	if n.kind == kNumber {
		if strings.HasPrefix(strings.TrimLeft(src, "$ "), "\\$") || strings.HasPrefix(src, "$") && strings.LastIndexByte(src, '$') == 0 {
			p.currency = "$"
		}
		if p.currency != "" {
			n = p.named(kQuantity, p.currency, n)
		}
	}
	return n, failNone
}

// arenas keeps nodes that no tree uses yet.
var arenas sync.Pool

// unwrap drops matching brackets that enclose the whole text, for ten thousand of them are one.
func unwrap(text string) string {
	text = strings.TrimSpace(text)
	n := 0
	for n < len(text) && strings.IndexByte("([{", text[n]) >= 0 {
		n++
	}
	if n < 3 {
		return text
	}
	closing := map[byte]byte{'(': ')', '[': ']', '{': '}'}
	k := 0
	for k < n && k < len(text)-1-k && text[len(text)-1-k] == closing[text[k]] {
		k++
	}
	// The opening brackets from k on may be closed inside; keep two levels, whose kind may matter.
	inner := text[k : len(text)-k]
	if depthOK(inner) && k > 2 {
		return text[k-2 : len(text)-k+2]
	}
	return text
}

// depthOK says whether no bracket of text closes one that was opened outside it.
func depthOK(text string) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0
}

// relation reads a chain of expressions joined by relations.
func (p *parser) relation() *node {
	if !p.enter() {
		return p.fail(failLimit)
	}
	defer func() { p.depth-- }()
	for p.tok.kind == tRelation && (p.tok.op == relEqual || p.tok.op == relNear || p.tok.op == relImplies) {
		p.advance() // "= 5"
	}
	left := p.sets()
	if p.tok.kind != tRelation {
		if p.modulus != nil { // 3 (mod 7)
			left = p.named(kCall, "congruence", left, p.modulus)
			p.modulus = nil
		}
		return left
	}
	args := []*node{left}
	var names []byte
	for p.tok.kind == tRelation && p.failed == failNone {
		op := p.tok.op
		p.advance()
		for p.tok.kind == tRelation && p.tok.op == relEqual || p.tok.kind == tAmpersand {
			p.advance()
		}
		names = append(names, op)
		args = append(args, p.sets())
	}
	if last := args[len(args)-1]; len(args) == 2 && names[0] == relSameMod {
		switch {
		case p.modulus != nil:
			args = []*node{last, p.modulus, left}
		case last.kind == kCall && last.name == "mod":
			args = []*node{last.args[0], last.args[1], left}
		default:
			return p.named(kRelation, string(names), args...)
		}
		p.modulus = nil
		return p.named(kCall, "congruence", args...)
	}
	p.modulus = nil // elsewhere it is a remark
	return p.named(kRelation, string(names), args...)
}

// sets reads unions, intersections and differences, from left to right.
func (p *parser) sets() *node {
	left := p.ratio()
	for p.failed == failNone {
		var k kind
		switch p.tok.kind {
		case tUnion:
			k = kUnion
		case tIntersection:
			k = kIntersection
		case tSetMinus:
			k = kDifference
		default:
			return left
		}
		p.advance()
		left = p.make(k, left, p.ratio())
	}
	return left
}

// to says whether the token is the word between the parts of a ratio.
func (p *parser) to() bool { return (p.tok.kind == tText || p.tok.kind == tWord) && p.tok.text == "to" }

// ratio reads a : b : c and a to b.
func (p *parser) ratio() *node {
	left := p.sum()
	if p.to() && left.kind == kNumber { // 1 to 2
		p.advance()
		return p.make(kRatio, left, p.sum())
	}
	if p.tok.kind != tColon || p.builder > 0 {
		return left
	}
	if left.kind == kText { // a label: "Answer: 5"
		p.advance()
		return p.sum()
	}
	args := []*node{left}
	for p.tok.kind == tColon && p.failed == failNone {
		p.advance()
		args = append(args, p.sum())
	}
	if last := args[len(args)-1]; last.kind == kQuantity { // 7:30 p.m.
		args[len(args)-1] = last.args[0]
		return p.named(kQuantity, last.name, p.make(kRatio, args...))
	}
	return p.make(kRatio, args...)
}
