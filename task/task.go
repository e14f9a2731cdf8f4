// Package task is: Problem sets: where a problem comes from, how it is asked, how its answer is graded, what it must not leak into.
//
// It does not run a model. Prompts state the problem and the form of the reply and nothing else: no prompt asks for
// checking or reflection, so that what a model does of that kind is its own.
//
// Invariants: a problem is a function of (split, seed, index), an example of (seed, index), so there is no generator
// state to save. No group of problems is in both splits. What cannot be graded is Unknown, never Wrong. All of the
// package's values may be used by many goroutines.
package task

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// Problem is one question and what is needed to grade its answer.
type Problem struct {
	ID       string `json:"id"`       // such as "countdown-3/3-7-11/32", unique
	Task     string `json:"task"`     // the key in Registry
	Group    string `json:"group"`    // problems of one group share their numbers: splits and clusters go by it
	Question string `json:"question"` // as a user would ask
	Prompt   string `json:"prompt"`   // the question in the model's format, up to the first token of the reply
	Numbers  []int  `json:"numbers"`  // those of the question, in the order that the task says
	Target   int    `json:"target"`   // of a countdown, or the solution
	// Answer is the reference answer of a problem from a file.
	Answer string `json:"answer,omitempty"`
}

// Split is one of the two parts of a task's problems.
type Split uint8

// The splits.
const (
	Train Split = iota
	HeldOut
)

// String returns "train" or "held-out".
func (s Split) String() string {
	if s == HeldOut {
		return "held-out"
	}
	return "train"
}

// Task is a source of problems and the judge of their answers.
type Task interface {
	// Name returns the task's key in Registry.
	Name() string
	// Problem returns the problem at index of the endless series that seed gives. Problems of a series may repeat.
	Problem(split Split, seed, index uint64) Problem
	// Problems returns the first n distinct problems of the series. If there are fewer, it returns those and an error that is ErrFewer.
	Problems(split Split, seed uint64, n int) ([]Problem, error)
	// Grade judges a completion, the text from the end of the prompt on.
	Grade(p Problem, completion string) verify.Verdict
	// Format says whether a completion has exactly the form that the task wants, whatever its answer.
	Format(completion string) bool
}

// ErrFewer says that a task has fewer distinct problems than were asked for.
var ErrFewer = errors.New("too few")

// Registry holds all tasks by name, with their default options.
var Registry = map[string]Task{
	"countdown-3": newCountdown(CountdownOptions{}.resolved()),
	"countdown-4": newCountdown(CountdownOptions{Numbers: 4}.resolved()),

	"linear":         newLinear(LinearOptions{}.resolved()),
	"multiplication": newMultiplication(MultiplicationOptions{}.resolved()),
}

// Names returns the names of all tasks, sorted.
func Names() []string {
	names := make([]string, 0, len(Registry))
	for name := range Registry {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Lookup returns the task of a name.
func Lookup(name string) (Task, error) {
	t, ok := Registry[name]
	if !ok {
		return nil, fmt.Errorf("task: unknown task %q, want one of %s", name, strings.Join(Names(), ", "))
	}
	return t, nil
}

// Grade judges a completion of a problem of any task.
func Grade(p Problem, completion string) verify.Verdict {
	t, err := Lookup(p.Task)
	if err != nil {
		return verify.Verdict{Outcome: verify.Unknown, Reason: err.Error()}
	}
	return t.Grade(p, completion)
}

// Reward is what a completion earns: each part is 0 or 1, and their weights are the trainer's.
type Reward struct {
	Accuracy float64
	Format   float64
}

// Score returns the rewards of a completion (DeepSeek-R1, arXiv:2501.12948v2, rule-based rewards: accuracy and format, nothing else)
// and the verdict. A completion whose verdict is Unknown must be dropped, not rewarded with 0.
func Score(t Task, p Problem, completion string) (Reward, verify.Verdict) {
	verdict := t.Grade(p, completion)
	var r Reward
	if verdict.Outcome == verify.Right {
		r.Accuracy = 1
	}
	if t.Format(completion) {
		r.Format = 1
	}
	return r, verdict
}

// The two ends of a prompt: a question stands between them.
const (
	promptStart = tokenizer.User
	promptEnd   = tokenizer.Assistant + tokenizer.Think + "\n"
)

// Prompt returns a question in the format of the lab's models.
func Prompt(question string) string { return promptStart + question + promptEnd }

// Reply returns the whole reply that a completion of a prompt ends: with the tag by which the prompt opens the thought,
// unless the completion opens it itself, and without the token that ends it.
func Reply(completion string) string {
	completion = strings.TrimSuffix(completion, tokenizer.End)
	if strings.HasPrefix(completion, tokenizer.Think) {
		return completion
	}
	return tokenizer.Think + "\n" + completion
}

// PromptTokens returns the ids of Prompt(question) for a question from outside: special tokens written in it are text.
func PromptTokens(t *tokenizer.Tokenizer, question string) []int32 {
	ids := t.Encode(promptStart)
	ids = append(ids, t.EncodeText(question)...)
	return append(ids, t.Encode(promptEnd)...)
}
