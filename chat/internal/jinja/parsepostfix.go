package jinja

// postfix parses attributes, items and calls behind an expression.
func (p *parser) postfix(e expression) (expression, error) {
	for n := 0; ; n++ {
		t := p.current()
		if t.kind != tokenOperator {
			return e, nil
		}
		var err error
		switch t.text {
		case ".":
			e, err = p.attribute(e)
		case "[":
			e, err = p.subscript(e)
		case "(":
			e, err = p.call(e)
		default:
			return e, nil
		}
		if err != nil {
			return nil, err
		}
		if n > maxChain {
			return nil, p.tooLong()
		}
	}
}

func (p *parser) attribute(of expression) (expression, error) {
	p.next()
	t := p.next()
	if t.kind == tokenName {
		return &attribute{of, t.text}, nil
	}
	if _, isFloat := t.value.(Float); t.kind == tokenNumber && !isFloat {
		return &item{of, &constant{t.value}}, nil
	}
	return nil, p.fail("expected name or number")
}

func (p *parser) subscript(of expression) (expression, error) {
	p.next()
	var indexes []expression
	var cut *slice
	for !p.current().is(tokenOperator, "]") {
		if len(indexes) > 0 {
			if _, err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
		}
		e, err := p.subscribed()
		if err != nil {
			return nil, err
		}
		cut, _ = e.(*slice)
		if cut != nil && len(indexes) > 0 {
			return nil, raise("SyntaxError", "a slice within a tuple")
		}
		indexes = append(indexes, e)
	}
	p.next()
	switch {
	case len(indexes) == 1 && cut != nil:
		cut.of = of
		return cut, nil
	case len(indexes) == 1:
		return &item{of, indexes[0]}, nil
	}
	if len(indexes) > 1 {
		if _, ok := indexes[0].(*slice); ok {
			return nil, raise("SyntaxError", "a slice within a tuple")
		}
	}
	return &item{of, &tupleOf{indexes}}, nil
}

// subscribed parses an index or a slice, whose object is not known yet.
func (p *parser) subscribed() (expression, error) {
	cut := &slice{}
	var err error
	if !p.current().is(tokenOperator, ":") {
		e, err := p.expression()
		if err != nil || !p.current().is(tokenOperator, ":") {
			return e, err
		}
		cut.start = e
	}
	p.next()
	ends := func() bool {
		t := p.current()
		return t.is(tokenOperator, "]") || t.is(tokenOperator, ",")
	}
	if !p.current().is(tokenOperator, ":") && !ends() {
		if cut.stop, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.skip(tokenOperator, ":") && !ends() {
		if cut.step, err = p.expression(); err != nil {
			return nil, err
		}
	}
	return cut, nil
}

// arguments parses what stands in the parentheses of a call.
func (p *parser) arguments() (*signature, error) {
	open, err := p.expect(tokenOperator, "(")
	if err != nil {
		return nil, err
	}
	s := &signature{}
	for first := true; !p.current().is(tokenOperator, ")"); first = false {
		if !first {
			if _, err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
			if p.current().is(tokenOperator, ")") {
				break
			}
		}
		if err := p.argument(s, open.line); err != nil {
			return nil, err
		}
	}
	p.next()
	return s, nil
}

func (p *parser) argument(s *signature, line int) (err error) {
	wrong := atLine(syntaxError("invalid syntax for function call expression"), line)
	t := p.current()
	switch {
	case t.is(tokenOperator, "*"):
		if s.dynamic != nil || s.dynamicNames != nil {
			return wrong
		}
		p.next()
		s.dynamic, err = p.expression()
	case t.is(tokenOperator, "**"):
		if s.dynamicNames != nil {
			return wrong
		}
		p.next()
		s.dynamicNames, err = p.expression()
	case t.kind == tokenName && p.look().is(tokenOperator, "="):
		if s.dynamicNames != nil {
			return wrong
		}
		if contains(s.names, t.text) || len(s.names) > 255 {
			return raise("SyntaxError", "keyword argument repeated: %s", t.text)
		}
		p.next()
		p.next()
		var e expression
		e, err = p.expression()
		s.names, s.named = append(s.names, t.text), append(s.named, e)
	default:
		if s.dynamic != nil || s.dynamicNames != nil || len(s.names) > 0 {
			return wrong
		}
		var e expression
		e, err = p.expression()
		s.positional = append(s.positional, e)
	}
	return err
}

func (p *parser) call(of expression) (expression, error) {
	s, err := p.arguments()
	return &call{of, s}, err
}

// dottedName parses the name of a filter or a test.
func (p *parser) dottedName() (string, error) {
	t, err := p.expect(tokenName, "")
	name := t.text
	for err == nil && p.skip(tokenOperator, ".") {
		t, err = p.expect(tokenName, "")
		name += "." + t.text
		if len(name) > 1000 {
			return "", p.tooLong()
		}
	}
	return name, err
}

// filter parses one filter, from its name.
func (p *parser) filter(of expression) (expression, error) {
	name, err := p.dottedName()
	if err != nil {
		return nil, err
	}
	f := &filter{of: of, name: name, with: &signature{}}
	if p.current().is(tokenOperator, "(") {
		f.with, err = p.arguments()
	}
	return f, err
}

// filters parses |name ... as long as there is one.
func (p *parser) filters(of expression) (expression, error) {
	for n := 0; p.skip(tokenOperator, "|"); n++ {
		f, err := p.filter(of)
		if err != nil {
			return nil, err
		}
		of = f
		if n > maxChain {
			return nil, p.tooLong()
		}
	}
	return of, nil
}

func (p *parser) test(of expression) (expression, error) {
	p.next()
	negated := p.skip(tokenName, "not")
	name, err := p.dottedName()
	if err != nil {
		return nil, err
	}
	n := &test{of: of, name: name, with: &signature{}}
	t := p.current()
	switch {
	case t.is(tokenOperator, "("):
		n.with, err = p.arguments()
	case t.kind == tokenName && !contains([]string{"else", "or", "and"}, t.text),
		t.kind == tokenString, t.kind == tokenNumber,
		t.is(tokenOperator, "["), t.is(tokenOperator, "{"):
		if t.is(tokenName, "is") {
			return nil, p.fail("You cannot chain multiple tests with is")
		}
		var argument expression
		if argument, err = p.primary(); err != nil {
			return nil, err
		}
		argument, err = p.postfix(argument)
		n.with.positional = []expression{argument}
	}
	if negated {
		return &not{n}, err
	}
	return n, err
}
