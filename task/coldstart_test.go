package task

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/tokenizer"
)

var update = flag.Bool("update", false, "write testdata/coldstart.txt anew")

func coldStart(t testing.TB, name string, o ColdStartOptions) *ColdStart {
	t.Helper()
	c, err := NewColdStart(Registry[name].(SearchTask), &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// testdata/coldstart.txt pins what a seed gives. What is learnt stands in brackets.
func TestColdStartTexts(t *testing.T) {
	var out strings.Builder
	write := func(name string, o ColdStartOptions, n uint64) {
		fmt.Fprintf(&out, "# %s %+v\n", name, o)
		c := coldStart(t, name, o)
		for i := range n {
			example := c.Example(i)
			text, at := "", 0
			for _, span := range example.Targets {
				text += example.Completion[at:span.Start] + "[" + example.Completion[span.Start:span.End] + "]"
				at = span.End
			}
			fmt.Fprintf(&out, "%d %s: %s|%s\n", i, example.Kind, example.Prompt, text+example.Completion[at:])
		}
	}
	write("countdown-3", ColdStartOptions{Seed: 1}, 12)
	write("countdown-3", ColdStartOptions{Seed: 2, Mixture: Mixture{Long: 1}, LearnLongTurn: true, LargerFirst: true}, 2)
	write("countdown-3", ColdStartOptions{Seed: 3, NoReflection: true}, 6)
	write("countdown-4", ColdStartOptions{Seed: 4}, 4)
	if *update {
		if err := os.WriteFile("testdata/coldstart.txt", []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/coldstart.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the examples differ from testdata/coldstart.txt:\n%s", out.String())
	}
}

// Every example is what it says: legal attempts, true arithmetic, true verdicts, no attempt twice, the right answer.
func TestColdStartIsTrue(t *testing.T) {
	for _, test := range []struct {
		name string
		o    ColdStartOptions
		n    uint64
	}{
		{"countdown-3", ColdStartOptions{}, 6000},
		{"countdown-4", ColdStartOptions{Seed: 2, LearnLongTurn: true}, 400},
		{"countdown-3", ColdStartOptions{Seed: 3, NoReflection: true, LargerFirst: true}, 2000},
		{"countdown-3", ColdStartOptions{Seed: 4, MaxAttempts: 64, LongAttempts: 60, GiveUp: -1, Solve: -1}, 300},
		{"linear", ColdStartOptions{}, 3000},
		{"linear", ColdStartOptions{Seed: 3, NoReflection: true, LargerFirst: true}, 1000},
		{"multiplication", ColdStartOptions{}, 3000},
		{"multiplication", ColdStartOptions{Seed: 4, MaxAttempts: 64, LongAttempts: 60, GiveUp: -1, Solve: -1}, 200},
	} {
		c := coldStart(t, test.name, test.o)
		for i := range test.n {
			example := c.Example(i)
			checkTokens(t, example)
			if example.Kind == Facts {
				checkFacts(t, example)
				continue
			}
			p := example.Problem
			trace := Trace(c.task, p, example.Completion)
			solved := false
			taken := map[string]bool{}
			for _, a := range trace.Attempts {
				if solved || !a.Legal || !a.True || !a.Truthful() || a.Claim == behaviour.Unsaid || taken[canonical(a)] {
					t.Fatalf("%s example %d: attempt %+v in %q", test.name, i, a, example.Completion)
				}
				taken[canonical(a)] = true
				solved = a.Solves
			}
			n := len(trace.Attempts)
			if n < 1 || n > c.options.MaxAttempts || trace.Reflections != n-1 || p.Prompt != example.Prompt {
				t.Fatalf("%s example %d: %d attempts, %d reflections in %q", test.name, i, n, trace.Reflections, example.Completion)
			}
			if example.Kind == Verification {
				operations := 0
				for _, a := range trace.Attempts {
					operations += len(a.Operations)
				}
				// Each result is learnt, and the last one runs on into the only verdict that is.
				last := example.Targets[len(example.Targets)-1]
				learnt := example.Completion[last.Start:last.End]
				if trace.Answered || len(example.Targets) != operations || !strings.HasSuffix(learnt, " ok\n") && !strings.HasSuffix(learnt, " no\n") {
					t.Fatalf("%s example %d: %+v", test.name, i, example)
				}
				continue
			}
			if trace.Right != solved || trace.GaveUp == solved || !c.task.Format(example.Completion) {
				t.Fatalf("%s example %d: right %v, gave up %v, solved %v: %q", test.name, i, trace.Right, trace.GaveUp, solved, example.Completion)
			}
		}
	}
}

// canonical returns the steps of an attempt, sorted, with the operands of + and * in order.
func canonical(a behaviour.Attempt) string {
	var steps []string
	for _, o := range a.Operations {
		left, right := o.Left, o.Right
		if left < right && (o.Operator == '+' || o.Operator == '*') {
			left, right = right, left
		}
		steps = append(steps, fmt.Sprint(left, string(o.Operator), right))
	}
	slices.Sort(steps)
	if a.Proposed {
		steps = append(steps, fmt.Sprint(a.Result))
	}
	return strings.Join(steps, ";")
}

// checkTokens checks that the tokens are those of the text, and that what is learnt is whole tokens of the completion.
func checkTokens(t *testing.T, example Example) {
	t.Helper()
	lab := tokenizer.Lab()
	ids, learnt := example.Tokens(lab)
	if !slices.Equal(ids, lab.Encode(example.Prompt+example.Completion)) || len(learnt) != len(ids) {
		t.Fatalf("tokens of %+v", example)
	}
	var got, want strings.Builder
	for i, id := range ids {
		if text, _ := lab.Token(id); learnt[i] {
			got.WriteString(text)
		}
	}
	end := -1
	for _, span := range example.Targets {
		if span.Start <= end || span.End <= span.Start {
			t.Fatalf("spans %v", example.Targets)
		}
		end = span.End
		want.WriteString(example.Completion[span.Start:span.End])
	}
	if got.String() != want.String() || want.Len() == 0 {
		t.Fatalf("learnt %q, want %q", got.String(), want.String())
	}
}

func checkFacts(t *testing.T, example Example) {
	t.Helper()
	facts := strings.Fields(example.Prompt + example.Completion)
	for _, fact := range facts {
		trace := behaviour.Parse(fact, nil, 0)
		if len(trace.Attempts) != 1 || !trace.Attempts[0].True || trace.Attempts[0].Result < 1 || trace.Attempts[0].Result > 999 {
			t.Fatalf("fact %q", fact)
		}
	}
	if len(example.Targets) != len(facts) {
		t.Fatalf("%d results of %d facts are learnt", len(example.Targets), len(facts))
	}
}

// The shares are those of the options, within four standard errors.
func TestColdStartShares(t *testing.T) {
	c := coldStart(t, "countdown-3", ColdStartOptions{Seed: 5})
	const n = 12000
	kinds := map[Kind]int{}
	var searchAttempts, searchSolved, failures, gaveUp, longSolved, verdicts, okVerdicts, tokens int
	longLengths, verdictPlaces := map[int]int{}, map[int]int{}
	for i := range uint64(n) {
		example := c.Example(i)
		kinds[example.Kind]++
		trace := behaviour.Parse(example.Completion, example.Problem.Numbers, example.Problem.Target)
		length := len(trace.Attempts)
		switch example.Kind {
		case Search:
			ids, _ := example.Tokens(tokenizer.Lab())
			tokens += len(ids)
			searchAttempts += length
			if trace.Right {
				searchSolved++
			}
			if failed := length; length < 8 {
				if trace.Right {
					failed--
				} else {
					gaveUp++
				}
				failures += failed
			}
		case Long:
			longLengths[length]++
			if trace.Right {
				longSolved++
			}
		case Verification:
			verdicts++
			verdictPlaces[length]++
			if trace.Attempts[length-1].Solves {
				okVerdicts++
			}
		}
	}
	near := func(what string, count, of int, want float64) {
		t.Helper()
		got := float64(count) / float64(of)
		if math.Abs(got-want) > 4*math.Sqrt(want*(1-want)/float64(of)) {
			t.Errorf("%s: %d of %d = %.3f, want %.3f", what, count, of, got, want)
		}
	}
	near("search", kinds[Search], n, 0.55)
	near("long", kinds[Long], n, 0.15)
	near("verification", kinds[Verification], n, 0.2)
	near("facts", kinds[Facts], n, 0.1)
	near("solving attempts", searchSolved, searchAttempts, 0.15)
	near("giving up", gaveUp, failures, 0.5)
	near("long searches that solve", longSolved, kinds[Long], 0.5)
	near("ok verdicts", okVerdicts, verdicts, 0.5)
	for length := 5; length <= 8; length++ {
		near(fmt.Sprintf("long searches of %d", length), longLengths[length], kinds[Long], 0.25)
	}
	for place := 1; place <= 8; place++ {
		near(fmt.Sprintf("verdicts at %d", place), verdictPlaces[place], verdicts, float64(2*(8-place)+1)/64)
	}
	t.Logf("a search: %.1f tokens with its prompt, %.2f attempts, solved %.3f", float64(tokens)/float64(kinds[Search]),
		float64(searchAttempts)/float64(kinds[Search]), float64(searchSolved)/float64(kinds[Search]))
}

func TestColdStartWithoutReflection(t *testing.T) {
	c := coldStart(t, "countdown-3", ColdStartOptions{NoReflection: true})
	kinds := map[Kind]int{}
	for i := range uint64(2000) {
		example := c.Example(i)
		kinds[example.Kind]++
		trace := behaviour.Parse(example.Completion, example.Problem.Numbers, example.Problem.Target)
		if trace.Keywords.Total() > 0 || example.Kind != Facts && len(trace.Attempts) != 1 {
			t.Fatalf("example %d: %q", i, example.Completion)
		}
	}
	if kinds[Long] > 0 || kinds[Search] < 1300 || kinds[Verification] == 0 || kinds[Facts] == 0 {
		t.Errorf("kinds %v", kinds)
	}
}

func TestColdStartOptionsRefused(t *testing.T) {
	_, err := NewColdStart(Registry["countdown-3"].(*Countdown), &ColdStartOptions{Mixture: Mixture{Search: -1}, Solve: 2, GiveUp: 2, LongSolve: math.NaN(), MaxAttempts: 65, LongAttempts: 66, FactsPerText: -1})
	for _, want := range []string{"mixture", "solve: got 2", "give up: got 2", "long solve: got NaN", "max attempts: got 65", "long attempts: got 66", "facts per text: got -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if c, err := NewColdStart(Registry["countdown-3"].(*Countdown), nil); err != nil || c.Options().Solve != 0.15 {
		t.Errorf("defaults: %v", err)
	}
}

func BenchmarkExample(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			c := coldStart(b, name, ColdStartOptions{})
			tokens := 0
			for i := 0; b.Loop(); i++ {
				example := c.Example(uint64(i))
				ids, _ := example.Tokens(tokenizer.Lab())
				tokens += len(ids)
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}
