package train

import (
	"context"
	"errors"
	"slices"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
)

// GRPO raises the reward of sampled answers: in each step it samples a group of answers to each of
// several problems, has them judged, and follows the gradient of the variant's loss
// (DeepSeekMath, arXiv 2402.03300, algorithm 1, with rules in place of a reward model). It ends as
// SFT does.
//
// The rollouter must sample with s.Model's weights: the old log-probabilities are its own, and the
// first pass of the trainer must find the same bits (metric logprob_gap).
func GRPO(ctx context.Context, s *Setup, r Rollouter, problems []Problem, grade Grader, o *GRPOOptions) (*Summary, error) {
	if o == nil {
		o = &GRPOOptions{}
	}
	if err := errors.Join(o.Validate(), s.validate(), s.checkAdapter(&o.LoRA)); err != nil {
		return nil, err
	}
	if grade == nil {
		return nil, errors.New("train: grader: got none, want one")
	}
	run, err := newGRPO(s, r, problems, grade, o.Resolved())
	if err != nil {
		return nil, err
	}
	return run.run(ctx, run.step)
}

// grpo is the loop of GRPO and its relatives.
type grpo struct {
	*sampler
	options GRPOOptions // resolved
	variant Variant
	scorer  *model.Training // of the reference; nil without a KL term
	tokens  int             // the most rows of a microbatch

	sequences []sequence // of the step's answers that carry loss
	answers   []answer
	trace     *tokenTrace // of the step; nil where none is kept
	rewardKL  float64     // mean over the step's tokens of the estimate, where the reward has a KL term
}

func newGRPO(s *Setup, r Rollouter, problems []Problem, grade Grader, o GRPOOptions) (*grpo, error) {
	variant, err := o.ResolvedVariant()
	if err != nil {
		return nil, err
	}
	sampler, data, err := newSampler(s, r, problems, grade, o.Rollout)
	if err != nil {
		return nil, err
	}
	sizes := sampler.trainingSizes(o.Batch.MaxTokens)
	sizes.EightBit = o.Optimizer.Name == OptimizerAdamW8
	training, err := s.Model.CompileTraining(s.CPU, sizes)
	if err != nil {
		return nil, err
	}
	steps := o.Steps
	if steps == 0 {
		steps = (len(problems) + o.Rollout.Problems - 1) / o.Rollout.Problems
	}
	run := &grpo{sampler: sampler, options: o, variant: variant, tokens: sizes.MaxTokens}
	run.loop = newLoop(s, "grpo", data, steps, training, o.Optimizer, o.Checkpoint, o.Watchdog)
	if variant.usesReference() {
		run.reference = s.Model.Clone()
		sizes.ForwardOnly = true
		if run.scorer, err = run.reference.CompileTraining(s.CPU, sizes); err != nil {
			return nil, err
		}
	}
	return run, nil
}

// step does one rollout and its updates.
func (r *grpo) step(ctx context.Context) (stepResult, error) {
	every := r.options.ReferenceEvery
	if r.reference != nil && every > 0 && r.state.Step > 0 && r.state.Step%every == 0 {
		if err := r.reference.CopyWeights(r.setup.Model); err != nil {
			return stepResult{}, err
		}
	}
	groups, err := r.collect(ctx)
	if err != nil {
		return stepResult{}, err
	}
	meter, err := r.testReflections(ctx, groups)
	if err != nil {
		return stepResult{}, err
	}
	if err := r.prepare(groups); err != nil {
		return stepResult{}, err
	}
	if r.trace, err = r.newTokenTrace(groups); err != nil {
		return stepResult{}, err
	}
	rate := r.learningRate()
	var stats updateStats
	for epoch := range r.options.InnerEpochs {
		for i, which := range split(len(r.answers), r.options.MiniBatches) {
			onPolicy := epoch == 0 && i == 0
			if err := r.miniBatch(which, onPolicy, &stats); err != nil {
				return stepResult{}, err
			}
		}
	}
	if err := r.trace.finish(); err != nil {
		return stepResult{}, err
	}
	r.state.Tokens += int64(stats.tokens)
	var v values
	stats.appendTo(&v, rate)
	stats.appendPolicy(&v, &r.variant, r.rewardKL)
	stats.appendGap(&v)
	appendRollout(&v, groups, true)
	appendGroups(&v, groups, r.variant.ResampleRounds > 0)
	meter.appendTo(&v)
	result := r.result(v, groups)
	result.meter = meter.took
	return result, nil
}

// collect samples the step's groups. Where the variant resamples (DAPO, arXiv 2503.14476,
// equation 11), groups whose rewards are all equal are replaced by those of the next problems, up
// to ResampleRounds times; what is still all equal then stays in the result, counted, and out of
// the loss. Replaced groups come last in the result, marked.
func (r *grpo) collect(ctx context.Context) ([]group, error) {
	groups, err := r.ask(ctx, r.options.Rollout.Problems)
	if err != nil {
		return nil, err
	}
	var replaced []group
	for range r.variant.ResampleRounds {
		useless := 0
		for i := range groups {
			if allEqual(groups[i].rewards()) {
				useless++
			}
		}
		if useless == 0 {
			break
		}
		fresh, err := r.ask(ctx, useless)
		if err != nil {
			return nil, err
		}
		for i := range groups {
			if allEqual(groups[i].rewards()) {
				replaced = append(replaced, groups[i])
				groups[i], fresh = fresh[0], fresh[1:]
			}
		}
	}
	for i := range replaced {
		replaced[i].resampled = true
		for j := range replaced[i].samples {
			replaced[i].samples[j].Resampled = true
		}
	}
	return append(groups, replaced...), nil
}

