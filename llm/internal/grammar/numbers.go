package grammar

import "fmt"

// magnitudes writes the absolute values of numbers: an automaton over their digits, whose states are rules.
type magnitudes struct {
	numbers
	s    *schemaCompiler
	memo map[digitState]*expression // nil: nothing leads to an end from there
}

// digitState is what there is to know before the next digit: how many are left before the point, or at how many behind it we are, how the digits so far
// compare to the bounds, and what they leave when divided by the step.
type digitState struct {
	whole, left, at int  // digits before the point, of them still to come, digits behind it; whole is 0 where no bound matters any more
	onLow, onHigh   bool // all digits so far are those of the bound
	remainder       uint64
}

// number returns the texts of the numbers of a schema.
func (s *schemaCompiler) number(n *numbers, path string) (expression, error) {
	zero := bound{decimal: decimal{whole: "0"}}
	var list []expression
	add := func(sign string, low, high *bound) {
		m := &magnitudes{numbers: *n, s: s, memo: map[digitState]*expression{}}
		m.low, m.high = low, high
		if e, ok := m.all(); ok {
			list = append(list, all(literal(sign), e))
		}
	}
	if n.high == nil || n.high.compare(zero.decimal) >= 0 {
		low := n.low
		if low == nil || low.negative {
			low = &zero
		}
		add("", low, n.high)
	}
	if n.low == nil || n.low.negative {
		low, high := &bound{zero.decimal, true}, n.low
		if n.high != nil && n.high.negative {
			low = &bound{n.high.minus(), n.high.strict}
		}
		if high != nil {
			high = &bound{high.minus(), high.strict}
		}
		add("-", low, high)
	}
	if len(list) == 0 {
		return expression{}, fmt.Errorf("%s: no number is within these bounds", path)
	}
	if s.made > maxMade {
		return expression{}, fmt.Errorf("%s: the bounds of numbers and multipleOf take more than %d rules in all", path, maxMade)
	}
	return either(list...), nil
}

// all is the texts of all lengths.
func (m *magnitudes) all() (expression, bool) {
	most := maxDigits
	if m.step > 0 {
		most = min(most, 2000/int(coprime(m.step)))
	}
	if m.high != nil {
		most = min(maxDigits, len(m.high.whole))
	}
	var list []expression
	for n := max(1, len(m.low.whole)); n <= most; n++ {
		k := digitState{whole: n, left: n, onLow: len(m.low.whole) == n, onHigh: m.high != nil && len(m.high.whole) == n}
		first := 1
		if n == 1 {
			first = 0
		}
		list = append(list, m.digits(k, first)...)
	}
	return either(list...), len(list) > 0
}

// digits lists what may follow in state k, beginning with a digit that is at least first.
func (m *magnitudes) digits(k digitState, first int) (list []expression) {
	var ranges []runeRange
	var last digitState
	flush := func() {
		if len(ranges) == 0 {
			return
		}
		if e := m.from(last); e != nil {
			list = append(list, all(oneOf(ranges...), *e))
		}
		ranges = nil
	}
	for d := first; d <= 9; d++ {
		next, ok := m.after(k, d)
		if !ok {
			continue
		}
		if next != last {
			flush()
		}
		c := rune('0' + d)
		if n := len(ranges); n > 0 && ranges[n-1].hi == c-1 {
			ranges[n-1].hi = c
		} else {
			ranges = append(ranges, runeRange{c, c})
		}
		last = next
	}
	flush()
	return list
}

// after is the state behind a digit; ok is false if the bounds do not allow it.
func (m *magnitudes) after(k digitState, digit int) (next digitState, ok bool) {
	next = k
	if k.onLow {
		if b := m.low.digit(k); digit < b {
			return k, false
		} else if digit > b {
			next.onLow = false
		}
	}
	if k.onHigh {
		if b := m.high.digit(k); digit > b {
			return k, false
		} else if digit < b {
			next.onHigh = false
		}
	}
	if k.left > 0 {
		next.left--
	} else {
		next.at++
	}
	if m.step > 0 {
		next.remainder = (k.remainder*10 + uint64(digit)) % m.modulus(next)
	}
	if !next.onLow && !next.onHigh {
		next.whole = 0
	}
	return next, true
}

// digit is the digit of a bound at the place that state k stands before. The bound has as many digits before the point as the number.
func (b *bound) digit(k digitState) int {
	switch {
	case k.left > 0:
		return int(b.whole[k.whole-k.left] - '0')
	case k.at < len(b.part):
		return int(b.part[k.at] - '0')
	}
	return 0
}

// modulus is that of the remainders that still matter: what follows is a multiple of the other factors of the step.
func (m *magnitudes) modulus(k digitState) uint64 {
	n := m.step
	for range k.left + m.places - k.at {
		n /= gcd(n, 10)
	}
	return n
}

// from is what may follow in a state within a number, nil if nothing leads to an end.
func (m *magnitudes) from(k digitState) *expression {
	if e, ok := m.memo[k]; ok {
		return e
	}
	m.s.made++
	e := m.build(k)
	if e != nil {
		shared := m.s.share(*e)
		e = &shared
	}
	m.memo[k] = e
	return e
}

func (m *magnitudes) build(k digitState) *expression {
	isFree := !k.onLow && !k.onHigh && m.step == 0
	var list []expression
	switch {
	case m.s.made > maxMade:
		return nil
	case k.left > 0 && !isFree:
		list = m.digits(k, 0)
	case isFree && k.at > 0:
		list = append(list, times(digit, 0, m.places-k.at))
	case isFree:
		rest := expression{}
		if m.places > 0 {
			rest = optional(all(literal("."), times(digit, 1, m.places)))
		}
		list = append(list, all(times(digit, k.left, k.left), rest))
	default:
		if m.ends(k) {
			list = append(list, expression{})
		}
		if k.at == m.places {
			break
		}
		if behind := m.digits(k, 0); k.at > 0 {
			list = append(list, behind...)
		} else if len(behind) > 0 {
			list = append(list, all(literal("."), either(behind...)))
		}
	}
	if len(list) == 0 {
		return nil
	}
	e := either(list...)
	return &e
}

// ends reports whether a number may end in a state behind the point, or just before it.
func (m *magnitudes) ends(k digitState) bool {
	if k.onLow && (k.at < len(m.low.part) || m.low.strict) || k.onHigh && k.at >= len(m.high.part) && m.high.strict {
		return false
	}
	return k.remainder == 0
}
