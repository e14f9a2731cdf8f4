package task

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/behaviour"
)

// obviousAttempts lists attempts by taking every ordered pair of numbers and every operator, as a set of sorted lines of steps.
func obviousAttempts(numbers []int, largest int, steps []string, found map[string]int) {
	if len(numbers) == 1 {
		sorted := slices.Sorted(slices.Values(steps))
		found[strings.Join(sorted, " ")] = numbers[0]
		return
	}
	for i, a := range numbers {
		for j, b := range numbers {
			if i == j {
				continue
			}
			var rest []int
			for k, n := range numbers {
				if k != i && k != j {
					rest = append(rest, n)
				}
			}
			for operator, result := range map[string]int{"+": a + b, "*": a * b, "-": a - b, "/": a / b} {
				commutes := operator == "+" || operator == "*"
				if result < 1 || result > largest || operator == "/" && result*b != a || commutes && a < b {
					continue
				}
				step := fmt.Sprintf("%d%s%d=%d", a, operator, b, result)
				obviousAttempts(append(slices.Clone(rest), result), largest, append(slices.Clone(steps), step), found)
			}
		}
	}
}

func TestAttempts(t *testing.T) {
	for _, numbers := range [][]int{{3, 7, 11}, {1, 1, 1}, {5, 5, 5}, {2, 4, 8}, {1, 2, 3}, {20, 20, 20}, {19, 20, 1}, {6, 3, 2},
		{3, 7, 10}, {2, 3, 7, 11}, {1, 1, 1, 1}, {10, 3, 7, 10}, {20, 10, 5, 2}} {
		c := Registry["countdown-3"].(*Countdown)
		got, err := c.Attempts(numbers)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		obviousAttempts(numbers, 199, nil, want)
		for _, a := range got {
			steps := strings.Fields(a.String())
			slices.Sort(steps)
			key := strings.Join(steps, " ")
			if result, ok := want[key]; !ok || result != a.Result {
				t.Errorf("%v: attempt %q = %d, want %d (listed: %v)", numbers, a, a.Result, result, ok)
			}
			delete(want, key)
			if err := behaviour.CheckAnswer(a.Expression(), numbers, a.Result); err != nil {
				t.Errorf("%v: attempt %q: %v", numbers, a, err)
			}
			trace := behaviour.Parse(a.String(), numbers, a.Result)
			if len(trace.Attempts) != 1 || !trace.Attempts[0].Solves {
				t.Errorf("%v: attempt %q reads as %+v", numbers, a, trace.Attempts)
			}
		}
		if len(want) > 0 {
			t.Errorf("%v: %d attempts are missing, such as %v", numbers, len(want), want)
		}
	}
}

func TestAttemptsRefused(t *testing.T) {
	c := Registry["countdown-3"].(*Countdown)
	for _, numbers := range [][]int{nil, {3}, {1, 2, 3, 4, 5}, {0, 1, 2}, {-1, 2, 3}, {1, 2, 200}} {
		if _, err := c.Attempts(numbers); err == nil {
			t.Errorf("attempts for %v", numbers)
		}
		if _, err := c.Solutions(Problem{Numbers: numbers}); err == nil {
			t.Errorf("solutions for %v", numbers)
		}
		if _, err := c.Odds(Problem{Numbers: numbers}); err == nil {
			t.Errorf("odds for %v", numbers)
		}
	}
}

func TestSolutions(t *testing.T) {
	c := Registry["countdown-3"].(*Countdown)
	solutions, err := c.Solutions(Problem{Numbers: []int{11, 3, 7}, Target: 32})
	if err != nil || len(solutions) != 1 || solutions[0].String() != "7*3=21 21+11=32" || solutions[0].Expression() != "(7*3)+11" {
		t.Errorf("solutions %v %v", solutions, err)
	}
	odds, err := c.Odds(Problem{Numbers: []int{11, 3, 7}, Target: 32})
	if attempts, _ := c.Attempts([]int{11, 3, 7}); err != nil || odds != (Odds{len(attempts), 1}) {
		t.Errorf("odds %+v %v, want %d attempts", odds, err, len(attempts))
	}
	for _, e := range []struct {
		attempt Attempt
		want    string
	}{
		{Attempt{Steps: []Step{{3, 7, '+', 10}, {11, 10, '-', 1}}}, "11-(3+7)"},
		{Attempt{Steps: []Step{{3, 7, '*', 21}, {11, 2, '+', 13}, {21, 13, '+', 34}}}, "(3*7)+(11+2)"},
		{Attempt{Steps: []Step{{3, 7, '+', 10}, {10, 2, '*', 20}, {10, 20, '+', 30}}}, "10+((3+7)*2)"},
	} {
		if got := e.attempt.Expression(); got != e.want {
			t.Errorf("expression %q, want %q", got, e.want)
		}
	}
}

func TestBlind(t *testing.T) {
	for attempts := range 12 {
		for solving := range attempts + 1 {
			odds := Odds{attempts, solving}
			for k := range 15 {
				want := 0.0
				if drawn := min(k, attempts); drawn > 0 {
					all := new(big.Int).Binomial(int64(attempts), int64(drawn))
					fail := new(big.Int)
					if attempts-solving >= drawn {
						fail.Binomial(int64(attempts-solving), int64(drawn))
					}
					want, _ = new(big.Rat).SetFrac(all.Sub(all, fail), new(big.Int).Binomial(int64(attempts), int64(drawn))).Float64()
				}
				if got := odds.Blind(k); math.Abs(got-want) > 1e-12 {
					t.Errorf("%+v blind %d: %g, want %g", odds, k, got, want)
				}
				want = 0
				if attempts > 0 {
					want = 1 - math.Pow(float64(attempts-solving)/float64(attempts), float64(k))
				}
				if got := odds.BlindWithReplacement(k); math.Abs(got-want) > 1e-12 {
					t.Errorf("%+v blind with replacement %d: %g, want %g", odds, k, got, want)
				}
			}
		}
	}
}
