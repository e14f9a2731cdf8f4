package verify

// sameLists compares lists and sets without brackets or with braces: as sets of their items, or in order.
func (c *checker) sameLists(a, b *node) result {
	if a.kind == kList && b.kind == kList && a.name != b.name && a.name != "" && b.name != "" {
		return result{Wrong, RuleKind} // p and q is not p or q
	}
	x, y := c.elements(a), c.elements(b)
	if len(x) == 1 && len(y) == 1 {
		return c.same(x[0], y[0])
	}
	if !isList(a) || !isList(b) {
		if len(x) == 1 {
			x, y = y, x
		}
		if len(y) == 1 {
			return judged(c.restates(x, y[0]), RuleKind)
		}
	}
	if c.options.Lists == ListsOrdered || c.options.Spaces == SpacesList {
		return c.inOrder(x, y)
	}
	return c.asSets(x, y)
}

// restates says whether a list gives one value in several forms: 9/2 or 4.5.
func (c *checker) restates(list []*node, value *node) bool {
	if len(list) > 4 || !readable(value) || hasVariables(value) {
		return false
	}
	same := true
	for _, item := range list {
		if !readable(item) || c.same(item, value).outcome != Right {
			return false
		}
		same = same && item.kind == list[0].kind && item.places == list[0].places
	}
	return !same // 5, 5 are two values
}

// elements are the items of a list with signs ± written out and nested lists flat.
func (c *checker) elements(n *node) []*node {
	if !isList(n) {
		return []*node{n}
	}
	nested := false
	for _, a := range n.args {
		if a.kind != kNumber {
			nested = true
			break
		}
	}
	if !nested {
		return n.args
	}
	items := make([]*node, 0, len(n.args))
	for _, a := range n.args {
		m := a
		if a.kind != kNumber && a.kind != kTuple && a.kind != kSymbol {
			m = c.simplify(a)
			if m.kind == kRelation && m.name == "=" && len(m.args) == 2 { // x = 1 ± 2
				if value := c.simplify(m.args[1]); value.kind == kList && isName(m.args[0]) {
					m = value
				}
			}
		}
		if m.kind == kList && len(items) < maxNodes {
			items = append(items, c.elements(m)...)
			continue
		}
		items = append(items, m)
	}
	return items
}

func (c *checker) inOrder(x, y []*node) result {
	if len(x) != len(y) {
		return result{Wrong, RuleSize}
	}
	for i := range x {
		if r := c.same(x[i], y[i]); r.outcome != Right {
			return result{r.outcome, RuleItems}
		}
	}
	return result{Right, RuleItems}
}

// asSets says whether every item of one is an item of the other, and the other way round. Rational items are looked up;
// the others are compared pair by pair.
func (c *checker) asSets(x, y []*node) result {
	if same, ok := c.sameIntegers(x, y); ok {
		return judged(same, RuleItems)
	}
	exactX, restX := c.split(x)
	exactY, restY := c.split(y)
	if len(exactX)+len(restX) < len(x) && len(exactY)+len(restY) < len(y) && !c.timesEqual(x, y) {
		return result{Wrong, RuleItems} // 2, 2, 3 is not 2, 3, 3; but 2, 2, 3 may be 2, 3
	}
	outcome := Right
	for _, side := range [...]struct {
		keys  map[string]*node
		other map[string]*node
		rest  []*node
	}{{exactX, exactY, restY}, {exactY, exactX, restX}} {
		for key, item := range side.keys {
			if side.other[key] != nil {
				continue
			}
			outcome = worse(outcome, c.among(item, side.rest, side.other))
			if outcome == Wrong {
				return result{Wrong, RuleItems}
			}
		}
	}
	for _, pair := range [...]struct {
		items, rest []*node
		exact       map[string]*node
	}{{restX, restY, exactY}, {restY, restX, exactX}} {
		for _, item := range pair.items {
			outcome = worse(outcome, c.among(item, pair.rest, pair.exact))
			if outcome == Wrong {
				return result{Wrong, RuleItems}
			}
		}
	}
	return result{outcome, RuleItems}
}

// worse is Wrong before Unknown before Right.
func worse(a, b Outcome) Outcome {
	if a == Wrong || b == Wrong {
		return Wrong
	}
	if a == Unknown || b == Unknown {
		return Unknown
	}
	return Right
}

// split parts items into rational numbers by their text, and others.
func (c *checker) split(items []*node) (exact map[string]*node, rest []*node) {
	exact = make(map[string]*node, min(len(items), 1024))
	for _, item := range items {
		if v, ok := c.exact(item); ok && v.Bits() < 4096 {
			exact[v.String()] = item
			continue
		}
		rest = append(rest, item)
	}
	return exact, rest
}

