package grammar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FromSchema compiles a JSON schema (draft 2020-12): the texts are JSON values that it accepts, in the order of its properties, with
// little white space.
//
// Keywords: type, enum, const, properties, required, additionalProperties, items, prefixItems, minItems, maxItems, minLength, maxLength, pattern (RE2 without
// boundaries), format (date, time, date-time, uuid), minimum, maximum and their exclusive forms for integers, anyOf, oneOf (as anyOf), allOf of one schema, $ref
// within the document, $defs and annotations. Any other is an error that names its place: to ignore it would break the promise. Where properties are given,
// additionalProperties are none unless the schema asks for them.
func FromSchema(schema []byte, v *Vocabulary) (*Grammar, error) {
	root, err := parseValue(schema)
	if err != nil {
		return nil, fmt.Errorf("grammar: schema: %w", err)
	}
	s := &schemaCompiler{root: &root, rules: jsonRules()}
	e, err := s.of(&root, "#")
	if err != nil {
		return nil, fmt.Errorf("grammar: schema: %w", err)
	}
	// A thought's mark is followed by an empty line as a rule.
	s.rules["root"] = all(times(oneOf(runeRange{' ', ' '}, runeRange{'\n', '\n'}), 0, 2), e)
	if err := s.finish(); err != nil {
		return nil, err
	}
	return compile(s.rules, "root", v)
}

// finish makes the rules of all that is referred to.
func (s *schemaCompiler) finish() error {
	for len(s.pending) > 0 {
		r := s.pending[0]
		s.pending = s.pending[1:]
		target, err := s.find(r)
		if err != nil {
			return fmt.Errorf("grammar: schema: %w", err)
		}
		if s.rules[r], err = s.of(target, r); err != nil {
			return fmt.Errorf("grammar: schema: %w", err)
		}
	}
	return nil
}

// blank is the white space that may stand between the parts of a value.
var blank = optional(either(literal(" "), all(literal("\n"), times(oneOf(runeRange{' ', ' '}, runeRange{'\t', '\t'}), 0, 20))))

