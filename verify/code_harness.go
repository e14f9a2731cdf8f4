package verify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// bridge carries calls from the process of the tests to the process of the program, and values back.
type bridge struct {
	ctx      context.Context
	requests chan []byte
	answers  chan []byte   // holds one: there is at most one call under way
	ended    chan struct{} // closed when the program's process is gone
	dead     bool          // a call found it gone
}

// program serves the program's process. Its first line says that it is ready; each further one answers a call, whatever it
// says, since this returns only with the next call.
func (b *bridge) program() func([]byte) []byte {
	ready := false
	return func(line []byte) []byte {
		if ready {
			select {
			case b.answers <- append([]byte(nil), line...):
			case <-b.ctx.Done():
				return nil
			}
		}
		ready = true
		select {
		case request := <-b.requests:
			return request
		case <-b.ctx.Done():
			return nil
		}
	}
}

// ask calls a function of the program. What comes back is read here and written anew: it holds literals and nothing else.
func (b *bridge) ask(request []byte) []byte {
	select {
	case b.requests <- append(append([]byte(nil), request...), '\n'):
	case <-b.ended:
		b.dead = true
		return []byte("raised RuntimeError\n")
	}
	select {
	case answer := <-b.answers:
		return plainAnswer(string(answer))
	case <-b.ended:
		b.dead = true
		return []byte("raised RuntimeError\n")
	}
}

func plainAnswer(text string) []byte {
	if kind, ok := strings.CutPrefix(text, "raised "); ok && identifier(kind) {
		return []byte("raised " + kind + "\n")
	}
	literal, ok := strings.CutPrefix(text, "value ")
	if !ok {
		return []byte("value opaque\n")
	}
	value, err := parseLiteral(literal)
	if err != nil {
		return []byte("value opaque\n")
	}
	return []byte("value " + value.String() + "\n")
}

// harness runs tests that are code of their own: statements, or with check a definition of check(candidate), which is then
// called. They run in one process, the program in another, and neither sees the other's memory or text.
func (c *codeCheck) harness(tests []numbered, entry string, check bool) Verdict {
	name := func(i int) string {
		if check {
			return "check"
		}
		return c.name(tests[min(i, len(tests)-1)].index)
	}
	if !identifier(entry) {
		return Verdict{Outcome: Unknown, Rule: RuleNoTests, Reason: fmt.Sprintf("entry_point %q: want the name of a function", entry)}
	}
	texts := make([]string, len(tests))
	for i, t := range tests {
		texts[i] = t.text
	}
	mark, limit := rand.Text(), c.time(assertTime)
	details, err := json.Marshal(map[string]any{"mark": mark, "names": []string{entry}, "before": before, "tests": texts, "check": check})
	if err != nil {
		return Verdict{Outcome: Unknown, Rule: RuleNoTests, Reason: oneLine(err.Error())}
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	b := &bridge{ctx: ctx, requests: make(chan []byte), answers: make(chan []byte, 1), ended: make(chan struct{})}
	served := c.serve(b, limit)

	said := ""
	job := c.job(harnessPython, string(details), limit)
	job.Serve = func(line []byte) []byte {
		text := string(line)
		if request, ok := strings.CutPrefix(text, "call "); ok {
			return b.ask([]byte(request))
		}
		if text, ok := strings.CutPrefix(text, mark+" "); ok {
			said = text
		}
		return nil
	}
	result, v := c.run(ctx, job)
	cancel()
	program := <-served
	switch {
	case b.dead && program.verdict.Outcome == Unknown:
		return program.verdict
	case b.dead:
		if v := endingVerdict(program.result, limit, name(0)); v.Outcome != Right {
			return v
		}
		return Verdict{Outcome: Wrong, Rule: RuleFailed, Reason: name(0) + ": ended before the function returned"}
	case v.Outcome != Right:
		return v
	}
	return harnessVerdict(said, result, limit, name)
}

// served is how the program's process ended.
type served struct {
	result  CodeResult
	verdict Verdict
}

// serve starts the program's process.
func (c *codeCheck) serve(b *bridge, limit time.Duration) <-chan served {
	done := make(chan served, 1)
	details, _ := json.Marshal(map[string]any{"before": before}) // strings
	job := c.job(servePython, string(details), limit)
	job.Files["program.py"] = c.program
	job.Serve = b.program()
	go func() {
		result, v := c.run(b.ctx, job)
		close(b.ended)
		done <- served{result, v}
	}()
	return done
}

// harnessVerdict reads what the tests' process said last.
func harnessVerdict(said string, result CodeResult, limit time.Duration, name func(int) string) Verdict {
	verb, rest, _ := strings.Cut(said, " ")
	switch verb {
	case "passed":
		return Verdict{Outcome: Right, Rule: RuleAssert}
	case "cannot":
		return Verdict{Outcome: Unknown, Rule: RuleNoTests, Reason: "cannot judge: " + oneLine(rest)}
	case "failed":
		index, rest, _ := strings.Cut(rest, " ")
		line, text, _ := strings.Cut(rest, " ")
		i, err := strconv.Atoi(index)
		if err != nil {
			break
		}
		return Verdict{Outcome: Wrong, Rule: RuleAssert, Reason: fmt.Sprintf("%s: line %s: %s", name(i), line, oneLine(text))}
	}
	if result.Ending == CodeTimedOut {
		return Verdict{Outcome: Wrong, Rule: RuleTime, Reason: fmt.Sprintf("%s: no end within %v", name(0), limit)}
	}
	return Verdict{Outcome: Unknown, Rule: RuleNoTests, Reason: "cannot judge: the tests did not run: " + lastLine(result.Stderr, result.Status)}
}
