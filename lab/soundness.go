package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/train"
)

// Soundness is what must hold at any size, because it is about the machinery and not about science.
type Soundness struct {
	// Reopened counts the saved models whose files gave back the same weights, of Saved.
	Reopened int `json:"reopened"`
	Saved    int `json:"saved"`
	// Falling counts the stages of supervised training whose loss fell, of Supervised: those of at least six steps.
	Falling    int `json:"falling"`
	Supervised int `json:"supervised"`
	// Resumed counts the runs that were stopped in the middle, went on, and ended with the bits of an
	// uninterrupted run, of Stopped; both are 0 where that is not tried.
	Resumed int `json:"resumed"`
	Stopped int `json:"stopped"`
}

// checkSoundness looks at every stage's files, and at the quick size stops and resumes runs.
func (s *seedRun) checkSoundness(ctx context.Context) error {
	x := &s.result.Soundness
	for _, r := range s.result.Stages {
		dir := filepath.Join(s.dir, r.Name)
		m, err := model.Open(filepath.Join(dir, "model"))
		if err != nil {
			return err
		}
		x.Saved++
		if slices.Equal(m.Weights(), s.models[r.Name].Weights()) {
			x.Reopened++
		}
		if err := x.addLosses(dir); err != nil {
			return err
		}
	}
	if s.settings.Size != Quick {
		return nil
	}
	for kind, run := range map[string]func(context.Context, *train.Setup) error{"sft": s.shortSFT, "grpo": s.shortGRPO} {
		same, err := s.stopAndResume(ctx, kind, run)
		if err != nil {
			return fmt.Errorf("resume check of %s: %w", kind, err)
		}
		x.Stopped++
		if same {
			x.Resumed++
		}
	}
	return nil
}

// addLosses compares the loss of the first and the last steps of a supervised run.
func (x *Soundness) addLosses(dir string) error {
	record, err := runstore.Read(dir)
	if err != nil {
		return err
	}
	if record.Manifest.Kind != "sft" && record.Manifest.Kind != "distill" {
		return nil
	}
	const ends = 3
	var losses []float64
	for _, row := range record.Rows {
		if v, ok := row.Get(train.MetricLoss); ok {
			losses = append(losses, v)
		}
	}
	if len(losses) < 2*ends {
		return nil // too few steps to have a beginning and an end; none at all is a finding of its own
	}
	x.Supervised++
	if mean(losses[len(losses)-ends:]) < mean(losses[:ends]) {
		x.Falling++
	}
	return nil
}

// Sizes of the runs that are stopped: each writes a checkpoint every two steps and is stopped after
// the third, so that a step is lost and made again.
const (
	shortSteps = 6
	shortEvery = 2
	stopAfter  = 3
)

func (s *seedRun) shortSFT(ctx context.Context, setup *train.Setup) error {
	start := s.settings.StudentStart
	start.Examples = 32
	examples, err := s.coldStartExamples(&start)
	if err != nil {
		return err
	}
	o := start.SFT
	o.Steps, o.BatchSize, o.Shuffle, o.Checkpoint.EverySteps = shortSteps, 8, true, shortEvery
	_, err = train.SFT(ctx, setup, examples, &o)
	return err
}

func (s *seedRun) shortGRPO(ctx context.Context, setup *train.Setup) error {
	b, err := s.newBank(task.Train, 16)
	if err != nil {
		return err
	}
	// Whoever stops is right: even an untrained model then has groups of unequal rewards.
	grade := func(p *train.Problem, tokens []int32, text string) train.Reward {
		r := b.Grade(p, tokens, text)
		r.Other = float64(len(tokens)%5) / 5
		return r
	}
	setup.Reflect = b.Reflect(s.tokenizer)
	e, err := s.newEngine(setup.Model)
	if err != nil {
		return err
	}
	o := s.settings.Control
	o.Steps, o.Checkpoint.EverySteps, o.Rollout.Stop = shortSteps, shortEvery, []int32{s.end}
	o.Rollout.Problems, o.Rollout.Group, o.Rollout.MaxNewTokens, o.Optimizer.LearningRate = 4, 4, 24, 1e-4
	_, err = train.GRPO(ctx, setup, e, b.Rendered, grade, &o)
	return err
}

// stopAndResume makes the same run twice, once without interruption and once stopped without a
// checkpoint of the moment and continued by new objects, and compares everything that is recorded.
func (s *seedRun) stopAndResume(ctx context.Context, kind string, train func(context.Context, *train.Setup) error) (same bool, err error) {
	root, err := os.MkdirTemp(s.dir, "resume-check-")
	if err != nil {
		return false, fmt.Errorf("lab: %w", err)
	}
	defer os.RemoveAll(root)
	whole, err := s.shortRun(ctx, filepath.Join(root, "whole"), kind, 0, train)
	if err != nil {
		return false, err
	}
	broken := filepath.Join(root, "stopped")
	if _, err := s.shortRun(ctx, broken, kind, stopAfter, train); !errors.Is(err, errStopHere) {
		return false, errors.Join(errors.New("the run did not stop"), err)
	}
	resumed, err := s.shortRun(ctx, broken, kind, 0, train)
	return whole == resumed, err
}

// errStopHere ends a run without the checkpoint that a cancelled context would leave.
var errStopHere = errors.New("stopped on purpose")

// stopping is a recorder that fails after some steps, as a crash would.
type stopping struct {
	*runstore.Run
	after int
}

// AppendMetrics fails once the run is to stop.
func (r *stopping) AppendMetrics(step int, values []runstore.Value) error {
	if r.after > 0 && step > r.after {
		return errStopHere
	}
	return r.Run.AppendMetrics(step, values)
}

// shortRun makes or continues a run and returns the digest of what it left.
func (s *seedRun) shortRun(ctx context.Context, dir, kind string, stop int, run func(context.Context, *train.Setup) error) (string, error) {
	m, err := model.New(s.settings.Student, s.seed)
	if err != nil {
		return "", err
	}
	record, err := s.openRun(dir, &stage{name: kind, kind: kind})
	if err != nil {
		return "", err
	}
	defer record.Close()
	setup := &train.Setup{Model: m, CPU: s.cpu, Recorder: &stopping{record, stop}, Decode: s.tokenizer.Decode}
	if err := run(ctx, setup); err != nil {
		return "", err
	}
	digests, err := runstore.Digest(record)
	if err != nil {
		return "", err
	}
	return digests.Sum()
}

// gates are the claims about the machinery.
func (x *Soundness) gates() []Gate {
	all := func(name, claim string, count, of int) Gate {
		share := math.NaN()
		if of > 0 {
			share = float64(count) / float64(of)
		}
		return verdict(Gate{Name: name, Claim: claim, Value: share, Low: share, High: share, Relation: "=", Threshold: 1, Percent: true,
			Note: fmt.Sprintf("%d of %d", count, of)}, count == of && of > 0)
	}
	list := []Gate{
		all("(g)", "Saved models open again with the same weights", x.Reopened, x.Saved),
		all("(h)", "The losses of supervised stages fall", x.Falling, x.Supervised),
	}
	if x.Stopped > 0 {
		list = append(list, all("(i)", "Runs that are stopped and resumed end with the same bits", x.Resumed, x.Stopped))
	}
	return list
}
