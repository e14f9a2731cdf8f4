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
	case "integer":
		return integer(v, path)
	case "boolean":
		return either(literal("true"), literal("false")), nil
	case "null":
		return literal("null"), nil
	}
	for _, bound := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
		if _, ok := v.get(bound); ok {
			return expression{}, fmt.Errorf("%s: keyword %q is supported for integers alone", path, bound)
		}
	}
	return to(anyNumber), nil
}

// object lists the properties in their order; those that are not required may be left out.
func (s *schemaCompiler) object(v *value, path string) (expression, error) {
	properties, has := v.get("properties")
	more, hasMore := v.get("additionalProperties")
	required, err := s.required(v, properties, path)
	if err != nil {
		return expression{}, err
	}
	if has && properties.kind != "object" {
		return expression{}, fmt.Errorf("%s/properties: got a %s, want an object", path, properties.kind)
	}
	if !has && !hasMore {
		return to(anyObject), nil
	}
	if !has {
		properties = &value{}
	}
	var others *expression
	if hasMore && !(more.kind == "boolean" && more.text == "false") {
		e, err := s.of(more, path+"/additionalProperties")
		if err != nil {
			return expression{}, err
		}
		pair := all(otherName(properties), literal(":"), blank, e)
		others = &pair
	}
	// first are the members from some place on if none stands before them, rest if one does.
	first, rest := expression{}, expression{}
	if others != nil {
		rest = times(all(literal(","), blank, *others), 0, -1)
		first = optional(all(*others, rest))
	}
	for i := len(properties.members) - 1; i >= 0; i-- {
		m := &properties.members[i]
		e, err := s.of(&m.value, path+"/properties/"+m.name)
		if err != nil {
			return expression{}, err
		}
		pair := all(literal(quote(m.name)+":"), blank, e)
		begin := all(pair, s.share(rest))
		next := all(literal(","), blank, pair, s.share(rest))
		if !slices.Contains(required, m.name) {
			begin, next = either(begin, s.share(first)), either(next, s.share(rest))
		}
		first, rest = s.share(begin), s.share(next)
	}
	return all(literal("{"), blank, first, blank, literal("}")), nil
}

// required lists the names of required properties.
func (s *schemaCompiler) required(v, properties *value, path string) ([]string, error) {
	list, ok := v.get("required")
	if !ok {
		return nil, nil
	}
	var names []string
	for _, item := range list.items {
		if properties != nil {
			_, ok = properties.get(item.text)
		}
		if item.kind != "string" || !ok || properties == nil {
			return nil, fmt.Errorf("%s/required: %.60q is not among the properties", path, item.text)
		}
		names = append(names, item.text)
	}
	if list.kind != "array" {
		return nil, fmt.Errorf("%s/required: got a %s, want an array", path, list.kind)
	}
	return names, nil
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
func otherName(properties *value) expression {
	var names [][]rune
	for _, m := range properties.members {
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

func (s *schemaCompiler) array(v *value, path string) (expression, error) {
	low, err := count(v, path, "minItems", 0)
	if err != nil {
		return expression{}, err
	}
	high, err := count(v, path, "maxItems", -1)
	if err != nil {
		return expression{}, err
	}
	var list []expression
	if prefix, ok := v.get("prefixItems"); ok {
		for i := range prefix.items {
			e, err := s.of(&prefix.items[i], fmt.Sprintf("%s/prefixItems/%d", path, i))
			if err != nil {
				return expression{}, err
			}
			list = append(list, s.share(e))
		}
	}
	item := to(anyValue)
	if items, ok := v.get("items"); ok {
		e, err := s.of(items, path+"/items")
		if err != nil {
			return expression{}, err
		}
		item = s.share(e)
		if items.kind == "boolean" && items.text == "false" && (high < 0 || high > len(list)) {
			high = len(list)
		}
	}
	if high >= 0 && high < low {
		return expression{}, fmt.Errorf("%s: at least %d items and at most %d: no array has both", path, low, high)
	}
	return all(literal("["), blank, items(list, item, low, high), literal("]")), nil
}

// items lists what stands in an array of low to high items (-1: no bound): those of list first, then item.
func items(list []expression, item expression, low, high int) expression {
	if high == 0 {
		return expression{}
	}
	comma := all(literal(","), blank)
	named := max(len(list), 1) // those that stand here one by one
	most := -1
	if high > 0 {
		named = min(named, high)
		most = high - named
	}
	rest := times(all(comma, item), max(0, low-named), most)
	for i := named - 1; i >= 0; i-- {
		e := item
		if i < len(list) {
			e = list[i]
		}
		if i > 0 {
			e = all(comma, e)
		}
		if rest = all(e, rest); i >= low {
			rest = optional(rest)
		}
	}
	return all(rest, blank)
}
