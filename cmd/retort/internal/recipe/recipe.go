// Package recipe fills a struct of options from a YAML file and from single
// settings, and writes the filled struct out again.
//
// It knows no command and no option: what can be set is what the struct has. It
// does not judge values beyond their type; that is for the struct's own Validate.
//
// Invariants: a key that the struct lacks is an error that names the nearest
// one, never ignored; so is a key that stands twice. What [Marshal] writes,
// [Apply] reads back to the same struct.
//
// A field's key is its `recipe` tag, else its name in lower case with
// underscores (LearningRate is learning_rate, KVHeads is kv_heads). The tag "-"
// hides a field; functions, channels and interfaces are hidden of themselves.
// The fields of an embedded struct stand beside those of the struct around it.
package recipe

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxDepth bounds the nesting of a recipe, aliases followed.
const maxDepth = 32

// Apply sets the fields of dst, a pointer to a struct, that the YAML source
// names, and leaves the others as they are. Errors begin with name:line.
//
// An empty source sets nothing. After an error dst may be partly filled.
func Apply(dst any, name string, source []byte) error {
	if len(strings.TrimSpace(string(source))) == 0 {
		return nil
	}
	root, err := parse(name, source)
	if err != nil || root == nil {
		return err
	}
	return applyMapping(reflect.ValueOf(dst).Elem(), root, place{file: name}, 0)
}

// Set sets one field of dst, a pointer to a struct, from "key=value", where key
// is the dotted path of the field, as in "optimiser.learning_rate=1e-4". A
// string is taken as it stands; every other value is read as YAML.
func Set(dst any, assignment string) error {
	path, text, ok := strings.Cut(assignment, "=")
	if !ok {
		return fmt.Errorf("--set %s: want key=value", assignment)
	}
	v := reflect.ValueOf(dst).Elem()
	where := place{file: "--set"}
	for key := range strings.SplitSeq(strings.TrimSpace(path), ".") {
		if !isSection(v.Type()) {
			return fmt.Errorf("--set %s: %s is a single value and has no keys", path, where.path)
		}
		f, ok := findField(v.Type(), key)
		if !ok {
			return unknownKey(v.Type(), where, key)
		}
		v, where = v.FieldByIndex(f.index), where.below(key)
	}
	if isSection(v.Type()) {
		return fmt.Errorf("--set %s: it is a section; set one of its keys: %s", path, strings.Join(keysOf(v.Type()), ", "))
	}
	if isText(v) {
		return assignText(v, text, where)
	}
	node, err := parse("--set "+where.path, []byte(text))
	if err != nil {
		return err
	}
	if node == nil {
		return fmt.Errorf("--set %s: got nothing, want %s", path, wantOf(v.Type()))
	}
	clearLines(node)
	return assign(v, node, where, 0)
}

// place is where a value came from, for errors.
type place struct {
	file string
	path string // dotted
}

func (p place) below(key string) place {
	if p.path != "" {
		key = p.path + "." + key
	}
	return place{p.file, key}
}

// at formats an error about a node; a line of 0 (a value from --set) is left out.
func (p place) at(node *yaml.Node, format string, arguments ...any) error {
	return p.atLine(node.Line, format, arguments...)
}

func (p place) atLine(line int, format string, arguments ...any) error {
	message := fmt.Sprintf(format, arguments...)
	if p.path != "" && line > 0 {
		message = p.path + ": " + message
	}
	if line > 0 {
		return fmt.Errorf("%s:%d: %s", p.file, line, message)
	}
	if p.path == "" {
		return fmt.Errorf("%s: %s", p.file, message)
	}
	return fmt.Errorf("%s %s: %s", p.file, p.path, message)
}

// parse returns the one value of a YAML document, or nil if it holds only comments.
func parse(name string, source []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Load(source, &document); err != nil {
		var syntax *yaml.LoadError
		if errors.As(err, &syntax) && syntax.Mark.Line > 0 {
			return nil, fmt.Errorf("%s:%d: %s", name, syntax.Mark.Line, syntax.Message)
		}
		if document.Kind == 0 && strings.Contains(err.Error(), "no documents") {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: not one YAML document: %w", name, err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, nil
	}
	return document.Content[0], nil
}

func clearLines(node *yaml.Node) {
	node.Line = 0
	for _, child := range node.Content {
		clearLines(child)
	}
}

// applyMapping sets the fields of a struct that a mapping names.
func applyMapping(section reflect.Value, node *yaml.Node, where place, depth int) error {
	if depth > maxDepth {
		return where.at(node, "nested deeper than %d", maxDepth)
	}
	node = follow(node)
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return where.at(node, "got %s, want keys and values (%s)", kindOf(node), strings.Join(keysOf(section.Type()), ", "))
	}
	first := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return where.at(key, "got %s as a key, want a name", kindOf(key))
		}
		f, ok := findField(section.Type(), key.Value)
		if !ok {
			where.file = fmt.Sprintf("%s:%d", where.file, key.Line)
			return unknownKey(section.Type(), where, key.Value)
		}
		if line, again := first[f.key]; again {
			return where.below(f.key).at(key, "stands twice; the first is in line %d", line)
		}
		first[f.key] = key.Line
		if err := assign(section.FieldByIndex(f.index), value, where.below(f.key), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// unknownKey names the key and what may have been meant.
func unknownKey(section reflect.Type, where place, key string) error {
	known := keysOf(section)
	full := where.below(key).path
	if near := Nearest(key, known); near != "" {
		return fmt.Errorf("%s: unknown key %q; did you mean %q?", where.file, full, where.below(near).path)
	}
	return fmt.Errorf("%s: unknown key %q; there are: %s", where.file, full, strings.Join(known, ", "))
}
