// Package jinja renders the Jinja2 templates that models carry, as Python does.
//
// The language is that of Jinja2 3.1 in the immutable sandbox in which Hugging Face's transformers renders chat templates:
// trim_blocks and lstrip_blocks, loop controls, the generation tag, its own tojson, raise_exception and strftime_now, no
// automatic escaping. Values behave as Python's do: integers are exact, floats print as repr prints them, strings count
// code points, a filter's generator can be used up once. What Python refuses is an [Error] of the same kind.
//
// It loads no other template (include, import and extends are syntax errors), and it leaves out the filters urlize, random,
// pprint, wordwrap and xmlattr. Lone surrogates, which a Go string cannot hold, become U+FFFD.
//
// Invariants: a template reaches nothing but the values it was given, through a fixed list of attributes and functions; no
// value that was given is changed. Time, memory and stack are bounded by [Options], whatever the template says, and the cost
// of an operation on a text is counted by its length. No source and no input makes it panic. A Template never changes after
// it is made and may be used by many goroutines.
package jinja

import (
	"fmt"
	"strings"
	"time"
)

// Options bounds what rendering may cost. The zero value of a field is its default.
type Options struct {
	MaxSteps  int              // nodes evaluated, items visited, and one for each 64 bytes of text read; 8 million
	MaxDepth  int              // nested calls, expressions and values; 200
	MaxOutput int              // bytes of one text, the output too; 64 MiB
	MaxMemory int              // bytes allocated for values in all, freed or not; 256 MiB
	Now       func() time.Time // the clock of strftime_now; time.Now
}

// maxSource is the most bytes of a template's source: the largest published ones have some 20 KB.
const maxSource = 1 << 20

func (o Options) withDefaults() Options {
	fill := func(p *int, value int) {
		if *p <= 0 {
			*p = value
		}
	}
	fill(&o.MaxSteps, 8_000_000)
	fill(&o.MaxDepth, 200)
	fill(&o.MaxOutput, 64<<20)
	fill(&o.MaxMemory, 256<<20)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Template is a parsed source.
type Template struct {
	body []statement
}

// Error is what Python would have raised, or a limit that was met (Kind "LimitError").
type Error struct {
	Kind    string // the class of the Python exception, without its module
	Message string
	Line    int // in the source, from 1; 0 when it is not known
}

// Error returns kind and message in one line, as in "UndefinedError: 'x' is undefined (line 3)".
func (e *Error) Error() string {
	text := e.Kind + ": " + e.Message
	if e.Line > 0 {
		text += fmt.Sprintf(" (line %d)", e.Line)
	}
	return text
}

func raise(kind, format string, arguments ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, arguments...)}
}

func typeError(format string, arguments ...any) error {
	return raise("TypeError", format, arguments...)
}

func valueError(format string, arguments ...any) error {
	return raise("ValueError", format, arguments...)
}

func limitError(format string, arguments ...any) error {
	return raise("LimitError", format, arguments...)
}

// atLine adds the line to an error that has none yet.
func atLine(err error, line int) error {
	if e, ok := err.(*Error); ok && e.Line == 0 {
		e.Line = line
	}
	return err
}

// isKind says whether err is a Python exception of one of the kinds.
func isKind(err error, kinds ...string) bool {
	e, ok := err.(*Error)
	if !ok {
		return false
	}
	for _, kind := range kinds {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

// Parse reads a template's source. Its errors are those of Jinja's compiler: syntax, and names of filters and tests that do
// not exist. A source of more than 1 MiB is refused.
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, limitError("template of %d bytes, at most %d", len(source), maxSource)
	}
	tokens, err := lex(strings.ToValidUTF8(source, "\uFFFD"))
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, err := p.body()
	if err != nil {
		return nil, atLine(err, p.current().line)
	}
	if err := check(body); err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

// Render renders the template with variables, a name to a value each. The values are not changed and may be shared.
func (t *Template) Render(variables *Dict, o Options) (string, error) {
	m := newMachine(o.withDefaults())
	m.filters, m.tests, m.methods = filters, tests, methods
	root := &scope{}
	for _, name := range globalNames {
		root.set(name, &function{name: name, call: globalFunctions[name]})
	}
	if variables != nil {
		for i, key := range variables.keys {
			name, ok := textOf(key)
			if !ok {
				return "", typeError("keywords must be strings")
			}
			root.set(name, variables.values[i])
		}
	}
	out := &buffer{m: m}
	if _, err := m.run(t.body, &scope{parent: root}, out); err != nil {
		return "", err
	}
	return out.String(), nil
}
