package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/runstore"
)

// drawer is a Generator whose reply is a function of the question and the seed. It asks nobody.
type drawer struct {
	reply   func(question string, seed engine.Seed) llm.Reply
	stopAt  int // cancel after so many replies; 0: never
	cancel  context.CancelFunc
	given   int
	prompts []llm.Prompt
}

func (d *drawer) Generate(ctx context.Context, prompts []llm.Prompt) ([]llm.Reply, error) {
	var all []llm.Reply
	for i, p := range prompts {
		d.prompts = append(d.prompts, p)
		for j := range p.Samples {
			seed := p.Seed
			seed.Sample += uint64(j)
			r := d.reply(p.Messages[len(p.Messages)-1].Content, seed)
			if d.stopAt > 0 && d.given >= d.stopAt {
				d.cancel()
				r = llm.Reply{Text: "cut", Finish: engine.FinishCancelled}
			}
			d.given++
			r.Prompt, r.Sample = i, j
			all = append(all, r)
		}
	}
	return all, ctx.Err()
}

// streaming is the same, one reply at a time and in another order.
type streaming struct{ drawer }

func (s *streaming) Each(ctx context.Context, prompts []llm.Prompt, yield func(llm.Reply) error) error {
	replies, err := s.Generate(ctx, prompts)
	slices.Reverse(replies)
	for _, r := range replies {
		if err := yield(r); err != nil {
			return err
		}
	}
	return err
}

// sums answers sums: right in 7 of 10, else one too many, in several notations, or without an answer.
func sums(question string, seed engine.Seed) llm.Reply {
	var a, b int
	if _, err := fmt.Sscanf(question, "What is %d + %d?", &a, &b); err != nil {
		panic(err)
	}
	random := rand.New(rand.NewPCG(seed.Run^seed.Problem, seed.Sample))
	thought := strings.Repeat("hm ", 1+random.IntN(20))
	r := llm.Reply{Finish: engine.FinishStop, PromptTokens: 9, Thought: thought, ThoughtTokens: len(thought) / 3}
	switch at := random.IntN(10); {
	case at < 5:
		r.Answer = fmt.Sprintf("It is \\boxed{%d}.", a+b)
	case at < 7:
		r.Answer = fmt.Sprintf("It is $\\boxed{\\frac{%d}{2}}$.", 2*(a+b))
	case at < 9:
		r.Answer = fmt.Sprintf("It is \\boxed{%d}.", a+b+1)
	default:
		r.Finish = engine.FinishLength
	}
	r.Text = thought + "\n"
	if r.Answer != "" {
		r.Text += "</think>\n\n" + r.Answer
	}
	r.ReplyTokens = len(r.Text) / 3
	return r
}

