package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
)

// CheckpointOptions say how often a checkpoint is written. One is always written at the end of a
// run and when the context is cancelled.
type CheckpointOptions struct {
	// EverySteps writes one after each so many steps; 0 means by the clock.
	EverySteps int `json:"every_steps" yaml:"every_steps"`
	// EverySeconds writes one when so many seconds have passed since the last; 0 means 60. It is
	// not used if EverySteps is set. When a checkpoint is written never changes what is learned.
	EverySeconds float64 `json:"every_seconds" yaml:"every_seconds"`
}

// BatchOptions say how the rows of an optimiser batch are cut into microbatches.
type BatchOptions struct {
	// MaxTokens is the most token rows of one microbatch; 0 means 512. It is raised to the
	// longest sequence. It bounds memory and does not change the loss.
	MaxTokens int `json:"max_tokens" yaml:"max_tokens"`
}

// SFTOptions are the settings of SFT. The zero value of each field is its default.
type SFTOptions struct {
	// Epochs is how often each example is seen; 0 means 2 (DeepSeek-R1, distillation: 2 to 3). It
	// is not used if Steps is set.
	Epochs int `json:"epochs" yaml:"epochs"`
	// Steps is the number of optimiser updates; 0 means as many as Epochs needs. If it needs more
	// examples than there are, they are gone through again.
	Steps int `json:"steps" yaml:"steps"`
	// BatchSize is the number of examples of one update; 0 means 64 (DeepSeek-R1, distillation).
	BatchSize int `json:"batch_size" yaml:"batch_size"`
	// Shuffle permutes the examples anew in each epoch, from Seed; false keeps the file's order.
	Shuffle bool `json:"shuffle" yaml:"shuffle"`
	// Seed seeds the shuffle; 0 is a seed like any other.
	Seed uint64 `json:"seed" yaml:"seed"`
	// LoRA says what adapter Setup.Model has over its frozen weights (model.WithAdapter), which is then
	// what learns; the zero value is none. It is checked, not applied: who samples must have it, too.
	LoRA       model.LoRAOptions `json:"lora,omitzero" yaml:"lora" recipe:"lora"`
	Batch      BatchOptions      `json:"batch" yaml:"batch"`
	Optimizer  OptimizerOptions  `json:"optimizer" yaml:"optimizer"`
	Checkpoint CheckpointOptions `json:"checkpoint" yaml:"checkpoint"`
	Watchdog   WatchdogOptions   `json:"watchdog" yaml:"watchdog"`
}

// Resolved returns the options with every default filled in: what a run stores and reads.
func (o SFTOptions) Resolved() SFTOptions {
	setDefault(&o.Epochs, 2)
	setDefault(&o.BatchSize, 64)
	setDefault(&o.Batch.MaxTokens, 512)
	setDefault(&o.Checkpoint.EverySeconds, 60)
	o.Optimizer = o.Optimizer.resolved(1e-4, ScheduleCosine)
	o.Watchdog = o.Watchdog.resolved()
	return o
}

// Validate reports every fault in one error.
func (o *SFTOptions) Validate() error {
	return errors.Join(
		notNegative("epochs", o.Epochs),
		notNegative("steps", o.Steps),
		notNegative("batch_size", o.BatchSize),
		notNegative("batch.max_tokens", o.Batch.MaxTokens),
		o.LoRA.Validate(),
		o.Optimizer.Validate(),
		o.Checkpoint.validate(),
	)
}

// RolloutOptions say what is sampled in each step of GRPO and OnPolicy.
type RolloutOptions struct {
	// Problems is the number of problems of one step; 0 means 32 (DeepSeek-R1, RL).
	Problems int `json:"problems" yaml:"problems"`
	// Group is the number of answers to each problem; 0 means 16 in GRPO (DeepSeek-R1, RL) and 1
	// in OnPolicy.
	Group int `json:"group" yaml:"group"`
	// MaxNewTokens is the most tokens of an answer; 0 means 1024 (DeepSeekMath, section 4.2).
	MaxNewTokens int `json:"max_new_tokens" yaml:"max_new_tokens"`
	// Temperature is above 0; 0 means 1 (DeepSeek-R1, RL). The trainer's log-probabilities are at
	// this temperature too.
	Temperature float64 `json:"temperature" yaml:"temperature"`
	// Stop lists the tokens that end an answer; none means the model's EOS, if it has one.
	Stop []int32 `json:"stop" yaml:"stop"`
	// Shuffle permutes the problems anew in each pass, from Seed; false keeps their order.
	Shuffle bool `json:"shuffle" yaml:"shuffle"`
	// Seed seeds the shuffle and the sampling; 0 is a seed like any other.
	Seed uint64 `json:"seed" yaml:"seed"`
	// KeepSamples is how many answers of each step are recorded; 0 means all, -1 none.
	KeepSamples int `json:"keep_samples" yaml:"keep_samples"`
	// TokenValues is of how many tokens of each step's recorded answers the log-probability, the entropy, the ratio and the advantage are
	// recorded as well, in GRPO: about 20 bytes a token, and one more forward pass over these tokens, or two of answers outside of the first
	// mini-batch. Only whole answers are. 0 means 1024, or MaxNewTokens if that is more; -1 none.
	TokenValues int `json:"token_values" yaml:"token_values"`
}

