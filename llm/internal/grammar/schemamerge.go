package grammar

import (
	"fmt"
	"slices"
	"strings"
)

// combinators are the keywords that make a schema of others.
var combinators = []string{"$ref", "allOf", "anyOf", "oneOf"}

// maxMerges bounds the work of merging schemas.
const maxMerges = 20000

// isSaid reports whether a keyword says something about a text, and is not a combinator.
func isSaid(name string) bool {
	return !slices.Contains(annotations, name) && !slices.Contains(combinators, name) && !strings.HasPrefix(name, "x-")
}

// split divides a schema into the keywords that combine others and what it says itself.
func split(v *value) (own *value, combined []member) {
	own = &value{kind: "object"}
	for _, m := range v.members {
		if slices.Contains(combinators, m.name) {
			combined = append(combined, m)
		} else if isSaid(m.name) {
			own.members = append(own.members, m)
		}
	}
	return own, combined
}

// conjunction is schemas that all hold: one without combinators, and alternatives of which some must hold of each list.
type conjunction struct {
	plain  *value
	unions []*value // anyOf arrays
}

// conjoin takes a schema into a conjunction.
func (s *schemaCompiler) conjoin(c *conjunction, v *value, path string, depth int) error {
	if s.merges++; depth > maxDepth || s.merges > maxMerges {
		return fmt.Errorf("%s: allOf, $ref and anyOf within each other more than %d deep, or merged more than %d times", path, maxDepth, maxMerges)
	}
	if v.kind == "boolean" {
		if isFalse(v) {
			c.plain = v
		}
		return nil
	}
	if v.kind != "object" {
		return fmt.Errorf("%s: got a %s, want an object", path, v.kind)
	}
	own, combined := split(v)
	var err error
	if c.plain, err = s.merge(c.plain, own, path); err != nil {
		return err
	}
	for i := range combined {
		m := &combined[i]
		at := path + "/" + m.name
		if m.name != "$ref" && (m.value.kind != "array" || len(m.value.items) == 0) {
			return fmt.Errorf("%s: want an array of at least one", at)
		}
		switch m.name {
		case "$ref":
			target, err := s.target(&m.value, at)
			if err != nil {
				return err
			}
			if err := s.conjoin(c, target, m.value.text, depth+1); err != nil {
				return err
			}
		case "allOf":
			for i := range m.value.items {
				if err := s.conjoin(c, &m.value.items[i], fmt.Sprintf("%s/%d", at, i), depth+1); err != nil {
					return err
				}
			}
		case "oneOf":
			if err := s.exclusive(&m.value, at); err != nil {
				return err
			}
			fallthrough
		case "anyOf":
			c.unions = append(c.unions, &m.value)
		}
	}
	return nil
}

// target is what a $ref points to.
func (s *schemaCompiler) target(v *value, path string) (*value, error) {
	if v.kind != "string" || v.text != "#" && !strings.HasPrefix(v.text, "#/") {
		return nil, fmt.Errorf("%s: got %.60q, want a place in this document that begins with #", path, v.text)
	}
	return s.find(v.text)
}

// conjunctionOf is a schema as a conjunction.
func (s *schemaCompiler) conjunctionOf(v *value, path string) (*conjunction, error) {
	c := &conjunction{plain: &value{kind: "object"}}
	err := s.conjoin(c, v, path, 0)
	return c, err
}

// merged returns the texts of a schema that says something beside a combinator.
func (s *schemaCompiler) merged(v *value, path string) (expression, error) {
	c, err := s.conjunctionOf(v, path)
	switch {
	case err != nil:
		return expression{}, err
	case len(c.unions) == 0 || isFalse(c.plain):
		return s.of(c.plain, path)
	}
	var list []expression
	for i := range c.unions[0].items {
		parts := []value{*c.plain, c.unions[0].items[i]}
		for _, u := range c.unions[1:] {
			parts = append(parts, value{kind: "object", members: []member{{"anyOf", *u}}})
		}
		e, err := s.of(&value{kind: "object", members: []member{{"allOf", value{kind: "array", items: parts}}}}, path)
		if err != nil {
			return expression{}, err
		}
		list = append(list, e)
	}
	return either(list...), nil
}

