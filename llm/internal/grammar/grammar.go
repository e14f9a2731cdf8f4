// Package grammar turns a JSON schema, or a grammar in the notation of llama.cpp (GBNF), into an engine.Grammar over the tokens of a vocabulary.
//
// It works on bytes: a token may end within a character or span several rules. It checks no text that is there already, and knows nothing of thoughts: the
// engine begins a grammar where the thought has ended.
//
// Invariants: a token is allowed if and only if its bytes, after those before, can still become a text of the grammar by some bytes. A grammar
// that no text can meet is an error when it is compiled. A Grammar may be used by many goroutines.
package grammar

import (
	"fmt"
	"slices"
	"sync"

	"github.com/retort-ml/retort/engine"
)

// Limits of a compiled grammar, against texts from outside that would fill the memory.
const (
	maxElements = 1 << 17
	maxRepeat   = 1 << 16
	maxDepth    = 200 // of nested expressions
)

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(r byteRange) {
	for b := int(r.lo); b <= int(r.hi); b++ {
		s[b/64] |= 1 << (b % 64)
	}
}

func (s *byteSet) has(b byte) bool { return s[b/64]>>(b%64)&1 != 0 }

// element is one step of an alternative: the end of it, a byte, or a rule.
type element struct {
	kind elementKind
	set  int32 // of sets, or the number of the rule
}

type elementKind uint8

const (
	endElement elementKind = iota
	byteElement
	ruleElement
)

// Grammar is a compiled grammar. It implements engine.Grammar.
type Grammar struct {
	code  []element
	sets  []byteSet
	rules [][]int32 // where the alternatives of each rule begin in code

	mu     sync.Mutex
	states map[string]*state
	stacks map[stackKey]*stack
	last   uint64 // number of the newest stack
	vocab  *Vocabulary
	start  *state
}

// compiler lays out rules.
type compiler struct {
	g       *Grammar
	names   map[string]int32
	defined []bool
	byName  []string
	sets    map[byteSet]int32
	depth   int
}

// compile makes a grammar of named rules; the text is that of root.
func compile(rules map[string]expression, root string, v *Vocabulary) (*Grammar, error) {
	c := &compiler{
		g:     &Grammar{states: map[string]*state{}, stacks: map[stackKey]*stack{}, vocab: v},
		names: map[string]int32{}, sets: map[byteSet]int32{},
	}
	start := c.rule(root)
	names := make([]string, 0, len(rules))
	for name := range rules {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e := rules[name]
		if err := c.define(c.rule(name), &e); err != nil {
			return nil, err
		}
	}
	for i, defined := range c.defined {
		if !defined {
			return nil, fmt.Errorf("grammar: rule %.60q is not defined", c.byName[i])
		}
	}
	if err := c.check(start); err != nil {
		return nil, err
	}
	g := c.g
	g.start = g.intern(g.open(g.rules[start], nil))
	if mask := g.start.allowed(g); mask.count == 0 && !g.start.complete {
		return nil, fmt.Errorf("grammar: no token of the vocabulary begins a text of the grammar")
	}
	return g, nil
}

// rule returns the number of a named rule.
func (c *compiler) rule(name string) int32 {
	if id, ok := c.names[name]; ok {
		return id
	}
	id := c.fresh(name)
	c.names[name] = id
	c.defined[id] = false
	return id
}

// fresh makes a rule that only other rules refer to.
func (c *compiler) fresh(name string) int32 {
	c.g.rules = append(c.g.rules, nil)
	c.defined = append(c.defined, true)
	c.byName = append(c.byName, name)
	return int32(len(c.g.rules) - 1)
}

// define gives rule id its alternatives.
func (c *compiler) define(id int32, e *expression) error {
	c.defined[id] = true
	alternatives := []expression{*e}
	if e.kind == choice {
		alternatives = e.list
	}
	for i := range alternatives {
		steps, err := c.steps(nil, id, &alternatives[i])
		if err != nil {
			return err
		}
		c.alternative(id, steps)
		if len(c.g.code) > maxElements {
			return fmt.Errorf("grammar: more than %d elements after rule %.60q: shorten repetitions", maxElements, c.byName[id])
		}
	}
	return nil
}

