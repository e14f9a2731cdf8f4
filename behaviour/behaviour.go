// Package behaviour is: What a trace does: attempts, checks, turns back, gives up, and whether each check told the truth.
//
// It reads the traces of package task: lines of operations such as "3+7=10 10+11=21", or of a proposal and its check such
// as "x=5 3*5=15 15+7=22", a verdict "ok" or "no", and "wait" before a further attempt; then "</think>" and one
// "<answer>". It does not ask a model what a trace means, and it
// does not judge style. Only the counts of Keywords are meant for other text.
//
// Invariants: every text gives a Trace, in time linear in its length, without a panic. Whether a check told the truth is
// computed from the numbers and the target, never taken from the text.
package behaviour

import "strings"

// Claim is the verdict that a trace gives on its own attempt.
type Claim uint8

// The claims.
const (
	Unsaid Claim = iota // the attempt ends without a verdict
	SaidOK              // "ok": the attempt reaches the target
	SaidNo              // "no": it does not
)

// Operation is one written operation, Left Operator Right = Result. Its numbers are 0 when one of them does not fit in 64 bits.
type Operation struct {
	Left, Right, Result int64
	Operator            byte // '+', '-', '*' or '/'
	True                bool // the result is that of the operation (a division is true only if exact)
	Legal               bool // both operands were there: given numbers or results of earlier legal operations, not used before
}

// Attempt is a row of operations that ends with a verdict, a line's end or a "wait".
type Attempt struct {
	Start, End int // bytes [Start,End) of the trace, from the "wait" or first operation through the verdict
	Operations []Operation
	Legal      bool  // every operation is legal and readable, and together they use each given number exactly once
	True       bool  // every operation is true
	Proposed   bool  // it is a value of x, see ParseProposals
	Result     int64 // as written by the last operation, or the value of x
	Solves     bool  // Legal, True, and Result is the target
	Claim      Claim
	Reflection bool // a "wait" after an earlier attempt leads to this one
}

// Truthful says whether the attempt's verdict is the truth. An attempt without a verdict is not untruthful.
func (a *Attempt) Truthful() bool {
	return a.Claim == Unsaid || (a.Claim == SaidOK) == a.Solves
}

// Trace is what one completion does.
type Trace struct {
	Attempts    []Attempt
	Reflections int    // attempts that a "wait" led to
	FalseOK     int    // attempts that do not solve the problem and are said to
	FalseNo     int    // attempts that solve the problem and are said not to
	Answer      string // without surrounding spaces; empty if there is none
	Answered    bool   // there is exactly one answer, after the thought
	GaveUp      bool   // the answer is "none"
	Right       bool   // the answer is right, see CheckAnswer
	Converted   bool   // the answer is right, and no attempt before the first reflection solves the problem
	Keywords    Keywords
}

// Parse reads a completion, with or without its opening "<think>", to the problem of making target from numbers.
func Parse(trace string, numbers []int, target int) Trace {
	p := parser{trace: trace, numbers: numbers, target: int64(target)}
	return p.read(func(answer string) bool { return CheckAnswer(answer, numbers, target) == nil })
}

// read parses the whole trace.
func (p *parser) read(isRight func(answer string) bool) Trace {
	thought, answer, err := Split(p.trace)
	from := 0
	if strings.HasPrefix(p.trace, openThink) {
		from = len(openThink)
	}
	p.parseThought(from, from+len(thought))
	t := Trace{Attempts: p.attempts, Answer: answer, Answered: err == nil, Keywords: CountKeywords(p.trace)}
	t.GaveUp = t.Answered && answer == GiveUp
	t.Right = t.Answered && isRight(answer)
	solvedBefore := false // the first reflection
	for i := range t.Attempts {
		a := &t.Attempts[i]
		if a.Reflection {
			t.Reflections++
		}
		if t.Reflections == 0 && a.Solves {
			solvedBefore = true
		}
		switch {
		case a.Truthful():
		case a.Claim == SaidOK:
			t.FalseOK++
		default:
			t.FalseNo++
		}
	}
	t.Converted = t.Right && t.Reflections > 0 && !solvedBefore
	return t
}
