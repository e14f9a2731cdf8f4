package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// value is a JSON value whose objects keep their order.
type value struct {
	kind    string   // object, array, string, number, boolean or null
	text    string   // of a string; the digits of a number; true or false
	members []member // of an object
	items   []value  // of an array
}

type member struct {
	name  string
	value value
}

// get returns a member of an object.
func (v *value) get(name string) (*value, bool) {
	for i := range v.members {
		if v.members[i].name == name {
			return &v.members[i].value, true
		}
	}
	return nil, false
}

// parseValue reads one JSON text.
func parseValue(data []byte) (value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return v, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, errors.New("something follows the JSON value")
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return value{}, err
	}
	switch t := token.(type) {
	case json.Delim:
		return readInner(d, t, depth)
	case string:
		return value{kind: "string", text: t}, nil
	case json.Number:
		return value{kind: "number", text: t.String()}, nil
	case bool:
		return value{kind: "boolean", text: fmt.Sprint(t)}, nil
	}
	return value{kind: "null", text: "null"}, nil
}

// readInner reads the rest of an object or array.
func readInner(d *json.Decoder, open json.Delim, depth int) (value, error) {
	v := value{kind: "array"}
	if open == '{' {
		v.kind = "object"
	}
	for d.More() {
		name := ""
		if v.kind == "object" {
			token, err := d.Token()
			if err != nil {
				return v, err
			}
			name = token.(string) // the decoder takes nothing else for a name
			if _, twice := v.get(name); twice {
				return v, fmt.Errorf("the name %.60q is there twice in one object", name)
			}
		}
		item, err := readValue(d, depth+1)
		if err != nil {
			return v, err
		}
		if v.kind == "object" {
			v.members = append(v.members, member{name, item})
		} else {
			v.items = append(v.items, item)
		}
	}
	_, err := d.Token()
	return v, err
}

// quote is a JSON string.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// A string always has an encoding.
	_ = e.Encode(text)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// literalOf is the one text by which a constant is written.
func literalOf(v *value) expression {
	switch v.kind {
	case "string":
		return literal(quote(v.text))
	case "object":
		list := []expression{literal("{")}
		for i := range v.members {
			if i > 0 {
				list = append(list, literal(","), blank)
			}
			list = append(list, literal(quote(v.members[i].name)+":"), blank, literalOf(&v.members[i].value))
		}
		return all(append(list, literal("}"))...)
	case "array":
		list := []expression{literal("[")}
		for i := range v.items {
			if i > 0 {
				list = append(list, literal(","), blank)
			}
			list = append(list, literalOf(&v.items[i]))
		}
		return all(append(list, literal("]"))...)
	}
	return literal(v.text)
}

// sameValue compares as JSON Schema does (2020-12, core, section 4.2.2): numbers by what they are worth, objects in any order.
func sameValue(a, b value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case "number":
		x, okX := parseDecimal(a.text)
		y, okY := parseDecimal(b.text)
		return a.text == b.text || okX && okY && x == y
	case "object":
		if len(a.members) != len(b.members) {
			return false
		}
		for _, m := range a.members {
			if other, ok := b.get(m.name); !ok || !sameValue(m.value, *other) {
				return false
			}
		}
		return true
	case "array":
		if len(a.items) != len(b.items) {
			return false
		}
		for i := range a.items {
			if !sameValue(a.items[i], b.items[i]) {
				return false
			}
		}
		return true
	}
	return a.text == b.text
}

func contains(list []value, v value) bool {
	for _, x := range list {
		if sameValue(x, v) {
			return true
		}
	}
	return false
}

// isOf reports whether a value is of one of some types; none is any.
func (v *value) isOf(types []string) bool {
	if len(types) == 0 {
		return true
	}
	for _, t := range types {
		if t == v.kind {
			return true
		}
		if d, ok := parseDecimal(v.text); t == "integer" && v.kind == "number" && ok && d.part == "" {
			return true
		}
	}
	return false
}
