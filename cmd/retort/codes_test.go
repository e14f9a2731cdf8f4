package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/settings"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/train"
)

// failure is a command line that cannot do what it is asked for, with {names} of the files that faultyFiles makes.
type failure struct {
	line, code string
	status     int
}

// failures go through every command. A code that no command line of a test can provoke is in TestCodesOfErrors.
var failures = []failure{
	{"sft --set stpes=3", "bad-recipe", exitUsage},
	{"sft --set steps=x", "bad-recipe", exitUsage},
	{"sft", "bad-recipe", exitUsage},
	{"sft {none}", "no-file", exitUsage},
	{"sft --set data.path={text} --set model.path={cut}", "bad-model", exitUsage},
	{"sft --set data.path={text} --set steps=1 --run {run}", "bad-input", exitFailed},
	{"sft --resume {none}", "no-file", exitFailed},
	{"sft --resume {run}", "other-build", exitFailed},
	{"sft --resume {damaged}", "run-damaged", exitFailed},
	{"grpo", "bad-recipe", exitUsage},
	{"grpo --resume {run}", "other-run", exitFailed},
	{"distill", "bad-recipe", exitUsage},
	{"distill --teacher {none}", "no-file", exitUsage},
	{"lab --quick --full", "usage", exitUsage},
	{"lab --quick --dir {run} --set nothing=1", "bad-recipe", exitUsage},
	{"lab --seeds 0", "bad-value", exitUsage},
	{"lab --task nothing", "bad-value", exitUsage},
	{"run --temperature -1 2+2?", "bad-value", exitUsage},
	{"run --model {none} 2+2?", "no-file", exitFailed},
	{"run --model nothing 2+2?", "unknown-model", exitUsage},
	{"run --model {cut} 2+2?", "bad-model", exitFailed},
	{"run --model {bare} 2+2?", "bad-tokenizer", exitFailed},
	{"run --model {bare} --tokenizer {text} 2+2?", "bad-tokenizer", exitFailed},
	{"run --model {bare} --tokenizer {none} 2+2?", "no-file", exitFailed},
	{"generate --model {none} x", "no-file", exitFailed},
	{"generate x", "missing-argument", exitUsage},
	{"generate --model {empty} x", "bad-model", exitFailed},
	{"generate --model {bare} --tokenizer lab {long}", "refused-request", exitFailed},
	{"serve {none}", "no-file", exitFailed},
	{"serve --slots 0", "bad-value", exitUsage},
	{"serve --listen nowhere", "bad-value", exitFailed},
	{"serve --chats {text} --listen 127.0.0.1:0", "bad-value", exitFailed},
	{"serve --listen 0.0.0.0:0", "key-needed", exitFailed},
	{"serve --listen {port}", "address-in-use", exitFailed},
	{"serve --key-file {blank}", "no-key", exitFailed},
	{"serve --key-file {none}", "no-file", exitFailed},
	{"serve --key-variable RETORT_NO_SUCH_KEY", "no-key", exitUsage},
	{"score {bare} --tokenizer lab x", "bad-input", exitFailed},
	{"score {none} x", "no-file", exitFailed},
	{"grade {none}", "no-file", exitFailed},
	{"grade {folder}", "not-a-file", exitFailed},
	{"grade {text}", "bad-input", exitFailed},
	{"grade --option nothing=1 {text}", "bad-value", exitUsage},
	{"grade", "missing-argument", exitUsage},
	{"eval", "missing-argument", exitUsage},
	{"eval run --task nothing", "bad-value", exitUsage},
	{"eval --bench math500 --data {none}", "no-file", exitFailed},
	{"eval --task countdown-3 --tokenizer lab --model {cut}", "bad-model", exitFailed},
	{"eval --task countdown-3 --limit 1 --samples 1 --endpoint {denied} --model m --run {new}", "endpoint", exitFailed},
	{"eval --task countdown-3 --limit 1 --samples 1 --run {run}", "run-exists", exitFailed},
	{"eval --replay {text}", "bad-input", exitFailed},
	{"eval report {none}", "no-file", exitFailed},
	{"eval compare {run} {run}", "other-run", exitFailed},
	{"eval report {damaged}", "run-damaged", exitFailed},
	{"eval --resume {run}", "other-run", exitFailed},
	{"eval regrade {none}", "no-file", exitFailed},
	{"bench {none}", "no-file", exitFailed},
	{"bench {cut}", "bad-model", exitFailed},
	{"bench {bare} --repeat -1", "bad-value", exitUsage},
	{"bench-data nothing", "bad-value", exitUsage},
	{"runs ls --root {text}", "not-a-file", exitFailed},
	{"runs show nothing", "no-run", exitFailed},
	{"runs show {damaged}", "run-damaged", exitFailed},
	{"runs compare {run} nothing", "no-run", exitFailed},
	{"runs export nothing", "no-run", exitFailed},
	{"runs export {run} -o {none}/x.csv", "no-file", exitFailed},
	{"runs export {run} -o {folder}", "not-a-file", exitFailed},
	{"runs export {run} --what samples --format html", "usage", exitUsage},
	{"tokenize --vocab {none} x", "no-file", exitFailed},
	{"tokenize --vocab {text} x", "bad-tokenizer", exitFailed},
	{"tokenize --vocab lab --decode x", "bad-value", exitUsage},
	{"template --file {none} {}", "no-file", exitFailed},
	{"template --file {template} []", "bad-input", exitUsage},
	{"template --file {template} --now x {}", "bad-value", exitUsage},
	{`template --file {template} {"messages":[{"role":"user","content":"x"}]}`, "bad-template", exitFailed},
	{"template --file {broken} {}", "bad-template", exitFailed},
	{"pull --offline hf:org/nothing", "not-here", exitFailed},
	{"pull nothing", "unknown-model", exitUsage},
	{"pull hf:a/b:!", "bad-value", exitUsage},
	{"models ls --blobs=x", "bad-value", exitUsage},
	{"models rm nothing", "unknown-model", exitUsage},
	{"models prune now", "extra-argument", exitUsage},
	{"show {none}", "no-file", exitFailed},
	{"show nothing", "unknown-model", exitUsage},
	{"show hf:org/nothing", "not-here", exitFailed},
	{"show {cut}", "bad-model", exitFailed},
	{"show {bare} --template", "no-template", exitFailed},
	{"inspect {none}", "no-file", exitFailed},
	{"inspect {cut}", "bad-model", exitFailed},
	{"pack {none}", "no-file", exitFailed},
	{"pack {cut}", "bad-model", exitFailed},
	{"pack", "missing-argument", exitUsage},
	{"convert {cut} {new}", "bad-model", exitFailed},
	{"convert {bare} {new} --type X9", "bad-value", exitUsage},
	{"quantize {bare} {new}.gguf --type X9", "bad-value", exitUsage},
	{"quantize {bare} {new}.gguf --type Q4_0 --imatrix {text}", "bad-input", exitFailed},
	{"perplexity {bare} {none}", "no-file", exitFailed},
	{"perplexity {cut} {text} --tokenizer lab", "bad-model", exitFailed},
	{"synth --shape nothing", "bad-value", exitUsage},
	{"synth --shape qwen3-0.6b --layers 1 {none}/x.gguf", "no-file", exitFailed},
	{"explain disk-ful", "unknown-code", exitUsage},
	{"config serf", "unknown-command", exitUsage},
	{"config --config {text} serve", "bad-config", exitUsage},
	{"completion csh", "bad-value", exitUsage},
	{"version now", "extra-argument", exitUsage},
	{"version --jsno", "unknown-flag", exitUsage},
	{"versoin", "unknown-command", exitUsage},
}