// sumQuestions are n problems of a made-up benchmark.
func sumQuestions(t testing.TB, n int) []Question {
	t.Helper()
	b := Benchmark{Name: "sums", Kind: Maths, Prompt: "What is {problem}?"}
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"id":"s%d","problem":"%d + %d","answer":"%d","subject":"%s","level":%d}`+"\n", i, i, i*i, i+i*i, []string{"odd", "even"}[i%2], i%3)
	}
	questions, err := ReadQuestions(&b, strings.NewReader(lines.String()), 0)
	if err != nil {
		t.Fatal(err)
	}
	return questions
}

// evaluate runs or goes on with a plan in a folder.
func evaluate(t testing.TB, ctx context.Context, dir string, p Plan, questions []Question, g llm.Generator, batch int) (*Record, error) {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	record := NewRecord(dir, p)
	store, err := runstore.Create(dir, runstore.Manifest{Kind: RunKind, Config: config, Metrics: Metrics()})
	if errors.Is(err, runstore.ErrExists) {
		if store, err = runstore.Open(dir); err == nil {
			record, err = ReadRecord(dir)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	e := Evaluation{Record: record, Store: store, Generator: g, Batch: batch}
	if err := e.Ask(questions); err != nil {
		t.Fatal(err)
	}
	runErr := e.Run(ctx)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	record, err = ReadRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	return record, runErr
}

func sumPlan() Plan {
	return Plan{Benchmark: "sums", Title: "Sums", Kind: Maths, Samples: 6, Temperature: 0.6, TopP: 1, Seed: 3}
}

// sortedSamples is the record's file with its lines in order.
func sortedSamples(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "samples.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestEvaluationRecordsEverySample(t *testing.T) {
	questions := sumQuestions(t, 9)
	dir := filepath.Join(t.TempDir(), "run")
	g := &drawer{reply: sums}
	r, err := evaluate(t, t.Context(), dir, sumPlan(), questions, g, 7)
	if err != nil {
		t.Fatal(err)
	}
	result := r.Result()
	if r.Count() != 54 || len(result.Problems) != 9 || result.Problems[1].Subject != "even" || result.Problems[1].Level != "1" {
		t.Errorf("%d samples, %+v", r.Count(), result.Problems[1])
	}
	right := 0
	for i := range questions {
		for j := range 6 {
			want := sums(questions[i].Text, engine.Seed{Run: 3, Problem: hashOf(questions[i].ID), Sample: uint64(j)})
			got := r.samples[i][j]
			if got.Tokens != want.ReplyTokens || got.Finish != want.Finish || got.Seed.Sample != uint64(j) || got.ThoughtTokens != want.ThoughtTokens {
				t.Errorf("%s %d: %+v, want %+v", questions[i].ID, j, got, want)
			}
			if got.AnswerBytes != len(want.Answer) || got.ThoughtBytes+got.AnswerBytes != len(want.Text) {
				t.Errorf("%s %d: parts of %d and %d bytes of %q", questions[i].ID, j, got.ThoughtBytes, got.AnswerBytes, want.Text)
			}
			trace := result.Problems[i].Traces[j]
			if cut := want.Answer == ""; trace.IsUnclosed != cut || trace.IsTruncated != cut || trace.IsUnboxed != cut || trace.IsThoughtless {
				t.Errorf("%s %d: %+v of %q", questions[i].ID, j, trace, want.Text)
			}
		}
		right += result.Problems[i].Right
	}
	if right < 20 || right > 50 {
		t.Errorf("%d right of 54", right)
	}
	for _, p := range g.prompts {
		if p.Temperature != 0.6 || p.TopP != 1 || len(p.Messages) != 1 || p.Messages[0].Role != "user" {
			t.Errorf("prompt %+v", p)
		}
	}
	if r.Seconds <= 0 || r.PromptRun == 0 || r.Steps != 8 {
		t.Errorf("%v s, %d prompt tokens in %d steps", r.Seconds, r.PromptRun, r.Steps)
	}
}

// Whatever the batch, the way of handing over, and wherever it is stopped, a run that went on holds the same samples.
func TestEvaluationGoesOnToTheSameSamples(t *testing.T) {
	questions := sumQuestions(t, 7)
	for name, votes := range map[string]*Stopping{"all": nil, "votes": {Confidence: 1, Round: 2}, "confident": {Confidence: 0.9, Round: 1}} {
		p := sumPlan()
		p.Samples, p.Votes = 9, votes
		whole := filepath.Join(t.TempDir(), "whole")
		want, err := evaluate(t, t.Context(), whole, p, questions, &drawer{reply: sums}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if isAll := want.Count() == 63; isAll != (votes == nil) {
			t.Errorf("%s: %d samples of 63", name, want.Count())
		}
		for stopAt := 1; stopAt < want.Count(); stopAt += 6 {
			for _, batch := range []int{1, 5, 0} {
				dir := filepath.Join(t.TempDir(), fmt.Sprint(stopAt, batch))
				ctx, cancel := context.WithCancel(t.Context())
				cut, err := evaluate(t, ctx, dir, p, questions, &drawer{reply: sums, stopAt: stopAt, cancel: cancel}, batch)
				if !errors.Is(err, context.Canceled) || cut.Count() != stopAt {
					t.Fatalf("%s: stopped at %d with %d samples: %v", name, stopAt, cut.Count(), err)
				}
				if err := appendPartOfALine(dir); err != nil {
					t.Fatal(err)
				}
				got, err := evaluate(t, t.Context(), dir, p, questions, &streaming{drawer{reply: sums}}, batch)
				if err != nil {
					t.Fatal(err)
				}
				if sortedSamples(t, dir) != sortedSamples(t, whole) {
					t.Errorf("%s: stopped at %d, batch %d: %d samples, want %d; they differ", name, stopAt, batch, got.Count(), want.Count())
				}
				a, errA := json.Marshal(got.Result())
				b, errB := json.Marshal(want.Result())
				if !bytes.Equal(a, b) || errA != nil || errB != nil {
					t.Errorf("%s: stopped at %d, batch %d: the results differ", name, stopAt, batch)
				}
			}
		}
	}
}

// appendPartOfALine is what kill -9 may leave.
func appendPartOfALine(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, "samples.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(`{"problem":"s1","sam`)
	return errors.Join(err, file.Close())
}

