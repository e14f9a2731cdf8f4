package grammar

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// FromSchema compiles a JSON schema (draft 2020-12): the texts are JSON values that it accepts, in the order of its properties, with
// little white space. Not every value that it accepts is a text: one of many ways to write it is enough.
//
// Keywords: type, enum, const; properties, required, additionalProperties, patternProperties of one pattern, propertyNames, minProperties and maxProperties; items,
// prefixItems, minItems, maxItems, and uniqueItems of few values; minLength, maxLength, pattern (RE2 without boundaries), format; minimum, maximum, their exclusive forms
// and multipleOf; anyOf, allOf, oneOf of alternatives of which no two can hold at once; $ref within the document, $defs and annotations, those that begin with x-
// too. These may stand beside each other, as far as they can be merged.
//
// Anything else is an error that names its place: to ignore it would break the promise. Where properties are given, additionalProperties are none unless the
// schema asks for them. Numbers with bounds or multipleOf are written without an exponent.
func FromSchema(schema []byte, v *Vocabulary) (*Grammar, error) {
	root, err := parseValue(schema)
	if err != nil {
		return nil, fmt.Errorf("grammar: schema: %w", err)
	}
	s := &schemaCompiler{
		root: &root, rules: jsonRules(),
		judged: map[*value]bool{}, casesOf: map[*value][]*value{}, shapes: map[*value]*objectShape{},
	}
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
	merges  int // of schemas so far
	made    int // rules for numbers so far

	judged  map[*value]bool     // the first alternatives of oneOf that exclude each other
	casesOf map[*value][]*value // see cases
	shapes  map[*value]*objectShape
}

// annotations are the keywords that say nothing about a text.
var annotations = []string{
	"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly",
	"contentEncoding", "contentMediaType", "contentSchema", "discriminator",
}

// keywords are those that each kind of schema reads.
var keywords = map[string][]string{
	"object":  {"type", "properties", "required", "additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties"},
	"array":   {"type", "items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
	"string":  {"type", "minLength", "maxLength", "pattern", "format"},
	"number":  {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"},
	"integer": {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"},
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
	own, combined := split(v)
	switch {
	case len(combined) == 1 && len(own.members) == 0:
		return s.combined(combined[0].name, &combined[0].value, path+"/"+combined[0].name)
	case len(combined) > 0:
		return s.merged(v, path)
	}
	if values, ok := s.constants(v, 0); ok {
		var list []expression
		for i := range values {
			list = append(list, literalOf(&values[i]))
		}
		return either(list...), nil
	}
	for _, name := range []string{"const", "enum"} {
		if list, ok := v.get(name); ok && name == "enum" && (list.kind != "array" || len(list.items) == 0) {
			return expression{}, fmt.Errorf("%s/enum: want an array of at least one", path)
		} else if ok {
			return expression{}, cmp.Or(only(v, path, "const", "enum", "type"), fmt.Errorf("%s: %s is not understood", path, name))
		}
	}
	types, err := typesOf(v, path)
	if err != nil {
		return expression{}, err
	}
	if len(types) == 0 {
		return to(anyValue), only(v, path)
	}
	var list []expression
	for _, name := range types {
		e, err := s.typed(name, v, path)
		if err != nil {
			return expression{}, err
		}
		list = append(list, e)
	}
	// Keywords of other types say nothing about these.
	return either(list...), only(v, path, slices.Concat(keywords["object"], keywords["array"], keywords["string"], keywords["number"])...)
}

// only is an error if v has a keyword that is neither listed nor an annotation.
func only(v *value, path string, names ...string) error {
	for _, m := range v.members {
		if !slices.Contains(names, m.name) && (isSaid(m.name) || slices.Contains(combinators, m.name)) {
			return fmt.Errorf("%s: keyword %.60q is not supported here", path, m.name)
		}
	}
	return nil
}

// combined reads a combinator that says all about a value.
func (s *schemaCompiler) combined(name string, v *value, path string) (expression, error) {
	if name == "$ref" {
		if v.kind != "string" || v.text != "#" && !strings.HasPrefix(v.text, "#/") {
			return expression{}, fmt.Errorf("%s: got %.60q, want a place in this document that begins with #", path, v.text)
		}
		return s.refer(v.text), nil
	}
	if v.kind != "array" || len(v.items) == 0 {
		return expression{}, fmt.Errorf("%s: want an array of at least one", path)
	}
	switch {
	case name == "allOf" && len(v.items) > 1:
		return s.merged(&value{kind: "object", members: []member{{name, *v}}}, strings.TrimSuffix(path, "/allOf"))
	case name == "oneOf":
		if err := s.exclusive(v, path); err != nil {
			return expression{}, err
		}
	}
	var list []expression
	for i := range v.items {
		e, err := s.of(&v.items[i], fmt.Sprintf("%s/%d", path, i))
		if err != nil {
			return expression{}, err
		}
		list = append(list, e)
	}
	return either(list...), nil
}

// constants lists the values of a schema that allows only these, each once; ok is false for another schema.
func (s *schemaCompiler) constants(v *value, depth int) (values []value, ok bool) {
	own, combined := split(v)
	if v.kind != "object" || depth > maxCases {
		return nil, false
	}
	if len(combined) == 1 && len(own.members) == 0 && combined[0].name == "$ref" {
		target, err := s.target(&combined[0].value, "#")
		if err != nil {
			return nil, false
		}
		return s.constants(target, depth+1)
	}
	types, err := []string(nil), error(nil)
	if _, has := v.get("type"); has {
		types, err = typesOf(v, "#")
	}
	if err != nil || len(combined) > 0 || only(v, "#", "const", "enum", "type") != nil {
		return nil, false
	}
	one, hasConst := v.get("const")
	list, hasEnum := v.get("enum")
	switch {
	case hasConst:
		values = []value{*one}
	case hasEnum && list.kind == "array" && len(list.items) > 0:
		values = list.items
	case hasEnum, len(types) == 0:
		return nil, false
	default:
		for _, t := range types {
			switch t {
			case "boolean":
				values = append(values, value{kind: t, text: "true"}, value{kind: t, text: "false"})
			case "null":
				values = append(values, value{kind: t, text: t})
			default:
				return nil, false
			}
		}
	}
	var once []value
	for _, x := range values {
		if x.isOf(types) && !contains(once, x) && (!hasEnum || contains(list.items, x)) {
			once = append(once, x)
		}
	}
	return once, true
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
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
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
		for _, name := range []string{"object", "array", "string", "number"} {
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
