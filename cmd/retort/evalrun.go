package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/runstore"
)

// begin makes a new run.
func (c *evalRunCommand) begin(ctx context.Context, out *output) error {
	p, err := c.plan()
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return usage(err, "retort eval --help")
	}
	warnOfKV(out, p.KV)
	list, err := questions(p)
	if err != nil {
		return err
	}
	s, err := c.session(p)
	if err != nil {
		return err
	}
	defer s.close()
	config, err := json.Marshal(p)
	if err != nil {
		return err
	}
	build, err := runstore.ThisBuild()
	if err != nil {
		return err
	}
	folder := c.Folder
	if folder == "" {
		folder = filepath.Join("runs", "eval-"+p.Benchmark+p.Task+time.Now().Format("-20060102-150405"))
	}
	store, err := runstore.Create(folder, runstore.Manifest{
		Kind: eval.RunKind, Command: os.Args, Config: config, Seed: p.Seed, Build: build, Level: kernel.Level(), Metrics: eval.Metrics(),
	})
	if errors.Is(err, runstore.ErrExists) {
		return advise(err, "--resume "+folder+", or another --run")
	}
	if err != nil {
		return err
	}
	return c.evaluate(ctx, out, s, eval.NewRecord(folder, *p), store, list)
}

// record makes a run of one model's recorded answers.
func (c *evalRunCommand) record(ctx context.Context, out *output) error {
	base, err := gradeOptions(c.Options, "retort eval --replay FILE")
	if err != nil {
		return err
	}
	source, err := openInput(out, c.Replay)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was only read
	replay, err := eval.ReadReplay(source, c.Model, base)
	if err != nil {
		return advise(inputFault(fmt.Errorf("%s: %w", c.Replay, err)), "--model NAME")
	}
	p := &eval.Plan{Title: "recorded answers", Kind: eval.Maths, Replay: c.Replay, Model: replay.Model, Problems: len(replay.Questions), Samples: replay.Samples, Grading: c.Options}
	if err := p.Validate(); err != nil {
		return err
	}
	config, err := json.Marshal(p)
	if err != nil {
		return err
	}
	build, err := runstore.ThisBuild()
	if err != nil {
		return err
	}
	store, err := runstore.Create(c.Folder, runstore.Manifest{Kind: eval.RunKind, Command: os.Args, Config: config, Build: build, Level: kernel.Level(), Metrics: eval.Metrics()})
	if err != nil {
		return advise(err, "another --run")
	}
	err = replay.Record(store, eval.NewRecord(c.Folder, *p), eval.CodeJudge(ctx, newPythonRunner("")))
	status := runstore.StatusDone
	if err != nil {
		status = runstore.StatusFailed
	}
	if err := errors.Join(err, store.Finish(status), store.Close()); err != nil {
		return err
	}
	return printRecord(out, c.Folder, c.intervals())
}

// resume goes on with a run by its stored plan.
func (c *evalRunCommand) resume(ctx context.Context, out *output) error {
	if c.Bench != "" || c.Task != "" || c.Model != "" || c.Data != "" || c.Folder != "" || c.Samples != 0 || c.Votes != 0 {
		return usage(errors.New("--resume takes the run's own plan and folder"), "--resume alone, or a new run")
	}
	record, err := eval.ReadRecord(c.Resume)
	if err != nil {
		return advise(evalFault(c.Resume, err), "a run's folder, see: retort runs ls")
	}
	build, err := runstore.ThisBuild()
	if err != nil {
		return err
	}
	if err := record.Manifest.CheckExact(build, kernel.Level()); err != nil && !c.Inexact && record.Plan.Endpoint == "" {
		return advise(err, "the program that began it, or --inexact")
	}
	if record.Plan.Replay != "" {
		return explain.Errorf("other-run", "%s holds recorded answers: there is nothing to go on with", c.Resume)
	}
	list, err := questions(&record.Plan)
	if err != nil {
		return err
	}
	c.ForceThought = record.Plan.Thought == eval.ThoughtForced
	s, err := c.session(&record.Plan)
	if err != nil {
		return err
	}
	defer s.close()
	store, err := runstore.Open(c.Resume)
	if err != nil {
		return err
	}
	return c.evaluate(ctx, out, s, record, store, list)
}

