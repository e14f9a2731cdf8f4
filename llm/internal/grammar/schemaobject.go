package grammar

import (
	"fmt"
	"regexp"
	"slices"
)

// objectShape is what a schema says of an object's members.
type objectShape struct {
	properties []member
	required   []string
	others     *value     // the schema of members beside the properties, nil if there are none
	name       expression // the names of these
	place      string     // of their schema
	isOpen     bool       // nothing is said of members at all
	isLimited  bool       // other names must be in a list or match a pattern
	low, high  int        // members; high is -1 for no bound
}

// readObject reads the keywords of objects.
func (s *schemaCompiler) readObject(v *value, path string) (*objectShape, error) {
	o := &objectShape{}
	for _, name := range []string{"properties", "patternProperties"} {
		if list, ok := v.get(name); ok && list.kind != "object" {
			return nil, fmt.Errorf("%s/%s: got a %s, want an object", path, name, list.kind)
		}
	}
	if list, ok := v.get("properties"); ok {
		o.properties = slices.Clone(list.members)
	}
	more, err := o.additional(v, path)
	if err != nil {
		return nil, err
	}
	if err := s.patterned(o, v, path, more); err != nil {
		return nil, err
	}
	if err := s.named(o, v, path); err != nil {
		return nil, err
	}
	if err := o.require(v, path, more); err != nil {
		return nil, err
	}
	return o, o.counts(v, path)
}

// additional reads additionalProperties, nil if they are not given, and unevaluatedProperties, which say the same where nothing else evaluates any.
func (o *objectShape) additional(v *value, path string) (*value, error) {
	more, has := v.get("additionalProperties")
	if u, ok := v.get("unevaluatedProperties"); ok {
		if u.kind != "boolean" || u.text != "false" {
			return nil, fmt.Errorf("%s: keyword \"unevaluatedProperties\" is supported as false alone", path)
		}
		if !has {
			more, has = u, true
		}
	}
	o.isOpen = !has && len(o.properties) == 0
	if has && !isFalse(more) {
		o.others, o.place, o.name = more, path+"/additionalProperties", otherName(o.properties)
	}
	return more, nil
}

func isFalse(v *value) bool { return v != nil && v.kind == "boolean" && v.text == "false" }

// patterned reads patternProperties: one pattern, beside which no other names are allowed but those of properties that it does not match.
func (s *schemaCompiler) patterned(o *objectShape, v *value, path string, more *value) error {
	list, ok := v.get("patternProperties")
	if !ok || len(list.members) == 0 {
		return nil
	}
	path += "/patternProperties"
	if len(list.members) > 1 || more != nil && !isFalse(more) {
		return fmt.Errorf("%s: supported with one pattern, and without additionalProperties", path)
	}
	m := &list.members[0]
	matches, err := regexp.Compile(m.name)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range o.properties {
		if matches.MatchString(p.name) {
			return fmt.Errorf("%s: the pattern %.60q matches the property %.60q, which is not supported", path, m.name, p.name)
		}
	}
	name := value{kind: "object", members: []member{{"pattern", value{kind: "string", text: m.name}}}}
	if o.name, err = s.string(&name, path); err != nil {
		return err
	}
	o.others, o.place, o.isOpen, o.isLimited = &m.value, path+"/"+m.name, false, true
	return nil
}

// named reads propertyNames: a list of names, or a string's keywords where there are no properties.
func (s *schemaCompiler) named(o *objectShape, v *value, path string) error {
	names, ok := v.get("propertyNames")
	if !ok || names.kind == "boolean" && names.text == "true" || only(names, path, "type") == nil && names.kind == "object" && stringType(names) {
		return nil
	}
	path += "/propertyNames"
	o.isLimited = true
	if _, both := v.get("patternProperties"); both || !stringType(names) {
		return fmt.Errorf("%s: supported for strings, and not beside patternProperties", path)
	}
	others := o.others
	if o.isOpen {
		others = &value{kind: "boolean", text: "true"}
	}
	if list, ok := s.constants(names, 0); ok {
		o.isOpen, o.others = false, nil
		for i := range o.properties {
			if !contains(list, value{kind: "string", text: o.properties[i].name}) {
				o.properties[i].value = value{kind: "boolean", text: "false"}
			}
		}
		for i := range list {
			known := slices.ContainsFunc(o.properties, func(m member) bool { return m.name == list[i].text })
			if others != nil && !known && list[i].kind == "string" {
				o.properties = append(o.properties, member{list[i].text, *others})
			}
		}
		return nil
	}
	if len(o.properties) > 0 {
		return fmt.Errorf("%s: beside properties an enum alone is supported", path)
	}
	if others == nil {
		return nil
	}
	name, err := s.of(names, path)
	o.isOpen, o.others, o.name = false, others, name
	return err
}

// stringType says whether a schema's type is string, or not given.
func stringType(v *value) bool {
	t, ok := v.get("type")
	return v.kind == "object" && (!ok || t.text == "string")
}

// require reads required. What is required and not described may be anything that additional members may be.
func (o *objectShape) require(v *value, path string, more *value) error {
	list, ok := v.get("required")
	if !ok {
		return nil
	}
	if list.kind != "array" {
		return fmt.Errorf("%s/required: got a %s, want an array", path, list.kind)
	}
	anything := &value{kind: "boolean", text: "true"}
	for _, item := range list.items {
		known := slices.ContainsFunc(o.properties, func(m member) bool { return m.name == item.text })
		if item.kind != "string" || !known && (isFalse(more) || o.isLimited) {
			return fmt.Errorf("%s/required: %.60q is not among the properties", path, item.text)
		}
		if !known {
			what := more
			if what == nil {
				what = anything
			}
			o.properties = append(o.properties, member{item.text, *what})
			if o.isOpen = false; o.others != nil {
				o.name = otherName(o.properties)
			}
		}
		o.required = append(o.required, item.text)
	}
	return nil
}

// counts reads minProperties and maxProperties.
func (o *objectShape) counts(v *value, path string) (err error) {
	if o.low, err = count(v, path, "minProperties", 0); err != nil {
		return err
	}
	if o.high, err = count(v, path, "maxProperties", -1); err != nil {
		return err
	}
	if o.low == 0 && o.high < 0 {
		return nil
	}
	if o.isOpen {
		o.others, o.name, o.isOpen = &value{kind: "boolean", text: "true"}, otherName(nil), false
	}
	hasNames := len(o.properties) > 0
	switch {
	case o.low > 1 && o.low > len(o.required):
		return fmt.Errorf("%s/minProperties: got %d, want at most 1 or the number of required properties: names might come twice", path, o.low)
	case !hasNames && o.others == nil && o.low > 0:
		return fmt.Errorf("%s/minProperties: got %d where no property is allowed", path, o.low)
	case hasNames && o.low > len(o.required):
		return fmt.Errorf("%s/minProperties: got %d beside properties, want at most the number of those that are required", path, o.low)
	case hasNames && o.high >= 0 && (o.others != nil || o.high < len(o.properties)):
		return fmt.Errorf("%s/maxProperties: got %d beside properties, want at least their number, and no additional ones", path, o.high)
	case o.high >= 0 && o.high < o.low:
		return fmt.Errorf("%s: at least %d properties and at most %d: no object has both", path, o.low, o.high)
	}
	return nil
}
