package lab

import (
	"fmt"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/train"
)

// Size says how much of the story a lab tells.
type Size string

// The sizes.
const (
	// Standard is the whole story in minutes.
	Standard Size = ""
	// Quick runs every stage at a size that shows that it works, and judges no science.
	Quick Size = "quick"
	// Full adds the controls that take longer.
	Full Size = "full"
)

// Settings are every number of a lab: what it reads and what its folder stores.
type Settings struct {
	Size Size `json:"size"`
	// TaskName is what everything is about, a row of the table of tasks; "" means countdown-3.
	TaskName string `json:"task_name,omitempty"`
	// Task, Linear and Multiplication are the options of the countdowns and of the other tasks.
	Task           task.CountdownOptions      `json:"task"`
	Linear         task.LinearOptions         `json:"linear,omitzero"`
	Multiplication task.MultiplicationOptions `json:"multiplication,omitzero"`
	// Attempts is the most attempts that an answer can follow within MaxNewTokens, which is what blind
	// search may make; 0 means 8, as in countdown-3, whose attempts take 12 tokens or 13 and its answer 14.
	Attempts int `json:"attempts,omitempty"`
	// Base is the shape of the model that is reinforced, Student that of the weak student.
	Base    model.Config `json:"base"`
	Student model.Config `json:"student"`
	// BaseStart and StudentStart are the cold starts.
	BaseStart    ColdStart `json:"base_start"`
	StudentStart ColdStart `json:"student_start"`
	// Train is the number of distinct training problems of reinforcement.
	Train int `json:"train_problems"`
	// Reinforce is GRPO on the base.
	Reinforce train.GRPOOptions `json:"reinforce"`
	// Traces says what the teacher writes.
	Traces Traces `json:"traces"`
	// Distill trains the student on the teacher's right traces.
	Distill train.SFTOptions `json:"distill"`
	// Control is GRPO on the student, once with each of ControlRates.
	Control      train.GRPOOptions `json:"control"`
	ControlRates []float64         `json:"control_learning_rates"`
	// OnPolicy goes on from the distilled student, on the student's own samples.
	OnPolicy train.OnPolicyOptions `json:"on_policy"`
	// After is GRPO on the distilled student.
	After train.GRPOOptions `json:"after_distillation"`
	// Evaluation says how models are measured.
	Evaluation Evaluation `json:"evaluation"`
	// FidelityPenalty is what a false "ok" costs in the run that Full adds.
	FidelityPenalty float64 `json:"fidelity_penalty"`
	// FormatWeight is the reward for the asked form, beside 1 for the right answer.
	FormatWeight float64 `json:"format_weight"`
	// MaxNewTokens is the most tokens of an answer, everywhere.
	MaxNewTokens int `json:"max_new_tokens"`
}

// ColdStart says what a fresh model is trained on.
type ColdStart struct {
	// Examples is the number of texts, each seen once; the first Curriculum share of them is
	// verification and arithmetic only.
	Examples   int     `json:"examples"`
	Curriculum float64 `json:"curriculum"`
	// Data is the mixture of the rest.
	Data task.ColdStartOptions `json:"data"`
	SFT  train.SFTOptions      `json:"sft"`
}

// Traces says how a set of the teacher's traces is made.
type Traces struct {
	// Problems is how many distinct training problems are asked, Samples how often each.
	Problems int `json:"problems"`
	Samples  int `json:"samples"`
	// Temperature is that of the sampling.
	Temperature float64 `json:"temperature"`
	// PerProblem is the most right traces kept of one problem.
	PerProblem int `json:"per_problem"`
}

// Evaluation says how a model is measured.
type Evaluation struct {
	// Problems is the number of held-out problems, Samples the answers to each; BaseSamples those
	// of the base, whose pass@BaseSamples stands beside the reinforced model's pass@1.
	Problems    int `json:"problems"`
	Samples     int `json:"samples"`
	BaseSamples int `json:"base_samples"`
	// Temperature is that of the sampling.
	Temperature float64 `json:"temperature"`
}

// shape is a Qwen2 of the lab's vocabulary.
func shape(vocabulary, width, layers, heads, kvHeads, ffn int, end int32) model.Config {
	return model.Config{
		Architecture: model.Qwen2, VocabSize: vocabulary, Width: width, Layers: layers, Heads: heads, KVHeads: kvHeads,
		HeadSize: 32, FFN: ffn, MaxPositions: 256, RopeTheta: 10000, NormEpsilon: 1e-6, InitializerRange: 0.06, TieEmbeddings: true, BOS: -1, EOS: end,
	}
}

