package train

import (
	"fmt"
	"math"
)

// watchdogRule returns the sentence while it holds, and "" while it does not. A rule with once set
// speaks at most once in a run.
type watchdogRule struct {
	name  string
	once  bool
	check func(v *watchdogView) string
}

var watchdogRules = []watchdogRule{
	{name: "loss_is_zero", once: true, check: lossIsZero},
	{name: "logprob_gap", check: logProbGap},
	{name: "entropy_collapse", check: entropyCollapse},
	{name: "all_equal_groups", check: allEqualGroups},
	{name: "runaway_length", check: runawayLength},
	{name: "false_verdicts", check: falseVerdicts},
	{name: "kl_jump", check: klJump},
	{name: "no_learning", check: noLearning},
	{name: "unjudged", check: unjudged},
}

// lossIsZero explains what looks like a fault and is none. The bound is rounding: advantages of a
// group sum to 0, and so does an on-policy loss that weighs answers equally.
func lossIsZero(v *watchdogView) string {
	loss, ok := find(v.metrics, MetricLoss)
	if _, onPolicy := find(v.metrics, MetricClipFraction); !ok || !onPolicy || math.Abs(loss) > 1e-6 {
		return ""
	}
	return fmt.Sprintf("loss is %.1e, which is normal: on policy every ratio is 1 and the advantages of a group sum to 0, while the gradient does not; watch reward_mean and gradient_norm instead, change nothing", loss)
}

func logProbGap(v *watchdogView) string {
	gap, ok := find(v.metrics, MetricLogProbGap)
	if !ok || gap == 0 {
		return ""
	}
	return fmt.Sprintf("the trainer's log-probability of a sampled token differs from the engine's by up to %.2g nats, want exactly 0: the engine reads other weights or keeps a cache from before an update; rebuild the engine from the model that is trained", gap)
}

func entropyCollapse(v *watchdogView) string {
	first, recent, ok := v.firstAndRecent(MetricEntropy)
	if _, rollout := find(v.metrics, MetricSampledTokens); !ok || !rollout || recent >= v.options.EntropyShare*first {
		return ""
	}
	return fmt.Sprintf("entropy fell from %.3g to %.3g nats per token, so the answers of a group are nearly the same: raise clip_high (0.28) or kl_weight, or lower optimizer.learning_rate", first, recent)
}

func allEqualGroups(v *watchdogView) string {
	share, ok := v.recent(MetricAllEqualGroups)
	if !ok || share <= v.options.AllEqual {
		return ""
	}
	accuracy, judged := find(v.metrics, MetricAccuracy)
	advice := "check that the grader can judge these answers"
	switch {
	case judged && accuracy < 0.5:
		advice = "the problems are too hard for this model: use easier ones, more answers per group, or more SFT first"
	case judged:
		advice = "the problems are too easy for this model: use harder ones"
	}
	return fmt.Sprintf("%.0f %% of the groups have equal rewards and teach nothing (accuracy %.0f %%): %s", 100*share, 100*accuracy, advice)
}

func runawayLength(v *watchdogView) string {
	first, recent, ok := v.firstAndRecent(MetricLengthMean)
	truncated, known := v.recent(MetricTruncationRate)
	if !ok || !known || recent < v.options.LengthGrowth*first || truncated < v.options.Truncation {
		return ""
	}
	return fmt.Sprintf("answers grew from %.0f to %.0f tokens and %.0f %% of them run out of tokens: raise max_new_tokens, or use variant dr_grpo if another is in use (its loss does not favour long wrong answers), and look at the samples for repetition", first, recent, 100*truncated)
}

func falseVerdicts(v *watchdogView) string {
	first, recent, ok := v.firstAndRecent(MetricFalseVerdictRate)
	if !ok || recent < first+v.options.FalseVerdicts {
		return ""
	}
	return fmt.Sprintf("false verdicts grew from %.1f %% to %.1f %% of all verdicts: the model learns to say it is right instead of checking; penalise false verdicts in the grader, or put more verification items into the cold start", 100*first, 100*recent)
}

func klJump(v *watchdogView) string {
	kl, ok := find(v.metrics, MetricKL)
	before := v.state.Recent[MetricKL]
	if !ok || len(before) == 0 || kl < v.options.KLFloor {
		return ""
	}
	mean, _ := meanStd(before)
	if kl < v.options.KLJump*mean {
		return ""
	}
	return fmt.Sprintf("KL to the reference jumped from %.3g to %.3g nats per token in one step: lower optimizer.learning_rate or raise kl_weight", mean, kl)
}

func noLearning(v *watchdogView) string {
	if v.zeroForWindow(MetricLearningRate) {
		return fmt.Sprintf("the learning rate was 0 for %d steps, so the weights do not change: set optimizer.learning_rate or optimizer.final_ratio", v.options.Window)
	}
	if v.zeroForWindow(MetricGradientNorm) {
		return fmt.Sprintf("the gradient was exactly 0 for %d steps, so nothing is learned: every group has equal rewards or every answer is masked or dropped; use problems that the model solves sometimes", v.options.Window)
	}
	return ""
}

func unjudged(v *watchdogView) string {
	share, ok := v.recent(MetricUnjudgedRate)
	if !ok || share <= v.options.Unjudged {
		return ""
	}
	return fmt.Sprintf("%.0f %% of the answers could not be judged and were dropped: read the reasons in samples.jsonl and mend the grader or the problems", 100*share)
}
