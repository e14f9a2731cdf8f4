package task

import (
	"fmt"
	"strings"
	"testing"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

var equations = []string{"linear", "multiplication"}

// TestEquationsDoNotLeak: no group is in both splits, the same equation times a factor and the factors
// in the other order are one group, and the share that is held out is the asked one.
func TestEquationsDoNotLeak(t *testing.T) {
	for _, name := range equations {
		e := Registry[name].(SearchTask)
		groups := map[Split]map[string]bool{Train: {}, HeldOut: {}}
		for split, n := range map[Split]int{Train: 900, HeldOut: 200} {
			list, err := e.Problems(split, 1, n)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range list {
				groups[split][p.Group] = true
			}
		}
		coldStart, err := NewColdStart(e, &ColdStartOptions{Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(2000) {
			if x := coldStart.Example(i); x.Kind != Facts {
				groups[Train][x.Problem.Group] = true
			}
		}
		for group := range groups[HeldOut] {
			if groups[Train][group] {
				t.Errorf("%s: group %s is in both splits", name, group)
			}
		}
		held := 0
		for i := range 10000 {
			held += int(splitOf(e, fmt.Sprint("group ", i)))
		}
		if held < 1850 || held > 2150 {
			t.Errorf("%s: %d of 10000 groups are held out, want 2000", name, held)
		}
	}
	l, m := newLinear(LinearOptions{}.resolved()), newMultiplication(MultiplicationOptions{}.resolved())
	if a, b := l.problem([]int{2, -4, 6}), l.problem([]int{3, -6, 9}); a.Group != b.Group || a.ID == b.ID || a.Target != 5 {
		t.Errorf("%+v and %+v, want one group and x=5", a, b)
	}
	if a, b := m.problem([]int{12, 34}), m.problem([]int{34, 12}); a.Group != b.Group || a.ID == b.ID {
		t.Errorf("%+v and %+v, want one group", a, b)
	}
}

func splitOf(t Task, group string) Split {
	switch e := t.(type) {
	case *Linear:
		return e.Split(group)
	case *Multiplication:
		return e.Split(group)
	}
	return Train
}

// TestEquationsAreSolvedOnce solves every problem by trying all values, and reads the question anew.
func TestEquationsAreSolvedOnce(t *testing.T) {
	for _, name := range equations {
		e := Registry[name].(SearchTask)
		for _, split := range []Split{Train, HeldOut} {
			list, err := e.Problems(split, 3, 200)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range list {
				var a, b, c int
				if name == "linear" {
					if _, err := fmt.Sscanf(p.Question, "Solve %dx%d=%d for x.", &a, &b, &c); err != nil || a*p.Target+b != c {
						t.Fatalf("%+v: %v", p, err)
					}
				} else if _, err := fmt.Sscanf(p.Question, "Multiply %d by %d.", &a, &b); err != nil || a*b != p.Target || a*b > 999 {
					t.Fatalf("%+v: %v", p, err)
				}
				solved := 0
				for _, attempt := range e.tries(p) {
					trace := Trace(e, p, attempt.String()+" ok\n")
					if len(trace.Attempts) != 1 || !trace.Attempts[0].Legal || !trace.Attempts[0].True {
						t.Fatalf("%s: attempt %q is read as %+v", p.ID, attempt, trace.Attempts)
					}
					if trace.Attempts[0].Solves != (attempt.Result == p.Target) {
						t.Fatalf("%s: attempt %q is said to solve: %v", p.ID, attempt, trace.Attempts[0].Solves)
					}
					if trace.Attempts[0].Solves {
						solved++
					}
				}
				odds, err := e.Odds(p)
				if err != nil || solved != 1 || odds != (Odds{len(e.tries(p)), 1}) {
					t.Fatalf("%s: solved by %d attempts, odds %+v, %v", p.ID, solved, odds, err)
				}
			}
		}
	}
}

// TestChecksAreJudged: a verdict is true or not by the solution alone, an operation by its result, and what is
// no check of the value is not legal.
func TestChecksAreJudged(t *testing.T) {
	linear := newLinear(LinearOptions{}.resolved())
	p := linear.problem([]int{3, 7, 22}) // x=5
	for text, want := range map[string]string{
		"x=5 3*5=15 15+7=22 ok\n":       "legal true solves truthful",
		"x=5 5*3=15 7+15=22 ok\n":       "legal true solves truthful",
		"x=5 3*5=15 15+7=22 no\n":       "legal true solves lie",
		"x=4 3*4=12 12+7=19 no\n":       "legal true truthful",
		"x=4 3*4=12 12+7=22 ok\n":       "legal lie",
		"x=4 3*4=15 15+7=22 ok\n":       "lie",
		"x=5 ok\n":                      "true solves truthful",
		"x=5 1*1=1 ok\n":                "true solves truthful",
		"x=99999999999999999999 ok\n":   "true lie",
		"x=-5 3*5=15 15+7=22 no\n":      "true truthful",
		"x=5 3*5=15 15+7=22":            "legal true solves truthful",
		"x=5 3*5=15 15+7=2x2 15=7 no\n": "true solves lie",
	} {
		trace := linear.Trace(p, text)
		if len(trace.Attempts) != 1 {
			t.Errorf("%q: %d attempts", text, len(trace.Attempts))
			continue
		}
		a, got := trace.Attempts[0], ""
		for _, word := range []struct {
			is   bool
			text string
		}{{a.Legal, "legal"}, {a.True, "true"}, {a.Solves, "solves"}, {a.Truthful(), "truthful"}, {!a.Truthful(), "lie"}} {
			if word.is {
				got += " " + word.text
			}
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	trace := linear.Trace(p, "x=4 3*4=12 12+7=19 no\nwait x=5 3*5=15 15+7=22 ok\n</think>\n<answer>5</answer><|end|>")
	if trace.Reflections != 1 || !trace.Right || !trace.Converted || trace.FalseOK+trace.FalseNo != 0 {
		t.Errorf("%+v", trace)
	}
	trace = linear.Trace(p, "3*4=12 x=4 x=6 ok\n\nwait 1+1=2\n</think>\n<answer>none</answer>")
	if len(trace.Attempts) != 2 || trace.Attempts[0].Claim != behaviour.Unsaid || trace.FalseOK != 1 || !trace.GaveUp || trace.Reflections != 0 {
		t.Errorf("%+v", trace)
	}
}

func TestEquationGrades(t *testing.T) {
	m := newMultiplication(MultiplicationOptions{}.resolved())
	p := m.problem([]int{47, 6})
	if p.Question != "Multiply 47 by 6." || p.ID != "multiplication/47/6" || p.Prompt != Prompt(p.Question) {
		t.Errorf("%+v", p)
	}
	for answer, want := range map[string]verify.Outcome{
		"282": verify.Right, "x=282": verify.Right, " 282 ": verify.Right, "283": verify.Wrong, "none": verify.Wrong, "": verify.Wrong,
		"282.0": verify.Wrong, "47*6": verify.Wrong, "99999999999999999999": verify.Wrong,
	} {
		if got := Grade(p, "x\n</think>\n<answer>"+answer+"</answer><|end|>"); got.Outcome != want {
			t.Errorf("%q: %v, want %v", answer, got, want)
		}
	}
	if got := m.Grade(Problem{}, "</think><answer>1</answer>"); got.Outcome != verify.Unknown {
		t.Errorf("a problem without numbers: %v", got)
	}
	if got := checkMultiplication([]int{40, 6}, 1); len(got) != 1 || got[0].Result != 240 {
		t.Errorf("40 times 6 is checked by %v", got)
	}
}

func TestEquationOptions(t *testing.T) {
	if _, err := NewLinear(&LinearOptions{LargestFactor: 1, HeldOutPercent: 90}); err == nil || !strings.Contains(err.Error(), "largest factor: got 1") || !strings.Contains(err.Error(), "held-out percent") {
		t.Errorf("linear: %v", err)
	}
	if _, err := NewMultiplication(&MultiplicationOptions{LargestFactor: 99, LargestProduct: 100}); err == nil || !strings.Contains(err.Error(), "largest product: got 100") {
		t.Errorf("multiplication: %v", err)
	}
	l, err := NewLinear(nil)
	if err != nil || l.Options().LargestSolution != 20 {
		t.Errorf("%+v, %v", l, err)
	}
	m, err := NewMultiplication(&MultiplicationOptions{LargestFactor: 30, LargestProduct: 300, HeldOutPercent: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Problems(HeldOut, 1, 5); err != nil {
		t.Error(err)
	}
	// The smallest and the largest settings have problems in both splits.
	for _, o := range []LinearOptions{{LargestFactor: 3, LargestTerm: 5, LargestSolution: 10, HeldOutPercent: 5}, {LargestFactor: 20, LargestTerm: 99, LargestSolution: 99, LargestResult: 50}} {
		l, err := NewLinear(&o)
		if err != nil {
			t.Fatal(err)
		}
		for _, split := range []Split{Train, HeldOut} {
			if _, err := l.Problems(split, 1, 1); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestEquationsFitTheLab: a text of the most attempts that the lab makes fits in its positions, without a byte that has to
// stand for more than one character.
func TestEquationsFitTheLab(t *testing.T) {
	lab := tokenizer.Lab()
	for _, name := range equations {
		c := coldStart(t, name, ColdStartOptions{Mixture: Mixture{Long: 1}, MaxAttempts: 1, LongAttempts: 1})
		longest := 0
		for i := range uint64(500) {
			e := c.Example(i)
			ids, _ := e.Tokens(lab)
			longest = max(longest, len(ids)-len(lab.Encode(e.Prompt)))
		}
		t.Logf("%s: an attempt and an answer take up to %d tokens", name, longest)
		if longest > 45 {
			t.Errorf("%s: %d tokens for an attempt and an answer", name, longest)
		}
	}
}
