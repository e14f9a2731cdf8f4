package jinja

// signal is how a body ended.
type signal uint8

const (
	ended signal = iota
	breaking
	continuing
)

// run executes a body in a scope and writes its text to out.
func (m *machine) run(body []statement, s *scope, out *buffer) (signal, error) {
	if err := m.enter(); err != nil {
		return ended, err
	}
	defer m.leave()
	for _, st := range body {
		how, err := m.execute(st, s, out)
		if err != nil || how != ended {
			return how, err
		}
	}
	return ended, nil
}

func (m *machine) execute(st statement, s *scope, out *buffer) (signal, error) {
	if err := m.step(1); err != nil {
		return ended, err
	}
	switch st := st.(type) {
	case *output:
		return ended, atLine(m.print(st, s, out), st.line)
	case *forLoop:
		how, err := m.forLoop(st, s, out)
		return how, atLine(err, st.line)
	case *ifElse:
		return m.ifElse(st, s, out)
	case *assign:
		value, err := m.evaluate(st.value, s)
		if err == nil {
			err = m.assign(st.target, value, s)
		}
		return ended, atLine(err, st.line)
	case *assignBlock:
		return m.assignBlock(st, s)
	case *macro:
		s.set(st.name, &macroValue{st, s})
	case *callBlock:
		return ended, atLine(m.callBlock(st, s, out), st.line)
	case *filterBlock:
		inner := &buffer{m: m}
		own := &scope{parent: s}
		how, err := m.run(st.body, own, inner)
		if err != nil || how != ended {
			return how, err
		}
		return ended, atLine(m.printFiltered(st.filter, inner.String(), own, out), st.line)
	case *with:
		return m.with(st, s, out)
	case *scoped:
		return m.run(st.body, &scope{parent: s}, out)
	case *block:
		return m.block(st, s, out)
	case *breakLoop:
		return breaking, nil
	case *continueLoop:
		return continuing, nil
	}
	return ended, nil
}

func (m *machine) print(st *output, s *scope, out *buffer) error {
	for _, e := range st.parts {
		if c, ok := e.(*constant); ok {
			if text, ok := c.value.(Str); ok {
				if err := out.write(string(text)); err != nil {
					return err
				}
				continue
			}
		}
		v, err := m.evaluate(e, s)
		if err != nil {
			return err
		}
		if err := m.write(out, v); err != nil {
			return err
		}
	}
	return nil
}

// write writes str(v).
func (m *machine) write(out *buffer, v Value) error {
	text, err := m.str(v)
	if err != nil {
		return err
	}
	return out.write(text)
}

// printFiltered writes a text through the filters of a block.
func (m *machine) printFiltered(filters expression, text string, s *scope, out *buffer) error {
	v, err := m.filterText(filters, text, s)
	if err != nil {
		return err
	}
	return m.write(out, v)
}

func (m *machine) ifElse(st *ifElse, s *scope, out *buffer) (signal, error) {
	for _, b := range st.branches {
		if b.test != nil {
			v, err := m.evaluate(b.test, s)
			if err != nil {
				return ended, atLine(err, b.line)
			}
			yes, err := m.truth(v)
			if err != nil {
				return ended, atLine(err, b.line)
			}
			if !yes {
				continue
			}
		}
		return m.run(b.body, s, out)
	}
	return ended, nil
}

func (m *machine) assignBlock(st *assignBlock, s *scope) (signal, error) {
	inner := &buffer{m: m}
	own := &scope{parent: s}
	how, err := m.run(st.body, own, inner)
	if err != nil || how != ended {
		return how, err
	}
	var v Value = Str(inner.String())
	if st.filter != nil {
		if v, err = m.filterText(st.filter, inner.String(), own); err != nil {
			return ended, atLine(err, st.line)
		}
	}
	return ended, atLine(m.assign(st.target, v, s), st.line)
}

// assign gives a target its value.
func (m *machine) assign(t target, v Value, s *scope) error {
	if t.attribute != "" || t.isTuple {
		if err := m.checkNamespaces(t, s); err != nil {
			return err
		}
	}
	return m.store(t, v, s)
}

