package jinja

// nameReader finds which of the special names of a macro a body reads before it assigns to them. Nested macros count.
type nameReader struct {
	read, assigned map[string]bool
}

// specialNames returns those of caller, kwargs and varargs that body reads.
func specialNames(body []statement) map[string]bool {
	r := &nameReader{map[string]bool{}, map[string]bool{}}
	r.statements(body)
	return r.read
}

func (r *nameReader) statements(body []statement) {
	for _, s := range body {
		r.statement(s)
	}
}

func (r *nameReader) statement(s statement) {
	switch s := s.(type) {
	case *output:
		r.expressions(s.parts...)
	case *forLoop:
		r.target(s.target)
		r.expressions(s.iterable)
		r.statements(s.body)
		r.statements(s.otherwise)
		r.expressions(s.test)
	case *ifElse:
		for _, b := range s.branches {
			r.expressions(b.test)
			r.statements(b.body)
		}
	case *assign:
		r.target(s.target)
		r.expressions(s.value)
	case *assignBlock:
		r.target(s.target)
		r.expressions(s.filter)
		r.statements(s.body)
	case *macro:
		r.macro(s)
	case *callBlock:
		r.expressions(s.call)
		r.macro(s.macro)
	case *filterBlock:
		r.statements(s.body)
		r.expressions(s.filter)
	case *with:
		for _, t := range s.targets {
			r.target(t)
		}
		r.expressions(s.values...)
		r.statements(s.body)
	case *scoped:
		r.statements(s.body)
	}
}

func (r *nameReader) macro(s *macro) {
	for _, name := range s.parameters {
		r.assigned[name] = true
	}
	r.expressions(s.defaults...)
	r.statements(s.body)
}

func (r *nameReader) target(t target) {
	if t.attribute == "" && !t.isTuple {
		r.assigned[t.name] = true
	}
	for _, item := range t.items {
		r.target(item)
	}
}

func (r *nameReader) expressions(list ...expression) {
	for _, e := range list {
		switch e := e.(type) {
		case *variable:
			switch e.name {
			case "caller", "kwargs", "varargs":
				if !r.assigned[e.name] {
					r.read[e.name] = true
				}
			}
		case *filter:
			r.expressions(e.of)
			r.expressions(signatureParts(e.with)...)
		case *test:
			r.expressions(e.of)
			r.expressions(signatureParts(e.with)...)
		case *conditional:
			r.expressions(e.test, e.then, e.otherwise)
		default:
			r.expressions(parts(e)...)
		}
	}
}