// ask samples count groups and rewards what only a group as a whole can tell.
func (r *grpo) ask(ctx context.Context, count int) ([]group, error) {
	groups, err := r.sample(ctx, count)
	if r.options.GroupLength != 0 {
		for i := range groups {
			groups[i].rewardLengths(r.options.GroupLength)
		}
	}
	return groups, err
}

// split cuts 0..n-1 into parts of consecutive numbers whose sizes differ by at most one; parts
// without any are left out.
func split(n, parts int) [][]int {
	var result [][]int
	for p := range parts {
		var part []int
		for i := n * p / parts; i < n*(p+1)/parts; i++ {
			part = append(part, i)
		}
		if part != nil {
			result = append(result, part)
		}
	}
	return result
}

// miniBatch does one optimiser update over the answers that which lists. Answers without an
// advantage in a loss without a KL term have no gradient: they are packed apart and only scored.
// If no answer has a gradient there is no update, which would move the weights by stale moments.
func (r *grpo) miniBatch(which []int, onPolicy bool, stats *updateStats) error {
	r.weigh(which)
	var live, idle []int
	for _, i := range which {
		if r.answers[i].hasGradient() || r.variant.hasKLInLoss() {
			live = append(live, i)
		} else {
			idle = append(idle, i)
		}
	}
	r.trainer.ZeroGradients()
	loss := 0.0
	for _, bin := range packSequences(r.sequences, live, r.tokens) {
		share, err := r.microBatch(bin, onPolicy, stats)
		if err != nil {
			return err
		}
		loss += share
		if err := r.trainer.Backward(&r.batch); err != nil {
			return err
		}
	}
	for _, bin := range packSequences(r.sequences, idle, r.tokens) {
		share, err := r.microBatch(bin, onPolicy, stats)
		if err != nil {
			return err
		}
		loss += share
	}
	if len(live) == 0 {
		return r.checkFinite(MetricLoss, loss)
	}
	return r.update(stats, loss)
}

// weigh sets the weight of a token of each answer in the mini-batch's loss.
func (r *grpo) weigh(which []int) {
	lengths, groups := make([]int, len(which)), make([]int, len(which))
	for i, a := range which {
		lengths[i], groups[i] = len(r.answers[a].sample.Tokens), r.answers[a].group
	}
	weights := normalizers[r.variant.Normalizer](lengths, groups, r.options.Rollout.MaxNewTokens)
	for i, a := range which {
		r.answers[a].weight = weights[i]
	}
}

// microBatch scores one microbatch, leaves dLoss/dlogp in the batch and returns its share of the
// loss.
func (r *grpo) microBatch(bin []int, onPolicy bool, stats *updateStats) (loss float64, err error) {
	fillBatch(&r.batch, r.sequences, bin)
	r.batch.InverseTemperature = r.inverseTemperature()
	if err := r.scoreReference(bin); err != nil {
		return 0, err
	}
	logProb, entropy, err := r.trainer.Forward(&r.batch)
	if err != nil {
		return 0, err
	}
	stats.addEntropy(entropy)
	stats.tokens += len(logProb)
	at := 0
	for _, i := range bin {
		a := &r.answers[i]
		n := len(a.sample.Tokens)
		s := PolicySample{
			LogProb: logProb[at : at+n], Old: a.sample.logProbs, Reference: a.reference,
			Advantage: a.sample.Advantage, Advantages: a.advantages, TokenWeight: a.weight,
		}
		terms := r.variant.Loss(r.batch.DLogProb[at:at+n], &s)
		if onPolicy {
			stats.addGap(s.LogProb, s.Old)
			r.trace.take(a.sample, entropy[at:at+n])
		}
		stats.policy.add(terms)
		loss += terms.Loss
		at += n
	}
	return loss, nil
}

func (r *grpo) inverseTemperature() float32 {
	return engine.InverseTemperature(float32(r.options.Rollout.Temperature))
}

// scoreReference fills in the reference's log-probabilities of the microbatch's answers, unless an
// earlier pass over the rollout did.
func (r *grpo) scoreReference(bin []int) error {
	if r.scorer == nil || !slices.ContainsFunc(bin, func(i int) bool { return r.answers[i].reference == nil }) {
		return nil
	}
	logProb, _, err := r.scorer.Forward(&r.batch)
	if err != nil {
		return err
	}
	at := 0
	for _, i := range bin {
		n := len(r.answers[i].sample.Tokens)
		r.answers[i].reference = slices.Clone(logProb[at : at+n])
		at += n
	}
	return nil
}
