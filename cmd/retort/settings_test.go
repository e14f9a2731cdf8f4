package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/settings"
)

// retortIn runs one command line among variables and with a file of settings (its text; "" for none).
func retortIn(t *testing.T, variables map[string]string, file string, arguments ...string) (status int, stdout, stderr string) {
	t.Helper()
	around := surroundings{lookup: func(name string) (string, bool) { text, ok := variables[name]; return text, ok }}
	if file != "" {
		around.settings = filepath.Join(t.TempDir(), "config.yaml")
		writeFile(t, around.settings, file)
	}
	var out, err bytes.Buffer
	status = runIn(t.Context(), arguments, streams{strings.NewReader(""), &out, &err}, around)
	return status, out.String(), strings.ReplaceAll(err.String(), filepath.Dir(around.settings)+string(filepath.Separator), "")
}

// TestPrecedence: a flag, then a variable, then the command's section, then the section for all, then the default. The value that a
// command works with is seen by what it refuses.
func TestPrecedence(t *testing.T) {
	const file = "all: {slots: -3}\nserve: {slots: -2}\n"
	variables := map[string]string{"RETORT_SLOTS": "-1"}
	for _, c := range []struct {
		variables map[string]string
		file      string
		arguments []string
		want      string
	}{
		{variables, file, []string{"--slots", "0"}, "got 0"},
		{variables, file, nil, "got -1"},
		{nil, file, nil, "got -2"},
		{nil, "all: {slots: -3}", nil, "got -3"},
		{map[string]string{"RETORT_SLOTS": "0"}, "", []string{"--queue=7"}, "got 0"},
		{nil, "serve:\n  queue: 0", nil, "--queue: got 0"},
	} {
		status, _, stderr := retortIn(t, c.variables, c.file, append([]string{"serve", "--no-page"}, c.arguments...)...)
		if status != exitUsage || !strings.Contains(stderr, c.want+", want at least 1") {
			t.Errorf("%v %q %v: status %d, %q, want %s", c.variables, c.file, c.arguments, status, stderr, c.want)
		}
	}
}

