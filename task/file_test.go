package task

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/verify"
)

func file(t testing.TB, lines ...string) *File {
	t.Helper()
	f, err := ReadFile("file/test", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func line(id, problem, answer string) string {
	text, err := json.Marshal(map[string]any{"id": id, "problem": problem, "answer": answer, "level": 2})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// number reads text as an answer is read, and writes the value, or "none".
func number(text string) string {
	n, _, ok := answerNumber(text)
	if !ok {
		return "none"
	}
	return n.RatString()
}

func TestNumbersByHand(t *testing.T) {
	for text, want := range map[string]string{
		"18": "18", "-18": "-18", "+3": "3", "−2.50": "-5/2", ".5": "1/2", "5.": "5", "1,234,567.5": "2469135/2", "007": "7",
		"3/4": "3/4", "6/8": "3/4", `\frac{3}{4}`: "3/4", `-\dfrac{6}{8}`: "-3/4", "$80,000": "80000", `\$5.50`: "11/2", "50%": "50", `12\%`: "12",
		`\boxed{42}`: "42", `first \boxed{1}, then \boxed{\frac{1}{2}}.`: "1/2", `\boxed{x=3}`: "3", `\boxed{90^\circ}`: "90",
		`\boxed{5\text{ cm}}`: "5", `\boxed{10,\!000}`: "10000",
		`\boxed{2\sqrt{3}}`: "none", `\boxed{(3,4)}`: "none", `\boxed{x+1}`: "none", `\boxed{}`: "none", `\boxed{1} and \boxed{a}`: "none",
		"The answer is 12.": "12", "She earns $18 every day.": "18", "3 + 4 = 7": "7", "It is 10-3": "3", "so x = -3": "-3", "from 3 to -4.": "-4",
		"points 3,4": "4", "in 1,000 days": "1000", "1,00": "0", "about 3/4 of it": "3/4", "1/0": "0", "a b c": "none", "": "none", "-": "none", "12 cm": "12",
		`\frac{1}{0}`: "0", strings.Repeat("9", 65): "none", "version 1.2.3": "23/10",
	} {
		if got := number(text); got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}

func TestFileGrades(t *testing.T) {
	f := file(t, line("a", "How many?", "1,234"), line("b", "Which?", `\sqrt{2}`), line("c", "What share?", `\frac{1}{2}`))
	problems := f.All()
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range []struct {
		problem    int
		completion string
		want       verify.Outcome
	}{
		{0, "x</think>The answer is 1234.<|end|>", verify.Right},
		{0, "x\n</think>\n<answer>1234.0</answer>", verify.Right},
		{0, `x</think>Take 5. \boxed{1234} Then 6.`, verify.Right},
		{0, "1234 </think> 1235", verify.Wrong},
		{0, "the answer is 1234", verify.Wrong},
		{0, "x</think>", verify.Wrong},
		{0, "x</think><answer></answer>", verify.Wrong},
		{0, "x</think><answer>none</answer>", verify.Wrong},
		{0, "x</think>many", verify.Unknown},
		{0, `x</think>1234 \boxed{n}`, verify.Unknown},
		{1, `x</think>\boxed{2}`, verify.Unknown},
		{2, "x</think>0.5", verify.Right},
		{2, "x</think>2/4", verify.Right},
		{2, "x</think>0.50001", verify.Wrong},
	} {
		if got := f.Grade(problems[c.problem], c.completion); got.Outcome != c.want || got.Outcome != verify.Right && got.Reason == "" {
			t.Errorf("%q to %q: %v, want %v", c.completion, problems[c.problem].Answer, got, c.want)
		}
	}
	a, okA := f.Canonical(problems[2], "x</think>0.5")
	b, okB := f.Canonical(problems[2], `x</think>\boxed{\frac{2}{4}}`)
	if a != b || !okA || !okB {
		t.Errorf("canonical answers %q and %q", a, b)
	}
	if _, ok := f.Canonical(problems[2], "0.5"); ok {
		t.Error("an unfinished thought has an answer")
	}
	for completion, want := range map[string]bool{"x</think>5<|end|>": true, "x</think>": false, "</think>5": false, "x": false, "x</think>5</think>6": false} {
		if f.Format(completion) != want {
			t.Errorf("format of %q is %v", completion, !want)
		}
	}
	if trace := Trace(f, problems[0], "wait\n</think>\n<answer>1234</answer>"); !trace.Right || !trace.Answered || trace.Keywords.Total() != 1 || len(trace.Attempts) != 0 {
		t.Errorf("trace %+v", trace)
	}
}

func TestFileSplitsDoNotLeak(t *testing.T) {
	var lines []string
	for i := range 1000 {
		lines = append(lines, line(fmt.Sprint("p", i), fmt.Sprintf("What is %d  plus 1?", i/2), fmt.Sprint(i/2+1)))
	}
	lines[1] = line("p1", "what IS 0 plus\n1?", "1")
	f := file(t, lines...)
	groups := map[string]Split{}
	for _, split := range []Split{Train, HeldOut} {
		for _, p := range f.splits[split] {
			if other, ok := groups[p.Group]; ok && other != split {
				t.Errorf("%q is in both splits", p.Question)
			}
			groups[p.Group] = split
		}
	}
	if len(groups) != 500 || len(f.splits[HeldOut]) < 140 || len(f.splits[HeldOut]) > 260 || len(f.All()) != 1000 {
		t.Errorf("%d groups, %d of %d problems held out", len(groups), len(f.splits[HeldOut]), len(f.All()))
	}
	list, err := f.Problems(Train, 3, 700)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for i, p := range list {
		ids[p.ID] = true
		if q := f.Problem(Train, 3, uint64(i)); q.ID != p.ID {
			t.Fatalf("problem %d is %s in one way and %s in the other", i, p.ID, q.ID)
		}
	}
	if _, err := f.Problems(Train, 3, 1000); len(ids) != 700 || err == nil {
		t.Errorf("%d distinct problems, error %v", len(ids), err)
	}
}

func TestFileRefusals(t *testing.T) {
	for source, want := range map[string]string{
		"":                                     "no problems",
		"{":                                    "line 1",
		`{"id":"a","problem":"b"}`:             "want all three",
		line("a", " ", "1"):                    "want all three",
		line("a", "b", "1") + "\n\n{\"id\":1}": "line 3",
		line("a", "b", "1") + "\n" + line("a", "c", "2"): `id "file/x/a" came before`,
	} {
		if _, err := ReadFile("file/x", strings.NewReader(source)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none.jsonl")); err == nil {
		t.Error("a file that is not there was opened")
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

// TestNumbersAreReadInOnePass: a megabyte of anything that looks like a number.
func TestNumbersAreReadInOnePass(t *testing.T) {
	f := file(t, line("a", "b", "1"))
	for _, piece := range []string{"1", "1,", "1/", "$", `\boxed{`, "{", "-", ".", `\text{`, "<answer>"} {
		took := quickest(2*time.Second, func() { f.Grade(f.All()[0], "x</think>"+strings.Repeat(piece, 1<<20/len(piece))) })
		if took > 2*time.Second {
			t.Errorf("a megabyte of %q took %v", piece, took)
		}
	}
}

// TestBenchFiles reads the public test sets where they are, and wants every reference answer of GSM8K to be right as its
// own reply; of MATH, those that are numbers.
func TestBenchFiles(t *testing.T) {
	folder := os.Getenv("RETORT_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	for name, atLeast := range map[string]float64{"gsm8k.jsonl": 1, "gsm8k_train.jsonl": 0.99, "math500.jsonl": 0.6, "math_train.jsonl": 0.6} {
		path := filepath.Join(folder, "bench", name)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("%s is not here: set RETORT_DATA to the folder of the test data", name)
		}
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		right, problems := 0, f.All()
		for _, p := range problems {
			switch v := f.Grade(p, `x</think>So it is \boxed{`+p.Answer+"}."); v.Outcome {
			case verify.Right:
				right++
			case verify.Wrong:
				t.Errorf("%s: %q is wrong for itself: %v", p.ID, p.Answer, v)
			}
		}
		share := float64(right) / float64(len(problems))
		t.Logf("%s: %d problems, %.1f %% have a number for an answer", f.Name(), len(problems), 100*share)
		if share < atLeast {
			t.Errorf("%s: %v of the answers are numbers, want %v", name, share, atLeast)
		}
	}
}
