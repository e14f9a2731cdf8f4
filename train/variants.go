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

// The weights of a token in the loss. N answers carry loss, of lengths |o_i|.
const (
	// NormalizeSequence weighs a token 1/(N |o_i|): each answer counts the same
	// (DeepSeekMath, arXiv 2402.03300, equation 3).
	NormalizeSequence = "sequence"
	// NormalizeConstant weighs a token 1/(N M) with M the most tokens an answer may have: neither
	// short right nor long wrong answers are favoured (Dr. GRPO, arXiv 2503.20783, section 3.2).
	NormalizeConstant = "constant"
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
	// Advantage is AdvantageGroupStd or AdvantageGroupMean.
	Advantage string `json:"advantage" yaml:"advantage"`
	// Ratio is RatioToken or RatioSequence.
	Ratio string `json:"ratio" yaml:"ratio"`
	// ClipLow and ClipHigh keep the ratio between 1-ClipLow and 1+ClipHigh.
	ClipLow  float64 `json:"clip_low" yaml:"clip_low"`
	ClipHigh float64 `json:"clip_high" yaml:"clip_high"`
	// Normalizer is one of the Normalize constants.
	Normalizer string `json:"normalizer" yaml:"normalizer"`
	// KL is one of the KL constants and KLWeight its coefficient in the loss.
	KL       string  `json:"kl" yaml:"kl"`
	KLWeight float64 `json:"kl_weight" yaml:"kl_weight"`
	// MaskTruncated takes answers that ran out of tokens out of the loss; their group still sees
	// their reward.
	MaskTruncated bool `json:"mask_truncated" yaml:"mask_truncated"`
	// ResampleRounds is how many more times groups whose rewards are all equal are replaced by
	// groups of other problems.
	ResampleRounds int `json:"resample_rounds" yaml:"resample_rounds"`
}

// variants is the table of losses.
var variants = []Variant{
	{
		Name:      "grpo",
		Source:    "DeepSeekMath, arXiv 2402.03300, equations 3 and 4, section 4.2 (KL 0.04); clip 0.2 of PPO, arXiv 1707.06347, section 6.1, table 1",
		Advantage: AdvantageGroupStd, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.2,
		Normalizer: NormalizeSequence, KL: KL3, KLWeight: 0.04,
	},
	{
		Name:      "dr_grpo",
		Source:    "Understanding R1-Zero-like training, arXiv 2503.20783, section 3.2",
		Advantage: AdvantageGroupMean, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.2,
		Normalizer: NormalizeConstant, KL: KLNone,
	},
	{
		Name:      "dapo",
		Source:    "DAPO, arXiv 2503.14476, equations 8 to 12, sections 3.1 to 3.4",
		Advantage: AdvantageGroupStd, Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.28,
		Normalizer: NormalizeTokens, KL: KLNone, MaskTruncated: true, ResampleRounds: 10,
	},
	{
		Name:      "gspo",
		Source:    "GSPO, arXiv 2507.18071, equations 5 to 7, section 5.1",
		Advantage: AdvantageGroupStd, Ratio: RatioSequence, ClipLow: 3e-4, ClipHigh: 4e-4,
		Normalizer: NormalizeSequence, KL: KLNone,
	},
}

// usesReference reports whether the loss has a KL term.
func (v *Variant) usesReference() bool { return v.KL != KLNone && v.KLWeight != 0 }

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
