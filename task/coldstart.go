package task

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/tokenizer"
)

// Mixture holds the weights of the kinds of examples; they need not add up to 1.
type Mixture struct {
	Search, Long, Verification, Facts float64
}

// ColdStartOptions describe a cold start.
type ColdStartOptions struct {
	Seed           uint64
	Mixture        Mixture // all zero means 0.55, 0.15, 0.2, 0.1
	Solve          float64 // probability that an attempt of a search is a solution; 0 means 0.15, negative means never
	GiveUp         float64 // probability of giving up after a failed attempt of a search; 0 means 0.5, negative means never before the last
	MaxAttempts    int     // of an example, up to 64; 0 means 8
	LongAttempts   int     // the fewest of a long search; 0 means 5, or MaxAttempts if that is less
	LongSolve      float64 // probability that a long search ends with a solution; 0 means 0.5, negative means never
	VerifyAttempts int     // the most of a verification text; 0 means MaxAttempts
	FactsPerText   int     // up to 64; 0 means 8
	LearnLongTurn  bool    // learn from long searches, too, whether to go on after a failure; they would teach a model to go on more often
	NoReflection   bool    // one attempt per example, then the verdict and the answer: no text turns back, and Long means Search
	LargerFirst    bool    // write the larger operand of + and * first; otherwise either order
}

func (o ColdStartOptions) resolved() ColdStartOptions {
	set := func(field *float64, value float64) {
		if *field == 0 {
			*field = value
		}
		*field = max(0, *field)
	}
	setInt := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	if o.Mixture == (Mixture{}) {
		o.Mixture = Mixture{Search: 0.55, Long: 0.15, Verification: 0.2, Facts: 0.1}
	}
	set(&o.Solve, 0.15)
	set(&o.GiveUp, 0.5)
	set(&o.LongSolve, 0.5)
	setInt(&o.MaxAttempts, 8)
	setInt(&o.LongAttempts, min(5, o.MaxAttempts))
	setInt(&o.FactsPerText, 8)
	setInt(&o.VerifyAttempts, o.MaxAttempts)
	if o.NoReflection {
		o.MaxAttempts, o.LongAttempts, o.VerifyAttempts = 1, 1, 1
	}
	return o
}

// Validate returns all faults of the options as one error.
func (o ColdStartOptions) Validate() error {
	o = o.resolved()
	var faults []error
	check := func(name string, got any, ok bool, want string) {
		if !ok {
			faults = append(faults, fmt.Errorf("task: cold start: %s: got %v, want %s", name, got, want))
		}
	}
	m := o.Mixture
	check("mixture", m, min(m.Search, m.Long, m.Verification, m.Facts) >= 0 && m.Search+m.Long+m.Verification+m.Facts < 1e6, "weights from 0 to 1e6")
	check("solve", o.Solve, o.Solve <= 1, "at most 1")
	check("give up", o.GiveUp, o.GiveUp <= 1, "at most 1")
	check("long solve", o.LongSolve, o.LongSolve <= 1, "at most 1")
	check("max attempts", o.MaxAttempts, o.MaxAttempts >= 1 && o.MaxAttempts <= 64, "1 to 64")
	check("long attempts", o.LongAttempts, o.LongAttempts >= 1 && o.LongAttempts <= o.MaxAttempts, "1 to max attempts")
	check("verify attempts", o.VerifyAttempts, o.VerifyAttempts >= 1 && o.VerifyAttempts <= o.MaxAttempts, "1 to max attempts")
	check("facts per text", o.FactsPerText, o.FactsPerText >= 1 && o.FactsPerText <= 64, "1 to 64")
	return errors.Join(faults...)
}

// ColdStart makes texts that teach a model the form of the search, true arithmetic and true verdicts, but not to search
// for long: the beginning of reinforcement. Every attempt is legal, no attempt occurs twice in a text, and all problems
// are of the train split.
type ColdStart struct {
	task    SearchTask
	options ColdStartOptions
}

