package verify

import (
	"slices"
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// A set of reals is compared by its membership at every end point that either side names, and between neighbouring ones.

// isRealSet says whether a node is written as a set of reals beyond a plain bracket.
func isRealSet(n *node) bool {
	switch n.kind {
	case kUnion, kIntersection, kDifference:
		return true
	case kConstant:
		switch n.name {
		case "reals", "integers", "naturals", "rationals":
			return true
		}
	case kRelation:
		return n.name != "="
	case kList:
		for _, a := range n.args {
			if a.kind == kRelation && a.name != "=" || a.kind == kUnion {
				return true
			}
		}
	}
	return false
}

// lettered is the set of numbers that a plain letter R, Z, N or Q stands for, where the other side is a set of numbers.
func lettered(n, other *node) *node {
	if n.kind != kSymbol || len(n.name) != 1 || !isRealSet(other) && other.kind != kTuple {
		return n
	}
	name := map[string]string{"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals"}[n.name]
	if name == "" {
		return n
	}
	return &node{kind: kConstant, name: name}
}

// region is a set of reals over end points that are numbered by place.
type region struct {
	op         byte // 's' segment, 'p' points, 'u' union, 'n' intersection, 'd' difference, 'c' all but a point, 'r' all
	lo, hi     int  // places of a segment's ends; -1 for no end
	loIn, hiIn bool
	points     []int
	parts      []*region
}

// builder makes regions and collects their end points.
type builder struct {
	c    *checker
	ends []*node
	name string // the variable that the relations bound; every relation must bound the same
}

func (b *builder) end(n *node) int {
	for i, e := range b.ends {
		if e == n || sameTree(e, n) {
			return i
		}
	}
	b.ends = append(b.ends, n)
	return len(b.ends) - 1
}

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
	if name == "" || name == "pi" || name == "e" {
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

// sameSets compares two sets of reals; where an end point has no known place, part by part.
func (c *checker) sameSets(a, b *node) result {
	if c.options.Sets == SetsStrict && (a.kind == kRelation) != (b.kind == kRelation) {
		return result{Wrong, RuleKind}
	}
	bound := builder{c: c}
	x, ok1 := bound.build(a)
	nameA := bound.name
	bound.name = ""
	y, ok2 := bound.build(b)
	if ok1 && ok2 && nameA != "" && bound.name != "" && nameA != bound.name && c.options.Names != NamesAny {
		return result{Wrong, RuleSets}
	}
	if ok1 && ok2 {
		if places, ok := c.sortEnds(bound.ends); ok {
			for _, side := range [...]struct {
				n *node
				r *region
			}{{a, x}, {b, y}} {
				if side.n.kind == kList && side.n.n == 1 && side.r.op == 'u' {
					side.r.both(2*len(bound.ends), places)
				}
			}
			for position := range 2*len(bound.ends) + 1 {
				if x.holds(position, places) != y.holds(position, places) {
					return result{Wrong, RuleSets}
				}
			}
			return result{Right, RuleSets}
		}
	}
	return c.sameParts(a, b, ok1, ok2)
}

// both makes the union of what the word and joins an intersection, unless that is empty: "x < 1 and x > 2" lists two parts.
func (r *region) both(last int, places []int) {
	r.op = 'n'
	for position := range last + 1 {
		if r.holds(position, places) {
			return
		}
	}
	r.op = 'u'
}

// sameParts compares sets that could not be laid out on the line.
func (c *checker) sameParts(a, b *node, ok1, ok2 bool) result {
	switch {
	case a.kind == kRelation && b.kind == kRelation:
		return c.sameInequalities(a, b)
	case a.kind == kTuple && b.kind == kTuple:
		return c.sameTuple(a, b)
	case a.kind == b.kind && (a.kind == kUnion || a.kind == kList || a.kind == kIntersection):
		return c.asSets(flat(a, a.kind), flat(b, b.kind))
	case a.kind == b.kind && a.kind == kDifference:
		return c.inOrder(a.args, b.args)
	case a.kind == b.kind && a.kind == kConstant:
		return judged(a.name == b.name, RuleSets)
	case a.kind == kRelation || b.kind == kRelation:
		return c.relationAsInterval(a, b)
	}
	return result{Wrong, RuleKind}
}

// relationAsInterval compares a < x < b with the bracket (a, b) where the ends are not numbers.
func (c *checker) relationAsInterval(a, b *node) result {
	relation, other := a, b
	if b.kind == kRelation {
		relation, other = b, a
	}
	if other.kind != kTuple || len(other.args) != 2 || len(relation.args) != 3 {
		return result{Wrong, RuleKind}
	}
	if relation.name[0] == relMore || relation.name[0] == relAtLeast {
		relation = reversed(relation)
	}
	in := func(r byte) bool { return r == relAtMost }
	if in(relation.name[0]) != (other.open == '[') || in(relation.name[1]) != (other.shut == ']') {
		return result{Wrong, RuleBrackets}
	}
	return c.inOrder([]*node{relation.args[0], relation.args[2]}, other.args)
}

func flat(n *node, k kind) []*node {
	if n.kind != k {
		return []*node{n}
	}
	var items []*node
	for _, a := range n.args {
		items = append(items, flat(a, k)...)
	}
	return items
}

// sortEnds returns each end point's rank on the line, equal ones alike, and false where two cannot be told apart.
func (c *checker) sortEnds(ends []*node) ([]int, bool) {
	order := make([]int, len(ends))
	for i := range order {
		order[i] = i
	}
	known := true
	compare := func(i, j int) int {
		if i == j {
			return 0
		}
		o, ok := c.compareEnds(ends[i], ends[j])
		known = known && ok
		return o
	}
	slices.SortStableFunc(order, compare)
	if !known {
		return nil, false
	}
	places := make([]int, len(ends))
	rank := 0
	for k, i := range order {
		if k > 0 && compare(order[k-1], i) != 0 {
			rank++
		}
		places[i] = rank
	}
	return places, known
}

func (c *checker) compareEnds(a, b *node) (int, bool) {
	x, ok1 := c.exact(a)
	y, ok2 := c.exact(b)
	if ok1 && ok2 {
		if (c.options.Decimals != DecimalsExact || c.options.Precision > 0) && c.roughly(a, b) {
			return 0, true
		}
		return x.Cmp(y), true
	}
	if hasVariables(a) || hasVariables(b) {
		return 0, false
	}
	if c.sameScalar(a, b).outcome == Right {
		return 0, true
	}
	o, less, _ := c.compareReal(a, b)
	switch {
	case o == orderApart && less:
		return -1, true
	case o == orderApart:
		return 1, true
	}
	return 0, o == orderSame
}

// holds says whether a position is in the region: 2k+1 is the end point of rank k, 2k the gap before it.
func (r *region) holds(position int, places []int) bool {
	at := func(i int) int { return 2*places[i] + 1 }
	switch r.op {
	case 'r':
		return true
	case 's':
		if r.lo >= 0 && (position < at(r.lo) || position == at(r.lo) && !r.loIn) {
			return false
		}
		return r.hi < 0 || position < at(r.hi) || position == at(r.hi) && r.hiIn
	case 'p', 'c':
		for _, p := range r.points {
			if position == at(p) {
				return r.op == 'p'
			}
		}
		return r.op == 'c'
	case 'u':
		return slices.ContainsFunc(r.parts, func(p *region) bool { return p.holds(position, places) })
	case 'd':
		return r.parts[0].holds(position, places) && !r.parts[1].holds(position, places)
	}
	for _, p := range r.parts {
		if !p.holds(position, places) {
			return false
		}
	}
	return true
}
