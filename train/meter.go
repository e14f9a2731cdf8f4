package train

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/retort-ml/retort/engine"
)

// The metrics of the tested meter.
const (
	MetricRescues       = "rescues_per_1000"
	MetricHarms         = "harms_per_1000"
	MetricIdleTurns     = "idle_turns_per_1000"
	MetricTestedThought = "tested_thought_tokens"
)

// MeterOptions say how reflections are put to the test while a model is trained (see Setup.Reflect). Before each reflection of some of the
// rollouts, and at the end of the thought, the thought is closed and an answer forced, greedily, and the grader judges it: a reflection
// between a wrong and a right answer is a rescue, between a right and a wrong one a harm, and any other is idle. What is
// learned does not depend on it by a single bit.
type MeterOptions struct {
	// Share is the share of the rollouts that are tested; 0 means 0.05, -1 none.
	Share float64 `json:"share" yaml:"share"`
	// AnswerTokens is the most tokens of a forced answer; 0 means 32.
	AnswerTokens int `json:"answer_tokens" yaml:"answer_tokens"`
	// Turns is how many reflections of a rollout are tested at most, the first ones; 0 means 8.
	Turns int `json:"turns" yaml:"turns"`
}

func (o MeterOptions) resolved() MeterOptions {
	setDefault(&o.Share, 0.05)
	setDefault(&o.AnswerTokens, 32)
	setDefault(&o.Turns, 8)
	return o
}

func (o *MeterOptions) validate() error {
	faults := []error{notNegative("meter.answer_tokens", o.AnswerTokens), notNegative("meter.turns", o.Turns)}
	if !(o.Share >= 0 && o.Share <= 1 || o.Share == -1) {
		faults = append(faults, fmt.Errorf("train: meter.share: got %v, want 0 to 1, or -1", o.Share))
	}
	return errors.Join(faults...)
}

// Reflections are the places of an answer at which it turns back.
type Reflections struct {
	// Turns are the numbers of tokens before each reflection, ascending, each above 0 and below Thought.
	Turns []int
	// Thought is the number of tokens of the thought; IsClosed says that it came to its end.
	Thought  int
	IsClosed bool
	// Close are the tokens that close the thought and open the answer.
	Close []int32
}

// TurnTest is what a reflection did, as the meter found it.
type TurnTest struct {
	// At is the number of tokens before the reflection.
	At int `json:"at"`
	// Before and After are the verdicts on the answers forced before it, and before the next one or at the end of the thought.
	Before Verdict `json:"before"`
	After  Verdict `json:"after"`
	// Effect is EffectRescue, EffectHarm or EffectIdle; "" where an answer could not be judged.
	Effect string `json:"effect,omitempty"`
}

// What a reflection does to the answer.
const (
	EffectRescue = "rescue"
	EffectHarm   = "harm"
	EffectIdle   = "idle"
)

// effects are the effects by the verdicts before and after.
var effects = map[[2]Verdict]string{
	{Wrong, Right}: EffectRescue, {Right, Wrong}: EffectHarm, {Wrong, Wrong}: EffectIdle, {Right, Right}: EffectIdle,
}

// streamMeter separates the choice of rollouts to test from other random numbers of the same seed.
const streamMeter = 0x6d65746572 // "meter"

// probe is a place at which an answer is forced.
type probe struct {
	problem *Problem
	sample  *Sample
	tokens  []int32 // of the sample before the place, and those that close
	at      int
	verdict Verdict
}

// meterCounts are what the meter found in a step.
type meterCounts struct {
	thought int            // tokens of the tested thoughts
	effects map[string]int // nil: there is no meter
	took    time.Duration
}

// isTested draws whether the meter tests an answer: a function of the seed and the answer's number in the run, so that there is no state.
func (r *grpo) isTested(s *Sample) bool {
	number := s.Request*uint64(r.options.Rollout.Group) + uint64(s.Index)
	return rand.New(rand.NewPCG(r.options.Rollout.Seed, streamMeter^number<<20)).Float64() < r.options.Meter.Share
}

