package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
	"github.com/retort-ml/retort/verify"
)

// grpoCommand reinforces a model on a task.
type grpoCommand struct{ trainingFlags }

// grpoRecipe is the recipe of grpo; the keys of train.GRPOOptions stand beside the sections.
type grpoRecipe struct {
	Model     modelRecipe
	Tokenizer string `help:"lab, bytes or a tokenizer.json; empty: the model's own"`
	Task      taskRecipe
	Reward    rewardRecipe
	train.GRPOOptions
}

// taskRecipe says what is asked.
type taskRecipe struct {
	Name     string `help:"countdown-3 or countdown-4"`
	Problems int    `help:"distinct problems of the train split"`
	Seed     uint64 `help:"of the problems"`
}

// rewardRecipe weighs the parts of a reward.
type rewardRecipe struct {
	Accuracy float64 `help:"for the right answer"`
	Format   float64 `help:"for the form that was asked for"`
}

func newGRPORecipe() *grpoRecipe {
	return &grpoRecipe{Task: taskRecipe{Name: "countdown-3", Problems: 4096}, Reward: rewardRecipe{Accuracy: 1, Format: 1}}
}

func (r *grpoRecipe) resolve() error {
	if r.Model.Path == "" {
		return errors.New("model.path is not set: reinforcement needs a model that already answers; try: --set model.path=DIR, made by retort sft")
	}
	if err := r.Model.resolve(); err != nil {
		return err
	}
	if err := r.Model.resolveTokenizer(&r.Tokenizer, ""); err != nil {
		return err
	}
	if _, err := task.Lookup(r.Task.Name); err != nil {
		return err
	}
	if r.Task.Problems < 1 {
		return fmt.Errorf("task.problems: got %d, want at least 1", r.Task.Problems)
	}
	if r.Rollout.MaxNewTokens == 0 { // half of the positions leave room for the prompt
		r.Rollout.MaxNewTokens = min(1024, r.Model.MaxPositions/2)
	}
	if err := r.GRPOOptions.Validate(); err != nil {
		return err
	}
	r.GRPOOptions = r.GRPOOptions.Resolved()
	return nil
}

// problemSet is a task's problems as the trainer knows them: their ids are their indices.
type problemSet struct {
	task     task.Task
	problems []task.Problem
	rendered []train.Problem
	weights  rewardRecipe
}

func newProblemSet(r *taskRecipe, weights rewardRecipe, t *tokenizer.Tokenizer) (*problemSet, error) {
	asked, err := task.Lookup(r.Name)
	if err != nil {
		return nil, err
	}
	problems, err := asked.Problems(task.Train, r.Seed, r.Problems)
	if err != nil {
		return nil, err
	}
	set := &problemSet{task: asked, problems: problems, weights: weights}
	for i := range problems {
		set.rendered = append(set.rendered, train.Problem{ID: uint64(i), Prompt: task.PromptTokens(t, problems[i].Question)})
	}
	return set, nil
}

var trainVerdicts = map[verify.Outcome]train.Verdict{
	verify.Unknown: train.CannotJudge, verify.Wrong: train.Wrong, verify.Right: train.Right,
}

// grade is a train.Grader.
func (s *problemSet) grade(p *train.Problem, _ []int32, text string) train.Reward {
	reward, verdict := task.Score(s.task, s.problems[p.ID], text)
	return train.Reward{
		Verdict: trainVerdicts[verdict.Outcome], Reason: verdict.Reason, WellFormed: reward.Format > 0,
		Accuracy: s.weights.Accuracy * reward.Accuracy, Format: s.weights.Format * reward.Format,
	}
}

// observedMetrics are those of observe, beside train's own.
var observedMetrics = []runstore.Metric{
	{Name: "attempts", Unit: "per answer", Formula: "attempts in the traces / answers"},
	{Name: "reflections", Unit: "per answer", Formula: "attempts that a wait led to / answers"},
	{Name: "converted", Unit: "share of answers", Formula: "right answers none of whose attempts before the first reflection solves the problem / answers"},
}

// observe counts what the traces of a step do.
func (s *problemSet) observe(_ int, samples []train.Sample) []runstore.Value {
	var t behaviour.Totals
	for i := range samples {
		p := &s.problems[samples[i].Problem]
		t.Add(behaviour.Parse(samples[i].Text, p.Numbers, p.Target))
	}
	if t.Traces == 0 {
		return nil
	}
	per := func(count int) float64 { return float64(count) / float64(t.Traces) }
	values := []runstore.Value{
		{Name: "attempts", Number: per(t.Attempts)}, {Name: "reflections", Number: per(t.Reflections)}, {Name: "converted", Number: per(t.Converted)},
	}
	if said, untrue := t.Verdicts(); said > 0 {
		values = append(values, runstore.Value{Name: train.MetricFalseVerdictRate, Number: float64(untrue) / float64(said)})
	}
	return values
}

// Run reinforces, and records a run.
func (c *grpoCommand) Run(ctx context.Context, out *output) error {
	r := newGRPORecipe()
	if err := c.fill("grpo", r); err != nil {
		return err
	}
	if done, err := c.printed(r, out); done {
		return err
	}
	t, err := c.tokenizer(r.Tokenizer)
	if err != nil {
		return err
	}
	m, err := r.Model.open(t)
	if err != nil {
		return err
	}
	set, err := newProblemSet(&r.Task, r.Reward, t)
	if err != nil {
		return err
	}
	cpu, err := c.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	e, err := engine.New(m, cpu, nil)
	if err != nil {
		return err
	}
	if len(r.Rollout.Stop) == 0 {
		r.Rollout.Stop = (&speaker{m, t}).stopTokens()
	}
	run, err := c.begin("grpo", r, r.Rollout.Seed, t, out)
	if err != nil {
		return err
	}
	out.note("%s: %d parameters on %d threads, %d problems", run.store.Dir(), m.NumParameters(), cpu.Pool().Threads(), len(set.problems))
	setup := &train.Setup{
		Model: m, CPU: cpu, Recorder: run.store, Progress: run.progress, Decode: t.Decode, Observe: set.observe,
	}
	summary, err := train.GRPO(ctx, setup, e, set.rendered, set.grade, &r.GRPOOptions)
	return run.end(ctx, summary, m, t, err)
}