func (c *compiler) alternative(id int32, steps []element) {
	c.g.rules[id] = append(c.g.rules[id], int32(len(c.g.code)))
	c.g.code = append(append(c.g.code, steps...), element{})
}

// steps appends the elements of an expression of rule id.
func (c *compiler) steps(to []element, id int32, e *expression) ([]element, error) {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		return nil, fmt.Errorf("grammar: rule %.60q is nested more than %d deep", c.byName[id], maxDepth)
	}
	switch e.kind {
	case sequence:
		for i := range e.list {
			var err error
			if to, err = c.steps(to, id, &e.list[i]); err != nil {
				return nil, err
			}
		}
		return to, nil
	case characters:
		return c.characters(to, id, e.ranges), nil
	case reference:
		return append(to, element{ruleElement, c.rule(e.rule)}), nil
	case repeat:
		return c.repeat(to, id, e)
	}
	inner := c.fresh(c.byName[id])
	return append(to, element{ruleElement, inner}), c.define(inner, e)
}

func (c *compiler) set(r byteRange) element {
	var s byteSet
	s.add(r)
	return c.setOf(s)
}

func (c *compiler) setOf(s byteSet) element {
	id, ok := c.sets[s]
	if !ok {
		id = int32(len(c.g.sets))
		c.sets[s] = id
		c.g.sets = append(c.g.sets, s)
	}
	return element{byteElement, id}
}

// characters appends one character. The encodings of one byte share a set; if there are longer ones, they are alternatives of a rule.
func (c *compiler) characters(to []element, id int32, ranges []runeRange) []element {
	var single byteSet
	var long [][]byteRange
	for _, r := range ranges {
		for _, list := range encodings(r.lo, r.hi) {
			if len(list) == 1 {
				single.add(list[0])
				continue
			}
			long = append(long, list)
		}
	}
	steps := make([][]element, len(long))
	for i, list := range long {
		for _, r := range list {
			steps[i] = append(steps[i], c.set(r))
		}
	}
	switch {
	case len(long) == 0 && single != (byteSet{}):
		return append(to, c.setOf(single))
	case len(long) == 1 && single == (byteSet{}):
		return append(to, steps[0]...)
	}
	inner := c.fresh(c.byName[id])
	if single != (byteSet{}) {
		c.alternative(inner, []element{c.setOf(single)})
	}
	for _, list := range steps {
		c.alternative(inner, list)
	}
	return append(to, element{ruleElement, inner})
}

// repeat appends e.min copies, and a rule for those that may follow: many = e many | nothing, or a chain of such rules.
func (c *compiler) repeat(to []element, id int32, e *expression) ([]element, error) {
	if e.min > maxRepeat || e.max > maxRepeat {
		return nil, fmt.Errorf("grammar: rule %.60q repeats %d to %d times, want at most %d", c.byName[id], e.min, e.max, maxRepeat)
	}
	once, err := c.steps(nil, id, &e.list[0])
	if err != nil {
		return nil, err
	}
	if len(once) != 1 {
		inner := c.fresh(c.byName[id])
		c.alternative(inner, once)
		once = []element{{ruleElement, inner}}
	}
	for range e.min {
		to = append(to, once...)
	}
	if len(to) > maxElements {
		return nil, fmt.Errorf("grammar: more than %d elements in rule %.60q: shorten repetitions", maxElements, c.byName[id])
	}
	if e.max < 0 {
		many := c.fresh(c.byName[id])
		c.alternative(many, []element{once[0], {ruleElement, many}})
		c.alternative(many, nil)
		return append(to, element{ruleElement, many}), nil
	}
	var rest []element
	for range e.max - e.min {
		more := c.fresh(c.byName[id])
		c.alternative(more, append([]element{once[0]}, rest...))
		c.alternative(more, nil)
		rest = []element{{ruleElement, more}}
	}
	return append(to, rest...), nil
}

// Start implements engine.Grammar.
func (g *Grammar) Start() engine.GrammarState { return place{g, g.start} }
