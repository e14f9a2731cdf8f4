// Command retort is the command line: one file per command; flags, assembly and printing only.
//
// A flag that is not given is looked for in the environment (RETORT_ and its name),
// then in the file of settings. Every error has a code, which retort explain explains.
//
// It computes nothing: every command assembles the packages below, calls one of
// them and prints what comes back. Results go to standard output, progress and
// errors to standard error; with --json, standard output holds one JSON object
// per line and nothing else.
//
// The exit status is 0 (done), 1 (failed), 2 (wrong usage) or 130 (stopped by
// Ctrl-C or SIGTERM, after a checkpoint where there is something to keep).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/settings"
	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/model"
)

// The exit statuses.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 130
)

// commandLine is the tree of commands; kong reads it.
type commandLine struct {
	JSON         bool   `name:"json" help:"Print one JSON object per line on standard output, for programs."`
	SettingsFile string `name:"config" placeholder:"FILE" help:"The file of settings; default: retort/config.yaml in the user's folder of configuration. retort config shows what is in force."`

	SFT        sftCommand        `cmd:"" name:"sft" help:"Train on texts."`
	Distill    distillCommand    `cmd:"" help:"Teach a student what a teacher knows."`
	GRPO       grpoCommand       `cmd:"" name:"grpo" help:"Reinforce a model on a task."`
	Lab        labCommand        `cmd:"" help:"Train, reinforce and distil a model from nothing, and judge the claims."`
	Run        runCommand        `cmd:"" help:"Ask a model a question, and watch it think."`
	Generate   generateCommand   `cmd:"" help:"Continue texts with a model."`
	Serve      serveCommand      `cmd:"" help:"Answer clients of OpenAI, Anthropic and Ollama over HTTP."`
	Score      scoreCommand      `cmd:"" help:"Say how likely a model finds a text."`
	Grade      gradeCommand      `cmd:"" help:"Judge answers against gold answers, and say by which rule."`
	Eval       evalCommand       `cmd:"" help:"Evaluate a model on a benchmark, with error bars beside the published figures."`
	Bench      benchCommand      `cmd:"" help:"Measure a model on this machine, beside what the machine can do at most."`
	BenchData  benchDataCommand  `cmd:"" name:"bench-data" help:"Download the problems of benchmarks from their public homes."`
	Runs       runsCommand       `cmd:"" help:"Look at what was run: ls, show, compare, export."`
	Tokenize   tokenizeCommand   `cmd:"" help:"Turn text into token ids, or back."`
	Template   templateCommand   `cmd:"" help:"Render conversations by a chat template."`
	Pull       pullCommand       `cmd:"" help:"Download a model."`
	Models     modelsCommand     `cmd:"" help:"Look after the models on this machine: ls, rm, prune."`
	Pack       packCommand       `cmd:"" help:"Keep a copy of a model's weights on disk as products read them, for fast starts."`
	Show       showCommand       `cmd:"" help:"Say what a model is, and what running it takes."`
	Inspect    inspectCommand    `cmd:"" help:"Show what a model file holds."`
	Convert    convertCommand    `cmd:"" help:"Write a model in another container or format."`
	Quantize   quantizeCommand   `cmd:"" help:"Write a model as a quantised GGUF file, as llama.cpp does."`
	Perplexity perplexityCommand `cmd:"" help:"Measure how well a model predicts a text, and how far it is from another."`
	Synth      synthCommand      `cmd:"" help:"Write a model of a published shape with random weights."`
	Doctor     doctorCommand     `cmd:"" help:"Look at this machine and this installation, and say what is wrong and what to do."`
	Explain    explainCommand    `cmd:"" help:"Say what the code of an error means, and what to do."`
	Config     configCommand     `cmd:"" help:"Show the settings in force, and where each comes from."`
	Completion completionCommand `cmd:"" help:"Print the script that lets a shell complete command lines."`
	Version    versionCommand    `cmd:"" help:"Say which version this is, and what it runs on."`
}

// streams are the program's three standard files.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	if sandbox.IsInit() {
		os.Exit(sandbox.Init())
	}
	ctx, stop := interruptible(context.Background(), os.Stderr, stopNotice(os.Args[1:]))
	status := runIn(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, here())
	stop()
	os.Exit(status)
}

// surroundings are what a command line takes from outside itself. The zero value is empty, so that tests depend on nothing.
type surroundings struct {
	lookup   func(name string) (string, bool) // of the environment; nil: no variable is set
	environ  func() []string                  // NAME=VALUE of every variable; nil: no variable is set
	settings string                           // the file of settings where none is named; "": none
}

// here are the surroundings of this process.
func here() surroundings {
	around := surroundings{lookup: os.LookupEnv, environ: os.Environ}
	if folder, err := os.UserConfigDir(); err == nil {
		around.settings = filepath.Join(folder, "retort", "config.yaml")
	}
	return around
}

