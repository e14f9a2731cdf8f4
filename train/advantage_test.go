package train

import (
	"math"
	"slices"
	"testing"
)

func TestGroupAdvantages(t *testing.T) {
	root := math.Sqrt(0.1875) // of rewards 1 0 0 0: mean 1/4, population variance 3/16
	for _, c := range []struct {
		kind          string
		rewards, want []float64
	}{
		{AdvantageGroupStd, []float64{1, 0, 0, 0}, []float64{0.75 / root, -0.25 / root, -0.25 / root, -0.25 / root}},
		{AdvantageGroupMean, []float64{1, 0, 0, 0}, []float64{0.75, -0.25, -0.25, -0.25}},
		{AdvantageLeaveOneOut, []float64{1, 0, 0, 0.5}, []float64{1 - 0.5/3, -0.5, -0.5, 0.5 - 1./3}},
		{AdvantageLeaveOneOut, []float64{0.1, 0.1, 0.1}, []float64{0, 0, 0}},
		{AdvantageReward, []float64{0.1, 0.1, 0.1}, []float64{0.1, 0.1, 0.1}},
		{AdvantageReward, []float64{5}, []float64{5}},
		{AdvantageGroupStd, []float64{0.1, 0.1, 0.1}, []float64{0, 0, 0}},
		{AdvantageGroupMean, []float64{0.1, 0.1, 0.1}, []float64{0, 0, 0}},
		{AdvantageGroupStd, []float64{5}, []float64{0}},
		{AdvantageGroupStd, nil, []float64{}},
	} {
		got := groupAdvantages(c.kind, c.rewards)
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
			t.Errorf("%s of %v: got %v, want %v", c.kind, c.rewards, got, c.want)
		}
	}
}

func TestUnjudgedAnswersHaveNoPartInAdvantages(t *testing.T) {
	g := group{samples: []Sample{
		{Reward: Reward{Verdict: Right, Accuracy: 1}},
		{Reward: Reward{Verdict: CannotJudge}},
		{Reward: Reward{Verdict: Wrong}},
	}}
	g.setAdvantages(AdvantageGroupMean)
	for i, want := range []float64{0.5, 0, -0.5} {
		if got := g.samples[i].Advantage; got != want {
			t.Errorf("advantage %d: got %v, want %v", i, got, want)
		}
	}
}