// TestSettingsOfEveryKind: a switch, a list, a duration, a pointer, a flag that stands alone or with a value, one of a default command,
// a required one.
func TestSettingsOfEveryKind(t *testing.T) {
	const file = `
all: {json: true}
serve: {allow_host: [a.example, b.example], idle: 90s, strict: yes, cache: 0.5}
eval:
  temperature: 0.25
  stop-when-decided: true
  report: {resamples: 100}
runs: {root: elsewhere, show: {samples: 3}}
quantize: {type: Q8_0}
`
	p, err := newInvocation(t.Context(), streams{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.settings.Read(p.parser.Model, "config.yaml", []byte(file)); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range []string{"serve", "eval --task countdown-3", "eval report x", "runs show x", "quantize a b.gguf"} {
		if _, err := p.parser.Parse(strings.Fields(arguments)); err != nil {
			t.Errorf("%s: %v", arguments, err)
		}
		if fault := p.settings.Fault(); fault != nil {
			t.Errorf("%s: %v", arguments, fault)
		}
		c := p.commands
		if !c.JSON {
			t.Errorf("%s: all.json is not heard", arguments)
		}
		var got, want any
		switch arguments {
		case "serve":
			got = []any{c.Serve.AllowHosts, c.Serve.Idle.Seconds(), c.Serve.Strict, c.Serve.Cache}
			want = []any{[]string{"a.example", "b.example"}, 90.0, true, 0.5}
		case "eval --task countdown-3":
			got, want = []any{*c.Eval.Run.Temperature, c.Eval.Run.Decided.isOn}, []any{float32(0.25), true}
		case "eval report x":
			got, want = c.Eval.Report.Resamples, 100
		case "runs show x":
			got, want = []any{c.Runs.Root, c.Runs.Show.Sample}, []any{"elsewhere", 3}
		default:
			got, want = c.Quantize.Type, "Q8_0"
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", arguments, got, want)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for file, want := range map[string]string{
		"serve: {slot: 4}":                 `config.yaml:1: unknown key "serve.slot"; did you mean "serve.slots"? [bad-config]`,
		"serv: {slots: 4}":                 `config.yaml:1: unknown key "serv"; did you mean "serve"? [bad-config]`,
		"serve:\n  slots: many":            `config.yaml:2: serve.slots: expected a valid 64 bit int but got "many" [bad-config]`,
		"all: {nothing-like-it: 1}":        `config.yaml:1: unknown key "all.nothing-like-it"; there are: `,
		"run: {kv: f64}":                   `config.yaml:1: run.kv: got "f64", want one of f32,bf16,f16,q8_0 [bad-config]`,
		"serve: {slots: 1, slots: 2}":      `config.yaml:1: `,
		"serve: 1":                         `config.yaml:1: serve: want keys and values [bad-config]`,
		"serve: {slots: {a: 1}}":           `config.yaml:1: serve.slots: want a value or a list of values [bad-config]`,
		"eval: {report: {temperature: 1}}": `config.yaml:1: unknown key "eval.report.temperature"`,
		"serve: {help: true}":              `unknown key "serve.help"`,
		"- a":                              `want keys and values`,
		"a: [":                             `config.yaml:`,
	} {
		// whichever command runs: a file with a fault is not half believed
		status, _, stderr := retortIn(t, nil, file, "tokenize", "--vocab", "lab", "1")
		if status != exitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, %q, want %q", file, status, stderr, want)
		}
		for _, command := range tolerantCommands {
			if command == "doctor" {
				continue // it says more about the file; see its tests
			}
			arguments := []string{command}
			if command == "completion" {
				arguments = append(arguments, "bash")
			}
			if status, _, stderr := retortIn(t, nil, file, arguments...); status != exitDone {
				t.Errorf("%q: %s fails: %s", file, command, stderr)
			}
		}
	}
	for variable, want := range map[string]string{
		"RETORT_SLOTS=many": `RETORT_SLOTS: expected a valid 64 bit int but got "many" [bad-variable]`,
		"RETORT_KV=f64":     `RETORT_KV: got "f64", want one of f32,bf16,f16,q8_0 [bad-variable]`,
		"RETORT_IDLE=soon":  `RETORT_IDLE: expected duration but got "soon"`,
		"RETORT_CONFIG=no":  `settings: open no: `,
	} {
		name, text, _ := strings.Cut(variable, "=")
		status, out, stderr := retortIn(t, map[string]string{name: text}, "", "serve", "--json")
		if status != exitUsage || !strings.Contains(stderr, want) || !strings.Contains(out, `"status":2`) {
			t.Errorf("%s: status %d, %q %q, want %q", variable, status, stderr, out, want)
		}
	}
	if status, _, stderr := retortIn(t, map[string]string{"RETORT_CONFIG": ""}, "a: [", "tokenize", "--vocab", "lab", "1"); status != exitDone {
		t.Errorf("an empty RETORT_CONFIG is no file: %s", stderr)
	}
	if status, _, stderr := retortIn(t, nil, "a: [", "--config=", "tokenize", "--vocab", "lab", "1"); status != exitDone {
		t.Errorf("an empty --config is no file: %s", stderr)
	}
}

func TestConfigShowsWhereValuesComeFrom(t *testing.T) {
	const file = "all: {threads: 2}\nserve:\n  slots: 4\n  key-variable: NAME\nsft:\n  set: [teacher.password=geheim, steps=3]\neval: {endpoint: 'https://me:geheim@host/v1'}\n"
	variables := map[string]string{"RETORT_QUEUE": "9"}
	status, out, stderr := retortIn(t, variables, file, "config", "serve")
	if status != exitDone || stderr != "" {
		t.Fatal(stderr)
	}
	for _, want := range []string{
		"COMMAND  FLAG            VALUE           FROM\n", "all      --json          -               default\n", "serve    --queue         9               RETORT_QUEUE\n",
		"serve    --listen        127.0.0.1:8080  default\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	status, out, _ = retortIn(t, variables, file, "config", "--json")
	if status != exitDone || strings.Contains(out, "geheim") || !strings.Contains(out, "teacher.password=(hidden),steps=3") || !strings.Contains(out, "https://hidden@host/v1") {
		t.Errorf("status %d: %s", status, out)
	}
	got := map[string]settingEvent{}
	for line := range strings.Lines(out) {
		var e settingEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got[e.Command+" "+e.Flag] = e
	}
	for name, want := range map[string]string{
		"serve slots": "4 file config.yaml:3 RETORT_SLOTS", "serve threads": "2 file config.yaml:1 RETORT_THREADS", "serve queue": "9 variable RETORT_QUEUE RETORT_QUEUE",
		"serve key-variable": "NAME file config.yaml:4 RETORT_KEY_VARIABLE",
	} {
		e := got[name]
		if line := fmt.Sprint(e.Value, " ", e.Source, " ", filepath.Base(e.From), " ", e.Variable); line != want {
			t.Errorf("%s: got %s, want %s", name, line, want)
		}
	}
	if _, ok := got["serve listen"]; ok {
		t.Error("a default is listed among what is set")
	}
	if _, out, _ := retortIn(t, nil, "", "config"); !strings.Contains(out, "every flag has its default") {
		t.Errorf("got %q", out)
	}
}

// TestVariablesAreOneForEachFlag: no variable of a flag is one that something else reads.
func TestVariablesAreOneForEachFlag(t *testing.T) {
	p, err := newInvocation(t.Context(), streams{})
	if err != nil {
		t.Fatal(err)
	}
	settings.Commands(p.parser.Model.Node, func(n *kong.Node) {
		for _, flag := range n.Flags {
			switch name := settings.VariableOf(flag); name {
			case configVariable, cacheVariable, "RETORT_DATA", "RETORT_BENCH_MODEL":
				if settings.IsSettable(flag) {
					t.Errorf("%s --%s is set by %s, which is read by something else", n.FullPath(), flag.Name, name)
				}
			}
			if len(flag.Tag.Envs) > 0 {
				t.Errorf("%s --%s has a variable besides the one of its name", n.FullPath(), flag.Name)
			}
		}
	})
	if os.Getenv("RETORT_CONFIG") == "" && here().settings == "" && os.Getenv("HOME") != "" {
		t.Error("there is no file of settings by default")
	}
}
