package behaviour

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the expectations of testdata/traces.txt anew")

// testdata/traces.txt holds cases parted by lines of "====": comments, "numbers", "target", the trace, "----", what Parse says.
func TestTraces(t *testing.T) {
	data, err := os.ReadFile("testdata/traces.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(data), "====\n")
	for i, c := range cases {
		head, want, found := strings.Cut(c, "----\n")
		if !found {
			t.Fatalf("case %d has no line of ----", i)
		}
		numbers, target, trace := readCase(t, head)
		got := describe(trace, Parse(trace, numbers, target))
		if got != want && !*update {
			t.Errorf("case %d:\n%s\ngot\n%s\nwant\n%s", i, head, got, want)
		}
		cases[i] = head + "----\n" + got
	}
	if len(cases) < 15 {
		t.Errorf("%d cases", len(cases))
	}
	if *update {
		if err := os.WriteFile("testdata/traces.txt", []byte(strings.Join(cases, "====\n")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func readCase(t *testing.T, head string) (numbers []int, target int, trace string) {
	for strings.HasPrefix(head, "#") {
		_, head, _ = strings.Cut(head, "\n")
	}
	first, trace, _ := strings.Cut(head, "\n")
	list, last, found := strings.Cut(strings.TrimPrefix(first, "numbers"), " target ")
	if !found {
		t.Fatalf("line %q", first)
	}
	for _, field := range strings.Fields(list) {
		numbers = append(numbers, atoi(t, field))
	}
	return numbers, atoi(t, last), strings.TrimSuffix(trace, "\n")
}

func atoi(t *testing.T, text string) (n int) {
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func describe(text string, trace Trace) string {
	var out strings.Builder
	word := func(is bool, name string) string {
		if is {
			return " " + name
		}
		return ""
	}
	for i, a := range trace.Attempts {
		fmt.Fprintf(&out, "%d %q result %d%s%s%s%s%s\n", i+1, text[a.Start:a.End], a.Result, word(a.Legal, "legal"), word(a.True, "true"),
			word(a.Solves, "solves"), word(a.Reflection, "reflection"), [...]string{" unsaid", " ok", " no"}[a.Claim]+word(!a.Truthful(), "UNTRUE"))
		for _, o := range a.Operations {
			if !o.True || !o.Legal {
				fmt.Fprintf(&out, "  %d%c%d=%d%s%s\n", o.Left, o.Operator, o.Right, o.Result, word(o.Legal, "legal"), word(o.True, "true"))
			}
		}
	}
	fmt.Fprintf(&out, "attempts %d reflections %d false-ok %d false-no %d keywords %d\n", len(trace.Attempts), trace.Reflections, trace.FalseOK, trace.FalseNo, trace.Keywords.Total())
	if trace.Answered {
		fmt.Fprintf(&out, "answer %q%s%s%s\n", trace.Answer, word(trace.GaveUp, "gave-up"), word(trace.Right, "right"), word(trace.Converted, "converted"))
	}
	return out.String()
}

func TestCheckAnswer(t *testing.T) {
	for _, c := range []struct {
		answer  string
		numbers []int
		target  int
		want    string // "" for right
	}{
		{"(3*7)+11", []int{3, 7, 11}, 32, ""},
		{"11 + 7*3", []int{3, 7, 11}, 32, ""},
		{"((((11))))+((3)*7)", []int{3, 7, 11}, 32, ""},
		{"11-3+7", []int{3, 7, 11}, 15, ""},
		{"8/(3-8/3)", []int{3, 3, 8, 8}, 24, ""},
		{"5/3*6", []int{3, 5, 6}, 10, ""},
		{"1-2-3", []int{1, 2, 3}, -4, ""},
		{"8/4/2", []int{2, 4, 8}, 1, ""},
		{"7/2", []int{2, 7}, 3, `"7/2" = 7/2, want 3`},
		{"3*7+11", []int{3, 7, 11}, 33, `"3*7+11" = 32, want 33`},
		{"3*7", []int{3, 7, 11}, 21, `"3*7" uses [3 7], want [3 7 11]`},
		{"3*7+11+11", []int{3, 7, 11}, 43, `uses [3 7 11 11]`},
		{"32", []int{3, 7, 11}, 32, `uses [32]`},
		{"none", []int{3, 7, 11}, 32, "gave up"},
		{"", []int{3}, 3, `unexpected end at byte 0`},
		{"3+", []int{3}, 3, `unexpected end at byte 2`},
		{"(3+7", []int{3, 7}, 10, `want ) at byte 4`},
		{"3+7)", []int{3, 7}, 10, `unexpected ")" at byte 3`},
		{"3 7", []int{3, 7}, 10, `unexpected "7" at byte 2`},
		{"-3+7", []int{3, 7}, 4, `unexpected "-" at byte 0`},
		{"3+7=10", []int{3, 7}, 10, `unexpected "=" at byte 3`},
		{"3**7", []int{3, 7}, 10, `unexpected "*" at byte 2`},
		{"os.Exit(3)", []int{3}, 3, `unexpected "o" at byte 0`},
		{"3/(7-7)", []int{3, 7, 7}, 1, "divides by zero"},
		{"99999999999999999999", []int{3}, 3, "more than 64 bits"},
		{"4294967296*4294967296*3", []int{3, 4294967296, 4294967296}, 3, ErrOverflow.Error()},
		{"4294967296*4294967296", []int{3}, 3, "uses [4294967296 4294967296], want [3]"},
		{strings.Repeat("(", 64) + "3" + strings.Repeat(")", 64), []int{3}, 3, ""},
		{strings.Repeat("(", 65) + "3" + strings.Repeat(")", 65), []int{3}, 3, "64 parentheses deep"},
		{strings.Repeat(" ", 1024) + "3", []int{3}, 3, "1025 bytes, want at most 1024"},
	} {
		err := CheckAnswer(c.answer, c.numbers, c.target)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("CheckAnswer(%.40q, %v, %d) = %v, want %q", c.answer, c.numbers, c.target, err, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ completion, thought, answer, want string }{
		{"<think>\na\n</think>\n<answer> 3 </answer><|end|>", "\na\n", "3", ""},
		{"a</think><answer></answer>", "a", "", ""},
		{"a", "a", "", "the thought does not end"},
		{"<answer>3</answer></think>", "<answer>3</answer>", "", "no answer after"},
		{"a</think>3", "a", "", "no answer after"},
		{"a</think><answer>3", "a", "", "the answer does not end"},
		{"a</think><answer>3</answer><answer>4</answer>", "a", "", "more than one answer"},
		{"a</think><answer>3<answer>4</answer>", "a", "", "more than one answer"},
	} {
		thought, answer, err := Split(c.completion)
		if thought != c.thought || answer != c.answer || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("Split(%q) = %q %q %v, want %q %q %q", c.completion, thought, answer, err, c.thought, c.answer, c.want)
		}
	}
}

func TestKeywords(t *testing.T) {
	got := CountKeywords("Wait, wait. However, BUT butter; checkout check\tawait mistake-error re-verify evaluated wrongly é wrong")
	want := Keywords{2, 1, 1, 1, 0, 1, 1, 1, 0, 1}
	if got != want || got.Total() != 9 {
		t.Errorf("got %v total %d, want %v", got, got.Total(), want)
	}
}

func TestTotals(t *testing.T) {
	numbers := []int{3, 7, 11}
	var totals Totals
	for _, text := range []string{
		"3+7=10 10+11=21 no\nwait 3*7=21 21+11=32 ok\n</think>\n<answer>(3*7)+11</answer>",
		"3*7=21 21+11=32 no\n</think>\n<answer>none</answer>",
		"3+7=11 11+11=22 ok\nwait 3+7=10 10+11=21 ok\n</think>\n<answer>3+7+11</answer>",
		"",
		strings.Repeat("3+7=10 10*11=110 no\nwait ", 70),
	} {
		totals.Add(Parse(text, numbers, 32))
	}
	positions := totals.Positions
	if len(positions) != 64 || positions[63].Attempts != 7 || len(totals.ByAttempts) != 65 || totals.ByAttempts[64] != 1 {
		t.Fatalf("%d positions, %d lengths, last %+v", len(positions), len(totals.ByAttempts), positions[len(positions)-1])
	}
	if want := (Position{Attempts: 4, Solving: 1, SaidOK: 1, SaidNo: 3, FalseOK: 1, FalseNo: 1}); positions[0] != want {
		t.Errorf("first position %+v, want %+v", positions[0], want)
	}
	if want := (Position{Attempts: 3, Solving: 1, SaidOK: 2, SaidNo: 1, FalseOK: 1}); positions[1] != want {
		t.Errorf("second position %+v, want %+v", positions[1], want)
	}
	said, untrue := totals.Verdicts()
	if said != 75 || untrue != 3 {
		t.Errorf("%d verdicts, %d untrue, want 75 and 3", said, untrue)
	}
	totals.Positions, totals.ByAttempts = nil, nil
	want := Totals{Traces: 5, Right: 1, GaveUp: 1, Unanswered: 2, Attempts: 75, Reflections: 71, Operations: 150, TrueOperations: 149,
		FalseOK: 2, FalseNo: 1, Converted: 1, Keywords: Keywords{72}}
	if fmt.Sprint(totals) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", totals, want)
	}
}

// quickest is how long f takes, tried until it takes no more than enough, five times at most: other work on the machine hits single tries.
func quickest(enough time.Duration, f func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for try := 0; try < 5 && best > enough; try++ {
		began := time.Now()
		f()
		best = min(best, time.Since(began))
	}
	return best
}

// A megabyte of anything is read at once: the work is linear.
func TestLinear(t *testing.T) {
	for _, piece := range []string{"3+7=10 ", "5+5=5 ", "wait ", "(", "<answer>", "1", "wait 3+7=10 ok\n", "</think>"} {
		text := strings.Repeat(piece, 2<<20/len(piece))
		took := quickest(5*time.Second, func() {
			Parse(text, []int{3, 7, 11}, 32)
			Parse("</think><answer>"+text, []int{3, 7, 11}, 32)
		})
		if took > 5*time.Second {
			t.Errorf("%q repeated to 2 MiB took %v", piece, took)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("3+7=10 10+11=21 no\nwait 3*7=21 21+11=32 ok\n</think>\n<answer>(3*7)+11</answer><|end|>", 3, 7, 11, 32)
	f.Add("<think>\nwait wait 9223372036854775807+1=-9223372036854775808 -1/-1=1 ok", 0, 0, -1, 1)
	f.Add("</think><answer>((3/0)-(7*11</answer>", 3, 7, 0, 0)
	f.Fuzz(func(t *testing.T, text string, a, b, c, target int) {
		numbers := []int{a, b, c}
		before := slices.Clone(numbers)
		trace := Parse(text, numbers, target)
		if !slices.Equal(numbers, before) {
			t.Error("Parse changed its numbers")
		}
		end, reflections, untrue := 0, 0, 0
		for i, attempt := range trace.Attempts {
			if attempt.Start < end || attempt.End <= attempt.Start || attempt.End > len(text) || len(attempt.Operations) == 0 {
				t.Errorf("attempt %d at [%d,%d) after %d", i, attempt.Start, attempt.End, end)
			}
			end = attempt.End
			if attempt.Reflection {
				reflections++
			}
			if !attempt.Truthful() {
				untrue++
			}
			if attempt.Solves && (len(attempt.Operations) != 2 || attempt.Result != int64(target)) {
				t.Errorf("attempt %d %+v solves for %d", i, attempt, target)
			}
		}
		if reflections != trace.Reflections || reflections > max(0, len(trace.Attempts)-1) || untrue != trace.FalseOK+trace.FalseNo {
			t.Errorf("%d reflections, %d untrue in %+v", reflections, untrue, trace)
		}
		if trace.Right && (trace.GaveUp || !trace.Answered) || trace.Converted && !(trace.Right && reflections > 0) {
			t.Errorf("inconsistent %+v", trace)
		}
	})
}