func (o RolloutOptions) resolved(group int) RolloutOptions {
	setDefault(&o.Problems, 32)
	setDefault(&o.Group, group)
	setDefault(&o.MaxNewTokens, 1024)
	setDefault(&o.Temperature, 1)
	setDefault(&o.TokenValues, max(defaultTokenValues, o.MaxNewTokens))
	return o
}

func (o *RolloutOptions) validate() error {
	faults := []error{
		notNegative("rollout.problems", o.Problems),
		notNegative("rollout.group", o.Group),
		notNegative("rollout.max_new_tokens", o.MaxNewTokens),
	}
	if problems, group := max(o.Problems, 1), max(o.Group, 1); problems > engine.MaxSamples/group {
		faults = append(faults, fmt.Errorf("train: rollout: got %d problems with groups of %d, want at most %d answers a step", o.Problems, o.Group, engine.MaxSamples))
	}
	if !(o.Temperature >= 0 && o.Temperature <= 100) {
		faults = append(faults, fmt.Errorf("train: rollout.temperature: got %v, want above 0 and at most 100", o.Temperature))
	}
	if o.KeepSamples < -1 {
		faults = append(faults, fmt.Errorf("train: rollout.keep_samples: got %d, want at least -1", o.KeepSamples))
	}
	if o.TokenValues < -1 {
		faults = append(faults, fmt.Errorf("train: rollout.token_values: got %d, want at least -1", o.TokenValues))
	}
	return errors.Join(faults...)
}

// What becomes of truncated answers.
const (
	// TruncatedKeep leaves them in the loss with the reward that the grader gave.
	TruncatedKeep = "keep"
	// TruncatedMask takes them out of the loss; their group's mean still sees their reward.
	TruncatedMask = "mask"
)

// GRPOOptions are the settings of GRPO. The zero value of each field is its default.
type GRPOOptions struct {
	// Variant is the row of the table of losses; "" means grpo.
	Variant string `json:"variant" yaml:"variant"`
	// Steps is the number of rollouts; 0 means one pass over the problems.
	Steps int `json:"steps" yaml:"steps"`
	// MiniBatches cuts the answers of one rollout into so many optimiser updates; 0 means 1, which
	// is fully on policy. (DeepSeek-R1 cuts its 8192 answers into 16.)
	MiniBatches int `json:"mini_batches" yaml:"mini_batches"`
	// InnerEpochs goes over the answers of one rollout so many times; 0 means 1 (DeepSeek-R1, RL).
	InnerEpochs int `json:"inner_epochs" yaml:"inner_epochs"`
	// ClipLow and ClipHigh replace the variant's; 0 means the variant's. (DeepSeek-R1 clips at 10.)
	ClipLow  float64 `json:"clip_low" yaml:"clip_low"`
	ClipHigh float64 `json:"clip_high" yaml:"clip_high"`
	// KL and KLWeight replace the variant's estimator and coefficient; "" and 0 mean the variant's,
	// a weight of -1 means no KL term. A weight for a variant without an estimator means k3.
	KL       string  `json:"kl" yaml:"kl"`
	KLWeight float64 `json:"kl_weight" yaml:"kl_weight"`
	// KLPlace is loss, reward or token_reward; "" means the variant's.
	KLPlace string `json:"kl_place" yaml:"kl_place"`
	// ReferenceEvery replaces the reference weights by the policy's after each so many steps; 0
	// means 400 (DeepSeek-R1, RL), -1 never.
	ReferenceEvery int `json:"reference_every" yaml:"reference_every"`
	// Truncated is keep or mask; "" means the variant's.
	Truncated string `json:"truncated" yaml:"truncated"`
	// ResampleRounds bounds dynamic sampling; 0 means the variant's, -1 none.
	ResampleRounds int `json:"resample_rounds" yaml:"resample_rounds"`
	// GroupLength weighs a reward of short answers, which compares the judged answers of a group:
	// 1/2 for the shortest and -1/2 for the longest if right, at most 0 if wrong (Kimi k1.5, arXiv
	// 2501.12599, section 2.3.3). It is added to Reward.Other; 0 means none.
	GroupLength float64 `json:"group_length" yaml:"group_length"`
	// LoRA says what adapter Setup.Model has over its frozen weights (model.WithAdapter), which is then
	// what learns; the zero value is none. It is checked, not applied: who samples must have it, too.
	LoRA       model.LoRAOptions `json:"lora,omitzero" yaml:"lora" recipe:"lora"`
	Rollout    RolloutOptions    `json:"rollout" yaml:"rollout"`
	Meter      MeterOptions      `json:"meter" yaml:"meter"`
	Batch      BatchOptions      `json:"batch" yaml:"batch"`
	Optimizer  OptimizerOptions  `json:"optimizer" yaml:"optimizer"`
	Checkpoint CheckpointOptions `json:"checkpoint" yaml:"checkpoint"`
	Watchdog   WatchdogOptions   `json:"watchdog" yaml:"watchdog"`
}

