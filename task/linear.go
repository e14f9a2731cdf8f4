package task

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// LinearOptions describe a task of linear equations.
type LinearOptions struct {
	LargestFactor   int // of x, 3 to 20; 0 means 9
	LargestTerm     int // added or taken away, 5 to 99; 0 means 30
	LargestSolution int // 10 to 99; 0 means 20
	LargestResult   int // of any operation of a check, 50 to 9999; 0 means 199, the largest integer with a token
	HeldOutPercent  int // of the groups, 5 to 50; 0 means 20
}

func (o LinearOptions) resolved() LinearOptions {
	setDefault(&o.LargestFactor, 9)
	setDefault(&o.LargestTerm, 30)
	setDefault(&o.LargestSolution, 20)
	setDefault(&o.LargestResult, 199)
	setDefault(&o.HeldOutPercent, 20)
	return o
}

func setDefault(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

// within returns an error if a number of a task's options is out of its bounds.
func within(task, name string, got, from, to int) error {
	if got < from || got > to {
		return fmt.Errorf("task: %s: %s: got %d, want %d to %d", task, name, got, from, to)
	}
	return nil
}

// Validate returns all faults of the options as one error.
func (o LinearOptions) Validate() error {
	o = o.resolved()
	return errors.Join(
		within("linear", "largest factor", o.LargestFactor, 3, 20),
		within("linear", "largest term", o.LargestTerm, 5, 99),
		within("linear", "largest solution", o.LargestSolution, 10, 99),
		within("linear", "largest result", o.LargestResult, 50, 9999),
		within("linear", "held-out percent", o.HeldOutPercent, 5, 50),
	)
}

// Linear is the task of solving a x + b = c or a x - b = c for a whole x from 1 to the largest solution, where an attempt
// is a value that is put into the equation, as in "x=4 3*4=12 12+7=19". Equations that differ by a factor alone are one
// group. A value whose check has a result that is not positive, or too large, is not tried.
type Linear struct {
	equationTask
	options LinearOptions
}

// NewLinear returns a task of linear equations. Its problems belong to the name "linear", whatever its options.
func NewLinear(o *LinearOptions) (*Linear, error) {
	if o == nil {
		o = &LinearOptions{}
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return newLinear(o.resolved()), nil
}

// The numbers of a linear problem are a, b and c; b is negative where it is taken away.
func newLinear(o LinearOptions) *Linear {
	l := &Linear{options: o}
	l.equationTask = equationTask{
		name: "linear", heldOut: o.HeldOutPercent, make: l.numbers, describe: describeLinear, values: l.values, check: checkLinear,
	}
	return l
}

// Options returns the options with their defaults filled in.
func (l *Linear) Options() LinearOptions { return l.options }

// numbers draws a, b and x uniformly, together, until no result of the solution's check is too small or too large.
func (l *Linear) numbers(random *rand.Rand) []int {
	for {
		a, b, x := 2+random.IntN(l.options.LargestFactor-1), 1+random.IntN(l.options.LargestTerm), 1+random.IntN(l.options.LargestSolution)
		if random.IntN(2) == 0 {
			b = -b
		}
		if numbers := []int{a, b, a*x + b}; l.canTry(numbers, x) {
			return numbers
		}
	}
}

func (l *Linear) canTry(numbers []int, x int) bool {
	product, sum := numbers[0]*x, numbers[0]*x+numbers[1]
	return sum >= 1 && max(product, sum) <= l.options.LargestResult
}

func (l *Linear) values(numbers []int, _ int) []int {
	var values []int
	for x := 1; x <= l.options.LargestSolution; x++ {
		if l.canTry(numbers, x) {
			values = append(values, x)
		}
	}
	return values
}

func describeLinear(numbers []int) (group, question string, solution int) {
	a, b, c := numbers[0], numbers[1], numbers[2]
	shared := divisor(a, divisor(max(b, -b), c))
	return fmt.Sprintf("%d,%d,%d", a/shared, b/shared, c/shared), fmt.Sprintf("Solve %dx%+d=%d for x.", a, b, c), (c - b) / a
}

// divisor is the greatest common divisor of two numbers from 0.
func divisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func checkLinear(numbers []int, x int) []Step {
	a, b := numbers[0], numbers[1]
	steps := []Step{{a, x, '*', a * x}}
	if b < 0 {
		return append(steps, Step{a * x, -b, '-', a*x + b})
	}
	return append(steps, Step{a * x, b, '+', a*x + b})
}

// MultiplicationOptions describe a task of multiplications.
type MultiplicationOptions struct {
	LargestFactor  int // 30 to 99; 0 means 99
	LargestProduct int // 10*LargestFactor to 9999; 0 means 999, or 10*LargestFactor if that is more
	Spread         int // how far from the product an attempt may be, 1 to 200; 0 means 20
	HeldOutPercent int // of the groups, 5 to 50; 0 means 20
}

func (o MultiplicationOptions) resolved() MultiplicationOptions {
	setDefault(&o.LargestFactor, 99)
	setDefault(&o.LargestProduct, max(999, 10*o.LargestFactor))
	setDefault(&o.Spread, 20)
	setDefault(&o.HeldOutPercent, 20)
	return o
}

// Validate returns all faults of the options as one error.
func (o MultiplicationOptions) Validate() error {
	o = o.resolved()
	return errors.Join(
		within("multiplication", "largest factor", o.LargestFactor, 30, 99),
		within("multiplication", "largest product", o.LargestProduct, 10*o.LargestFactor, 9999),
		within("multiplication", "spread", o.Spread, 1, 200),
		within("multiplication", "held-out percent", o.HeldOutPercent, 5, 50),
	)
}

// Multiplication is the task of multiplying a number from 11 on by one from 2 on, where an attempt is a value that is
// compared with the product of tens and ones, as in "x=272 40*6=240 7*6=42 240+42=282". Two factors in either order are
// one group.
type Multiplication struct {
	equationTask
	options MultiplicationOptions
}

// NewMultiplication returns a task of multiplications. Its problems belong to the name "multiplication", whatever its options.
func NewMultiplication(o *MultiplicationOptions) (*Multiplication, error) {
	if o == nil {
		o = &MultiplicationOptions{}
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return newMultiplication(o.resolved()), nil
}

func newMultiplication(o MultiplicationOptions) *Multiplication {
	m := &Multiplication{options: o}
	m.equationTask = equationTask{
		name: "multiplication", heldOut: o.HeldOutPercent, make: m.numbers, describe: describeMultiplication, values: m.values, check: checkMultiplication,
	}
	return m
}

// Options returns the options with their defaults filled in.
func (m *Multiplication) Options() MultiplicationOptions { return m.options }

// numbers draws both factors uniformly, together, until the product is not too large.
func (m *Multiplication) numbers(random *rand.Rand) []int {
	for {
		a, b := 11+random.IntN(m.options.LargestFactor-10), 2+random.IntN(m.options.LargestFactor-1)
		if a*b <= m.options.LargestProduct {
			return []int{a, b}
		}
	}
}

func (m *Multiplication) values(_ []int, solution int) []int {
	var values []int
	for x := max(1, solution-m.options.Spread); x <= solution+m.options.Spread; x++ {
		values = append(values, x)
	}
	return values
}

func describeMultiplication(numbers []int) (group, question string, solution int) {
	a, b := numbers[0], numbers[1]
	return strconv.Itoa(min(a, b)) + "*" + strconv.Itoa(max(a, b)), fmt.Sprintf("Multiply %d by %d.", a, b), a * b
}

// checkMultiplication is the same for every x: it computes the product, with which the value is compared.
func checkMultiplication(numbers []int, _ int) []Step {
	a, b := numbers[0], numbers[1]
	tens, ones := a/10*10, a%10
	if ones == 0 {
		return []Step{{a, b, '*', a * b}}
	}
	return []Step{{tens, b, '*', tens * b}, {ones, b, '*', ones * b}, {tens * b, ones * b, '+', a * b}}
}