// sameIntegers compares long lists of small integers, as asSets does; ok is false for any others.
func (c *checker) sameIntegers(x, y []*node) (same, ok bool) {
	if len(x)+len(y) < 64 || c.options.Decimals != DecimalsExact || c.options.Precision > 0 {
		return false, false
	}
	for _, list := range [...][]*node{x, y} {
		for _, item := range list {
			if _, small := item.value.Int64(); item.kind != kNumber || !small {
				return false, false
			}
		}
	}
	times := make(map[int64][2]int32, min(len(x), 1<<12))
	for _, item := range x {
		v, _ := item.value.Int64()
		n := times[v]
		n[0]++
		times[v] = n
	}
	for _, item := range y {
		v, _ := item.value.Int64()
		n, known := times[v]
		if !known {
			return false, true
		}
		n[1]++
		times[v] = n
	}
	repeated := len(times) < len(x) && len(times) < len(y)
	for _, n := range times {
		if n[1] == 0 || repeated && n[0] != n[1] {
			return false, true
		}
	}
	return true, true
}

// timesEqual says whether each rational number occurs as many times in x as in y.
func (c *checker) timesEqual(x, y []*node) bool {
	times := map[string]int{}
	count := func(items []*node, by int) {
		for _, item := range items {
			if v, ok := c.exact(item); ok && v.Bits() < 4096 {
				times[v.String()] += by
			}
		}
	}
	count(x, 1)
	count(y, -1)
	for _, n := range times {
		if n != 0 {
			return false
		}
	}
	return true
}

// among says whether an item equals one of others.
func (c *checker) among(item *node, rest []*node, exact map[string]*node) Outcome {
	outcome := Wrong
	try := func(other *node) bool {
		switch c.same(item, other).outcome {
		case Right:
			outcome = Right
			return true
		case Unknown:
			outcome = Unknown
		}
		return c.spent
	}
	for _, other := range rest {
		if try(other) {
			return outcome
		}
	}
	if len(exact) > 64 && len(rest) == 0 {
		return outcome
	}
	for _, key := range sortedKeys(exact) {
		if try(exact[key]) {
			return outcome
		}
	}
	return outcome
}

// sameTuple compares points, ordered lists and plain intervals.
func (c *checker) sameTuple(a, b *node) result {
	if a.kind == kTuple && b.kind == kTuple {
		if len(a.args) != len(b.args) {
			return result{Wrong, RuleSize}
		}
		if len(a.args) == 2 && (a.open != b.open && infinite(a.args[0]) == 0 || a.shut != b.shut && infinite(a.args[1]) == 0) || a.open == '{' != (b.open == '{') {
			return result{Wrong, RuleBrackets}
		}
		return c.inOrder(a.args, b.args)
	}
	t, other := a, b
	if b.kind == kTuple {
		t, other = b, a
	}
	if other.kind != kList && (other.kind != kSet || other.n == 0) { // a set has no order
		return result{Wrong, RuleKind}
	}
	if len(other.args) != len(t.args) {
		return result{Wrong, RuleSize}
	}
	for _, item := range other.args {
		if item.kind == kTuple {
			return result{Wrong, RuleKind}
		}
	}
	return c.inOrder(a.args, b.args)
}

// timeLike says whether a : b may be hours and minutes of two digits.
func timeLike(n *node) bool {
	if len(n.args) != 2 || n.args[0].kind != kNumber || n.args[1].kind != kNumber {
		return false
	}
	hours, ok1 := n.args[0].value.Int64()
	minutes, ok2 := n.args[1].value.Int64()
	return ok1 && ok2 && hours >= 0 && hours <= 24 && minutes >= 10 && minutes < 60
}

// sameRatio compares a : b : c up to a common factor. With a zero in them, or where both may be times of day (4:30 is not
// 2:15), they are compared part by part; seconds of 00 may be left out.
func (c *checker) sameRatio(a, b *node) result {
	if len(a.args) == len(b.args)+1 {
		a, b = b, a
	}
	x, y := a.args, b.args
	if len(y) == len(x)+1 {
		if v, ok := c.exact(y[len(x)]); !ok || v.Sign() != 0 || len(x) != 2 {
			return result{Wrong, RuleSize}
		}
		return c.inOrder(x, y[:len(x)])
	}
	if len(x) != len(y) {
		return result{Wrong, RuleSize}
	}
	zero := false
	for i := range x {
		v, ok1 := c.exact(x[i])
		w, ok2 := c.exact(y[i])
		zero = zero || ok1 && v.Sign() == 0 || ok2 && w.Sign() == 0
	}
	zero = zero || timeLike(a) && timeLike(b)
	if zero {
		return c.inOrder(x, y)
	}
	for i := 1; i < len(x); i++ { // x0·yi = xi·y0
		left := &node{kind: kMul, args: []*node{x[0], y[i]}}
		right := &node{kind: kMul, args: []*node{x[i], y[0]}}
		if r := c.sameScalar(left, right); r.outcome != Right {
			return r
		}
	}
	return result{Right, RuleExact}
}