// checkNamespaces: every ns of the ns.name in a target has to be one before anything is assigned.
func (m *machine) checkNamespaces(t target, s *scope) error {
	if t.attribute != "" {
		if _, ok := s.lookup(t.name).(*namespaceValue); !ok {
			return raise("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
		}
	}
	for _, item := range t.items {
		if err := m.checkNamespaces(item, s); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) store(t target, v Value, s *scope) error {
	if t.attribute != "" {
		ns, ok := s.lookup(t.name).(*namespaceValue)
		if !ok {
			return raise("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
		}
		return ns.set(m, t.attribute, v)
	}
	if !t.isTuple {
		s.set(t.name, v)
		return m.allocate(itemBytes)
	}
	it, err := m.iterate(v)
	if err != nil {
		return typeError("cannot unpack non-iterable %s object", typeName(v))
	}
	values := make([]Value, 0, len(t.items))
	for {
		one, ok, err := it.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if len(values) == len(t.items) {
			return valueError("too many values to unpack (expected %d)", len(t.items))
		}
		values = append(values, one)
	}
	if len(values) < len(t.items) {
		return valueError("not enough values to unpack (expected %d, got %d)", len(t.items), len(values))
	}
	for i, item := range t.items {
		if err := m.store(item, values[i], s); err != nil {
			return err
		}
	}
	return nil
}

// set is namespace.name = v. A name with an underscore before it is refused, as transformers does.
func (ns *namespaceValue) set(m *machine, name string, v Value) error {
	if len(name) > 0 && name[0] == '_' {
		return raise("SecurityError", "a namespace has no attribute that begins with an underscore: %s", quote(name))
	}
	ns.attributes.Set(name, v)
	return m.allocate(itemBytes)
}

func (m *machine) with(st *with, s *scope, out *buffer) (signal, error) {
	own := &scope{parent: s}
	for i, t := range st.targets {
		v, err := m.evaluate(st.values[i], s)
		if err == nil {
			err = m.store(t, v, own)
		}
		if err != nil {
			return ended, atLine(err, st.line)
		}
	}
	return m.run(st.body, own, out)
}

func (m *machine) block(st *block, s *scope, out *buffer) (signal, error) {
	if st.required {
		return ended, atLine(raise("TemplateRuntimeError", "Required block %s not found", quote(st.name)), st.line)
	}
	if !st.scoped { // it sees the variables of the template, not those of the loops around it
		for s.parent != nil && s.parent.parent != nil {
			s = s.parent
		}
	}
	return m.run(st.body, &scope{parent: s}, out)
}

func (m *machine) forLoop(st *forLoop, s *scope, out *buffer) (signal, error) {
	over, err := m.evaluate(st.iterable, s)
	if err != nil {
		return ended, err
	}
	return m.loop(st, over, 0, s, out)
}

// filtered is the items of over that pass the test of a for.
func (m *machine) filtered(st *forLoop, over Value, s *scope) (Value, error) {
	it, err := m.iterate(over)
	if err != nil {
		return nil, err
	}
	return newGenerator(func() (Value, bool, error) {
		for {
			v, ok, err := it.next()
			if err != nil || !ok {
				return nil, false, err
			}
			own := &scope{parent: s}
			if err := m.store(st.target, v, own); err != nil {
				return nil, false, err
			}
			tested, err := m.evaluate(st.test, own)
			if err != nil {
				return nil, false, err
			}
			yes, err := m.truth(tested)
			if err != nil || yes {
				return v, yes, err
			}
		}
	}), nil
}

// loop runs a for over a value.
func (m *machine) loop(st *forLoop, over Value, depth0 int, s *scope, out *buffer) (signal, error) {
	var err error
	if st.test != nil {
		if over, err = m.filtered(st, over, s); err != nil {
			return ended, err
		}
	}
	l, err := m.newLoop(over)
	if err != nil {
		return ended, err
	}
	l.depth0 = depth0
	if st.recursive {
		l.recurse = func(m *machine, over Value, depth0 int) (Value, error) {
			inner := &buffer{m: m}
			_, err := m.loop(st, over, depth0, s, inner)
			return Str(inner.String()), err
		}
	}
	none := true // until the end of the body is met: Jinja runs the else after a break in the first round, too
	for {
		v, ok, err := l.advance(m)
		if err != nil {
			return ended, err
		}
		if !ok {
			break
		}
		own := &scope{parent: s}
		own.set("loop", l)
		if err := m.store(st.target, v, own); err != nil {
			return ended, err
		}
		how, err := m.run(st.body, own, out)
		if err != nil {
			return ended, err
		}
		if how == breaking {
			break
		}
		none = none && how == continuing
	}
	if none && st.otherwise != nil {
		return m.run(st.otherwise, &scope{parent: s}, out)
	}
	return ended, nil
}
