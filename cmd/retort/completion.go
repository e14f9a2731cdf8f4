package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tensor"
)

// completeCommand is the first argument of the calls that the scripts of the shells make: the shell, then the words of the line up
// to the one that is being written, which is the last (for bash: the line). It is no command of the tree, since a line that is being
// written cannot be parsed.
const completeCommand = "__complete"

// What stands for the last line of an answer: what the shell itself completes beside the words.
const (
	shellNothing = ":nothing"
	shellFiles   = ":files"
	shellFolders = ":folders"
)

// candidate is a word that could stand there.
type candidate struct{ word, help string }

// completionCommand prints a script.
type completionCommand struct {
	Shell string `arg:"" name:"shell" enum:"bash,zsh,fish,powershell" help:"bash, zsh, fish or powershell."`
}

// Run prints the script, which asks this program for every word, so that it need not be made anew with a new version.
func (c *completionCommand) Run(out *output) error {
	if out.json {
		return out.event("script", map[string]string{"shell": c.Shell, "script": completionScripts[c.Shell]})
	}
	_, err := io.WriteString(out.std.out, completionScripts[c.Shell])
	return err
}

// complete answers a script. Faults are silence: nobody wants errors between the words that he writes.
func (p *invocation) complete(arguments []string, out io.Writer) int {
	if len(arguments) == 0 {
		return exitUsage
	}
	shell, words := arguments[0], arguments[1:]
	switch {
	case shell == "bash" && len(words) == 1:
		words = splitLine(words[0])
	case shell == "powershell" && len(words) > 0: // which drops an empty last word
		if n, err := strconv.Atoi(words[0]); err == nil {
			if words = words[1:]; len(words) < n {
				words = append(words, "")
			}
		}
	}
	if len(words) == 0 {
		words = []string{""}
	}
	line := &commandWords{invocation: p, node: p.parser.Model.Node}
	found, directive := line.complete(words)
	last := words[len(words)-1]
	for _, c := range found {
		if !strings.HasPrefix(c.word, last) || !plainWord.MatchString(c.word) {
			continue
		}
		fmt.Fprintln(out, shellWord(shell, c, last))
	}
	fmt.Fprintln(out, directive)
	return exitDone
}

// plainWord has nothing that a shell would read as more than text.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./~-]+$`)

// shellWord is a candidate as the script of a shell wants it.
func shellWord(shell string, c candidate, last string) string {
	switch shell {
	case "bash": // which divides words at = and : and completes the last part
		return c.word[strings.LastIndexAny(last, "=:")+1:]
	case "zsh":
		return strings.ReplaceAll(c.word, ":", `\:`) + ":" + c.help
	case "powershell": // where a comma makes a list, and an @ at the beginning takes a variable apart
		if strings.Contains(c.word, ",") || strings.HasPrefix(c.word, "@") {
			return "'" + c.word + "'\t" + c.help
		}
	}
	return c.word + "\t" + c.help
}