// The samples of a local model are recorded when those generated together are whole: of long replies fewer are generated
// together than the usual 64, since a killed run loses them.
const (
	shortReply = 4096 // tokens
	longBatch  = 16
)

// evalSession is what answers.
type evalSession struct {
	eval.Evaluation
	close func()
}

// session opens the generator of a plan.
func (c *evalRunCommand) session(p *eval.Plan) (*evalSession, error) {
	if p.Endpoint != "" {
		remote, err := c.endpointFlags.open(p)
		if err != nil {
			return nil, err
		}
		return &evalSession{Evaluation: eval.Evaluation{Generator: remote, Batch: c.Batch}, close: func() {}}, nil
	}
	s, render, err := evalSpeaker(p, c.ForceThought)
	if err != nil {
		return nil, err
	}
	cpu, err := c.computeFlags.open()
	if err != nil {
		return nil, err
	}
	e, err := engine.New(s.model, cpu, &engine.Options{KV: p.KV})
	if err != nil {
		cpu.Close()
		return nil, err
	}
	session := &evalSession{close: cpu.Close}
	session.Generator = llm.NewLocalWith(e, s.tokenizer, llm.LocalOptions{Render: render, Ends: s.stopTokens()})
	session.Render, session.Batch = render, c.Batch
	if longest := p.Context; c.Batch == 0 && longest > shortReply && (p.MaxTokens == 0 || p.MaxTokens > shortReply) {
		session.Batch = longBatch
	}
	session.Energy, _ = eval.OpenEnergyMeter()
	return session, nil
}

// evaluate draws what is missing, notes how the run ended, and prints what it found.
func (c *evalRunCommand) evaluate(ctx context.Context, out *output, s *evalSession, record *eval.Record, store *runstore.Run, list []eval.Question) error {
	for _, warning := range store.Warnings() {
		out.note("%s: %s", record.Dir, warning)
	}
	var shown *progress
	s.Record, s.Store, s.Code = record, store, eval.CodeJudge(context.WithoutCancel(ctx), newPythonRunner(""))
	s.Progress = func(p eval.Progress) {
		if shown == nil {
			shown = newProgress(out, record.Plan.Title, 0, p.Total) // the first step has taken time, too
			shown.began = s.Began()
			shown.last, shown.lastDone = s.Began(), s.Before()
		}
		shown.total = p.Total
		detail := ""
		if p.Judged > 0 {
			detail = fmt.Sprintf("right %.1f %%", 100*float64(p.Right)/float64(p.Judged))
		}
		shown.step(p.Done, detail)
		_ = out.event("progress", p) // whoever read the events may be gone; the run goes on
	}
	err := s.Ask(list)
	if err == nil {
		out.note("%s: %s; %d problems, %d samples each", record.Dir, record.Plan.Name(), len(record.Questions), record.Plan.Samples)
		err = s.Evaluation.Run(ctx)
	}
	status := runstore.StatusDone
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		status = runstore.StatusStopped
	case err != nil:
		status = runstore.StatusFailed
	}
	if err := errors.Join(err, store.Finish(status), store.Close()); err != nil {
		if status == runstore.StatusStopped {
			out.note("stopped with %d samples; go on with: retort eval --resume %s", record.Count(), record.Dir)
			return err
		}
		return advise(err, "retort eval --resume "+record.Dir)
	}
	return printRecord(out, record.Dir, c.intervals())
}

func (c *evalRunCommand) intervals() *eval.IntervalOptions {
	return &eval.IntervalOptions{Resamples: c.Resamples}
}
