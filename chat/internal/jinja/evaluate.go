package jinja

import "strings"

// evaluate is the value of an expression in a scope.
func (m *machine) evaluate(e expression, s *scope) (Value, error) {
	switch e := e.(type) {
	case *constant:
		return e.value, m.step(1)
	case *variable:
		return s.lookup(e.name), m.step(1)
	}
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.leave()
	switch e := e.(type) {
	case *attribute:
		of, err := m.evaluate(e.of, s)
		if err != nil {
			return nil, err
		}
		return m.getAttribute(of, e.name)
	case *item:
		pair, err := m.evaluateAll(s, e.of, e.index)
		if err != nil {
			return nil, err
		}
		return m.getItem(pair[0], pair[1])
	case *slice:
		return m.evaluateSlice(e, s)
	case *call:
		return m.evaluateCall(e, s, nil)
	case *filter:
		return m.evaluateFilter(e, s, nil)
	case *test:
		return m.evaluateTest(e, s)
	case *tupleOf:
		items, err := m.evaluateAll(s, e.items...)
		return &Tuple{items: items}, err
	case *listOf:
		items, err := m.evaluateAll(s, e.items...)
		return &List{items}, err
	case *dictOf:
		return m.evaluateDict(e, s)
	case *concatenation:
		return m.evaluateConcatenation(e, s)
	}
	return m.evaluateOperator(e, s)
}

func (m *machine) evaluateOperator(e expression, s *scope) (Value, error) {
	switch e := e.(type) {
	case *binary:
		return m.evaluateBinary(e, s)
	case *comparison:
		return m.evaluateComparison(e, s)
	case *not:
		yes, err := m.evaluateTruth(e.of, s)
		return Bool(!yes), err
	case *unary:
		v, err := m.evaluate(e.of, s)
		if err != nil {
			return nil, err
		}
		return m.unary(e.op, v)
	case *conditional:
		yes, err := m.evaluateTruth(e.test, s)
		switch {
		case err != nil:
			return nil, err
		case yes:
			return m.evaluate(e.then, s)
		case e.otherwise == nil:
			return &undefinedValue{message: "the inline if-expression evaluated to false and no else section was defined."}, nil
		}
		return m.evaluate(e.otherwise, s)
	}
	return nil, typeError("no such expression")
}

func (m *machine) evaluateTruth(e expression, s *scope) (bool, error) {
	v, err := m.evaluate(e, s)
	if err != nil {
		return false, err
	}
	return m.truth(v)
}

