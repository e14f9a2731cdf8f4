package jinja

import "strings"

// arguments are the values of a call.
type arguments struct {
	positional []Value
	names      []string
	named      []Value
}

// absent stands for an argument that was not given.
type absent struct{}

// bind sorts arguments by parameters, which are written as in "old new count?": a question mark lets one be absent, and
// what stands before a slash can be given by position only.
func (a arguments) bind(function, parameters string) ([]Value, error) {
	fields := strings.Fields(parameters)
	bound := make([]Value, 0, len(fields))
	byPosition := 0
	names := make([]string, 0, len(fields))
	required := 0
	for _, field := range fields {
		if field == "/" {
			byPosition = len(names)
			continue
		}
		name := strings.TrimSuffix(field, "?")
		if name == field {
			required++
		}
		names = append(names, name)
		bound = append(bound, absent{})
	}
	if len(a.positional) > len(names) {
		return nil, typeError("%s() takes at most %d arguments (%d given)", function, len(names), len(a.positional))
	}
	copy(bound, a.positional)
	for i, name := range a.names {
		at := -1
		for j := byPosition; j < len(names); j++ {
			if names[j] == name {
				at = j
			}
		}
		if at < 0 {
			return nil, typeError("%s() got an unexpected keyword argument %s", function, quote(name))
		}
		if bound[at] != (absent{}) {
			return nil, typeError("%s() got multiple values for argument %s", function, quote(name))
		}
		bound[at] = a.named[i]
	}
	for i := range required {
		if bound[i] == (absent{}) {
			return nil, typeError("%s() missing a required argument: %s", function, quote(names[i]))
		}
	}
	return bound, nil
}

// or is the value of an argument, or what it is when absent.
func or(v, otherwise Value) Value {
	if v == (absent{}) {
		return otherwise
	}
	return v
}

// evaluateArguments evaluates what stands in the parentheses of a call.
func (m *machine) evaluateArguments(with *signature, s *scope) (a arguments, err error) {
	if a.positional, err = m.evaluateAll(s, with.positional...); err != nil {
		return a, err
	}
	a.names = with.names
	if a.named, err = m.evaluateAll(s, with.named...); err != nil {
		return a, err
	}
	if with.dynamic != nil {
		v, err := m.evaluate(with.dynamic, s)
		if err != nil {
			return a, err
		}
		items, err := m.items(v)
		if err != nil {
			return a, err
		}
		a.positional = append(a.positional[:len(a.positional):len(a.positional)], items...)
	}
	if with.dynamicNames == nil {
		return a, nil
	}
	v, err := m.evaluate(with.dynamicNames, s)
	if err != nil {
		return a, err
	}
	return m.addNames(a, v)
}

// addNames adds the entries of a mapping as arguments.
func (m *machine) addNames(a arguments, v Value) (arguments, error) {
	if ns, ok := v.(*namespaceValue); ok {
		v = ns.attributes
	}
	d, ok := v.(*Dict)
	if !ok {
		return a, typeError("argument after ** must be a mapping, not %s", typeName(v))
	}
	seen := map[string]bool{}
	for _, name := range a.names {
		seen[name] = true
	}
	names := append([]string(nil), a.names...)
	for i, key := range d.keys {
		name, ok := textOf(key)
		if !ok {
			return a, typeError("keywords must be strings")
		}
		if seen[name] {
			return a, typeError("got multiple values for keyword argument %s", quote(name))
		}
		names, a.named = append(names, name), append(a.named, d.values[i])
		if err := m.newItems(1); err != nil {
			return a, err
		}
	}
	a.names = names
	return a, nil
}

// evaluateCall is a call; caller is the body of a call block, or nil.
func (m *machine) evaluateCall(e *call, s *scope, caller *macroValue) (Value, error) {
	of, err := m.evaluate(e.of, s)
	if err != nil {
		return nil, err
	}
	a, err := m.evaluateArguments(e.with, s)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		if contains(a.names, "caller") {
			return nil, typeError("got multiple values for keyword argument 'caller'")
		}
		a.names = append(a.names[:len(a.names):len(a.names)], "caller")
		a.named = append(a.named, caller)
	}
	return m.call(of, a)
}

// call calls a value.
func (m *machine) call(of Value, a arguments) (Value, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	switch of := of.(type) {
	case *function:
		return of.call(m, a)
	case *macroValue:
		return m.callMacro(of, a)
	case *joinerValue:
		return of.call(a)
	case *loopValue:
		bound, err := a.bind("loop", "iterable")
		if err != nil {
			return nil, err
		}
		if of.recurse == nil {
			return nil, typeError("The loop must have the 'recursive' marker to be called recursively.")
		}
		return of.recurse(m, bound[0], of.depth0+1)
	case *undefinedValue:
		return nil, of.raise()
	}
	return nil, typeError("%s object is not callable", quote(typeName(of)))
}

// evaluateFilter is of|name(...); text stands for of in the filters of a block.
func (m *machine) evaluateFilter(e *filter, s *scope, text Value) (Value, error) {
	f, known := m.filters[e.name]
	if !known {
		return nil, raise("TemplateRuntimeError", "No filter named %s found.", quote(e.name))
	}
	of := text
	if e.of != nil {
		var err error
		if inner, ok := e.of.(*filter); ok && text != nil {
			of, err = m.evaluateFilter(inner, s, text)
		} else {
			of, err = m.evaluate(e.of, s)
		}
		if err != nil {
			return nil, err
		}
	}
	a, err := m.evaluateArguments(e.with, s)
	if err != nil {
		return nil, err
	}
	return m.callFilter(e.name, f, of, a)
}

