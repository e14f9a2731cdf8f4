package grammar

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/retort-ml/retort/engine"
)

// stack is what must follow: the element at code[at], and behind the end of its rule what is below. Equal stacks are one, so that they
// are compared by their numbers.
type stack struct {
	at    int32
	id    uint64
	below *stack
}

type stackKey struct {
	at    int32
	below *stack
}

// state is a set of stacks that all stand before a byte, and whether the text may end. Equal states are one.
type state struct {
	stacks   []*stack
	complete bool
	next     [256]*state // once known; dead where nothing may follow
	mask     *mask       // once known
}

// dead is the state after a byte that no stack has.
var dead = &state{}

// push returns the stack with code[at] on top.
func (g *Grammar) push(at int32, below *stack) *stack {
	key := stackKey{at, below}
	s, ok := g.stacks[key]
	if !ok {
		g.last++
		s = &stack{at: at, id: g.last, below: below}
		g.stacks[key] = s
	}
	return s
}

// opening collects the stacks that stand before a byte.
type opening struct {
	g        *Grammar
	seen     map[*stack]bool
	stacks   []*stack
	complete bool
}

// open returns the state's parts when one of the alternatives must follow, and then what is below.
func (g *Grammar) open(alternatives []int32, below *stack) *opening {
	o := &opening{g: g, seen: map[*stack]bool{}}
	o.alternatives(alternatives, below)
	return o
}

func (o *opening) alternatives(list []int32, below *stack) {
	for _, at := range list {
		o.add(at, below)
	}
}

// add follows rules and ends until a byte must come. A rule without itself at its left, which check has seen to, makes it end.
func (o *opening) add(at int32, below *stack) {
	for o.g.code[at].kind == endElement {
		if below == nil {
			o.complete = true
			return
		}
		at, below = below.at, below.below
	}
	s := o.g.push(at, below)
	if o.seen[s] || len(o.seen) > maxStacks {
		return
	}
	o.seen[s] = true
	e := o.g.code[at]
	if e.kind == byteElement {
		o.stacks = append(o.stacks, s)
		return
	}
	rest := below
	if o.g.code[at+1].kind != endElement { // otherwise nothing is left of this rule: the stack need not grow
		rest = o.g.push(at+1, below)
	}
	o.alternatives(o.g.rules[e.set], rest)
}

// intern returns the state of an opening.
func (g *Grammar) intern(o *opening) *state {
	if len(o.stacks) == 0 && !o.complete || len(o.seen) > maxStacks {
		return dead
	}
	slices.SortFunc(o.stacks, func(a, b *stack) int { return cmp.Compare(a.id, b.id) })
	key := make([]byte, 1, 1+8*len(o.stacks))
	if o.complete {
		key[0] = 1
	}
	for _, s := range o.stacks {
		key = binary.LittleEndian.AppendUint64(key, s.id)
	}
	s, ok := g.states[string(key)]
	if !ok {
		s = &state{stacks: o.stacks, complete: o.complete}
		g.states[string(key)] = s
	}
	return s
}

// after returns the state after a byte. g.mu is held.
func (s *state) after(g *Grammar, b byte) *state {
	if t := s.next[b]; t != nil {
		return t
	}
	o := &opening{g: g, seen: map[*stack]bool{}}
	for _, top := range s.stacks {
		if g.sets[g.code[top.at].set].has(b) {
			o.add(top.at+1, top.below)
		}
	}
	t := g.intern(o)
	s.next[b] = t
	return t
}

// maxStates bounds the memory of states that are remembered: beyond it the tables are begun anew, and running samples keep theirs.
const maxStates = 1 << 12

// maxStacks bounds how many ways there may be to read a text: a grammar that has more there allows nothing any more.
const maxStacks = 1 << 12

// place is where in a text a sample is. It implements engine.GrammarState.
type place struct {
	g *Grammar
	s *state
}

// Allow implements engine.GrammarState.
func (p place) Allow(bits []uint64) {
	if p.s == dead {
		return
	}
	p.g.mu.Lock()
	m := p.s.allowed(p.g)
	p.g.mu.Unlock()
	for i, word := range m.bits {
		bits[i] |= word
	}
}

// Next implements engine.GrammarState.
func (p place) Next(token int32) engine.GrammarState {
	text := p.g.vocab.text(token)
	if p.s == dead || text == "" {
		return place{p.g, dead}
	}
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	if len(p.g.states) > maxStates {
		p.g.states, p.g.stacks = map[string]*state{}, map[stackKey]*stack{}
	}
	s := p.s
	for i := 0; i < len(text) && s != dead; i++ {
		s = s.after(p.g, text[i])
	}
	return place{p.g, s}
}

// Complete implements engine.GrammarState.
func (p place) Complete() bool { return p.s.complete }
