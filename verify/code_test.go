package verify_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/verify"
)

func TestMain(m *testing.M) {
	if sandbox.IsInit() {
		os.Exit(sandbox.Init())
	}
	os.Exit(m.Run())
}

// python is a Runner of the sandbox.
type python struct{ *sandbox.Sandbox }

func (r python) Run(ctx context.Context, job verify.CodeJob) (verify.CodeResult, error) {
	result, err := r.Sandbox.Run(ctx, sandbox.Program{
		Files: job.Files, Main: job.Main, Stdin: []byte(job.Stdin), Serve: job.Serve,
		Limits: sandbox.Limits{CPU: job.Time, Memory: job.Memory},
	})
	if err == nil && result.Ending == sandbox.Cancelled {
		err = ctx.Err()
	}
	endings := map[sandbox.Ending]verify.CodeEnding{
		sandbox.Exited: verify.CodeExited, sandbox.Killed: verify.CodeKilled, sandbox.TimedOut: verify.CodeTimedOut, sandbox.TooMuch: verify.CodeTooMuch,
	}
	return verify.CodeResult{Ending: endings[result.Ending], Status: result.Status, Stdout: result.Stdout, Stderr: result.Stderr}, err
}

var shared = python{sandbox.New(sandbox.Options{})}

// codeCases are programs and verdicts.
var codeCases = []struct {
	name, problem, completion string
	outcome                   verify.Outcome
	rule                      string
}{
	{"output", `{"tests":[{"input":"3\n4\n","output":"7\n"}]}`, "```python\nprint(int(input()) + int(input()))\n```", verify.Right, verify.RuleTests},
	{"outputWrong", `{"tests":[{"input":"3\n4\n","output":"7\n"}]}`, "```python\nprint(int(input()) - int(input()))\n```", verify.Wrong, verify.RuleOutput},
	{"prelude", `{"tests":[{"input":"3\n4\n","output":"[(3, 1)]"}]}`, "```python\nprint(Counter([int(input())]).most_common())\nassert pow(2,5,7)==4\n```", verify.Right, verify.RuleTests},
	{"exit", `{"tests":[{"input":"","output":"1"}]}`, "```python\nprint(1)\nexit()\n```", verify.Right, verify.RuleTests},
	{"raise", `{"tests":[{"input":"","output":"1"}]}`, "```python\nprint(1)\n1/0\n```", verify.Wrong, verify.RuleFailed},
	{"call", `{"entry_point":"f","tests":[{"args":[1,[2]],"expected":[1,[2]]}]}`, "```python\nclass Solution:\n  def f(self, a: int, b: List[int]): return a, b\n```", verify.Right, verify.RuleTests},
	{"functional", `{"entry_point":"f","tests":[{"testtype":"functional","input":"1\n[2]","output":"3"}]}`, "```python\ndef f(a, b): return a+b[0]\n```", verify.Right, verify.RuleTests},
	{"functionalWrong", `{"entry_point":"f","tests":[{"testtype":"functional","input":"1\n[2]","output":"3"}]}`, "```python\ndef f(a, b): return a+b[0]+.5\n```", verify.Wrong, verify.RuleValue},
	{"assert", `{"tests":[{"assert":"assert f(1) == (1, {2: 'x'})"},{"assert":"assert not f(0)"}]}`, "```python\ndef f(a): return a and (a, {2: 'x'})\n```", verify.Right, verify.RuleTests},
	{"assertWhole", `{"tests":[{"assert":"assert f(1) == 1"},{"assert":"assert abs(f(2) - 2.5) < 1e-6"}]}`, "```python\ndef f(a): return 1 if a == 1 else 2.5\n```", verify.Right, verify.RuleTests},
	{"assertWholeWrong", `{"tests":[{"assert":"assert f(1) == 1"},{"assert":"assert abs(f(2) - 2.5) < 1e-6"}]}`, "```python\ndef f(a): return a\n```", verify.Wrong, verify.RuleAssert},
	{"check", `{"entry_point":"f","prompt":"from typing import List\n\ndef g(x):\n    return x + 1\n\ndef f(x: List[int]) -> int:\n    \"\"\"Next.\"\"\"\n","check":"def check(candidate):\n    for i in range(5):\n        assert candidate(i) == g(i)\n"}`, "    return x + 1\n", verify.Right, verify.RuleTests},
	{"checkWrong", `{"entry_point":"f","prompt":"from typing import List\n\ndef g(x):\n    return x + 1\n\ndef f(x: List[int]) -> int:\n    \"\"\"Next.\"\"\"\n","check":"def check(candidate):\n    for i in range(5):\n        assert candidate(i) == g(i)\n"}`, "```python\ndef g(x): return 7\ndef f(x): return 7\n```", verify.Wrong, verify.RuleAssert},
	{"checkLoop", `{"entry_point":"f","check":"def check(candidate):\n    assert candidate(1)\n"}`, "```python\ndef f(x):\n  while True: pass\n```", verify.Wrong, verify.RuleTime},
	{"checkPlainArguments", `{"entry_point":"f","check":"def check(candidate):\n    assert candidate(lambda x: x) == 1\n"}`, "```python\ndef f(x): return 1\n```", verify.Unknown, verify.RuleNoTests},
	{"entryUnknown", `{"tests":[{"assert":"assert isclose(f(2), 2)"}]}`, "```python\ndef isclose(a, b): return True\n```", verify.Unknown, verify.RuleNoTests},
	{"noTests", `{}`, "```python\n1\n```", verify.Unknown, verify.RuleNoTests},
	{"noProgram", `{"tests":[{"output":"1"}]}`, "I do not know.", verify.Wrong, verify.RuleNoProgram},
	{"badTest", `{"tests":[{"input":"1"}]}`, "```python\n1\n```", verify.Unknown, verify.RuleNoTests},
	{"badExpected", `{"entry_point":"f","tests":[{"args":[],"expected":[1,2]},{"testtype":"functional","input":"","output":"[1,"}]}`, "```python\nf=lambda:[1,2]\n```", verify.Unknown, verify.RuleNoTests},
	{"secondTest", `{"tests":[{"input":"1","output":"1"},{"input":"2","output":"4"}]}`, "```python\nprint(input())\n```", verify.Wrong, verify.RuleOutput},
	{"setup", `{"setup":"import math\ndef twice(x): return 2*x","tests":[{"assert":"assert f(1) == twice(1)"},{"assert":"assert f(3) == 6"}]}`, "```python\ndef f(x): return twice(x)\n```", verify.Right, verify.RuleTests},
	{"raises", `{"entry_point":"f","check":"def check(candidate):\n    try:\n        candidate(0)\n    except ZeroDivisionError:\n        return\n    assert False\n"}`, "```python\ndef f(x): return 1 // x\n```", verify.Right, verify.RuleTests},
	{"stringArguments", `{"entry_point":"f","tests":[{"args":["é😀\\n\u0000"],"expected":"é😀\\n\u0000"}]}`, "```python\ndef f(x): return x\n```", verify.Right, verify.RuleTests},
	{"mutates", `{"entry_point":"f","tests":[{"args":[[3,1]],"expected":[1,3]}]}`, "```python\ndef f(x):\n    x.sort()\n    return x\n```", verify.Right, verify.RuleTests},
	{"recursion", `{"tests":[{"input":"20000","output":"20000"}]}`, "```python\ndef f(n): return n and 1 + f(n - 1)\nprint(f(int(input())))\n```", verify.Right, verify.RuleTests},
	{"checkDead", `{"entry_point":"f","check":"def check(candidate):\n    try: candidate(1)\n    except Exception: pass\n"}`, "```python\nimport os\ndef f(x): os._exit(0)\n```", verify.Wrong, verify.RuleFailed},
}

func TestCheckCode(t *testing.T) {
	for _, c := range codeCases {
		t.Run(c.name, func(t *testing.T) {
			var p verify.CodeProblem
			if err := json.Unmarshal([]byte(c.problem), &p); err != nil {
				t.Fatal(err)
			}
			v := verify.CheckCode(t.Context(), shared, p, c.completion, verify.CodeOptions{})
			if v.Outcome != c.outcome || v.Rule != c.rule {
				t.Errorf("%+v, want %v by %s", v, c.outcome, c.rule)
			}
			t.Logf("%+v", v)
		})
	}
}
