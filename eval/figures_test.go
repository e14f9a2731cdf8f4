package eval

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/verify"
)

// sumRecord is a run of the made-up benchmark.
func sumRecord(t testing.TB, name string, p Plan, reply func(string, engine.Seed) llm.Reply) *Record {
	t.Helper()
	r, err := evaluate(t, t.Context(), filepath.Join(t.TempDir(), name), p, sumQuestions(t, 30), &drawer{reply: reply}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFiguresCountWhatIsThere(t *testing.T) {
	p := sumPlan()
	p.Price = &Price{Prompt: 1, Reply: 2}
	r := sumRecord(t, "a", p, sums)
	f, err := r.Figures(nil)
	if err != nil {
		t.Fatal(err)
	}
	var right, cut, tokens, unboxed int
	var lengths [2]float64 // of thoughts, right and not
	var counts [2]float64
	for _, q := range r.Questions {
		for j := range 6 {
			reply := sums(q.Text, engine.Seed{Run: 3, Problem: hashOf(q.ID), Sample: uint64(j)})
			tokens += reply.ReplyTokens
			at := 1
			if verify.Check(q.Gold, reply.Answer, verify.Options{}).Outcome == verify.Right {
				right++
				at = 0
			}
			lengths[at] += float64(reply.ThoughtTokens)
			counts[at]++
			if reply.Finish == engine.FinishLength {
				cut++
			}
			if !strings.Contains(reply.Answer, "boxed") {
				unboxed++
			}
		}
	}
	if f.Answers != 180 || f.Cost.Right != right || f.Cost.Tokens != tokens || f.Missing != 0 || f.Refused != 0 || f.Unjudged != 0 {
		t.Errorf("%d samples, cost %+v, want %d right of %d tokens", f.Answers, f.Cost, right, tokens)
	}
	if f.PassAt1.Value != float64(right)/180 && !near(f.PassAt1.Value, float64(right)/180, 1e-12) {
		t.Errorf("pass@1 %v, want %v", f.PassAt1.Value, float64(right)/180)
	}
	if !near(f.Rates.Truncated, float64(cut)/180, 1e-12) || !near(f.Rates.Unclosed, float64(cut)/180, 1e-12) || !near(f.Rates.Unboxed, float64(unboxed)/180, 1e-12) || f.Rates.Thoughtless != 0 || f.Rates.Unanswered != f.Rates.Truncated {
		t.Errorf("rates %+v, want %d cut and %d without a box of 180", f.Rates, cut, unboxed)
	}
	if f.Thought.Unit != "token" || !near(f.Thought.Right.Mean, lengths[0]/counts[0], 1e-9) || !near(f.Thought.Wrong.Mean, lengths[1]/counts[1], 1e-9) {
		t.Errorf("thoughts %+v, want means %v and %v", f.Thought, lengths[0]/counts[0], lengths[1]/counts[1])
	}
	if want := (float64(f.Cost.PromptTokens) + 2*float64(tokens)) / 1e6; f.Cost.Price == nil || !near(*f.Cost.Price, want, 1e-12) || f.Cost.PromptTokens != 32*9 {
		t.Errorf("price %v of %d prompt tokens, want %v", f.Cost.Price, f.Cost.PromptTokens, want)
	}
	var ks []int
	for _, at := range f.PassAt {
		ks = append(ks, at.K)
	}
	if !slices.Equal(ks, []int{1, 2, 4, 6}) || f.PassAt[3].Estimate.Value < f.PassAt[0].Estimate.Value || len(f.ConsAt) != 3 || f.ConsAt[2].Estimate.Value < f.PassAt1.Value {
		t.Errorf("pass@%v, %+v", ks, f.ConsAt)
	}
	if len(f.BySubject) != 2 || f.BySubject[0].Name != "even" || f.BySubject[0].Problems != 15 || len(f.ByLevel) != 3 || f.ByLevel[2].Name != "2" {
		t.Errorf("subjects %+v, levels %+v", f.BySubject, f.ByLevel)
	}
	if mean := (f.BySubject[0].PassAt1.Value + f.BySubject[1].PassAt1.Value) / 2; !near(mean, f.PassAt1.Value, 1e-12) {
		t.Errorf("the subjects' mean is %v, pass@1 %v", mean, f.PassAt1.Value)
	}
}

func TestFiguresOfARunWithoutAnyJudgedSample(t *testing.T) {
	p := sumPlan()
	p.Context = 1 // nothing is rendered here, so nothing is refused by it
	r := NewRecord("x", p)
	for _, q := range sumQuestions(t, 3) {
		q.Refused = "too long"
		if err := r.addQuestion(&q); err != nil {
			t.Fatal(err)
		}
	}
	f, err := r.Figures(nil)
	if err != nil || f.Refused != 3 || f.Missing != 0 || !math.IsNaN(f.PassAt1.Value) {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, err := json.Marshal(f); err != nil {
		t.Error(err)
	}
	if _, _, err := render(f.document(r.Result(), r.Questions, nil)); err != nil {
		t.Error(err)
	}
}

func TestReportSaysWhatWasFound(t *testing.T) {
	p := sumPlan()
	p.Votes = &Stopping{Confidence: 1, Round: 2}
	r := sumRecord(t, "votes", p, sums)
	html, markdown, err := r.Report(nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Figures(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pass@1", cellOf(f.PassAt1.Value), "cons@6", "By subject", "tokens saved", "Tokens in a reply", "right", "s29", "rounds of 2", "energy"} {
		if !strings.Contains(string(html), want) || !strings.Contains(string(markdown), want) {
			t.Errorf("%q is not in both reports", want)
		}
	}
	if strings.Contains(string(html), "<script") || !strings.Contains(string(html), "<svg") {
		t.Error("the page has a script, or no picture")
	}
	if v := f.Vote; v.Samples != 180 || v.Drawn != r.Count() || v.Drawn >= 180 || v.Decided == 0 || v.Saved <= 0 {
		t.Errorf("votes %+v of %d", v, r.Count())
	}
	again, _, err := r.Report(nil)
	if err != nil || string(again) != string(html) {
		t.Error("the same record gives another report")
	}
}

func TestCompareDrawsTheSameProblems(t *testing.T) {
	p := sumPlan()
	a := sumRecord(t, "a", p, sums)
	better := func(question string, seed engine.Seed) llm.Reply { // right once more in ten, mostly where a is
		r := sums(question, seed)
		if seed.Sample == 0 {
			next := seed
			next.Sample = 1
			r = sums(question, next)
		}
		return r
	}
	p.Model = "other"
	b := sumRecord(t, "b", p, better)
	c, err := Compare(a, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	row := c.Rows[0]
	if c.Problems != 30 || row.Measure != "pass@1" || !near(row.Difference.Value, row.A.Value-row.B.Value, 1e-12) || len(c.Rows) != 3 || c.Rows[1].Measure != "cons@6" {
		t.Errorf("%+v", c)
	}
	if wide, narrow := row.A.High-row.A.Low, row.Difference.High-row.Difference.Low; narrow >= wide {
		t.Errorf("the paired interval %v is no narrower than that of one run, %v", narrow, wide)
	}
	if len(c.Settings) != 1 || c.Settings[0].Setting != "model" || len(c.Apart) == 0 || len(c.Apart) > mostApart {
		t.Errorf("settings %+v, apart %+v", c.Settings, c.Apart)
	}
	same, err := Compare(a, a, nil)
	if err != nil || same.Rows[0].Difference.Value != 0 || same.Rows[0].Difference.Low != 0 || len(same.Settings)+len(same.Apart) != 0 {
		t.Errorf("a run against itself: %+v, %v", same, err)
	}
	if html, markdown, err := c.Report(); err != nil || !strings.Contains(string(html), "cons@6") || !strings.Contains(string(markdown), "other") {
		t.Errorf("report: %v", err)
	}
	// Problems that only one has asked are left out, and so are those with another gold answer.
	fewer := NewRecord("few", sumPlan())
	questions := sumQuestions(t, 5)
	questions[4].Gold = "7"
	for i := range questions {
		if err := fewer.addQuestion(&questions[i]); err != nil {
			t.Fatal(err)
		}
		if err := fewer.addSample(&Sample{Problem: questions[i].ID, Text: "\\boxed{1}", AnswerBytes: 9, Verdict: verify.Verdict{Outcome: verify.Wrong}}); err != nil {
			t.Fatal(err)
		}
	}
	c, err = Compare(a, fewer, nil)
	if err != nil || c.Problems != 4 || c.OnlyA != 26 || c.OnlyB != 1 || c.Rows[0].Difference.Problems != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Compare(a, NewRecord("none", sumPlan()), nil); err == nil || !strings.Contains(err.Error(), "no problem in common") {
		t.Errorf("got %v", err)
	}
}

func TestRegradeChangesVerdictsAndNothingElse(t *testing.T) {
	percents := func(question string, seed engine.Seed) llm.Reply {
		r := sums(question, seed)
		r.Answer = strings.Replace(r.Answer, "}.", "\\%}.", 1)
		r.Text = r.Thought + "\n</think>\n\n" + r.Answer
		return r
	}
	r := sumRecord(t, "run", sumPlan(), percents)
	before := sortedSamples(t, r.Dir)
	strict := r.Result()
	regrade := func(options ...string) (int, *Record) {
		store, err := runstore.Open(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := Regrade(store, "build", options, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		record, err := ReadRecord(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(changes), record
	}
	if n, _ := regrade(); n != 0 {
		t.Errorf("the same judge changed %d verdicts", n)
	}
	if added := strings.Count(sortedSamples(t, r.Dir), "\n") - strings.Count(before, "\n"); added != 1 {
		t.Errorf("a regrading that changed nothing added %d lines, want its beginning alone", added)
	}
	n, loose := regrade("percent=either")
	was, is := rightOf(strict), rightOf(loose.Result())
	if n == 0 || is-was != n || loose.Count() != r.Count() {
		t.Errorf("%d changes, %d right before and %d after", n, was, is)
	}
	for i := range loose.Questions {
		if loose.Questions[i].Options.Percent != verify.PercentEither {
			t.Fatal("the vote does not know the option")
		}
	}
	back, again := regrade()
	if back != n || rightOf(again.Result()) != was || len(again.Gradings) != 3 {
		t.Errorf("%d verdicts changed back, want %d; %d right, want %d", back, n, rightOf(again.Result()), was)
	}
	a, errA := json.Marshal(strict)
	b, errB := json.Marshal(again.Result())
	if string(a) != string(b) || errA != nil || errB != nil {
		t.Error("grading back and forth has another result")
	}
	after := sortedSamples(t, r.Dir)
	for line := range strings.SplitSeq(before, "\n") {
		if !strings.Contains(after, line) {
			t.Fatalf("a line was changed: %.80s", line)
		}
	}
	store, err := runstore.Open(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := Regrade(store, "build", []string{"no=such"}, nil); err == nil {
		t.Error("an unknown option")
	}
}

func rightOf(r *Result) int {
	n := 0
	for _, p := range r.Problems {
		n += p.Right
	}
	return n
}

func TestDeviationsNameEachSetting(t *testing.T) {
	b, err := LookupBenchmark("aime24")
	if err != nil {
		t.Fatal(err)
	}
	published := Plan{Benchmark: "aime24", Samples: 64, Temperature: 0.6, TopP: 0.95, MaxTokens: 32768, Prompt: b.Prompt, Thought: ThoughtForced, Problems: 30, Template: "abc"}
	names := func(p Plan) string {
		var all []string
		for _, d := range Deviations(&p, &b) {
			if d.Ours == "" || d.Published == "" || d.Cost == "" || d.Source == "" {
				t.Errorf("an empty field: %+v", d)
			}
			all = append(all, d.Setting)
		}
		return strings.Join(all, ", ")
	}
	if got := names(published); got != "chat template" {
		t.Errorf("the published protocol deviates in %s", got)
	}
	for want, change := range map[string]func(*Plan){
		"temperature":             func(p *Plan) { p.Temperature = 1 },
		"top-p":                   func(p *Plan) { p.TopP = 1 },
		"token limit":             func(p *Plan) { p.Context = 4096 },
		"samples per problem (k)": func(p *Plan) { p.Samples = 4 },
		"prompt":                  func(p *Plan) { p.Prompt = "{problem}" },
		"system role":             func(p *Plan) { p.System = "You think." },
		"opened thought":          func(p *Plan) { p.Thought = ThoughtFree },
		"problems":                func(p *Plan) { p.Problems = 20 },
		"grading":                 func(p *Plan) { p.Grading = []string{"percent=either"} },
	} {
		p := published
		change(&p)
		if got := names(p); !strings.Contains(got, want) || strings.Count(got, ",") != 1 {
			t.Errorf("changed %s: found %q", want, got)
		}
	}
	greedy := published
	greedy.Temperature = 0
	if d := Deviations(&greedy, &b)[0]; !strings.Contains(d.Cost, "repeat") {
		t.Errorf("greedy: %+v", d)
	}
}

func TestPublishedBound(t *testing.T) {
	if got := PublishedBound(Published{Benchmark: AIME2024, Measure: "pass@1", Value: 28.9}); got != "at most 12.7 to 45.1" {
		t.Errorf("got %s", got)
	}
	for _, p := range []Published{{Benchmark: LiveCodeBench, Measure: "pass@1", Value: 16.9}, {Benchmark: Codeforces, Measure: "rating", Value: 954}} {
		if got := PublishedBound(p); got != "-" {
			t.Errorf("%+v: got %s", p, got)
		}
	}
}

// A plan as it is stored in a run can be read again, and one that cannot be is refused.
func TestPlanFaults(t *testing.T) {
	p := sumPlan()
	p.Samples, p.TopP, p.Temperature, p.Task = 0, 2, -1, "countdown-3"
	p.Votes = &Stopping{Confidence: 0.4}
	p.Price = &Price{Prompt: -1}
	err := p.Validate()
	for _, want := range []string{"want one of them", "samples: got 0", "top-p 2", "confidence", "price"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	greedy := sumPlan()
	greedy.Temperature = 0
	if err := greedy.Validate(); err == nil || !strings.Contains(err.Error(), "all samples would be the same") {
		t.Errorf("greedy: %v", err)
	}
}
