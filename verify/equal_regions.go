package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// build makes a region of a node, and says whether it is one.
func (b *builder) build(n *node) (*region, bool) {
	if !b.c.step(1) || len(b.ends) > 64 {
		return nil, false
	}
	n = b.c.simplify(n)
	switch n.kind {
	case kTuple:
		if len(n.args) != 2 {
			return nil, false
		}
		r := &region{op: 's', lo: -1, hi: -1, loIn: n.open == '[', hiIn: n.shut == ']'}
		if infinite(n.args[0]) == 0 { // a bracket at infinity says nothing
			r.lo = b.end(n.args[0])
		}
		if infinite(n.args[1]) == 0 {
			r.hi = b.end(n.args[1])
		}
		return r, infinite(n.args[0]) <= 0 && infinite(n.args[1]) >= 0
	case kSet:
		r := &region{op: 'p'}
		for _, a := range n.args {
			r.points = append(r.points, b.end(a))
		}
		return r, true
	case kUnion, kIntersection, kDifference:
		return b.parts(n.args, map[kind]byte{kUnion: 'u', kIntersection: 'n', kDifference: 'd'}[n.kind])
	case kList:
		every := true
		for _, a := range n.args {
			every = every && a.kind == kRelation && a.name == string(rune(relNot))
		}
		if every { // x ≠ 1, x ≠ 2
			return b.parts(n.args, 'n')
		}
		return b.parts(n.args, 'u')
	case kConstant:
		switch n.name {
		case "reals":
			return &region{op: 'r'}, true
		case "empty":
			return &region{op: 'p'}, true
		}
		return nil, false
	case kRelation:
		return b.relation(n)
	}
	return &region{op: 'p', points: []int{b.end(n)}}, !hasVariables(n) && readable(n)
}

func (b *builder) parts(args []*node, op byte) (*region, bool) {
	r := &region{op: op}
	for _, a := range args {
		part, ok := b.build(a)
		if !ok {
			return nil, false
		}
		r.parts = append(r.parts, part)
	}
	return r, true
}

// relation makes the region of a chain of relations in one variable.
func (b *builder) relation(n *node) (*region, bool) {
	r := &region{op: 'n'}
	for i := range n.name {
		part, ok := b.pair(n.args[i], n.args[i+1], n.name[i])
		if !ok {
			return nil, false
		}
		r.parts = append(r.parts, part)
	}
	return r, len(r.parts) > 0
}

func (b *builder) pair(left, right *node, op byte) (*region, bool) {
	if op == relIn && isName(left) {
		return b.build(lettered(right, left))
	}
	if right.kind == kCall && right.name == "abs" && !hasVariables(left) {
		left, right, op = right, left, flipped(op)
	}
	if left.kind == kCall && left.name == "abs" && len(left.args) == 1 && !hasVariables(right) && strings.IndexByte(flippable, op) >= 0 {
		return b.magnitude(left.args[0], right, op)
	}
	if op == relNot {
		if value := b.c.simplify(right); value.kind == kList { // x ≠ ±1
			all := &region{op: 'n'}
			for _, v := range value.args {
				part, ok := b.pair(left, v, op)
				if !ok {
					return nil, false
				}
				all.parts = append(all.parts, part)
			}
			return all, true
		}
	}
	if hasVariables(right) && !hasVariables(left) {
		left, right, op = right, left, flipped(op)
	}
	if hasVariables(right) || !hasVariables(left) || !readable(right) && infinite(right) == 0 {
		return b.linear(left, right, op)
	}
	if !isName(left) {
		return b.linear(left, right, op)
	}
	return b.bounded(left.text(), right, op)
}

// magnitude is the region of |left| op right: between -right and right, or outside.
func (b *builder) magnitude(left, right *node, op byte) (*region, bool) {
	minus := &node{kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, right}}
	if right.kind == kNumber {
		minus = &node{kind: kNumber, value: right.value.Neg()}
	}
	upper, ok1 := b.pair(left, right, op)
	lower, ok2 := b.pair(left, minus, flipped(op))
	if !ok1 || !ok2 {
		return nil, false
	}
	if op == relLess || op == relAtMost {
		return &region{op: 'n', parts: []*region{upper, lower}}, true
	}
	return &region{op: 'u', parts: []*region{upper, lower}}, true
}

// linear solves a·x + b < 0 with rational a and b.
func (b *builder) linear(left, right *node, op byte) (*region, bool) {
	f, ok := b.c.normal(&node{kind: kAdd, args: []*node{left, {kind: kMul, args: []*node{{kind: kNumber, value: rat.Int(-1)}, right}}}})
	if !ok || f.under != nil || len(f.over) == 0 || len(f.over) > 2 {
		return nil, false
	}
	var slope, offset rat.Rat
	name := ""
	for _, t := range f.over {
		switch {
		case len(t.factors) == 0:
			offset = t.value
		case len(t.factors) == 1 && t.factors[0].exponent == unity && b.c.table[t.factors[0].atom].kind == atomFree && name == "":
			slope, name = t.value, b.c.table[t.factors[0].atom].key
		default:
			return nil, false
		}
	}
	if name == "" || name == "pi" || name == "e" || strings.ContainsAny(name, "(^") { // 2^x < 8 is not about x
		return nil, false
	}
	if slope.Sign() < 0 {
		op = flipped(op)
	}
	return b.bounded(name, &node{kind: kNumber, value: offset.Mul(slope.Inv()).Neg()}, op)
}

// bounded is the region of name op value.
func (b *builder) bounded(name string, value *node, op byte) (*region, bool) {
	if b.name != "" && b.name != name && b.c.options.Names != NamesAny {
		return nil, false
	}
	b.name = name
	r := &region{op: 's', lo: -1, hi: -1}
	switch sign := infinite(value); {
	case sign > 0 && (op == relLess || op == relAtMost), sign < 0 && (op == relMore || op == relAtLeast):
		return &region{op: 'r'}, true
	case sign != 0:
		return nil, false
	}
	switch op {
	case relLess, relAtMost:
		r.hi, r.hiIn = b.end(value), op == relAtMost
	case relMore, relAtLeast:
		r.lo, r.loIn = b.end(value), op == relAtLeast
	case relNot:
		return &region{op: 'c', points: []int{b.end(value)}}, true
	case relEqual:
		return &region{op: 'p', points: []int{b.end(value)}}, true
	default:
		return nil, false
	}
	return r, true
}
