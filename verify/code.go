package verify

import (
	"context"
	_ "embed" // for the programs in code/
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Runner runs a Python program where it can do no harm. It must give the program nothing of the caller but the job: no
// network, no files but the job's, no other process. An error means that the program was not run in isolation, and says
// why: the verdict is then Unknown. internal/sandbox implements it on Linux.
type Runner interface {
	Run(ctx context.Context, job CodeJob) (CodeResult, error)
}

// CodeJob is one program to run: the file Main of the folder /program.
type CodeJob struct {
	Files map[string]string // name to text; the program can read but not write them
	Main  string
	Stdin string

	// Serve is called with each line that the program writes to file descriptor 3, without its end. What it returns is
	// written to the program's file descriptor 4; nil is not. It must not keep the line.
	Serve func(line []byte) []byte

	Time   time.Duration // of the processor; by the clock, a Runner allows more, since machines are shared
	Memory int64         // bytes; 0 is the Runner's default
}

// CodeEnding is how a program ended.
type CodeEnding uint8

// The endings.
const (
	CodeExited   CodeEnding = iota // by itself, with CodeResult.Status
	CodeKilled                     // by a signal, CodeResult.Status
	CodeTimedOut                   // by the limit of time
	CodeTooMuch                    // by the limit of output
)

// CodeResult is what a program did. Nothing of it is a pass.
type CodeResult struct {
	Ending CodeEnding
	Status int
	Stdout []byte
	Stderr []byte
}

// CodeProblem is a programming problem: what an answer's program is tested with. It has Tests, or Check, or both.
type CodeProblem struct {
	Tests      []CodeTest `json:"tests"`
	EntryPoint string     `json:"entry_point,omitempty"` // the function under test, where the tests call one
	Prompt     string     `json:"prompt,omitempty"`      // code that the answer continues or completes (HumanEval); it is run first
	Setup      string     `json:"setup,omitempty"`       // code that is run before the tests' asserts (MBPP's test_setup_code)
	Check      string     `json:"check,omitempty"`       // code that defines check(candidate) (HumanEval's test)
}

// CodeTest is one test, of one of three kinds: Output for Input; Expected for Args, or, with Type "functional", Input and
// Output hold them as JSON, an argument a line; Assert.
type CodeTest struct {
	Input    string            `json:"input,omitempty"`    // standard input
	Output   *string           `json:"output,omitempty"`   // expected standard output
	Type     string            `json:"testtype,omitempty"` // "", "stdin" or "functional"
	Args     []json.RawMessage `json:"args,omitempty"`     // of EntryPoint
	Expected json.RawMessage   `json:"expected,omitempty"` // its value
	Assert   string            `json:"assert,omitempty"`   // an assert statement of Python
}

// CodeOptions bound the tests. The zero value has the benchmarks' own limits.
type CodeOptions struct {
	Time   time.Duration // of the processor; 0 is 6 s for a test with output or value, and 3 s for all asserts together
	Memory int64         // bytes of a program; 0 is the Runner's default
}

const (
	testTime   = 6 * time.Second // of LiveCodeBench
	assertTime = 3 * time.Second // of HumanEval
)

// The rules of CheckCode.
const (
	RuleTests       = "tests"        // every test passed
	RuleNoProgram   = "no program"   // the answer holds none
	RuleOutput      = "output"       // a line of the output differs
	RuleValue       = "value"        // a function returned another value
	RuleAssert      = "assert"       // an assertion failed
	RuleFailed      = "failed"       // the program raised an exception, crashed, or gave no value
	RuleTime        = "time limit"   // the program used more time than it may
	RuleTooMuch     = "output limit" // the program wrote more than it may
	RuleNoTests     = "no tests"     // the problem has none, or one that cannot be read
	RuleNoIsolation = "no isolation" // the Runner refused
)

//go:embed code/program.py
var programPython string

//go:embed code/values.py
var valuesPython string

//go:embed code/stdin.py
var stdinPython string

//go:embed code/call.py
var callPython string

//go:embed code/expressions.py
var expressionsPython string

//go:embed code/serve.py
var servePython string

//go:embed code/harness.py
var harnessPython string

// CheckCode judges a completion by its program (ExtractProgram), run against the problem's tests in order, up to the first
// that fails. The verdict's Reason names that test; Gold and Answer hold what was expected and what came.
//
// The program's process never holds what is expected. Outputs and values are compared here: standard output as
// LiveCodeBench does (lines without outer spaces; then, line by line, as decimal numbers), values of functions as Python
// compares them, where a tuple is also the list of its items if the expected value is JSON. An assertion of the form
// f(args) == literal is split, and only the call is run beside the program. Any other assertion, and Check, is run by a
// second process that holds none of the program's code; calls go back and forth as plain values. That has a limit: a
// function's changes to its arguments are not seen, and arguments that are no plain values make the verdict Unknown.
//
// A pass is never read from an exit status; a failure may be: a program that ends with one other than 0 has failed.
func CheckCode(ctx context.Context, r Runner, p CodeProblem, completion string, o CodeOptions) Verdict {
	program, ok := ExtractProgram(completion)
	if !ok {
		return Verdict{Outcome: Wrong, Rule: RuleNoProgram, Reason: "no program was found"}
	}
	if len(p.Tests) == 0 && p.Check == "" {
		return Verdict{Outcome: Unknown, Rule: RuleNoTests, Reason: "the problem has no tests"}
	}
	c := codeCheck{ctx: ctx, runner: r, problem: &p, options: o, program: p.complete(program)}
	var asserts []numbered
	for i, t := range p.Tests {
		if t.Assert != "" {
			asserts = append(asserts, numbered{i, t.Assert})
			continue
		}
		if v := c.one(i, t); v.Outcome != Right {
			return v
		}
	}
	if len(asserts) > 0 {
		if v := c.asserts(asserts); v.Outcome != Right {
			return v
		}
	}
	if p.Check != "" {
		if v := c.harness([]numbered{{len(p.Tests), p.Check}}, p.EntryPoint, true); v.Outcome != Right {
			return v
		}
	}
	return Verdict{Outcome: Right, Rule: RuleTests, Reason: fmt.Sprintf("%d tests passed", len(p.Tests)+min(len(p.Check), 1))}
}

// numbered is an assertion with its place among the tests.
type numbered struct {
	index int
	text  string
}

// codeCheck is one check under way.
type codeCheck struct {
	ctx     context.Context
	runner  Runner
	problem *CodeProblem
	options CodeOptions
	program string
}

func (c *codeCheck) time(usual time.Duration) time.Duration {
	if c.options.Time > 0 {
		return c.options.Time
	}
	return usual
}

// name is how a test is called in a reason, counted from 1.
func (c *codeCheck) name(index int) string {
	return fmt.Sprintf("test %d of %d", index+1, len(c.problem.Tests))
}

// run runs a job; the verdict is Unknown where it was not run, and else Right.
func (c *codeCheck) run(ctx context.Context, job CodeJob) (CodeResult, Verdict) {
	job.Memory = c.options.Memory
	result, err := c.runner.Run(ctx, job)
	if err != nil {
		return result, Verdict{Outcome: Unknown, Rule: RuleNoIsolation, Reason: "cannot judge: " + oneLine(err.Error())}
	}
	return result, Verdict{Outcome: Right}
}

// endingVerdict is Right where a program ended by itself with status 0.
func endingVerdict(result CodeResult, limit time.Duration, name string) Verdict {
	switch {
	case result.Ending == CodeTimedOut:
		return Verdict{Outcome: Wrong, Rule: RuleTime, Reason: fmt.Sprintf("%s: no end within %v", name, limit)}
	case result.Ending == CodeTooMuch:
		return Verdict{Outcome: Wrong, Rule: RuleTooMuch, Reason: name + ": wrote too much"}
	case result.Ending == CodeKilled:
		return Verdict{Outcome: Wrong, Rule: RuleFailed, Reason: fmt.Sprintf("%s: crashed with signal %d", name, result.Status)}
	case result.Status != 0:
		return Verdict{Outcome: Wrong, Rule: RuleFailed, Reason: name + ": " + lastLine(result.Stderr, result.Status)}
	}
	return Verdict{Outcome: Right}
}

// lastLine is the line of a traceback that names the exception.
func lastLine(stderr []byte, status int) string {
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return oneLine(last)
	}
	return fmt.Sprintf("ended with status %d", status)
}