func TestMissingSamplesAreMissing(t *testing.T) {
	questions := sumQuestions(t, 4)
	dir := filepath.Join(t.TempDir(), "run")
	broken := func(question string, seed engine.Seed) llm.Reply {
		if question == questions[2].Text && seed.Sample%2 == 1 {
			return llm.Reply{Finish: llm.FinishError, Err: errors.New("the line is dead")}
		}
		return sums(question, seed)
	}
	r, err := evaluate(t, t.Context(), dir, sumPlan(), questions, &streaming{drawer{reply: broken}}, 0)
	if err == nil || !strings.Contains(err.Error(), "3 samples are missing; the first, sample 1 of s2: the line is dead") {
		t.Errorf("got %v", err)
	}
	p := r.Result().Problems[2]
	if r.Count() != 21 || p.Generated != 3 || p.Judged > 3 {
		t.Errorf("%d samples, %+v", r.Count(), p)
	}
	if e, err := r.Result().PassAt(4, nil); err != nil || e.Dropped != 1 || e.Problems != 3 {
		t.Errorf("pass@4: %+v, %v; want the problem with missing samples dropped", e, err)
	}
	if r, err = evaluate(t, t.Context(), dir, sumPlan(), questions, &drawer{reply: sums}, 0); err != nil || r.Count() != 24 {
		t.Errorf("after going on: %d samples, %v", r.Count(), err)
	}
}

func TestOtherDataIsNotGoneOnWith(t *testing.T) {
	questions := sumQuestions(t, 2)
	r := NewRecord("run", sumPlan())
	for i := range questions {
		if err := r.addQuestion(&questions[i]); err != nil {
			t.Fatal(err)
		}
	}
	e := Evaluation{Record: r}
	if err := e.Ask(questions); err != nil {
		t.Error(err)
	}
	other := slices.Clone(questions)
	other[1].Gold = "7"
	for _, wrong := range [][]Question{other, questions[:1]} {
		if err := e.Ask(wrong); err == nil || !strings.Contains(err.Error(), "the data") {
			t.Errorf("got %v", err)
		}
	}
}

func TestRefusedProblemsAreCountedApart(t *testing.T) {
	questions := sumQuestions(t, 4)
	p := sumPlan()
	p.Context = 10
	dir := filepath.Join(t.TempDir(), "run")
	store, err := runstore.Create(dir, runstore.Manifest{Kind: RunKind, Metrics: Metrics()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	e := Evaluation{Record: NewRecord(dir, p), Store: store, Generator: &drawer{reply: sums}, Render: func(m []chat.Message) (chat.Prompt, error) {
		switch m[0].Content {
		case questions[1].Text:
			return chat.Prompt{}, errors.New("the template refuses")
		case questions[2].Text:
			return chat.Prompt{IDs: make([]int32, 10)}, nil
		}
		return chat.Prompt{IDs: make([]int32, 9), State: chat.Thinking}, nil
	}}
	if err := e.Ask(questions); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := e.Record.Questions
	if q[0].Refused != "" || !q[0].Opens || q[0].PromptTokens != 9 || len(q[0].Prompt) != 64 || q[0].Prompt == q[2].Prompt ||
		q[1].Refused != "the template refuses" || !strings.Contains(q[2].Refused, "10 tokens") || e.Record.Count() != 12 {
		t.Errorf("%+v, %d samples", q, e.Record.Count())
	}
	s, err := e.Record.Result().Summarise(nil)
	if err != nil || s.PassAt1.Problems != 2 || s.PassAt1.Dropped != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRecordRefusesWhatCannotBe(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{`{"problem":"x","sample":0}`, "was not asked"},
		{`{"question":{"id":"x"}}` + "\n" + `{"question":{"id":"x"}}`, "came before"},
		{`{"question":{"id":"x"}}` + "\n" + `{"problem":"x","sample":1}` + "\n" + `{"problem":"x","sample":1}`, "came before"},
		{`{"question":{"id":"x"}}` + "\n" + `{"problem":"x","sample":6}`, "out of range"},
		{`{"question":{"id":"x"}}` + "\n" + `{"problem":"x","sample":0,"text":"ab","thought_bytes":3}`, "out of range"},
		{`{"question":{"id":"x"}}` + "\n" + `{"regraded":{"problem":"x","sample":0}}`, "not there"},
		{`{}`, "neither"},
		{`[`, "JSON"},
	} {
		r := NewRecord("", Plan{Samples: 6})
		var err error
		for line := range strings.SplitSeq(c.lines, "\n") {
			err = errors.Join(err, r.add([]byte(line)))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", c.lines, err, c.want)
		}
	}
}
