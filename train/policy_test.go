package train

import (
	"fmt"
	"math"
	"testing"
)

func TestVariantTableIsKnown(t *testing.T) {
	for _, v := range Variants() {
		if advantageFunctions[v.Advantage] == nil || normalizers[v.Normalizer] == nil || klEstimators[v.KL] == nil {
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

// TestPolicyGradient compares dlogp with central differences of the loss as a function of logp,
// for every row of the table, with a KL term added where the row has none, on and off policy.
func TestPolicyGradient(t *testing.T) {
	logProb := []float32{-0.5, -1.25, -0.75, -2, -0.125}
	old := []float32{-0.6, -1.2, -1.5, -1, -0.125}
	reference := []float32{-0.4, -2, -0.7, -1.5, -0.3}
	rows := Variants()
	for _, v := range Variants() {
		v.Name += " with k2"
		v.KL, v.KLWeight = KL2, 0.3
		rows = append(rows, v)
	}
	for _, v := range rows {
		for _, advantage := range []float64{1.3, -0.7} {
			s := PolicySample{LogProb: logProb, Old: old, Reference: reference, Advantage: advantage, TokenWeight: 0.25}
			dlogp := make([]float32, len(logProb))
			v.Loss(dlogp, &s)
			scratch := make([]float32, len(logProb))
			for i := range logProb {
				const h = 1. / 4096 // exact in float32 beside these numbers
				moved := append([]float32(nil), logProb...)
				s.LogProb = moved
				moved[i] = logProb[i] + h
				above := v.Loss(scratch, &s).Loss
				moved[i] = logProb[i] - h
				below := v.Loss(scratch, &s).Loss
				near(t, fmt.Sprintf("%s, A=%v, dlogp[%d]", v.Name, advantage, i), float64(dlogp[i]), (above-below)/(2*h), 1e-5)
			}
		}
	}
}
