package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
)

// distillCommand teaches a student what a teacher knows of a task.
type distillCommand struct{ trainingFlags }

// distillRecipe is the recipe of distill; the keys of train.SFTOptions, which
// the methods traces and logits read, stand beside the sections.
type distillRecipe struct {
	Method    string `help:"traces: learn the teacher's right answers; logits: its distributions over them; on_policy: its distributions over the student's own answers"`
	Teacher   teacherRecipe
	Model     modelRecipe `help:"the student"`
	Tokenizer string      `help:"lab, bytes or a tokenizer.json; empty: the teacher's own"`
	Task      taskRecipe
	HeldOut   int `help:"problems of the held-out split that no text may be shared with"`
	Collect   distill.CollectOptions
	OnPolicy  train.OnPolicyOptions `help:"read by the method on_policy alone"`
	// Divergence is that of the method logits.
	Divergence string `help:"forward_kl, reverse_kl or jensen_shannon, of the method logits"`
	train.SFTOptions
}

// teacherRecipe names the teacher.
type teacherRecipe struct {
	Path    string `help:"a GGUF file, or the folder of a model or a run"`
	Compute string `help:"f32 or bf16, as model.compute"`
	Hash    string `help:"of its config and weights; empty: filled in, so that a run is resumed with the teacher it began with"`
}

// open opens the teacher, and fills in or checks its hash.
func (r *teacherRecipe) open() (*model.Model, error) {
	folder, err := findModel(r.Path)
	if err != nil {
		return nil, err
	}
	m, err := model.Open(folder)
	if err != nil {
		return nil, err
	}
	hash, err := distill.ModelHash(m)
	if err != nil {
		return nil, err
	}
	if r.Hash != "" && r.Hash != hash {
		return nil, fmt.Errorf("%s: the teacher's hash is %s, want %s; try: the teacher that the run began with", folder, hash, r.Hash)
	}
	r.Hash = hash
	return m, m.SetOptions(model.Options{Compute: r.Compute})
}

// The methods of distillation.
const (
	methodTraces   = "traces"
	methodLogits   = "logits"
	methodOnPolicy = "on_policy"
)

// shortTexts is FilterOptions.WholeBelow for the tasks there are: their
// questions are some ten tokens in a fixed form, and only the whole names a problem.
const shortTexts = 32

func newDistillRecipe() *distillRecipe {
	r := &distillRecipe{Method: methodTraces, Task: newGRPORecipe().Task, HeldOut: 1000}
	r.Collect.Filters.WholeBelow = shortTexts
	return r
}

func (r *distillRecipe) resolve() error {
	if r.Teacher.Path == "" {
		return errors.New("teacher.path is not set; try: --set teacher.path=DIR")
	}
	teacher := modelRecipe{Path: r.Teacher.Path, Compute: r.Teacher.Compute}
	if err := teacher.resolve(); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	r.Teacher.Compute = teacher.Compute
	if err := r.Model.resolve(); err != nil {
		return err
	}
	if err := teacher.resolveTokenizer(&r.Tokenizer, ""); err != nil {
		return err
	}
	if err := r.Task.validate(); err != nil {
		return err
	}
	if r.HeldOut < 1 {
		return fmt.Errorf("held_out: got %d, want at least 1", r.HeldOut)
	}
	if r.Method != methodTraces && r.Method != methodLogits && r.Method != methodOnPolicy {
		return fmt.Errorf("method: got %q, want %s, %s or %s", r.Method, methodTraces, methodLogits, methodOnPolicy)
	}
	for _, tokens := range []*int{&r.Collect.MaxNewTokens, &r.OnPolicy.Rollout.MaxNewTokens} {
		if *tokens == 0 { // half of the positions leave room for the prompt
			*tokens = min(1024, teacher.MaxPositions/2, r.Model.MaxPositions/2)
		}
	}
	logits := train.DistillOptions{Divergence: r.Divergence, SFT: r.SFTOptions}
	if err := errors.Join(r.Collect.Validate(), r.OnPolicy.Validate(), logits.Validate()); err != nil {
		return err
	}
	logits = logits.Resolved()
	r.Divergence, r.SFTOptions = logits.Divergence, logits.SFT
	r.Collect, r.OnPolicy = r.Collect.Resolved(), r.OnPolicy.Resolved()
	return nil
}

// sameTokens compares the vocabulary of an existing student with the one that
// the teacher speaks: ids that mean other texts would be learned without a complaint.
func (r *distillRecipe) sameTokens(t *tokenizer.Tokenizer) error {
	if r.Model.Path == "" {
		return nil
	}
	folder, err := findModel(r.Model.Path)
	if err != nil {
		return err
	}
	path := tokenizerFor(folder)
	if path == "" {
		return nil
	}
	own, err := openTokenizer(path)
	if err != nil {
		return err
	}
	different := own.Size() != t.Size()
	for id := int32(0); int(id) < t.Size() && !different; id++ {
		a, _ := own.Token(id)
		b, _ := t.Token(id)
		different = a != b || own.Special(id) != t.Special(id)
	}
	if different {
		return fmt.Errorf("%s is not the vocabulary of the teacher; they must have one vocabulary", path)
	}
	return nil
}

// distillation is what the methods share.
type distillation struct {
	recipe  *distillRecipe
	teacher *speaker
	student *model.Model
	cpu     *compute.CPU
	run     *trainingRun
	out     *output
}

