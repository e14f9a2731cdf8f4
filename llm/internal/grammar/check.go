package grammar

import "fmt"

// check refuses grammars that no text can meet and those that would be followed for ever.
func (c *compiler) check(start int32) error {
	ends := c.closure(func(e element) bool { return c.g.sets[e.set] != (byteSet{}) })
	if !ends[start] {
		return fmt.Errorf("grammar: rule %.60q has no text: each of its alternatives needs itself, or a character of an empty class", c.byName[start])
	}
	c.prune(ends)
	return c.checkLeft(c.closure(func(element) bool { return false }))
}

// prune takes out the alternatives that no text can meet: what is left can always be brought to an end.
func (c *compiler) prune(ends []bool) {
	for id, alternatives := range c.g.rules {
		var kept []int32
		for _, first := range alternatives {
			at := first
			for e := c.g.code[at]; e.kind == byteElement && c.g.sets[e.set] != (byteSet{}) || e.kind == ruleElement && ends[e.set]; e = c.g.code[at] {
				at++
			}
			if c.g.code[at].kind == endElement {
				kept = append(kept, first)
			}
		}
		c.g.rules[id] = kept
	}
}

// closure finds the rules of which some alternative consists of bytes that hold and of rules that are found.
func (c *compiler) closure(holds func(e element) bool) []bool {
	found := make([]bool, len(c.g.rules))
	waiting := map[int32]int{}                  // rules that an alternative still needs
	needs := make([][][2]int32, len(c.g.rules)) // for each rule, the alternatives (and their rules) that have it
	var work []int32
	find := func(id int32) {
		if !found[id] {
			found[id] = true
			work = append(work, id)
		}
	}
	for id, alternatives := range c.g.rules {
		for _, first := range alternatives {
			n, ok := 0, true
			for at := first; c.g.code[at].kind != endElement; at++ {
				switch e := c.g.code[at]; e.kind {
				case ruleElement:
					n++
					needs[e.set] = append(needs[e.set], [2]int32{first, int32(id)})
				case byteElement:
					ok = ok && holds(e)
				}
			}
			if !ok {
				n = 1 << 30 // never
			}
			if waiting[first] = n; n == 0 {
				find(int32(id))
			}
		}
	}
	for len(work) > 0 {
		id := work[len(work)-1]
		work = work[:len(work)-1]
		for _, need := range needs[id] {
			if waiting[need[0]]--; waiting[need[0]] == 0 {
				find(need[1])
			}
		}
	}
	return found
}

// checkLeft refuses a rule that comes to itself before any byte: following it would not end.
func (c *compiler) checkLeft(empty []bool) error {
	const (
		fresh = iota
		open
		done
	)
	mark := make([]uint8, len(c.g.rules))
	// An explicit stack: rules from outside may be a long chain.
	type frame struct {
		rule int32
		next []int32
	}
	for first := range c.g.rules {
		if mark[first] != fresh {
			continue
		}
		mark[first] = open
		work := []frame{{int32(first), c.leftmost(int32(first), empty)}}
		for len(work) > 0 {
			f := &work[len(work)-1]
			if len(f.next) == 0 {
				mark[f.rule] = done
				work = work[:len(work)-1]
				continue
			}
			r := f.next[0]
			f.next = f.next[1:]
			switch mark[r] {
			case open:
				return fmt.Errorf("grammar: rule %.60q begins with itself: put what it repeats behind something else", c.byName[r])
			case fresh:
				mark[r] = open
				work = append(work, frame{r, c.leftmost(r, empty)})
			}
		}
	}
	return nil
}

// leftmost lists the rules with which a text of rule id may begin.
func (c *compiler) leftmost(id int32, empty []bool) []int32 {
	var list []int32
	for _, at := range c.g.rules[id] {
		for ; c.g.code[at].kind == ruleElement; at++ {
			r := c.g.code[at].set
			list = append(list, r)
			if !empty[r] {
				break
			}
		}
	}
	return list
}
