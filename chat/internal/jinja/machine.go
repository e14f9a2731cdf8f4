package jinja

import (
	"strings"
	"unicode/utf8"
)

// machine is one rendering: its limits and what is left of them.
type machine struct {
	options Options
	steps   int // left
	depth   int // in use
	memory  int // left
	// The tables, which hold functions that need them.
	filters map[string]filterFunction
	tests   map[string]testFunction
	methods map[string]map[string]methodFunction
}

func newMachine(o Options) *machine {
	return &machine{options: o, steps: o.MaxSteps, memory: o.MaxMemory}
}

// step counts n units of work.
func (m *machine) step(n int) error {
	if n > m.steps {
		m.steps = 0
		return limitError("more than %d steps", m.options.MaxSteps)
	}
	m.steps -= n
	return nil
}

// read counts the reading of n bytes.
func (m *machine) read(n int) error { return m.step(1 + n/64) }

// allocate counts n bytes that are going to be made.
func (m *machine) allocate(n int) error {
	if n > m.memory {
		m.memory = 0
		return limitError("more than %d bytes of memory", m.options.MaxMemory)
	}
	m.memory -= n
	return m.step(n / 64)
}

// text counts the making of a text of n bytes; n < 0 stands for a length that overflowed.
func (m *machine) text(n int) error {
	if n < 0 || n > m.options.MaxOutput {
		return limitError("a text of more than %d bytes", m.options.MaxOutput)
	}
	return m.allocate(n)
}

// itemBytes is the memory of one item of a list.
const itemBytes = 16

// newItems counts the making of n items.
func (m *machine) newItems(n int) error {
	if n < 0 || n > m.memory/itemBytes {
		return limitError("more than %d bytes of memory", m.options.MaxMemory)
	}
	if err := m.step(n); err != nil {
		return err
	}
	return m.allocate(n * itemBytes)
}

// enter goes one level deeper; leave comes back.
func (m *machine) enter() error {
	if m.depth >= m.options.MaxDepth {
		return limitError("nested more than %d deep", m.options.MaxDepth)
	}
	m.depth++
	return m.step(1)
}

func (m *machine) leave() { m.depth-- }

// countRunes is the length of a text in code points.
func (m *machine) countRunes(s string) (int, error) {
	return utf8.RuneCountInString(s), m.read(len(s))
}

// runes is the text as code points.
func (m *machine) runes(s string) ([]rune, error) {
	if err := m.allocate(4 * len(s)); err != nil {
		return nil, err
	}
	return []rune(s), nil
}

// buffer is a text that grows within the limits.
type buffer struct {
	m    *machine
	text strings.Builder
}

func (b *buffer) String() string { return b.text.String() }

func (b *buffer) write(s string) error {
	if b.text.Len()+len(s) > b.m.options.MaxOutput {
		return limitError("a text of more than %d bytes", b.m.options.MaxOutput)
	}
	if err := b.m.allocate(len(s)); err != nil {
		return err
	}
	b.text.WriteString(s)
	return nil
}

// scope holds the variables of one block; a lookup goes outwards.
type scope struct {
	parent *scope
	names  []string
	values []Value
	index  map[string]int // nil while there are few names
}

func (s *scope) find(name string) int {
	if s.index != nil {
		if i, ok := s.index[name]; ok {
			return i
		}
		return -1
	}
	for i, n := range s.names {
		if n == name {
			return i
		}
	}
	return -1
}

func (s *scope) set(name string, value Value) {
	if i := s.find(name); i >= 0 {
		s.values[i] = value
		return
	}
	s.names = append(s.names, name)
	s.values = append(s.values, value)
	switch {
	case s.index != nil:
		s.index[name] = len(s.names) - 1
	case len(s.names) > 16:
		s.index = make(map[string]int, 2*len(s.names))
		for i, n := range s.names {
			s.index[n] = i
		}
	}
}

// lookup returns the innermost variable of a name, or an undefined value.
func (s *scope) lookup(name string) Value {
	for at := s; at != nil; at = at.parent {
		if i := at.find(name); i >= 0 {
			return at.values[i]
		}
	}
	return newUndefined(name)
}
