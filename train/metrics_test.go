package train

import (
	"math"
	"testing"

	"github.com/retort-ml/retort/runstore"
)

func wantValues(t *testing.T, got []runstore.Value, want map[string]float64) {
	t.Helper()
	for name, w := range want {
		g, ok := find(got, name)
		if !ok || !(math.Abs(g-w) <= 1e-6) {
			t.Errorf("%s: got %v (present: %v), want %v", name, g, ok, w)
		}
	}
	for _, v := range got {
		if _, ok := want[v.Name]; !ok {
			t.Errorf("%s: got %v, want it left out", v.Name, v.Number)
		}
	}
}

func TestMetricsTable(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Metrics() {
		if m.Name == "" || m.Formula == "" || seen[m.Name] {
			t.Errorf("metric %+v has no name or formula, or stands twice", m)
		}
		seen[m.Name] = true
	}
	for _, name := range watched {
		if !seen[name] {
			t.Errorf("the watchdog watches %s, which is not in the table", name)
		}
	}
}

func handMadeSample(verdict Verdict, formed bool, reward float64, length int) Sample {
	return Sample{Reward: Reward{Verdict: verdict, WellFormed: formed, Accuracy: reward}, Tokens: make([]int32, length)}
}

func TestRolloutMetricsByHand(t *testing.T) {
	truncated := handMadeSample(Wrong, false, 0, 10)
	truncated.Truncated, truncated.Masked = true, true
	groups := []group{
		{samples: []Sample{handMadeSample(Right, true, 1, 4), handMadeSample(Wrong, true, 0, 6)}},
		{samples: []Sample{handMadeSample(Right, true, 1, 2), truncated}},
		{resampled: true, samples: []Sample{handMadeSample(Wrong, false, 0, 5), handMadeSample(Wrong, true, 0, 7)}},
		{samples: []Sample{handMadeSample(Right, true, 1, 9), handMadeSample(CannotJudge, false, 0, 3)}},
	}
	var v values
	appendRollout(&v, groups, true)
	appendGroups(&v, groups, false)
	wantValues(t, v, map[string]float64{
		MetricSampledTokens:   46,
		MetricRewardMean:      3. / 7,
		MetricRewardStd:       math.Sqrt(12.) / 7,
		MetricAccuracy:        3. / 7,
		MetricFormatRate:      5. / 7,
		MetricAllEqualGroups:  2. / 4, // the resampled one and the one with a single judged answer
		MetricResampledGroups: 1,
		MetricTruncationRate:  1. / 8,
		MetricUnjudgedRate:    1. / 8,
		MetricMaskedRate:      1. / 8,
		MetricLengthMean:      46. / 8,
		MetricLengthRight:     (4 + 2 + 9) / 3.,
		MetricLengthWrong:     (6 + 10 + 5 + 7) / 4.,
	})
}

func TestRolloutMetricsWithoutAnyJudgedAnswer(t *testing.T) {
	var v values
	groups := []group{{samples: []Sample{handMadeSample(CannotJudge, false, 0, 3)}}}
	appendRollout(&v, groups, true)
	wantValues(t, v, map[string]float64{
		MetricSampledTokens: 3, MetricTruncationRate: 0, MetricUnjudgedRate: 1, MetricMaskedRate: 0, MetricLengthMean: 3,
	})
	var ungraded values
	appendRollout(&ungraded, groups, false)
	wantValues(t, ungraded, map[string]float64{
		MetricSampledTokens: 3, MetricTruncationRate: 0, MetricMaskedRate: 0, MetricLengthMean: 3,
	})
}

func TestUpdateMetricsByHand(t *testing.T) {
	s := updateStats{loss: 0.6, updates: 2, normSum: 5, tokens: 3}
	s.addEntropy([]float32{1, 2})
	s.addEntropy([]float32{3})
	s.addGap([]float32{-1, -2}, []float32{-1, -2.5})
	s.addGap([]float32{-1}, []float32{-1.25})
	s.policy.add(PolicyTerms{KL: 0.5, OldKL: 0.25, Clipped: 1, Tokens: 2})
	s.policy.add(PolicyTerms{KL: 0.5, OldKL: 0.125, Clipped: 0, Tokens: 1})
	var v values
	s.appendTo(&v, 0.125)
	s.appendPolicy(&v, &Variant{KL: KL3, KLWeight: 0.1}, 0)
	s.appendGap(&v)
	wantValues(t, v, map[string]float64{
		MetricLoss: 0.3, MetricEntropy: 2, MetricGradientNorm: 2.5, MetricLearningRate: 0.125, MetricTokens: 3,
		MetricKL: 1. / 3, MetricPolicyKL: 0.125, MetricClipFraction: 1. / 3, MetricLogProbGap: 0.5,
	})
	var without values
	s.appendPolicy(&without, &Variant{KL: KL3}, 0)
	if _, ok := find(without, MetricKL); ok {
		t.Error("kl is recorded without a KL term")
	}
}

func TestGapOfNaNIsInfinite(t *testing.T) {
	var s updateStats
	s.addGap([]float32{float32(math.NaN()), -1}, []float32{-1, -1})
	if !math.IsInf(s.gap, 1) {
		t.Errorf("gap is %v, want +Inf", s.gap)
	}
}
