package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/verify"
)

func TestBenchmarksAreWhole(t *testing.T) {
	if got := len(Benchmarks()); got != 11 {
		t.Errorf("%d benchmarks, want 11", got)
	}
	for _, name := range Benchmarks() {
		b, err := LookupBenchmark(name)
		if err != nil {
			t.Fatal(err)
		}
		if b.Name != name || b.Title == "" || b.Kind == "" || b.Kind == Lab || b.File == "" || b.Source == "" || b.Licence == "" || b.Citation == "" || b.Since == "" || b.SamplesFrom == "" {
			t.Errorf("%s: a field is empty: %+v", name, b)
		}
		if b.Samples < 4 || b.Temperature != 0.6 || b.TopP != 0.95 || b.MaxTokens != 32768 || b.System != "" {
			t.Errorf("%s: not the published sampling: %+v", name, b)
		}
		if !strings.Contains(b.Prompt, "{problem}") || strings.Contains(b.Prompt, "{choices}") != (b.Kind == Choice) || b.Options.Choice != (b.Kind == Choice) {
			t.Errorf("%s: prompt %q for %s", name, b.Prompt, b.Kind)
		}
		if b.Published != "" && len(FindPublished("R1-Distill-Qwen-1.5B", b.Published, "pass@1")) == 0 {
			t.Errorf("%s: nothing is published under %q", name, b.Published)
		}
	}
	if _, err := LookupBenchmark("math50"); err == nil || !strings.Contains(err.Error(), "math500") {
		t.Errorf("unknown benchmark: %v", err)
	}
}

