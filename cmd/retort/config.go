package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/cmd/retort/internal/settings"
)

// configVariable names the file of settings in the environment.
const configVariable = "RETORT_CONFIG"

// tolerantCommands go on although the settings are wrong: they are what one turns to then.
var tolerantCommands = []string{"doctor", "explain", "completion", "version"}

// isTolerant says whether the command that was read goes on although the settings are wrong.
func isTolerant(parsed *kong.Context) bool {
	if parsed == nil || parsed.Selected() == nil {
		return false
	}
	return slices.Contains(tolerantCommands, parsed.Selected().Name)
}

// flagGiven says whether a flag without a value stands on a command line that perhaps cannot be read.
func flagGiven(arguments []string, flag string) bool {
	if end := slices.Index(arguments, "--"); end >= 0 {
		arguments = arguments[:end]
	}
	return slices.Contains(arguments, flag)
}

// settingsFile is the path of the file of settings, and whether it was asked for, so that it must be there.
func settingsFile(arguments []string, around surroundings) (path string, isAsked bool) {
	if end := slices.Index(arguments, "--"); end >= 0 {
		arguments = arguments[:end]
	}
	for i, a := range arguments {
		if rest, ok := strings.CutPrefix(a, "--config="); ok {
			return rest, true
		}
		if a == "--config" && i+1 < len(arguments) {
			return arguments[i+1], true
		}
	}
	if around.lookup != nil {
		if path, ok := around.lookup(configVariable); ok {
			return path, true
		}
	}
	return around.settings, false
}

// readSettings reads the file of settings that is in force.
func (p *invocation) readSettings(arguments []string, around surroundings) error {
	path, isAsked := settingsFile(arguments, around)
	if path == "" {
		return nil
	}
	source, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !isAsked {
		return nil
	}
	if err != nil {
		return explain.Errorf("bad-config", "settings: %v", err)
	}
	return p.settings.Read(p.parser.Model, path, source)
}

// configCommand shows settings.
type configCommand struct {
	Command []string `arg:"" optional:"" name:"command" complete:"command" help:"A command, such as serve or runs ls; without one, whatever differs from its default in any."`
}

// settingEvent is the --json form of one.
type settingEvent struct {
	Command  string `json:"command"`
	Flag     string `json:"flag"`
	Value    string `json:"value"`
	Source   string `json:"source"`          // variable, file or default
	From     string `json:"from,omitempty"`  // the variable's name, or FILE:LINE
	Variable string `json:"variable"`        // that would set it
	Fault    string `json:"fault,omitempty"` // why the value cannot be
}

// Run prints the flags of one command, or those of all that are set.
func (c *configCommand) Run(out *output, p *invocation) error {
	file := p.settings.Path
	if file == "" {
		file = "none"
	}
	if err := out.event("file", map[string]string{"path": p.settings.Path}); err != nil {
		return err
	}
	node, err := c.node(p.parser.Model.Node)
	if err != nil {
		return err
	}
	out.result("file of settings: %s", file)
	rows := [][]string{{"COMMAND", "FLAG", "VALUE", "FROM"}}
	settings.Commands(p.parser.Model.Node, func(n *kong.Node) {
		if err != nil || node != nil && n != node && !(n == p.parser.Model.Node || node.DefaultCmd == n) {
			return
		}
		for _, flag := range n.Flags {
			e, ok := p.setting(n, flag)
			if !ok || node == nil && e.Source == string(settings.Default) {
				continue
			}
			if err = out.event("setting", e); err != nil {
				return
			}
			from := e.From
			if from == "" {
				from = e.Source
			}
			if e.Fault != "" {
				from += ": " + e.Fault
			}
			rows = append(rows, []string{e.Command, "--" + e.Flag, oneLine(orDash(e.Value)), oneLine(from)})
		}
	})
	if err != nil {
		return err
	}
	if len(rows) == 1 {
		out.result("nothing is set; every flag has its default")
		return nil
	}
	table(out, rows)
	return nil
}

// node finds the command that was named; nil for none.
func (c *configCommand) node(root *kong.Node) (*kong.Node, error) {
	if len(c.Command) == 0 {
		return nil, nil
	}
	node := root
	for _, name := range c.Command {
		var names []string
		next := node
		for _, child := range node.Children {
			if names = append(names, child.Name); child.Name == name {
				next = child
			}
		}
		if next == node {
			try := recipe.Nearest(name, names)
			if try == "" {
				try = "retort --help"
			}
			return nil, usage(explain.Errorf("unknown-command", "no command %.60q", name), try)
		}
		node = next
	}
	return node, nil
}

// setting is what is in force for a flag where the command line does not give it.
func (p *invocation) setting(n *kong.Node, flag *kong.Flag) (settingEvent, bool) {
	if !settings.IsSettable(flag) {
		return settingEvent{}, false
	}
	v := p.settings.Find(flag)
	e := settingEvent{
		Command: settings.Section(n), Flag: flag.Name, Value: withoutSecret(flag.Name, v.Text), Source: string(v.Kind), From: v.Where, Variable: settings.VariableOf(flag),
	}
	if err := settings.Check(flag, v); err != nil {
		e.Fault = fmt.Sprint(err)
	}
	return e, true
}

// secretName is what a setting that holds a secret may be called. The name of a variable or a file that holds one is none.
var secretName = regexp.MustCompile(`(?i)(^|[-_.])(key|token|secret|password)$`)

// withoutSecret hides what must not be seen by whoever looks at a terminal or a report: the value of a setting with such a name, also
// one within a list of KEY=VALUE, and the password within an address.
func withoutSecret(name, text string) string {
	const hidden = "(hidden)"
	if secretName.MatchString(name) && text != "" {
		return hidden
	}
	parts := strings.Split(text, ",")
	for i, part := range parts {
		key, value, isPair := strings.Cut(part, "=")
		if isPair && value != "" && secretName.MatchString(key) {
			parts[i] = key + "=" + hidden
			continue
		}
		if !isPair {
			key, value = "", part
		} else {
			key += "="
		}
		if at, err := url.Parse(value); err == nil && at.User != nil {
			at.User = url.User("hidden")
			parts[i] = key + at.String()
		}
	}
	return strings.Join(parts, ",")
}
