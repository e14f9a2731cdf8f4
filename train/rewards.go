package train

import (
	"errors"
	"fmt"
)

// RewardOptions weigh the parts of a reward, and hold their parameters. A weight of 0 leaves a part
// out; if all weights are 0, accuracy and format count 1 each (DeepSeek-R1, section 2.2.2).
type RewardOptions struct {
	// Accuracy is for a right answer: 1, else 0.
	Accuracy float64 `json:"accuracy" yaml:"accuracy" help:"for the right answer"`
	// Format is for the form that the task asks for: 1, else 0.
	Format float64 `json:"format" yaml:"format" help:"for the form that was asked for"`
	// ThinkFormat is ThinkAnswerFormat's.
	ThinkFormat float64 `json:"think_format" yaml:"think_format" help:"for thought and answer each between its tags, on lines of their own"`
	// TagCount is TagCount's.
	TagCount float64 `json:"tag_count" yaml:"tag_count" help:"for each of the four tags that stands once"`
	// Cosine is CosineOptions' reward of the length, Repetition that of RepetitionPenalty.
	Cosine     float64 `json:"cosine" yaml:"cosine" help:"for short right answers and long wrong ones"`
	Repetition float64 `json:"repetition" yaml:"repetition" help:"against repeated word sequences"`
	// Overlong is SoftOverlong's, Language that of LanguageShare.
	Overlong float64 `json:"overlong" yaml:"overlong" help:"against answers that nearly run out of tokens"`
	Language float64 `json:"language" yaml:"language" help:"for the share of the thought's words in language_code"`

	// CosineValues are the parameters of Cosine.
	CosineValues CosineOptions `json:"cosine_values" yaml:"cosine_values"`
	// RepetitionWords is the length of a word sequence; 0 means 3. RepetitionPenalty is the reward
	// of a text that says the same all the time, below 0; 0 means -1 (both open-r1's).
	RepetitionWords   int     `json:"repetition_words" yaml:"repetition_words"`
	RepetitionPenalty float64 `json:"repetition_penalty" yaml:"repetition_penalty"`
	// OverlongTokens is the length that is punished in full; 0 means rollout.max_new_tokens.
	// OverlongBuffer is how many tokens before it the punishment begins; 0 means a fifth of it
	// (DAPO, arXiv 2503.14476, section 4.1: 4,096 of 20,480).
	OverlongTokens int `json:"overlong_tokens" yaml:"overlong_tokens"`
	OverlongBuffer int `json:"overlong_buffer" yaml:"overlong_buffer"`
	// LanguageCode is the ISO 639 code of the language to think in; "" means en.
	LanguageCode string `json:"language_code" yaml:"language_code"`
}

// RewardInput is what the parts of a reward read of one answer.
type RewardInput struct {
	// Verdict is the grader's, with its Reason.
	Verdict Verdict
	Reason  string
	// WellFormed reports whether the answer has the form that the task asks for.
	WellFormed bool
	// Text is the whole reply, with the tag that opens the thought, be it the model's or the
	// prompt's, and without the token that ends it.
	Text string
	// Tokens is the number of sampled tokens.
	Tokens int
}

// RewardFunction is a row of the table of rewards.
type RewardFunction struct {
	// Name is the key of its weight in RewardOptions, Source its paper or program.
	Name, Source string
	// Weight reads the weight from the options.
	Weight func(o *RewardOptions) float64
	// Value is the unweighted reward; ok is false where the answer cannot be judged. It is a
	// function of its arguments alone.
	Value func(o *RewardOptions, in *RewardInput) (value float64, ok bool)
}

// rewardFunctions is the table of rewards.
var rewardFunctions = []RewardFunction{
	{
		"accuracy", "DeepSeek-R1, arXiv 2501.12948, section 2.2.2", func(o *RewardOptions) float64 { return o.Accuracy },
		func(_ *RewardOptions, in *RewardInput) (float64, bool) { return indicator(in.Verdict == Right), true },
	},
	{
		"format", "DeepSeek-R1, arXiv 2501.12948, section 2.2.2", func(o *RewardOptions) float64 { return o.Format },
		func(_ *RewardOptions, in *RewardInput) (float64, bool) { return indicator(in.WellFormed), true },
	},
	{
		"think_format", "open-r1, format_reward", func(o *RewardOptions) float64 { return o.ThinkFormat },
		func(_ *RewardOptions, in *RewardInput) (float64, bool) {
			return indicator(ThinkAnswerFormat(in.Text)), true
		},
	},
	{
		"tag_count", "open-r1, tag_count_reward", func(o *RewardOptions) float64 { return o.TagCount },
		func(_ *RewardOptions, in *RewardInput) (float64, bool) { return TagCount(in.Text), true },
	},
	{
		"cosine", "Demystifying long chain-of-thought, arXiv 2502.03373, section 4; values of open-r1", func(o *RewardOptions) float64 { return o.Cosine },
		func(o *RewardOptions, in *RewardInput) (float64, bool) {
			return o.CosineValues.Reward(in.Verdict == Right, in.Tokens), true
		},
	},
	{
		"repetition", "Demystifying long chain-of-thought, arXiv 2502.03373, appendix C.2", func(o *RewardOptions) float64 { return o.Repetition },
		func(o *RewardOptions, in *RewardInput) (float64, bool) {
			return RepetitionPenalty(in.Text, o.RepetitionWords, o.RepetitionPenalty), true
		},
	},
	{
		"overlong", "DAPO, arXiv 2503.14476, equation 13", func(o *RewardOptions) float64 { return o.Overlong },
		func(o *RewardOptions, in *RewardInput) (float64, bool) {
			return SoftOverlong(in.Tokens, o.OverlongTokens, o.OverlongBuffer), true
		},
	},
	{
		"language", "DeepSeek-R1, arXiv 2501.12948, section 2.3.2", func(o *RewardOptions) float64 { return o.Language },
		func(o *RewardOptions, in *RewardInput) (float64, bool) {
			return LanguageShare(in.Text, o.LanguageCode)
		},
	},
}

