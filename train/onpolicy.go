package train

import (
	"context"
	"errors"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// OnPolicyOptions are the settings of OnPolicy. The zero value of each field is its default.
type OnPolicyOptions struct {
	// Divergence is forward_kl, reverse_kl or jensen_shannon; "" means reverse_kl (MiniLLM, arXiv
	// 2306.08543; Qwen3 technical report, arXiv 2505.09388, section 4.5).
	Divergence string `json:"divergence" yaml:"divergence"`
	// Steps is the number of rollouts, each with one update; 0 means one pass over the problems.
	Steps int `json:"steps" yaml:"steps"`
	// Truncated is keep or mask; "" means keep: each token of a truncated answer is scored as well
	// as any other.
	Truncated string `json:"truncated" yaml:"truncated"`
	// LoRA says what adapter Setup.Model has over its frozen weights (model.WithAdapter), which is then
	// what learns; the zero value is none. It is checked, not applied: who samples must have it, too.
	LoRA       model.LoRAOptions `json:"lora,omitzero" yaml:"lora" recipe:"lora"`
	Rollout    RolloutOptions    `json:"rollout" yaml:"rollout"`
	Batch      BatchOptions      `json:"batch" yaml:"batch"`
	Optimizer  OptimizerOptions  `json:"optimizer" yaml:"optimizer"`
	Checkpoint CheckpointOptions `json:"checkpoint" yaml:"checkpoint"`
	Watchdog   WatchdogOptions   `json:"watchdog" yaml:"watchdog"`
}

// Resolved returns the options with every default filled in.
func (o OnPolicyOptions) Resolved() OnPolicyOptions {
	setDefault(&o.Divergence, ReverseKL)
	setDefault(&o.Truncated, TruncatedKeep)
	setDefault(&o.Batch.MaxTokens, 512)
	setDefault(&o.Checkpoint.EverySeconds, 60)
	o.Rollout = o.Rollout.resolved(1)
	o.Optimizer = o.Optimizer.resolved(1e-6, ScheduleConstant)
	o.Watchdog = o.Watchdog.resolved()
	return o
}

// Validate reports every fault in one error.
func (o *OnPolicyOptions) Validate() error {
	return errors.Join(
		validDivergence(o.Divergence),
		notNegative("steps", o.Steps),
		validTruncated(o.Truncated),
		notNegative("batch.max_tokens", o.Batch.MaxTokens),
		o.LoRA.Validate(), o.Rollout.validate(), o.Optimizer.Validate(), o.Checkpoint.validate(),
	)
}

// OnPolicy distils a teacher on the student's own answers: in each step the student samples, and
// the mean over the sampled tokens of the divergence from the teacher, over the whole vocabulary
// at each of them, is lowered by one update (GKD, arXiv 2306.13649, algorithm 1 with lambda 1). The
// gradient goes through the distributions, not through the choice of tokens. grade may be nil: the
// rewards are recorded and not learned from. It ends as SFT does.
func OnPolicy(ctx context.Context, s *Setup, teacher *model.Model, r Rollouter, problems []Problem, grade Grader, o *OnPolicyOptions) (*Summary, error) {
	if o == nil {
		o = &OnPolicyOptions{}
	}
	if err := errors.Join(o.Validate(), s.validate(), s.checkAdapter(&o.LoRA), checkTeacher(teacher)); err != nil {
		return nil, err
	}
	resolved := o.Resolved()
	sampler, data, err := newSampler(s, r, problems, grade, resolved.Rollout)
	if err != nil {
		return nil, err
	}
	sizes := sampler.trainingSizes(resolved.Batch.MaxTokens)
	sizes.EightBit = resolved.Optimizer.Name == OptimizerAdamW8
	sizes.Teacher = teacher
	if sizes.Divergence, err = compute.ParseDivergence(resolved.Divergence); err != nil {
		return nil, err
	}
	training, err := s.Model.CompileTraining(s.CPU, sizes)
	if err != nil {
		return nil, err
	}
	run := &onPolicy{sampler: sampler, options: resolved, tokens: sizes.MaxTokens}
	steps := resolved.Steps
	if steps == 0 {
		steps = (len(problems) + resolved.Rollout.Problems - 1) / resolved.Rollout.Problems
	}
	run.loop = newLoop(s, "on_policy", data, steps, training, resolved.Optimizer, resolved.Checkpoint, resolved.Watchdog)
	return run.run(ctx, run.step)
}

// onPolicy is the loop of on-policy distillation.
type onPolicy struct {
	*sampler
	options OnPolicyOptions // resolved
	tokens  int             // the most rows of a microbatch

	sequences []sequence
	answers   []*Sample
}

// step does one rollout and its update.
func (r *onPolicy) step(ctx context.Context) (stepResult, error) {
	groups, err := r.sample(ctx, r.options.Rollout.Problems)
	if err != nil {
		return stepResult{}, err
	}
	r.prepare(groups)
	rate := r.learningRate()
	var stats updateStats
	if len(r.answers) > 0 {
		if err := r.learn(&stats); err != nil {
			return stepResult{}, err
		}
	}
	r.state.Tokens += int64(stats.tokens)
	var v values
	stats.appendTo(&v, rate)
	stats.appendGap(&v)
	appendRollout(&v, groups, r.grade != nil)
	return r.result(v, groups), nil
}

// prepare lists the answers that carry loss.
func (r *onPolicy) prepare(groups []group) {
	r.sequences, r.answers = r.sequences[:0], r.answers[:0]
	for i := range groups {
		for j := range groups[i].samples {
			s := &groups[i].samples[j]
			if s.Truncated && r.options.Truncated == TruncatedMask {
				s.Masked = true
				continue
			}
			r.sequences = append(r.sequences, sequenceOf(groups[i].problem, s))
			r.answers = append(r.answers, s)
		}
	}
}

// learn does one update over the prepared answers. The plain scoring pass before the divergence is
// there for the log-probability gap and the entropy.
func (r *onPolicy) learn(stats *updateStats) error {
	which := make([]int, len(r.answers))
	for i, s := range r.answers {
		which[i] = i
		stats.tokens += len(s.Tokens)
	}
	loss := 0.0
	r.trainer.ZeroGradients()
	for _, bin := range packSequences(r.sequences, which, r.tokens) {
		fillBatch(&r.batch, r.sequences, bin)
		r.batch.InverseTemperature = engine.InverseTemperature(float32(r.options.Rollout.Temperature))
		logProb, entropy, err := r.trainer.Forward(&r.batch)
		if err != nil {
			return err
		}
		stats.addEntropy(entropy)
		at := 0
		for _, i := range bin {
			n := len(r.answers[i].Tokens)
			stats.addGap(logProb[at:at+n], r.answers[i].logProbs)
			at += n
		}
		share, err := r.divergence(1/float64(stats.tokens), stats)
		if err != nil {
			return err
		}
		loss += share
	}
	return r.update(stats, loss)
}
