package train

import (
	"fmt"
	"math"
)

// Verdict is what a grader says of an answer.
type Verdict uint8

// The three verdicts. The zero value is CannotJudge, so that a grader which failed to say anything
// has not said "wrong".
const (
	// CannotJudge drops the answer: it is counted, and no reward of it enters any mean.
	CannotJudge Verdict = iota
	// Wrong is judged and not the answer.
	Wrong
	// Right is judged and the answer.
	Right
)

var verdictNames = map[Verdict]string{CannotJudge: "cannot_judge", Wrong: "wrong", Right: "right"}

// String is the verdict as it stands in samples.jsonl.
func (v Verdict) String() string {
	if name, ok := verdictNames[v]; ok {
		return name
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText writes the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a verdict's name.
func (v *Verdict) UnmarshalText(text []byte) error {
	for verdict, name := range verdictNames {
		if name == string(text) {
			*v = verdict
			return nil
		}
	}
	return fmt.Errorf("train: verdict: got %q, want right, wrong or cannot_judge", text)
}

// Reward is a grader's judgement of one answer. The grader weighs its parts itself; their sum is
// what the policy is rewarded with.
type Reward struct {
	// Verdict is right, wrong or cannot judge.
	Verdict Verdict `json:"verdict"`
	// Reason says why, for people.
	Reason string `json:"reason,omitempty"`
	// WellFormed reports whether the answer has the asked form, for the format rate.
	WellFormed bool `json:"well_formed"`
	// Accuracy is the reward for the answer, usually 1 for right and 0 for wrong.
	Accuracy float64 `json:"accuracy"`
	// Format is the reward for the form.
	Format float64 `json:"format"`
	// Other is anything else, negative for a penalty.
	Other float64 `json:"other,omitempty"`
	// Parts are the unweighted values of the parts that RewardOptions.Grade added to Format and
	// Other, by their names in the table; nil if there are none.
	Parts map[string]float64 `json:"parts,omitempty"`
}

// Total is Accuracy + Format + Other (DeepSeek-R1, section 2.2.2: the accuracy and format rewards
// are added).
func (r *Reward) Total() float64 { return r.Accuracy + r.Format + r.Other }

// Problem is something to ask.
type Problem struct {
	// ID names the problem: it is the grader's key and seeds the sampling.
	ID uint64
	// Prompt is the rendered prompt, at least one token.
	Prompt []int32
}

// Grader judges the answer to a problem. tokens are the sampled tokens, with the stop token if one
// ended the answer; text is what Setup.Decode made of them. It is called from one goroutine and
// must be a function of its arguments alone, or a resumed run differs.
type Grader func(problem *Problem, tokens []int32, text string) Reward

// Sample is one answer of a step, as samples.jsonl holds it.
type Sample struct {
	// Step counts from 1.
	Step int `json:"step"`
	// Problem is Problem.ID, Request the request's number in the run, Index the answer's number in
	// its group.
	Problem uint64 `json:"problem"`
	Request uint64 `json:"request"`
	Index   int    `json:"index"`
	Reward
	// Advantage is 0 for an answer that was dropped.
	Advantage float64 `json:"advantage"`
	// Truncated is an answer that ran out of tokens, Masked one that was taken out of the loss for
	// it, Resampled one whose group was replaced by another problem's.
	Truncated bool `json:"truncated,omitempty"`
	Masked    bool `json:"masked,omitempty"`
	Resampled bool `json:"resampled,omitempty"`
	// LogProb is the sum of the tokens' log-probabilities in nats.
	LogProb float64 `json:"logprob"`
	// Tokens is the answer, Text what Setup.Decode made of it.
	Tokens []int32 `json:"tokens"`
	Text   string  `json:"text,omitempty"`
	// The values of each token, [len(Tokens)], of the answers that RolloutOptions.TokenValues has room for; nil of the others, and outside of
	// GRPO. LogProbs and Entropies are the log-probability of the token and the entropy of the distribution that it was drawn from, in nats, both of the policy that
	// sampled and at the rollout's temperature. Ratios are the probability after the step's updates over the one before. Advantages are the
	// tokens' own; nil where each has Advantage.
	LogProbs   TokenValues `json:"logprobs,omitempty"`
	Entropies  TokenValues `json:"entropies,omitempty"`
	Ratios     TokenValues `json:"ratios,omitempty"`
	Advantages TokenValues `json:"advantages,omitempty"`
	// Turns are the reflections that the meter tested; nil of an answer that it did not.
	Turns []TurnTest `json:"turns,omitempty"`

	logProbs []float32 // the engine's, [len(Tokens)]
	penalty  float64   // what KLInReward takes from the reward
}

// group is the answers to one problem.
type group struct {
	problem   *Problem
	samples   []Sample
	resampled bool
}

// rewards are the total rewards of the judged answers, in their order.
func (g *group) rewards() []float64 {
	var rewards []float64
	for i := range g.samples {
		if g.samples[i].Verdict != CannotJudge {
			rewards = append(rewards, g.samples[i].Reward.Total())
		}
	}
	return rewards
}

// rewardLengths adds the weighted reward of their length to the judged answers.
func (g *group) rewardLengths(weight float64) {
	shortest, longest := math.MaxInt, 0
	judged := func(f func(s *Sample)) {
		for i := range g.samples {
			if g.samples[i].Verdict != CannotJudge {
				f(&g.samples[i])
			}
		}
	}
	judged(func(s *Sample) { shortest, longest = min(shortest, len(s.Tokens)), max(longest, len(s.Tokens)) })
	judged(func(s *Sample) {
		s.Other += weight * lengthReward(s.Verdict == Right, len(s.Tokens), shortest, longest)
	})
}

// setAdvantages gives each judged answer its advantage, from the rewards less the penalties.
func (g *group) setAdvantages(kind string) {
	rewards := g.rewards()
	at := 0
	for i := range g.samples {
		if g.samples[i].Verdict != CannotJudge {
			rewards[at] -= g.samples[i].penalty
			at++
		}
	}
	advantages := groupAdvantages(kind, rewards)
	for i := range g.samples {
		if g.samples[i].Verdict == CannotJudge {
			continue
		}
		g.samples[i].Advantage = advantages[0]
		advantages = advantages[1:]
	}
}
