package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// peeled is a value without its unit.
type peeled struct {
	inner *node
	measure
	unit  bool // a known unit was there
	money bool // only as the sign $, which is weaker than a word: $5 may be 5 dollars per hour
}

// undress takes units and nouns off both sides; apart says that two units contradict each other.
func (c *checker) undress(a, b *node) (x, y *node, apart bool) {
	if a.kind == kNumber && b.kind == kNumber {
		return a, b, false
	}
	p, q := c.peel(a), c.peel(b)
	p.moreUnits()
	q.moreUnits()
	if p.unit != q.unit || !p.unit {
		c.unitLetters(&p, &q)
		c.unitLetters(&q, &p)
	}
	if p.unit && !gradual[p.dimension] && q.inner.kind == kDegree || q.unit && !gradual[q.dimension] && p.inner.kind == kDegree {
		return p.inner, q.inner, true // 180 miles are no 180°
	}
	p.inner, q.inner = radians(p, q), radians(q, p)
	if p.money && !currencies[q.dimension] || q.money && !currencies[p.dimension] {
		return p.inner, q.inner, false
	}
	switch {
	case p.unit && q.unit && p.dimension != "" && q.dimension != "":
		if p.dimension != q.dimension {
			return p.inner, q.inner, !(unmeasured(p.dimension, q.dimension) || unmeasured(q.dimension, p.dimension))
		}
		if !p.scale.Equal(q.scale) {
			return scaled(p), scaled(q), false
		}
	case c.options.Units == UnitsStrict && p.unit != q.unit && p.dimension != q.dimension:
		return p.inner, q.inner, true
	}
	return p.inner, q.inner, false
}

// gradual are the dimensions of units that a sign of degrees alone may stand for, or that say nothing.
var gradual = map[string]bool{"": true, "angle": true, "celsius": true, "fahrenheit": true}

// currencies are the dimensions of money.
var currencies = map[string]bool{"money": true, "euro": true, "sterling": true, "yen": true, "rupee": true}

// unmeasured says whether x is an area or a volume in units of no known size, and y one of known size.
func unmeasured(x, y string) bool {
	power, found := strings.CutPrefix(x, "unit^")
	return found && y == "length^"+power
}

// radians is p in radians where it is in degrees and q says that it is in radians.
func radians(p, q peeled) *node {
	if p.inner.kind != kDegree || !q.unit || q.dimension != "angle" {
		return p.inner
	}
	return &node{kind: kMul, args: []*node{p.inner.args[0], {kind: kConstant, name: "pi"}, {kind: kNumber, value: rat.Of(1, 180)}}}
}

func scaled(p peeled) *node {
	return &node{kind: kMul, args: []*node{{kind: kNumber, value: p.scale}, p.inner}}
}

// peel takes a unit or noun off a value. Percent stays: it is part of the number.
func (c *checker) peel(n *node) peeled {
	p := peeled{inner: n, measure: measure{scale: rat.Int(1)}}
	if n.kind == kAdd || n.kind == kList {
		if sum, ok := mixedUnits(n); ok {
			return sum
		}
		return c.lastUnit(n, p)
	}
	for n.kind == kQuantity {
		d, s, known := unitOf(n.name)
		switch {
		case d == "%" && known:
			n = &node{kind: kPercent, args: n.args}
			continue
		case d == "°" && known:
		case known && !p.unit:
			p.dimension, p.scale, p.unit, p.money = d, s, true, n.name == "$" || n.name == "€" || n.name == "£" || n.name == "¥"
		case known && d != "" && p.dimension != "": // 5 kg · m/s
			powers := map[string]int64{}
			addDimension(powers, p.dimension, 1)
			addDimension(powers, d, 1)
			p.dimension, p.scale = dimensionOf(powers), p.scale.Mul(s)
		}
		n = n.args[0]
	}
	p.inner = n
	return p
}

// lastUnit takes the unit of a sum from its last term, where no other has one: 480 + 480√3 feet.
func (c *checker) lastUnit(n *node, p peeled) peeled {
	last := len(n.args) - 1
	term := n.args[last]
	negative := term.kind == kMul && len(term.args) == 2 && term.args[0].kind == kNumber && term.args[1].kind == kQuantity
	if negative {
		term = term.args[1]
	}
	if n.kind != kAdd || term.kind != kQuantity {
		return p
	}
	for _, a := range n.args[:last] {
		if a.holds(func(m *node) bool { return m.kind == kQuantity }) {
			return p
		}
	}
	p = c.peel(term)
	inner := p.inner
	if negative {
		inner = &node{kind: kMul, args: []*node{n.args[last].args[0], inner}}
	}
	p.inner = &node{kind: kAdd, args: append(append([]*node{}, n.args[:last]...), inner)}
	return p
}

// mixedUnits adds up a value in ever smaller units of one dimension: 5 ft 3 in, 1 hour and 30 minutes.
func mixedUnits(n *node) (peeled, bool) {
	sum := &node{kind: kAdd}
	var dimension string
	var last rat.Rat
	for i, a := range n.args {
		if a.kind != kQuantity || a.args[0].kind != kNumber {
			return peeled{}, false
		}
		d, s, known := unitOf(a.name)
		if !known || d == "" || d == "%" || d == "°" || i > 0 && (d != dimension || s.Cmp(last) >= 0) {
			return peeled{}, false
		}
		dimension, last = d, s
		sum.args = append(sum.args, &node{kind: kMul, args: []*node{{kind: kNumber, value: s}, a.args[0]}})
	}
	return peeled{inner: sum, measure: measure{dimension, rat.Int(1)}, unit: true}, true
}

