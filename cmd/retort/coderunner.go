package main

import (
	"context"

	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/verify"
)

// codeRunner runs the programs of answers in a sandbox, or not at all. It implements verify.Runner.
type codeRunner struct{ box *sandbox.Sandbox }

func newCodeRunner() codeRunner { return codeRunner{sandbox.New(sandbox.Options{})} }

// Run runs one program.
func (r codeRunner) Run(ctx context.Context, job verify.CodeJob) (verify.CodeResult, error) {
	result, err := r.box.Run(ctx, sandbox.Program{
		Files: job.Files, Main: job.Main, Stdin: []byte(job.Stdin), Serve: job.Serve, Limits: sandbox.Limits{CPU: job.Time, Memory: job.Memory},
	})
	if err != nil {
		return verify.CodeResult{}, err
	}
	if result.Ending == sandbox.Cancelled {
		return verify.CodeResult{}, context.Cause(ctx)
	}
	ending := map[sandbox.Ending]verify.CodeEnding{
		sandbox.Exited: verify.CodeExited, sandbox.Killed: verify.CodeKilled, sandbox.TimedOut: verify.CodeTimedOut, sandbox.TooMuch: verify.CodeTooMuch,
	}[result.Ending]
	return verify.CodeResult{Ending: ending, Status: result.Status, Stdout: result.Stdout, Stderr: result.Stderr}, nil
}