var (
	digit = oneOf(runeRange{'0', '9'})
	hex   = oneOf(runeRange{'0', '9'}, runeRange{'A', 'F'}, runeRange{'a', 'f'})
	// plain is a character that stands for itself in a JSON string (RFC 8259, section 7); DEL is left out for the sake of terminals.
	plain = oneOf(complement([]runeRange{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}})...)
	// escape is one that does not, surrogates left out.
	escape = all(literal(`\`), either(
		oneOf(union([]runeRange{{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}})...),
		all(literal("u"), either(
			all(oneOf(union([]runeRange{{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}})...), times(hex, 3, 3)),
			all(oneOf(runeRange{'D', 'D'}, runeRange{'d', 'd'}), oneOf(runeRange{'0', '7'}), times(hex, 2, 2)))),
	))
)

// The names of the rules of JSON itself; those of a schema begin with #.
const (
	anyValue  = "value"
	anyString = "string"
	anyChar   = "character"
	anyNumber = "number"
	anyWhole  = "integer"
	anyObject = "object"
	anyArray  = "array"
)

// jsonRules are the rules of JSON (RFC 8259) without a schema.
func jsonRules() map[string]expression {
	whole := all(optional(literal("-")), either(literal("0"), all(oneOf(runeRange{'1', '9'}), times(digit, 0, 18))))
	pair := all(to(anyString), literal(":"), blank, to(anyValue))
	return map[string]expression{
		anyChar:   either(plain, escape),
		anyString: all(literal(`"`), times(to(anyChar), 0, -1), literal(`"`)),
		anyWhole:  whole,
		anyNumber: all(whole, optional(all(literal("."), times(digit, 1, 18))),
			optional(all(oneOf(runeRange{'E', 'E'}, runeRange{'e', 'e'}), optional(oneOf(runeRange{'+', '+'}, runeRange{'-', '-'})), times(digit, 1, 3)))),
		anyObject: all(literal("{"), blank, optional(all(pair, times(all(literal(","), blank, pair), 0, -1), blank)), literal("}")),
		anyArray:  all(literal("["), blank, optional(all(to(anyValue), times(all(literal(","), blank, to(anyValue)), 0, -1), blank)), literal("]")),
		anyValue:  either(to(anyObject), to(anyArray), to(anyString), to(anyNumber), literal("true"), literal("false"), literal("null")),
	}
}

// schemaCompiler turns schemas into rules.
type schemaCompiler struct {
	root    *value
	rules   map[string]expression
	pending []string // pointers that are referred to, and not yet compiled
	fresh   int
	depth   int
}

// annotations are the keywords that say nothing about a text.
var annotations = []string{"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}

// keywords are those that each kind of schema reads.
var keywords = map[string][]string{
	"object":  {"type", "properties", "required", "additionalProperties"},
	"array":   {"type", "items", "prefixItems", "minItems", "maxItems"},
	"string":  {"type", "minLength", "maxLength", "pattern", "format"},
	"integer": {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"},
	"number":  {"type", "format"},
	"boolean": {"type"},
	"null":    {"type"},
}

// of returns the texts that a schema accepts; path is its place in the document.
func (s *schemaCompiler) of(v *value, path string) (expression, error) {
	if s.depth++; s.depth > maxDepth {
		return expression{}, fmt.Errorf("%s: nested more than %d deep", path, maxDepth)
	}
	defer func() { s.depth-- }()
	switch {
	case v.kind == "boolean" && v.text == "true":
		return to(anyValue), nil
	case v.kind == "boolean":
		return either(), nil
	case v.kind != "object":
		return expression{}, fmt.Errorf("%s: got a %s, want an object", path, v.kind)
	}
	for _, name := range []string{"$ref", "const", "enum", "anyOf", "oneOf", "allOf"} {
		if inner, ok := v.get(name); ok {
			if err := only(v, path, name, "type"); err != nil {
				return expression{}, err
			}
			return s.combined(name, inner, path+"/"+name)
		}
	}
	types, err := typesOf(v, path)
	if err != nil {
		return expression{}, err
	}
	if len(types) == 0 {
		return to(anyValue), only(v, path)
	}
	var allowed []string
	var list []expression
	for _, name := range types {
		allowed = append(allowed, keywords[name]...)
		e, err := s.typed(name, v, path)
		if err != nil {
			return expression{}, err
		}
		list = append(list, e)
	}
	return either(list...), only(v, path, allowed...)
}

// only is an error if v has a keyword that is neither listed nor an annotation.
func only(v *value, path string, names ...string) error {
	for _, m := range v.members {
		if !slices.Contains(names, m.name) && !slices.Contains(annotations, m.name) {
			return fmt.Errorf("%s: keyword %.60q is not supported here", path, m.name)
		}
	}
	return nil
}

// combined reads a keyword that says all about a value.
func (s *schemaCompiler) combined(name string, v *value, path string) (expression, error) {
	switch {
	case name == "$ref":
		if v.kind != "string" || v.text != "#" && !strings.HasPrefix(v.text, "#/") {
			return expression{}, fmt.Errorf("%s: got %.60q, want a place in this document that begins with #", path, v.text)
		}
		return s.refer(v.text), nil
	case name == "const":
		return literalOf(v), nil
	case v.kind != "array" || len(v.items) == 0:
		return expression{}, fmt.Errorf("%s: want an array of at least one", path)
	case name == "allOf" && len(v.items) > 1:
		return expression{}, fmt.Errorf("%s: got %d schemas, only one is supported", path, len(v.items))
	}
	var list []expression
	for i := range v.items {
		e := literalOf(&v.items[i])
		if name != "enum" {
			var err error
			if e, err = s.of(&v.items[i], fmt.Sprintf("%s/%d", path, i)); err != nil {
				return expression{}, err
			}
		}
		list = append(list, e)
	}
	return either(list...), nil
}

// refer returns the rule of a place in the document.
func (s *schemaCompiler) refer(pointer string) expression {
	if _, ok := s.rules[pointer]; !ok {
		s.rules[pointer] = expression{} // compiled later: a schema may refer to itself
		s.pending = append(s.pending, pointer)
	}
	return to(pointer)
}

// find follows a JSON pointer (RFC 6901) in the form of a fragment.
func (s *schemaCompiler) find(pointer string) (*value, error) {
	v := s.root
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		next, ok := v.get(part)
		if i, err := strconv.Atoi(part); v.kind == "array" && err == nil && i >= 0 && i < len(v.items) {
			next, ok = &v.items[i], true
		}
		if !ok {
			return nil, fmt.Errorf("$ref %.100q: there is no %.60q", pointer, part)
		}
		v = next
	}
	return v, nil
}

// typesOf lists the types of a schema; what it says besides may tell.
func typesOf(v *value, path string) ([]string, error) {
	t, ok := v.get("type")
	if !ok {
		for _, name := range []string{"object", "array", "string"} {
			for _, keyword := range keywords[name][1:] {
				if _, has := v.get(keyword); has {
					return []string{name}, nil
				}
			}
		}
		return nil, nil
	}
	list := []value{*t}
	if t.kind == "array" {
		list = t.items
	}
	var names []string
	for _, item := range list {
		if _, known := keywords[item.text]; !known || item.kind != "string" {
			return nil, fmt.Errorf("%s/type: got %.60q, want object, array, string, integer, number, boolean or null", path, item.text)
		}
		names = append(names, item.text)
	}
	return names, nil
}

// count reads a keyword that is a number of things.
func count(v *value, path, name string, none int) (int, error) {
	n, ok := v.get(name)
	if !ok {
		return none, nil
	}
	i, err := strconv.Atoi(n.text)
	if n.kind != "number" || err != nil || i < 0 || i > maxRepeat {
		return 0, fmt.Errorf("%s/%s: got %.60s, want a whole number of at most %d", path, name, n.text, maxRepeat)
	}
	return i, nil
}
