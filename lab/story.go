package lab

import (
	"context"
	"fmt"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/train"
)

// run goes through the stages of one seed.
func (s *seedRun) run(ctx context.Context) error {
	chapters := []func(context.Context) error{
		s.coldStarts, s.reinforceBase, s.writeTraces, s.distill, s.controls, s.distillOnPolicy, s.reinforceDistilled,
	}
	if s.settings.Size == Full {
		chapters = append(chapters, s.fullControls)
	}
	for _, chapter := range append(chapters, s.evaluateAll, s.checkSoundness) {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *seedRun) coldStarts(ctx context.Context) error {
	if err := s.coldStart(ctx, modelBase, "Cold start of the base", &s.settings.Base, &s.settings.BaseStart); err != nil {
		return err
	}
	return s.coldStart(ctx, modelStudent, "Cold start of the weak student", &s.settings.Student, &s.settings.StudentStart)
}

func (s *seedRun) coldStart(ctx context.Context, name, title string, c *model.Config, start *ColdStart) error {
	_, err := s.do(ctx, &stage{name: name, title: title, shape: c, kind: "sft", config: start,
		train: func(ctx context.Context, setup *train.Setup) (*train.Summary, error) {
			examples, err := s.coldStartExamples(start)
			if err != nil {
				return nil, err
			}
			return train.SFT(ctx, setup, examples, &start.SFT)
		}})
	return err
}

// coldStartExamples are the texts of a cold start in their order.
func (s *seedRun) coldStartExamples(start *ColdStart) ([]train.Example, error) {
	full, err := task.NewColdStart(s.task, &start.Data)
	if err != nil {
		return nil, err
	}
	first := full.Options()
	first.Mixture.Search, first.Mixture.Long = 0, 0
	if first.Mixture == (task.Mixture{}) {
		first.Mixture = full.Options().Mixture
	}
	const earlyAttempts = 2 // short texts first
	first.VerifyAttempts = min(earlyAttempts, first.VerifyAttempts)
	early, err := task.NewColdStart(s.task, &first)
	if err != nil {
		return nil, err
	}
	border := int(start.Curriculum * float64(start.Examples))
	examples := make([]train.Example, start.Examples)
	for i := range examples {
		source := full
		if i < border {
			source = early
		}
		e := source.Example(uint64(i))
		examples[i].Tokens, examples[i].Mask = e.Tokens(s.tokenizer)
	}
	return examples, nil
}

func (s *seedRun) reinforceBase(ctx context.Context) error {
	_, err := s.grpo(ctx, modelReinforced, "GRPO on the base", modelBase, &s.settings.Reinforce, 0)
	return err
}

// grpo is a stage of reinforcement with the rewards of the story; falseOK, if not 0, is what an
// untrue "ok" costs.
func (s *seedRun) grpo(ctx context.Context, name, title, from string, o *train.GRPOOptions, falseOK float64) (*StageResult, error) {
	return s.do(ctx, &stage{name: name, title: title, from: from, kind: "grpo", config: o,
		train: func(ctx context.Context, setup *train.Setup) (*train.Summary, error) {
			b, err := s.newBank(task.Train, s.settings.Train)
			if err != nil {
				return nil, err
			}
			b.FalseOK = falseOK
			setup.Observe, setup.Reflect = b.Observe, b.Reflect(s.tokenizer)
			e, err := s.newEngine(setup.Model)
			if err != nil {
				return nil, err
			}
			options := *o
			options.Rollout.Stop = []int32{s.end}
			return train.GRPO(ctx, setup, e, b.Rendered, b.Grade, &options)
		}})
}

// engineBlocks holds 256 samples of the longest text, and a few prompts.
const engineBatch = 256

func (s *seedRun) newEngine(m *model.Model) (*engine.Engine, error) {
	return engine.New(m, s.cpu, &engine.Options{MaxBatch: engineBatch})
}

// controls reinforce the weak student from the distilled student's own starting point, once with
// each learning rate, and keep the one whose last steps were rewarded best.
func (s *seedRun) controls(ctx context.Context) error {
	best, bestRate := -1.0, 0.0
	for i, rate := range s.settings.ControlRates {
		o := s.settings.Control
		o.Optimizer.LearningRate = rate
		name := fmt.Sprintf("%s-%d", modelControl, i+1)
		r, err := s.grpo(ctx, name, fmt.Sprintf("RL-only control, learning rate %g", rate), modelStudent, &o, 0)
		if err != nil {
			return err
		}
		score, err := s.pilot(ctx, name)
		if err != nil {
			return err
		}
		s.result.Sweep = append(s.result.Sweep, SweepRow{Stage: name, LearningRate: rate, TrainAccuracy: score, Tokens: r.Tokens})
		if score > best {
			best, bestRate = score, rate
			s.models[modelControl] = s.models[name]
		}
	}
	s.result.ControlRate = bestRate
	return nil
}

// distillOnPolicy goes on from the distilled student, as Qwen3's small models were made
// (arXiv:2505.09388, section 4.5): first the teacher's traces, then the student's own.
func (s *seedRun) distillOnPolicy(ctx context.Context) error {
	o := s.settings.OnPolicy
	_, err := s.do(ctx, &stage{name: modelOnPolicy, title: "On-policy distillation", from: modelDistilled, kind: "on_policy", config: o,
		train: func(ctx context.Context, setup *train.Setup) (*train.Summary, error) {
			b, err := s.newBank(task.Train, s.settings.Train)
			if err != nil {
				return nil, err
			}
			setup.Observe, setup.Reflect = b.Observe, b.Reflect(s.tokenizer)
			e, err := s.newEngine(setup.Model)
			if err != nil {
				return nil, err
			}
			o.Rollout.Stop = []int32{s.end}
			return train.OnPolicy(ctx, setup, s.models[modelReinforced], e, b.Rendered, b.Grade, &o)
		}})
	return err
}

func (s *seedRun) reinforceDistilled(ctx context.Context) error {
	_, err := s.grpo(ctx, modelAfter, "GRPO on the distilled student", modelDistilled, &s.settings.After, 0)
	return err
}

// fullControls are the stages that only Full runs: a student of the teacher's size, reinforcement
// with a price on untrue verdicts, and a base whose cold start holds no reflection at all.
func (s *seedRun) fullControls(ctx context.Context) error {
	if err := s.distillInto(ctx, modelSameSize, "Distilled student of the teacher's size", modelBase); err != nil {
		return err
	}
	if _, err := s.grpo(ctx, modelFidelity, "GRPO with a price on untrue verdicts", modelBase, &s.settings.Reinforce, s.settings.FidelityPenalty); err != nil {
		return err
	}
	plain := s.settings.BaseStart
	plain.Data.NoReflection = true
	if err := s.coldStart(ctx, modelPlainBase, "Cold start without any reflection", &s.settings.Base, &plain); err != nil {
		return err
	}
	_, err := s.grpo(ctx, modelPlain, "GRPO on the base without reflection", modelPlainBase, &s.settings.Reinforce, 0)
	return err
}