// faultyFiles makes what the failures name.
func faultyFiles(t *testing.T) *strings.Replacer {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	top := saveSmall(t, "model")
	bare := filepath.Join(top, "model")
	data, err := os.ReadFile(filepath.Join(bare, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, at("cut.safetensors"), string(data[:len(data)/2]))
	writeFile(t, at("config.json"), "{}")
	writeFile(t, at("text"), "no JSON, no YAML: [\n")
	writeFile(t, at("blank"), "\n")
	writeFile(t, at("x.jinja"), "{{ raise_exception('no') }}")
	writeFile(t, at("broken.jinja"), "{% for %}")
	makeRun(t, dir, "run", 8, `{"steps":1}`)
	makeRun(t, dir, "damaged", 8, `{"steps":1}`)
	writeFile(t, at("damaged/metrics.jsonl"), "no line\n{}\n")
	for _, folder := range []string{"folder", "empty"} {
		if err := os.Mkdir(at(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	denying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"message":"no such key"}}`, http.StatusUnauthorized)
	}))
	t.Cleanup(denying.Close)
	return strings.NewReplacer("{none}", at("none"), "{text}", at("text"), "{blank}", at("blank"), "{cut}", at("cut.safetensors"), "{bare}", bare,
		"{template}", at("x.jinja"), "{run}", at("run"), "{damaged}", at("damaged"), "{folder}", at("folder"), "{empty}", at("empty"),
		"{new}", at("new"), "{port}", listener.Addr().String(), "{denied}", denying.URL+"/v1", "{long}", strings.Repeat("12345", 1<<12), "{broken}", at("broken.jinja"))
}

// emptyStores keeps what lies in this machine's stores out of a test.
func emptyStores(t *testing.T) {
	t.Helper()
	t.Setenv("HF_HUB_CACHE", filepath.Join(t.TempDir(), "hub"))
	t.Setenv("OLLAMA_MODELS", filepath.Join(t.TempDir(), "ollama"))
	t.Setenv(cacheVariable, t.TempDir())
	t.Setenv("HF_TOKEN", "")
	t.Setenv("HF_ENDPOINT", "")
	t.Setenv("HF_HUB_OFFLINE", "")
}

// TestFailures walks the error paths of every command: each error has a code that says more than its status, on both streams.
func TestFailures(t *testing.T) {
	emptyStores(t)
	names := faultyFiles(t)
	for _, f := range failures {
		var arguments []string
		for _, word := range strings.Fields(f.line) {
			arguments = append(arguments, names.Replace(word))
		}
		status, out, stderr := retort(t, t.Context(), append(arguments, "--json")...)
		var event struct {
			Event, Error, Code string
			Status             int
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &event); err != nil {
			t.Errorf("%s: %v in %q", f.line, err, out)
		}
		if status != f.status || event.Code != f.code || event.Status != f.status || event.Event != "error" {
			t.Errorf("%s: status %d code %q, want %d %q: %s", f.line, status, event.Code, f.status, f.code, stderr)
		}
		want := "retort: " + event.Error + " [" + f.code + "]\n"
		if explain.IsGeneral(f.code) {
			want = "retort: " + event.Error + "\n"
		}
		if !strings.HasSuffix(stderr, want) {
			t.Errorf("%s: printed %q, want it to end with %q", f.line, stderr, want)
		}
	}
}

// leaves are the commands that run, each as it is typed.
func leaves(t *testing.T) map[string]*kong.Node {
	t.Helper()
	p, err := newInvocation(t.Context(), streams{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*kong.Node{}
	settings.Commands(p.parser.Model.Node, func(n *kong.Node) {
		if n.Type == kong.CommandNode && len(n.Children) == 0 {
			found[strings.TrimPrefix(n.FullPath(), "retort ")] = n
		}
	})
	return found
}

// TestEveryCommandFailsWithACode: a command without a line in failures is not tested.
func TestEveryCommandFailsWithACode(t *testing.T) {
	neverFail := []string{"doctor"} // its own tests provoke its faults
	for name := range leaves(t) {
		if !slices.Contains(neverFail, name) && !slices.ContainsFunc(failures, func(f failure) bool {
			return f.line == name || strings.HasPrefix(f.line, name+" ")
		}) {
			t.Errorf("no failure of %q is tested", name)
		}
	}
}

// TestWrongUsageOfEveryFlag gives every flag of every command a wrong name, and a wrong value where there can be one.
func TestWrongUsageOfEveryFlag(t *testing.T) {
	check := func(code string, arguments ...string) {
		t.Helper()
		status, out, stderr := retort(t, t.Context(), append(arguments, "--json")...)
		if status != exitUsage || !strings.Contains(out, fmt.Sprintf("%q:%q", "code", code)) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: status %d, %q, want %s", arguments, status, out, code)
		}
	}
	for name, node := range leaves(t) {
		command := strings.Fields(name)
		if status, out, _ := retort(t, t.Context(), append(command, "--help")...); status != exitDone || !strings.HasPrefix(out, "Usage: retort "+name) {
			t.Errorf("%s --help: status %d, %.60q", name, status, out)
		}
		check("unknown-flag", append(command, "--no-such-flag-anywhere")...)
		for _, flag := range node.Flags {
			switch kind := flag.Target.Kind().String(); {
			case flag.Enum != "" || strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint") || strings.HasPrefix(kind, "float"):
				check("bad-value", append(command, "--"+flag.Name+"=wrong")...)
			}
		}
	}
}

// TestCodesOfErrors: the codes of errors that a test cannot or should not provoke from outside.
func TestCodesOfErrors(t *testing.T) {
	wrap := func(err error) error { return advise(fmt.Errorf("above: %w", err), "something") }
	for _, c := range []struct {
		err    error
		code   string
		status int
	}{
		{errors.New("x"), "failed", exitFailed},
		{usage(errors.New("x"), ""), "usage", exitUsage},
		{errors.New("stopped"), "stopped", exitStopped},
		{&fs.PathError{Op: "write", Err: syscall.ENOSPC}, "disk-full", exitFailed},
		{explain.With("run-damaged", &fs.PathError{Op: "write", Err: syscall.EDQUOT}), "disk-full", exitFailed},
		{&fs.PathError{Op: "open", Err: syscall.EACCES}, "permission", exitFailed},
		{&fs.PathError{Op: "open", Err: syscall.ENOTDIR}, "not-a-file", exitFailed},
		{context.DeadlineExceeded, "timeout", exitFailed},
		{&net.DNSError{Name: "host"}, "connection", exitFailed},
		{&openai.Error{Status: 401}, "endpoint", exitFailed},
		{&runstore.LockedError{Dir: "runs/a", PID: 1}, "run-held", exitFailed},
		{&runstore.InexactError{}, "other-build", exitFailed},
		{runstore.ErrExists, "run-exists", exitFailed},
		{train.ErrDiverged, "diverged", exitFailed},
		{train.ErrOtherRun, "other-run", exitFailed},
		{distill.ErrOtherCollection, "other-run", exitFailed},
		{task.ErrFewer, "no-data", exitFailed},
		{sandbox.ErrUnavailable, "no-sandbox", exitFailed},
		{hub.ErrOffline, "offline", exitFailed},
		{explain.With("download", errors.New("404")), "download", exitFailed},
		{explain.With("download", &net.OpError{Err: syscall.ECONNRESET}), "connection", exitFailed},
		{explain.With("bad-recipe", fmt.Errorf("model.path: %w", explain.With("bad-model", errors.New("x")))), "bad-model", exitFailed},
	} {
		for _, err := range []error{c.err, wrap(c.err), errors.Join(c.err, errors.New("and close"))} {
			if got := codeOf(err, c.status); got != c.code {
				t.Errorf("%v: got %s, want %s", err, got, c.code)
			}
		}
		seenCodes[c.code] = true
	}
}

// seenCodes are those that a test has provoked by an error's type.
var seenCodes = map[string]bool{}

// TestEveryCodeIsReached: the table has no code that nothing can have, and every code that the sources give is in the table.
func TestEveryCodeIsReached(t *testing.T) {
	TestCodesOfErrors(t)
	elsewhere := map[string]string{
		"bad-variable": "TestSettingsAreChecked", "faults-found": "TestDoctorFindsFaults", "memory": "TestMemoryIsRefused", "nobody-to-ask": "TestModelsPrune",
		"no-embedded-model": "a build without one", "unsound": "a lab whose machinery fails",
	}
	given := codesInSource(t)
	for _, e := range explain.Entries() {
		reached := seenCodes[e.Code] || elsewhere[e.Code] != "" || slices.ContainsFunc(failures, func(f failure) bool { return f.code == e.Code })
		if !reached {
			t.Errorf("no test reaches %s", e.Code)
		}
		if !given[e.Code] && !explain.IsGeneral(e.Code) {
			t.Errorf("nothing has the code %s", e.Code)
		}
		delete(given, e.Code)
	}
	for code := range given {
		t.Errorf("%s is not in the table", code)
	}
}

func TestExplain(t *testing.T) {
	status, out, _ := retort(t, t.Context(), "explain", "[disk-full]")
	for _, part := range []string{"disk-full (exit status 1)", "Usual causes:\n- ", "What to do:\n- ", "    $ retort grpo", "no space left on device [disk-full]"} {
		if status != exitDone || !strings.Contains(out, part) {
			t.Errorf("status %d, no %q in\n%s", status, part, out)
		}
	}
	status, out, _ = retort(t, t.Context(), "explain")
	if lines := strings.Count(out, "\n"); status != exitDone || lines != len(explain.Entries())+1 {
		t.Errorf("status %d, %d lines for %d codes", status, lines, len(explain.Entries()))
	}
	for _, e := range explain.Entries() {
		if e.Meaning == "" || len(e.Causes) == 0 || len(e.Do) == 0 {
			t.Errorf("%s: a part is missing", e.Code)
		}
		command, printed, ok := strings.Cut(e.Example, "\n")
		if !ok || !strings.Contains(command, "retort ") || !strings.HasPrefix(printed, "retort: ") {
			t.Errorf("%s: the example is no command line and what it prints: %q", e.Code, e.Example)
		}
		if marked := strings.HasSuffix(printed, "["+e.Code+"]"); marked == explain.IsGeneral(e.Code) {
			t.Errorf("%s: the example's line is not as it is printed: %q", e.Code, printed)
		}
	}
}
