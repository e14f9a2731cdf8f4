package train

import (
	"fmt"
	"strings"
)

// The levels at which a new policy is compared with the one that sampled.
const (
	// RatioToken compares each token: exp(logp - old).
	RatioToken = "token"
	// RatioSequence compares whole answers, by the geometric mean of their tokens' ratios (GSPO,
	// arXiv 2507.18071, equation 7).
	RatioSequence = "sequence"
)

// The surrogates: how a token's ratio rho and advantage A make its share of the loss.
const (
	// SurrogateClip is -min(rho A, clip(rho) A): a token that has moved far enough has no gradient
	// (PPO, arXiv 1707.06347, equation 7).
	SurrogateClip = "clip"
	// SurrogateWeight is -sg(clip(rho)) A logp, where sg stops the gradient: no token is left out,
	// and none weighs more than the clip allows (MiniMax-M1, arXiv 2506.13585, equations 4 and 5).
	SurrogateWeight = "weight"
	// SurrogateLogProb is -A logp, the estimator of REINFORCE, which knows no ratio: it is right
	// where each rollout has one update (RLOO, arXiv 2402.14740, equation 8).
	SurrogateLogProb = "logprob"
)

// Where the divergence from the reference goes. In the reward it is that of the policy that
// sampled, a constant to the gradient.
const (
	// KLInLoss adds KLWeight kl to each token's loss (DeepSeekMath, arXiv 2402.03300, equation 3).
	KLInLoss = "loss"
	// KLInReward takes KLWeight times the sum of kl over its tokens from each answer's reward,
	// before answers are compared (RLOO, arXiv 2402.14740, section 2).
	KLInReward = "reward"
	// KLInTokenReward takes from each token's advantage KLWeight times the sum of kl over that and
	// the later tokens (REINFORCE++, arXiv 2501.03262, equations 8 and 9).
	KLInTokenReward = "token_reward"
)

// The weights of a token in the loss. N answers carry loss, of lengths |o_i|.
const (
	// NormalizeSequence weighs a token 1/(N |o_i|): each answer counts the same
	// (DeepSeekMath, arXiv 2402.03300, equation 3).
	NormalizeSequence = "sequence"
	// NormalizeConstant weighs a token 1/(N M) with M the most tokens an answer may have: neither
	// short right nor long wrong answers are favoured (Dr. GRPO, arXiv 2503.20783, section 3.2).
	NormalizeConstant = "constant"
	// NormalizeAnswers weighs a token 1/N: an answer is one action, whose log-probability is the sum
	// of its tokens' (RLOO, arXiv 2402.14740, equation 8).
	NormalizeAnswers = "answers"
	// NormalizeTokens weighs a token 1/sum |o_i| over the whole batch: each token counts the same
	// (the authors' program for DAPO).
	NormalizeTokens = "tokens"
	// NormalizeGroupTokens weighs a token 1/(Q sum |o_i|) with the sum over the answers of its
	// problem and Q the number of problems (DAPO, arXiv 2503.14476, equation 8 to the letter).
	NormalizeGroupTokens = "group_tokens"
)

// Variant is a policy loss as a value: no loop branches on its name.
type Variant struct {
	// Name is what recipes call it.
	Name string `json:"name" yaml:"name"`
	// Source is the paper and the equation.
	Source string `json:"source" yaml:"source"`
	// Advantage is one of the Advantage constants.
	Advantage string `json:"advantage" yaml:"advantage"`
	// Whiten takes from all advantages of a rollout their mean over its tokens and divides by their
	// population standard deviation (REINFORCE++, arXiv 2501.03262, equation 10).
	Whiten bool `json:"whiten" yaml:"whiten"`
	// Surrogate is one of the Surrogate constants; "" means SurrogateClip.
	Surrogate string `json:"surrogate" yaml:"surrogate"`
	// Ratio is RatioToken or RatioSequence.
	Ratio string `json:"ratio" yaml:"ratio"`
	// ClipLow and ClipHigh keep the ratio between 1-ClipLow and 1+ClipHigh.
	ClipLow  float64 `json:"clip_low" yaml:"clip_low"`
	ClipHigh float64 `json:"clip_high" yaml:"clip_high"`
	// Normalizer is one of the Normalize constants.
	Normalizer string `json:"normalizer" yaml:"normalizer"`
	// KL is none or an estimator, KLPlace where it goes (a KLIn constant; "" means
	// KLInLoss), KLWeight its coefficient.
	KL       string  `json:"kl" yaml:"kl"`
	KLPlace  string  `json:"kl_place" yaml:"kl_place"`
	KLWeight float64 `json:"kl_weight" yaml:"kl_weight"`
	// MaskTruncated takes answers that ran out of tokens out of the loss; their group still sees
	// their reward.
	MaskTruncated bool `json:"mask_truncated" yaml:"mask_truncated"`
	// ResampleRounds is how many more times groups whose rewards are all equal are replaced by
	// groups of other problems. Above 0, groups that are all equal after the last round have no
	// part in the loss.
	ResampleRounds int `json:"resample_rounds" yaml:"resample_rounds"`
}