func (m *machine) callFilter(name string, f filterFunction, of Value, a arguments) (Value, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	if f.any != nil {
		return f.any(m, of, a)
	}
	bound, err := a.bind(name, f.parameters)
	if err != nil {
		return nil, err
	}
	return f.call(m, of, bound)
}

// filterText puts the text of a block through its filters.
func (m *machine) filterText(filters expression, text string, s *scope) (Value, error) {
	f, ok := filters.(*filter)
	if !ok {
		return Str(text), nil
	}
	return m.evaluateFilter(f, s, Str(text))
}

func (m *machine) evaluateTest(e *test, s *scope) (Value, error) {
	if _, known := m.tests[e.name]; !known {
		return nil, raise("TemplateRuntimeError", "No test named %s found.", quote(e.name))
	}
	of, err := m.evaluate(e.of, s)
	if err != nil {
		return nil, err
	}
	a, err := m.evaluateArguments(e.with, s)
	if err != nil {
		return nil, err
	}
	yes, err := m.callTest(e.name, of, a)
	return Bool(yes), err
}

// callTest applies a test that exists.
func (m *machine) callTest(name string, of Value, a arguments) (bool, error) {
	t := m.tests[name]
	bound, err := a.bind(name, t.parameters)
	if err != nil {
		return false, err
	}
	return t.call(m, of, bound)
}

// macroValue is a macro with the variables around it.
type macroValue struct {
	node  *macro
	scope *scope
}

func (v *macroValue) attribute(name string) (Value, bool) {
	switch name {
	case "name":
		if v.node.name == "" {
			return nil, true
		}
		return Str(v.node.name), true
	case "arguments":
		names := make([]Value, len(v.node.parameters))
		for i, p := range v.node.parameters {
			names[i] = Str(p)
		}
		return &Tuple{items: names}, true
	case "caller":
		return Bool(v.node.readsCaller), true
	case "catch_kwargs":
		return Bool(v.node.readsKwargs), true
	case "catch_varargs":
		return Bool(v.node.readsVarargs), true
	}
	return nil, false
}

// callMacro renders the body of a macro.
func (m *machine) callMacro(v *macroValue, a arguments) (Value, error) {
	own, err := m.bindMacro(v, a)
	if err != nil {
		return nil, err
	}
	out := &buffer{m: m}
	if _, err := m.run(v.node.body, own, out); err != nil {
		return nil, err
	}
	return Str(out.String()), nil
}

// bindMacro makes the scope of a call from its arguments and the defaults.
func (m *machine) bindMacro(v *macroValue, a arguments) (*scope, error) {
	n := v.node
	own := &scope{parent: v.scope}
	extra := NewDict()
	for i, name := range a.names {
		extra.Set(name, a.named[i])
	}
	take := func(name string) (Value, bool) {
		value, found := extra.Get(name)
		if found {
			extra.remove(name)
		}
		return value, found
	}
	missing := make([]bool, len(n.parameters))
	for i, name := range n.parameters {
		value, found := Value(nil), i < len(a.positional)
		if found {
			value = a.positional[i]
		} else {
			value, found = take(name)
		}
		if missing[i] = !found; found {
			own.set(name, value)
		} else {
			own.set(name, newUndefined(name))
		}
	}
	if n.readsCaller {
		caller, found := take("caller")
		if !found || caller == nil {
			caller = &undefinedValue{message: "No caller defined"}
		}
		own.set("caller", caller)
	}
	if n.readsKwargs {
		own.set("kwargs", extra)
	} else if extra.Len() > 0 {
		return nil, typeError("macro %s takes no keyword argument %s", quote(n.name), shortRepr(extra.keys[0]))
	}
	rest := a.positional[min(len(n.parameters), len(a.positional)):]
	if n.readsVarargs {
		own.set("varargs", &Tuple{items: rest})
	} else if len(rest) > 0 {
		return nil, typeError("macro %s takes not more than %d argument(s)", quote(n.name), len(n.parameters))
	}
	return own, m.defaults(n, missing, own)
}

// defaults gives the parameters that are missing their defaults, in order: one may read those before it.
func (m *machine) defaults(n *macro, missing []bool, own *scope) error {
	for i, name := range n.parameters {
		if !missing[i] {
			continue
		}
		var value Value = &undefinedValue{message: "parameter " + quote(name) + " was not provided"}
		if d := i - len(n.parameters) + len(n.defaults); d >= 0 {
			var err error
			if value, err = m.evaluate(n.defaults[d], own); err != nil {
				return err
			}
		}
		own.set(name, value)
	}
	return nil
}

// callBlock calls a macro with the body of the block as its caller.
func (m *machine) callBlock(st *callBlock, s *scope, out *buffer) error {
	v, err := m.evaluateCall(st.call, s, &macroValue{st.macro, s})
	if err != nil {
		return err
	}
	return m.write(out, v)
}
