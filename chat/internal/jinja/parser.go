package jinja

import (
	"slices"
)

// Limits of a source, so that no later walk over the tree goes deeper than the stack allows.
const (
	maxNesting = 200  // of expressions and of statements
	maxChain   = 1000 // operators, calls or filters in a row
)

// parser turns tokens into a tree, by the grammar of Jinja's parser.
type parser struct {
	tokens []token
	at     int
	depth  int
}

func (p *parser) current() token { return p.tokens[p.at] }

func (p *parser) look() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (t token) is(k kind, text string) bool { return t.kind == k && t.text == text }

func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "end of template"
	case tokenData:
		return "template data / text"
	case tokenVariableBegin:
		return "begin of print statement"
	case tokenVariableEnd:
		return "end of print statement"
	case tokenBlockBegin:
		return "begin of statement block"
	case tokenBlockEnd:
		return "end of statement block"
	case tokenString:
		return "string"
	case tokenNumber:
		return "number"
	}
	return t.text
}

// skip takes the token if it is the one asked for.
func (p *parser) skip(k kind, text string) bool {
	if p.current().is(k, text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(k kind, text string) (token, error) {
	t := p.current()
	if t.kind == k && (text == "" || t.text == text) {
		return p.next(), nil
	}
	want := token{kind: k, text: text}.describe()
	if k == tokenName && text == "" {
		want = "name"
	}
	return t, p.fail("expected token %s, got %s", quote(want), quote(t.describe()))
}

func (p *parser) fail(format string, arguments ...any) error {
	return atLine(syntaxError(format, arguments...), p.current().line)
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxNesting {
		return atLine(limitError("a template nested more than %d deep", maxNesting), p.current().line)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// body parses the whole template.
func (p *parser) body() ([]statement, error) {
	body, err := p.statements(nil)
	if err == nil && p.current().kind != tokenEnd {
		err = p.fail("unexpected %s", quote(p.current().describe()))
	}
	return body, err
}

// until parses the body of a statement, from the end of its tag to the name of an ending tag, which stays the current token.
func (p *parser) until(ends ...string) ([]statement, error) {
	p.skip(tokenOperator, ":")
	if _, err := p.expect(tokenBlockEnd, ""); err != nil {
		return nil, err
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	body, err := p.statements(ends)
	if err == nil && p.current().kind == tokenEnd {
		err = p.fail("Unexpected end of template. Jinja was looking for the following tags: %s.", joinQuoted(ends))
	}
	return body, err
}

func joinQuoted(names []string) string {
	text := ""
	for i, name := range names {
		if i > 0 {
			text += " or "
		}
		text += quote(name)
	}
	return text
}

// statements parses texts, print tags and statements up to one of the ends.
func (p *parser) statements(ends []string) (body []statement, err error) {
	var out *output
	add := func(line int, e expression) {
		if out == nil {
			out = &output{line: line}
			body = append(body, out)
		}
		out.parts = append(out.parts, e)
	}
	for {
		t := p.current()
		switch t.kind {
		case tokenData:
			p.next()
			add(t.line, &constant{Str(t.text)})
		case tokenVariableBegin:
			p.next()
			e, err := p.tuple(tupleRules{conditional: true})
			if err != nil {
				return nil, err
			}
			add(t.line, e)
			if _, err := p.expect(tokenVariableEnd, ""); err != nil {
				return nil, err
			}
		case tokenBlockBegin:
			out = nil
			p.next()
			if c := p.current(); c.kind == tokenName && slices.Contains(ends, c.text) {
				return body, nil
			}
			s, err := p.statement(ends)
			if err != nil {
				return nil, err
			}
			body = append(body, s)
			if _, err := p.expect(tokenBlockEnd, ""); err != nil {
				return nil, err
			}
		default:
			return body, nil
		}
	}
}

// statementParsers are the tags; a tag's name is the current token.
func statementParser(name string) func(*parser) (statement, error) {
	switch name {
	case "for":
		return (*parser).forStatement
	case "if":
		return (*parser).ifStatement
	case "set":
		return (*parser).setStatement
	case "macro":
		return (*parser).macroStatement
	case "call":
		return (*parser).callStatement
	case "filter":
		return (*parser).filterStatement
	case "with":
		return (*parser).withStatement
	case "print":
		return (*parser).printStatement
	case "block":
		return (*parser).blockStatement
	case "generation":
		return (*parser).generationStatement
	case "break", "continue":
		return (*parser).loopControl
	}
	return nil
}

func (p *parser) statement(ends []string) (statement, error) {
	t := p.current()
	if t.kind != tokenName {
		return nil, p.fail("tag name expected")
	}
	parse := statementParser(t.text)
	if parse == nil {
		message := "Encountered unknown tag " + quote(t.text) + "."
		if len(ends) > 0 {
			message += " Jinja was looking for the following tags: " + joinQuoted(ends) + "."
		}
		return nil, p.fail("%s", message)
	}
	s, err := parse(p)
	return s, atLine(err, t.line)
}

func (p *parser) forStatement() (statement, error) {
	n := &forLoop{line: p.next().line}
	var err error
	if n.target, err = p.target(false, "in"); err != nil {
		return nil, err
	}
	if _, err := p.expect(tokenName, "in"); err != nil {
		return nil, err
	}
	if n.iterable, err = p.tuple(tupleRules{end: "recursive"}); err != nil {
		return nil, err
	}
	if p.skip(tokenName, "if") {
		if n.test, err = p.expression(); err != nil {
			return nil, err
		}
	}
	n.recursive = p.skip(tokenName, "recursive")
	if n.body, err = p.until("endfor", "else"); err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		if n.otherwise, err = p.until("endfor"); err != nil {
			return nil, err
		}
		p.next()
	}
	return n, nil
}

func (p *parser) ifStatement() (statement, error) {
	n := &ifElse{}
	line := p.next().line
	for {
		test, err := p.tuple(tupleRules{})
		if err != nil {
			return nil, err
		}
		body, err := p.until("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n.branches = append(n.branches, branch{line, test, body})
		end := p.next()
		line = end.line
		switch end.text {
		case "elif":
			continue
		case "else":
			body, err := p.until("endif")
			if err != nil {
				return nil, err
			}
			p.next()
			n.branches = append(n.branches, branch{line, nil, body})
		}
		return n, nil
	}
}

func (p *parser) setStatement() (statement, error) {
	line := p.next().line
	to, err := p.target(true, "")
	if err != nil {
		return nil, err
	}
	if p.skip(tokenOperator, "=") {
		value, err := p.tuple(tupleRules{conditional: true})
		return &assign{line, to, value}, err
	}
	n := &assignBlock{line: line, target: to}
	if n.filter, err = p.filters(nil); err != nil {
		return nil, err
	}
	if n.body, err = p.until("endset"); err != nil {
		return nil, err
	}
	p.next()
	return n, nil
}

// parameters parses the parameters of a macro.
func (p *parser) parameters(n *macro) error {
	if _, err := p.expect(tokenOperator, "("); err != nil {
		return err
	}
	for !p.current().is(tokenOperator, ")") {
		if len(n.parameters) > 0 {
			if _, err := p.expect(tokenOperator, ","); err != nil {
				return err
			}
		}
		name, err := p.targetName()
		if err != nil {
			return err
		}
		if slices.Contains(n.parameters, name) {
			return raise("SyntaxError", "duplicate argument %s in function definition", quote(name))
		}
		if len(n.parameters) > 255 {
			return p.fail("more than 255 parameters")
		}
		if p.skip(tokenOperator, "=") {
			value, err := p.expression()
			if err != nil {
				return err
			}
			n.defaults = append(n.defaults, value)
		} else if len(n.defaults) > 0 {
			return p.fail("non-default argument follows default argument")
		}
		n.parameters = append(n.parameters, name)
	}
	p.next()
	return nil
}

func (p *parser) macroStatement() (statement, error) {
	n := &macro{line: p.next().line}
	var err error
	if n.name, err = p.targetName(); err != nil {
		return nil, err
	}
	if err := p.parameters(n); err != nil {
		return nil, err
	}
	if n.body, err = p.until("endmacro"); err != nil {
		return nil, err
	}
	p.next()
	return n, nil
}

func (p *parser) callStatement() (statement, error) {
	line := p.next().line
	n := &callBlock{line: line, macro: &macro{line: line}}
	if p.current().is(tokenOperator, "(") {
		if err := p.parameters(n.macro); err != nil {
			return nil, err
		}
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	var ok bool
	if n.call, ok = e.(*call); !ok {
		return nil, atLine(syntaxError("expected call"), line)
	}
	if n.macro.body, err = p.until("endcall"); err != nil {
		return nil, err
	}
	p.next()
	return n, nil
}

func (p *parser) filterStatement() (statement, error) {
	n := &filterBlock{line: p.next().line}
	first, err := p.filter(nil)
	if err != nil {
		return nil, err
	}
	if n.filter, err = p.filters(first); err != nil {
		return nil, err
	}
	if n.body, err = p.until("endfilter"); err != nil {
		return nil, err
	}
	p.next()
	return n, nil
}
