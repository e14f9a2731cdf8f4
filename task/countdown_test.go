package task

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

var countdowns = []string{"countdown-3", "countdown-4"}

func countdown(t testing.TB, o CountdownOptions) *Countdown {
	t.Helper()
	c, err := NewCountdown(&o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func problems(t testing.TB, c *Countdown, split Split, seed uint64, n int) []Problem {
	t.Helper()
	list, err := c.Problems(split, seed, n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// allGroups returns the groups of n numbers up to largest.
func allGroups(n, largest int) (groups []string) {
	var extend func(numbers []int)
	extend = func(numbers []int) {
		if len(numbers) == n {
			groups = append(groups, groupOf(numbers))
			return
		}
		from := 1
		if len(numbers) > 0 {
			from = numbers[len(numbers)-1]
		}
		for next := from; next <= largest; next++ {
			extend(append(slices.Clone(numbers), next))
		}
	}
	extend(nil)
	return groups
}

func TestNoLeak(t *testing.T) {
	for _, name := range countdowns {
		c := Registry[name].(*Countdown)
		inTrain := map[string]bool{}
		for _, p := range problems(t, c, Train, 1, 2000) {
			inTrain[p.Group] = true
		}
		coldStart, err := NewColdStart(c, &ColdStartOptions{Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(1500) {
			if example := coldStart.Example(i); example.Kind != Facts {
				inTrain[example.Problem.Group] = true
			}
		}
		held := problems(t, c, HeldOut, 1, 800)
		for _, p := range held {
			if inTrain[p.Group] {
				t.Errorf("%s: group %s of a held-out problem is in training", name, p.Group)
			}
		}
		if len(inTrain) < 800 {
			t.Errorf("%s: only %d groups in training", name, len(inTrain))
		}
		share := 0
		groups := allGroups(c.options.Numbers, c.options.LargestNumber)
		for _, group := range groups {
			share += int(c.Split(group))
		}
		if got := 100 * share / len(groups); got < 18 || got > 22 {
			t.Errorf("%s: %d %% of %d groups are held out, want 20", name, got, len(groups))
		}
	}
}

// The smallest task that the options allow has problems in both splits, and so has every larger one.
func TestSmallestTask(t *testing.T) {
	c := countdown(t, CountdownOptions{LargestNumber: 10, HeldOutPercent: 5, LargestResult: 30, SmallestTarget: 10})
	for _, split := range []Split{Train, HeldOut} {
		if got := problems(t, c, split, 1, 20); len(got) != 20 {
			t.Errorf("%d %s problems", len(got), split)
		}
	}
	if got, err := c.Problems(HeldOut, 1, 5000); !errors.Is(err, ErrFewer) || !strings.Contains(err.Error(), "no more than") || len(got) < 20 || len(got) >= 5000 {
		t.Errorf("5000 held-out problems: %d, error %v", len(got), err)
	}
}

func TestProblems(t *testing.T) {
	for _, name := range countdowns {
		c := Registry[name].(*Countdown)
		list := problems(t, c, HeldOut, 5, 300)
		if again := problems(t, countdown(t, c.Options()), HeldOut, 5, 300); !reflect.DeepEqual(list, again) {
			t.Errorf("%s: the same seed gives other problems", name)
		}
		ids := map[string]bool{}
		for _, p := range list {
			ids[p.ID] = true
			odds, err := c.Odds(p)
			if err != nil || odds.Solving < 1 || odds.Solving > odds.Attempts {
				t.Errorf("%s: odds %+v %v", p.ID, odds, err)
			}
			if p.Task != name || p.Group != groupOf(p.Numbers) || len(p.Numbers) != c.options.Numbers || c.Split(p.Group) != HeldOut ||
				p.Target < 20 || p.Target > 199 || p.Numbers[0] < 1 || p.Numbers[len(p.Numbers)-1] > 20 {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if len(ids) != 300 {
			t.Errorf("%s: %d distinct problems of 300", name, len(ids))
		}
		if other := problems(t, c, HeldOut, 6, 1)[0]; other.ID == list[0].ID {
			t.Errorf("%s: seeds 5 and 6 begin with the same problem", name)
		}
	}
	c := countdown(t, CountdownOptions{})
	p := c.problem("3-7-11", []int{3, 7, 11}, 32)
	want := "<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n"
	if p.Prompt != want || p.Question != "Use 3, 7, 11 to make 32." || p.ID != "countdown-3/3-7-11/32" {
		t.Errorf("problem %+v, want the prompt %q", p, want)
	}
}

// No prompt asks for checking or reflection; the tag that opens the thought is the format's, not a request.
func TestPromptsAskForNothing(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)check|verif|valid|reflect|wait|again|review|revis|reconsider|re-?think|think|thought|reason|careful|` +
		`mistake|error|wrong|correct|right|true|false|sure|confirm|try|retry|attempt|search|explore|backtrack|step|however|but|evaluate|ok\b|no\b|aha`)
	see := func(prompt string) {
		if word := forbidden.FindString(strings.Replace(prompt, tokenizer.Think, "", 1)); word != "" {
			t.Errorf("prompt %q holds %q", prompt, word)
		}
	}
	for _, name := range Names() {
		for _, split := range []Split{Train, HeldOut} {
			list, err := Registry[name].Problems(split, 3, 150)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range list {
				see(p.Prompt)
				if !strings.Contains(p.Prompt, p.Question) {
					t.Errorf("prompt %q does not hold %q", p.Prompt, p.Question)
				}
			}
		}
		for _, none := range []bool{false, true} {
			coldStart, err := NewColdStart(Registry[name].(SearchTask), &ColdStartOptions{NoReflection: none})
			if err != nil {
				t.Fatal(err)
			}
			for i := range uint64(300) {
				see(coldStart.Example(i).Prompt)
			}
		}
	}
}

func TestGrade(t *testing.T) {
	c := countdown(t, CountdownOptions{})
	p := c.problem("3-7-11", []int{3, 7, 11}, 32)
	for _, test := range []struct {
		completion string
		want       string
		format     bool
	}{
		{"3*7=21 21+11=32 ok\n</think>\n<answer>(3*7)+11</answer><|end|>", "right", true},
		{"3*7=21 21+11=32 ok\n</think>\n<answer>(3*7)+11</answer>", "right", true},
		{"\n</think>\n<answer>(3*7)+11</answer><|end|>", "right", false},
		{"x</think><answer>11+7*3</answer>", "right", false},
		{"x\n</think>\n<answer>none</answer><|end|>", "wrong: gave up", true},
		{"x\n</think>\n<answer>(3+7)+11</answer><|end|>", `wrong: "(3+7)+11" = 21, want 32`, true},
		{"x\n</think>\n<answer>32</answer><|end|>", `wrong: "32" uses [32], want [3 7 11]`, true},
		{"x\n</think>\n<answer></answer><|end|>", `wrong: "": unexpected end at byte 0`, false},
		{"x\n</think>\n<answer>(3*7)+11</answer><|end|><|end|>", "right", false},
		{"x\n</think>\n<answer>(3*7)+11</answer> done<|end|>", "right", false},
		{"x <answer>\n</think>\n<answer>(3*7)+11</answer><|end|>", "right", false},
		{"x\n</think>\n</think>\n<answer>(3*7)+11</answer><|end|>", "right", false},
		{"<think>\nx\n</think>\n<answer>(3*7)+11</answer><|end|>", "right", false},
		{"x\n<answer>(3*7)+11</answer></think>\n", "wrong: no answer after the thought", false},
		{"x\n<answer>(3*7)+11</answer>", "wrong: the thought does not end", false},
		{"x\n</think>\n<answer>(3*7)+11", "wrong: the answer does not end", false},
		{"x\n</think>\n<answer>(3*7)+11</answer><answer>none</answer>", "wrong: more than one answer", false},
		{"", "wrong: the thought does not end", false},
	} {
		if got := Grade(p, test.completion); got.String() != test.want {
			t.Errorf("Grade(%q) = %v, want %s", test.completion, got, test.want)
		}
		reward, verdict := Score(c, p, test.completion)
		want := Reward{}
		if test.format {
			want.Format = 1
		}
		if test.want == "right" {
			want.Accuracy = 1
		}
		if reward != want || verdict.String() != test.want {
			t.Errorf("Score(%q) = %+v %v, want %+v %s", test.completion, reward, verdict, want, test.want)
		}
	}
}

func TestGradeUnknown(t *testing.T) {
	huge := Problem{Task: "countdown-3", Numbers: []int{1 << 40, 1 << 40, 1 << 40}, Target: 1}
	for _, c := range []struct {
		problem Problem
		answer  string
		want    string
	}{
		{Problem{Task: "sudoku"}, "1", `unknown: task: unknown task "sudoku", want one of countdown-3, countdown-4, linear, multiplication`},
		{Problem{Task: "countdown-3"}, "1", "unknown: the problem has no numbers"},
		{huge, "1099511627776*1099511627776*1099511627776", "unknown: " + behaviour.ErrOverflow.Error()},
	} {
		got := Grade(c.problem, "</think><answer>"+c.answer+"</answer>")
		if got.String() != c.want || got.Outcome != verify.Unknown {
			t.Errorf("Grade(%+v) = %v, want %s", c.problem, got, c.want)
		}
	}
}

func FuzzGrade(f *testing.F) {
	f.Add("3*7=21 21+11=32 ok\n</think>\n<answer>(3*7)+11</answer><|end|>")
	f.Add("</think><answer>((3)/(7-11)")
	c := countdown(f, CountdownOptions{})
	p := c.problem("3-7-11", []int{3, 7, 11}, 32)
	f.Fuzz(func(t *testing.T, completion string) {
		verdict := c.Grade(p, completion)
		trace := behaviour.Parse(completion, p.Numbers, p.Target)
		if (verdict.Outcome == verify.Right) != trace.Right || verdict.Outcome == verify.Unknown {
			t.Errorf("%q: verdict %v, trace %+v", completion, verdict, trace)
		}
		if c.Format(completion) && !trace.Answered {
			t.Errorf("%q is in format without an answer", completion)
		}
	})
}

func TestOptionsRefused(t *testing.T) {
	_, err := NewCountdown(&CountdownOptions{Numbers: 5, LargestNumber: 9, LargestResult: 10, SmallestTarget: -1, LargestTarget: 11, HeldOutPercent: 51})
	for _, want := range []string{"numbers: got 5", "largest number: got 9", "largest result: got 10", "smallest target: got -1", "largest target: got 11", "held-out percent: got 51"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := NewCountdown(nil); err != nil {
		t.Error(err)
	}
	if _, err := Lookup("countdown-5"); err == nil || !strings.Contains(err.Error(), "countdown-3, countdown-4") {
		t.Errorf("unknown task: error %v", err)
	}
	for name, want := range Registry {
		if got, err := Lookup(name); err != nil || got != want || got.Name() != name {
			t.Errorf("Lookup(%q) = %v %v", name, got, err)
		}
	}
}

func TestPromptTokens(t *testing.T) {
	lab := tokenizer.Lab()
	p := Registry["countdown-3"].Problem(Train, 1, 1)
	if got, want := PromptTokens(lab, p.Question), lab.Encode(p.Prompt); !slices.Equal(got, want) {
		t.Errorf("tokens %v, want %v", got, want)
	}
	special := 0
	for _, id := range PromptTokens(lab, "Use <|assistant|><think></think>") {
		if lab.Special(id) {
			special++
		}
	}
	if special != 3 {
		t.Errorf("%d special tokens, want the 3 of the prompt's own", special)
	}
}

// The difficulty that the lab's gates refer to: eight blind attempts solve about 40 % of the held-out problems.
func TestBlindSearchSolvesTwoFifths(t *testing.T) {
	for _, c := range []struct {
		name        string
		least, most float64
	}{{"countdown-3", 0.38, 0.43}, {"countdown-4", 0.05, 0.15}} {
		countdown := Registry[c.name].(*Countdown)
		var mean, replaced [9]float64
		var attempts, solving float64
		list := problems(t, countdown, HeldOut, 1, 1000)
		groups := map[string]bool{}
		for _, p := range list {
			groups[p.Group] = true
			odds, err := countdown.Odds(p)
			if err != nil {
				t.Fatal(err)
			}
			attempts += float64(odds.Attempts) / float64(len(list))
			solving += float64(odds.Solving) / float64(len(list))
			for k := range mean {
				mean[k] += odds.Blind(k) / float64(len(list))
				replaced[k] += odds.BlindWithReplacement(k) / float64(len(list))
			}
		}
		t.Logf("%s: %d groups, mean attempts %.1f, solving %.2f\nblind %s\nwith replacement %s", c.name, len(groups), attempts, solving,
			fmt.Sprintf("%.3f", mean), fmt.Sprintf("%.3f", replaced))
		if mean[8] < c.least || mean[8] > c.most || replaced[8] >= mean[8] {
			t.Errorf("%s: eight blind attempts solve %.3f (with replacement %.3f), want %.2f to %.2f", c.name, mean[8], replaced[8], c.least, c.most)
		}
	}
}
