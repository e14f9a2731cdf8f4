package train

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/retort-ml/retort/runstore"
)

// story feeds a watchdog one metric per step beside those that never change, and returns the
// findings.
func story(w *Watchdog, name string, series []float64, beside ...runstore.Value) (found []Finding) {
	for i, x := range series {
		found = append(found, w.Check(i+1, append([]runstore.Value{{Name: name, Number: x}}, beside...))...)
	}
	return found
}

func TestWatchdogRules(t *testing.T) {
	rollout := runstore.Value{Name: MetricSampledTokens, Number: 100}
	for _, c := range []struct {
		rule, metric string
		series       []float64
		beside       []runstore.Value
		step         int // of the only finding; 0: none
		want         string
	}{
		{"not_finite", MetricLoss, []float64{1, math.NaN()}, nil, 2, "step 2: loss is NaN: lower optimizer.learning_rate"},
		{"not_finite", MetricGradientNorm, []float64{1, math.Inf(1)}, nil, 2, "gradient_norm is +Inf"},
		{"entropy_collapse", MetricEntropy, []float64{2, 2, 2, 2, 2, .1, .1, .1, .1, .1, .1}, []runstore.Value{rollout}, 10, "entropy fell from 2 to 0.1"},
		{"entropy of SFT may fall", MetricEntropy, []float64{2, 2, 2, 2, 2, .1, .1, .1, .1, .1, .1}, nil, 0, ""},
		{"all_equal_groups", MetricAllEqualGroups, []float64{.9, .9, .9, .9, .9}, []runstore.Value{{Name: MetricAccuracy, Number: .02}}, 5, "90 % of the groups have equal rewards and teach nothing (accuracy 2 %): the problems are too hard"},
		{"all_equal_groups", MetricAllEqualGroups, []float64{.9, .9, .9, .9, .9}, []runstore.Value{{Name: MetricAccuracy, Number: .98}}, 5, "too easy"},
		{"one such step is nothing", MetricAllEqualGroups, []float64{.5, .5, .5, .5, .9}, nil, 0, ""},
		{"runaway_length", MetricLengthMean, []float64{50, 50, 50, 50, 50, 200, 200, 200}, []runstore.Value{{Name: MetricTruncationRate, Number: .4}}, 7, "answers grew from 50 to 110 tokens and 40 % of them run out"},
		{"growth alone is what RL does", MetricLengthMean, []float64{50, 50, 50, 50, 50, 200, 200, 200}, []runstore.Value{{Name: MetricTruncationRate, Number: .01}}, 0, ""},
		{"false_verdicts", MetricFalseVerdictRate, []float64{.01, .01, .01, .01, .01, .1, .1, .1}, nil, 8, "false verdicts grew from 1.0 % to 6.4 %"},
		{"kl_jump", MetricKL, []float64{.01, .02, .3}, nil, 3, "jumped from 0.015 to 0.3"},
		{"a small KL is nothing", MetricKL, []float64{.001, .001, .09}, nil, 0, ""},
		{"no_learning", MetricGradientNorm, []float64{1, 0, 0, 0, 0, 0, 0}, nil, 6, "the gradient was exactly 0 for 5 steps"},
		{"no_learning", MetricLearningRate, []float64{0, 0, 0, 0, 0, 0}, nil, 5, "the learning rate was 0 for 5 steps"},
		{"unjudged", MetricUnjudgedRate, []float64{.3, .3, .3, .3, .3}, nil, 5, "30 % of the answers could not be judged"},
		{"logprob_gap", MetricLogProbGap, []float64{0, 1e-6}, nil, 2, "up to 1e-06 nats, want exactly 0"},
		{"loss_is_zero", MetricLoss, []float64{-3e-9, 0.5, 1e-9}, []runstore.Value{{Name: MetricClipFraction}}, 1, "loss is -3.0e-09, which is normal"},
		{"a loss of 0 in SFT is no wonder to explain", MetricLoss, []float64{0}, nil, 0, ""},
	} {
		found := story(NewWatchdog(WatchdogOptions{}), c.metric, c.series, c.beside...)
		switch {
		case c.step == 0 && len(found) > 0:
			t.Errorf("%s: found %+v", c.rule, found)
		case c.step == 0:
		case len(found) != 1 || found[0].Rule != c.rule || found[0].Step != c.step || !strings.Contains(found[0].Message, c.want):
			t.Errorf("%s: found %+v, want one at step %d that says %q", c.rule, found, c.step, c.want)
		case found[0].Fatal != (c.rule == "not_finite"):
			t.Errorf("%s: fatal is %v", c.rule, found[0].Fatal)
		}
	}
}

func TestWatchdogSpeaksAgainAfterRecovery(t *testing.T) {
	w := NewWatchdog(WatchdogOptions{Window: 1})
	found := story(w, MetricUnjudgedRate, []float64{.5, .5, 0, .5})
	if len(found) != 2 || found[0].Step != 1 || found[1].Step != 4 {
		t.Errorf("found %+v, want one at step 1 and one at step 4", found)
	}
}

func TestWatchdogStateSurvivesACheckpoint(t *testing.T) {
	series := []float64{.01, .02, .013, .017, .01, .1 / 3, .02, .1, .3, .9}
	whole := NewWatchdog(WatchdogOptions{})
	want := story(whole, MetricKL, series)
	first := NewWatchdog(WatchdogOptions{})
	got := story(first, MetricKL, series[:7])
	text, err := json.Marshal(first.state)
	if err != nil {
		t.Fatal(err)
	}
	second := NewWatchdog(WatchdogOptions{})
	if err := json.Unmarshal(text, &second.state); err != nil {
		t.Fatal(err)
	}
	for i, x := range series[7:] {
		got = append(got, second.Check(8+i, []runstore.Value{{Name: MetricKL, Number: x}})...)
	}
	if !reflect.DeepEqual(second.state, whole.state) || !reflect.DeepEqual(got, want) || len(want) == 0 {
		t.Errorf("after a checkpoint %+v and %+v, want %+v and %+v", got, second.state, want, whole.state)
	}
}