// RewardFunctions returns the table of rewards.
func RewardFunctions() []RewardFunction { return append([]RewardFunction(nil), rewardFunctions...) }

func indicator(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Resolved returns the options with every default filled in, for answers of at most maxNewTokens.
func (o RewardOptions) Resolved(maxNewTokens int) RewardOptions {
	if o.isWeightless() {
		o.Accuracy, o.Format = 1, 1
	}
	o.CosineValues = o.CosineValues.resolved(maxNewTokens)
	setDefault(&o.RepetitionWords, 3)
	setDefault(&o.RepetitionPenalty, -1)
	setDefault(&o.OverlongTokens, maxNewTokens)
	setDefault(&o.OverlongBuffer, max(1, o.OverlongTokens/5))
	setDefault(&o.LanguageCode, "en")
	return o
}

func (o *RewardOptions) isWeightless() bool {
	for _, f := range rewardFunctions {
		if f.Weight(o) != 0 {
			return false
		}
	}
	return true
}

// Validate reports every fault in one error.
func (o *RewardOptions) Validate() error {
	var faults []error
	fault := func(bad bool, field string, got any, want string) {
		if bad {
			faults = append(faults, fmt.Errorf("train: reward.%s: got %v, want %s", field, got, want))
		}
	}
	for _, f := range rewardFunctions {
		w := f.Weight(o)
		fault(!(w >= -1000 && w <= 1000), f.Name, w, "-1000 to 1000")
	}
	fault(o.RepetitionWords < 0 || o.RepetitionWords > 1000, "repetition_words", o.RepetitionWords, "0 to 1000")
	fault(!(o.RepetitionPenalty <= 0), "repetition_penalty", o.RepetitionPenalty, "at most 0")
	fault(o.OverlongTokens < 0, "overlong_tokens", o.OverlongTokens, "at least 0")
	fault(o.OverlongBuffer < 0, "overlong_buffer", o.OverlongBuffer, "at least 0")
	fault(o.OverlongTokens > 0 && o.OverlongBuffer > o.OverlongTokens, "overlong_buffer", o.OverlongBuffer, fmt.Sprintf("at most overlong_tokens %d", o.OverlongTokens))
	_, known := languageScripts[o.LanguageCode]
	fault(!known && o.LanguageCode != "", "language_code", o.LanguageCode, "one of "+languageCodes())
	return errors.Join(append(faults, o.CosineValues.validate())...)
}

// Grade adds the weighted parts up. o must be resolved. Accuracy is one part of Reward, the parts
// about the form add up in Format, all others in Other. Where the verdict, or a part that has a
// weight, cannot be judged, the answer cannot be: it is dropped and counted, never rewarded with 0.
func (o *RewardOptions) Grade(in *RewardInput) Reward {
	r := Reward{Verdict: in.Verdict, Reason: in.Reason, WellFormed: in.WellFormed}
	if in.Verdict == CannotJudge {
		return r
	}
	for _, f := range rewardFunctions {
		weight := f.Weight(o)
		if weight == 0 {
			continue
		}
		value, ok := f.Value(o, in)
		if !ok {
			return Reward{Verdict: CannotJudge, Reason: f.Name + " cannot be judged", WellFormed: in.WellFormed}
		}
		switch f.Name {
		case "accuracy":
			r.Accuracy = weight * value
			continue
		case "format":
			r.Format += weight * value
			continue
		case "think_format", "tag_count":
			r.Format += weight * value
		default:
			r.Other += weight * value
		}
		if r.Parts == nil {
			r.Parts = map[string]float64{}
		}
		r.Parts[f.Name] = value
	}
	return r
}
