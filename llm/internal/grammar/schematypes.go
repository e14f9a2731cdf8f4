package grammar

import (
	"fmt"
	"slices"
)

// typed returns the texts of one type.
func (s *schemaCompiler) typed(name string, v *value, path string) (expression, error) {
	switch name {
	case "object":
		return s.object(v, path)
	case "array":
		return s.array(v, path)
	case "string":
		return s.string(v, path)
	case "boolean":
		return either(literal("true"), literal("false")), nil
	case "null":
		return literal("null"), nil
	}
	isWhole := name == "integer"
	n, err := numbersOf(v, path, isWhole)
	switch {
	case err != nil:
		return expression{}, err
	case n != nil:
		return s.number(n, path)
	case isWhole:
		return to(anyWhole), nil
	}
	return to(anyNumber), nil
}

// object lists the properties in their order; those that are not required may be left out.
func (s *schemaCompiler) object(v *value, path string) (expression, error) {
	o, err := s.readObject(v, path)
	if err != nil {
		return expression{}, err
	}
	if len(o.properties) == 0 && o.others == nil && o.isOpen && o.low == 0 && o.high < 0 {
		return to(anyObject), nil
	}
	var others *expression
	if o.others != nil {
		e, err := s.of(o.others, o.place)
		if err != nil {
			return expression{}, err
		}
		pair := all(o.name, literal(":"), blank, e)
		others = &pair
	}
	if len(o.properties) == 0 && others != nil && (o.low > 0 || o.high >= 0) {
		return all(literal("{"), blank, items(nil, s.share(*others), o.low, o.high), literal("}")), nil
	}
	// first are the members from some place on if none stands before them, rest if one does.
	first, rest := expression{}, expression{}
	if others != nil {
		rest = times(all(literal(","), blank, *others), 0, -1)
		first = optional(all(*others, rest))
	}
	for i := len(o.properties) - 1; i >= 0; i-- {
		m := &o.properties[i]
		e, err := s.of(&m.value, path+"/properties/"+m.name)
		if err != nil {
			return expression{}, err
		}
		pair := all(literal(quote(m.name)+":"), blank, e)
		begin := all(pair, s.share(rest))
		next := all(literal(","), blank, pair, s.share(rest))
		if !slices.Contains(o.required, m.name) {
			begin, next = either(begin, s.share(first)), either(next, s.share(rest))
		}
		first, rest = s.share(begin), s.share(next)
	}
	return all(literal("{"), blank, first, blank, literal("}")), nil
}

// share makes an expression a rule, so that it may be used twice.
func (s *schemaCompiler) share(e expression) expression {
	if e.kind == reference || e.kind == sequence && len(e.list) == 0 {
		return e
	}
	s.fresh++
	name := fmt.Sprintf("#shared %d", s.fresh)
	s.rules[name] = e
	return to(name)
}

// otherName is a name without escapes that is none of the properties'.
func otherName(properties []member) expression {
	var names [][]rune
	for _, m := range properties {
		names = append(names, []rune(m.name))
	}
	return all(literal(`"`), differs(names))
}

// differs is the rest of a name, and its quotation mark, that is the rest of none of names.
func differs(names [][]rune) expression {
	anything := all(times(plain, 0, -1), literal(`"`))
	if len(names) == 0 {
		return anything
	}
	byRune := map[rune][][]rune{}
	ended := false
	for _, name := range names {
		if len(name) == 0 {
			ended = true
			continue
		}
		byRune[name[0]] = append(byRune[name[0]], name[1:])
	}
	known := slices.Sorted(func(yield func(rune) bool) {
		for r := range byRune {
			if !yield(r) {
				return
			}
		}
	})
	excluded := []runeRange{}
	var list []expression
	for _, r := range known {
		excluded = append(excluded, runeRange{r, r})
		if slices.ContainsFunc(plain.ranges, func(p runeRange) bool { return r >= p.lo && r <= p.hi }) {
			list = append(list, all(oneOf(runeRange{r, r}), differs(byRune[r])))
		}
	}
	list = append(list, all(oneOf(complement(append(excluded, complement(plain.ranges)...))...), anything))
	if !ended {
		list = append(list, literal(`"`))
	}
	return either(list...)
}
