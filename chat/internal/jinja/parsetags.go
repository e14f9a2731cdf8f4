package jinja

import "slices"

func (p *parser) withStatement() (statement, error) {
	n := &with{line: p.next().line}
	for p.current().kind != tokenBlockEnd {
		if len(n.targets) > 0 {
			if _, err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
		}
		to, err := p.target(false, "")
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(tokenOperator, "="); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		n.targets, n.values = append(n.targets, to), append(n.values, value)
	}
	var err error
	if n.body, err = p.until("endwith"); err != nil {
		return nil, err
	}
	p.next()
	return n, nil
}

func (p *parser) printStatement() (statement, error) {
	n := &output{line: p.next().line}
	for p.current().kind != tokenBlockEnd {
		if len(n.parts) > 0 {
			if _, err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, e)
	}
	return n, nil
}

func (p *parser) blockStatement() (statement, error) {
	n := &block{line: p.next().line}
	name, err := p.expect(tokenName, "")
	if err != nil {
		return nil, err
	}
	n.name = name.text
	n.scoped = p.skip(tokenName, "scoped")
	n.required = p.skip(tokenName, "required")
	if n.body, err = p.until("endblock"); err != nil {
		return nil, err
	}
	p.next()
	p.skip(tokenName, n.name)
	return n, nil
}

// generationStatement is transformers' mark around what the model has said; it renders its body.
func (p *parser) generationStatement() (statement, error) {
	p.next()
	body, err := p.until("endgeneration")
	p.next()
	return &scoped{body}, err
}

func (p *parser) loopControl() (statement, error) {
	t := p.next()
	if t.text == "break" {
		return &breakLoop{t.line}, nil
	}
	return &continueLoop{t.line}, nil
}

// constantNames cannot be assigned to.
var constantNames = []string{"true", "false", "none", "True", "False", "None"}

func (p *parser) targetName() (string, error) {
	t, err := p.expect(tokenName, "")
	if err == nil && slices.Contains(constantNames, t.text) {
		err = p.fail("can't assign to 'const'")
	}
	return t.text, err
}

// target parses what stands left of an assignment: a name, or names with commas, which may be in parentheses. With
// attributes, ns.name is one too.
func (p *parser) target(attributes bool, end string) (target, error) {
	if err := p.enter(); err != nil {
		return target{}, err
	}
	defer p.leave()
	var items []target
	isTuple := false
	for {
		if t := p.current(); t.kind == tokenVariableEnd || t.kind == tokenBlockEnd || t.is(tokenOperator, ")") || end != "" && t.is(tokenName, end) {
			break
		}
		one, err := p.targetItem(attributes)
		if err != nil {
			return target{}, err
		}
		items = append(items, one)
		if !p.skip(tokenOperator, ",") {
			break
		}
		isTuple = true
	}
	switch {
	case isTuple:
		return target{items: items, isTuple: true}, nil
	case len(items) == 1:
		return items[0], nil
	}
	return target{}, p.fail("Expected an expression, got %s", quote(p.current().describe()))
}

func (p *parser) targetItem(attributes bool) (target, error) {
	if p.skip(tokenOperator, "(") {
		if p.skip(tokenOperator, ")") {
			return target{isTuple: true}, nil
		}
		inner, err := p.target(false, "")
		if err != nil {
			return target{}, err
		}
		_, err = p.expect(tokenOperator, ")")
		return inner, err
	}
	if p.current().kind != tokenName {
		return target{}, p.fail("can't assign to %s", quote(p.current().describe()))
	}
	name, err := p.targetName()
	if err != nil || !attributes || !p.skip(tokenOperator, ".") {
		return target{name: name}, err
	}
	t, err := p.expect(tokenName, "")
	return target{name: name, attribute: t.text}, err
}
