package recipe

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Marshal writes every key of v, a struct or a pointer to one, as YAML, in the
// order of the fields; a field's `help` tag stands beside it as a comment.
func Marshal(v any) ([]byte, error) {
	node, err := nodeOf(reflect.Indirect(reflect.ValueOf(v)))
	if err != nil {
		return nil, err
	}
	return yaml.Dump(node)
}

// Keys lists the dotted paths of all keys of v, a struct or a pointer to one.
func Keys(v any) []string {
	return keysBelow(reflect.Indirect(reflect.ValueOf(v)).Type(), "")
}

func keysBelow(t reflect.Type, prefix string) []string {
	var keys []string
	for _, f := range fieldsOf(t) {
		inner := t.FieldByIndex(f.index).Type
		if isSection(inner) {
			keys = append(keys, keysBelow(inner, prefix+f.key+".")...)
		} else {
			keys = append(keys, prefix+f.key)
		}
	}
	return keys
}

// nodeOf is the YAML form of a value.
func nodeOf(v reflect.Value) (*yaml.Node, error) {
	switch {
	case v.Type() == durationType:
		return scalar("!!str", time.Duration(v.Int()).String()), nil
	case writesText(v.Type()):
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return nil, fmt.Errorf("recipe: %w", err)
		}
		return scalar("!!str", string(text)), nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return mappingOf(v)
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range v.Len() {
			item, err := nodeOf(v.Index(i))
			if err != nil {
				return nil, err
			}
			if item.Kind == yaml.MappingNode {
				list.Style = 0
			}
			list.Content = append(list.Content, item)
		}
		return list, nil
	case reflect.Bool:
		return scalar("!!bool", strconv.FormatBool(v.Bool())), nil
	case reflect.String:
		return scalar("!!str", v.String()), nil
	case reflect.Float32:
		return scalar("", floatText(v.Float(), 32)), nil
	case reflect.Float64:
		return scalar("", floatText(v.Float(), 64)), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return scalar("!!int", strconv.FormatUint(v.Uint(), 10)), nil
	}
	return scalar("!!int", strconv.FormatInt(v.Int(), 10)), nil
}

func mappingOf(v reflect.Value) (*yaml.Node, error) {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fieldsOf(v.Type()) {
		value, err := nodeOf(v.FieldByIndex(f.index))
		if err != nil {
			return nil, err
		}
		key := scalar("!!str", f.key)
		if f.help != "" && value.Kind == yaml.ScalarNode && !strings.Contains(value.Value, "\n") {
			value.LineComment = "# " + f.help
		} else if f.help != "" {
			key.HeadComment = "# " + f.help
		}
		mapping.Content = append(mapping.Content, key, value)
	}
	return mapping, nil
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// floatText is the shortest text that reads back to the same number.
func floatText(f float64, bits int) string { return strconv.FormatFloat(f, 'g', -1, bits) }

// JSON writes what Marshal writes as one JSON object. [Apply] reads it, too:
// JSON is YAML.
func JSON(v any) (json.RawMessage, error) {
	node, err := nodeOf(reflect.Indirect(reflect.ValueOf(v)))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := writeJSON(&b, node); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeJSON(b *bytes.Buffer, node *yaml.Node) error {
	switch {
	case node.Kind == yaml.MappingNode:
		b.WriteByte('{')
		for i, child := range node.Content { // keys and values in turn
			switch {
			case i%2 == 1:
				b.WriteByte(':')
			case i > 0:
				b.WriteByte(',')
			}
			if err := writeJSON(b, child); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case node.Kind == yaml.SequenceNode:
		b.WriteByte('[')
		for i, child := range node.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, child); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case node.Tag == "!!str":
		text, err := json.Marshal(node.Value)
		if err != nil {
			return fmt.Errorf("recipe: %w", err)
		}
		b.Write(text)
	default: // a truth value or a finite number, whose text is JSON
		b.WriteString(node.Value)
	}
	return nil
}

// YAML writes the values of a JSON text as YAML, keys in their order.
func YAML(text json.RawMessage) ([]byte, error) {
	node, err := parse("JSON", text)
	if err != nil {
		return nil, err
	}
	if node == nil {
		return nil, nil
	}
	asBlocks(node)
	return yaml.Dump(node)
}

// asBlocks takes off the braces and quotes of JSON where YAML needs none.
func asBlocks(node *yaml.Node) {
	node.Style = 0
	if node.Kind == yaml.SequenceNode {
		node.Style = yaml.FlowStyle
	}
	for _, child := range node.Content {
		asBlocks(child)
		if node.Kind == yaml.SequenceNode && child.Kind == yaml.MappingNode {
			node.Style = 0
		}
	}
}