// Resolved returns the options with every default filled in, those of the variant aside, which
// ResolvedVariant gives.
func (o GRPOOptions) Resolved() GRPOOptions {
	setDefault(&o.Variant, "grpo")
	setDefault(&o.MiniBatches, 1)
	setDefault(&o.InnerEpochs, 1)
	setDefault(&o.ReferenceEvery, 400)
	setDefault(&o.Batch.MaxTokens, 512)
	setDefault(&o.Checkpoint.EverySeconds, 60)
	o.Rollout = o.Rollout.resolved(16)
	o.Meter = o.Meter.resolved()
	o.Optimizer = o.Optimizer.resolved(3e-6, ScheduleConstant)
	o.Watchdog = o.Watchdog.resolved()
	return o
}

// ResolvedVariant is the variant's row with the options that replace its values: what the loop
// reads.
func (o *GRPOOptions) ResolvedVariant() (Variant, error) {
	name := o.Variant
	setDefault(&name, "grpo")
	v, err := FindVariant(name)
	if err != nil {
		return Variant{}, err
	}
	replace(&v.ClipLow, o.ClipLow)
	replace(&v.ClipHigh, o.ClipHigh)
	replace(&v.KL, o.KL)
	replace(&v.KLWeight, o.KLWeight)
	replace(&v.KLPlace, o.KLPlace)
	replace(&v.ResampleRounds, o.ResampleRounds)
	if v.KLWeight > 0 && v.KL == KLNone && o.KL == "" {
		v.KL = KL3
	}
	v.KLWeight = max(0, v.KLWeight)
	v.ResampleRounds = max(0, v.ResampleRounds)
	if o.Truncated != "" {
		v.MaskTruncated = o.Truncated == TruncatedMask
	}
	return v, nil
}

// replace overwrites field by a value that is not zero.
func replace[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}

// Validate reports every fault in one error.
func (o *GRPOOptions) Validate() error {
	_, variantFault := o.ResolvedVariant()
	faults := []error{
		variantFault,
		validTruncated(o.Truncated),
		notNegative("steps", o.Steps),
		notNegative("mini_batches", o.MiniBatches),
		notNegative("inner_epochs", o.InnerEpochs),
		notNegative("batch.max_tokens", o.Batch.MaxTokens),
		o.LoRA.Validate(), o.Rollout.validate(), o.Meter.validate(), o.Optimizer.Validate(), o.Checkpoint.validate(),
	}
	fault := func(bad bool, field string, got any, want string) {
		if bad {
			faults = append(faults, fmt.Errorf("train: %s: got %v, want %s", field, got, want))
		}
	}
	_, known := klEstimators[o.KL]
	fault(!known && o.KL != "", "kl", o.KL, "none, k1, k2 or k3")
	fault(!slices.Contains([]string{"", KLInLoss, KLInReward, KLInTokenReward}, o.KLPlace), "kl_place", o.KLPlace, "loss, reward or token_reward")
	fault(!(o.ClipLow >= 0), "clip_low", o.ClipLow, "at least 0")
	fault(!(o.ClipHigh >= 0), "clip_high", o.ClipHigh, "at least 0")
	fault(!(o.KLWeight >= 0 || o.KLWeight == -1), "kl_weight", o.KLWeight, "-1, or at least 0")
	fault(!(o.GroupLength >= 0 && o.GroupLength <= 1000), "group_length", o.GroupLength, "0 to 1000")
	fault(o.ReferenceEvery < -1, "reference_every", o.ReferenceEvery, "at least -1")
	fault(o.ResampleRounds < -1, "resample_rounds", o.ResampleRounds, "at least -1")
	fault(o.Rollout.Group == 1, "rollout.group", o.Rollout.Group, "at least 2: an answer is compared with its group")
	return errors.Join(faults...)
}

func validTruncated(got string) error {
	if got != "" && got != TruncatedKeep && got != TruncatedMask {
		return fmt.Errorf("train: truncated: got %s, want keep or mask", got)
	}
	return nil
}

func notNegative(field string, got int) error {
	if got < 0 {
		return fmt.Errorf("train: %s: got %d, want at least 0", field, got)
	}
	return nil
}

func (o *CheckpointOptions) validate() error {
	faults := []error{notNegative("checkpoint.every_steps", o.EverySteps)}
	if !(o.EverySeconds >= 0) {
		faults = append(faults, fmt.Errorf("train: checkpoint.every_seconds: got %v, want at least 0", o.EverySeconds))
	}
	return errors.Join(faults...)
}
