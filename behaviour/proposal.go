package behaviour

import (
	"errors"
	"fmt"
	"strings"
)

// Equation is what a trace of proposals is judged by: the one value of x, and what a check of a value is.
type Equation struct {
	Solution int64
	// IsCheck says whether operations are a check of the value x: those that show whether x is the solution, whatever
	// their results. Nil means that any are.
	IsCheck func(x int64, operations []Operation) bool
}

// ParseProposals reads a completion, with or without its opening "<think>", that looks for one number: an attempt is a
// proposal such as "x=5" with the operations of its check and a verdict, as in "x=5 3*5=15 15+7=22 ok". It is Legal if
// all of it can be read and the operations are a check of the value, True if the operations are, and Solves if the value
// is the solution, by whatever operations. A row without a proposal is none. The answer is right if it is the solution.
func ParseProposals(trace string, e Equation) Trace {
	p := parser{trace: trace, equation: &e}
	return p.read(func(answer string) bool { return CheckNumber(answer, e.Solution) == nil })
}

// propose opens an attempt with a value of x. A second value in a row is another attempt.
func (p *parser) propose(x int64, fits bool, start, end int) {
	if p.open && p.current.Proposed {
		p.close()
	}
	p.begin(start)
	p.current.Proposed, p.current.Result, p.current.End = true, x, end
	p.unreadable = p.unreadable || !fits
	p.misfit = !fits
}

// parseProposal reads a word of the form "x=5"; the number may have a minus sign.
func parseProposal(word string) (x int64, fits, ok bool) {
	digits, ok := strings.CutPrefix(word, "x=")
	if !ok {
		return 0, false, false
	}
	x, rest, fits, ok := parseNumber(digits)
	return x, fits, ok && rest == ""
}

// closeProposal ends the open attempt at an equation.
func (p *parser) closeProposal() {
	a := &p.current
	if !a.Proposed {
		return
	}
	a.True = true
	for _, operation := range a.Operations {
		a.True = a.True && operation.True
	}
	a.Legal = !p.unreadable && (p.equation.IsCheck == nil || p.equation.IsCheck(a.Result, a.Operations))
	for i := range a.Operations {
		a.Operations[i].Legal = a.Legal
	}
	a.Solves = a.Result == p.equation.Solution && !p.misfit
	p.keep()
}

// CheckNumber returns nil if answer is the whole number want, perhaps with "x=" before it. Otherwise the error says in
// one line what is wrong.
func CheckNumber(answer string, want int64) error {
	if answer == GiveUp {
		return errors.New("gave up")
	}
	n, rest, fits, ok := parseNumber(strings.TrimPrefix(answer, "x="))
	switch {
	case !ok || rest != "":
		return fmt.Errorf("%.80q is not a whole number", answer)
	case !fits || n != want:
		return fmt.Errorf("%.80q, want %d", answer, want)
	}
	return nil
}
