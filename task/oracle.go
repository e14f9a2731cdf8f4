package task

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
)

// maxNumbers is the most numbers of a problem whose attempts can be listed.
const maxNumbers = 4

// Step is one operation of an attempt.
type Step struct {
	Left, Right int
	Operator    byte // '+', '-', '*' or '/'
	Result      int
}

// Attempt is a way to use each number exactly once: every result is a positive integer, every division exact. Two
// attempts that differ only in the order of the operands of + or *, or of steps that do not need each other, are the same one.
// A proposal is a value of x, and its steps show whether it is the solution.
type Attempt struct {
	Steps    []Step // in an order in which they can be taken
	Result   int    // of the last step, or the value proposed
	Proposal bool
}

// String returns the attempt as traces write it, such as "3+7=10 10+11=21" or "x=4 3*4=12 12+7=19".
func (a Attempt) String() string {
	var out []byte
	if a.Proposal {
		out = append(out, a.proposal()...)
	}
	for i, s := range a.Steps {
		if i > 0 || a.Proposal {
			out = append(out, ' ')
		}
		out = s.append(out)
	}
	return string(out)
}

// proposal is how a value of x is written.
func (a Attempt) proposal() string { return "x=" + strconv.Itoa(a.Result) }

// append writes the step, such as "3+7=10".
func (s Step) append(out []byte) []byte {
	out = strconv.AppendInt(out, int64(s.Left), 10)
	out = append(out, s.Operator)
	out = strconv.AppendInt(out, int64(s.Right), 10)
	out = append(out, '=')
	return strconv.AppendInt(out, int64(s.Result), 10)
}

// Expression returns the attempt as an answer: each step but the last in parentheses, such as "(3+7)+11", or the value proposed.
func (a Attempt) Expression() string {
	if a.Proposal {
		return strconv.Itoa(a.Result)
	}
	made := map[int][]string{} // expressions of results not yet used
	take := func(n int) string {
		list := made[n]
		if len(list) == 0 {
			return strconv.Itoa(n)
		}
		made[n] = list[:len(list)-1]
		return list[len(list)-1]
	}
	expression := ""
	for i, s := range a.Steps {
		left, right := take(s.Left), take(s.Right)
		expression = left + string(s.Operator) + right
		if i < len(a.Steps)-1 {
			made[s.Result] = append(made[s.Result], "("+expression+")")
		}
	}
	return expression
}

// Attempts returns all distinct legal attempts for the numbers, in a fixed order. The slice is shared: do not change it.
func (c *Countdown) Attempts(numbers []int) ([]Attempt, error) {
	if len(numbers) < 2 || len(numbers) > maxNumbers {
		return nil, fmt.Errorf("task: %s: attempts: %d numbers, want 2 to %d", c.name, len(numbers), maxNumbers)
	}
	for _, n := range numbers {
		if n < 1 || n > c.options.LargestResult {
			return nil, fmt.Errorf("task: %s: attempts: number %d, want 1 to %d", c.name, n, c.options.LargestResult)
		}
	}
	numbers = slices.Sorted(slices.Values(numbers))
	return c.attempts(groupOf(numbers), numbers), nil
}

// Solutions returns the attempts that solve a problem.
func (c *Countdown) Solutions(p Problem) ([]Attempt, error) {
	attempts, err := c.Attempts(p.Numbers)
	return slices.DeleteFunc(slices.Clone(attempts), func(a Attempt) bool { return a.Result != p.Target }), err
}

// Odds returns how many attempts a problem has, and how many of them solve it.
func (c *Countdown) Odds(p Problem) (Odds, error) {
	attempts, err := c.Attempts(p.Numbers)
	odds := Odds{Attempts: len(attempts)}
	for _, a := range attempts {
		if a.Result == p.Target {
			odds.Solving++
		}
	}
	return odds, err
}

// Odds are the numbers of distinct legal attempts at a problem and of those among them that solve it.
type Odds struct {
	Attempts, Solving int
}

// Blind returns the probability that k different attempts, chosen blindly, hold a solution: 1 - C(A-s,k)/C(A,k) for A
// attempts, s of them solving. No searcher that learns nothing from its failures does better.
func (o Odds) Blind(k int) float64 {
	fail := 1.0
	for i := range min(k, o.Attempts) {
		fail *= float64(max(0, o.Attempts-o.Solving-i)) / float64(o.Attempts-i)
	}
	return 1 - fail
}

// BlindWithReplacement returns the probability that k attempts, chosen blindly and perhaps repeated, hold a solution: 1 - (1-s/A)^k.
func (o Odds) BlindWithReplacement(k int) float64 {
	if o.Attempts == 0 {
		return 0
	}
	fail := 1.0
	for range k {
		fail *= 1 - float64(o.Solving)/float64(o.Attempts)
	}
	return 1 - fail
}

