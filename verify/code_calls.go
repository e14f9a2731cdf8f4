package verify

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// call runs a test of a function's value.
func (c *codeCheck) call(index int, t CodeTest) Verdict {
	if !identifier(c.problem.EntryPoint) {
		return c.unreadable(index, fmt.Errorf("entry_point %q: want the name of a function", c.problem.EntryPoint))
	}
	want, err := valueOfJSON(t.Expected)
	if err != nil {
		return c.unreadable(index, fmt.Errorf("expected value: %w", err))
	}
	if t.Args == nil {
		t.Args = []json.RawMessage{}
	}
	limit := c.time(testTime)
	values, result, v := c.values(callPython, map[string]any{"name": c.problem.EntryPoint, "args": t.Args}, limit)
	switch {
	case v.Outcome != Right:
		return v
	case len(values) == 0:
		return c.noValue(index, result, limit)
	}
	return c.compare(index, want, values[0], true)
}

// values runs a script that writes values to its channel, and returns what it wrote. The verdict is Unknown where it was
// not run, and else Right, however it ended.
func (c *codeCheck) values(script string, details map[string]any, limit time.Duration) ([]string, CodeResult, Verdict) {
	mark := rand.Text()
	details["mark"] = mark
	text, err := json.Marshal(details)
	if err != nil {
		return nil, CodeResult{}, Verdict{Outcome: Unknown, Rule: RuleNoTests, Reason: "the test's arguments: " + oneLine(err.Error())}
	}
	var values []string
	job := c.job(script, string(text), limit)
	job.Files["program.py"] = c.program
	job.Serve = func(line []byte) []byte {
		if value, ok := strings.CutPrefix(string(line), mark+" "); ok {
			values = append(values, value)
		}
		return nil
	}
	result, v := c.run(c.ctx, job)
	return values, result, v
}

// job is a job without the answer's program.
func (c *codeCheck) job(script, details string, limit time.Duration) CodeJob {
	return CodeJob{
		Files: map[string]string{
			"main.py": programPython + valuesPython + script, "call.json": details,
			"prompt.py": c.problem.Prompt, "setup.py": c.problem.Setup,
		},
		Main: "main.py", Time: limit,
	}
}

// before are the files that are run before a program or a test that asserts.
var before = []string{"prompt.py", "setup.py"}

// noValue is the verdict on a program that ended without a value.
func (c *codeCheck) noValue(index int, result CodeResult, limit time.Duration) Verdict {
	if v := endingVerdict(result, limit, c.name(index)); v.Outcome != Right {
		return v
	}
	return Verdict{Outcome: Wrong, Rule: RuleFailed, Reason: c.name(index) + ": ended before the function returned"}
}

// compare judges a value that a program wrote.
func (c *codeCheck) compare(index int, want *pyValue, text string, tuplesAreLists bool) Verdict {
	got, err := parseLiteral(text)
	if err != nil {
		return Verdict{Outcome: Wrong, Rule: RuleValue, Gold: shorten(want.String()), Reason: c.name(index) + ": the value cannot be read: " + oneLine(err.Error())}
	}
	if want.equal(got, tuplesAreLists) {
		return Verdict{Outcome: Right, Rule: RuleValue}
	}
	gold, answer := shorten(want.String()), shorten(got.String())
	return Verdict{
		Outcome: Wrong, Rule: RuleValue, Gold: gold, Answer: answer,
		Reason: fmt.Sprintf("%s: got %.100s, want %.100s", c.name(index), answer, gold),
	}
}

// asserts runs the tests that are assertions: first those that can be split, then the others.
func (c *codeCheck) asserts(list []numbered) Verdict {
	entry := c.problem.EntryPoint
	if entry == "" {
		entry = inferEntry(list)
	}
	if !identifier(entry) {
		return c.unreadable(list[0].index, fmt.Errorf("entry_point %q: want the name of a function", entry))
	}
	var split []assertion
	var indexes []int
	var whole []numbered
	for _, one := range list {
		if a, ok := splitAssert(one.text); ok && callOf(a.call) == entry {
			split, indexes = append(split, a), append(indexes, one.index)
		} else {
			whole = append(whole, one)
		}
	}
	if len(split) > 0 {
		if v := c.splitAsserts(split, indexes); v.Outcome != Right {
			return v
		}
	}
	if len(whole) > 0 {
		return c.harness(whole, entry, false)
	}
	return Verdict{Outcome: Right, Rule: RuleAssert}
}

// splitAsserts evaluates the calls beside the program, and compares here.
func (c *codeCheck) splitAsserts(list []assertion, indexes []int) Verdict {
	expressions := make([]string, len(list))
	for i, a := range list {
		expressions[i] = a.call
		if a.truth {
			expressions[i] = "bool(" + a.call + ")"
		}
	}
	limit := c.time(assertTime)
	values, result, v := c.values(expressionsPython, map[string]any{"expressions": expressions, "before": before}, limit)
	if v.Outcome != Right {
		return v
	}
	for i, a := range list {
		if i >= len(values) {
			return c.noValue(indexes[i], result, limit)
		}
		if v := c.compare(indexes[i], a.want, values[i], false); v.Outcome != Right {
			return v
		}
		if got, err := parseLiteral(values[i]); a.identical && (err != nil || got.kind != a.want.kind) {
			return Verdict{Outcome: Wrong, Rule: RuleValue, Reason: fmt.Sprintf("%s: got %.100s, which is not the object %s", c.name(indexes[i]), values[i], a.want)}
		}
	}
	return Verdict{Outcome: Right, Rule: RuleAssert}
}
