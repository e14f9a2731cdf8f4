package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/verify"
)

// codeFlags are the flags of grade for answers that are programs.
type codeFlags struct {
	CheckSandbox bool          `name:"check-sandbox" help:"Say what isolation programs have on this machine."`
	Python       string        `name:"python" placeholder:"PATH" help:"The interpreter of programs (default: python3)."`
	Time         time.Duration `name:"code-time" placeholder:"DURATION" help:"Processor time of a test (default: 6s for output and values, 3s for all asserts together)."`
	Memory       int64         `name:"code-memory" placeholder:"BYTES" help:"Address space of a program (default: 1 GiB)."`
}

// codeLine is a line of the file whose answer is a program: the fields of verify.CodeProblem, limits, and the completion.
//
//	{"kind":"code", "completion":"...", "tests":[{"input":"3\n","output":"9\n"}]}
//	{"kind":"code", "completion":"...", "entry_point":"f", "tests":[{"args":[3],"expected":9}]}
//	{"kind":"code", "completion":"...", "tests":[{"assert":"assert f(3) == 9"}], "setup":"import math"}
//	{"kind":"code", "completion":"...", "entry_point":"f", "prompt":"def f(x):\n", "check":"def check(candidate):\n    ..."}
type codeLine struct {
	verify.CodeProblem

	Time   float64 `json:"time_seconds"` // of one test; 0 is the flag's
	Memory int64   `json:"memory_bytes"` // 0 is the flag's
}

// codeGrader judges programs.
type codeGrader struct {
	runner  verify.Runner
	options verify.CodeOptions
}

func (f *codeFlags) grader() codeGrader {
	return codeGrader{newPythonRunner(f.Python), verify.CodeOptions{Time: f.Time, Memory: f.Memory}}
}

func (g codeGrader) judge(ctx context.Context, text []byte, answer string) (verify.Verdict, error) {
	var line codeLine
	if err := json.Unmarshal(text, &line); err != nil {
		return verify.Verdict{}, err
	}
	for _, t := range line.Tests {
		// The place of a misspelt field is the tests: those of the line are many, and of other tools.
		if t.Output == nil && t.Expected == nil && t.Assert == "" {
			return verify.Verdict{}, errors.New("tests: want each with input and output, args and expected, or assert")
		}
	}
	if line.Time < 0 || line.Time > 3600 || line.Memory < 0 {
		return verify.Verdict{}, fmt.Errorf("time_seconds %v, memory_bytes %d: want 0 to 3600, and 0 or more", line.Time, line.Memory)
	}
	o := g.options
	if line.Time > 0 {
		o.Time = time.Duration(line.Time * float64(time.Second))
	}
	if line.Memory > 0 {
		o.Memory = line.Memory
	}
	v := verify.CheckCode(ctx, g.runner, line.CodeProblem, answer, o)
	return v, ctx.Err() // stopped, what was under way has no verdict
}

// pythonRunner lets package verify run programs in package sandbox.
type pythonRunner struct{ box *sandbox.Sandbox }

// newPythonRunner runs programs with an interpreter; "" is python3.
func newPythonRunner(python string) pythonRunner {
	return pythonRunner{sandbox.New(sandbox.Options{Python: python})}
}

// Run runs one program.
func (r pythonRunner) Run(ctx context.Context, job verify.CodeJob) (verify.CodeResult, error) {
	result, err := r.box.Run(ctx, sandbox.Program{
		Files: job.Files, Main: job.Main, Stdin: []byte(job.Stdin), Serve: job.Serve,
		Limits: sandbox.Limits{CPU: job.Time, Memory: job.Memory},
	})
	if err != nil {
		return verify.CodeResult{}, err
	}
	out := verify.CodeResult{Status: result.Status, Stdout: result.Stdout, Stderr: result.Stderr}
	switch result.Ending {
	case sandbox.Exited:
		out.Ending = verify.CodeExited
	case sandbox.Killed:
		out.Ending = verify.CodeKilled
	case sandbox.TimedOut:
		out.Ending = verify.CodeTimedOut
	case sandbox.TooMuch:
		out.Ending = verify.CodeTooMuch
	default:
		return out, fmt.Errorf("the program was %s: %w", result.Ending, context.Cause(ctx))
	}
	return out, nil
}

// checkSandbox prints what stands between a program and this machine; an unusable sandbox is an error.
func (f *codeFlags) checkSandbox(ctx context.Context, out *output) error {
	report := sandbox.New(sandbox.Options{Python: f.Python}).Check(ctx)
	if err := out.event("sandbox", report); err != nil {
		return err
	}
	if report.Python != "" {
		out.result("%-20s %s", "interpreter", report.Python)
	}
	for _, layer := range report.Layers {
		state := "active"
		if !layer.Active {
			state = "absent"
		}
		out.result("%-20s %-8s %s", layer.Name, state, layer.Detail)
	}
	if !report.Usable {
		return explain.Errorf("no-sandbox", "programs cannot be judged on this machine: %s", report.Reason)
	}
	out.result("programs can be judged on this machine")
	return nil
}