// attempts returns the attempts for sorted numbers, remembering them.
func (c *Countdown) attempts(group string, numbers []int) []Attempt {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.attemptsLocked(group, numbers)
}

func (c *Countdown) attemptsLocked(group string, numbers []int) []Attempt {
	if attempts, ok := c.known[group]; ok {
		return attempts
	}
	attempts := enumerate(numbers, c.options.LargestResult)
	if c.numKnown+len(attempts) > maxKnownAttempts {
		clear(c.known)
		c.numKnown = 0
	}
	c.known[group] = attempts
	c.numKnown += len(attempts)
	return attempts
}

// reaches says whether an attempt for sorted numbers has the result target. It remembers all results of each group.
func (c *Countdown) reaches(group string, numbers []int, target int) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	results, ok := c.results[group]
	if !ok {
		results = make([]uint64, c.options.LargestResult/64+1)
		for _, a := range c.attemptsLocked(group, numbers) {
			results[a.Result/64] |= 1 << (a.Result % 64)
		}
		c.results[group] = results
	}
	return results[target/64]>>(target%64)&1 == 1
}

// attemptKey is an attempt's steps in a few bits each, sorted: the same for the attempts that count as one.
type attemptKey [maxNumbers - 1]uint64

// enumeration lists attempts depth first.
type enumeration struct {
	largest  int
	steps    [maxNumbers - 1]Step
	numSteps int
	seen     map[attemptKey]struct{}
	attempts []Attempt
}

// enumerate returns all distinct attempts for 2 to maxNumbers numbers with no result beyond largest.
func enumerate(numbers []int, largest int) []Attempt {
	e := enumeration{largest: largest, seen: map[attemptKey]struct{}{}}
	e.extend(numbers)
	return e.attempts
}

// extend takes every possible step from the pool of numbers left.
func (e *enumeration) extend(pool []int) {
	if len(pool) == 1 {
		e.record()
		return
	}
	var rest [maxNumbers]int
	for i := range pool {
		for j := range i {
			numRest := 0
			for k, n := range pool {
				if k != i && k != j {
					rest[numRest] = n
					numRest++
				}
			}
			steps, numSteps := operations(max(pool[i], pool[j]), min(pool[i], pool[j]), e.largest)
			for _, s := range steps[:numSteps] {
				e.steps[e.numSteps] = s
				e.numSteps++
				rest[numRest] = s.Result
				e.extend(rest[:numRest+1])
				e.numSteps--
			}
		}
	}
}

// operations returns the legal operations of two numbers, high >= low >= 1, with no result beyond largest.
func operations(high, low, largest int) (list [4]Step, n int) {
	add := func(operator byte, result int) {
		list[n] = Step{high, low, operator, result}
		n++
	}
	if high+low <= largest {
		add('+', high+low)
	}
	if high*low <= largest {
		add('*', high*low)
	}
	if high > low {
		add('-', high-low)
	}
	if high%low == 0 {
		add('/', high/low)
	}
	return list, n
}

// record adds the attempt of the steps taken unless it is known.
func (e *enumeration) record() {
	var key attemptKey
	for i, s := range e.steps[:e.numSteps] {
		key[i] = uint64(s.Left)<<40 | uint64(s.Right)<<16 | uint64(s.Operator)
	}
	slices.Sort(key[:])
	if _, ok := e.seen[key]; ok {
		return
	}
	e.seen[key] = struct{}{}
	steps := slices.Clone(e.steps[:e.numSteps])
	e.attempts = append(e.attempts, Attempt{Steps: steps, Result: steps[len(steps)-1].Result})
}

// fact returns an operation as attempts hold it, each operator with the same probability. With three numbers, one operand
// is always a given number.
func (c *Countdown) fact(largerFirst bool, random *rand.Rand) Step {
	o := c.options
	largestOther := o.LargestResult
	if o.Numbers == 3 {
		largestOther = o.LargestNumber
	}
	operator := "+*-/"[random.IntN(4)]
	for {
		left, right := 1+random.IntN(o.LargestResult), 1+random.IntN(largestOther)
		steps, numSteps := operations(max(left, right), min(left, right), o.LargestResult)
		for _, s := range steps[:numSteps] {
			if s.Operator != operator {
				continue
			}
			if !largerFirst && (operator == '+' || operator == '*') && random.IntN(2) == 0 {
				s.Left, s.Right = s.Right, s.Left
			}
			return s
		}
	}
}