// variants is the table of losses.
var variants = []Variant{
	{
		Name:      "grpo",
		Source:    "DeepSeekMath, arXiv 2402.03300, equations 3 and 4, section 4.2 (KL 0.04); clip 0.2 of PPO, arXiv 1707.06347, section 6.1, table 1",
		Advantage: AdvantageGroupStd, Surrogate: SurrogateClip, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.2,
		Normalizer: NormalizeSequence, KL: KL3, KLPlace: KLInLoss, KLWeight: 0.04,
	},
	{
		Name:      "dr_grpo",
		Source:    "Understanding R1-Zero-like training, arXiv 2503.20783, section 3.2",
		Advantage: AdvantageGroupMean, Surrogate: SurrogateClip, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.2,
		Normalizer: NormalizeConstant, KL: KLNone, KLPlace: KLInLoss,
	},
	{
		Name:      "dapo",
		Source:    "DAPO, arXiv 2503.14476, equations 8 to 12, sections 3.1 to 3.4",
		Advantage: AdvantageGroupStd, Surrogate: SurrogateClip, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.28,
		Normalizer: NormalizeTokens, KL: KLNone, KLPlace: KLInLoss, MaskTruncated: true, ResampleRounds: 10,
	},
	{
		Name:      "gspo",
		Source:    "GSPO, arXiv 2507.18071, equations 5 to 7, section 5.1",
		Advantage: AdvantageGroupStd, Surrogate: SurrogateClip, Ratio: RatioSequence, ClipLow: 3e-4, ClipHigh: 4e-4,
		Normalizer: NormalizeSequence, KL: KLNone, KLPlace: KLInLoss,
	},
	{
		Name:      "cispo",
		Source:    "MiniMax-M1, arXiv 2506.13585, equations 4 and 5, section 3.1 (no lower bound, no KL, dynamic sampling); the weight's bound of 5: ScaleRL, arXiv 2510.13786",
		Advantage: AdvantageGroupStd, Surrogate: SurrogateWeight, Ratio: RatioToken, ClipLow: 1, ClipHigh: 4,
		Normalizer: NormalizeTokens, KL: KLNone, KLPlace: KLInLoss, ResampleRounds: 10,
	},
	{
		Name:      "rloo",
		Source:    "Back to Basics, arXiv 2402.14740, equation 8, KL in the reward of section 2; its weight 0.05: TRL's RLOOConfig",
		Advantage: AdvantageLeaveOneOut, Surrogate: SurrogateLogProb, Ratio: RatioToken,
		Normalizer: NormalizeAnswers, KL: KL1, KLPlace: KLInReward, KLWeight: 0.05,
	},
	{
		Name:      "reinforce_pp",
		Source:    "REINFORCE++, arXiv 2501.03262, equations 8 to 10; clip of PPO, arXiv 1707.06347, section 6.1; KL weight of DeepSeek-R1 v2, methods",
		Advantage: AdvantageReward, Whiten: true, Surrogate: SurrogateClip, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.2,
		Normalizer: NormalizeTokens, KL: KL1, KLPlace: KLInTokenReward, KLWeight: 0.001,
	},
	{
		Name:      "reinforce_pp_baseline",
		Source:    "REINFORCE++ with baseline, arXiv 2501.03262, section of that name: mean of the group, deviation of the batch, k2 in the loss; KL weight of ProRL v2",
		Advantage: AdvantageGroupMean, Whiten: true, Surrogate: SurrogateClip, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.2,
		Normalizer: NormalizeTokens, KL: KL2, KLPlace: KLInLoss, KLWeight: 1e-4,
	},
}

// usesReference reports whether the loss or the reward has a KL term.
func (v *Variant) usesReference() bool { return v.KL != KLNone && v.KLWeight != 0 }

// hasKLInLoss reports whether the loss has a KL term, so that answers without an advantage have a gradient.
func (v *Variant) hasKLInLoss() bool {
	return v.usesReference() && (v.KLPlace == KLInLoss || v.KLPlace == "")
}

// Variants returns the table of policy losses.
func Variants() []Variant { return append([]Variant(nil), variants...) }

// FindVariant returns the row of the table with this name.
func FindVariant(name string) (Variant, error) {
	names := make([]string, len(variants))
	for i, v := range variants {
		if v.Name == name {
			return v, nil
		}
		names[i] = v.Name
	}
	return Variant{}, fmt.Errorf("train: variant: got %q, want one of %s", name, strings.Join(names, ", "))
}

// normalizers return the weight of a token of each answer. lengths [N] are the tokens of the
// answers that carry loss, groups [N] the problem of each, maxTokens the most an answer may have.
var normalizers = map[string]func(lengths, groups []int, maxTokens int) []float64{
	NormalizeSequence: func(lengths, groups []int, maxTokens int) []float64 {
		return perAnswer(lengths, func(i int) float64 { return 1 / float64(len(lengths)*lengths[i]) })
	},
	NormalizeConstant: func(lengths, groups []int, maxTokens int) []float64 {
		return perAnswer(lengths, func(i int) float64 { return 1 / float64(len(lengths)*maxTokens) })
	},
	NormalizeAnswers: func(lengths, groups []int, maxTokens int) []float64 {
		return perAnswer(lengths, func(i int) float64 { return 1 / float64(len(lengths)) })
	},
	NormalizeTokens: func(lengths, groups []int, maxTokens int) []float64 {
		total := 0
		for _, n := range lengths {
			total += n
		}
		return perAnswer(lengths, func(i int) float64 { return 1 / float64(total) })
	},
	NormalizeGroupTokens: func(lengths, groups []int, maxTokens int) []float64 {
		total := map[int]int{}
		for i, n := range lengths {
			total[groups[i]] += n
		}
		return perAnswer(lengths, func(i int) float64 { return 1 / float64(len(total)*total[groups[i]]) })
	},
}

func perAnswer(lengths []int, weight func(i int) float64) []float64 {
	weights := make([]float64, len(lengths))
	for i := range weights {
		weights[i] = weight(i)
	}
	return weights
}
