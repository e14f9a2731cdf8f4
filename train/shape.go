package train

import "math"

// prepare lists the answers that carry loss, with their advantages: judged, not of a replaced group
// nor of one that dynamic sampling could not replace, and not truncated if the variant masks that.
func (r *grpo) prepare(groups []group) error {
	r.list(groups)
	if r.variant.usesReference() && !r.variant.hasKLInLoss() {
		if err := r.scoreAll(); err != nil {
			return err
		}
	}
	r.compare(groups)
	return nil
}

// compare turns the rewards of the listed answers into advantages.
func (r *grpo) compare(groups []group) {
	r.penalise()
	for i := range groups {
		if !groups[i].resampled {
			groups[i].setAdvantages(r.variant.Advantage)
		}
	}
	r.mask()
	r.spread()
	if r.variant.Whiten {
		whiten(r.answers)
	}
}

// list collects the judged answers of the groups that have a part in the loss.
func (r *grpo) list(groups []group) {
	r.sequences, r.answers = r.sequences[:0], r.answers[:0]
	for i := range groups {
		g := &groups[i]
		if g.resampled || r.variant.ResampleRounds > 0 && allEqual(g.rewards()) {
			continue
		}
		for j := range g.samples {
			s := &g.samples[j]
			if s.Verdict == CannotJudge {
				continue
			}
			r.sequences = append(r.sequences, sequenceOf(g.problem, s))
			r.answers = append(r.answers, answer{sample: s, group: i})
		}
	}
}

// scoreAll scores the listed answers under the reference. Truncated answers are scored, too: their
// group is compared with them.
func (r *grpo) scoreAll() error {
	which := make([]int, len(r.answers))
	for i := range which {
		which[i] = i
	}
	for _, bin := range packSequences(r.sequences, which, r.tokens) {
		fillBatch(&r.batch, r.sequences, bin)
		r.batch.InverseTemperature = r.inverseTemperature()
		if err := r.scoreReference(bin); err != nil {
			return err
		}
	}
	return nil
}

// penalise sets the penalties of whole answers where the reward has a KL term.
func (r *grpo) penalise() {
	r.rewardKL = 0
	if !r.variant.usesReference() || r.variant.hasKLInLoss() {
		return
	}
	tokens, sum := 0, 0.0
	for i := range r.answers {
		a := &r.answers[i]
		kl := 0.0
		for _, k := range r.variant.divergences(a.sample.logProbs, a.reference) {
			kl += k
		}
		if r.variant.KLPlace == KLInReward {
			a.sample.penalty = r.variant.KLWeight * kl
		}
		tokens += len(a.reference)
		sum += kl
	}
	r.rewardKL = sum / float64(max(1, tokens))
}

// divergences are the estimates of KL(policy || reference) at each token, [n].
func (v *Variant) divergences(logProb, reference []float32) []float64 {
	result := make([]float64, len(logProb))
	for t := range result {
		result[t], _ = klEstimators[v.KL](float64(logProb[t]), float64(reference[t]))
	}
	return result
}

// mask takes truncated answers out of the loss if the variant says so.
func (r *grpo) mask() {
	if !r.variant.MaskTruncated {
		return
	}
	kept := 0
	for i := range r.answers {
		if s := r.answers[i].sample; s.Truncated {
			s.Masked = true
			continue
		}
		r.sequences[kept], r.answers[kept] = r.sequences[i], r.answers[i]
		kept++
	}
	r.sequences, r.answers = r.sequences[:kept], r.answers[:kept]
}

// spread gives each token its own advantage where the KL penalty is one of each token:
// A_t = A - KLWeight * sum over s >= t of kl_s (REINFORCE++, arXiv 2501.03262, equation 8).
func (r *grpo) spread() {
	if !r.variant.usesReference() || r.variant.KLPlace != KLInTokenReward {
		return
	}
	for i := range r.answers {
		a := &r.answers[i]
		a.advantages = r.variant.divergences(a.sample.logProbs, a.reference)
		ahead := 0.0
		for t := len(a.advantages) - 1; t >= 0; t-- {
			ahead += a.advantages[t]
			a.advantages[t] = a.sample.Advantage - r.variant.KLWeight*ahead
		}
		a.sample.Advantage, _ = meanStd(a.advantages)
	}
}

// whiten takes from the advantages their mean over all tokens of the answers and divides by their
// population standard deviation (REINFORCE++, arXiv 2501.03262, equation 10). Where all are equal
// they become exactly 0.
func whiten(answers []answer) {
	tokens, sum := 0, 0.0
	lowest, highest := math.Inf(1), math.Inf(-1)
	each := func(f func(advantage float64)) {
		for i := range answers {
			a := &answers[i]
			if a.advantages == nil {
				for range a.sample.Tokens {
					f(a.sample.Advantage)
				}
			}
			for _, advantage := range a.advantages {
				f(advantage)
			}
		}
	}
	each(func(advantage float64) {
		tokens++
		sum += advantage
		lowest, highest = min(lowest, advantage), max(highest, advantage)
	})
	mean, squares := sum/float64(max(1, tokens)), 0.0
	each(func(advantage float64) { squares += (advantage - mean) * (advantage - mean) })
	std := math.Sqrt(squares / float64(max(1, tokens)))
	shape := func(advantage float64) float64 {
		if highest <= lowest || std == 0 {
			return 0
		}
		return (advantage - mean) / std
	}
	for i := range answers {
		a := &answers[i]
		for t, advantage := range a.advantages {
			a.advantages[t] = shape(advantage)
		}
		a.sample.Advantage = shape(a.sample.Advantage)
	}
}

// hasGradient reports whether a token of the answer has an advantage.
func (a *answer) hasGradient() bool {
	if a.advantages == nil {
		return a.sample.Advantage != 0
	}
	for _, advantage := range a.advantages {
		if advantage != 0 {
			return true
		}
	}
	return false
}
