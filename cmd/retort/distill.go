package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
)

// distillCommand teaches a student what a teacher knows of a task.
type distillCommand struct {
	trainingFlags
	Teacher string `name:"teacher" placeholder:"WHO" help:"The teacher: a GGUF file, a model's folder or a run (teacher.path), or an endpoint such as http://127.0.0.1:8000/v1 (teacher.url)."`
}

// distillRecipe is the recipe of distill; the keys of train.SFTOptions, which
// the methods traces and logits read, stand beside the sections.
type distillRecipe struct {
	Method    string `help:"traces: learn the teacher's right answers; logits: its distributions over them; on_policy: its distributions over the student's own answers"`
	Teacher   teacherRecipe
	Model     modelRecipe `help:"the student"`
	Tokenizer string      `help:"lab, bytes or a tokenizer.json; empty: the teacher's own, or the student's where the teacher is an endpoint"`
	Task      taskRecipe
	HeldOut   int `help:"problems of the held-out split that no text may be shared with"`
	Collect   distill.CollectOptions
	OnPolicy  train.OnPolicyOptions `help:"read by the method on_policy alone"`
	// Divergence is that of the method logits.
	Divergence string `help:"forward_kl, reverse_kl or jensen_shannon, of the method logits"`
	train.SFTOptions
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
	missing := r.resolveTeacher()
	if missing != nil && !errors.Is(missing, errUnset) {
		return missing
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
	logits := train.DistillOptions{Divergence: r.Divergence, SFT: r.SFTOptions}
	if err := errors.Join(r.Collect.Validate(), r.OnPolicy.Validate(), logits.Validate()); err != nil {
		return err
	}
	logits = logits.Resolved()
	r.Divergence, r.SFTOptions = logits.Divergence, logits.SFT
	r.Collect, r.OnPolicy = r.Collect.Resolved(), r.OnPolicy.Resolved()
	return missing
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
		return explain.Errorf("bad-tokenizer", "%s is not the vocabulary of the teacher; they must have one vocabulary", path)
	}
	return nil
}

// setFile holds what a student learns, in the run's folder.
const setFile = "set.jsonl"

// distillation is what the methods share.
type distillation struct {
	recipe    *distillRecipe
	tokenizer *tokenizer.Tokenizer
	teacher   *speaker    // nil for an endpoint
	remote    *llm.Remote // nil for a model of this machine
	isAsked   bool        // the set is there, and the teacher has nothing to say
	student   *speaker
	cpu       *compute.CPU
	run       *trainingRun
	out       *output
}

// Run distils, and records a run.
func (c *distillCommand) Run(ctx context.Context, out *output) error {
	r := newDistillRecipe()
	if c.Teacher != "" {
		c.Set = append(c.Set, teacherKeys(c.Teacher)...)
	}
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
	d := &distillation{recipe: r, tokenizer: t, out: out, isAsked: c.Resume != "" && isFile(filepath.Join(c.Resume, setFile))}
	if err := d.openTeacher(ctx); err != nil {
		return err
	}
	if err := c.openStudent(d); err != nil {
		return err
	}
	if d.cpu, err = c.open(); err != nil {
		return err
	}
	defer d.cpu.Close()
	if d.run, err = c.begin("distill", r, r.Seed, t, d.student.chat, out); err != nil {
		return err
	}
	d.introduce()
	summary, err := d.do(ctx)
	return d.run.end(ctx, summary, d.student.model, t, err)
}

// openStudent opens the student, which a local teacher shares its vocabulary with. A new one is spoken to as its teacher is.
func (c *distillCommand) openStudent(d *distillation) error {
	r := d.recipe
	lora := r.LoRA
	if r.Method == methodOnPolicy {
		lora = r.OnPolicy.LoRA
	}
	m, err := r.Model.openAdapted(d.tokenizer, lora)
	if err != nil {
		return err
	}
	words, err := c.words(r.Model.Path, d.tokenizer)
	if err != nil {
		return err
	}
	if d.teacher != nil {
		if got, want := m.Config().VocabSize, d.teacher.model.Config().VocabSize; got != want {
			return explain.Errorf("bad-tokenizer", "the student knows %d tokens and the teacher %d; they must have one vocabulary", got, want)
		}
		if err := r.sameTokens(d.tokenizer); err != nil {
			return err
		}
		if words == nil && r.Model.Path == "" {
			words = d.teacher.chat
		}
	}
	d.student = &speaker{model: m, tokenizer: d.tokenizer, chat: words, limits: r.Model.clock(words)}
	return nil
}

// introduce says who teaches whom.
func (d *distillation) introduce() {
	student := d.student.model.NumParameters()
	if d.remote != nil {
		d.out.note("%s: a student of %d parameters, the teacher is %s", d.run.store.Dir(), student, d.recipe.Teacher.name())
		return
	}
	d.out.note("%s: a student of %d parameters, a teacher of %d", d.run.store.Dir(), student, d.teacher.model.NumParameters())
}

