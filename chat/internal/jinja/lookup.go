package jinja

import (
	"math/big"
	"unicode/utf8"
)

// The methods that would change an object: the sandbox refuses them.
var changingMethods = map[string][]string{
	"list": {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
}

// pythonAttribute returns what Python's getattr finds on an object; found is false where it raises AttributeError.
func (m *machine) pythonAttribute(of Value, name string) (v Value, found bool, err error) {
	switch of := of.(type) {
	case *namespaceValue:
		v, found = of.attributes.Get(name)
		return v, found, nil
	case *loopValue:
		return of.attribute(m, name)
	case *macroValue:
		v, found = of.attribute(name)
		return v, found, nil
	case *cyclerValue:
		return of.attribute(name)
	case Bool, Int, *big.Int, Float:
		if v, found, err = numberAttribute(of, name); found || err != nil {
			return v, found, err
		}
	case *Tuple:
		if of.group && len(of.items) == 2 && (name == "grouper" || name == "list") {
			return of.items[map[string]int{"grouper": 0, "list": 1}[name]], true, nil
		}
	}
	kind := typeName(of)
	if contains(changingMethods[kind], name) {
		return unsafe(of, name), true, nil
	}
	method, ok := m.methods[kind][name]
	if kind == "Markup" {
		method, ok = m.methods["str"][name]
	}
	if !ok {
		return nil, false, nil
	}
	return &function{name: name, method: true, call: func(m *machine, a arguments) (Value, error) {
		return method(m, of, a)
	}}, true, nil
}

// numberAttribute is what a number has beside its methods.
func numberAttribute(of Value, name string) (v Value, found bool, err error) {
	_, isFloat := of.(Float)
	switch {
	case name == "real" || name == "numerator" && !isFloat:
		v, err = arithmeticPlus(of)
		return v, true, err
	case name == "imag" && isFloat:
		return Float(0), true, nil
	case name == "imag":
		return Int(0), true, nil
	case name == "denominator" && !isFloat:
		return Int(1), true, nil
	}
	return nil, false, nil
}

// arithmeticPlus is +v of a number: a bool becomes an integer.
func arithmeticPlus(v Value) (Value, error) {
	if i, ok := integer(v); ok {
		return normal(i)
	}
	return v, nil
}

// internalNames are attributes that every Python object has; the sandbox refuses them.
var internalNames = []string{
	"__class__", "__doc__", "__init__", "__new__", "__repr__", "__str__", "__hash__", "__eq__", "__ne__", "__lt__", "__le__",
	"__gt__", "__ge__", "__dir__", "__format__", "__getattribute__", "__setattr__", "__delattr__", "__reduce__",
	"__reduce_ex__", "__sizeof__", "__subclasshook__", "__init_subclass__",
}

// unsafe is what the sandbox yields for an attribute that it refuses.
func unsafe(of Value, name string) *undefinedValue {
	return &undefinedValue{
		message: "access to attribute " + quote(name) + " of " + quote(typeName(of)) + " object is unsafe.", kind: "SecurityError",
	}
}

// getAttribute is of.name in a template: an attribute, or else an item.
func (m *machine) getAttribute(of Value, name string) (Value, error) {
	if _, isNamespace := of.(*namespaceValue); contains(internalNames, name) && (!isNamespace || name == "__class__") {
		return unsafe(of, name), nil
	}
	if u, ok := of.(*undefinedValue); ok {
		return nil, u.raise()
	}
	if v, found, err := m.pythonAttribute(of, name); found || err != nil {
		return v, err
	}
	if d, ok := of.(*Dict); ok {
		if v, found := d.Get(name); found {
			return v, nil
		}
	}
	return undefinedElement(of, Str(name)), nil
}

// getItem is of[index] in a template: an item, or else an attribute.
func (m *machine) getItem(of, index Value) (Value, error) {
	if u, ok := of.(*undefinedValue); ok {
		return nil, u.raise()
	}
	if v, found, err := m.pythonItem(of, index); found || err != nil {
		return v, err
	}
	if name, ok := textOf(index); ok {
		if contains(internalNames, name) {
			return unsafe(of, name), nil
		}
		if v, found, err := m.pythonAttribute(of, name); found || err != nil {
			return v, err
		}
	}
	return undefinedElement(of, index), nil
}

// pythonItem returns what Python's of[index] is; found is false where that raises TypeError or LookupError.
func (m *machine) pythonItem(of, index Value) (v Value, found bool, err error) {
	if d, ok := of.(*Dict); ok {
		v, found, err = d.get(index)
		if isKind(err, "TypeError") {
			return nil, false, nil
		}
		return v, found, err
	}
	n, ok := smallInteger(index)
	if !ok {
		return nil, false, nil
	}
	switch of := of.(type) {
	case *List:
		return itemAt(of.items, n)
	case *Tuple:
		return itemAt(of.items, n)
	case *rangeValue:
		if n < 0 {
			n += of.length
		}
		if n < 0 || n >= of.length {
			return nil, false, nil
		}
		return Int(of.start + n*of.step), true, nil
	}
	text, ok := textOf(of)
	if !ok {
		return nil, false, nil
	}
	r, found, err := m.runeAt(text, n)
	return like(of, r), found, err
}

func itemAt(items []Value, n int64) (Value, bool, error) {
	if n < 0 {
		n += int64(len(items))
	}
	if n < 0 || n >= int64(len(items)) {
		return nil, false, nil
	}
	return items[n], true, nil
}

// runeAt returns the nth character of a text, from its end if n < 0.
func (m *machine) runeAt(text string, n int64) (string, bool, error) {
	if n < 0 {
		for ; text != ""; n++ {
			r, size := utf8.DecodeLastRuneInString(text)
			if n == -1 {
				return string(r), true, nil
			}
			text = text[:len(text)-size]
			if n%64 == 0 {
				if err := m.step(1); err != nil {
					return "", false, err
				}
			}
		}
		return "", false, nil
	}
	for i, r := range text {
		if n == 0 {
			return string(r), true, m.read(i)
		}
		n--
	}
	return "", false, m.read(len(text))
}

// evaluateSlice is of[start:stop:step].
func (m *machine) evaluateSlice(e *slice, s *scope) (Value, error) {
	of, err := m.evaluate(e.of, s)
	if err != nil {
		return nil, err
	}
	var bounds [3]Value
	for i, part := range []expression{e.start, e.stop, e.step} {
		if part == nil {
			continue
		}
		if bounds[i], err = m.evaluate(part, s); err != nil {
			return nil, err
		}
	}
	switch of := of.(type) {
	case *undefinedValue:
		return nil, of.raise()
	case *List:
		items, err := m.sliceItems(of.items, bounds)
		return &List{items}, err
	case *Tuple:
		items, err := m.sliceItems(of.items, bounds)
		return &Tuple{items: items}, err
	case Str, Markup:
		text, _ := textOf(of)
		cut, err := m.sliceText(text, bounds)
		return like(of, cut), err
	case *rangeValue:
		start, step, n, err := sliceBounds(bounds, int(of.length))
		if err != nil {
			return nil, err
		}
		r := &rangeValue{start: of.start + int64(start)*of.step, step: of.step * int64(step), length: int64(n)}
		r.stop = of.start + (int64(start)+int64(n)*int64(step))*of.step
		return r, nil
	case *Dict:
		return nil, typeError("unhashable type: 'slice'")
	}
	return nil, typeError("%s object is not subscriptable", quote(typeName(of)))
}

// sliceBounds is Python's slice.indices: the first index, the step and the number of items of a sequence of length n.
func sliceBounds(bounds [3]Value, n int) (start, step, count int, err error) {
	index := func(v Value, otherwise, low, high int) (int, error) {
		if v == nil {
			return otherwise, nil
		}
		if u, ok := v.(*undefinedValue); ok { // it has no __index__
			return 0, typeError("slice indices must be integers or None or have an __index__ method, not %s", typeName(u))
		}
		i, ok := integer(v)
		if !ok {
			return 0, typeError("slice indices must be integers or None or have an __index__ method")
		}
		if i.Sign() < 0 {
			i = new(big.Int).Add(i, big.NewInt(int64(n)))
		}
		switch {
		case i.Cmp(big.NewInt(int64(low))) < 0:
			return low, nil
		case i.Cmp(big.NewInt(int64(high))) > 0:
			return high, nil
		}
		return int(i.Int64()), nil
	}
	step = 1
	if bounds[2] != nil {
		i, ok := integer(bounds[2])
		switch {
		case !ok:
			return 0, 0, 0, typeError("slice indices must be integers or None or have an __index__ method")
		case i.Sign() == 0:
			return 0, 0, 0, valueError("slice step cannot be zero")
		case i.IsInt64() && i.Int64() > -1<<40 && i.Int64() < 1<<40:
			step = int(i.Int64())
		default: // it goes beyond any sequence at once
			step = 1 << 40 * i.Sign()
		}
	}
	low, high, first, last := 0, n, 0, n
	if step < 0 {
		low, high, first, last = -1, n-1, n-1, -1
	}
	if start, err = index(bounds[0], first, low, high); err != nil {
		return 0, 0, 0, err
	}
	stop, err := index(bounds[1], last, low, high)
	switch {
	case err != nil:
		return 0, 0, 0, err
	case step > 0 && start < stop:
		count = (stop-start-1)/step + 1
	case step < 0 && start > stop:
		count = (start-stop-1)/-step + 1
	}
	return start, step, count, nil
}

func (m *machine) sliceItems(items []Value, bounds [3]Value) ([]Value, error) {
	start, step, count, err := sliceBounds(bounds, len(items))
	if err != nil {
		return nil, err
	}
	if err := m.newItems(count); err != nil {
		return nil, err
	}
	cut := make([]Value, count)
	for i := range cut {
		cut[i] = items[start+i*step]
	}
	return cut, nil
}

func (m *machine) sliceText(text string, bounds [3]Value) (string, error) {
	runes, err := m.runes(text)
	if err != nil {
		return "", err
	}
	start, step, count, err := sliceBounds(bounds, len(runes))
	if err != nil {
		return "", err
	}
	if step == 1 {
		return string(runes[start : start+count]), m.text(count)
	}
	cut := make([]rune, count)
	for i := range cut {
		cut[i] = runes[start+i*step]
	}
	return string(cut), m.text(4 * count)
}
