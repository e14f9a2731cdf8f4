package train

import "math"

// The estimators of the divergence KL(policy || reference) at one sampled token
// (Schulman, "Approximating KL divergence", 2020).
const (
	// KLNone leaves the reference out.
	KLNone = "none"
	// KL1 is log(policy/reference): unbiased, of high variance, may be negative.
	KL1 = "k1"
	// KL2 is log(policy/reference)²/2: biased, of low variance, never negative.
	KL2 = "k2"
	// KL3 is reference/policy - 1 - log(reference/policy): unbiased and never negative
	// (DeepSeekMath, arXiv 2402.03300, equation 4).
	KL3 = "k3"
)

// maxLogRatio bounds log(reference/policy) before it is exponentiated: e^20 is already a gradient
// that clipping turns into pure direction, and e^89 would be no float32.
const maxLogRatio = 20

// klEstimators give an estimator's value and its derivative by the policy's log-probability.
var klEstimators = map[string]func(logProb, reference float64) (value, derivative float64){
	KLNone: func(logProb, reference float64) (float64, float64) { return 0, 0 },
	KL1:    func(logProb, reference float64) (float64, float64) { return logProb - reference, 1 },
	KL2: func(logProb, reference float64) (float64, float64) {
		d := logProb - reference
		return d * d / 2, d
	},
	KL3: func(logProb, reference float64) (float64, float64) {
		d := math.Min(reference-logProb, maxLogRatio)
		r := math.Exp(d)
		return r - 1 - d, 1 - r
	},
}
