package jinja

import (
	"math/big"
	"strings"
)

// globalNames are the names that every template finds, in a fixed order.
var globalNames = []string{"range", "dict", "namespace", "cycler", "joiner", "raise_exception", "strftime_now"}

// globalFunctions are what they call.
var globalFunctions = map[string]func(m *machine, a arguments) (Value, error){
	"range":           makeRange,
	"dict":            makeDict,
	"namespace":       makeNamespace,
	"cycler":          makeCycler,
	"joiner":          makeJoiner,
	"raise_exception": raiseException,
	"strftime_now":    strftimeNow,
}

// maxRange is the sandbox's limit of a range.
const maxRange = 100_000

func makeRange(m *machine, a arguments) (Value, error) {
	bound, err := a.bind("range", "start stop? step? /")
	if err != nil {
		return nil, err
	}
	n := make([]*big.Int, 3)
	for i, v := range bound {
		if v == (absent{}) {
			continue
		}
		whole, ok := integer(v)
		if !ok {
			return nil, typeError("%s object cannot be interpreted as an integer", quote(typeName(v)))
		}
		n[i] = whole
	}
	start, stop, step := n[0], n[1], n[2]
	if stop == nil {
		start, stop = new(big.Int), start
	}
	if step == nil {
		step = big.NewInt(1)
	}
	if step.Sign() == 0 {
		return nil, valueError("range() arg 3 must not be zero")
	}
	// ceil((stop - start) / step)
	length, rest := new(big.Int).QuoRem(new(big.Int).Sub(stop, start), step, new(big.Int))
	if rest.Sign() != 0 && rest.Sign() == step.Sign() {
		length.Add(length, big.NewInt(1))
	}
	if length.Cmp(big.NewInt(maxRange)) > 0 {
		return nil, raise("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	if !start.IsInt64() || !stop.IsInt64() || !step.IsInt64() {
		return nil, limitError("range() of an integer beyond 64 bits")
	}
	return &rangeValue{start.Int64(), stop.Int64(), step.Int64(), max(0, length.Int64())}, nil
}

func makeDict(m *machine, a arguments) (Value, error) {
	d := NewDict()
	if len(a.positional) > 1 {
		return nil, typeError("dict expected at most 1 argument, got %d", len(a.positional))
	}
	if len(a.positional) == 1 {
		var err error
		if d, err = m.dictFrom(a.positional[0]); err != nil {
			return nil, err
		}
	}
	for i, name := range a.names {
		d.Set(name, a.named[i])
	}
	return d, m.newItems(2 * d.Len())
}

// dictFrom is Python's dict(v): a copy of a mapping, or pairs.
func (m *machine) dictFrom(v Value) (*Dict, error) {
	if d, ok := v.(*Dict); ok {
		return d.Copy(), m.newItems(2 * d.Len())
	}
	d := NewDict()
	it, err := m.iterate(v)
	if err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		pair, ok, err := it.next()
		if err != nil || !ok {
			return d, err
		}
		items, err := m.items(pair)
		if err != nil {
			return nil, typeError("cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		if len(items) != 2 {
			return nil, valueError("dictionary update sequence element #%d has length %d; 2 is required", i, len(items))
		}
		if err := d.set(items[0], items[1]); err != nil {
			return nil, err
		}
		if err := m.newItems(2); err != nil {
			return nil, err
		}
	}
}

func makeNamespace(m *machine, a arguments) (Value, error) {
	v, err := makeDict(m, a)
	if err != nil {
		return nil, err
	}
	ns := &namespaceValue{NewDict()}
	d := v.(*Dict)
	for i, key := range d.keys {
		name, ok := textOf(key)
		if !ok {
			return nil, typeError("attribute name must be string, not %s", quote(typeName(key)))
		}
		if err := ns.set(m, name, d.values[i]); err != nil {
			return nil, err
		}
	}
	return ns, nil
}

func raiseException(m *machine, a arguments) (Value, error) {
	bound, err := a.bind("raise_exception", "message")
	if err != nil {
		return nil, err
	}
	text, err := m.str(bound[0])
	if err != nil {
		return nil, err
	}
	if len(text) > 4096 {
		text = strings.ToValidUTF8(text[:4096], "") + "..."
	}
	return nil, raise("TemplateError", "%s", text)
}

func strftimeNow(m *machine, a arguments) (Value, error) {
	bound, err := a.bind("strftime_now", "format")
	if err != nil {
		return nil, err
	}
	format, ok := textOf(bound[0])
	if !ok {
		return nil, typeError("strftime() argument 1 must be str, not %s", typeName(bound[0]))
	}
	if err := m.text(16 * len(format)); err != nil {
		return nil, err
	}
	return Str(strftime(m.options.Now(), format)), nil
}

// cyclerValue goes through its items again and again.
type cyclerValue struct {
	items []Value
	at    int
}

func makeCycler(m *machine, a arguments) (Value, error) {
	if len(a.names) > 0 {
		return nil, typeError("cycler() got an unexpected keyword argument %s", quote(a.names[0]))
	}
	if len(a.positional) == 0 {
		return nil, raise("RuntimeError", "at least one item has to be provided")
	}
	return &cyclerValue{items: a.positional}, nil
}

func (c *cyclerValue) attribute(name string) (Value, bool, error) {
	var call func(m *machine, a arguments) (Value, error)
	switch name {
	case "current":
		return c.items[c.at], true, nil
	case "items":
		return &Tuple{items: c.items}, true, nil
	case "pos":
		return Int(c.at), true, nil
	case "next":
		call = func(m *machine, a arguments) (Value, error) {
			v := c.items[c.at]
			c.at = (c.at + 1) % len(c.items)
			return v, nil
		}
	case "reset":
		call = func(m *machine, a arguments) (Value, error) {
			c.at = 0
			return nil, nil
		}
	default:
		return nil, false, nil
	}
	return &function{name: name, method: true, call: func(m *machine, a arguments) (Value, error) {
		if _, err := a.bind(name, ""); err != nil {
			return nil, err
		}
		return call(m, a)
	}}, true, nil
}

// joinerValue is nothing the first time it is called, and its separator afterwards.
type joinerValue struct {
	separator Value
	used      bool
}

func makeJoiner(m *machine, a arguments) (Value, error) {
	bound, err := a.bind("joiner", "sep?")
	if err != nil {
		return nil, err
	}
	return &joinerValue{separator: or(bound[0], Str(", "))}, nil
}

func (j *joinerValue) call(a arguments) (Value, error) {
	if _, err := a.bind("joiner", ""); err != nil {
		return nil, err
	}
	if !j.used {
		j.used = true
		return Str(""), nil
	}
	return j.separator, nil
}