// NewColdStart returns a cold start for a task.
func NewColdStart(task SearchTask, o *ColdStartOptions) (*ColdStart, error) {
	if o == nil {
		o = &ColdStartOptions{}
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &ColdStart{task: task, options: o.resolved()}, nil
}

// Options returns the options with their defaults filled in.
func (c *ColdStart) Options() ColdStartOptions { return c.options }

// Example returns the example at index of the endless series of the options' seed.
func (c *ColdStart) Example(index uint64) Example {
	random := newRand(c.options.Seed, 0xc01d, index)
	switch kind := c.kind(random); {
	case kind == Long && !c.options.NoReflection:
		return c.long(random)
	case kind == Verification:
		return c.verification(random)
	case kind == Facts:
		return c.facts(random)
	}
	return c.search(random)
}

func (c *ColdStart) kind(random *rand.Rand) Kind {
	m := c.options.Mixture
	at := random.Float64() * (m.Search + m.Long + m.Verification + m.Facts)
	for kind, weight := range []float64{m.Search, m.Long, m.Verification} {
		if at < weight {
			return Kind(kind)
		}
		at -= weight
	}
	return Facts
}

// trace is a search in the making.
type trace struct {
	exampleText
	problem          Problem
	random           *rand.Rand
	solving, failing []Attempt // not taken yet
	largerFirst      bool
	last             Attempt // as written
}

func (c *ColdStart) newTrace(random *rand.Rand) *trace {
	t := &trace{random: random, largerFirst: c.options.LargerFirst, problem: c.task.draw(Train, random)}
	for _, a := range c.task.tries(t.problem) {
		if a.Result == t.problem.Target {
			t.solving = append(t.solving, a)
		} else {
			t.failing = append(t.failing, a)
		}
	}
	return t
}

// learnt says what of an attempt is learnt.
type learnt bool

const (
	everything learnt = true
	results    learnt = false // of its operations, which are true wherever they stand
)

// attempt writes an attempt that solves the problem, or one that does not, and its verdict, and says whether it solves it.
// There is always one that does; when all the others are taken, that is the one.
func (t *trace) attempt(solve bool, what learnt, learnVerdict bool) bool {
	solve = solve || len(t.failing) == 0
	from, verdict := &t.failing, " no\n"
	if solve {
		from, verdict = &t.solving, " ok\n"
	}
	i, end := t.random.IntN(len(*from)), len(*from)-1
	(*from)[i], (*from)[end] = (*from)[end], (*from)[i]
	t.last = t.ordered((*from)[end])
	*from = (*from)[:end]
	if t.last.Proposal {
		t.add(t.last.proposal(), what == everything)
	}
	for i, step := range t.last.Steps {
		if i > 0 || t.last.Proposal {
			t.add(" ", what == everything)
		}
		written, result := string(step.append(nil)), strconv.Itoa(step.Result)
		t.add(written[:len(written)-len(result)], what == everything)
		t.add(result, true)
	}
	t.add(verdict, learnVerdict)
	return solve
}

// ordered returns the attempt with the operands of + and * in the order to write.
func (t *trace) ordered(a Attempt) Attempt {
	if a.Proposal { // a check is written in one way
		return a
	}
	steps := make([]Step, len(a.Steps))
	for i, s := range a.Steps {
		if !t.largerFirst && (s.Operator == '+' || s.Operator == '*') && t.random.IntN(2) == 0 {
			s.Left, s.Right = s.Right, s.Left
		}
		steps[i] = s
	}
	return Attempt{Steps: steps, Result: a.Result}
}

// finish ends the thought and answers. What a failure is followed by, the end or "wait", is learnt if learnTurn.
func (t *trace) finish(kind Kind, solved, learnTurn bool) Example {
	answer := behaviour.GiveUp
	if solved {
		answer = t.last.Expression()
	}
	t.add(tokenizer.EndThink, solved || learnTurn)
	t.add("\n"+tokenizer.Answer+answer+tokenizer.EndAnswer+tokenizer.End, true)
	return t.example(kind)
}

func (t *trace) example(kind Kind) Example {
	return Example{Kind: kind, Problem: t.problem, Prompt: t.problem.Prompt, Completion: string(t.text), Targets: t.targets}
}

const turnBack = "wait "

func (c *ColdStart) search(random *rand.Rand) Example {
	t := c.newTrace(random)
	for n := 1; ; n++ {
		if t.attempt(random.Float64() < c.options.Solve, everything, true) {
			return t.finish(Search, true, true)
		}
		if n == c.options.MaxAttempts || random.Float64() < c.options.GiveUp {
			return t.finish(Search, false, true)
		}
		t.add(turnBack, true)
	}
}

func (c *ColdStart) long(random *rand.Rand) Example {
	t := c.newTrace(random)
	learnTurn := c.options.LearnLongTurn
	length := c.options.LongAttempts + random.IntN(c.options.MaxAttempts-c.options.LongAttempts+1)
	solveLast := random.Float64() < c.options.LongSolve
	for n := 1; ; n++ {
		if t.attempt(solveLast && n == length, everything, true) {
			return t.finish(Long, true, learnTurn)
		}
		if n == length {
			return t.finish(Long, false, learnTurn)
		}
		t.add(turnBack, learnTurn)
	}
}

// verification writes failed attempts as context and then one whose verdict is learnt, beside the results of all
// operations. At each place in the search, half of the verdicts are "ok". Early places are the more frequent, since
// their texts are short: of n places, the k-th has the probability (2(n−k)+1)/n².
func (c *ColdStart) verification(random *rand.Rand) Example {
	n := c.options.VerifyAttempts
	failed := min(random.IntN(n), random.IntN(n))
	solve := random.IntN(2) == 0
	for {
		t := c.newTrace(random)
		if len(t.failing) == 0 {
			continue
		}
		for range min(failed, len(t.failing)-1) {
			t.attempt(false, results, false)
			t.add(turnBack, false)
		}
		t.attempt(solve, results, true)
		return t.example(Verification)
	}
}

// facts writes operations; their results are learnt, and the prompt is the first operation without its result.
func (c *ColdStart) facts(random *rand.Rand) Example {
	var prompt string
	var text exampleText
	for i := range c.options.FactsPerText {
		s := c.task.fact(c.options.LargerFirst, random)
		result := fmt.Sprint(s.Result)
		written := string(s.append(nil))
		question := written[:len(written)-len(result)]
		if i == 0 {
			prompt = question
		} else {
			text.add(" "+question, false)
		}
		text.add(result, true)
	}
	return Example{Kind: Facts, Prompt: prompt, Completion: string(text.text), Targets: text.targets}
}
