package behaviour

import (
	"errors"
	"fmt"
	"slices"
)

// Bounds of an answer's expression.
const (
	maxAnswerBytes = 1024
	maxDepth       = 64 // of parentheses
)

// ErrOverflow is the error of CheckAnswer when an expression uses the right numbers but its value needs more than 64-bit
// fractions, so that it cannot be judged.
var ErrOverflow = errors.New("the arithmetic does not fit in 64 bits")

// CheckAnswer returns nil if answer is an expression of + - * / and parentheses that uses each of the numbers exactly once
// and whose exact value is target. Otherwise the error says in one line what is wrong.
func CheckAnswer(answer string, numbers []int, target int) error {
	switch {
	case answer == GiveUp:
		return errors.New("gave up")
	case len(answer) > maxAnswerBytes:
		return fmt.Errorf("%d bytes, want at most %d", len(answer), maxAnswerBytes)
	}
	e := expression{text: answer}
	value := e.sum(0)
	e.skipSpaces()
	if e.fault == "" && e.at < len(e.text) {
		e.fail(fmt.Sprintf("unexpected %q", e.text[e.at:e.at+1]))
	}
	if e.fault != "" {
		return fmt.Errorf("%.80q: %s at byte %d", answer, e.fault, e.faultAt)
	}
	want := make([]int64, len(numbers))
	for i, n := range numbers {
		want[i] = int64(n)
	}
	slices.Sort(want)
	slices.Sort(e.used)
	switch {
	case !slices.Equal(e.used, want):
		return fmt.Errorf("%.80q uses %.80s, want %v", answer, fmt.Sprint(e.used), want)
	case e.zeroDivisor:
		return fmt.Errorf("%.80q divides by zero", answer)
	case e.overflow:
		return ErrOverflow
	case value.denominator != 1:
		return fmt.Errorf("%.80q = %d/%d, want %d", answer, value.numerator, value.denominator, target)
	case value.numerator != int64(target):
		return fmt.Errorf("%.80q = %d, want %d", answer, value.numerator, target)
	}
	return nil
}

// expression reads and evaluates in one pass. After an overflow or a zero divisor it reads on, because what the expression
// uses decides first; after a fault all of its methods return at once.
type expression struct {
	text        string
	at          int
	used        []int64
	overflow    bool
	zeroDivisor bool
	fault       string
	faultAt     int
}

func (e *expression) fail(fault string) {
	if e.fault == "" {
		e.fault, e.faultAt = fault, e.at
	}
}

func (e *expression) skipSpaces() {
	for e.at < len(e.text) && isSpace(e.text[e.at]) {
		e.at++
	}
}

// operator reads one of the two operators if it comes next.
func (e *expression) operator(one, other byte) (byte, bool) {
	e.skipSpaces()
	if e.fault != "" || e.at == len(e.text) || e.text[e.at] != one && e.text[e.at] != other {
		return 0, false
	}
	e.at++
	return e.text[e.at-1], true
}

func (e *expression) sum(depth int) rational {
	value := e.product(depth)
	for {
		operator, ok := e.operator('+', '-')
		if !ok {
			return value
		}
		value = e.apply(operator, value, e.product(depth))
	}
}

func (e *expression) product(depth int) rational {
	value := e.factor(depth)
	for {
		operator, ok := e.operator('*', '/')
		if !ok {
			return value
		}
		value = e.apply(operator, value, e.factor(depth))
	}
}

func (e *expression) apply(operator byte, x, y rational) rational {
	if operator == '/' && y.numerator == 0 {
		e.zeroDivisor = true
		return rational{0, 1}
	}
	value, ok := apply(operator, x, y)
	if !ok {
		e.overflow = true
		return rational{1, 1}
	}
	return value
}

func (e *expression) factor(depth int) rational {
	one := rational{1, 1}
	e.skipSpaces()
	switch {
	case e.fault != "":
		return one
	case e.at == len(e.text):
		e.fail("unexpected end")
		return one
	case e.text[e.at] == '(':
		if depth == maxDepth {
			e.fail(fmt.Sprintf("more than %d parentheses deep", maxDepth))
			return one
		}
		e.at++
		value := e.sum(depth + 1)
		if _, ok := e.operator(')', ')'); !ok {
			e.fail("want )")
		}
		return value
	case e.text[e.at] < '0' || e.text[e.at] > '9':
		e.fail(fmt.Sprintf("unexpected %q", e.text[e.at:e.at+1]))
		return one
	}
	n, rest, fits, _ := parseNumber(e.text[e.at:])
	if !fits {
		e.fail("a number of more than 64 bits")
		return one
	}
	e.at = len(e.text) - len(rest)
	e.used = append(e.used, n)
	return rational{n, 1}
}
