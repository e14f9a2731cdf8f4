package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/train"
)

const traceStage = "traces"

// tracesDone is the file of the traces' folder that is written last.
const tracesDone = "counts.json"

// writeTraces asks the teacher, keeps the right traces and leaves the set that the student learns.
func (s *seedRun) writeTraces(ctx context.Context) error {
	dir := filepath.Join(s.dir, traceStage)
	setFile := filepath.Join(dir, "set.jsonl")
	if text, err := os.ReadFile(filepath.Join(dir, tracesDone)); err == nil {
		if err := json.Unmarshal(text, &s.result.Traces); err != nil {
			return fmt.Errorf("lab: %s: %w", dir, err)
		}
		s.set, err = distill.ReadSetFile(setFile)
		return err
	}
	set, counts, err := s.collect(ctx, dir)
	if err != nil {
		return err
	}
	if err := set.WriteFile(setFile); err != nil {
		return err
	}
	s.set, s.result.Traces = set, *counts
	s.event(Event{Seed: s.seed, Stage: traceStage, Title: "The teacher's traces", Kind: "end",
		Text: fmt.Sprintf("%d of %d traces kept, %d tokens", counts.Kept, counts.Sampled, counts.KeptTokens)})
	return writeJSON(filepath.Join(dir, tracesDone), counts)
}

func (s *seedRun) collect(ctx context.Context, dir string) (*distill.Set, *distill.Counts, error) {
	t := s.settings.Traces
	teacher := s.models[modelReinforced]
	hash, err := distill.ModelHash(teacher)
	if err != nil {
		return nil, nil, err
	}
	problems, err := s.task.Problems(task.Train, s.seed, t.Problems)
	if err != nil {
		return nil, nil, err
	}
	held, err := s.task.Problems(task.HeldOut, s.seed, s.settings.Evaluation.Problems)
	if err != nil {
		return nil, nil, err
	}
	e, err := s.newEngine(teacher)
	if err != nil {
		return nil, nil, err
	}
	s.event(Event{Seed: s.seed, Stage: traceStage, Title: "The teacher's traces", Kind: "begin"})
	setup := &distill.Setup{
		Sampler: e, Tokenizer: s.tokenizer, Teacher: modelReinforced, TeacherHash: hash, Task: s.task,
		HeldOut: distill.HeldOutProblems(held), Folder: filepath.Join(dir, "parts"),
		Progress: func(done, of int, _ *distill.Counts) {
			s.event(Event{Seed: s.seed, Stage: traceStage, Title: "The teacher's traces", Kind: "step", Step: done, Steps: of})
		},
	}
	// A held-out question is a text of some ten tokens in a fixed form: only the whole names a problem.
	return distill.Collect(ctx, setup, problems, &distill.CollectOptions{
		Samples: t.Samples, Temperature: t.Temperature, MaxNewTokens: s.settings.MaxNewTokens, Stop: []int32{s.end}, Seed: s.seed,
		Filters: distill.FilterOptions{WholeBelow: 32, PerProblem: t.PerProblem},
	})
}

func (s *seedRun) distill(ctx context.Context) error {
	return s.distillInto(ctx, modelDistilled, "Distilled student", modelStudent)
}

// distillInto trains a copy of a model on the teacher's traces.
func (s *seedRun) distillInto(ctx context.Context, name, title, from string) error {
	_, err := s.do(ctx, &stage{name: name, title: title, from: from, kind: "distill", config: s.settings.Distill,
		train: func(ctx context.Context, setup *train.Setup) (*train.Summary, error) {
			if len(s.set.Records) == 0 {
				return &train.Summary{Findings: []train.Finding{{
					Message: "the teacher wrote no right trace, so there is nothing to learn and the student stays as it was: reinforce the teacher for more steps",
				}}}, nil
			}
			return train.SFT(ctx, setup, distill.Examples(s.set, s.tokenizer, tokenizer.End), &s.settings.Distill)
		}})
	return err
}
