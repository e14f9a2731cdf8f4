package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/verify"
)

// scripted is a Generator that answers from a table: prompt text to replies.
type scripted struct {
	replies map[string][]llm.Reply
	calls   [][]llm.Prompt
	fail    error // returned from the second call on
}

func (s *scripted) Generate(_ context.Context, prompts []llm.Prompt) ([]llm.Reply, error) {
	s.calls = append(s.calls, prompts)
	if s.fail != nil && len(s.calls) > 1 {
		return nil, s.fail
	}
	var all []llm.Reply
	for i, p := range prompts {
		for j, r := range s.replies[p.Text] {
			r.Prompt, r.Sample = i, j
			all = append(all, r)
		}
	}
	return all, nil
}

func reply(tokens int, finish engine.FinishReason, text string) llm.Reply {
	return llm.Reply{Text: text, Tokens: make([]int32, tokens), Finish: finish}
}

// solved returns n problems and a Generator that gives each a right answer, a
// wrong one, a given up and a truncated one.
func solved(t *testing.T, n int) (task.Task, []task.Problem, *scripted) {
	t.Helper()
	tasks, err := task.NewCountdown(nil)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := tasks.Problems(task.HeldOut, 1, n)
	if err != nil {
		t.Fatal(err)
	}
	g := &scripted{replies: make(map[string][]llm.Reply)}
	for _, p := range problems {
		ways, err := tasks.Solutions(p)
		if err != nil || len(ways) == 0 {
			t.Fatal(p, err)
		}
		thought := ways[0].String() + " ok\n</think>\n"
		spaced := strings.ReplaceAll(ways[0].Expression(), "+", " + ")
		g.replies[p.Prompt] = []llm.Reply{
			reply(30, engine.FinishStop, thought+"<answer>"+spaced+"</answer>"),
			reply(20, engine.FinishStop, thought+fmt.Sprintf("<answer>%d</answer>", p.Target)),
			reply(10, engine.FinishStop, thought+"<answer>none</answer>"),
			reply(40, engine.FinishLength, ways[0].String()),
		}
	}
	return tasks, problems, g
}

