package lab

import (
	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
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

var observedMetrics = []runstore.Metric{
	{Name: metricReflections, Unit: "per answer", Formula: "attempts that a turning back leads to / answers"},
	{Name: metricAttempts, Unit: "per answer", Formula: "attempts / answers"},
	{Name: metricConverted, Unit: "share of answers", Formula: "right answers none of whose attempts before the first reflection solves the problem / answers"},
	{Name: metricGaveUp, Unit: "share of answers", Formula: "answers \"none\" / answers"},
}

// bank is the problems of a stage: the trainer knows them by number.
type bank struct {
	task     task.Task
	problems []task.Problem
	// falseOK is what each untrue "ok" costs (verifier fidelity).
	falseOK, formatWeight float64
}

func (s *seedRun) newBank(split task.Split, n int) (*bank, []train.Problem, error) {
	problems, err := s.task.Problems(split, s.seed, n)
	if err != nil {
		return nil, nil, err
	}
	list := make([]train.Problem, len(problems))
	for i := range problems {
		list[i] = train.Problem{ID: uint64(i), Prompt: s.tokenizer.Encode(problems[i].Prompt)}
	}
	return &bank{task: s.task, problems: problems, formatWeight: s.settings.FormatWeight}, list, nil
}

// grade rewards the right answer and the asked form, and nothing else.
func (b *bank) grade(p *train.Problem, _ []int32, text string) train.Reward {
	problem := b.problems[p.ID]
	reward, verdict := task.Score(b.task, problem, text)
	r := train.Reward{Reason: verdict.Reason, WellFormed: reward.Format > 0, Accuracy: reward.Accuracy, Format: b.formatWeight * reward.Format}
	switch verdict.Outcome {
	case verify.Right:
		r.Verdict = train.Right
	case verify.Wrong:
		r.Verdict = train.Wrong
	default:
		r.Verdict = train.CannotJudge
	}
	if b.falseOK > 0 {
		trace := behaviour.Parse(text, problem.Numbers, problem.Target)
		r.Other = -b.falseOK * float64(trace.FalseOK)
	}
	return r
}

// observe counts what the answers of a step do.
func (b *bank) observe(_ int, samples []train.Sample) []runstore.Value {
	var t behaviour.Totals
	for i := range samples {
		p := &b.problems[samples[i].Problem]
		t.Add(behaviour.Parse(samples[i].Text, p.Numbers, p.Target))
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
