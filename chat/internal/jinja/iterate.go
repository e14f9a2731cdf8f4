package jinja

import "unicode/utf8"

// iterator yields values one after another.
type iterator struct {
	next func() (v Value, ok bool, err error)
}

// generator is a sequence that is made while it is read, once.
type generator struct {
	kind string // as Python names the type
	iterator
}

func newGenerator(next func() (Value, bool, error)) *generator {
	g := &generator{kind: "generator"}
	g.next = func() (Value, bool, error) {
		if next == nil {
			return nil, false, nil
		}
		v, ok, err := next()
		if !ok || err != nil {
			next = nil
		}
		return v, ok, err
	}
	return g
}

// overItems iterates over a slice.
func overItems(m *machine, items []Value) *iterator {
	at := 0
	return &iterator{func() (Value, bool, error) {
		if at >= len(items) {
			return nil, false, nil
		}
		at++
		return items[at-1], true, m.step(1)
	}}
}

func notIterable(v Value) error { return typeError("%s object is not iterable", quote(typeName(v))) }

// iterate is Python's iter(v).
func (m *machine) iterate(v Value) (*iterator, error) {
	switch v := v.(type) {
	case Str:
		return m.overRunes(string(v)), nil
	case Markup:
		return m.overRunes(string(v)), nil
	case *List:
		return overItems(m, v.items), nil
	case *Tuple:
		return overItems(m, v.items), nil
	case *Dict:
		return overItems(m, v.keys), nil
	case *dictView:
		return m.overView(v), nil
	case *rangeValue:
		at := int64(0)
		return &iterator{func() (Value, bool, error) {
			if at >= v.length {
				return nil, false, nil
			}
			at++
			return Int(v.start + (at-1)*v.step), true, m.step(1)
		}}, nil
	case *generator:
		return &v.iterator, nil
	case *undefinedValue:
		return overItems(m, nil), nil
	case *loopValue:
		return &iterator{func() (Value, bool, error) {
			item, ok, err := v.advance(m)
			return &Tuple{items: []Value{item, v}}, ok, err
		}}, nil
	}
	return nil, notIterable(v)
}

func (m *machine) overRunes(s string) *iterator {
	return &iterator{func() (Value, bool, error) {
		if s == "" {
			return nil, false, nil
		}
		_, n := utf8.DecodeRuneInString(s)
		v := Str(s[:n])
		s = s[n:]
		return v, true, m.step(1)
	}}
}

func (m *machine) overView(v *dictView) *iterator {
	at := 0
	return &iterator{func() (Value, bool, error) {
		if at >= len(v.dict.keys) {
			return nil, false, nil
		}
		at++
		return v.at(at - 1), true, m.step(1)
	}}
}

// at is one element of a view.
func (v *dictView) at(i int) Value {
	switch v.kind {
	case "dict_keys":
		return v.dict.keys[i]
	case "dict_values":
		return v.dict.values[i]
	}
	return &Tuple{items: []Value{v.dict.keys[i], v.dict.values[i]}}
}

// items is Python's list(v); the caller must not change the slice.
func (m *machine) items(v Value) ([]Value, error) {
	switch v := v.(type) {
	case *List:
		return v.items, m.step(len(v.items))
	case *Tuple:
		return v.items, m.step(len(v.items))
	}
	it, err := m.iterate(v)
	if err != nil {
		return nil, err
	}
	return m.collect(it)
}

// collect reads an iterator to its end.
func (m *machine) collect(it *iterator) ([]Value, error) {
	var items []Value
	for {
		v, ok, err := it.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return items, nil
		}
		if err := m.newItems(1); err != nil {
			return nil, err
		}
		items = append(items, v)
	}
}

// loopValue is the variable loop of a for.
type loopValue struct {
	over    Value     // what is iterated over
	items   *iterator // what is left of it
	size    int       // -1 until it is known
	index0  int       // -1 before the first item
	depth0  int       // of recursive loops
	before  Value
	now     Value
	after   Value // the item that was looked at ahead
	peeked  bool
	ended   bool
	changed *Tuple
	recurse func(m *machine, over Value, depth0 int) (Value, error) // nil unless the loop is recursive
}

func (m *machine) newLoop(over Value) (*loopValue, error) {
	it, err := m.iterate(over)
	return &loopValue{over: over, items: it, size: -1, index0: -1}, err
}

// peek looks at the next item.
func (l *loopValue) peek() (bool, error) {
	if l.peeked || l.ended {
		return l.peeked, nil
	}
	v, ok, err := l.items.next()
	l.after, l.peeked, l.ended = v, ok, !ok
	return ok, err
}

// advance goes to the next item.
func (l *loopValue) advance(m *machine) (Value, bool, error) {
	ok, err := l.peek()
	if err != nil || !ok {
		return nil, false, err
	}
	l.before, l.now, l.after, l.peeked = l.now, l.after, nil, false
	l.index0++
	return l.now, true, m.step(1)
}

// count is loop.length; where it can be had in no other way, it reads what is left.
func (l *loopValue) count(m *machine) (int, error) {
	if l.size >= 0 {
		return l.size, nil
	}
	if n, err := m.length(l.over); err == nil {
		l.size = n
		return n, nil
	} else if !isKind(err, "TypeError") {
		return 0, err
	}
	rest, err := m.collect(l.items)
	if err != nil {
		return 0, err
	}
	l.items = overItems(m, rest)
	l.size = len(rest) + l.index0 + 1
	if l.peeked {
		l.size++
	}
	l.ended = false
	return l.size, nil
}

// attribute is loop.name.
func (l *loopValue) attribute(m *machine, name string) (Value, bool, error) {
	switch name {
	case "index":
		return Int(l.index0 + 1), true, nil
	case "index0":
		return Int(l.index0), true, nil
	case "first":
		return Bool(l.index0 == 0), true, nil
	case "depth":
		return Int(l.depth0 + 1), true, nil
	case "depth0":
		return Int(l.depth0), true, nil
	case "last":
		ok, err := l.peek()
		return Bool(!ok), true, err
	case "length", "revindex", "revindex0":
		n, err := l.count(m)
		switch name {
		case "revindex":
			n -= l.index0
		case "revindex0":
			n -= l.index0 + 1
		}
		return Int(n), true, err
	case "previtem":
		if l.index0 == 0 {
			return &undefinedValue{message: "there is no previous item"}, true, nil
		}
		return l.before, true, nil
	case "nextitem":
		ok, err := l.peek()
		if !ok {
			return &undefinedValue{message: "there is no next item"}, true, err
		}
		return l.after, true, err
	case "cycle":
		return &function{name: name, method: true, call: l.cycle}, true, nil
	case "changed":
		return &function{name: name, method: true, call: l.hasChanged}, true, nil
	}
	return nil, false, nil
}

func (l *loopValue) cycle(m *machine, a arguments) (Value, error) {
	if len(a.names) > 0 || len(a.positional) == 0 {
		return nil, typeError("no items for cycling given")
	}
	return a.positional[max(l.index0, 0)%len(a.positional)], nil
}

func (l *loopValue) hasChanged(m *machine, a arguments) (Value, error) {
	if len(a.names) > 0 {
		return nil, typeError("changed() got an unexpected keyword argument %s", quote(a.names[0]))
	}
	now := &Tuple{items: a.positional}
	if l.changed != nil {
		equal, err := m.equal(l.changed, now)
		if err != nil || equal {
			return Bool(false), err
		}
	}
	l.changed = now
	return Bool(true), nil
}