// moreUnits reads the letters before a unit as units, too: 22.4 L mol^-1.
func (p *peeled) moreUnits() {
	if !p.unit || p.inner.kind != kMul || p.dimension == "" || !hasVariables(p.inner) {
		return
	}
	factors := unitFactors{powers: map[string]int64{}, scale: rat.Int(1)}
	if !factors.read(p.inner, 1) || len(factors.powers) == 0 || len(factors.rest) != 1 {
		return
	}
	addDimension(factors.powers, p.dimension, 1)
	p.inner, p.dimension, p.scale = factors.rest[0], dimensionOf(factors.powers), p.scale.Mul(factors.scale)
}

// unitLetters reads the letters of p as units where q has a unit or is a plain number: 20 m/s, 9.8 m/s^2. Against a plain
// number only a speed or an acceleration is one, for 2mg may be a product.
func (c *checker) unitLetters(p, q *peeled) {
	if p.unit || !scalarKind(p.inner) || !scalarKind(q.inner) || !hasVariables(p.inner) || hasVariables(q.inner) {
		return
	}
	factors := unitFactors{powers: map[string]int64{}, scale: rat.Int(1)}
	if !factors.read(p.inner, 1) || len(factors.powers) == 0 {
		return
	}
	if d := dimensionOf(factors.powers); !q.unit && d != "length time^-1" && d != "length time^-2" {
		return
	}
	p.inner = &node{kind: kMul, args: append(factors.rest, &node{kind: kNumber, value: rat.Int(1)})}
	if len(factors.rest) == 1 {
		p.inner = factors.rest[0]
	}
	p.dimension, p.scale, p.unit = dimensionOf(factors.powers), factors.scale, true
}

func scalarKind(n *node) bool {
	switch n.kind {
	case kNumber, kAdd, kMul, kDiv, kPow, kCall, kPercent, kDegree, kConstant:
		return true
	}
	return false
}

// unitFactors collects the units among the factors of a product.
type unitFactors struct {
	powers map[string]int64
	scale  rat.Rat
	rest   []*node // factors that are numbers
}

func (u *unitFactors) read(n *node, sign int64) bool {
	switch {
	case n.kind == kMul:
		for _, a := range n.args {
			if !u.read(a, sign) {
				return false
			}
		}
		return true
	case n.kind == kDiv && hasVariables(n.args[1]):
		return u.read(n.args[0], sign) && u.read(n.args[1], -sign)
	case n.kind == kQuantity:
		return u.add(n.name, sign) && u.read(n.args[0], sign)
	case n.kind == kPow && hasVariables(n.args[0]):
		k, ok := n.args[1].value.Int64()
		if n.args[1].kind != kNumber || !ok || k == 0 || k > 9 || k < -9 {
			return false
		}
		return (n.args[0].kind == kSymbol || n.args[0].kind == kText) && u.add(n.args[0].name, sign*k)
	case n.kind == kSymbol || n.kind == kText:
		return u.add(n.name, sign)
	case hasVariables(n) || sign < 0 && n.kind != kNumber || !scalarKind(n):
		return false
	case sign < 0:
		if n.value.Sign() == 0 {
			return false
		}
		n = &node{kind: kNumber, value: n.value.Inv()}
	}
	u.rest = append(u.rest, n)
	return true
}

func (u *unitFactors) add(name string, power int64) bool {
	d, s, known := unitOf(name)
	if !known || d == "" || d == "%" || d == "°" || len(name) > 24 {
		return false
	}
	u.scale = u.scale.Mul(s.Pow(power))
	addDimension(u.powers, d, power)
	return true
}

// clock reads a time of day with a.m. or p.m. as the time on 24 hours.
func clock(n *node) (*node, bool) {
	if n.kind != kQuantity {
		return n, false
	}
	half := strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(n.name, ".", ""), " ", ""))
	inner := n.args[0]
	if half != "am" && half != "pm" {
		return n, false
	}
	parts := []*node{inner}
	if inner.kind == kRatio {
		parts = inner.args
	}
	hour, ok := parts[0].value.Int64()
	if parts[0].kind != kNumber || !ok || hour < 1 || hour > 12 {
		return n, false
	}
	hour %= 12
	if half == "pm" {
		hour += 12
	}
	m := &node{kind: kRatio, args: []*node{{kind: kNumber, value: rat.Int(hour)}}}
	m.args = append(m.args, parts[1:]...)
	if len(m.args) == 1 {
		m.args = append(m.args, &node{kind: kNumber})
	}
	return m, true
}

// sameClock compares times of day of which at least one says a.m. or p.m.; a bare time may be on 12 or on 24 hours.
func (c *checker) sameClock(a, b *node) (result, bool) {
	if a.kind != kQuantity && b.kind != kQuantity {
		return result{}, false
	}
	x, ok1 := clock(a)
	y, ok2 := clock(b)
	if ok2 && !ok1 {
		a, b, x, y = b, a, y, x
	}
	switch {
	case ok1 && ok2:
		return c.inOrder(x.args, y.args), true
	case !ok1 && !ok2 || y.kind != kRatio:
		return result{}, false
	}
	if r := c.inOrder(x.args, y.args); r.outcome == Right || a.args[0].kind != kRatio {
		return r, true
	}
	return c.inOrder(a.args[0].args, y.args), true
}
