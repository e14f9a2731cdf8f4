package train

import (
	"math"

	"github.com/retort-ml/retort/runstore"
)

// The names of the metrics. A step's metrics leave out those that have no value in it: the length
// of right answers when none was right, the entropy where only a divergence is evaluated.
const (
	MetricLoss             = "loss"
	MetricEntropy          = "entropy"
	MetricKL               = "kl"
	MetricPolicyKL         = "policy_kl"
	MetricClipFraction     = "clip_fraction"
	MetricGradientNorm     = "gradient_norm"
	MetricLearningRate     = "learning_rate"
	MetricTokens           = "tokens"
	MetricSampledTokens    = "sampled_tokens"
	MetricLogProbGap       = "logprob_gap"
	MetricRewardMean       = "reward_mean"
	MetricRewardStd        = "reward_std"
	MetricAccuracy         = "accuracy"
	MetricFormatRate       = "format_rate"
	MetricAllEqualGroups   = "all_equal_groups"
	MetricResampledGroups  = "resampled_groups"
	MetricUnfilledGroups   = "unfilled_groups"
	MetricTruncationRate   = "truncation_rate"
	MetricUnjudgedRate     = "unjudged_rate"
	MetricMaskedRate       = "masked_rate"
	MetricLengthMean       = "length_mean"
	MetricLengthRight      = "length_right"
	MetricLengthWrong      = "length_wrong"
	MetricFalseVerdictRate = "false_verdict_rate"
)

// metrics is the one table of what the loops of this package record.
var metrics = []runstore.Metric{
	{Name: MetricLoss, Unit: "nats per token", Formula: "SFT: -(1/R) sum logp(target); Distill and OnPolicy: (1/R) sum D(teacher||student); GRPO: sum over answers and tokens of w (surrogate(rho, A) + beta kl) with the variant's surrogate, for PPO's -min(rho A, clip(rho) A), which is 0 in expectation on policy"},
	{Name: MetricEntropy, Unit: "nats per token", Formula: "(1/R) sum over tokens of -sum_y p(y) log p(y), p at the training temperature"},
	{Name: MetricKL, Unit: "nats per token", Formula: "(1/R) sum over tokens of the variant's estimate of KL(policy||reference); of the policy that sampled where KL is in the reward"},
	{Name: MetricPolicyKL, Unit: "nats per token", Formula: "(1/R) sum over tokens of rho - 1 - log rho, rho = p_policy/p_old; 0 on policy"},
	{Name: MetricClipFraction, Unit: "share of tokens", Formula: "tokens with clip(rho) A < rho A, or for cispo with clip(rho) != rho, / R; 0 on policy"},
	{Name: MetricGradientNorm, Unit: "1", Formula: "||dLoss/dweights||_2 before clipping, the mean over the step's optimiser updates; 0 if no token carried a gradient and there was none"},
	{Name: MetricLearningRate, Unit: "1", Formula: "schedule(step)"},
	{Name: MetricTokens, Unit: "tokens", Formula: "R, the tokens that carried loss"},
	{Name: MetricSampledTokens, Unit: "tokens", Formula: "tokens that the engine sampled, those of resampled groups included"},
	{Name: MetricLogProbGap, Unit: "nats", Formula: "max over the tokens of the step's first update of |logp_trainer - logp_engine|; must be 0"},
	{Name: MetricRewardMean, Unit: "reward", Formula: "mean of the total reward over judged answers, those of resampled groups included"},
	{Name: MetricRewardStd, Unit: "reward", Formula: "population standard deviation of the total reward over judged answers"},
	{Name: MetricAccuracy, Unit: "share of answers", Formula: "right / (right + wrong)"},
	{Name: MetricFormatRate, Unit: "share of answers", Formula: "well formed / (right + wrong)"},
	{Name: MetricAllEqualGroups, Unit: "share of groups", Formula: "groups with fewer than two judged answers or with equal total rewards / groups sampled"},
	{Name: MetricResampledGroups, Unit: "groups", Formula: "groups replaced because their rewards were all equal"},
	{Name: MetricUnfilledGroups, Unit: "groups", Formula: "groups whose rewards were all equal after the last round of dynamic sampling, and so out of the loss; recorded where there is any round"},
	{Name: MetricTruncationRate, Unit: "share of answers", Formula: "answers that ran out of tokens / answers sampled"},
	{Name: MetricUnjudgedRate, Unit: "share of answers", Formula: "answers that could not be judged / answers sampled"},
	{Name: MetricMaskedRate, Unit: "share of answers", Formula: "truncated answers taken out of the loss / answers sampled"},
	{Name: MetricLengthMean, Unit: "tokens", Formula: "mean length of the sampled answers, stop token included"},
	{Name: MetricLengthRight, Unit: "tokens", Formula: "mean length of the right answers"},
	{Name: MetricLengthWrong, Unit: "tokens", Formula: "mean length of the wrong answers"},
	{Name: MetricFalseVerdictRate, Unit: "share of verdicts", Formula: "verdicts in the traces that said other than the truth / verdicts in the traces; given by Setup.Observe"},
	{Name: MetricRescues, Unit: "per 1,000 tokens of thought", Formula: "1000 x reflections between a forced answer that is wrong and one that is right / tested_thought_tokens"},
	{Name: MetricHarms, Unit: "per 1,000 tokens of thought", Formula: "1000 x reflections between a forced answer that is right and one that is wrong / tested_thought_tokens"},
	{Name: MetricIdleTurns, Unit: "per 1,000 tokens of thought", Formula: "1000 x reflections between two forced answers of the same verdict / tested_thought_tokens"},
	{Name: MetricTestedThought, Unit: "tokens", Formula: "tokens of the thoughts whose reflections were tested, those without a reflection included"},
}

