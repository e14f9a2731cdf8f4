package behaviour

import (
	"strings"
	"testing"
	"time"
)

// threeX is 3x+7=22 with its check by substitution.
var threeX = Equation{Solution: 5, IsCheck: func(x int64, o []Operation) bool {
	return len(o) == 2 && o[0].Left == 3 && o[0].Right == x && o[0].Operator == '*' && o[1].Left == 3*x && o[1].Right == 7 && o[1].Operator == '+'
}}

func TestProposals(t *testing.T) {
	trace := ParseProposals("<think>\nx=4 3*4=12 12+7=19 no\nwait x=6 3*6=18 18+7=25 ok\nwait wait x=5 3*5=14 ok\n</think>\n<answer>5</answer><|end|>", threeX)
	if len(trace.Attempts) != 3 || trace.Reflections != 2 || trace.FalseOK != 1 || trace.FalseNo != 0 || !trace.Right || !trace.Converted || trace.GaveUp {
		t.Fatalf("%+v", trace)
	}
	for i, want := range []Attempt{
		{Start: 8, End: 29, Legal: true, True: true, Proposed: true, Result: 4, Claim: SaidNo},
		{Start: 30, End: 56, Legal: true, True: true, Proposed: true, Result: 6, Claim: SaidOK, Reflection: true},
		{Start: 57, End: 80, Proposed: true, Result: 5, Solves: true, Claim: SaidOK, Reflection: true},
	} {
		got := trace.Attempts[i]
		got.Operations = nil
		if got.Start != want.Start || got.End != want.End || got.Legal != want.Legal || got.True != want.True || got.Result != want.Result ||
			got.Solves != want.Solves || got.Claim != want.Claim || got.Reflection != want.Reflection || !got.Proposed {
			t.Errorf("attempt %d: got %+v, want %+v", i, got, want)
		}
	}
	// What is no proposal is no attempt, and a countdown knows no proposals.
	if trace := ParseProposals("3*5=15 ok\n3*4=12\nx= ok\n", threeX); len(trace.Attempts) != 0 {
		t.Errorf("%+v", trace.Attempts)
	}
	if trace := Parse("x=5 3*5=15 ok\n", []int{3, 5}, 15); len(trace.Attempts) != 1 || trace.Attempts[0].Proposed || trace.Attempts[0].Legal {
		t.Errorf("%+v", trace.Attempts)
	}
}

func TestCheckNumber(t *testing.T) {
	for answer, ok := range map[string]bool{"5": true, "x=5": true, "05": true, "-5": false, "5 ": false, "5x": false, "none": false, "": false, "x=": false, "99999999999999999999": false} {
		if err := CheckNumber(answer, 5); (err == nil) != ok {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

func FuzzParseProposals(f *testing.F) {
	f.Add("x=4 3*4=12 12+7=19 no\nwait x=5 3*5=15 15+7=22 ok\n</think>\n<answer>5</answer><|end|>", int64(5))
	f.Add("x=-9223372036854775808 x=9223372036854775808 ok wait ok x=1 no", int64(-1))
	f.Fuzz(func(t *testing.T, text string, solution int64) {
		trace := ParseProposals(text, Equation{Solution: solution})
		end, reflections := 0, 0
		for i, a := range trace.Attempts {
			if a.Start < end || a.End <= a.Start || a.End > len(text) || !a.Proposed || !strings.Contains(text[a.Start:a.End], "x=") {
				t.Errorf("attempt %d at [%d,%d) after %d", i, a.Start, a.End, end)
			}
			end = a.End
			if a.Reflection {
				reflections++
			}
			if a.Solves && a.Result != solution {
				t.Errorf("attempt %d of %d solves for %d", i, a.Result, solution)
			}
		}
		if reflections != trace.Reflections || trace.Right && (trace.GaveUp || !trace.Answered) || trace.Converted && !(trace.Right && reflections > 0) {
			t.Errorf("inconsistent %+v", trace)
		}
	})
}

func TestProposalsAreLinear(t *testing.T) {
	for _, piece := range []string{"x=1 ", "x=1 1+1=2 ", "wait x=1 ok\n", "x=", "x"} {
		if took := quickest(5*time.Second, func() { ParseProposals(strings.Repeat(piece, 2<<20/len(piece)), threeX) }); took > 5*time.Second {
			t.Errorf("%q repeated to 2 MiB took %v", piece, took)
		}
	}
}
