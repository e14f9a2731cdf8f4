package task

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/verify"
)

// CountdownOptions describe a countdown task.
type CountdownOptions struct {
	Numbers        int // given with each problem: 3 or 4; 0 means 3
	LargestNumber  int // 10 to 99; 0 means 20
	SmallestTarget int // 1 to LargestNumber; 0 means 20, or LargestNumber if that is less
	LargestTarget  int // Numbers*LargestNumber to LargestResult; 0 means LargestResult
	LargestResult  int // of any operation of an attempt, Numbers*LargestNumber to 9999; 0 means 199, the largest integer with a token
	HeldOutPercent int // of the groups, 5 to 50; 0 means 20
}

// Validate returns all faults of the options as one error.
func (o CountdownOptions) Validate() error {
	o = o.resolved()
	var faults []error
	within := func(name string, got, from, to int) {
		if got < from || got > to {
			faults = append(faults, fmt.Errorf("task: countdown: %s: got %d, want %d to %d", name, got, from, to))
		}
	}
	within("numbers", o.Numbers, 3, maxNumbers)
	within("largest number", o.LargestNumber, 10, 99)
	within("largest result", o.LargestResult, o.Numbers*o.LargestNumber, 9999)
	within("smallest target", o.SmallestTarget, 1, o.LargestNumber)
	within("largest target", o.LargestTarget, o.Numbers*o.LargestNumber, o.LargestResult)
	within("held-out percent", o.HeldOutPercent, 5, 50)
	return errors.Join(faults...)
}

func (o CountdownOptions) resolved() CountdownOptions {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&o.Numbers, 3)
	set(&o.LargestNumber, 20)
	set(&o.LargestResult, 199)
	set(&o.SmallestTarget, min(20, o.LargestNumber))
	set(&o.LargestTarget, o.LargestResult)
	set(&o.HeldOutPercent, 20)
	return o
}

// Countdown is the task of making a target from some numbers, each used exactly once, with + - * / (Gandhi et al. 2024,
// arXiv:2404.03683, section 3). Numbers and target are drawn uniformly and together until the numbers reach the target.
type Countdown struct {
	options CountdownOptions
	name    string

	mutex    sync.Mutex
	known    map[string][]Attempt // by group
	numKnown int                  // attempts in known
	results  map[string][]uint64  // by group: bit n is set if an attempt has the result n
}

// maxKnownAttempts bounds the attempts that a Countdown remembers; some 140 bytes each.
const maxKnownAttempts = 1 << 18

// NewCountdown returns a countdown task. Its problems belong to the name of its numbers, whatever its other options.
func NewCountdown(o *CountdownOptions) (*Countdown, error) {
	if o == nil {
		o = &CountdownOptions{}
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return newCountdown(o.resolved()), nil
}

func newCountdown(o CountdownOptions) *Countdown {
	return &Countdown{options: o, name: "countdown-" + strconv.Itoa(o.Numbers), known: map[string][]Attempt{}, results: map[string][]uint64{}}
}

// Name returns "countdown-3" or "countdown-4".
func (c *Countdown) Name() string { return c.name }

// Options returns the options with their defaults filled in.
func (c *Countdown) Options() CountdownOptions { return c.options }

// Split returns the split that a group of numbers belongs to, at any seed: a fixed share of a hash of the group.
func (c *Countdown) Split(group string) Split {
	hash := sha256.Sum256([]byte("retort countdown split " + group))
	if binary.LittleEndian.Uint64(hash[:])%100 < uint64(c.options.HeldOutPercent) {
		return HeldOut
	}
	return Train
}

// Problem returns the problem at index of the series of seed. Problems of a series may repeat.
func (c *Countdown) Problem(split Split, seed, index uint64) Problem {
	return c.draw(split, newRand(seed, uint64(split), index))
}

// Problems returns the first n distinct problems of the series of seed; if there are fewer, those and ErrFewer.
func (c *Countdown) Problems(split Split, seed uint64, n int) ([]Problem, error) {
	return distinct(c, split, seed, n)
}

func (c *Countdown) draw(split Split, random *rand.Rand) Problem {
	numbers := make([]int, c.options.Numbers)
	for {
		for i := range numbers {
			numbers[i] = 1 + random.IntN(c.options.LargestNumber)
		}
		target := c.options.SmallestTarget + random.IntN(c.options.LargestTarget-c.options.SmallestTarget+1)
		slices.Sort(numbers)
		group := groupOf(numbers)
		if c.Split(group) != split {
			continue
		}
		if c.reaches(group, numbers, target) {
			return c.problem(group, numbers, target)
		}
	}
}

func (c *Countdown) problem(group string, numbers []int, target int) Problem {
	question := fmt.Sprintf("Use %s to make %d.", strings.ReplaceAll(group, "-", ", "), target)
	return Problem{
		ID: c.name + "/" + group + "/" + strconv.Itoa(target), Task: c.name, Group: group,
		Question: question, Prompt: Prompt(question), Numbers: numbers, Target: target,
	}
}

// groupOf returns the name of the group of sorted numbers, such as "3-7-11".
func groupOf(sorted []int) string {
	var group []byte
	for i, n := range sorted {
		if i > 0 {
			group = append(group, '-')
		}
		group = strconv.AppendInt(group, int64(n), 10)
	}
	return string(group)
}

// Grade judges the one answer after the thought: an expression that uses each number exactly once and has the value of the target, exactly.
func (c *Countdown) Grade(p Problem, completion string) verify.Verdict {
	if len(p.Numbers) == 0 {
		return verify.Verdict{Outcome: verify.Unknown, Reason: "the problem has no numbers"}
	}
	return verdictOf(completion, func(answer string) error { return behaviour.CheckAnswer(answer, p.Numbers, p.Target) })
}

// Format says whether the completion is a thought that is not empty, "</think>", a line's end, and one answer, with or
// without the end token, and nothing else; "<" occurs in the tags only. Giving up is in format.
func (c *Countdown) Format(completion string) bool { return isFormed(completion) }

// Trace says what a completion does.
func (c *Countdown) Trace(p Problem, completion string) behaviour.Trace {
	return behaviour.Parse(completion, p.Numbers, p.Target)
}

func (c *Countdown) tries(p Problem) []Attempt { return c.attempts(p.Group, p.Numbers) }
