package jinja

import (
	"sort"
	"strconv"
	"strings"
)

// getter returns the function that follows a path of attributes, such as "function.name" or 0, from an item. A value that is
// not there becomes otherwise, if that is not nil. With ignoreCase texts are lowered.
func (m *machine) getter(path Value, ignoreCase bool, otherwise Value) (func(Value) (Value, error), error) {
	var parts []Value
	if text, ok := textOf(path); ok {
		for _, part := range strings.Split(text, ".") {
			parts = append(parts, pathPart(part))
		}
	} else if path != nil {
		parts = []Value{path}
	}
	if err := m.newItems(len(parts)); err != nil {
		return nil, err
	}
	return func(v Value) (Value, error) {
		for _, part := range parts {
			var err error
			if v, err = m.getItem(v, part); err != nil {
				return nil, err
			}
			if _, missing := v.(*undefinedValue); missing && otherwise != nil {
				v = otherwise
			}
			if err := m.step(1); err != nil {
				return nil, err
			}
		}
		if text, ok := textOf(v); ok && ignoreCase {
			low, err := m.mapText(text, lower)
			return like(v, low), err
		}
		return v, nil
	}, nil
}

// pathPart is one step of a path: digits are an index.
func pathPart(text string) Value {
	if text != "" && strings.Trim(text, "0123456789") == "" {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Int(n)
		}
	}
	return Str(text)
}

// flag is the truth of an argument that is false when absent.
func (m *machine) flag(v Value) (bool, error) { return m.truth(or(v, Bool(false))) }

func filterList(m *machine, of Value, _ []Value) (Value, error) {
	items, err := m.items(of)
	return &List{items}, err
}

func filterFirst(m *machine, of Value, _ []Value) (Value, error) {
	it, err := m.iterate(of)
	if err != nil {
		return nil, err
	}
	v, ok, err := it.next()
	if !ok {
		return &undefinedValue{message: "No first item, sequence was empty."}, err
	}
	return v, err
}

func filterLast(m *machine, of Value, _ []Value) (Value, error) {
	if !reversible(of) {
		return nil, typeError("%s object is not reversible", quote(typeName(of)))
	}
	if v, ok := of.(*rangeValue); ok && v.length > 0 {
		return Int(v.start + (v.length-1)*v.step), nil
	}
	if text, ok := textOf(of); ok && text != "" {
		r, _, err := m.runeAt(text, -1)
		return Str(r), err
	}
	items, err := m.items(of)
	if err != nil || len(items) == 0 {
		return &undefinedValue{message: "No last item, sequence was empty."}, err
	}
	return items[len(items)-1], nil
}

// reversible says whether Python's reversed takes v.
func reversible(v Value) bool {
	switch v.(type) {
	case Str, Markup, *List, *Tuple, *Dict, *dictView, *rangeValue, *undefinedValue:
		return true
	}
	return false
}

func filterReverse(m *machine, of Value, _ []Value) (Value, error) {
	if text, ok := textOf(of); ok {
		cut, err := m.sliceText(text, [3]Value{nil, nil, Int(-1)})
		return like(of, cut), err
	}
	items, err := m.items(of)
	if isKind(err, "TypeError") {
		return nil, raise("FilterArgumentError", "argument must be iterable")
	}
	if err != nil {
		return nil, err
	}
	if !reversible(of) { // a generator
		reversed, err := m.sliceItems(items, [3]Value{nil, nil, Int(-1)})
		return &List{reversed}, err
	}
	at := len(items)
	g := newGenerator(func() (Value, bool, error) {
		if at == 0 {
			return nil, false, nil
		}
		at--
		return items[at], true, m.step(1)
	})
	g.kind = typeName(of) + "_reverseiterator"
	return g, nil
}

func filterItems(m *machine, of Value, _ []Value) (Value, error) {
	var it *iterator
	return newGenerator(func() (Value, bool, error) {
		if it == nil {
			switch v := of.(type) {
			case *Dict:
				it = m.overView(&dictView{v, "dict_items"})
			case *undefinedValue:
				it = overItems(m, nil)
			default:
				return nil, false, typeError("Can only get item pairs from a mapping.")
			}
		}
		return it.next()
	}), nil
}

// sorted is Python's sorted by keys; the sort is stable in both directions.
func (m *machine) sorted(items []Value, key func(Value) (Value, error), reverse bool) ([]Value, error) {
	type pair struct{ key, item Value }
	if err := m.newItems(3 * len(items)); err != nil {
		return nil, err
	}
	pairs := make([]pair, len(items))
	for i, v := range items {
		k, err := key(v)
		if err != nil {
			return nil, err
		}
		pairs[i] = pair{k, v}
	}
	var failed error
	sort.SliceStable(pairs, func(i, j int) bool {
		if failed != nil {
			return false
		}
		if reverse {
			i, j = j, i
		}
		order, ordered, err := m.order("<", pairs[i].key, pairs[j].key)
		if err != nil {
			failed = err
		}
		return ordered && order < 0
	})
	sorted := make([]Value, len(items))
	for i, p := range pairs {
		sorted[i] = p.item
	}
	return sorted, failed
}

