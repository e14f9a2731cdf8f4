package task

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/verify"
)

// equationTask is what the tasks of one unknown share: a problem is an equation of one solution, an attempt a value of x
// with the operations that show whether it is the solution, and every operation that is written is true.
type equationTask struct {
	name    string
	heldOut int // percent of the groups
	// make draws the numbers of a problem.
	make func(random *rand.Rand) []int
	// describe gives a problem's group, question and solution.
	describe func(numbers []int) (group, question string, solution int)
	// values returns the values that an attempt may try, ascending.
	values func(numbers []int, solution int) []int
	// check returns the operations that show whether x is the solution, true ones.
	check func(numbers []int, x int) []Step
}

// Name returns the task's name.
func (e *equationTask) Name() string { return e.name }

// Split returns the split that a group belongs to, at any seed: a fixed share of a hash of the group.
func (e *equationTask) Split(group string) Split {
	hash := sha256.Sum256([]byte("retort " + e.name + " split " + group))
	if binary.LittleEndian.Uint64(hash[:])%100 < uint64(e.heldOut) {
		return HeldOut
	}
	return Train
}

// Problem returns the problem at index of the series of seed. Problems of a series may repeat.
func (e *equationTask) Problem(split Split, seed, index uint64) Problem {
	return e.draw(split, newRand(seed, uint64(split), index))
}

// Problems returns the first n distinct problems of the series of seed; if there are fewer, those and ErrFewer.
func (e *equationTask) Problems(split Split, seed uint64, n int) ([]Problem, error) {
	return distinct(e, split, seed, n)
}

func (e *equationTask) draw(split Split, random *rand.Rand) Problem {
	for {
		if p := e.problem(e.make(random)); e.Split(p.Group) == split {
			return p
		}
	}
}

func (e *equationTask) problem(numbers []int) Problem {
	group, question, solution := e.describe(numbers)
	id := e.name
	for _, n := range numbers {
		id += "/" + strconv.Itoa(n)
	}
	return Problem{ID: id, Task: e.name, Group: group, Question: question, Prompt: Prompt(question), Numbers: numbers, Target: solution}
}

// Grade judges the one answer after the thought: the solution as a whole number, perhaps with "x=" before it.
func (e *equationTask) Grade(p Problem, completion string) verify.Verdict {
	if len(p.Numbers) == 0 {
		return verify.Verdict{Outcome: verify.Unknown, Reason: "the problem has no numbers"}
	}
	return verdictOf(completion, func(answer string) error { return behaviour.CheckNumber(answer, int64(p.Target)) })
}

// Format says whether the completion is a thought and one answer, each where it belongs, as that of a Countdown.
func (e *equationTask) Format(completion string) bool { return isFormed(completion) }

// Trace says what a completion does. A check is the operations that the task writes for the value, in any order of the
// operands of + and *, whatever their results.
func (e *equationTask) Trace(p Problem, completion string) behaviour.Trace {
	return behaviour.ParseProposals(completion, behaviour.Equation{Solution: int64(p.Target), IsCheck: func(x int64, operations []behaviour.Operation) bool {
		if x < 0 || x > maxValue {
			return false
		}
		want := e.check(p.Numbers, int(x))
		return slices.EqualFunc(operations, want, func(o behaviour.Operation, s Step) bool {
			same := o.Left == int64(s.Left) && o.Right == int64(s.Right)
			turned := o.Left == int64(s.Right) && o.Right == int64(s.Left) && (s.Operator == '+' || s.Operator == '*')
			return o.Operator == s.Operator && (same || turned)
		})
	}})
}

// maxValue bounds the values of x whose check is computed.
const maxValue = 1 << 20

// Odds returns how many values an attempt may try; one of them is the solution.
func (e *equationTask) Odds(p Problem) (Odds, error) {
	if len(p.Numbers) == 0 {
		return Odds{}, fmt.Errorf("task: %s: odds: problem %q has no numbers", e.name, p.ID)
	}
	return Odds{Attempts: len(e.values(p.Numbers, p.Target)), Solving: 1}, nil
}

func (e *equationTask) tries(p Problem) []Attempt {
	var attempts []Attempt
	for _, x := range e.values(p.Numbers, p.Target) {
		attempts = append(attempts, Attempt{Proposal: true, Result: x, Steps: e.check(p.Numbers, x)})
	}
	return attempts
}

// fact returns an operation of the check of a random value in a random training problem.
func (e *equationTask) fact(_ bool, random *rand.Rand) Step {
	p := e.draw(Train, random)
	values := e.values(p.Numbers, p.Target)
	steps := e.check(p.Numbers, values[random.IntN(len(values))])
	return steps[random.IntN(len(steps))]
}
