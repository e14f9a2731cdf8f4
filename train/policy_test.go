package train

import (
	"fmt"
	"math"
	"testing"
)

func TestVariantTableIsKnown(t *testing.T) {
	for _, v := range Variants() {
		if advantageFunctions[v.Advantage] == nil || normalizers[v.Normalizer] == nil || klEstimators[v.KL] == nil || surrogates[v.Surrogate] == nil {
			t.Errorf("%s names a value that no table holds: %+v", v.Name, v)
		}
		if v.Ratio != RatioToken && v.Ratio != RatioSequence || v.Source == "" {
			t.Errorf("%s: %+v", v.Name, v)
		}
	}
	if _, err := FindVariant("ppo"); err == nil {
		t.Error("FindVariant found ppo")
	}
}

func TestNormalizers(t *testing.T) {
	lengths, groups := []int{2, 6, 4}, []int{0, 0, 1}
	for kind, want := range map[string][]float64{
		NormalizeSequence:    {1. / 6, 1. / 18, 1. / 12},
		NormalizeConstant:    {1. / 30, 1. / 30, 1. / 30},
		NormalizeAnswers:     {1. / 3, 1. / 3, 1. / 3},
		NormalizeTokens:      {1. / 12, 1. / 12, 1. / 12},
		NormalizeGroupTokens: {1. / 16, 1. / 16, 1. / 8},
	} {
		for i, got := range normalizers[kind](lengths, groups, 10) {
			near(t, fmt.Sprintf("%s[%d]", kind, i), got, want[i], 1e-15)
		}
	}
}

// TestPolicyLossByHand has one token whose ratio is exactly representable: e^0 or a doubling.
func TestPolicyLossByHand(t *testing.T) {
	double := float32(math.Ln2)
	ratio := math.Exp(float64(double)) // 2 up to the rounding of ln 2
	for _, c := range []struct {
		name                   string
		logRatio               float32
		advantage              float64
		clipLow, clipHigh      float64
		wantLoss, wantDLogProb float64
		wantClipped            int
	}{
		{"on policy", 0, 1.5, 0.2, 0.2, -1.5, -1.5, 0},
		{"on policy, worse than its group", 0, -1.5, 0.2, 0.2, 1.5, 1.5, 0},
		{"good and already likelier", double, 1, 0.2, 0.2, -1.2, 0, 1},
		{"good and already likelier, clip higher", double, 1, 0.2, 0.28, -1.28, 0, 1},
		{"good and likelier, clip 10", double, 1, 10, 10, -ratio, -ratio, 0},
		{"bad and likelier is never clipped", double, -1, 0.2, 0.2, ratio, ratio, 0},
		{"bad and already unlikelier", -double, -1, 0.2, 0.2, 0.8, 0, 1},
		{"good and unlikelier is never clipped", -double, 1, 0.2, 0.2, -1 / ratio, -1 / ratio, 0},
	} {
		for _, level := range []string{RatioToken, RatioSequence} {
			v := Variant{Ratio: level, ClipLow: c.clipLow, ClipHigh: c.clipHigh, KL: KLNone}
			var dlogp [1]float32
			terms := v.Loss(dlogp[:], &PolicySample{
				LogProb: []float32{-1 + c.logRatio}, Old: []float32{-1}, Advantage: c.advantage, TokenWeight: 0.5,
			})
			near(t, c.name+": loss", terms.Loss, 0.5*c.wantLoss, 1e-6)
			near(t, c.name+": dlogp", float64(dlogp[0]), 0.5*c.wantDLogProb, 1e-6)
			if terms.Clipped != c.wantClipped || terms.Tokens != 1 {
				t.Errorf("%s: %d of %d tokens clipped, want %d of 1", c.name, terms.Clipped, terms.Tokens, c.wantClipped)
			}
		}
	}
}