// merge returns a schema of what both say. Neither has combinators.
func (s *schemaCompiler) merge(a, b *value, path string) (*value, error) {
	if isFalse(a) || isFalse(b) {
		return &value{kind: "boolean", text: "false"}, nil
	}
	if err := mixedItems(a, b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := &value{kind: "object"}
	objects := mergeObjects(a, b)
	for _, m := range a.members {
		other, both := b.get(m.name)
		if m.name == "properties" || m.name == "additionalProperties" {
			continue
		}
		if !both || sameValue(m.value, *other) {
			out.members = append(out.members, m)
			continue
		}
		r, err := s.mergeKeyword(m.name, &m.value, other)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if isFalse(r) || (m.name == "type" || m.name == "enum") && len(r.items) == 0 {
			return &value{kind: "boolean", text: "false"}, nil
		}
		out.members = append(out.members, member{m.name, *r})
	}
	for _, m := range b.members {
		if _, both := a.get(m.name); !both && m.name != "properties" && m.name != "additionalProperties" {
			out.members = append(out.members, m)
		}
	}
	out.members = append(out.members, objects...)
	return out, nil
}

// mixedItems refuses to merge the items of one schema with the prefixItems of another.
func mixedItems(a, b *value) error {
	prefixA, hasA := a.get("prefixItems")
	prefixB, hasB := b.get("prefixItems")
	_, itemsA := a.get("items")
	_, itemsB := b.get("items")
	if hasA && hasB && !sameValue(*prefixA, *prefixB) || hasA && !hasB && itemsB || hasB && !hasA && itemsA {
		return fmt.Errorf("prefixItems of one schema beside items of another that must hold too are not supported")
	}
	return nil
}

// both is a schema of which two must hold.
func both(a, b value) value {
	return value{kind: "object", members: []member{{"allOf", value{kind: "array", items: []value{a, b}}}}}
}

// mergeObjects merges properties and additionalProperties: what one schema calls additional is judged by that.
func mergeObjects(a, b *value) (out []member) {
	pa, hasA := a.get("properties")
	pb, hasB := b.get("properties")
	moreA, openA := a.get("additionalProperties")
	moreB, openB := b.get("additionalProperties")
	properties := value{kind: "object"}
	if hasA {
		for _, m := range pa.members {
			if other, ok := get(pb, m.name); ok {
				m.value = both(m.value, *other)
			} else if openB {
				m.value = both(m.value, *moreB)
			}
			properties.members = append(properties.members, m)
		}
	}
	if hasB {
		for _, m := range pb.members {
			if _, ok := get(pa, m.name); ok {
				continue
			}
			if openA {
				m.value = both(m.value, *moreA)
			}
			properties.members = append(properties.members, m)
		}
	}
	if hasA || hasB {
		out = append(out, member{"properties", properties})
	}
	switch {
	case openA && openB:
		out = append(out, member{"additionalProperties", both(*moreA, *moreB)})
	case openA:
		out = append(out, member{"additionalProperties", *moreA})
	case openB:
		out = append(out, member{"additionalProperties", *moreB})
	}
	return out
}

// get returns a member of an object that may not be there.
func get(v *value, name string) (*value, bool) {
	if v == nil {
		return nil, false
	}
	return v.get(name)
}

// mergeKeyword merges two values of a keyword that are not the same.
func (s *schemaCompiler) mergeKeyword(name string, a, b *value) (*value, error) {
	switch name {
	case "type":
		var list []value
		for _, x := range listOf(a) {
			for _, y := range listOf(b) {
				switch {
				case x.text == y.text, x.text == "integer" && y.text == "number":
					list = append(list, x)
				case x.text == "number" && y.text == "integer":
					list = append(list, y)
				}
			}
		}
		return &value{kind: "array", items: list}, nil
	case "required":
		list := slices.Clone(a.items)
		for _, y := range b.items {
			if !contains(list, y) {
				list = append(list, y)
			}
		}
		return &value{kind: "array", items: list}, nil
	case "enum":
		list := slices.DeleteFunc(slices.Clone(a.items), func(x value) bool { return !contains(b.items, x) })
		return &value{kind: "array", items: list}, nil
	case "const":
		return &value{kind: "boolean", text: "false"}, nil
	case "items":
		r := both(*a, *b)
		return &r, nil
	case "uniqueItems":
		return &value{kind: "boolean", text: "true"}, nil
	}
	isLow := name == "minimum" || name == "exclusiveMinimum" || strings.HasPrefix(name, "min")
	if !isLow && name != "maximum" && name != "exclusiveMaximum" && !strings.HasPrefix(name, "max") {
		return nil, fmt.Errorf("two schemas that must both hold have different values of %.60q, which is not supported", name)
	}
	x, okX := parseDecimal(a.text)
	y, okY := parseDecimal(b.text)
	if a.kind != "number" || b.kind != "number" || !okX || !okY {
		return nil, fmt.Errorf("%s: got %.40s and %.40s, want numbers", name, a.text, b.text)
	}
	if (x.compare(y) > 0) == isLow {
		return a, nil
	}
	return b, nil
}

// listOf is the items of an array, or the one value that stands for them.
func listOf(v *value) []value {
	if v.kind == "array" {
		return v.items
	}
	return []value{*v}
}