// maxNewTokens holds eight attempts (13 tokens each), the answer and the end: no trace has more.
const maxNewTokens = 120

// NewSettings returns the settings of a task, a size and a seed.
func NewSettings(name string, size Size, seed uint64, vocabulary int, end int32) (Settings, error) {
	s := Settings{
		Size:         size,
		Base:         shape(vocabulary, 128, 4, 4, 2, 352, end),
		Student:      shape(vocabulary, 96, 3, 3, 1, 256, end),
		Train:        8000,
		Traces:       Traces{Problems: 6000, Samples: 4, Temperature: 1, PerProblem: 4},
		ControlRates: []float64{1e-4, 3e-4, 1e-3},
		Evaluation:   Evaluation{Problems: 1000, Samples: 4, BaseSamples: 8, Temperature: 1},
		FormatWeight: 0.1, FidelityPenalty: 0.2, MaxNewTokens: maxNewTokens,
	}
	s.BaseStart = coldStart(64000, 4e-3, seed)
	s.StudentStart = coldStart(40000, 5e-3, seed+1)
	s.Reinforce = reinforce(150, 5e-4, seed)
	s.Distill = train.SFTOptions{Epochs: 2, BatchSize: 32, Shuffle: true, Seed: seed, Optimizer: optimizer(3e-3)}
	s.Control = reinforce(110, 0, seed)
	s.After = reinforce(30, 2e-4, seed)
	s.OnPolicy = train.OnPolicyOptions{Steps: 60, Optimizer: optimizer(5e-4), Rollout: rollout(128, 1, seed)}
	s.OnPolicy.Optimizer.Schedule = train.ScheduleCosine
	switch size {
	case Standard:
	case Quick:
		s.quick()
	case Full:
	default:
		return Settings{}, fmt.Errorf("lab: size %q, want standard, quick or full", size)
	}
	return s, s.setTask(name)
}

// quick cuts every stage to what shows that it works.
func (s *Settings) quick() {
	// Small numbers, so that even a few seconds of training leave right answers to distil.
	s.Task = task.CountdownOptions{LargestNumber: 10, LargestResult: 60}
	s.Train = 1000
	s.BaseStart.Examples, s.StudentStart.Examples = 6400, 3200
	s.Reinforce.Steps, s.Control.Steps, s.After.Steps, s.OnPolicy.Steps = 6, 4, 3, 6
	s.Traces = Traces{Problems: 500, Samples: 4, Temperature: 1, PerProblem: 4}
	s.Distill.Epochs, s.Distill.BatchSize = 6, 16
	s.Evaluation = Evaluation{Problems: 100, Samples: 2, BaseSamples: 2, Temperature: 1}
}

// coldStart is a cold start of so many texts at a peak learning rate.
func coldStart(examples int, rate float64, seed uint64) ColdStart {
	o := optimizer(rate)
	o.WarmupSteps = 50
	return ColdStart{
		Examples: examples, Curriculum: 0.3,
		Data: task.ColdStartOptions{
			Seed: seed, LargerFirst: true, Solve: 0.4, Mixture: task.Mixture{Search: 0.4, Long: 0.2, Verification: 0.3, Facts: 0.1},
		},
		SFT: train.SFTOptions{Epochs: 1, BatchSize: 32, Seed: seed, Optimizer: o},
	}
}

// optimizer is Muon, which needs less than half of AdamW's steps for the same loss at this size (docs/log.md).
func optimizer(rate float64) train.OptimizerOptions {
	return train.OptimizerOptions{Name: train.OptimizerMuon, LearningRate: rate}
}

func rollout(problems, group int, seed uint64) train.RolloutOptions {
	return train.RolloutOptions{Problems: problems, Group: group, MaxNewTokens: maxNewTokens, Temperature: 1, Shuffle: true, Seed: seed, KeepSamples: 16}
}

// reinforce is GRPO as Dr. GRPO has it (no division by the group's deviation or the answer's length),
// with a rate that falls to a tenth.
func reinforce(steps int, rate float64, seed uint64) train.GRPOOptions {
	o := train.GRPOOptions{Variant: "dr_grpo", Steps: steps, Optimizer: optimizer(rate), Rollout: rollout(32, 8, seed)}
	o.Optimizer.Schedule = train.ScheduleCosine
	return o
}
