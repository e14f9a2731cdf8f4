package jinja

import "math"

func listCopy(m *machine, of Value, _ []Value) (Value, error) {
	items, err := m.items(of)
	return &List{items}, err // lists never change
}

func sequenceCount(m *machine, of Value, a []Value) (Value, error) {
	items, err := m.items(of)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, v := range items {
		equal, err := m.equal(v, a[0])
		if err != nil {
			return nil, err
		}
		if equal {
			n++
		}
	}
	return Int(n), nil
}

func sequenceIndex(m *machine, of Value, a []Value) (Value, error) {
	items, err := m.items(of)
	if err != nil {
		return nil, err
	}
	start, _, count, err := sliceBounds([3]Value{or(a[1], nil), or(a[2], nil), nil}, len(items))
	if err != nil {
		return nil, err
	}
	for i := start; i < start+count; i++ {
		equal, err := m.equal(items[i], a[0])
		if err != nil {
			return nil, err
		}
		if equal {
			return Int(i), nil
		}
	}
	return nil, valueError("%s is not in %s", shortRepr(a[0]), typeName(of))
}

func dictCopy(m *machine, of Value, _ []Value) (Value, error) { return m.dictFrom(of) }

func dictGet(m *machine, of Value, a []Value) (Value, error) {
	d, ok := of.(*Dict)
	if !ok {
		return nil, typeError("get() wants a dict")
	}
	v, found, err := d.get(a[0])
	if !found {
		return or(a[1], nil), err
	}
	return v, err
}

func viewMethod(name string) methodFunction {
	return bound(name, "", func(m *machine, of Value, _ []Value) (Value, error) {
		d, ok := of.(*Dict)
		if !ok {
			return nil, typeError("%s() wants a dict", name)
		}
		return &dictView{d, "dict_" + name}, nil
	})
}

func dictFromKeys(m *machine, of Value, a []Value) (Value, error) {
	if f, ok := of.(*function); !ok || f.name != "dict" {
		return nil, typeError("only dict has fromkeys()")
	}
	it, err := m.iterate(a[0])
	if err != nil {
		return nil, err
	}
	d := NewDict()
	for {
		key, ok, err := it.next()
		if err != nil || !ok {
			return d, err
		}
		if err := d.set(key, or(a[1], nil)); err != nil {
			return nil, err
		}
		if err := m.newItems(2); err != nil {
			return nil, err
		}
	}
}

func integerBitLength(m *machine, of Value, _ []Value) (Value, error) {
	i, _ := integer(of)
	return Int(i.BitLen()), nil
}

func floatIsInteger(m *machine, of Value, _ []Value) (Value, error) {
	f, _, err := float(of)
	return Bool(f == math.Trunc(f) && !math.IsInf(f, 0)), err
}