// run executes one command line in empty surroundings and returns the exit status.
func run(ctx context.Context, arguments []string, std streams) int {
	return runIn(ctx, arguments, std, surroundings{})
}

// runIn executes one command line and returns the exit status. A result that could not be written is a failure, whatever the command says of itself.
func runIn(ctx context.Context, arguments []string, std streams, around surroundings) int {
	results := &resultWriter{to: std.out}
	std.out = results
	status := execute(ctx, arguments, std, results, around)
	if results.failed != nil && status != exitFailed && status != exitStopped {
		return finish(ctx, newOutput(std, false), fmt.Errorf("standard output: %w", results.failed))
	}
	return status
}

// execute is runIn without that; results is std.out.
func execute(ctx context.Context, arguments []string, std streams, results *resultWriter, around surroundings) int {
	p, err := newInvocation(ctx, std)
	if err != nil {
		return finish(ctx, newOutput(std, false), err)
	}
	if len(arguments) > 0 && arguments[0] == completeCommand {
		return p.complete(arguments[1:], std.out)
	}
	if len(arguments) == 1 && arguments[0] == selfTestCommand {
		return printSelfTest(std)
	}
	if len(arguments) == 0 {
		arguments = []string{"--help"}
	}
	arguments = spellOut(arguments)
	p.around, p.settings.Lookup = around, around.lookup
	fault := p.readSettings(arguments, around)
	parsed, err := p.parser.Parse(arguments)
	out := newOutput(std, p.commands.JSON || flagGiven(arguments, "--json"))
	switch {
	case results.failed != nil: // the help, which kong takes for wrong usage
		return exitDone
	case p.printed >= 0:
		return p.printed
	case fault == nil:
		fault = p.settings.Fault()
	}
	switch {
	case fault != nil && !isTolerant(parsed):
		return finish(ctx, out, usage(fault, ""))
	case err != nil:
		return finish(ctx, out, usage(err, helpFor(err)))
	}
	p.settingsFault = fault
	return finish(ctx, out, parsed.Run(out, p))
}

// spellOut writes --n as --samples, of which -n is the short form: kong knows no long name of one letter beside a short one.
func spellOut(arguments []string) []string {
	list := slices.Clone(arguments)
	for i, a := range list {
		switch value, isSet := strings.CutPrefix(a, "--n="); {
		case a == "--":
			return list
		case a == "--n":
			list[i] = "--samples"
		case isSet:
			list[i] = "--samples=" + value
		}
	}
	return list
}

// invocation is the tree of commands with what fills it.
type invocation struct {
	commands      *commandLine
	parser        *kong.Kong
	settings      *settings.Settings
	around        surroundings
	settingsFault error // for commands that go on in spite of it
	printed       int   // the status that kong asked to exit with after --help, else -1
}

func newInvocation(ctx context.Context, std streams) (*invocation, error) {
	p := &invocation{commands: &commandLine{}, settings: &settings.Settings{}, printed: -1}
	var err error
	p.parser, err = kong.New(p.commands,
		kong.Name("retort"),
		kong.Description("Runs, distils, reinforces and evaluates R1-style reasoning models on a laptop."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(status int) { p.printed = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{
			"shapes": strings.Join(model.Shapes(), ", "), "mixes": strings.Join(model.Mixes(), ", "),
			"aliases": strings.Join(hub.Aliases()[len(hub.Aliases())/2:], ", "), "benchmarks": strings.Join(eval.Benchmarks(), ", "),
		},
		kong.Resolvers(p.settings),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	return p, err
}

// helpFor is the command that explains what was mistyped.
func helpFor(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			return node.FullPath() + " --help"
		}
	}
	return "retort --help"
}

// finish prints what went wrong, if anything did, and chooses the exit status.
func finish(ctx context.Context, out *output, err error) int {
	if err == nil {
		return exitDone
	}
	status := exitFailed
	var wrong *usageError
	switch {
	case errors.As(err, &wrong):
		status = exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		status = exitStopped
		err = errors.New("stopped")
	}
	out.fail(err, status)
	return status
}

// usageError is an error of the one who typed the command.
type usageError struct {
	err error
	try string
}

func (e *usageError) Error() string {
	if e.try == "" {
		return e.err.Error()
	}
	return fmt.Sprintf("%s; try: %s", e.err, e.try)
}

func (e *usageError) Unwrap() error { return e.err }

// usage marks an error as wrong usage, with what to try instead (or "").
func usage(err error, try string) error {
	if err == nil {
		return nil
	}
	return &usageError{err, try}
}

// advise adds to an error what to try next.
func advise(err error, try string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; try: %s", err, try)
}
