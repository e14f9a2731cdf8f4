package task

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// SearchTask is a task whose problems are solved by trying: all attempts are known, and whether one solves the problem is
// computed. It can be taught by a ColdStart.
type SearchTask interface {
	Task
	Tracer
	// Odds returns how many attempts a problem has, and how many of them solve it.
	Odds(p Problem) (Odds, error)

	// draw returns a problem of the split.
	draw(split Split, random *rand.Rand) Problem
	// tries returns all attempts at a problem that it made itself, in a fixed order. The slice is shared.
	tries(p Problem) []Attempt
	// fact returns a true operation as the attempts hold them.
	fact(largerFirst bool, random *rand.Rand) Step
}

// Tracer is a task that can say what a completion does.
type Tracer interface {
	// Trace says what a completion of a problem does.
	Trace(p Problem, completion string) behaviour.Trace
}

// Trace says what a completion of a problem of a task does: attempts and verdicts where the task is a Tracer, else its
// words, its answer and whether that is right.
func Trace(t Task, p Problem, completion string) behaviour.Trace {
	if tracer, ok := t.(Tracer); ok {
		return tracer.Trace(p, completion)
	}
	_, answer, err := behaviour.Split(completion)
	return behaviour.Trace{
		Answer: answer, Answered: err == nil, GaveUp: err == nil && answer == behaviour.GiveUp,
		Right: t.Grade(p, completion).Outcome == verify.Right, Keywords: behaviour.CountKeywords(completion),
	}
}

// maxIdle is how many draws in a row may bring no new problem.
const maxIdle = 20_000

// distinct returns the first n distinct problems of a series; if there are fewer, those and ErrFewer.
func distinct(t Task, split Split, seed uint64, n int) ([]Problem, error) {
	problems := make([]Problem, 0, max(0, min(n, 1<<16)))
	seen := map[string]bool{}
	for index, idle := uint64(0), 0; len(problems) < n; index++ {
		p := t.Problem(split, seed, index)
		if seen[p.ID] {
			if idle++; idle > maxIdle {
				return problems, fmt.Errorf("task: %s: %d %s problems: %w: no more than %d found", t.Name(), n, split, ErrFewer, len(problems))
			}
			continue
		}
		idle = 0
		seen[p.ID] = true
		problems = append(problems, p)
	}
	return problems, nil
}

// isFormed says whether the completion is a thought that is not empty, "</think>", a line's end, and one answer, with or
// without the end token, and nothing else; "<" occurs in the tags only. Giving up is in format.
func isFormed(completion string) bool {
	completion = strings.TrimSuffix(completion, tokenizer.End)
	thought, answer, err := behaviour.Split(completion)
	return err == nil && answer != "" && strings.TrimSpace(thought) != "" &&
		!strings.Contains(thought, "<") && !strings.Contains(answer, "<") &&
		completion == thought+tokenizer.EndThink+"\n"+tokenizer.Answer+answer+tokenizer.EndAnswer
}

// verdictOf is the verdict of the one answer after the thought, which check judges.
func verdictOf(completion string, check func(answer string) error) verify.Verdict {
	_, answer, err := behaviour.Split(completion)
	if err == nil {
		err = check(answer)
	}
	switch {
	case err == nil:
		return verify.Verdict{Outcome: verify.Right}
	case errors.Is(err, behaviour.ErrOverflow):
		return verify.Verdict{Outcome: verify.Unknown, Reason: err.Error()}
	}
	return verify.Verdict{Outcome: verify.Wrong, Reason: err.Error()}
}
