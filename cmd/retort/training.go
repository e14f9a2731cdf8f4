package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/lab"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
)

// trainingFlags are the flags of every command that trains.
type trainingFlags struct {
	computeFlags
	Recipe      string   `arg:"" optional:"" name:"recipe" help:"A recipe in YAML; --print-recipe shows every key."`
	Set         []string `name:"set" sep:"none" placeholder:"KEY=VALUE" help:"Set one key of the recipe, as in optimizer.learning_rate=1e-4; may be given again."`
	PrintRecipe bool     `name:"print-recipe" help:"Print the recipe with every key resolved, and do nothing."`
	Folder      string   `name:"run" placeholder:"DIR" help:"Folder of the run; default: below runs, by kind and time."`
	Resume      string   `name:"resume" placeholder:"RUN" help:"Go on with a run that was stopped or killed, by its stored recipe."`
	Inexact     bool     `name:"inexact" help:"Resume although the program or the instruction set is another: the bits will differ."`

	unset error // what a recipe that is only printed lacks
}

// resolver is a recipe that can fill in its defaults and find its faults.
type resolver interface {
	// resolve fills in every default, so that the recipe says what the run reads.
	resolve() error
}

// fill reads the recipe that the flags name, or the stored one of the run to resume.
func (f *trainingFlags) fill(kind string, r resolver) error {
	if f.Resume != "" {
		return f.fillFromRun(kind, r)
	}
	if f.Recipe != "" {
		source, err := os.ReadFile(f.Recipe)
		if err != nil {
			return usage(err, "")
		}
		if err := recipe.Apply(r, f.Recipe, source); err != nil {
			return usage(recipeFault(err), "")
		}
	}
	for _, assignment := range f.Set {
		if err := recipe.Set(r, assignment); err != nil {
			return usage(recipeFault(err), "")
		}
	}
	err := r.resolve()
	if f.PrintRecipe && errors.Is(err, errUnset) { // who wants to see the keys need not know them
		f.unset, err = err, nil
	}
	return usage(recipeFault(err), "")
}

// errUnset is within the error about a key that has no default. What does not depend on that key is resolved nevertheless.
var errUnset = errors.New("is not set")

// fillFromRun reads the stored recipe of the run to resume, if it can be resumed.
func (f *trainingFlags) fillFromRun(kind string, r resolver) error {
	if f.Recipe != "" || len(f.Set) > 0 || f.Folder != "" {
		return usage(errors.New("--resume takes the run's own recipe and folder"), "--resume alone, or a new run")
	}
	record, err := runstore.Read(f.Resume)
	if err != nil {
		return advise(explain.With("run-damaged", err), "a run's folder, see: retort runs ls")
	}
	m := record.Manifest
	if m.Kind != kind {
		return explain.Errorf("other-run", "%s is a run of %s; try: retort %s --resume %s", f.Resume, m.Kind, m.Kind, f.Resume)
	}
	build, err := runstore.ThisBuild()
	if err != nil {
		return err
	}
	if err := m.CheckExact(build, kernel.Level()); err != nil && !f.Inexact {
		return advise(err, "the program that began it, or --inexact")
	}
	if err := recipe.Apply(r, filepath.Join(f.Resume, "run.json")+": config", m.Config); err != nil {
		return err
	}
	return r.resolve()
}

// tokenizer opens the tokenizer of that name, or the copy in the run to resume.
func (f *trainingFlags) tokenizer(name string) (*tokenizer.Tokenizer, error) {
	if f.Resume != "" {
		name = filepath.Join(f.Resume, tokenizerFile)
	}
	return openTokenizer(name)
}

// words opens what the model to begin from, or the run to resume, says about
// conversations; nil if it says nothing.
func (f *trainingFlags) words(path string, t *tokenizer.Tokenizer) (*chat.Config, error) {
	if f.Resume != "" {
		return openChat(f.Resume, t)
	}
	if path == "" {
		return nil, nil
	}
	folder, err := findModel(path)
	if err != nil {
		return nil, err
	}
	return openChat(folder, t)
}

// printed prints the recipe if that is all that was asked for.
func (f *trainingFlags) printed(r resolver, out *output) (bool, error) {
	if !f.PrintRecipe {
		return false, nil
	}
	if f.unset != nil {
		out.note("%v", f.unset)
	}
	if out.json {
		text, err := recipe.JSON(r)
		if err != nil {
			return true, err
		}
		return true, out.event("recipe", map[string]any{"recipe": text})
	}
	text, err := recipe.Marshal(r)
	if err != nil {
		return true, err
	}
	out.result("%s", strings.TrimSuffix(string(text), "\n"))
	return true, nil
}

// trainingRun is a run that is being made.
type trainingRun struct {
	kind   string
	began  time.Time
	store  *runstore.Run
	out    *output
	steps  *progress
	tokens int64        // at the last step
	words  *chat.Config // how the model is spoken to; nil: in the lab's form
	at     time.Time
}

