package jinja

import "slices"

// checker finds what Jinja's compiler refuses in a tree that parses: unknown filters and tests, loop controls outside of a
// loop, assignments to loop; and notes which special names each macro reads.
type checker struct{ err error }

// place is where a node stands. In a soft place, under an if, an unknown filter is an error only when it is reached.
type place struct {
	line   int
	soft   bool
	inLoop bool // of the same function: a loop control may stand here
	within bool // a for, at any distance
}

func (p place) inner(line int) place { return place{line: line, inLoop: p.inLoop, within: p.within} }

func (p place) function(line int) place { return place{line: line, within: p.within} }

func check(body []statement) error {
	c := &checker{}
	c.statements(body, place{})
	return c.err
}

func (c *checker) fail(line int, err error) {
	if c.err == nil {
		c.err = atLine(err, line)
	}
}

func (c *checker) statements(body []statement, at place) {
	for _, s := range body {
		if c.err != nil {
			return
		}
		c.statement(s, at)
	}
}

func (c *checker) statement(s statement, at place) {
	switch s := s.(type) {
	case *output:
		at.line = s.line
		c.expressions(s.parts, at)
	case *forLoop:
		c.forLoop(s, at)
	case *ifElse:
		at.soft = true
		for _, b := range s.branches {
			at.line = b.line
			c.expression(b.test, at)
			c.statements(b.body, at)
		}
	case *assign:
		at.line = s.line
		c.target(s.target, at)
		c.expression(s.value, at)
	case *assignBlock:
		at.line = s.line
		c.target(s.target, at)
		c.expression(s.filter, at.inner(s.line))
		c.statements(s.body, at.inner(s.line))
	case *macro:
		c.macro(s, at)
	case *callBlock:
		c.macro(s.macro, at)
		at.line = s.line
		c.expression(s.call, at)
	case *filterBlock:
		c.expression(s.filter, at.inner(s.line))
		c.statements(s.body, at.inner(s.line))
	case *with:
		at.line = s.line
		c.expressions(s.values, at)
		c.statements(s.body, at.inner(s.line))
	case *scoped:
		c.statements(s.body, at.function(at.line))
	case *block:
		c.statements(s.body, place{line: s.line})
	case *breakLoop:
		if !at.inLoop {
			c.fail(s.line, raise("SyntaxError", "'break' outside loop"))
		}
	case *continueLoop:
		if !at.inLoop {
			c.fail(s.line, raise("SyntaxError", "'continue' not properly in loop"))
		}
	}
}

func (c *checker) forLoop(s *forLoop, at place) {
	at.line = s.line
	c.expression(s.iterable, at)
	body := place{line: s.line, inLoop: true, within: true}
	c.target(s.target, body)
	c.expression(s.test, body)
	c.statements(s.body, body)
	after := at.inner(s.line)
	after.within = true // the else belongs to the for
	c.statements(s.otherwise, after)
}

func (c *checker) target(t target, at place) {
	if t.name == "loop" && t.attribute == "" && at.within {
		c.fail(at.line, raise("TemplateAssertionError", "Can't assign to special loop variable in for-loop target"))
	}
	for _, item := range t.items {
		c.target(item, at)
	}
}

func (c *checker) macro(s *macro, at place) {
	inner := at.function(s.line)
	c.expressions(s.defaults, inner)
	c.statements(s.body, inner)
	reads := specialNames(s.body)
	s.readsCaller = reads["caller"] && !slices.Contains(s.parameters, "caller")
	s.readsKwargs = reads["kwargs"] && !slices.Contains(s.parameters, "kwargs")
	s.readsVarargs = reads["varargs"] && !slices.Contains(s.parameters, "varargs")
	if i := slices.Index(s.parameters, "caller"); reads["caller"] && i >= 0 && i < len(s.parameters)-len(s.defaults) {
		c.fail(s.line, raise("TemplateAssertionError", `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`))
	}
}

func (c *checker) expressions(list []expression, at place) {
	for _, e := range list {
		c.expression(e, at)
	}
}

func (c *checker) expression(e expression, at place) {
	switch e := e.(type) {
	case *filter:
		if _, known := filters[e.name]; !known && !at.soft {
			c.fail(at.line, raise("TemplateAssertionError", "No filter named %s.", quote(e.name)))
		}
		c.expression(e.of, at)
		c.signature(e.with, at)
	case *test:
		if _, known := tests[e.name]; !known && !at.soft {
			c.fail(at.line, raise("TemplateAssertionError", "No test named %s.", quote(e.name)))
		}
		c.expression(e.of, at)
		c.signature(e.with, at)
	case *conditional:
		at.soft = true
		c.expressions([]expression{e.test, e.then, e.otherwise}, at)
	default:
		for _, part := range parts(e) {
			c.expression(part, at)
		}
	}
}

func (c *checker) signature(s *signature, at place) {
	c.expressions(s.positional, at)
	c.expressions(s.named, at)
	c.expressions([]expression{s.dynamic, s.dynamicNames}, at)
}

// parts are the expressions directly within e, but those of filters, tests and conditionals.
func parts(e expression) []expression {
	switch e := e.(type) {
	case *tupleOf:
		return e.items
	case *listOf:
		return e.items
	case *dictOf:
		return append(slices.Clone(e.keys), e.values...)
	case *attribute:
		return []expression{e.of}
	case *item:
		return []expression{e.of, e.index}
	case *slice:
		return []expression{e.of, e.start, e.stop, e.step}
	case *call:
		return append(signatureParts(e.with), e.of)
	case *not:
		return []expression{e.of}
	case *unary:
		return []expression{e.of}
	case *binary:
		return []expression{e.left, e.right}
	case *comparison:
		return append([]expression{e.first}, e.rest...)
	case *concatenation:
		return e.items
	}
	return nil
}

func signatureParts(s *signature) []expression {
	list := append(slices.Clone(s.positional), s.named...)
	return append(list, s.dynamic, s.dynamicNames)
}
