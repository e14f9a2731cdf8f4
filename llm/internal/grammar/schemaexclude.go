package grammar

import (
	"fmt"
	"slices"
)

// exclusive is an error unless no text of one of the alternatives is one of another: then one of them holds if any does. What cannot be seen to be so is refused.
func (s *schemaCompiler) exclusive(alternatives *value, path string) error {
	if s.judged[&alternatives.items[0]] { // or is being judged, in a schema that refers to itself
		return nil
	}
	s.judged[&alternatives.items[0]] = true
	for i := range alternatives.items {
		for j := range i {
			if !s.apart(&alternatives.items[i], &alternatives.items[j], 0) {
				return fmt.Errorf("%s: alternatives %d and %d may both hold: let them differ in type, or in the const, enum or presence of a required property, or use anyOf", path, j, i)
			}
		}
	}
	return nil
}

// apart reports whether no text that is written for one schema holds for the other.
func (s *schemaCompiler) apart(a, b *value, depth int) bool {
	return s.excludes(a, b, depth) && s.excludes(b, a, depth)
}

// cases lists the conjunctions without unions that make up a schema; nil if they are too many or not known.
func (s *schemaCompiler) cases(v *value, depth int) []*value {
	list, ok := s.casesOf[v]
	if !ok && depth <= maxCases {
		list = s.findCases(v, depth)
		s.casesOf[v] = list
	}
	return list
}

// maxCases is how deep schemas within each other are compared.
const maxCases = 8

func (s *schemaCompiler) findCases(v *value, depth int) []*value {
	c, err := s.conjunctionOf(v, "#")
	if err != nil {
		return nil
	}
	list := []*value{c.plain}
	for _, u := range c.unions {
		var next []*value
		for i := range u.items {
			alternatives := s.cases(&u.items[i], depth+1)
			if alternatives == nil {
				return nil
			}
			for _, alternative := range alternatives {
				for _, p := range list {
					m, err := s.merge(p, alternative, "#")
					if err != nil {
						return nil
					}
					next = append(next, m)
				}
			}
		}
		if list = next; len(list) == 0 || len(list) > 64 {
			return nil
		}
	}
	return list
}

// excludes reports whether no text that is written for a holds for b.
func (s *schemaCompiler) excludes(a, b *value, depth int) bool {
	casesA, casesB := s.cases(a, depth), s.cases(b, depth)
	if casesA == nil || casesB == nil {
		return false
	}
	for _, x := range casesA {
		for _, y := range casesB {
			if !s.excludesPlain(x, y, depth) {
				return false
			}
		}
	}
	return true
}

func (s *schemaCompiler) excludesPlain(a, b *value, depth int) bool {
	if isFalse(a) || isFalse(b) {
		return true
	}
	valuesA, knownA := s.constants(a, 0)
	valuesB, knownB := s.constants(b, 0)
	typesA, typesB := s.kinds(a, valuesA, knownA), s.kinds(b, valuesB, knownB)
	common := slices.DeleteFunc(slices.Clone(typesA), func(t string) bool {
		return !slices.Contains(typesB, t)
	})
	switch {
	case len(common) == 0:
		return true
	case knownA && knownB:
		return !slices.ContainsFunc(valuesA, func(x value) bool { return contains(valuesB, x) })
	case len(common) > 1:
		return false
	case common[0] == "object":
		return !knownA && !knownB && s.excludesObject(a, b, depth)
	case common[0] == "number":
		return rangesApart(a, b)
	}
	return false
}

// kinds are the types of a schema, whole numbers counted with the others.
func (s *schemaCompiler) kinds(v *value, values []value, known bool) (list []string) {
	if known {
		for _, x := range values {
			list = append(list, x.kind)
		}
		return list
	}
	types, err := typesOf(v, "#")
	if err != nil || len(types) == 0 {
		return []string{"object", "array", "string", "number", "boolean", "null"}
	}
	for _, t := range types {
		if t == "integer" {
			t = "number"
		}
		list = append(list, t)
	}
	return list
}

// excludesObject reports whether an object written for a does not hold for b.
func (s *schemaCompiler) excludesObject(a, b *value, depth int) bool {
	x, y := s.shape(a), s.shape(b)
	if x == nil || y == nil || depth > maxCases {
		return false
	}
	find := func(list []member, name string) *value {
		if i := slices.IndexFunc(list, func(m member) bool { return m.name == name }); i >= 0 {
			return &list[i].value
		}
		return nil
	}
	for _, name := range y.required {
		mine := find(x.properties, name)
		if mine == nil && x.others == nil && !x.isOpen || mine != nil && s.excludes(mine, find(y.properties, name), depth+1) {
			return true
		}
	}
	more, closed := b.get("additionalProperties")
	for _, name := range x.required {
		theirs := find(y.properties, name)
		if theirs != nil && s.excludes(find(x.properties, name), theirs, depth+1) || theirs == nil && closed && isFalse(more) {
			return true
		}
	}
	return false
}

// shape is the members of an object's schema, nil if they are not known.
func (s *schemaCompiler) shape(v *value) *objectShape {
	o, ok := s.shapes[v]
	if !ok {
		var err error
		if o, err = s.readObject(v, "#"); err != nil {
			o = nil
		}
		s.shapes[v] = o
	}
	return o
}

// rangesApart reports whether no number is in the ranges of both.
func rangesApart(a, b *value) bool {
	x, errX := numbersOf(a, "#", false)
	y, errY := numbersOf(b, "#", false)
	if errX != nil || errY != nil || x == nil || y == nil {
		return false
	}
	below := func(high, low *bound) bool {
		if high == nil || low == nil {
			return false
		}
		c := high.compare(low.decimal)
		return c < 0 || c == 0 && (high.strict || low.strict)
	}
	return below(x.high, y.low) || below(y.high, x.low)
}