// Every shared file has as many problems as the benchmark says, and each of its answers, boxed, is right.
func TestSharedBenchmarksGradeTheirOwnAnswers(t *testing.T) {
	folder := sharedPath(t, "bench")
	for _, name := range []string{"aime24", "aime25", "amc23", "math500", "gsm8k", "minerva", "olympiadbench"} {
		b, err := LookupBenchmark(name)
		if err != nil {
			t.Fatal(err)
		}
		questions, digest, err := OpenQuestions(&b, folder, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(questions) != b.Problems || len(digest) != 64 {
			t.Errorf("%s: %d problems, want %d; digest %q", name, len(questions), b.Problems, digest)
		}
		for _, q := range questions {
			v := q.Judge("<think>so</think>It is $\\boxed{"+q.Gold+"}$.", nil)
			if v.Outcome != verify.Right {
				t.Errorf("%s: %s: the gold answer %q is %v", name, q.ID, q.Gold, v)
			}
			if !strings.HasSuffix(q.Text, mathsDirective) || q.Group == "" {
				t.Errorf("%s: %s: %+v", name, q.ID, q)
			}
		}
		few, _, err := OpenQuestions(&b, filepath.Join(folder, b.File+".jsonl"), 0, 7)
		if err != nil || len(few) != 7 || few[6].ID != questions[6].ID {
			t.Errorf("%s: limited: %d, %v", name, len(few), err)
		}
	}
}

func TestToleranceOfTheAuthors(t *testing.T) {
	b, err := LookupBenchmark("olympiadbench")
	if err != nil {
		t.Fatal(err)
	}
	questions, err := ReadQuestions(&b, strings.NewReader(`{"id":"a","problem":"?","answer":"4.2","error":"1e-1"}
{"id":"b","problem":"?","answer":4.2,"level":3,"subject":"Geometry"}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []verify.Outcome{verify.Right, verify.Wrong} {
		if v := questions[i].Judge("\\boxed{4.25}", nil); v.Outcome != want {
			t.Errorf("%s: 4.25 is %v, want %v", questions[i].ID, v, want)
		}
	}
	if q := questions[1]; q.Level != "3" || q.Subject != "Geometry" || q.Gold != "4.2" {
		t.Errorf("%+v", q)
	}
}

func TestChoicesAreShuffledBySeed(t *testing.T) {
	b, err := LookupBenchmark("gpqa")
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, `{"id":"q%d","problem":"Which?","answer":"the right one","wrong":["w1","w2","w3"]}`+"\n", i)
		fmt.Fprintf(&lines, `{"id":"r%d","problem":"Which?","answer":"B","choices":["w1","the right one","w2"]}`+"\n", i)
	}
	read := func(seed uint64) []Question {
		questions, err := ReadQuestions(&b, strings.NewReader(lines.String()), seed)
		if err != nil {
			t.Fatal(err)
		}
		return questions
	}
	first, again, other := read(1), read(1), read(2)
	places, moved := map[string]int{}, 0
	for i, q := range first {
		if !strings.Contains(q.Text, q.Gold+") the right one") || q.Text != again[i].Text {
			t.Fatalf("%s: gold %s in %q", q.ID, q.Gold, q.Text)
		}
		if q.Text != other[i].Text {
			moved++
		}
		places[q.Gold]++
		wrong := "A"
		if q.Gold == "A" {
			wrong = "B"
		}
		if q.Judge("I choose \\boxed{"+q.Gold+"}.", nil).Outcome != verify.Right || q.Judge("\\boxed{"+wrong+"}", nil).Outcome != verify.Wrong {
			t.Errorf("%s: the letter is not graded", q.ID)
		}
	}
	if places["A"] < 80 || places["B"] < 80 || places["C"] < 80 || places["D"] < 25 || moved < 200 {
		t.Errorf("places of the right choice %v, %d moved by another seed", places, moved)
	}
}

func TestQuestionFaultsNameTheLine(t *testing.T) {
	for _, c := range []struct{ bench, lines, want string }{
		{"aime24", `{"id":"a","problem":"p"}`, "line 1: want the field answer"},
		{"aime24", "{\"id\":\"a\",\"problem\":\"p\",\"answer\":\"1\"}\n\n{\"id\":\"a\",\"problem\":\"p\",\"answer\":\"1\"}", `line 3: id "a" came before`},
		{"aime24", `{"id":"a","problem":" ","answer":"1"}`, "line 1: id"},
		{"aime24", `{"id":"a","problem":"p","answer":"1","error":"7"}`, "want a tolerance"},
		{"aime24", "", "no problems"},
		{"aime24", "{", "line 1"},
		{"gpqa", `{"id":"a","problem":"p","answer":"E","choices":["x","y"]}`, "got 2 choices"},
		{"gpqa", `{"id":"a","problem":"p","answer":"x"}`, "got 0 choices"},
		{"mbpp", `{"id":"a","problem":"p"}`, "want the field tests"},
	} {
		b, err := LookupBenchmark(c.bench)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadQuestions(&b, strings.NewReader(c.lines), 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: got %v, want %q in it", c.bench, c.lines, err, c.want)
		}
	}
	b, err := LookupBenchmark("gpqa")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenQuestions(&b, t.TempDir(), 0, 0); err == nil || !strings.Contains(err.Error(), "gpqa_diamond.jsonl") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, _, err := OpenQuestions(&b, filepath.Join(t.TempDir(), "absent"), 0, 0); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("an absent file: %v", err)
	}
}

func unwrapAll(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = inner.Unwrap()
	}
}

func TestProgramsAreNotJudgedWithoutASandbox(t *testing.T) {
	b, err := LookupBenchmark("humaneval")
	if err != nil {
		t.Fatal(err)
	}
	questions, err := ReadQuestions(&b, strings.NewReader(`{"id":"a","problem":"p","tests":[{"input":"1","output":"1"}]}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	reply := "```python\nprint(input())\n```"
	if v := questions[0].Judge(reply, nil); v.Outcome != verify.Unknown || !strings.Contains(v.Reason, "no sandbox") {
		t.Errorf("got %v", v)
	}
	run := func(q *Question, completion string) verify.Verdict {
		if completion != reply || string(q.Program.Tests) == "" {
			t.Errorf("the judge of programs got %q, tests %s", completion, q.Program.Tests)
		}
		return verify.Verdict{Outcome: verify.Right}
	}
	if v := questions[0].Judge(reply, run); v.Outcome != verify.Right {
		t.Errorf("got %v", v)
	}
}

func TestTaskQuestions(t *testing.T) {
	countdown, err := task.Lookup("countdown-3")
	if err != nil {
		t.Fatal(err)
	}
	problems, err := countdown.Problems(task.HeldOut, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range TaskQuestions(problems) {
		if q.Text != problems[i].Question || q.Group != problems[i].Group || q.Kind != Lab {
			t.Errorf("%+v", q)
		}
		if v := q.Judge("1 ok\n</think>\n<answer>1</answer>", nil); v != countdown.Grade(problems[i], "1 ok\n</think>\n<answer>1</answer>") {
			t.Errorf("got %v, the task says otherwise", v)
		}
	}
}