// Run distils, and records a run.
func (c *distillCommand) Run(ctx context.Context, out *output) error {
	r := newDistillRecipe()
	if err := c.fill("distill", r); err != nil {
		return err
	}
	if done, err := c.printed(r, out); done {
		return err
	}
	t, err := c.tokenizer(r.Tokenizer)
	if err != nil {
		return err
	}
	teacher, err := r.Teacher.open()
	if err != nil {
		return err
	}
	lora := r.LoRA
	if r.Method == methodOnPolicy {
		lora = r.OnPolicy.LoRA
	}
	student, err := r.Model.openAdapted(t, lora)
	if err != nil {
		return err
	}
	if got, want := student.Config().VocabSize, teacher.Config().VocabSize; got != want {
		return fmt.Errorf("the student knows %d tokens and the teacher %d; they must have one vocabulary", got, want)
	}
	if err := r.sameTokens(t); err != nil {
		return err
	}
	cpu, err := c.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	words, err := c.words(r.Model.Path, t)
	if err != nil {
		return err
	}
	run, err := c.begin("distill", r, r.Seed, t, words, out)
	if err != nil {
		return err
	}
	out.note("%s: a student of %d parameters, a teacher of %d", run.store.Dir(), student.NumParameters(), teacher.NumParameters())
	d := &distillation{recipe: r, teacher: &speaker{model: teacher, tokenizer: t}, student: student, cpu: cpu, run: run, out: out}
	summary, err := d.do(ctx)
	return run.end(ctx, summary, student, t, err)
}

func (d *distillation) do(ctx context.Context) (*train.Summary, error) {
	setup := &train.Setup{Model: d.student, CPU: d.cpu, Recorder: d.run.store, Progress: d.run.progress, Decode: d.teacher.tokenizer.Decode}
	if d.recipe.Method == methodOnPolicy {
		return d.onPolicy(ctx, setup)
	}
	set, err := d.collect(ctx)
	if err != nil {
		return nil, err
	}
	examples := distill.Examples(set, d.teacher.tokenizer, tokenizer.End)
	if d.recipe.Method == methodTraces {
		return train.SFT(ctx, setup, examples, &d.recipe.SFTOptions)
	}
	options := train.DistillOptions{Divergence: d.recipe.Divergence, SFT: d.recipe.SFTOptions}
	return train.Distill(ctx, setup, d.teacher.model, examples, &options)
}

// collect asks the teacher, or reads the set that an earlier beginning of the run has left.
func (d *distillation) collect(ctx context.Context) (*distill.Set, error) {
	path := filepath.Join(d.run.store.Dir(), "set.jsonl")
	if isFile(path) {
		return distill.ReadSetFile(path)
	}
	r := d.recipe
	asked, err := r.Task.open()
	if err != nil {
		return nil, err
	}
	problems, err := r.Task.draw(asked, task.Train, r.Task.Problems)
	if err != nil {
		return nil, err
	}
	held, err := r.Task.draw(asked, task.HeldOut, r.HeldOut)
	if err != nil {
		return nil, err
	}
	e, err := engine.New(d.teacher.model, d.cpu, nil)
	if err != nil {
		return nil, err
	}
	options := r.Collect
	if len(options.Stop) == 0 {
		options.Stop = d.teacher.stopTokens()
	}
	asking := newProgress(d.out, "traces", 0, len(problems))
	set, counts, err := distill.Collect(ctx, &distill.Setup{
		Sampler: e, Tokenizer: d.teacher.tokenizer, Teacher: r.Teacher.Path, TeacherHash: r.Teacher.Hash, Task: asked,
		HeldOut: distill.HeldOutProblems(held), Folder: filepath.Join(d.run.store.Dir(), "traces"),
		Progress: func(done, of int, counts *distill.Counts) {
			d.run.tell("asked", map[string]any{"problems": done, "of": of, "sampled": counts.Sampled, "right": counts.Right, "kept": counts.Kept})
			asking.step(done, fmt.Sprintf("%d of %d right", counts.Right, counts.Sampled))
		},
	}, problems, &options)
	if err != nil {
		return nil, err
	}
	d.run.tell("traces", counts)
	for _, count := range counts.Table() {
		d.out.note("%s: %d %s", count.Name, count.Number, count.Meaning)
	}
	if len(set.Records) == 0 {
		return nil, errors.New("no trace of the teacher's is right and passes the filters; try: a better teacher, more collect.samples or more task.problems")
	}
	return set, set.WriteFile(path)
}

// onPolicy has the student answer and the teacher say what it would have said at each token.
func (d *distillation) onPolicy(ctx context.Context, setup *train.Setup) (*train.Summary, error) {
	set, err := newBank(&d.recipe.Task, train.RewardOptions{Accuracy: 1, Format: 1}, d.teacher.tokenizer)
	if err != nil {
		return nil, err
	}
	e, err := engine.New(d.student, d.cpu, nil)
	if err != nil {
		return nil, err
	}
	setup.Observe = set.Observe
	options := d.recipe.OnPolicy
	if len(options.Rollout.Stop) == 0 {
		options.Rollout.Stop = d.teacher.stopTokens()
	}
	return train.OnPolicy(ctx, setup, d.teacher.model, e, set.Rendered, set.Grade, &options)
}
