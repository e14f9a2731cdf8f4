package recipe

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

var durationType = reflect.TypeFor[time.Duration]()

// follow returns what an alias stands for.
func follow(node *yaml.Node) *yaml.Node {
	for range maxDepth {
		if node.Kind != yaml.AliasNode || node.Alias == nil {
			break
		}
		node = node.Alias
	}
	return node
}

// kindOf describes a node in an error.
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	if node.ShortTag() == "!!null" {
		return "nothing"
	}
	return strconv.Quote(node.Value)
}

// wantOf describes the values of a type in an error.
func wantOf(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 60s"
	case writesText(t):
		return "a name"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list, each " + wantOf(t.Elem())
	case reflect.Struct:
		return "keys and values"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0"
	}
	return "a whole number"
}

// isText says whether a value is set from text as it stands.
func isText(v reflect.Value) bool {
	return v.Kind() == reflect.String || v.Type() == durationType || writesText(v.Type())
}

// assign sets v from a node.
func assign(v reflect.Value, node *yaml.Node, where place, depth int) error {
	node = follow(node)
	if isSection(v.Type()) {
		return applyMapping(v, node, where, depth)
	}
	if v.Kind() == reflect.Slice && !isText(v) {
		return assignList(v, node, where, depth)
	}
	wrong := func() error { return where.at(node, "got %s, want %s", kindOf(node), wantOf(v.Type())) }
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		return wrong()
	}
	if isText(v) {
		if err := assignText(v, node.Value, place{}); err != nil {
			return where.at(node, "%s", err)
		}
		return nil
	}
	if !assignScalar(v, node) {
		return wrong()
	}
	return nil
}

// assignList sets a slice; an empty list is the same as none.
func assignList(v reflect.Value, node *yaml.Node, where place, depth int) error {
	if depth > maxDepth {
		return where.at(node, "nested deeper than %d", maxDepth)
	}
	if node.Kind != yaml.SequenceNode {
		return where.at(node, "got %s, want %s", kindOf(node), wantOf(v.Type()))
	}
	if len(node.Content) == 0 {
		v.SetZero()
		return nil
	}
	list := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, child := range node.Content {
		if err := assign(list.Index(i), child, where.below(strconv.Itoa(i)), depth+1); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// assignText sets a string, a duration or a type with its own text form.
func assignText(v reflect.Value, text string, where place) error {
	in := func(err error) error {
		if where == (place{}) {
			return err
		}
		return where.atLine(0, "%s", err)
	}
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return in(fmt.Errorf("got %q, want %s", text, wantOf(durationType)))
		}
		v.SetInt(int64(d))
	case writesText(v.Type()):
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			return in(err)
		}
	default:
		v.SetString(text)
	}
	return nil
}

// assignScalar sets a truth value or a number; false if the node is not one, or
// does not fit the type.
func assignScalar(v reflect.Value, node *yaml.Node) bool {
	tag := node.ShortTag()
	number := tag == "!!int" || tag == "!!float"
	switch v.Kind() {
	case reflect.Bool:
		var b bool
		if tag != "!!bool" || node.Decode(&b) != nil {
			return false
		}
		v.SetBool(b)
	case reflect.Float32, reflect.Float64:
		var f float64
		if !number || node.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0) || v.OverflowFloat(f) {
			return false
		}
		v.SetFloat(f)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := wholeNumber(node, tag)
		if !ok || v.OverflowInt(n) {
			return false
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		if tag != "!!int" || node.Decode(&n) != nil {
			whole, ok := wholeNumber(node, tag)
			if !ok || whole < 0 {
				return false
			}
			n = uint64(whole)
		}
		if v.OverflowUint(n) {
			return false
		}
		v.SetUint(n)
	default:
		return false
	}
	return true
}

// wholeNumber also takes a float without a fraction, such as 1e3, as far as a
// float is exact.
func wholeNumber(node *yaml.Node, tag string) (int64, bool) {
	var n int64
	if tag == "!!int" {
		err := node.Decode(&n)
		return n, err == nil
	}
	var f float64
	if tag != "!!float" || node.Decode(&f) != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