// oneLine is a text without line breaks, cut to a length that fits a reason.
func oneLine(s string) string {
	return shorten(strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "?"))
}

// one runs a test with output or value.
func (c *codeCheck) one(index int, t CodeTest) Verdict {
	functional := t.Type == "functional" || t.Expected != nil
	switch {
	case t.Type != "" && t.Type != "stdin" && t.Type != "functional":
		return c.unreadable(index, fmt.Errorf("testtype %q: want stdin or functional", t.Type))
	case functional && t.Expected == nil && t.Output != nil:
		t.Args, t.Expected = nil, json.RawMessage(*t.Output)
		for line := range strings.Lines(t.Input) {
			if line = strings.TrimSpace(line); line != "" {
				t.Args = append(t.Args, json.RawMessage(line))
			}
		}
		return c.call(index, t)
	case functional && t.Expected != nil:
		return c.call(index, t)
	case t.Output != nil:
		return c.output(index, t.Input, *t.Output)
	}
	return c.unreadable(index, errors.New("want output, expected or assert"))
}

func (c *codeCheck) unreadable(index int, err error) Verdict {
	return Verdict{Outcome: Unknown, Rule: RuleNoTests, Reason: c.name(index) + ": " + err.Error()}
}

// output runs a test of standard output.
func (c *codeCheck) output(index int, input, want string) Verdict {
	job := CodeJob{
		Files: map[string]string{"main.py": programPython + stdinPython, "program.py": c.program},
		Main:  "main.py", Stdin: input, Time: c.time(testTime),
	}
	result, v := c.run(c.ctx, job)
	if v.Outcome == Right {
		v = endingVerdict(result, job.Time, c.name(index))
	}
	if v.Outcome != Right {
		return v
	}
	line, wantLine, gotLine, same := compareOutput(want, string(result.Stdout))
	if same {
		return Verdict{Outcome: Right, Rule: RuleOutput}
	}
	return Verdict{
		Outcome: Wrong, Rule: RuleOutput, Gold: oneLine(wantLine), Answer: oneLine(gotLine),
		Reason: fmt.Sprintf("%s: line %d: got %s, want %s", c.name(index), line, quoted(gotLine), quoted(wantLine)),
	}
}

func quoted(s string) string { return fmt.Sprintf("%.100q", s) }