// Metrics returns the table of every metric that this package records or watches.
func Metrics() []runstore.Metric { return append([]runstore.Metric(nil), metrics...) }

// values collects the metrics of one step in the order of adding.
type values []runstore.Value

func (v *values) add(name string, value float64) {
	*v = append(*v, runstore.Value{Name: name, Number: value})
}

// addRatio adds part/whole, or nothing where whole is 0.
func (v *values) addRatio(name string, part, whole float64) {
	if whole != 0 {
		v.add(name, part/whole)
	}
}

// find returns the value of a metric, and false if the step has none.
func find(vs []runstore.Value, name string) (float64, bool) {
	for _, v := range vs {
		if v.Name == name {
			return v.Number, true
		}
	}
	return 0, false
}

// updateStats add up what the microbatches of one step say, over all its optimiser updates.
type updateStats struct {
	loss          float64 // the sum over updates of each one's mean loss
	updates       int
	normSum       float64 // of gradient norms
	entropySum    float64
	entropyTokens int
	tokens        int // that carried loss
	policy        PolicyTerms
	gap           float64
	gapTokens     int
}

// addGap folds in |logProb - old| of one answer. A NaN on either side becomes an infinite gap.
func (s *updateStats) addGap(logProb, old []float32) {
	s.gapTokens += len(logProb)
	for t := range logProb {
		d := math.Abs(float64(logProb[t]) - float64(old[t]))
		if !(d <= s.gap) {
			s.gap = d
		}
		if math.IsNaN(d) {
			s.gap = math.Inf(1)
		}
	}
}

func (s *updateStats) addEntropy(entropy []float32) {
	for _, h := range entropy {
		s.entropySum += float64(h)
	}
	s.entropyTokens += len(entropy)
}

