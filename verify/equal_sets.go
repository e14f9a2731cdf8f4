package verify

import "slices"

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