func TestRunCountsWhatBecameOfEachAnswer(t *testing.T) {
	tasks, problems, g := solved(t, 5)
	var samples []Sample
	r, err := Run(context.Background(), g, tasks, problems, &Options{Samples: 4, Seed: 9, Batch: 2, MaxTokens: 40, Stop: []string{"<|end|>"},
		OnSample: func(s Sample) error { samples = append(samples, s); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.calls) != 3 || len(g.calls[0]) != 2 || len(g.calls[2]) != 1 {
		t.Errorf("%d calls, want batches of 2, 2, 1", len(g.calls))
	}
	first := g.calls[0][0]
	if first.Text != problems[0].Prompt || first.MaxTokens != 40 || first.Temperature != 0.6 || first.Samples != 4 || first.Seed.Run != 9 || !slices.Equal(first.Stop, []string{"<|end|>"}) {
		t.Errorf("prompt: %+v", first)
	}
	for i, p := range r.Problems {
		if p.ID != problems[i].ID || p.Group != problems[i].Group || p.Generated != 4 || p.Judged != 4 || p.Right != 1 || p.Truncated != 1 {
			t.Errorf("problem %d: %+v", i, p)
		}
		voting := 0
		for _, v := range p.Votes {
			if v.Votes {
				voting++
			}
		}
		if voting != 2 || p.Votes[2].Votes || strings.Contains(p.Votes[0].Answer, " ") {
			t.Errorf("votes: %+v, want the right and the wrong answer, without spaces", p.Votes)
		}
	}
	if len(samples) != 20 || samples[5].Problem != problems[1].ID || samples[5].Sample != 1 || samples[5].Seed.Sample != 1 || samples[4].Verdict.Outcome != verify.Right || samples[5].Verdict.Outcome != verify.Wrong {
		t.Errorf("samples: %d, %+v", len(samples), samples[5])
	}
	for what, get := range map[string]func(int, *IntervalOptions) (Estimate, error){"pass": r.PassAt, "cons": r.ConsensusAt} {
		for k, want := range map[int]float64{1: 0.25, 4: 1} {
			if what == "cons" {
				want = map[int]float64{1: 0.25, 4: 0.5}[k] // right and wrong tie at k = 4
			}
			if e, err := get(k, nil); err != nil || !near(e.Value, want, 0.08) || e.Problems != 5 {
				t.Errorf("%s@%d: %+v, %v, want %v", what, k, e, err, want)
			}
		}
		if _, err := get(5, nil); err == nil {
			t.Errorf("%s@5 of 4 samples gave no error", what)
		}
	}
	expectSummary(t, r)
}

func expectSummary(t *testing.T, r *Result) {
	t.Helper()
	s, err := r.Summarise(nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Answers != 20 || s.Unjudged != 0 || s.Truncated != 0.25 || s.PassAt1.Value != 0.25 || s.All.Mean != 25 || s.Right.Mean != 30 || s.Right.Answers != 5 || s.Wrong.P95 != 40 {
		t.Errorf("summary: %+v", s)
	}
	// p = 1/4 for each of 5 problems, from 4 answers.
	if want := math.Sqrt(5*0.25*0.75/3) / 5; s.SamplingError == nil || !near(*s.SamplingError, want, 1e-12) {
		t.Errorf("sampling error %v, want %v", s.SamplingError, want)
	}
}

// undecided is a task whose judge gives up on every second answer.
type undecided struct {
	task.Task
	asked int
}

func (u *undecided) Grade(p task.Problem, completion string) verify.Verdict {
	if u.asked++; u.asked%2 == 0 {
		return verify.Verdict{Outcome: verify.Unknown, Reason: "no judge"}
	}
	return u.Task.Grade(p, completion)
}

func TestUnjudgedAnswersAreDroppedNotWrong(t *testing.T) {
	tasks, problems, g := solved(t, 3)
	r, err := Run(context.Background(), g, &undecided{Task: tasks}, problems, &Options{Samples: 4})
	if err != nil {
		t.Fatal(err)
	}
	// Of right, wrong, given up, truncated the first and the third are judged.
	for _, p := range r.Problems {
		if p.Generated != 4 || p.Judged != 2 || p.Right != 1 || len(p.Votes) != 2 {
			t.Errorf("got %+v", p)
		}
	}
	if e, err := r.PassAt(1, nil); err != nil || e.Value != 0.5 {
		t.Errorf("pass@1: %+v, %v, want 1 of 2 judged", e, err)
	}
	if _, err := r.PassAt(3, nil); err == nil || !strings.Contains(err.Error(), "no problem has a value") {
		t.Errorf("pass@3 of 2 judged: %v", err)
	}
	if s, err := r.Summarise(nil); err != nil || s.Unjudged != 6 {
		t.Errorf("summary: %+v, %v", s, err)
	}
}

func TestSeedsDoNotDependOnTheOtherProblems(t *testing.T) {
	tasks, problems, g := solved(t, 4)
	if _, err := Run(context.Background(), g, tasks, problems, &Options{Samples: 4}); err != nil {
		t.Fatal(err)
	}
	alone := &scripted{replies: g.replies}
	if _, err := Run(context.Background(), alone, tasks, problems[2:3], &Options{Samples: 4}); err != nil {
		t.Fatal(err)
	}
	if got, want := alone.calls[0][0].Seed, g.calls[0][2].Seed; got != want {
		t.Errorf("alone %v, among others %v", got, want)
	}
	if g.calls[0][0].Seed == g.calls[0][1].Seed {
		t.Error("two problems have one seed")
	}
}

func TestRunReturnsWhatWasFinished(t *testing.T) {
	tasks, problems, g := solved(t, 4)
	g.fail = context.Canceled
	r, err := Run(context.Background(), g, tasks, problems, &Options{Samples: 4, Batch: 3})
	if !errors.Is(err, context.Canceled) || len(r.Problems) != 3 {
		t.Errorf("got %v, %v, want three problems and the cancellation", r, err)
	}
	stop := errors.New("disk full")
	if _, err := Run(context.Background(), &scripted{replies: g.replies}, tasks, problems, &Options{Samples: 4, OnSample: func(Sample) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if _, err := Run(context.Background(), &scripted{replies: g.replies}, tasks, problems, &Options{Samples: 3}); err == nil || !strings.Contains(err.Error(), "replies") {
		t.Errorf("a Generator with too many replies: %v", err)
	}
}

// backwards is a Generator that returns the replies in the wrong order.
type backwards struct{ llm.Generator }

func (b backwards) Generate(ctx context.Context, prompts []llm.Prompt) ([]llm.Reply, error) {
	replies, err := b.Generator.Generate(ctx, prompts)
	slices.Reverse(replies)
	return replies, err
}

func TestRunRefusesRepliesInAnotherOrder(t *testing.T) {
	tasks, problems, g := solved(t, 2)
	r, err := Run(context.Background(), backwards{g}, tasks, problems, &Options{Samples: 4})
	if err == nil || !strings.Contains(err.Error(), "want 0 0") || len(r.Problems) != 0 {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestRunRefusesFaultyOptions(t *testing.T) {
	tasks, problems, g := solved(t, 1)
	for fault, o := range map[string]*Options{
		"positive":     {Samples: -1},
		"temperature":  {Temperature: -1},
		"all the same": {Greedy: true, Samples: 4},
	} {
		if _, err := Run(context.Background(), g, tasks, problems, o); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("got %v, want an error with %q", err, fault)
		}
	}
	if _, err := Run(context.Background(), g, tasks, nil, nil); err == nil {
		t.Error("no problems gave no error")
	}
	greedy, err := (&Options{Greedy: true}).resolved()
	if err != nil || greedy.Samples != 1 || greedy.Temperature != 0 {
		t.Errorf("greedy: %+v, %v", greedy, err)
	}
}

func TestDifferenceOfTwoResults(t *testing.T) {
	tasks, problems, g := solved(t, 6)
	a, err := Run(context.Background(), g, tasks, problems, &Options{Samples: 4})
	if err != nil {
		t.Fatal(err)
	}
	for text := range g.replies {
		g.replies[text][1] = g.replies[text][0]
	}
	b, err := Run(context.Background(), g, tasks, problems, &Options{Samples: 4})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := b.Difference(a, nil); err != nil || e.Value != 0.25 || !e.Excludes(0) {
		t.Errorf("got %+v, %v, want 0.25", e, err)
	}
	b.Problems[0], b.Problems[1] = b.Problems[1], b.Problems[0]
	if _, err := b.Difference(a, nil); err == nil || !strings.Contains(err.Error(), problems[0].ID) {
		t.Errorf("another order: %v", err)
	}
	b.Problems = b.Problems[1:]
	if _, err := b.Difference(a, nil); err == nil {
		t.Error("other problems gave no error")
	}
}
