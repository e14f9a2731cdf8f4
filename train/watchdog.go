package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/retort-ml/retort/runstore"
)

// Finding is what the watchdog noticed: one sentence that says what happened, with numbers, and
// what to change.
type Finding struct {
	// Rule is the name of the rule, for programs.
	Rule string `json:"rule"`
	// Step is the step that showed it, counted from 1.
	Step int `json:"step"`
	// Message is the sentence.
	Message string `json:"message"`
	// Fatal is a finding after which training on is pointless: the run stops before the update.
	Fatal bool `json:"fatal,omitempty"`
}

// WatchdogOptions are the thresholds of the rules. The numbers are ours: they are set so that the
// runs of the lab that learn say nothing.
type WatchdogOptions struct {
	// Window is the number of steps that a "recent" mean and the "first" mean take; 0 means 5.
	Window int `json:"window" yaml:"window"`
	// EntropyShare is how far the recent entropy may fall below the first; 0 means 0.1.
	EntropyShare float64 `json:"entropy_share" yaml:"entropy_share"`
	// AllEqual is the share of all-equal groups that leaves too little to learn from; 0 means 0.8.
	AllEqual float64 `json:"all_equal" yaml:"all_equal"`
	// LengthGrowth is the recent length over the first, Truncation the share of truncated answers,
	// that together are running away; 0 means 2 and 0.3.
	LengthGrowth float64 `json:"length_growth" yaml:"length_growth"`
	Truncation   float64 `json:"truncation" yaml:"truncation"`
	// FalseVerdicts is how much the share of false verdicts may grow over the first; 0 means 0.05.
	FalseVerdicts float64 `json:"false_verdicts" yaml:"false_verdicts"`
	// KLJump is a step's KL over the recent mean, KLFloor the least KL that counts; 0 means 5 and
	// 0.1 nats.
	KLJump  float64 `json:"kl_jump" yaml:"kl_jump"`
	KLFloor float64 `json:"kl_floor" yaml:"kl_floor"`
	// Unjudged is the share of answers that could not be judged; 0 means 0.2.
	Unjudged float64 `json:"unjudged" yaml:"unjudged"`
}

func (o WatchdogOptions) resolved() WatchdogOptions {
	setDefault(&o.Window, 5)
	setDefault(&o.EntropyShare, 0.1)
	setDefault(&o.AllEqual, 0.8)
	setDefault(&o.LengthGrowth, 2)
	setDefault(&o.Truncation, 0.3)
	setDefault(&o.FalseVerdicts, 0.05)
	setDefault(&o.KLJump, 5)
	setDefault(&o.KLFloor, 0.1)
	setDefault(&o.Unjudged, 0.2)
	return o
}

// watched are the metrics whose history the rules need.
var watched = []string{
	MetricEntropy, MetricAllEqualGroups, MetricAccuracy, MetricLengthMean, MetricTruncationRate,
	MetricFalseVerdictRate, MetricKL, MetricGradientNorm, MetricLearningRate, MetricUnjudgedRate,
}

// Watchdog reads each step's metrics and names the silent ways in which training fails. Its
// findings depend on the metrics alone, and its state is part of a checkpoint.
type Watchdog struct {
	options WatchdogOptions
	state   watchdogState
}

// watchdogState holds, for each watched metric, its values in the first Window steps and in the
// last Window steps before the current one, and the rules that hold at present.
type watchdogState struct {
	First  map[string][]float64 `json:"first"`
	Recent map[string][]float64 `json:"recent"`
	Active map[string]bool      `json:"active"`
}

// NewWatchdog returns a watchdog that has seen no step.
func NewWatchdog(o WatchdogOptions) *Watchdog {
	return &Watchdog{options: o.resolved(), state: watchdogState{
		First: map[string][]float64{}, Recent: map[string][]float64{}, Active: map[string]bool{},
	}}
}

// Check folds in the metrics of a step (counted from 1) and returns what is wrong. A finding is
// given once, when its rule begins to hold, and again only if the rule ceased to hold in between.
func (w *Watchdog) Check(step int, metrics []runstore.Value) []Finding {
	if f, bad := notFinite(step, metrics); bad {
		return []Finding{f}
	}
	var findings []Finding
	view := watchdogView{options: &w.options, state: &w.state, metrics: metrics}
	for _, rule := range watchdogRules {
		message := rule.check(&view)
		if message != "" && !w.state.Active[rule.name] {
			findings = append(findings, Finding{Rule: rule.name, Step: step, Message: message})
		}
		if message != "" || !rule.once {
			w.state.Active[rule.name] = message != ""
		}
	}
	for _, name := range watched {
		value, ok := find(metrics, name)
		if !ok {
			continue
		}
		if len(w.state.First[name]) < w.options.Window {
			w.state.First[name] = append(w.state.First[name], value)
		}
		recent := append(w.state.Recent[name], value)
		w.state.Recent[name] = slices.Clone(recent[max(0, len(recent)-w.options.Window):])
	}
	return findings
}

// notFinite is the only fatal rule.
func notFinite(step int, metrics []runstore.Value) (Finding, bool) {
	for _, v := range metrics {
		if !math.IsNaN(v.Number) && !math.IsInf(v.Number, 0) {
			continue
		}
		f := Finding{Rule: "not_finite", Step: step, Fatal: true}
		f.Message = fmt.Sprintf("step %d: %s is %v: lower optimizer.learning_rate or optimizer.clip_norm, or add optimizer.warmup_steps", step, v.Name, v.Number)
		return f, true
	}
	return Finding{}, false
}

// watchdogView is what a rule reads: the current step and the history before it.
type watchdogView struct {
	options *WatchdogOptions
	state   *watchdogState
	metrics []runstore.Value
}

// recent is the mean of a metric over the current step and the Window-1 before it; false until
// there are Window of them.
func (v *watchdogView) recent(name string) (float64, bool) {
	now, ok := find(v.metrics, name)
	if !ok {
		return 0, false
	}
	before := v.state.Recent[name]
	if len(before) < v.options.Window-1 {
		return 0, false
	}
	mean, _ := meanStd(append(slices.Clone(before[len(before)-(v.options.Window-1):]), now))
	return mean, true
}

// first is the mean of a metric over its first Window steps; false until there are so many.
func (v *watchdogView) first(name string) (float64, bool) {
	mean, _ := meanStd(v.state.First[name])
	return mean, len(v.state.First[name]) == v.options.Window
}

// firstAndRecent are both means; false if either is missing.
func (v *watchdogView) firstAndRecent(name string) (first, recent float64, ok bool) {
	first, haveFirst := v.first(name)
	recent, haveRecent := v.recent(name)
	return first, recent, haveFirst && haveRecent
}

// zeroForWindow reports whether a metric is exactly 0 in this step and the Window-1 before it.
func (v *watchdogView) zeroForWindow(name string) bool {
	now, ok := find(v.metrics, name)
	before := v.state.Recent[name]
	if !ok || now != 0 || len(before) < v.options.Window-1 {
		return false
	}
	before = before[len(before)-(v.options.Window-1):]
	return !slices.ContainsFunc(before, func(x float64) bool { return x != 0 })
}

// restore continues from the state of a checkpoint.
func (w *Watchdog) restore(s *watchdogState) {
	if s == nil {
		return
	}
	w.state = *s
	for _, m := range []*map[string][]float64{&w.state.First, &w.state.Recent} {
		if *m == nil {
			*m = map[string][]float64{}
		}
	}
	if w.state.Active == nil {
		w.state.Active = map[string]bool{}
	}
}
