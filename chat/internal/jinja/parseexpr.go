package jinja

import "strings"

// expression parses any expression.
func (p *parser) expression() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	left, err := p.or()
	if err != nil {
		return nil, err
	}
	for n := 0; p.skip(tokenName, "if"); n++ {
		test, err := p.or()
		if err != nil {
			return nil, err
		}
		var otherwise expression
		if p.skip(tokenName, "else") {
			if otherwise, err = p.expression(); err != nil {
				return nil, err
			}
		}
		left = &conditional{test, left, otherwise}
		if n > maxChain {
			return nil, p.tooLong()
		}
	}
	return left, nil
}

func (p *parser) tooLong() error {
	return atLine(limitError("an expression of more than %d operators in a row", maxChain), p.current().line)
}

// chain parses operands with left-associative operators between them.
func (p *parser) chain(k kind, operators []string, operand func() (expression, error)) (expression, error) {
	left, err := operand()
	for n := 0; err == nil; n++ {
		t := p.current()
		if t.kind != k || !contains(operators, t.text) {
			return left, nil
		}
		if n > maxChain {
			return nil, p.tooLong()
		}
		p.next()
		var right expression
		right, err = operand()
		left = &binary{t.text, left, right}
	}
	return nil, err
}

func contains(list []string, text string) bool {
	for _, s := range list {
		if s == text {
			return true
		}
	}
	return false
}

// The operators of each level of precedence.
var (
	sumOperators     = []string{"+", "-"}
	productOperators = []string{"*", "/", "//", "%"}
	powerOperators   = []string{"**"}
	compareOperators = []string{"==", "!=", "<", "<=", ">", ">="}
	orOperators      = []string{"or"}
	andOperators     = []string{"and"}
)

func (p *parser) or() (expression, error) { return p.chain(tokenName, orOperators, p.and) }

func (p *parser) and() (expression, error) { return p.chain(tokenName, andOperators, p.not) }

func (p *parser) not() (expression, error) {
	if !p.current().is(tokenName, "not") {
		return p.compare()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	p.next()
	of, err := p.not()
	return &not{of}, err
}

func (p *parser) compare() (expression, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := &comparison{first: first}
	for {
		t := p.current()
		op := ""
		switch {
		case t.kind == tokenOperator && contains(compareOperators, t.text):
			op = t.text
		case t.is(tokenName, "in"):
			op = "in"
		case t.is(tokenName, "not") && p.look().is(tokenName, "in"):
			op = "not in"
			p.next()
		}
		if op == "" {
			break
		}
		p.next()
		right, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.operators, c.rest = append(c.operators, op), append(c.rest, right)
		if len(c.rest) > maxChain {
			return nil, p.tooLong()
		}
	}
	if len(c.rest) == 0 {
		return first, nil
	}
	return c, nil
}

func (p *parser) sum() (expression, error) { return p.chain(tokenOperator, sumOperators, p.concat) }

// concat is between sums and products, as in Jinja.
func (p *parser) concat() (expression, error) {
	first, err := p.product()
	if err != nil || !p.current().is(tokenOperator, "~") {
		return first, err
	}
	c := &concatenation{[]expression{first}}
	for p.skip(tokenOperator, "~") {
		e, err := p.product()
		if err != nil {
			return nil, err
		}
		c.items = append(c.items, e)
	}
	return c, nil
}

func (p *parser) product() (expression, error) {
	return p.chain(tokenOperator, productOperators, p.power)
}

// power associates to the left, as in Jinja and unlike Python.
func (p *parser) power() (expression, error) {
	return p.chain(tokenOperator, powerOperators, func() (expression, error) { return p.unary(true) })
}

func (p *parser) unary(withFilters bool) (e expression, err error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if t := p.current(); t.kind == tokenOperator && (t.text == "-" || t.text == "+") {
		p.next()
		of, err := p.unary(false)
		if err != nil {
			return nil, err
		}
		e = &unary{t.text, of}
	} else if e, err = p.primary(); err != nil {
		return nil, err
	}
	if e, err = p.postfix(e); err != nil || !withFilters {
		return e, err
	}
	for n := 0; ; n++ {
		t := p.current()
		switch {
		case t.is(tokenOperator, "|"):
			e, err = p.filters(e)
		case t.is(tokenName, "is"):
			e, err = p.test(e)
		case t.is(tokenOperator, "("):
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

func (p *parser) primary() (expression, error) {
	t := p.current()
	switch t.kind {
	case tokenName:
		p.next()
		switch t.text {
		case "true", "True":
			return &constant{Bool(true)}, nil
		case "false", "False":
			return &constant{Bool(false)}, nil
		case "none", "None":
			return &constant{nil}, nil
		}
		return &variable{t.text}, nil
	case tokenString:
		var text strings.Builder
		for p.current().kind == tokenString {
			text.WriteString(p.next().text)
		}
		return &constant{Str(text.String())}, nil
	case tokenNumber:
		p.next()
		return &constant{t.value}, nil
	case tokenOperator:
		switch t.text {
		case "(":
			p.next()
			e, err := p.tuple(tupleRules{conditional: true, parentheses: true})
			if err != nil {
				return nil, err
			}
			_, err = p.expect(tokenOperator, ")")
			return e, err
		case "[":
			return p.list()
		case "{":
			return p.dict()
		}
	}
	return nil, p.fail("unexpected %s", quote(t.describe()))
}

// tupleRules say how far a tuple goes.
type tupleRules struct {
	conditional bool   // an item may be an inline if
	end         string // a name that ends the tuple, too
	parentheses bool   // it stands in parentheses, so it may be empty
}

// tuple parses an expression, or several with commas, which are a tuple then.
func (p *parser) tuple(rules tupleRules) (expression, error) {
	parse := p.expression
	if !rules.conditional {
		parse = p.or
	}
	var items []expression
	isTuple := false
	for {
		if t := p.current(); t.kind == tokenVariableEnd || t.kind == tokenBlockEnd || t.is(tokenOperator, ")") || rules.end != "" && t.is(tokenName, rules.end) {
			break
		}
		e, err := parse()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if !p.skip(tokenOperator, ",") {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) == 1 {
			return items[0], nil
		}
		if !rules.parentheses {
			return nil, p.fail("Expected an expression, got %s", quote(p.current().describe()))
		}
	}
	return &tupleOf{items}, nil
}

func (p *parser) list() (expression, error) {
	p.next()
	l := &listOf{}
	for !p.current().is(tokenOperator, "]") {
		if len(l.items) > 0 {
			if _, err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
			if p.current().is(tokenOperator, "]") {
				break
			}
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, e)
	}
	p.next()
	return l, nil
}

func (p *parser) dict() (expression, error) {
	p.next()
	d := &dictOf{}
	for !p.current().is(tokenOperator, "}") {
		if len(d.keys) > 0 {
			if _, err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
			if p.current().is(tokenOperator, "}") {
				break
			}
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(tokenOperator, ":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, key), append(d.values, value)
	}
	p.next()
	return d, nil
}
