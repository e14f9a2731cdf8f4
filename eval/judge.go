package eval

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// JudgeCode runs the program of a completion against the question's tests. What it cannot do safely is Unknown.
type JudgeCode func(q *Question, completion string) verify.Verdict

// CodeJudge judges programs by running them with runner, until ctx ends: what was not run to its end is Unknown.
func CodeJudge(ctx context.Context, runner verify.Runner) JudgeCode {
	return func(q *Question, completion string) verify.Verdict {
		if q.Program == nil {
			return verify.Verdict{Outcome: verify.Unknown, Reason: "the problem's tests were not kept"}
		}
		problem := verify.CodeProblem{EntryPoint: q.Program.EntryPoint, Prompt: q.Program.Prompt, Setup: q.Program.Setup, Check: q.Program.Check}
		if len(q.Program.Tests) > 0 {
			if err := json.Unmarshal(q.Program.Tests, &problem.Tests); err != nil {
				return verify.Verdict{Outcome: verify.Unknown, Reason: "the problem's tests cannot be read: " + err.Error()}
			}
		}
		return verify.CheckCode(ctx, runner, problem, completion, verify.CodeOptions{})
	}
}

// Judge grades a completion, the text from the end of the prompt on or from the tag that opens its thought. Without code,
// programs are Unknown.
func (q *Question) Judge(completion string, code JudgeCode) verify.Verdict {
	switch q.Kind {
	case Lab:
		if q.Task == nil {
			return verify.Verdict{Outcome: verify.Unknown, Reason: "the task's problem was not kept"}
		}
		return task.Grade(*q.Task, completion)
	case Code:
		if code == nil {
			return verify.Verdict{Outcome: verify.Unknown, Reason: "no sandbox: programs are not run without one"}
		}
		return code(q, completion)
	}
	return verify.Check(q.Gold, completion, q.Options)
}

// answer is the answer in a completion, for the vote; false for one that does not answer.
func (q *Question) answer(completion string) (string, bool) {
	switch q.Kind {
	case Code:
		return "", false // programs do not vote
	case Lab:
		_, answer, err := behaviour.Split(completion)
		if err != nil || answer == behaviour.GiveUp {
			return "", false
		}
		return withoutSpaces(answer), true
	}
	return verify.Extract(completion, q.Options)
}

// same says whether two answers to the question are the same for the vote.
func (q *Question) same(a, b string) bool {
	if a == b {
		return true
	}
	if q.Kind == Lab || q.Kind == Code {
		return false
	}
	return verify.Equal(a, b, q.Options).Outcome == verify.Right
}

// whole is a completion with the tag that its prompt wrote, so that a thought without an end is known to be one.
func whole(text string, opens bool) string {
	if opens && !strings.HasPrefix(strings.TrimSpace(text), tokenizer.Think) {
		return tokenizer.Think + "\n" + text
	}
	return text
}
