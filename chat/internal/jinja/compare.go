package jinja

import "strings"

// compare is a comparison operator.
func (m *machine) compare(op string, a, b Value) (bool, error) {
	switch op {
	case "==":
		return m.equal(a, b)
	case "!=":
		equal, err := m.equal(a, b)
		return !equal, err
	case "in":
		return m.contains(b, a)
	case "not in":
		found, err := m.contains(b, a)
		return !found, err
	}
	order, ordered, err := m.order(op, a, b)
	if err != nil || !ordered {
		return false, err
	}
	switch op {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// equal is Python's a == b.
func (m *machine) equal(a, b Value) (bool, error) {
	if err := m.enter(); err != nil {
		return false, err
	}
	defer m.leave()
	if order, ordered, ok := compareNumbers(a, b); ok {
		return ordered && order == 0, nil
	}
	if x, ok := textOf(a); ok {
		y, ok := textOf(b)
		return ok && (x == y || plain(x) == plain(y)), m.read(min(len(x), len(y)))
	}
	switch a := a.(type) {
	case *List:
		if b, ok := b.(*List); ok {
			return m.equalItems(a.items, b.items)
		}
		return false, nil
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			return m.equalItems(a.items, b.items)
		}
		return false, nil
	case *Dict:
		if b, ok := b.(*Dict); ok {
			return m.equalDicts(a, b)
		}
		return false, nil
	case *undefinedValue:
		_, ok := b.(*undefinedValue)
		return ok, nil
	case *rangeValue:
		b, ok := b.(*rangeValue)
		return ok && a.length == b.length && (a.length == 0 || a.start == b.start && (a.length == 1 || a.step == b.step)), nil
	case *dictView:
		if b, ok := b.(*dictView); ok && a.kind == b.kind && a.kind == "dict_keys" {
			return m.equalKeys(a.dict, b.dict)
		}
	}
	return same(a, b), nil
}

func (m *machine) equalItems(a, b []Value) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		equal, err := m.equal(a[i], b[i])
		if err != nil || !equal {
			return false, err
		}
	}
	return true, nil
}

func (m *machine) equalKeys(a, b *Dict) (bool, error) {
	if len(a.keys) != len(b.keys) {
		return false, nil
	}
	for _, key := range a.keys {
		if err := m.step(1); err != nil {
			return false, err
		}
		if _, found, err := b.get(key); err != nil || !found {
			return false, err
		}
	}
	return true, nil
}

func (m *machine) equalDicts(a, b *Dict) (bool, error) {
	if equal, err := m.equalKeys(a, b); err != nil || !equal {
		return false, err
	}
	for i, key := range a.keys {
		other, _, err := b.get(key)
		if err != nil {
			return false, err
		}
		equal, err := m.equal(a.values[i], other)
		if err != nil || !equal {
			return false, err
		}
	}
	return true, nil
}

// order compares two values for an operator that wants an order; ordered is false with a NaN.
func (m *machine) order(op string, a, b Value) (order int, ordered bool, err error) {
	if err := m.enter(); err != nil {
		return 0, false, err
	}
	defer m.leave()
	if order, ordered, ok := compareNumbers(a, b); ok {
		return order, ordered, nil
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefinedValue); ok {
			return 0, false, u.raise()
		}
	}
	x, xText := textOf(a)
	y, yText := textOf(b)
	if xText && yText { // UTF-8 sorts as code points do
		return strings.Compare(x, y), true, m.read(min(len(x), len(y)))
	}
	switch a := a.(type) {
	case *List:
		if b, ok := b.(*List); ok {
			return m.orderItems(op, a.items, b.items)
		}
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			return m.orderItems(op, a.items, b.items)
		}
	}
	return 0, false, typeError("%s not supported between instances of %s and %s", quote(op), quote(typeName(a)), quote(typeName(b)))
}

// orderItems orders sequences by their first items that differ.
func (m *machine) orderItems(op string, a, b []Value) (order int, ordered bool, err error) {
	for i := range min(len(a), len(b)) {
		equal, err := m.equal(a[i], b[i])
		if err != nil {
			return 0, false, err
		}
		if !equal {
			return m.order(op, a[i], b[i])
		}
	}
	return len(a) - len(b), true, nil
}

// contains is Python's v in container.
func (m *machine) contains(container, v Value) (bool, error) {
	if text, ok := textOf(container); ok {
		part, ok := textOf(v)
		if !ok {
			return false, typeError("'in <string>' requires string as left operand, not %s", typeName(v))
		}
		return strings.Contains(plain(text), plain(part)), m.read(len(text))
	}
	switch c := container.(type) {
	case *Dict:
		_, found, err := c.get(v)
		return found, err
	case *dictView:
		if c.kind == "dict_keys" {
			_, found, err := c.dict.get(v)
			return found, err
		}
	case *rangeValue:
		if n, ok := smallInteger(v); ok {
			return c.length > 0 && (n-c.start)%c.step == 0 && (n-c.start)/c.step >= 0 && (n-c.start)/c.step < c.length, nil
		}
	}
	it, err := m.iterate(container)
	if err != nil {
		return false, typeError("argument of type %s is not iterable", quote(typeName(container)))
	}
	for {
		item, ok, err := it.next()
		if err != nil || !ok {
			return false, err
		}
		equal, err := m.equal(item, v)
		if err != nil || equal || same(item, v) {
			return err == nil, err
		}
	}
}