// testReflections forces answers at the reflections of some of the step's answers, and writes what they did into the samples.
func (r *grpo) testReflections(ctx context.Context, groups []group) (meterCounts, error) {
	if r.setup.Reflect == nil || r.options.Meter.Share <= 0 {
		return meterCounts{}, nil
	}
	begin := time.Now()
	counts := meterCounts{effects: map[string]int{}}
	var probes []probe
	for i := range groups {
		for j := range groups[i].samples {
			s := &groups[i].samples[j]
			if !r.isTested(s) {
				continue
			}
			found := r.setup.Reflect(groups[i].problem, s.Tokens, s.Text)
			if err := found.check(len(s.Tokens)); err != nil {
				return counts, err
			}
			counts.thought += r.tested(&found)
			probes = append(probes, r.probesOf(groups[i].problem, s, &found)...)
		}
	}
	err := r.forceAnswers(ctx, probes)
	for i := range probes {
		// The last place of an answer has no reflection behind it.
		if i+1 == len(probes) || probes[i+1].sample != probes[i].sample {
			continue
		}
		before, after := &probes[i], &probes[i+1]
		t := TurnTest{At: before.at, Before: before.verdict, After: after.verdict, Effect: effects[[2]Verdict{before.verdict, after.verdict}]}
		before.sample.Turns = append(before.sample.Turns, t)
		counts.effects[t.Effect]++
	}
	counts.took = time.Since(begin)
	return counts, err
}

// check reports whether the reflections of an answer of n tokens are in order.
func (f *Reflections) check(n int) error {
	last := 0
	for _, at := range f.Turns {
		if at <= last || at >= f.Thought {
			return fmt.Errorf("train: reflections: got places %v in a thought of %d tokens, want them ascending and within", f.Turns, f.Thought)
		}
		last = at
	}
	if f.Thought < 0 || f.Thought > n || len(f.Close) == 0 {
		return fmt.Errorf("train: reflections: got a thought of %d tokens in an answer of %d, and %d tokens that close it, want at most as many, and some", f.Thought, n, len(f.Close))
	}
	return nil
}

// tested is the number of tokens of the thought whose reflections are tested.
func (r *grpo) tested(f *Reflections) int {
	if most := r.options.Meter.Turns; len(f.Turns) > most {
		return f.Turns[most]
	}
	return f.Thought
}

// probesOf are the places at which answers are forced in one sample: none if it has no reflection. A thought that was cut has no answer at its end.
func (r *grpo) probesOf(p *Problem, s *Sample, f *Reflections) []probe {
	if len(f.Turns) == 0 {
		return nil
	}
	places := f.Turns
	if most := r.options.Meter.Turns; len(places) > most {
		places = places[:most+1] // the answer before one reflection more is that after the last
	} else if f.IsClosed {
		places = append(slices.Clone(places), f.Thought)
	}
	var probes []probe
	for _, at := range places {
		tokens := append(append(make([]int32, 0, at+len(f.Close)), s.Tokens[:at]...), f.Close...)
		if len(p.Prompt)+len(tokens) >= r.setup.Model.Config().MaxPositions {
			break
		}
		probes = append(probes, probe{problem: p, sample: s, tokens: tokens, at: at})
	}
	return probes
}

// forceAnswers has the answers said and judged. The beginnings that probes share with each other, and with the rollout, are evaluated once
// where the engine still has them.
func (r *grpo) forceAnswers(ctx context.Context, probes []probe) error {
	if len(probes) == 0 {
		return nil
	}
	requests := make([]engine.Request, len(probes))
	for i := range probes {
		p := &probes[i]
		prompt := append(append(make([]int32, 0, len(p.problem.Prompt)+len(p.tokens)), p.problem.Prompt...), p.tokens...)
		requests[i] = engine.Request{Prompt: prompt, Stop: r.sampler.options.Stop, MaxTokens: min(r.options.Meter.AnswerTokens, r.setup.Model.Config().MaxPositions-len(prompt)), Samples: 1}
	}
	results, err := r.rollouter.Generate(ctx, requests)
	if err != nil {
		return err
	}
	if len(results) != len(probes) {
		return fmt.Errorf("train: meter: got %d answers, want %d", len(results), len(probes))
	}
	for i := range probes {
		p := &probes[i]
		tokens, text := append(p.tokens, results[i].Tokens...), ""
		if r.setup.Decode != nil {
			text = r.setup.Decode(tokens)
		}
		reward := r.grade(p.problem, tokens, text)
		p.verdict = reward.Verdict
	}
	return nil
}

// appendTo adds the meter's metrics; the rates are of the step's tested thoughts, and left out where there is none.
func (c *meterCounts) appendTo(v *values) {
	if c.effects == nil {
		return
	}
	v.add(MetricTestedThought, float64(c.thought))
	for _, rate := range []struct{ name, effect string }{{MetricRescues, EffectRescue}, {MetricHarms, EffectHarm}, {MetricIdleTurns, EffectIdle}} {
		v.addRatio(rate.name, 1000*float64(c.effects[rate.effect]), float64(c.thought))
	}
}