// splitLine divides a line into its words as a shell would, without the command itself; the last may be empty.
func splitLine(line string) []string {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	isEscaped := false
	for _, r := range line {
		switch {
		case isEscaped:
			word.WriteRune(r)
			isEscaped = false
		case r == '\\' && quote != '\'':
			isEscaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	words = append(words, word.String())
	return words[min(1, len(words)):]
}

// commandWords walks along the words of a line.
type commandWords struct {
	invocation *invocation
	node       *kong.Node
	position   int  // of the next argument
	noFlags    bool // after --
}

// complete walks along all words but the last, and returns what could stand there.
func (w *commandWords) complete(words []string) ([]candidate, string) {
	last := words[len(words)-1]
	for i := 0; i < len(words)-1; i++ {
		flag := w.step(words[i])
		if flag == nil {
			continue
		}
		if i+1 == len(words)-1 {
			return w.values(flag.Value)
		}
		i++
	}
	if name, _, ok := strings.Cut(last, "="); ok && !w.noFlags && strings.HasPrefix(name, "--") {
		flag := w.flag(name)
		if flag == nil {
			return nil, shellNothing
		}
		found, directive := w.values(flag.Value)
		for i := range found {
			found[i].word = name + "=" + found[i].word
		}
		return found, directive
	}
	if strings.HasPrefix(last, "-") && !w.noFlags {
		return w.flags(), shellNothing
	}
	return w.arguments()
}

// step passes over a word, and returns the flag whose value the next one is, or nil.
func (w *commandWords) step(word string) *kong.Flag {
	switch {
	case w.noFlags:
		w.position++
	case word == "--":
		w.noFlags = true
	case strings.HasPrefix(word, "-") && len(word) > 1:
		if flag := w.flag(word); flag != nil && !flag.IsBool() {
			return flag
		}
	default:
		for _, child := range w.node.Children {
			if child.Name == word && child.Type == kong.CommandNode {
				w.node, w.position = child, 0
				return nil
			}
		}
		w.position++
	}
	return nil
}

// holders are the commands whose flags may stand here.
func (w *commandWords) holders() []*kong.Node {
	var all []*kong.Node
	if w.node.DefaultCmd != nil {
		all = append(all, w.node.DefaultCmd)
	}
	for n := w.node; n != nil; n = n.Parent {
		all = append(all, n)
	}
	return all
}

func (w *commandWords) flag(word string) *kong.Flag {
	for _, n := range w.holders() {
		for _, flag := range n.Flags {
			if word == "--"+flag.Name || flag.Short != 0 && word == "-"+string(flag.Short) {
				return flag
			}
		}
	}
	return nil
}

func (w *commandWords) flags() (found []candidate) {
	for _, n := range w.holders() {
		for _, flag := range n.Flags {
			if !flag.Hidden {
				found = append(found, candidate{"--" + flag.Name, firstSentence(flag.Help)})
			}
		}
	}
	return found
}

// arguments are the commands below, or the values of the argument at this place.
func (w *commandWords) arguments() ([]candidate, string) {
	var found []candidate
	for _, child := range w.node.Children {
		if child.Type == kong.CommandNode && !child.Hidden && w.position == 0 {
			found = append(found, candidate{child.Name, firstSentence(child.Help)})
		}
	}
	if len(found) > 0 {
		return found, shellNothing
	}
	positional := w.node.Positional
	if len(positional) == 0 {
		return nil, shellNothing
	}
	at := min(w.position, len(positional)-1)
	if w.position > at && !positional[at].IsCumulative() {
		return nil, shellNothing
	}
	return w.values(positional[at])
}

// firstSentence is a help text in the room that a shell has.
func firstSentence(help string) string {
	for _, end := range []string{". ", "; ", ": "} {
		help, _, _ = strings.Cut(help, end)
	}
	return oneLine(strings.TrimSuffix(help, "."))
}

// valueKinds are the kinds of values that a placeholder or an argument's name tells, where no tag "complete" does.
var valueKinds = map[string]string{
	"FILE": "file", "PATH": "file", "DIR": "folder", "FOLDER": "folder", "MODEL": "model", "RUN": "run",
	"model": "model", "in": "model", "run": "run", "a": "run", "b": "run", "file": "file", "recipe": "file", "out": "file", "path": "file",
}

// values are those that a flag or an argument can have.
func (w *commandWords) values(v *kong.Value) ([]candidate, string) {
	if v.Enum != "" {
		return words(slices.DeleteFunc(v.EnumSlice(), func(s string) bool { return s == "" })...), shellNothing
	}
	kind := v.Tag.Get("complete")
	if kind == "" && v.Flag != nil {
		kind = valueKinds[v.Flag.PlaceHolder]
	} else if kind == "" {
		kind = valueKinds[v.Name]
	}
	switch kind {
	case "file":
		return nil, shellFiles
	case "folder":
		return nil, shellFolders
	case "model":
		return append(storedModels(), words(hub.Aliases()...)...), shellFiles
	case "run":
		return storedRuns(), shellFolders
	case "tokenizer":
		return words(tokenizerLab, tokenizerBytes), shellFiles
	case "command":
		line := &commandWords{invocation: w.invocation, node: w.invocation.parser.Model.Node}
		found, _ := line.arguments()
		return found, shellNothing
	}
	if make := valueLists[kind]; make != nil {
		return words(make()...), shellNothing
	}
	return nil, shellNothing
}

// valueLists are the kinds of values that come from a list.
var valueLists = map[string]func() []string{
	"alias":            hub.Aliases,
	"stored-model":     func() []string { return wordsOf(storedModels()) },
	"benchmark":        eval.Benchmarks,
	"benchmark-or-all": func() []string { return append(slices.Sorted(maps.Keys(benchSources)), "all") },
	"task":             task.Names,
	"mix":              mixNames,
	"format":           formatNames,
	"format-or-mix":    func() []string { return append(formatNames(), model.Mixes()...) },
	"shape":            model.Shapes,
	"on-off":           func() []string { return []string{"on", "off"} },
	"code": func() []string {
		var codes []string
		for _, e := range explain.Entries() {
			codes = append(codes, e.Code)
		}
		return codes
	},
}

// formatNames are the formats that a model can be written in.
func formatNames() (names []string) {
	for f := tensor.F32; f < tensor.F64; f++ {
		if f.Encodes() {
			names = append(names, f.String())
		}
	}
	return names
}

func words(all ...string) (found []candidate) {
	for _, word := range all {
		found = append(found, candidate{word: word})
	}
	return found
}

func wordsOf(found []candidate) (all []string) {
	for _, c := range found {
		all = append(all, c.word)
	}
	return all
}

// storedModels are the models of the stores on this machine.
func storedModels() (found []candidate) {
	models, err := hub.List(hubOptions())
	if err != nil {
		return nil
	}
	for _, m := range models {
		found = append(found, candidate{m.Reference.String(), humanBytes(m.Bytes)})
	}
	return found
}

// storedRuns are the runs in the folder where they lie unless somebody says otherwise.
func storedRuns() (found []candidate) {
	list, err := runstore.List("runs")
	if err != nil {
		return nil
	}
	for _, s := range list {
		found = append(found, candidate{filepath.Base(s.Dir), strings.TrimSpace(s.Kind + " " + string(s.Status))})
	}
	return found
}