func (m *machine) evaluateAll(s *scope, list ...expression) ([]Value, error) {
	if err := m.newItems(len(list)); err != nil {
		return nil, err
	}
	values := make([]Value, len(list))
	for i, e := range list {
		var err error
		if values[i], err = m.evaluate(e, s); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (m *machine) evaluateDict(e *dictOf, s *scope) (Value, error) {
	d := NewDict()
	for i := range e.keys {
		pair, err := m.evaluateAll(s, e.keys[i], e.values[i])
		if err != nil {
			return nil, err
		}
		if err := d.set(pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (m *machine) evaluateConcatenation(e *concatenation, s *scope) (Value, error) {
	values, err := m.evaluateAll(s, e.items...)
	if err != nil {
		return nil, err
	}
	out := &buffer{m: m}
	for _, v := range values {
		if err := m.write(out, v); err != nil {
			return nil, err
		}
	}
	return Str(out.String()), nil
}

func (m *machine) evaluateBinary(e *binary, s *scope) (Value, error) {
	left, err := m.evaluate(e.left, s)
	if err != nil {
		return nil, err
	}
	if e.op == "and" || e.op == "or" {
		yes, err := m.truth(left)
		if err != nil || yes == (e.op == "or") {
			return left, err
		}
		return m.evaluate(e.right, s)
	}
	right, err := m.evaluate(e.right, s)
	if err != nil {
		return nil, err
	}
	return m.operate(e.op, left, right)
}

func (m *machine) evaluateComparison(e *comparison, s *scope) (Value, error) {
	left, err := m.evaluate(e.first, s)
	if err != nil {
		return nil, err
	}
	for i, op := range e.operators {
		right, err := m.evaluate(e.rest[i], s)
		if err != nil {
			return nil, err
		}
		yes, err := m.compare(op, left, right)
		if err != nil || !yes {
			return Bool(false), err
		}
		left = right
	}
	return Bool(true), nil
}

func (m *machine) unary(op string, v Value) (Value, error) {
	if op == "-" {
		return negate(v)
	}
	if b, ok := v.(Bool); ok {
		n, _ := smallInteger(b) // a bool is small
		return Int(n), nil
	}
	if u, ok := v.(*undefinedValue); ok {
		return nil, u.raise()
	}
	if _, ok, err := float(v); !ok && err == nil {
		return nil, typeError("bad operand type for unary +: %s", quote(typeName(v)))
	}
	return v, nil
}

// operate is a binary operator of arithmetic.
func (m *machine) operate(op string, a, b Value) (Value, error) {
	if v, ok, err := arithmetic(op, a, b); ok {
		if _, isInt := v.(Int); !isInt && err == nil {
			err = m.step(4) // a large integer
		}
		return v, err
	}
	text, isText := textOf(a)
	if op == "%" && isText {
		return m.formatPercent(a, text, b)
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefinedValue); ok {
			return nil, u.raise()
		}
	}
	switch op {
	case "+":
		return m.join(a, b)
	case "*":
		if n, ok := integer(b); ok {
			return m.repeat(a, b, n.Sign())
		}
		if n, ok := integer(a); ok {
			return m.repeat(b, a, n.Sign())
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	return nil, typeError("unsupported operand type(s) for %s: %s and %s", op, quote(typeName(a)), quote(typeName(b)))
}

// join is + of two sequences.
func (m *machine) join(a, b Value) (Value, error) {
	x, xText := textOf(a)
	y, yText := textOf(b)
	if xText && yText {
		_, aSafe := a.(Markup)
		_, bSafe := b.(Markup)
		if aSafe || bSafe {
			return m.joinSafe(a, b)
		}
		if err := m.text(len(x) + len(y)); err != nil {
			return nil, err
		}
		return Str(x + y), nil
	}
	switch a := a.(type) {
	case *List:
		if b, ok := b.(*List); ok {
			items, err := m.joinItems(a.items, b.items)
			return &List{items}, err
		}
		return nil, typeError("can only concatenate list (not %s) to list", `"`+typeName(b)+`"`)
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			items, err := m.joinItems(a.items, b.items)
			return &Tuple{items: items}, err
		}
		return nil, typeError("can only concatenate tuple (not %s) to tuple", `"`+typeName(b)+`"`)
	case Str:
		return nil, typeError("can only concatenate str (not %s) to str", `"`+typeName(b)+`"`)
	}
	return nil, typeError("unsupported operand type(s) for +: %s and %s", quote(typeName(a)), quote(typeName(b)))
}

func (m *machine) joinSafe(a, b Value) (Value, error) {
	x, err := m.escape(a)
	if err != nil {
		return nil, err
	}
	y, err := m.escape(b)
	if err != nil {
		return nil, err
	}
	return x + y, m.text(len(x) + len(y))
}

func (m *machine) joinItems(a, b []Value) ([]Value, error) {
	if err := m.newItems(len(a) + len(b)); err != nil {
		return nil, err
	}
	return append(append(make([]Value, 0, len(a)+len(b)), a...), b...), nil
}

// repeat is sequence * count.
func (m *machine) repeat(v, count Value, sign int) (Value, error) {
	n64, small := smallInteger(count)
	if sign <= 0 {
		n64, small = 0, true
	}
	const most = 1 << 31
	if !small || n64 > most {
		n64 = most
	}
	n := int(n64)
	switch v := v.(type) {
	case Str, Markup:
		text, _ := textOf(v)
		if text != "" && n > m.options.MaxOutput/len(text) {
			return nil, limitError("a text of more than %d bytes", m.options.MaxOutput)
		}
		if err := m.text(len(text) * n); err != nil || text == "" {
			return v, err
		}
		return like(v, strings.Repeat(text, n)), nil
	case *List:
		items, err := m.repeatItems(v.items, n)
		return &List{items}, err
	case *Tuple:
		items, err := m.repeatItems(v.items, n)
		return &Tuple{items: items}, err
	}
	return nil, typeError("unsupported operand type(s) for *: %s and 'int'", quote(typeName(v)))
}

func (m *machine) repeatItems(items []Value, n int) ([]Value, error) {
	if len(items) == 0 || n == 0 {
		return nil, nil
	}
	if n > m.options.MaxMemory/itemBytes/len(items) {
		return nil, limitError("more than %d bytes of memory", m.options.MaxMemory)
	}
	if err := m.newItems(len(items) * n); err != nil {
		return nil, err
	}
	repeated := make([]Value, 0, len(items)*n)
	for range n {
		repeated = append(repeated, items...)
	}
	return repeated, nil
}
