package page

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/verify"
)

// makeEvaluation makes a run of two questions with four samples each, of which every second is right; one verdict is changed later.
func makeEvaluation(t *testing.T, dir string) {
	t.Helper()
	config, err := json.Marshal(eval.Plan{Benchmark: "math500", Title: "MATH-500", Kind: eval.Maths, Problems: 2, Model: hostileText, Samples: 4, Temperature: 0.6, TopP: 0.95, MaxTokens: 100})
	if err != nil {
		t.Fatal(err)
	}
	run, err := runstore.Create(dir, runstore.Manifest{Kind: eval.RunKind, Config: config, Metrics: eval.Metrics()})
	if err != nil {
		t.Fatal(err)
	}
	add := func(v any) {
		if err := run.AppendSample(v); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		id := fmt.Sprint("q", i, hostileText)
		add(map[string]any{"question": eval.Question{ID: id, Group: id, Subject: "Algebra", Text: hostileText, Gold: hostileText, Kind: eval.Maths}})
		for j := range 4 {
			thought := fmt.Sprintf("thought %d.%d", i, j)
			v := verify.Verdict{Outcome: verify.Right, Rule: "same text"}
			if j%2 == 1 {
				v = verify.Verdict{Outcome: verify.Wrong, Rule: "no answer", Reason: hostileText}
			}
			add(eval.Sample{Problem: id, Sample: j, Text: thought + hostileText, ThoughtBytes: len(thought), AnswerBytes: len(hostileText), Tokens: 10, Finish: "stop", Verdict: v, IsFormed: true, Answer: hostileText})
		}
	}
	add(map[string]any{"grading": eval.Grading{Build: "later"}})
	add(map[string]any{"regraded": eval.Regraded{Problem: "q0" + hostileText, Sample: 1, Verdict: verify.Verdict{Outcome: verify.Right, Rule: "changed"}, Answer: "x"}})
	finish(t, run)
}

func TestEvaluation(t *testing.T) {
	p, runs, _ := newPage(t)
	dir := filepath.Join(runs, "e")
	makeEvaluation(t, dir)
	var got struct {
		Figures  eval.Figures
		Problems []problemRow
		Rules    map[string]map[string]int
		Status   string
	}
	w := ask(t, p, "GET", "/page/api/evaluation?run=e", "")
	if strings.Contains(w.Body.String(), "<") {
		t.Errorf("markup is not escaped: %.400s", w.Body)
	}
	want(t, p, 200, "GET", "/page/api/evaluation?run=e", "", &got)
	if got.Figures.PassAt1.Value != 0.625 || len(got.Problems) != 2 || got.Problems[0].Right != 3 || got.Rules["changed"]["right"] != 1 || got.Rules["no answer"]["wrong"] != 3 || got.Status != "done" || len(got.Figures.Published) == 0 {
		t.Errorf("%+v", got)
	}
	type answer struct {
		Samples   []shownSample
		Questions map[string]map[string]string
		Matched   int
	}
	for query, n := range map[string]int{"": 8, "&outcome=wrong": 3, "&outcome=unknown": 0, "&rule=changed": 1, "&rule=": 0, "&subject=Algebra": 8, "&subject=x": 0, "&problem=x": 0, "&at=6": 2} {
		var got answer
		want(t, p, 200, "GET", "/page/api/evaluation/samples?run=e"+query, "", &got)
		if len(got.Samples) != n || query != "&at=6" && got.Matched != n {
			t.Errorf("%s: %d samples of %d, want %d", query, len(got.Samples), got.Matched, n)
		}
		for _, s := range got.Samples {
			if s.Text != hostileText || !strings.HasPrefix(s.Thought, "thought ") || got.Questions[s.Problem]["gold"] != hostileText {
				t.Errorf("%s: %+v", query, s)
			}
		}
	}
	want(t, p, 400, "GET", "/page/api/evaluation/samples?run=e&at=x", "", nil)
	// What is read is read anew when the run has grown.
	f, err := os.OpenFile(filepath.Join(dir, "samples.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(map[string]any{"regraded": eval.Regraded{Problem: "q1" + hostileText, Sample: 1, Verdict: verify.Verdict{Outcome: verify.Right, Rule: "changed"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, p, 200, "GET", "/page/api/evaluation?run=e", "", &got)
	if got.Figures.PassAt1.Value != 0.75 {
		t.Errorf("after a further grading: %v", got.Figures.PassAt1.Value)
	}
}

func TestEvaluationOfSomethingElse(t *testing.T) {
	p, runs, _ := newPage(t)
	finish(t, makeRun(t, filepath.Join(runs, "r"), 1, 1))
	for _, route := range []string{"evaluation", "evaluation/samples"} {
		w := ask(t, p, "GET", "/page/api/"+route+"?run=r", "")
		if w.Code != 422 || strings.Contains(w.Body.String(), runs) {
			t.Errorf("%s: status %d: %s", route, w.Code, w.Body)
		}
	}
}
