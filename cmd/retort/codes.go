package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/train"
	"github.com/retort-ml/retort/weights"
)

// errorKind is how an error that is known by its type or its value gets a code.
type errorKind struct {
	code string
	has  func(error) bool
}

// errorKinds are looked at in this order: what the system says is nearer to the cause than what the package above made of it.
var errorKinds = []errorKind{
	{"disk-full", is(syscall.ENOSPC)},
	{"disk-full", is(syscall.EDQUOT)},
	{"address-in-use", is(syscall.EADDRINUSE)},
	{"not-here", as[*hub.NotHereError]},
	{"unknown-model", as[*hub.UnknownError]},
	{"run-held", as[*runstore.LockedError]},
	{"run-exists", is(runstore.ErrExists)},
	{"other-build", as[*runstore.InexactError]},
	{"other-run", is(train.ErrOtherRun)},
	{"other-run", is(distill.ErrOtherCollection)},
	{"diverged", is(train.ErrDiverged)},
	{"no-data", is(task.ErrFewer)},
	{"no-sandbox", is(sandbox.ErrUnavailable)},
	{"offline", is(hub.ErrOffline)},
	{"refused-request", as[*engine.RequestError]},
	{"endpoint", as[*openai.Error]},
	{"permission", is(fs.ErrPermission)},
	{"timeout", is(context.DeadlineExceeded)},
	{"bad-value", as[*net.AddrError]},
	{"connection", isConnection},
	{"no-file", is(fs.ErrNotExist)},
	{"not-a-file", is(syscall.EISDIR)},
	{"not-a-file", is(syscall.ENOTDIR)},
	{"not-a-file", is(syscall.EEXIST)},
}

// parseKinds are how kong's messages about a command line begin; it has no types for them.
var parseKinds = []struct{ code, begins string }{
	{"unknown-flag", "unknown flag"},
	{"missing-argument", "missing flags"},
	{"missing-argument", "missing positional arguments"},
	{"missing-argument", "expected one of"},
	{"missing-argument", `expected "`},
	{"missing-argument", "expected <"},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// isConnection says whether a connection could not be made or broke.
func isConnection(err error) bool {
	var operation *net.OpError
	var resolving *net.DNSError
	var request *url.Error
	return errors.As(err, &operation) || errors.As(err, &resolving) || errors.As(err, &request)
}

// codeOf is the code of an error that ends the program with a status: by its type, else as it was given, else the general one.
func codeOf(err error, status int) string {
	if status == exitStopped {
		return explain.Stopped
	}
	for _, k := range errorKinds {
		if k.has(err) {
			return k.code
		}
	}
	if code := explain.Code(err); code != "" {
		return code
	}
	if parse := (*kong.ParseError)(nil); errors.As(err, &parse) {
		return parseCode(parse)
	}
	if status == exitUsage {
		return explain.Usage
	}
	return explain.Failed
}

// parseCode is the code of a command line that cannot be read.
func parseCode(err *kong.ParseError) string {
	message := err.Error()
	if strings.HasPrefix(message, "unexpected argument") {
		if node := err.Context.Selected(); node == nil || len(node.Children) > 0 {
			return "unknown-command"
		}
		return "extra-argument"
	}
	for _, k := range parseKinds {
		if strings.HasPrefix(message, k.begins) {
			return k.code
		}
	}
	return "bad-value"
}

// The marks of errors whose packages have no types for them.

// modelFault marks an error about a model's files.
func modelFault(err error) error { return explain.With("bad-model", err) }

// tokenizerFault marks an error about a tokenizer.
func tokenizerFault(err error) error { return explain.With("bad-tokenizer", err) }

// templateFault marks an error about a chat template.
func templateFault(err error) error { return explain.With("bad-template", err) }

// inputFault marks an error about what was read.
func inputFault(err error) error { return explain.With("bad-input", err) }

// valueFault marks an error about the value of a flag or an argument.
func valueFault(err error) error { return explain.With("bad-value", err) }

// recipeFault marks an error about a recipe.
func recipeFault(err error) error { return explain.With("bad-recipe", err) }

// runFault marks an error about a run's record.
func runFault(err error) error { return explain.With("run-damaged", err) }

// evalFault marks an error about a record that should be one of an evaluation.
func evalFault(dir string, err error) error {
	if r, readErr := runstore.Read(dir); err != nil && readErr == nil && r.Manifest.Kind != eval.RunKind {
		return explain.With("other-run", err)
	}
	return runFault(err)
}

// openFiles is model.OpenFiles with its errors marked.
func openFiles(path string) (*model.Files, error) {
	files, err := model.OpenFiles(path)
	return files, modelFault(err)
}

// openModel is model.Open with its errors marked.
func openModel(path string) (*model.Model, error) {
	m, err := model.Open(path)
	return m, modelFault(err)
}

// openWeights is weights.Open with its errors marked.
func openWeights(path string) (*weights.File, error) {
	file, err := weights.Open(path)
	return file, modelFault(err)
}
