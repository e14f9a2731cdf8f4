package train

import (
	"math"
	"strings"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestLearningRateAt(t *testing.T) {
	for _, c := range []struct {
		schedule string
		warmup   int
		final    float64
		want     []float64 // of a run of 5 steps with peak 1
	}{
		{ScheduleConstant, 0, 0, []float64{1, 1, 1, 1, 1}},
		{ScheduleConstant, 2, 0, []float64{0.5, 1, 1, 1, 1}},
		{ScheduleLinear, 0, -1, []float64{1, 0.75, 0.5, 0.25, 0}},
		{ScheduleLinear, 2, 0.5, []float64{0.5, 1, 1, 0.75, 0.5}},
		{ScheduleCosine, 0, 0.1, []float64{1, 0.1 + 0.9*(1+math.Sqrt2/2)/2, 0.55, 0.1 + 0.9*(1-math.Sqrt2/2)/2, 0.1}},
		{ScheduleCosine, 9, 0.1, []float64{1. / 9, 2. / 9, 3. / 9, 4. / 9, 5. / 9}},
	} {
		o := OptimizerOptions{LearningRate: 1, Schedule: c.schedule, WarmupSteps: c.warmup, FinalRatio: c.final}
		for step, want := range c.want {
			near(t, c.schedule, o.learningRateAt(step, len(c.want)), want, 1e-12)
		}
	}
}

func TestOptimizerDefaultsAndFaults(t *testing.T) {
	o := OptimizerOptions{ClipNorm: -1}.resolved(3e-6, ScheduleConstant)
	if o.LearningRate != 3e-6 || o.Schedule != ScheduleConstant || o.Beta2 != 0.95 || o.FinalRatio != 0.1 {
		t.Errorf("defaults are %+v", o)
	}
	if a := o.adamW(2, 7); a.ClipNorm != 0 || a.Step != 7 || a.LearningRate != 2 || a.Beta1 != 0.9 {
		t.Errorf("adamW gives %+v", a)
	}
	bad := OptimizerOptions{LearningRate: math.NaN(), Schedule: "cosin", Beta1: 1, FinalRatio: -0.5}
	err := bad.Validate()
	for _, want := range []string{"learning_rate: got NaN", "schedule: got cosin", "beta1: got 1", "final_ratio: got -0.5"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate says %v, want it to contain %q", err, want)
		}
	}
	if err := o.Validate(); err != nil {
		t.Errorf("resolved defaults: %v", err)
	}
}

// TestWSDByHand is a run of eleven steps at peak 1, whose decay goes over the last four intervals of ten.
func TestWSDByHand(t *testing.T) {
	for shape, want := range map[string][4]float64{
		"linear":      {0.775, 0.55, 0.325, 0.1},
		"sqrt":        {0.55, 0.1 + 0.9*(1-math.Sqrt(0.5)), 0.1 + 0.9*(1-math.Sqrt(0.75)), 0.1},
		"cosine":      {0.1 + 0.9*(1+math.Sqrt2/2)/2, 0.55, 0.1 + 0.9*(1-math.Sqrt2/2)/2, 0.1},
		"exponential": {math.Pow(0.1, 0.25), math.Pow(0.1, 0.5), math.Pow(0.1, 0.75), 0.1},
	} {
		o := OptimizerOptions{Schedule: ScheduleWSD, LearningRate: 1, DecayShare: 0.4, DecayShape: shape}.resolved(0, "")
		for step := range 11 {
			expected := 1.0
			if step > 6 {
				expected = want[step-7]
			}
			near(t, shape, o.learningRateAt(step, 11), expected, 1e-12)
		}
	}
	o := OptimizerOptions{Schedule: ScheduleWSD, LearningRate: 1, WarmupSteps: 2, FinalRatio: -1}.resolved(0, "")
	near(t, "warmup", o.learningRateAt(0, 13), 0.5, 0)
	near(t, "after warmup", o.learningRateAt(2, 13), 1, 0)
	near(t, "stable", o.learningRateAt(10, 13), 1, 0)
	near(t, "decay", o.learningRateAt(11, 13), 1-math.Sqrt(0.5), 1e-12)
	near(t, "end", o.learningRateAt(12, 13), 0, 1e-12)
	bad := OptimizerOptions{DecayShape: "exponential", FinalRatio: -1, DecayShare: 2}
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "decay_shape") || !strings.Contains(err.Error(), "decay_share") {
		t.Errorf("Validate says %v", err)
	}
}