// begin opens the run to resume, or makes a new one that stores the recipe.
func (f *trainingFlags) begin(kind string, r resolver, seed uint64, t *tokenizer.Tokenizer, words *chat.Config, out *output) (*trainingRun, error) {
	run := &trainingRun{kind: kind, out: out, began: time.Now(), words: words}
	if f.Resume != "" {
		store, err := runstore.Open(f.Resume)
		run.store = store
		return run, err
	}
	build, err := runstore.ThisBuild()
	if err != nil {
		return nil, err
	}
	config, err := recipe.JSON(r)
	if err != nil {
		return nil, err
	}
	folder := f.Folder
	if folder == "" {
		folder = filepath.Join("runs", kind+time.Now().Format("-20060102-150405"))
	}
	run.store, err = runstore.Create(folder, runstore.Manifest{
		Kind: kind, Command: os.Args, Config: config, Seed: seed, Build: build, Level: kernel.Level(), Metrics: append(train.Metrics(), lab.ObservedMetrics()...),
	})
	if errors.Is(err, runstore.ErrExists) {
		return nil, advise(err, "--resume "+folder+", or another --run")
	}
	if err != nil {
		return nil, err
	}
	return run, saveText(folder, t, words)
}

// progress shows a step; it is train.Setup's callback.
func (r *trainingRun) progress(p train.Progress) {
	now := time.Now()
	if r.steps == nil { // the first step of this program has no beginning of its own to be timed from
		r.steps = newProgress(r.out, r.kind, p.Step, p.Steps)
		r.steps.began = r.began
		r.tokens, r.at = p.Tokens, now
	}
	for _, f := range p.Findings {
		r.out.note("watchdog, step %d: %s", f.Step, f.Message)
		r.tell("finding", f)
	}
	if r.out.json {
		metrics := map[string]any{}
		for _, v := range p.Metrics {
			metrics[v.Name] = jsonNumber(v.Number)
		}
		r.tell("step", map[string]any{"step": p.Step, "steps": p.Steps, "tokens": p.Tokens, "metrics": metrics})
	}
	r.steps.step(p.Step, r.detail(&p, now))
}

// tell prints an event. Whoever read them may be gone; the run goes on.
func (r *trainingRun) tell(kind string, fields any) { _ = r.out.event(kind, fields) }

// shownMetrics stand in a line of progress, in this order.
var shownMetrics = []struct{ name, label string }{
	{train.MetricLoss, "loss"}, {train.MetricAccuracy, "accuracy"}, {"reflections", "reflections"}, {train.MetricLengthMean, "length"},
}

// thousandths rounds to three digits, without a sign before a zero.
func thousandths(x float64) string {
	text := strconv.FormatFloat(x, 'f', 3, 64)
	if text == "-0.000" {
		return "0.000"
	}
	return text
}

func (r *trainingRun) detail(p *train.Progress, now time.Time) string {
	var parts []string
	for _, shown := range shownMetrics {
		for _, v := range p.Metrics {
			if v.Name == shown.name {
				parts = append(parts, shown.label+" "+thousandths(v.Number))
			}
		}
	}
	if seconds := now.Sub(r.at).Seconds(); seconds > 0 && p.Tokens > r.tokens {
		parts = append(parts, fmt.Sprintf("%.0f targets/s", float64(p.Tokens-r.tokens)/seconds))
	}
	r.tokens, r.at = p.Tokens, now
	return strings.Join(parts, "  ")
}

// saveTrained saves the model, and its adapter if it has one: then the model is what both make, so that
// it can be opened by itself.
func saveTrained(folder string, m *model.Model) error {
	if !m.HasAdapter() {
		return m.Save(filepath.Join(folder, modelFolder), tensor.F32)
	}
	return errors.Join(
		m.SaveAdapter(filepath.Join(folder, adapterFolder), "", tensor.F32), m.Merged().Save(filepath.Join(folder, modelFolder), tensor.F32),
	)
}

// end saves the finished model, notes how the run ended, and says where it is.
func (r *trainingRun) end(ctx context.Context, s *train.Summary, m *model.Model, t *tokenizer.Tokenizer, err error) error {
	folder := r.store.Dir()
	status := runstore.StatusDone
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		status = runstore.StatusStopped
	case err != nil:
		status = runstore.StatusFailed
	default:
		err = errors.Join(saveTrained(folder, m), saveText(filepath.Join(folder, modelFolder), t, r.words))
		if err != nil {
			status = runstore.StatusFailed
		}
	}
	for _, warning := range r.store.Warnings() {
		r.out.note("%s: %s", folder, warning)
	}
	err = errors.Join(err, r.store.Finish(status), r.store.Close())
	step := 0
	if s != nil {
		step = s.Steps
	}
	r.tell("end", struct {
		Run    string          `json:"run"`
		Status runstore.Status `json:"status"`
		Step   int             `json:"step"`
	}{folder, status, step})
	switch {
	case status == runstore.StatusStopped:
		r.out.note("stopped after step %d; go on with: retort %s --resume %s", step, r.kind, folder)
	case err == nil:
		r.out.result("%s: %d steps, model in %s", folder, step, filepath.Join(folder, modelFolder))
	}
	return err
}
