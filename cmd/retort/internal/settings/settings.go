// Package settings gives flags that the command line leaves out their values: a
// variable of the environment, else the file of settings, else the flag's default.
//
// It does not know any command: what can be set is what the tree of commands
// has, arguments excluded. It writes nothing.
//
// Invariants: a key of the file that is no flag is an error that names the
// nearest one, never ignored; a value that its flag cannot have is an error that
// names its place, for every section of the file, whichever command runs.
package settings

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
)

// Kind is where a value comes from.
type Kind string

// The sources, the strongest first; a flag on the command line is stronger than all.
const (
	Variable Kind = "variable"
	File     Kind = "file"
	Default  Kind = "default"
)

// Value is the value of a flag and where it comes from.
type Value struct {
	Text  string // as a person writes it
	Kind  Kind
	Where string // the variable, or FILE:LINE; "" for a default
	given any    // what kong decodes
}

// Everywhere is the section of the file that holds for every command that has the flag.
const Everywhere = "all"

// Settings finds values. Its zero value knows defaults only.
type Settings struct {
	// Lookup reads the environment; nil is an empty one.
	Lookup func(name string) (string, bool)
	// Path is the file that was read; "" is none.
	Path string

	own   map[*kong.Flag]Value // of a command's own section
	all   map[string]Value     // of the section for all, by the flag's name
	fault error
}

// VariableOf is the variable of the environment that sets a flag: RETORT_MAX_TOKENS sets --max-tokens. The tag "variable" names another.
func VariableOf(flag *kong.Flag) string {
	if name := flag.Tag.Get("variable"); name != "" {
		return name
	}
	return "RETORT_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// IsSettable says whether a flag can be set otherwise than on the command line.
func IsSettable(flag *kong.Flag) bool { return flag.Name != "help" && flag.Name != "config" }

// Find returns the value of a flag that the command line leaves out, not yet checked.
func (s *Settings) Find(flag *kong.Flag) Value {
	if s.Lookup != nil {
		name := VariableOf(flag)
		if text, ok := s.Lookup(name); ok {
			return Value{Text: text, Kind: Variable, Where: name, given: text}
		}
	}
	if v, ok := s.own[flag]; ok {
		return v
	}
	if v, ok := s.all[flag.Name]; ok {
		return v
	}
	return Value{Text: flag.Default, Kind: Default}
}

// Resolve implements kong.Resolver. Its errors wait for Fault, so that they are told as they are.
func (s *Settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !IsSettable(flag) {
		return nil, nil
	}
	v := s.Find(flag)
	if v.Kind == Default {
		return nil, nil
	}
	if v.Kind == Variable { // the file has been checked
		if err := try(flag, v.given); err != nil {
			if s.fault == nil {
				s.fault = explain.Errorf("bad-variable", "%s: %w", v.Where, err)
			}
			return nil, nil
		}
	}
	return switchValue(flag, v.given), nil
}

// Validate implements kong.Resolver.
func (s *Settings) Validate(*kong.Application) error { return nil }

// Fault is the first error of Resolve.
func (s *Settings) Fault() error { return s.fault }

// Check says whether a value can be that of its flag.
func Check(flag *kong.Flag, v Value) error {
	if v.Kind == Default {
		return nil
	}
	return try(flag, v.given)
}

// Section is the place of a command in the file: its name, below that of the command it belongs to. A default command has that of its parent.
func Section(node *kong.Node) string {
	if node.Type == kong.ApplicationNode {
		return Everywhere
	}
	parent := node.Parent
	if parent.DefaultCmd == node {
		return Section(parent)
	}
	if parent.Type == kong.ApplicationNode {
		return node.Name
	}
	return Section(parent) + "." + node.Name
}

// Commands calls yield with every command of the tree, those that hold others included.
func Commands(node *kong.Node, yield func(*kong.Node)) {
	yield(node)
	for _, child := range node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			Commands(child, yield)
		}
	}
}

// place is FILE:LINE.
func place(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
