package lab

import (
	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
	"github.com/retort-ml/retort/verify"
)

// The names of the metrics that the lab adds to those of package train.
const (
	metricReflections = "reflections"
	metricAttempts    = "attempts"
	metricConverted   = "converted"
	metricGaveUp      = "gave_up"
)

// ObservedMetrics are the metrics of Bank.Observe, beside those of package train.
func ObservedMetrics() []runstore.Metric { return append([]runstore.Metric(nil), observedMetrics...) }

var observedMetrics = []runstore.Metric{
	{Name: metricReflections, Unit: "per answer", Formula: "attempts that a turning back leads to / answers"},
	{Name: metricAttempts, Unit: "per answer", Formula: "attempts / answers"},
	{Name: metricConverted, Unit: "share of answers", Formula: "right answers none of whose attempts before the first reflection solves the problem / answers"},
	{Name: metricGaveUp, Unit: "share of answers", Formula: "answers \"none\" / answers"},
}

// Bank is a task's problems as a trainer knows them, by number, with what their answers earn.
type Bank struct {
	Task     task.Task
	Problems []task.Problem
	// Rendered are the same problems for the trainer; their ids are their indices.
	Rendered []train.Problem
	// Rewards weighs the parts of a reward, all defaults filled in; FalseOK is what each untrue "ok" costs.
	Rewards train.RewardOptions
	FalseOK float64
}

// NewBank renders problems, with a reward of 1 for the right answer and nothing else.
func NewBank(t task.Task, problems []task.Problem, k *tokenizer.Tokenizer) *Bank {
	b := &Bank{Task: t, Problems: problems, Rewards: train.RewardOptions{Accuracy: 1}}
	for i := range problems {
		b.Rendered = append(b.Rendered, train.Problem{ID: uint64(i), Prompt: task.PromptTokens(k, problems[i].Question)})
	}
	return b
}

func (s *seedRun) newBank(split task.Split, n int) (*Bank, error) {
	problems, err := s.task.Problems(split, s.seed, n)
	if err != nil {
		return nil, err
	}
	b := NewBank(s.task, problems, s.tokenizer)
	b.Rewards.Format = s.settings.FormatWeight
	return b, nil
}

var trainVerdicts = map[verify.Outcome]train.Verdict{
	verify.Unknown: train.CannotJudge, verify.Wrong: train.Wrong, verify.Right: train.Right,
}

// Grade is a train.Grader: it weighs the parts of Rewards, and nothing else unless FalseOK is set.
func (b *Bank) Grade(p *train.Problem, tokens []int32, text string) train.Reward {
	problem := b.Problems[p.ID]
	score, verdict := task.Score(b.Task, problem, text)
	r := b.Rewards.Grade(&train.RewardInput{
		Verdict: trainVerdicts[verdict.Outcome], Reason: verdict.Reason, WellFormed: score.Format > 0,
		Text: task.Reply(text), Tokens: len(tokens),
	})
	if b.FalseOK > 0 {
		trace := task.Trace(b.Task, problem, text)
		r.Other -= b.FalseOK * float64(trace.FalseOK)
	}
	return r
}

// Observe counts what the answers of a step do, as train.Setup wants it.
func (b *Bank) Observe(_ int, samples []train.Sample) []runstore.Value {
	var t behaviour.Totals
	for i := range samples {
		p := &b.Problems[samples[i].Problem]
		t.Add(task.Trace(b.Task, *p, samples[i].Text))
	}
	if t.Traces == 0 {
		return nil
	}
	share := func(n int) float64 { return float64(n) / float64(t.Traces) }
	values := []runstore.Value{
		{Name: metricReflections, Number: share(t.Reflections)}, {Name: metricAttempts, Number: share(t.Attempts)},
		{Name: metricConverted, Number: share(t.Converted)}, {Name: metricGaveUp, Number: share(t.GaveUp)},
	}
	if said, untrue := t.Verdicts(); said > 0 {
		values = append(values, runstore.Value{Name: train.MetricFalseVerdictRate, Number: float64(untrue) / float64(said)})
	}
	return values
}

// Reflect finds for train.Setup where answers turn back. The answer that is forced then has the form that the task grades.
func (b *Bank) Reflect(k *tokenizer.Tokenizer) func(*train.Problem, []int32, string) train.Reflections {
	closing := tokenizer.EndThink + "\n" + tokenizer.Answer
	if _, err := task.Lookup(b.Task.Name()); err != nil { // a file's answers are numbers, wherever they stand
		closing = tokenizer.EndThink + "\n\n\\boxed{"
	}
	tokens := k.Encode(closing)
	return func(_ *train.Problem, answer []int32, _ string) train.Reflections {
		return train.FindReflections(answer, k.Decode, tokenizer.EndThink, tokens)
	}
}
