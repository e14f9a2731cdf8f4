package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/doctor"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/cmd/retort/internal/settings"
	"github.com/retort-ml/retort/internal/sandbox"
)

// selfTestCommand is the only argument of the processes in which doctor tests the kernels.
const selfTestCommand = "__selftest"

// doctorCommand looks at the machine and the installation.
type doctorCommand struct {
	Deep bool   `name:"deep" help:"Read every byte of models and checkpoints, and compare the hashes."`
	Root string `name:"root" default:"runs" placeholder:"DIR" help:"The folder of the runs."`
}

// doctorSummary is the last event.
type doctorSummary struct {
	Checks   int `json:"checks"`
	Notes    int `json:"notes"`
	Warnings int `json:"warnings"`
	Faults   int `json:"faults"`
}

// Run makes the checks and prints them as they are made. A fault fails.
func (c *doctorCommand) Run(ctx context.Context, out *output, p *invocation) error {
	return c.look(ctx, out, c.place(p))
}

func (c *doctorCommand) look(ctx context.Context, out *output, place *doctor.Place) error {
	width := 0
	for _, name := range doctor.Names() {
		width = max(width, len(name))
	}
	var failed []string
	var broken error
	count, err := doctor.Look(ctx, place, func(f doctor.Finding) {
		if err := out.event("check", f); err != nil && broken == nil {
			broken = err
		}
		line := fmt.Sprintf("%-*s  %-7s  %s", width, f.Check, f.Status, oneLine(f.Found))
		if f.Do != "" {
			line += "; try: " + oneLine(f.Do)
		}
		out.result("%s", line)
		if f.Status == doctor.Fault && !slices.Contains(failed, f.Check) {
			failed = append(failed, f.Check)
		}
	})
	if err != nil || broken != nil {
		return firstError(err, broken)
	}
	s := doctorSummary{len(doctor.Names()), count[doctor.Note], count[doctor.Warning], count[doctor.Fault]}
	out.result("%s, %s, %s", counted(s.Checks, "check"), counted(s.Warnings, "warning"), counted(s.Faults, "fault"))
	if err := out.event("summary", s); err != nil {
		return err
	}
	if s.Faults > 0 {
		return explain.Errorf("faults-found", "%s: %s", counted(s.Faults, "fault"), strings.Join(failed, ", "))
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// place is this machine and this installation.
func (c *doctorCommand) place(p *invocation) *doctor.Place {
	serve := commandNode(p.parser.Model.Node, "serve")
	setting := func(name string) string { return p.settings.Find(flagOf(serve, name)).Text }
	place := &doctor.Place{
		Lookup: p.settings.Lookup, Known: p.knownVariable, Built: built(), Threads: runtime.GOMAXPROCS(0), Files: fileLimit(),
		Hub: hubOptions(), Runs: c.Root, Settings: p.settings.Path, Fault: p.settingsFault, Listen: setting("listen"),
		Packed: packedFolder(), Program: selfTest, Sandbox: usableSandbox, Deep: c.Deep, Folders: map[string]string{},
	}
	if p.around.environ != nil {
		for _, entry := range p.around.environ() {
			name, _, _ := strings.Cut(entry, "=")
			place.Names = append(place.Names, name)
		}
	}
	if path := setting("key-file"); path != "" {
		place.KeyFiles = append(place.KeyFiles, path)
	}
	if place.Hub.CacheDir != "" { // where Hugging Face's tools keep the token
		place.KeyFiles = append(place.KeyFiles, filepath.Join(filepath.Dir(place.Hub.CacheDir), "token"))
	}
	if folder, err := os.UserConfigDir(); err == nil {
		place.Folders["settings"] = filepath.Join(folder, "retort")
		place.Folders["conversations"] = filepath.Join(folder, "retort", "chats")
	}
	if path := setting("chats"); path != "" {
		place.Folders["conversations"] = path
	}
	return place
}

func commandNode(root *kong.Node, name string) *kong.Node {
	for _, child := range root.Children {
		if child.Name == name {
			return child
		}
	}
	return root
}

func flagOf(node *kong.Node, name string) *kong.Flag {
	return node.Flags[slices.IndexFunc(node.Flags, func(f *kong.Flag) bool { return f.Name == name })]
}

// fileLimit is where doctor learns how many files may be open; nil on a system without such a limit.
func fileLimit() func() (uint64, bool) {
	if runtime.GOOS == "windows" {
		return nil
	}
	return doctor.FileLimit
}

// knownVariable says whether something reads a variable that begins with RETORT_, and if not, which one is near.
func (p *invocation) knownVariable(name string) (near string, isKnown bool) {
	known := []string{configVariable, cacheVariable, "RETORT_DATA"} // the last is of the tests
	settings.Commands(p.parser.Model.Node, func(n *kong.Node) {
		for _, flag := range n.Flags {
			if settings.IsSettable(flag) {
				known = append(known, settings.VariableOf(flag))
			}
		}
	})
	if slices.Contains(known, name) {
		return "", true
	}
	return recipe.Nearest(name, known), false
}

// built is when the program was made, as its sources or its file say; zero if nothing does.
func built() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	if path, err := os.Executable(); err == nil {
		if info, err := os.Stat(path); err == nil {
			return info.ModTime()
		}
	}
	return time.Time{}
}

// selfTest runs this program's self-test on an instruction set, in a process of its own.
func selfTest(ctx context.Context, level string) (doctor.SelfTest, error) {
	var t doctor.SelfTest
	path, err := os.Executable()
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path, selfTestCommand)
	c.Env = append(os.Environ(), "GODEBUG="+doctor.Levels()[level])
	text, err := c.Output()
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(text, &t)
}

// printSelfTest is the process that selfTest starts.
func printSelfTest(std streams) int {
	text, err := json.Marshal(doctor.Test())
	if err != nil {
		return exitFailed
	}
	if _, err := std.out.Write(append(text, '\n')); err != nil {
		return exitFailed
	}
	return exitDone
}

// usableSandbox says whether programs can be judged here, and if not, why.
func usableSandbox(ctx context.Context) (bool, string) {
	report := sandbox.New(sandbox.Options{}).Check(ctx)
	return report.Usable, report.Reason
}
