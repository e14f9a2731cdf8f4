package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/train"
)

// The models of a lab, by the name of the stage that makes them.
const (
	modelBase       = "base"
	modelStudent    = "student"
	modelReinforced = "reinforced"
	modelDistilled  = "distilled"
	modelOnPolicy   = "on-policy"
	modelAfter      = "distilled-reinforced"
	modelControl    = "control" // the best of the sweep
	modelSameSize   = "distilled-same-size"
	modelFidelity   = "reinforced-fidelity"
	modelPlainBase  = "base-plain"
	modelPlain      = "reinforced-plain"
)

// stage is a step of the story that leaves a model.
type stage struct {
	name, title string
	// from is the model that the stage starts from; "" makes a new one of shape.
	from  string
	shape *model.Config
	kind  string
	// config is what the manifest stores.
	config any
	// train updates setup.Model.
	train func(ctx context.Context, setup *train.Setup) (*train.Summary, error)
}

// StageResult is what a stage leaves in stage.json, written last.
type StageResult struct {
	Name    string  `json:"name"`
	Title   string  `json:"title"`
	Seconds float64 `json:"seconds"` // of the call that finished it
	Steps   int     `json:"steps"`
	// Tokens carried loss, Sampled were sampled.
	Tokens  int64 `json:"tokens"`
	Sampled int64 `json:"sampled"`
	// MaxGap is the largest log-probability gap of any step.
	MaxGap   float64  `json:"max_logprob_gap"`
	Findings []string `json:"findings,omitempty"`
}

// do runs a stage, or takes its result from its folder.
func (s *seedRun) do(ctx context.Context, g *stage) (*StageResult, error) {
	dir := filepath.Join(s.dir, g.name)
	if r, m, err := openStage(dir); err == nil {
		s.models[g.name] = m
		s.result.Stages = append(s.result.Stages, *r)
		return r, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := s.starting(g)
	if err != nil {
		return nil, err
	}
	run, err := s.openRun(dir, g)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	r, err := s.trainStage(ctx, g, m, run)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", g.name, err), finishFailed(ctx, run))
	}
	if err := s.saveModel(filepath.Join(dir, "model"), m); err != nil {
		return nil, err
	}
	if err := run.Finish(runstore.StatusDone); err != nil {
		return nil, err
	}
	if err := s.sumUp(dir, r); err != nil {
		return nil, err
	}
	s.models[g.name] = m
	s.result.Stages = append(s.result.Stages, *r)
	s.event(Event{Seed: s.seed, Stage: g.name, Title: g.title, Kind: "end", Step: r.Steps, Steps: r.Steps,
		Text: fmt.Sprintf("%d steps in %.1f s", r.Steps, r.Seconds)})
	return r, writeJSON(filepath.Join(dir, "stage.json"), r)
}

func finishFailed(ctx context.Context, run *runstore.Run) error {
	if ctx.Err() != nil {
		return run.Finish(runstore.StatusStopped)
	}
	return run.Finish(runstore.StatusFailed)
}

// openStage reads a finished stage.
func openStage(dir string) (*StageResult, *model.Model, error) {
	text, err := os.ReadFile(filepath.Join(dir, "stage.json"))
	if err != nil {
		return nil, nil, err
	}
	r := &StageResult{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, nil, fmt.Errorf("lab: %s: stage.json: %w", dir, err)
	}
	m, err := model.Open(filepath.Join(dir, "model"))
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("lab: %s is finished but has no model; remove the folder", dir)
	}
	return r, m, err
}

// starting is the model that a stage begins with.
func (s *seedRun) starting(g *stage) (*model.Model, error) {
	if g.from == "" {
		return model.New(*g.shape, s.seed)
	}
	return s.models[g.from].Clone(), nil
}

// openRun goes on with the stage's run or makes a new one.
func (s *seedRun) openRun(dir string, g *stage) (*runstore.Run, error) {
	build, err := runstore.ThisBuild()
	if err != nil {
		return nil, err
	}
	run, err := runstore.Open(dir)
	if err == nil {
		if exact := run.Manifest().CheckExact(build, kernel.Level()); exact != nil && !s.options.Inexact {
			return nil, errors.Join(fmt.Errorf("%w; --inexact goes on all the same, or remove %s", exact, dir), run.Close())
		}
		if _, _, err := run.Rewind(); err != nil {
			return nil, errors.Join(err, run.Close())
		}
		return run, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	config, err := json.Marshal(g.config)
	if err != nil {
		return nil, fmt.Errorf("lab: %s: %w", g.name, err)
	}
	var parents []string
	if g.from != "" {
		parents = []string{g.from}
	}
	return runstore.Create(dir, runstore.Manifest{
		Kind: g.kind, Command: s.options.Command, Config: config, Seed: s.seed, Build: build, Level: kernel.Level(),
		Parents: parents, Metrics: append(train.Metrics(), observedMetrics...),
	})
}

func (s *seedRun) trainStage(ctx context.Context, g *stage, m *model.Model, run *runstore.Run) (*StageResult, error) {
	s.event(Event{Seed: s.seed, Stage: g.name, Title: g.title, Kind: "begin"})
	began, last := time.Now(), time.Now()
	setup := &train.Setup{Model: m, CPU: s.cpu, Recorder: run, Decode: s.tokenizer.Decode}
	var fault error
	setup.Progress = func(p train.Progress) {
		fault = errors.Join(fault, run.AppendTiming(p.Step, []runstore.Timing{{Part: "step", Duration: time.Since(last)}}))
		last = time.Now()
		s.event(Event{Seed: s.seed, Stage: g.name, Title: g.title, Kind: "step", Step: p.Step, Steps: p.Steps, Metrics: p.Metrics})
		for _, f := range p.Findings {
			s.event(Event{Seed: s.seed, Stage: g.name, Title: g.title, Kind: "finding", Step: p.Step, Text: f.Message})
		}
	}
	summary, err := g.train(ctx, setup)
	if err = errors.Join(err, fault); err != nil {
		return nil, err
	}
	r := &StageResult{Name: g.name, Title: g.title, Seconds: time.Since(began).Seconds(), Steps: summary.Steps, Tokens: summary.Tokens}
	for _, f := range summary.Findings {
		r.Findings = append(r.Findings, f.Message)
	}
	return r, nil
}

// sumUp reads from the finished run what holds for all of its steps, those before a resume included.
func (s *seedRun) sumUp(dir string, r *StageResult) error {
	record, err := runstore.Read(dir)
	if err != nil {
		return err
	}
	for _, row := range record.Rows {
		if n, ok := row.Get(train.MetricSampledTokens); ok {
			r.Sampled += int64(n)
		}
		if gap, ok := row.Get(train.MetricLogProbGap); ok {
			r.MaxGap = worseGap(r.MaxGap, gap)
		}
	}
	return nil
}

// saveModel writes a model and its tokenizer as an ordinary folder.
func (s *seedRun) saveModel(dir string, m *model.Model) error {
	if err := m.Save(dir, tensor.F32); err != nil {
		return err
	}
	text, err := json.Marshal(s.tokenizer)
	if err != nil {
		return fmt.Errorf("lab: tokenizer: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), text, 0o644); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}