func (d *distillation) do(ctx context.Context) (*train.Summary, error) {
	setup := &train.Setup{Model: d.student.model, CPU: d.cpu, Recorder: d.run.store, Progress: d.run.progress, Decode: d.tokenizer.Decode}
	if d.recipe.Method == methodOnPolicy {
		return d.onPolicy(ctx, setup)
	}
	set, err := d.collect(ctx)
	if err != nil {
		return nil, err
	}
	examples, err := d.examples(set)
	if err != nil {
		return nil, err
	}
	if d.recipe.Method == methodTraces {
		return train.SFT(ctx, setup, examples, &d.recipe.SFTOptions)
	}
	options := train.DistillOptions{Divergence: d.recipe.Divergence, SFT: d.recipe.SFTOptions}
	return train.Distill(ctx, setup, d.teacher.model, examples, &options)
}

// examples puts the set into tokens, in the student's own template where it has one. What the student cannot read to its
// end is left out.
func (d *distillation) examples(set *distill.Set) ([]train.Example, error) {
	all := distill.Examples(set, d.tokenizer, tokenizer.End)
	learn := d.student.learner(&dataRecipe{})
	learn.fits = true
	longest := d.student.model.Config().MaxPositions + 1 // the last token is predicted and not read
	var examples []train.Example
	for i := range set.Records {
		if r := &set.Records[i]; r.Question != "" {
			e := distill.Example{Messages: []distill.Message{{Role: distill.RoleUser, Content: r.Question}, {Role: distill.RoleAssistant, Content: r.Completion}}}
			sequences, err := learn.sequences(&e)
			if err != nil {
				return nil, fmt.Errorf("problem %q: %w", r.Provenance.Problem, err)
			}
			all[i] = train.Example{Tokens: sequences[0].Tokens, Mask: sequences[0].Learned}
		} else if d.remote != nil {
			prompt := d.tokenizer.Encode(r.Prompt)
			all[i] = train.Example{Tokens: slices.Concat(prompt, encodeForeign(d.tokenizer, r.Completion), d.tokenizer.Encode(tokenizer.End)), TargetFrom: len(prompt)}
		}
		if len(all[i].Tokens) <= longest {
			examples = append(examples, all[i])
		}
	}
	if left := len(all) - len(examples); left > 0 {
		d.out.note("%d of %d traces left out: longer than the student's %d positions", left, len(all), longest-1)
	}
	if len(examples) == 0 {
		return nil, explain.Errorf("no-data", "all %d traces are longer than the student's %d positions; try: a larger model.max_positions", len(all), longest-1)
	}
	return examples, nil
}

// collect asks the teacher, or reads the set that an earlier beginning of the run has left.
func (d *distillation) collect(ctx context.Context) (*distill.Set, error) {
	path := filepath.Join(d.run.store.Dir(), setFile)
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
	options := r.Collect
	asking := newProgress(d.out, "traces", 0, len(problems))
	setup := &distill.Setup{
		Tokenizer: d.tokenizer, Teacher: r.Teacher.name(), TeacherHash: r.Teacher.Hash, Task: asked,
		HeldOut: distill.HeldOutProblems(held), Folder: filepath.Join(d.run.store.Dir(), "traces"),
		Questions: d.student.hasTemplate(),
		Progress: func(done, of int, counts *distill.Counts) {
			d.run.tell("asked", map[string]any{"problems": done, "of": of, "sampled": counts.Sampled, "right": counts.Right, "kept": counts.Kept})
			asking.step(done, fmt.Sprintf("%d of %d right", counts.Right, counts.Sampled))
		},
	}
	if err := d.voice(setup, &options); err != nil {
		return nil, err
	}
	set, counts, err := distill.Collect(ctx, setup, problems, &options)
	if err != nil {
		return nil, err
	}
	d.run.tell("traces", counts)
	for _, count := range counts.Table() {
		d.out.note("%s: %d %s", count.Name, count.Number, count.Meaning)
	}
	d.reportUse(counts)
	if len(set.Records) == 0 {
		return nil, explain.Errorf("no-data", "no trace of the teacher's is right and passes the filters; try: a better teacher, more collect.samples or more task.problems")
	}
	return set, set.WriteFile(path)
}

// onPolicy has the student answer and the teacher say what it would have said at each token.
func (d *distillation) onPolicy(ctx context.Context, setup *train.Setup) (*train.Summary, error) {
	set, err := newBank(&d.recipe.Task, train.RewardOptions{Accuracy: 1, Format: 1}, d.tokenizer)
	if err != nil {
		return nil, err
	}
	if err := d.student.renderBank(set); err != nil {
		return nil, err
	}
	e, err := engine.New(d.student.model, d.cpu, nil)
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
