package train

import (
	"math"
	"slices"
)

// The ways from the rewards of one group of answers to their advantages.
const (
	// AdvantageGroupStd is (r - mean)/std with the population standard deviation
	// (DeepSeekMath, arXiv 2402.03300, section 4.1.2).
	AdvantageGroupStd = "group_std"
	// AdvantageGroupMean is r - mean (Dr. GRPO, arXiv 2503.20783, section 3.2: dividing by std
	// gives more weight to problems that are too easy or too hard).
	AdvantageGroupMean = "group_mean"
	// AdvantageLeaveOneOut is r minus the mean of the other answers' rewards, which is
	// G/(G-1) (r - mean) in a group of G (RLOO, arXiv 2402.14740, equation 8).
	AdvantageLeaveOneOut = "leave_one_out"
	// AdvantageReward is r itself, for Variant.Whiten to compare with the whole batch
	// (REINFORCE++, arXiv 2501.03262, equation 8).
	AdvantageReward = "reward"
)

// advantageFunctions write the advantage of each reward of a group whose rewards are not all
// equal. advantages and rewards have the same length, at least 2; for AdvantageReward any.
var advantageFunctions = map[string]func(advantages, rewards []float64){
	AdvantageGroupStd: func(advantages, rewards []float64) {
		mean, std := meanStd(rewards)
		for i, r := range rewards {
			advantages[i] = (r - mean) / std
		}
	},
	AdvantageGroupMean: func(advantages, rewards []float64) {
		mean, _ := meanStd(rewards)
		for i, r := range rewards {
			advantages[i] = r - mean
		}
	},
	AdvantageReward: func(advantages, rewards []float64) { copy(advantages, rewards) },
	AdvantageLeaveOneOut: func(advantages, rewards []float64) {
		sum := 0.0
		for _, r := range rewards {
			sum += r
		}
		others := float64(len(rewards) - 1)
		for i, r := range rewards {
			advantages[i] = r - (sum-r)/others
		}
	},
}

// groupAdvantages returns the advantages of one group: exactly 0 for all if answers are compared
// and the rewards are all equal, where rounding of the mean would leave noise for a division by std
// to blow up.
func groupAdvantages(kind string, rewards []float64) []float64 {
	advantages := make([]float64, len(rewards))
	if kind == AdvantageReward || !allEqual(rewards) {
		advantageFunctions[kind](advantages, rewards)
	}
	return advantages
}

// allEqual reports whether a group can teach nothing: fewer than two rewards, or all the same.
func allEqual(rewards []float64) bool {
	return len(rewards) < 2 || slices.Min(rewards) == slices.Max(rewards)
}

// meanStd returns the mean and the population standard deviation, 0 and 0 of nothing.
func meanStd(x []float64) (mean, std float64) {
	if len(x) == 0 {
		return 0, 0
	}
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		std += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(std / float64(len(x)))
}
