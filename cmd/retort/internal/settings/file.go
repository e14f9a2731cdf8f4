package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"go.yaml.in/yaml/v4"
)

// Read reads the file of settings: a section for each command that holds values of its flags and sections of the commands below
// it, and the section all. Its errors begin with name:line.
func (s *Settings) Read(app *kong.Application, name string, source []byte) error {
	s.Path, s.own, s.all = name, map[*kong.Flag]Value{}, map[string]Value{}
	root, err := parse(name, source)
	if err != nil || root == nil {
		return explain.With("bad-config", err)
	}
	return explain.With("bad-config", (&reader{settings: s, name: name, app: app}).root(root))
}

func parse(name string, source []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Load(source, &document); err != nil {
		var syntax *yaml.LoadError
		if errors.As(err, &syntax) && syntax.Mark.Line > 0 {
			return nil, fmt.Errorf("%s: %s", place(name, syntax.Mark.Line), syntax.Message)
		}
		if document.Kind == 0 && strings.Contains(err.Error(), "no documents") {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: not one YAML document: %w", name, err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 || document.Content[0].ShortTag() == "!!null" {
		return nil, nil
	}
	return document.Content[0], nil
}

type reader struct {
	settings *Settings
	name     string
	app      *kong.Application
}

func (r *reader) at(node *yaml.Node, format string, arguments ...any) error {
	return fmt.Errorf("%s: %s", place(r.name, node.Line), fmt.Sprintf(format, arguments...))
}

// pairs calls yield with each key and its value; a key that stands twice is an error.
func (r *reader) pairs(node *yaml.Node, section string, yield func(key, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return r.at(node, "%s: want keys and values", strings.TrimPrefix(section, "."))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind == yaml.AliasNode {
			return r.at(value, "an alias; write the value out")
		}
		if seen[key.Value] {
			return r.at(key, "%q stands twice", key.Value)
		}
		seen[key.Value] = true
		if err := yield(key, value); err != nil {
			return err
		}
	}
	return nil
}

// root reads the sections.
func (r *reader) root(node *yaml.Node) error {
	return r.pairs(node, "the file", func(key, value *yaml.Node) error {
		if key.Value == Everywhere {
			return r.everywhere(value)
		}
		child := findCommand(r.app.Node, key.Value)
		if child == nil {
			return r.unknown(key, "", append(commandNames(r.app.Node), Everywhere))
		}
		return r.section(child, value)
	})
}

// everywhere reads the values for all commands that have the flag.
func (r *reader) everywhere(node *yaml.Node) error {
	flags := map[string][]*kong.Flag{}
	var names []string
	Commands(r.app.Node, func(n *kong.Node) {
		for _, flag := range n.Flags {
			if IsSettable(flag) {
				flags[flag.Name], names = append(flags[flag.Name], flag), append(names, flag.Name)
			}
		}
	})
	return r.pairs(node, Everywhere, func(key, value *yaml.Node) error {
		name := dashed(key.Value)
		if flags[name] == nil {
			return r.unknown(key, Everywhere+".", names)
		}
		v, err := r.value(value, Everywhere+"."+name)
		if err != nil {
			return err
		}
		for _, flag := range flags[name] {
			if err := try(flag, v.given); err != nil {
				return r.at(value, "%s.%s: %s: %v", Everywhere, name, Section(commandOf(r.app.Node, flag)), err)
			}
		}
		r.settings.all[name] = v
		return nil
	})
}

// section reads the values of one command and of those below it.
func (r *reader) section(command *kong.Node, node *yaml.Node) error {
	path := Section(command)
	// what a default command has, its parent's section holds
	holders := []*kong.Node{command}
	if command.DefaultCmd != nil {
		holders = append(holders, command.DefaultCmd)
	}
	return r.pairs(node, path, func(key, value *yaml.Node) error {
		if child := findCommand(command, key.Value); child != nil && value.Kind == yaml.MappingNode {
			return r.section(child, value)
		}
		known := commandNames(command)
		for _, holder := range holders {
			for _, flag := range holder.Flags {
				if !IsSettable(flag) {
					continue
				}
				if known = append(known, flag.Name); flag.Name == dashed(key.Value) {
					return r.set(flag, path, value)
				}
			}
		}
		return r.unknown(key, path+".", known)
	})
}

func (r *reader) set(flag *kong.Flag, path string, node *yaml.Node) error {
	v, err := r.value(node, path+"."+flag.Name)
	if err != nil {
		return err
	}
	if err := try(flag, v.given); err != nil {
		return r.at(node, "%s.%s: %v", path, flag.Name, err)
	}
	r.settings.own[flag] = v
	return nil
}

// value is what a node says: a single value as text, a list as it is.
func (r *reader) value(node *yaml.Node, key string) (Value, error) {
	v := Value{Kind: File, Where: place(r.name, node.Line)}
	switch {
	case node.Kind == yaml.ScalarNode && node.ShortTag() != "!!null":
		v.Text, v.given = node.Value, node.Value
		return v, nil
	case node.Kind == yaml.SequenceNode:
		var list []any
		if err := node.Decode(&list); err != nil {
			return v, r.at(node, "%s: %v", key, err)
		}
		texts := make([]string, len(list))
		for i, item := range list {
			texts[i] = fmt.Sprint(item)
		}
		v.Text, v.given = strings.Join(texts, ","), list
		return v, nil
	}
	return v, r.at(node, "%s: want a value or a list of values", key)
}

func (r *reader) unknown(key *yaml.Node, section string, known []string) error {
	slices.Sort(known)
	known = slices.Compact(known)
	if near := recipe.Nearest(dashed(key.Value), known); near != "" {
		return r.at(key, "unknown key %q; did you mean %q?", section+key.Value, section+near)
	}
	return r.at(key, "unknown key %q; there are: %s", section+key.Value, strings.Join(known, ", "))
}

// dashed is a key as flags are written; recipes have underscores.
func dashed(key string) string { return strings.ReplaceAll(key, "_", "-") }

func findCommand(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && child.Name == dashed(name) {
			return child
		}
	}
	return nil
}

func commandNames(node *kong.Node) (names []string) {
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return names
}

// commandOf is the command that has a flag.
func commandOf(root *kong.Node, flag *kong.Flag) (found *kong.Node) {
	Commands(root, func(n *kong.Node) {
		if slices.Contains(n.Flags, flag) {
			found = n
		}
	})
	return found
}
