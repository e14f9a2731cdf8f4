package train

import "math"

// PolicySample is what a policy loss reads of one sampled answer of n tokens. The slices are only
// read.
type PolicySample struct {
	// LogProb is the log-probability of each token under the weights being trained, [n].
	LogProb []float32
	// Old is the same under the weights that sampled the answer, [n].
	Old []float32
	// Reference is the same under the reference weights, [n]; nil if the loss has no KL term.
	Reference []float32
	// Advantage is the answer's advantage, Advantages that of each token in its place, [n] or nil.
	Advantage  float64
	Advantages []float64
	// TokenWeight is the weight of one token of this answer in the batch's loss (1/tokens).
	TokenWeight float64
}

// PolicyTerms are the parts of a policy loss summed over the tokens of one answer.
type PolicyTerms struct {
	// Loss is the answer's share of the batch's loss.
	Loss float64
	// KL is the sum over tokens of the estimate of KL(policy || reference), in nats, unweighted.
	KL float64
	// OldKL is the sum over tokens of the k3 estimate of KL(old || policy), in nats.
	OldKL float64
	// Clipped counts the tokens whose ratio was clipped: they carry no policy gradient, or, under
	// SurrogateWeight, one of bounded weight.
	Clipped int
	// Tokens is n.
	Tokens int
}

func (t *PolicyTerms) add(other PolicyTerms) {
	t.Loss += other.Loss
	t.KL += other.KL
	t.OldKL += other.OldKL
	t.Clipped += other.Clipped
	t.Tokens += other.Tokens
}

func clippedSurrogate(_, ratio, clip, advantage float64) (loss, derivative float64, clipped bool) {
	if clip*advantage < ratio*advantage {
		return -clip * advantage, 0, true
	}
	return -ratio * advantage, -ratio * advantage, false
}

// surrogates return a token's loss and its derivative by the token's log-probability, and whether
// the ratio was clipped. clip holds the ratio between the variant's bounds.
var surrogates = map[string]func(logProb, ratio, clip, advantage float64) (loss, derivative float64, clipped bool){
	"":            clippedSurrogate,
	SurrogateClip: clippedSurrogate,
	SurrogateWeight: func(logProb, ratio, clip, advantage float64) (loss, derivative float64, clipped bool) {
		return -clip * advantage * logProb, -clip * advantage, clip != ratio
	},
	SurrogateLogProb: func(logProb, ratio, clip, advantage float64) (loss, derivative float64, clipped bool) {
		return -advantage * logProb, -advantage, false
	},
}

// Loss writes dLoss/dlogp of each token to dlogp [n] and returns the terms of
//
//	sum over tokens t of  TokenWeight * ( surrogate(rho_t, A_t) + KLWeight kl_t )
//
// with the variant's surrogate and, where KLPlace is KLInLoss, its KL term (DeepSeekMath, arXiv
// 2402.03300, equation 3). rho_t is exp(logp-old) of the token or, for RatioSequence, of the
// answer's mean; the derivative of the latter by each token's logp is rho/n, and n tokens share it,
// so that both levels have the same dlogp = -TokenWeight * rho_t * A where PPO's ratio is not clipped.
func (v *Variant) Loss(dlogp []float32, s *PolicySample) PolicyTerms {
	terms := PolicyTerms{Tokens: len(s.LogProb)}
	useReference := v.hasKLInLoss()
	estimate, surrogate := klEstimators[v.KL], surrogates[v.Surrogate]
	meanLogRatio := 0.0
	if v.Ratio == RatioSequence {
		for t, logProb := range s.LogProb {
			meanLogRatio += float64(logProb) - float64(s.Old[t])
		}
		meanLogRatio /= float64(len(s.LogProb))
	}
	advantage := s.Advantage
	for t := range s.LogProb {
		logProb := float64(s.LogProb[t])
		logRatio := logProb - float64(s.Old[t])
		// The k3 estimate, for a token that the old policy sampled.
		terms.OldKL += math.Exp(math.Min(logRatio, maxLogRatio)) - 1 - logRatio
		if v.Ratio == RatioSequence {
			logRatio = meanLogRatio
		}
		if s.Advantages != nil {
			advantage = s.Advantages[t]
		}
		ratio := math.Exp(math.Min(logRatio, maxLogRatio))
		clip := math.Max(1-v.ClipLow, math.Min(ratio, 1+v.ClipHigh))
		loss, derivative, isClipped := surrogate(logProb, ratio, clip, advantage)
		if isClipped {
			terms.Clipped++
		}
		if useReference {
			kl, dkl := estimate(logProb, float64(s.Reference[t]))
			terms.KL += kl
			loss += v.KLWeight * kl
			derivative += v.KLWeight * dkl
		}
		terms.Loss += s.TokenWeight * loss
		dlogp[t] = float32(s.TokenWeight * derivative)
	}
	return terms
}
