package jinja

// lazily makes a generator whose source is opened when the first item is asked for. A value that is false yields nothing,
// whatever it is.
func lazily(m *machine, of Value, open func() (func(Value) (v Value, keep bool, err error), error)) Value {
	var it *iterator
	var each func(Value) (Value, bool, error)
	return newGenerator(func() (Value, bool, error) {
		if it == nil {
			yes, err := m.truth(of)
			if err != nil || !yes {
				return nil, false, err
			}
			if each, err = open(); err != nil {
				return nil, false, err
			}
			if it, err = m.iterate(of); err != nil {
				return nil, false, err
			}
		}
		for {
			v, ok, err := it.next()
			if err != nil || !ok {
				return nil, false, err
			}
			v, keep, err := each(v)
			if err != nil || keep {
				return v, keep, err
			}
		}
	})
}

// split takes the first positional argument off.
func (a arguments) split() (first Value, rest arguments, ok bool) {
	if len(a.positional) == 0 {
		return nil, a, false
	}
	rest = a
	rest.positional = a.positional[1:]
	return a.positional[0], rest, true
}

// take returns an argument by name, and the others.
func (a arguments) take(name string) (v Value, rest arguments) {
	v = absent{}
	rest.positional = a.positional
	for i, n := range a.names {
		if n == name {
			v = a.named[i]
			continue
		}
		rest.names, rest.named = append(rest.names, n), append(rest.named, a.named[i])
	}
	return v, rest
}

func filterMap(m *machine, of Value, a arguments) (Value, error) {
	return lazily(m, of, func() (func(Value) (Value, bool, error), error) {
		each, err := m.mapper(a)
		return func(v Value) (Value, bool, error) {
			v, err := each(v)
			return v, err == nil, err
		}, err
	}), nil
}

// mapper is what map does to an item: an attribute, or a filter.
func (m *machine) mapper(a arguments) (func(Value) (Value, error), error) {
	if path, rest := a.take("attribute"); len(a.positional) == 0 && path != (absent{}) {
		otherwise, rest := rest.take("default")
		if len(rest.names) > 0 {
			return nil, raise("FilterArgumentError", "Unexpected keyword argument %s", quote(rest.names[0]))
		}
		return m.getter(path, false, or(otherwise, nil))
	}
	name, rest, ok := a.split()
	if !ok {
		return nil, raise("FilterArgumentError", "map requires a filter argument")
	}
	text, _ := textOf(name)
	f, known := m.filters[text]
	return func(v Value) (Value, error) {
		if !known {
			return nil, raise("TemplateRuntimeError", "No filter named %s.", shortRepr(name))
		}
		return m.callFilter(text, f, v, rest)
	}, nil
}

func filterSelect(m *machine, of Value, a arguments) (Value, error) {
	return m.selected(of, a, true, false), nil
}

func filterReject(m *machine, of Value, a arguments) (Value, error) {
	return m.selected(of, a, false, false), nil
}

func filterSelectAttr(m *machine, of Value, a arguments) (Value, error) {
	return m.selected(of, a, true, true), nil
}

func filterRejectAttr(m *machine, of Value, a arguments) (Value, error) {
	return m.selected(of, a, false, true), nil
}

// selected is what select, reject and their two relatives yield: the items whose test, of an attribute or of themselves,
// comes out as wanted.
func (m *machine) selected(of Value, a arguments, wanted, byAttribute bool) Value {
	return lazily(m, of, func() (func(Value) (Value, bool, error), error) {
		get, err := m.getter(nil, false, nil)
		if err != nil {
			return nil, err
		}
		rest := a
		if byAttribute {
			path, after, ok := a.split()
			if !ok {
				return nil, raise("FilterArgumentError", "Missing parameter for attribute name")
			}
			rest = after
			if get, err = m.getter(path, false, nil); err != nil {
				return nil, err
			}
		}
		name, rest, tested := rest.split()
		text, _ := textOf(name)
		return func(v Value) (Value, bool, error) {
			part, err := get(v)
			if err != nil {
				return nil, false, err
			}
			var yes bool
			switch _, known := m.tests[text]; {
			case !tested:
				yes, err = m.truth(part)
			case !known:
				err = raise("TemplateRuntimeError", "No test named %s.", shortRepr(name))
			default:
				yes, err = m.callTest(text, part, rest)
			}
			return v, yes == wanted, err
		}, nil
	})
}

func filterBatch(m *machine, of Value, a []Value) (Value, error) {
	fill := or(a[1], nil)
	var it *iterator
	var held []Value // one item may be read ahead
	return newGenerator(func() (Value, bool, error) {
		if it == nil {
			var err error
			if it, err = m.iterate(of); err != nil {
				return nil, false, err
			}
		}
		row := held
		held = nil
		for {
			v, ok, err := it.next()
			if err != nil {
				return nil, false, err
			}
			if !ok {
				break
			}
			full, err := m.equal(Int(len(row)), a[0])
			if err != nil {
				return nil, false, err
			}
			if full {
				held = []Value{v}
				return &List{row}, true, m.newItems(len(row))
			}
			row = append(row, v)
		}
		if len(row) == 0 {
			return nil, false, nil
		}
		row, err := m.fillRow(row, a[0], fill)
		return &List{row}, true, err
	}), nil
}

// fillRow makes the last row of a batch as long as the others.
func (m *machine) fillRow(row []Value, count, fill Value) ([]Value, error) {
	if fill == nil {
		return row, m.newItems(len(row))
	}
	n, ok := smallInteger(count)
	if !ok {
		return nil, typeError("can't multiply sequence by non-int of type %s", quote(typeName(count)))
	}
	missing := max(0, min(n, int64(m.options.MaxMemory))-int64(len(row)))
	if err := m.newItems(int(missing)); err != nil {
		return nil, err
	}
	for range missing {
		row = append(row, fill)
	}
	return row, nil
}

func filterSlice(m *machine, of Value, a []Value) (Value, error) {
	fill := or(a[1], nil)
	var items []Value
	var slices, offset, number int
	opened := false
	return newGenerator(func() (Value, bool, error) {
		if !opened {
			opened = true
			var err error
			if items, err = m.items(of); err != nil {
				return nil, false, err
			}
			n, ok := smallInteger(a[0])
			if !ok {
				return nil, false, typeError("unsupported operand type(s) for //: 'int' and %s", quote(typeName(a[0])))
			}
			if n == 0 {
				return nil, false, raise("ZeroDivisionError", "integer division or modulo by zero")
			}
			slices = int(min(n, 1<<40))
		}
		if number >= slices {
			return nil, false, nil
		}
		each, extra := len(items)/slices, len(items)%slices
		start := offset + number*each
		if number < extra {
			offset++
		}
		end := offset + (number+1)*each
		row := append([]Value(nil), items[start:end]...)
		if fill != nil && number >= extra {
			row = append(row, fill)
		}
		number++
		return &List{row}, true, m.newItems(len(row) + 1)
	}), nil
}