// appendTo adds the metrics that every kind of run has.
func (s *updateStats) appendTo(v *values, learningRate float64) {
	v.addRatio(MetricLoss, s.loss, float64(s.updates))
	v.addRatio(MetricEntropy, s.entropySum, float64(s.entropyTokens))
	v.add(MetricGradientNorm, s.normSum/float64(max(1, s.updates)))
	v.add(MetricLearningRate, learningRate)
	v.add(MetricTokens, float64(s.tokens))
}

// appendPolicy adds the metrics of a policy loss; rewardKL is the divergence where it is in the reward.
func (s *updateStats) appendPolicy(v *values, variant *Variant, rewardKL float64) {
	n := float64(s.policy.Tokens)
	switch {
	case variant.hasKLInLoss():
		v.addRatio(MetricKL, s.policy.KL, n)
	case variant.usesReference():
		v.add(MetricKL, rewardKL)
	}
	v.addRatio(MetricPolicyKL, s.policy.OldKL, n)
	v.addRatio(MetricClipFraction, float64(s.policy.Clipped), n)
}

// appendGap adds the log-probability gap, if any token was compared.
func (s *updateStats) appendGap(v *values) {
	if s.gapTokens > 0 {
		v.add(MetricLogProbGap, s.gap)
	}
}

// appendRollout adds what the sampled answers say. It counts every answer that was sampled in the
// step, those of groups that dynamic sampling replaced included, because a curve over chosen
// groups alone would not be the model's. Without a grader nothing is said of rewards.
func appendRollout(v *values, groups []group, isGraded bool) {
	var c rolloutCounts
	for i := range groups {
		c.add(&groups[i])
	}
	v.add(MetricSampledTokens, float64(c.tokens))
	v.addRatio(MetricTruncationRate, float64(c.truncated), float64(c.answers))
	v.addRatio(MetricMaskedRate, float64(c.masked), float64(c.answers))
	v.addRatio(MetricLengthMean, float64(c.tokens), float64(c.answers))
	if !isGraded {
		return
	}
	judged := float64(len(c.rewards))
	if judged > 0 {
		mean, std := meanStd(c.rewards)
		v.add(MetricRewardMean, mean)
		v.add(MetricRewardStd, std)
	}
	v.addRatio(MetricAccuracy, float64(c.right), judged)
	v.addRatio(MetricFormatRate, float64(c.wellFormed), judged)
	v.addRatio(MetricUnjudgedRate, float64(c.answers)-judged, float64(c.answers))
	v.addRatio(MetricLengthRight, float64(c.rightTokens), float64(c.right))
	v.addRatio(MetricLengthWrong, float64(c.wrongTokens), judged-float64(c.right))
}

// appendGroups adds what comparing the answers of a group rests on; doesResample says that
// groups which are all equal were to be replaced.
func appendGroups(v *values, groups []group, doesResample bool) {
	equal, resampled := 0, 0
	for i := range groups {
		if allEqual(groups[i].rewards()) {
			equal++
		}
		if groups[i].resampled {
			resampled++
		}
	}
	v.addRatio(MetricAllEqualGroups, float64(equal), float64(len(groups)))
	v.add(MetricResampledGroups, float64(resampled))
	if doesResample {
		v.add(MetricUnfilledGroups, float64(equal-resampled))
	}
}

type rolloutCounts struct {
	rewards                                  []float64
	answers, right, wellFormed, truncated    int
	masked, tokens, rightTokens, wrongTokens int
}

func (c *rolloutCounts) add(g *group) {
	for i := range g.samples {
		s := &g.samples[i]
		c.answers++
		c.tokens += len(s.Tokens)
		if s.Truncated {
			c.truncated++
		}
		if s.Masked {
			c.masked++
		}
		if s.Verdict == CannotJudge {
			continue
		}
		c.rewards = append(c.rewards, s.Reward.Total())
		if s.WellFormed {
			c.wellFormed++
		}
		if s.Verdict == Right {
			c.right++
			c.rightTokens += len(s.Tokens)
		} else {
			c.wrongTokens += len(s.Tokens)
		}
	}
}
