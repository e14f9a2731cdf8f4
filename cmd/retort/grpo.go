package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/lab"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
)

// grpoCommand reinforces a model on a task.
type grpoCommand struct{ trainingFlags }

// grpoRecipe is the recipe of grpo; the keys of train.GRPOOptions stand beside the sections.
type grpoRecipe struct {
	Model     modelRecipe
	Tokenizer string `help:"lab, bytes or a tokenizer.json; empty: the model's own"`
	Task      taskRecipe
	Reward    train.RewardOptions
	train.GRPOOptions
}

// taskRecipe says what is asked.
type taskRecipe struct {
	Name     string `help:"countdown-3, countdown-4, linear or multiplication; with file, left alone"`
	File     string `help:"JSON lines with id, problem and answer, graded by their numbers; takes the place of name"`
	Problems int    `help:"at most so many distinct problems of the train split (a fifth of the problems is held out)"`
	Seed     uint64 `help:"of the problems"`
}

// open returns the task.
func (r *taskRecipe) open() (task.Task, error) {
	if r.File != "" {
		return task.OpenFile(r.File)
	}
	return task.Lookup(r.Name)
}

// draw returns n distinct problems of a split, or those that there are if they are fewer.
func (r *taskRecipe) draw(asked task.Task, split task.Split, n int) ([]task.Problem, error) {
	problems, err := asked.Problems(split, r.Seed, n)
	if errors.Is(err, task.ErrFewer) && len(problems) > 0 {
		err = nil
	}
	return problems, err
}

// validate finds what can be found without reading a file.
func (r *taskRecipe) validate() error {
	if r.Problems < 1 {
		return fmt.Errorf("task.problems: got %d, want at least 1", r.Problems)
	}
	if r.File == "" {
		_, err := task.Lookup(r.Name)
		return err
	}
	if !isFile(r.File) {
		return fmt.Errorf("task.file: %s is not a file", r.File)
	}
	return nil
}

func newGRPORecipe() *grpoRecipe {
	return &grpoRecipe{Task: taskRecipe{Name: "countdown-3", Problems: 4096}, Reward: train.RewardOptions{Accuracy: 1, Format: 1}}
}

func (r *grpoRecipe) resolve() error {
	var missing error
	if r.Model.Path == "" {
		missing = fmt.Errorf("model.path %w: reinforcement needs a model that already answers; try: --set model.path=DIR, made by retort sft", errUnset)
	} else if err := r.Model.resolve(); err != nil {
		return err
	} else if err := r.Model.resolveTokenizer(&r.Tokenizer, ""); err != nil {
		return err
	}
	if err := r.Task.validate(); err != nil {
		return err
	}
	if r.Rollout.MaxNewTokens == 0 { // half of the positions leave room for the prompt
		r.Rollout.MaxNewTokens = min(1024, r.Model.MaxPositions/2)
	}
	if err := errors.Join(r.GRPOOptions.Validate(), r.Reward.Validate()); err != nil {
		return err
	}
	r.GRPOOptions = r.GRPOOptions.Resolved()
	r.Reward = r.Reward.Resolved(r.Rollout.MaxNewTokens)
	return missing
}

// newBank is the problems of a recipe with what their answers earn.
func newBank(r *taskRecipe, rewards train.RewardOptions, t *tokenizer.Tokenizer) (*lab.Bank, error) {
	asked, err := r.open()
	if err != nil {
		return nil, err
	}
	problems, err := r.draw(asked, task.Train, r.Problems)
	if err != nil {
		return nil, err
	}
	bank := lab.NewBank(asked, problems, t)
	bank.Rewards = rewards
	return bank, nil
}

// renderBank puts the problems into the template of a model that has one.
func (s *speaker) renderBank(set *lab.Bank) error {
	if !s.hasTemplate() {
		return nil
	}
	for i := range set.Rendered {
		p, err := s.prompt(set.Problems[i].Question)
		if err != nil {
			return fmt.Errorf("problem %d: %w", i+1, err)
		}
		set.Rendered[i].Prompt = p.IDs
	}
	return nil
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
	m, err := r.Model.openAdapted(t, r.LoRA)
	if err != nil {
		return err
	}
	set, err := newBank(&r.Task, r.Reward, t)
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
	words, err := c.words(r.Model.Path, t)
	if err != nil {
		return err
	}
	asked := &speaker{model: m, tokenizer: t, chat: words, limits: r.Model.clock(words)}
	if err := asked.renderBank(set); err != nil {
		return err
	}
	if len(r.Rollout.Stop) == 0 {
		r.Rollout.Stop = asked.stopTokens()
	}
	run, err := c.begin("grpo", r, r.Rollout.Seed, t, words, out)
	if err != nil {
		return err
	}
	out.note("%s: %d parameters on %d threads, %d problems", run.store.Dir(), m.NumParameters(), cpu.Pool().Threads(), len(set.Problems))
	setup := &train.Setup{
		Model: m, CPU: cpu, Recorder: run.store, Progress: run.progress, Decode: t.Decode, Observe: set.Observe, Reflect: set.Reflect(t),
	}
	summary, err := train.GRPO(ctx, setup, e, set.Rendered, set.Grade, &r.GRPOOptions)
	return run.end(ctx, summary, m, t, err)
}