func filterSort(m *machine, of Value, a []Value) (Value, error) {
	reverse, err := m.flag(a[0])
	if err != nil {
		return nil, err
	}
	caseSensitive, err := m.flag(a[1])
	if err != nil {
		return nil, err
	}
	paths := []Value{or(a[2], nil)}
	if text, ok := textOf(paths[0]); ok {
		paths = paths[:0]
		for _, path := range strings.Split(text, ",") {
			paths = append(paths, Str(path))
		}
	}
	getters := make([]func(Value) (Value, error), len(paths))
	for i, path := range paths {
		if getters[i], err = m.getter(path, !caseSensitive, nil); err != nil {
			return nil, err
		}
	}
	items, err := m.items(of)
	if err != nil {
		return nil, err
	}
	sorted, err := m.sorted(items, func(v Value) (Value, error) {
		keys := make([]Value, len(getters))
		for i, get := range getters {
			if keys[i], err = get(v); err != nil {
				return nil, err
			}
		}
		return &List{keys}, m.newItems(len(keys))
	}, reverse)
	return &List{sorted}, err
}

func filterDictSort(m *machine, of Value, a []Value) (Value, error) {
	by, _ := textOf(or(a[1], Str("key")))
	if by != "key" && by != "value" {
		return nil, raise("FilterArgumentError", `You can only sort by either "key" or "value"`)
	}
	caseSensitive, err := m.flag(a[0])
	if err != nil {
		return nil, err
	}
	reverse, err := m.flag(a[2])
	if err != nil {
		return nil, err
	}
	d, ok := of.(*Dict)
	if !ok {
		if u, ok := of.(*undefinedValue); ok {
			return nil, u.raise()
		}
		return nil, raise("AttributeError", "%s object has no attribute 'items'", quote(typeName(of)))
	}
	position := 0
	if by == "value" {
		position = 1
	}
	get, err := m.getter(Int(position), !caseSensitive, nil)
	if err != nil {
		return nil, err
	}
	items, err := m.items(&dictView{d, "dict_items"})
	if err != nil {
		return nil, err
	}
	sorted, err := m.sorted(items, get, reverse)
	return &List{sorted}, err
}

func filterGroupBy(m *machine, of Value, a []Value) (Value, error) {
	caseSensitive, err := m.flag(a[2])
	if err != nil {
		return nil, err
	}
	otherwise := or(a[1], nil)
	key, err := m.getter(a[0], !caseSensitive, otherwise)
	if err != nil {
		return nil, err
	}
	real, err := m.getter(a[0], false, otherwise)
	if err != nil {
		return nil, err
	}
	items, err := m.items(of)
	if err != nil {
		return nil, err
	}
	if items, err = m.sorted(items, key, false); err != nil {
		return nil, err
	}
	var groups []Value
	var last Value
	for i, v := range items {
		k, err := key(v)
		if err != nil {
			return nil, err
		}
		equal := false
		if i > 0 {
			if equal, err = m.equal(last, k); err != nil {
				return nil, err
			}
		}
		if equal {
			list := groups[len(groups)-1].(*Tuple).items[1].(*List)
			list.items = append(list.items, v)
			continue
		}
		last = k
		if k, err = real(v); err != nil {
			return nil, err
		}
		groups = append(groups, &Tuple{items: []Value{k, &List{[]Value{v}}}, group: true})
	}
	return &List{groups}, m.newItems(2 * len(items))
}

func filterMin(m *machine, of Value, a []Value) (Value, error) { return m.extreme("<", of, a) }

func filterMax(m *machine, of Value, a []Value) (Value, error) { return m.extreme(">", of, a) }

// extreme returns the first item that no other beats.
func (m *machine) extreme(op string, of Value, a []Value) (Value, error) {
	caseSensitive, err := m.flag(a[0])
	if err != nil {
		return nil, err
	}
	get, err := m.getter(or(a[1], nil), !caseSensitive, nil)
	if err != nil {
		return nil, err
	}
	it, err := m.iterate(of)
	if err != nil {
		return nil, err
	}
	var best, bestKey Value
	for none := true; ; none = false {
		v, ok, err := it.next()
		switch {
		case err != nil:
			return nil, err
		case !ok && none:
			return &undefinedValue{message: "No aggregated item, sequence was empty."}, nil
		case !ok:
			return best, nil
		}
		key, err := get(v)
		if err != nil {
			return nil, err
		}
		better := none
		if !none {
			if better, err = m.compare(op, key, bestKey); err != nil {
				return nil, err
			}
		}
		if better {
			best, bestKey = v, key
		}
	}
}

func filterUnique(m *machine, of Value, a []Value) (Value, error) {
	caseSensitive, err := m.flag(a[0])
	if err != nil {
		return nil, err
	}
	get, err := m.getter(or(a[1], nil), !caseSensitive, nil)
	if err != nil {
		return nil, err
	}
	var it *iterator
	seen := map[any]bool{}
	return newGenerator(func() (Value, bool, error) {
		if it == nil {
			if it, err = m.iterate(of); err != nil {
				return nil, false, err
			}
		}
		for {
			v, ok, err := it.next()
			if err != nil || !ok {
				return nil, false, err
			}
			key, err := get(v)
			if err != nil {
				return nil, false, err
			}
			hash, err := hashKey(key)
			if err != nil {
				return nil, false, err
			}
			if !seen[hash] {
				seen[hash] = true
				return v, true, m.newItems(2)
			}
		}
	}), nil
}