func TestKLEstimatorsByHand(t *testing.T) {
	// The reference gives the token twice the policy's probability: log(policy/reference) = -ln 2.
	for kind, want := range map[string][2]float64{
		KLNone: {0, 0},
		KL1:    {-math.Ln2, 1},
		KL2:    {math.Ln2 * math.Ln2 / 2, -math.Ln2},
		KL3:    {2 - 1 - math.Ln2, 1 - 2},
	} {
		value, derivative := klEstimators[kind](-1, -1+math.Ln2)
		near(t, kind, value, want[0], 1e-12)
		near(t, kind+" derivative", derivative, want[1], 1e-12)
	}
	if value, derivative := klEstimators[KL3](-1000, 0); math.IsInf(value, 0) || math.IsInf(derivative, 0) {
		t.Errorf("k3 far from the reference is %v, derivative %v: want finite numbers", value, derivative)
	}
}

// TestOtherSurrogatesByHand: a token that is twice as likely as when it was sampled, at logp -1.
func TestOtherSurrogatesByHand(t *testing.T) {
	double := math.Exp(float64(float32(math.Ln2)))
	for _, c := range []struct {
		surrogate              string
		advantage, clipHigh    float64
		wantLoss, wantDLogProb float64
		wantClipped            int
	}{
		{SurrogateWeight, 1.5, 4, 1.5 * double, -1.5 * double, 0},
		{SurrogateWeight, 1.5, 0.5, 1.5 * 1.5, -1.5 * 1.5, 1},
		{SurrogateWeight, -1.5, 0.5, -1.5 * 1.5, 1.5 * 1.5, 1},
		{SurrogateLogProb, 1.5, 0, 1.5, -1.5, 0},
		{SurrogateLogProb, -2, 0, -2, 2, 0},
	} {
		v := Variant{Surrogate: c.surrogate, Ratio: RatioToken, ClipLow: 1, ClipHigh: c.clipHigh, KL: KLNone}
		var dlogp [1]float32
		terms := v.Loss(dlogp[:], &PolicySample{
			LogProb: []float32{-1}, Old: []float32{-1 - float32(math.Ln2)}, Advantage: c.advantage, TokenWeight: 0.5,
		})
		near(t, c.surrogate+": loss", terms.Loss, 0.5*c.wantLoss, 1e-6)
		near(t, c.surrogate+": dlogp", float64(dlogp[0]), 0.5*c.wantDLogProb, 1e-6)
		if terms.Clipped != c.wantClipped {
			t.Errorf("%s with advantage %v: %d clipped, want %d", c.surrogate, c.advantage, terms.Clipped, c.wantClipped)
		}
	}
}

func TestEachTokenMayHaveItsAdvantage(t *testing.T) {
	v := Variant{Ratio: RatioToken, ClipLow: 0.2, ClipHigh: 0.2, KL: KLNone}
	dlogp := make([]float32, 2)
	v.Loss(dlogp, &PolicySample{LogProb: []float32{-1, -2}, Old: []float32{-1, -2}, Advantage: 9, Advantages: []float64{1, -0.5}, TokenWeight: 1})
	if dlogp[0] != -1 || dlogp[1] != 0.5 {
		t.Errorf("dlogp is %v, want -1 and 0.5", dlogp)
	}
}

// TestWhitenByHand: two answers of 1 and 3 tokens with advantages 1 and 0 have mean 1/4 over the
// tokens and variance 3/16.
func TestWhitenByHand(t *testing.T) {
	root := math.Sqrt(3. / 16)
	answers := []answer{
		{sample: &Sample{Advantage: 1, Tokens: make([]int32, 1)}},
		{sample: &Sample{Tokens: make([]int32, 3)}, advantages: []float64{0, 0, 0}},
	}
	whiten(answers)
	near(t, "first", answers[0].sample.Advantage, 0.75/root, 1e-12)
	for _, got := range answers[1].advantages {
		near(t, "second", got, -0.25/root, 1e-12)
	}
	near(t, "second's mean", answers[1].sample.Advantage, -0.25/root, 1e-12)
	equal := []answer{{sample: &Sample{Advantage: 0.1, Tokens: make([]int32, 3)}}}
	whiten(equal)
	if equal[0].sample.Advantage != 0 || equal[0].hasGradient() {
		t.Errorf("equal advantages became %v, want 0", equal[0].sample.Advantage)
	}
}
