package grammar

import (
	"fmt"
	"slices"
	"strconv"
)

// Calls says how an answer may call tools, where it need not.
type Calls struct {
	// Open and Close are the marks around each call; without them a call is the whole answer, and several have semicolons between them.
	Open, Close string
	// Schema is a JSON object: its member call is the schema of a call, its member answer, if there is one, that of an answer that calls nothing. A $ref
	// begins at this object. Without answer, an answer is any text in which Open does not stand, or, without marks, that does not begin with {.
	Schema string
	// One allows one call at most.
	One bool
}

// FromCalls compiles an answer that may call tools. What looks like a call is one: its name and arguments are as the schema says.
func FromCalls(c *Calls, v *Vocabulary) (*Grammar, error) {
	root, err := parseValue([]byte(c.Schema))
	if err != nil {
		return nil, fmt.Errorf("grammar: schema: %w", err)
	}
	s := &schemaCompiler{root: &root, rules: jsonRules()}
	space := oneOf(union([]runeRange{{' ', ' '}, {'\t', '\t'}, {'\n', '\n'}})...)
	gap := times(space, 0, 2)
	call := all(literal(c.Open), gap, s.refer("#/call"), gap, literal(c.Close))
	more := all(times(all(gap, call), 0, -1), gap)
	if c.Open == "" {
		more = all(times(all(gap, literal(";"), gap, call), 0, -1), gap)
	}
	if c.One {
		more = gap
	}
	_, schemed := root.get("answer")
	switch {
	case schemed:
		s.rules["root"] = all(gap, either(s.refer("#/answer"), all(call, more)))
	case c.Open == "":
		text := all(oneOf(complement([]runeRange{{' ', ' '}, {'\t', '\t'}, {'\n', '\n'}, {'{', '{'}})...), times(oneOf(runeRange{0, maxRune}), 0, -1))
		s.rules["root"] = all(times(space, 0, -1), optional(either(text, all(call, more))))
	default:
		s.beside(c, call)
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return compile(s.rules, "root", v)
}

// beside makes the rules of text with calls in it. Where a text has come the first n characters of the mark, there is a rule text n: the automaton of
// Knuth, Morris and Pratt (1977), each state a rule that ends with the next one, so that no stack grows.
func (s *schemaCompiler) beside(c *Calls, call expression) {
	mark := []rune(c.Open)
	name := func(n int) string { return "text " + strconv.Itoa(n) }
	behind := to(name(0))
	if c.One {
		behind = times(oneOf(union([]runeRange{{' ', ' '}, {'\n', '\n'}})...), 0, 2)
	}
	// after is how much of the mark has come when r follows its first n characters.
	after := func(n int, r rune) int {
		read := append(slices.Clone(mark[:n]), r)
		for k := min(len(read), len(mark)); k > 0; k-- {
			if slices.Equal(read[len(read)-k:], mark[:k]) {
				return k
			}
		}
		return 0
	}
	for n := range mark {
		alternatives := []expression{all()}
		var some []runeRange
		for i, r := range mark {
			if slices.Contains(mark[:i], r) || after(n, r) == 0 {
				continue
			}
			some = append(some, runeRange{r, r})
			next := to(name(after(n, r)))
			if after(n, r) == len(mark) { // the rest of the call, whose mark has come
				next = all(all(call.list[1:]...), behind)
			}
			alternatives = append(alternatives, all(oneOf(runeRange{r, r}), next))
		}
		alternatives = append(alternatives, all(oneOf(complement(some)...), to(name(0))))
		s.rules[name(n)] = either(alternatives...)
	}
	s.rules["root"] = to(name(0))
}
