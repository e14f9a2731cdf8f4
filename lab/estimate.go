package lab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// Estimate is what a stage will cost: its work in floating-point operations, which the shapes give,
// and its time, from a measurement of a fraction of a second on this machine.
type Estimate struct {
	Stage   string  `json:"stage"`
	Tokens  float64 `json:"tokens"`  // trained
	Sampled float64 `json:"sampled"` // generated
	FLOPs   float64 `json:"flops"`
	Seconds float64 `json:"seconds"`
}

// Lengths that the estimate assumes: a prompt, and an answer of a model that searches.
const (
	promptLength = 14
	answerLength = 62
)

// speed is tokens per second of one shape.
type speed struct {
	config            model.Config
	trained, sampled  float64
	flopsTrain, flops float64 // per token
}

// announce measures the machine and tells what the lab will cost.
func (l *lab) announce() error {
	s := &l.settings[0]
	base, err := l.measureSpeed(s.Base)
	if err != nil {
		return err
	}
	student, err := l.measureSpeed(s.Student)
	if err != nil {
		return err
	}
	list, err := l.estimates(s, base, student)
	if err != nil {
		return err
	}
	var text strings.Builder
	total := Estimate{Stage: "total"}
	fmt.Fprintf(&text, "%-34s %12s %12s %9s %8s\n", "stage", "trained", "sampled", "GFLOP", "time")
	for _, e := range list {
		total.Tokens += e.Tokens
		total.Sampled += e.Sampled
		total.FLOPs += e.FLOPs
		total.Seconds += e.Seconds
	}
	for _, e := range append(list, total) {
		fmt.Fprintf(&text, "%-34s %12.0f %12.0f %9.0f %7.0fs\n", e.Stage, e.Tokens, e.Sampled, e.FLOPs/1e9, e.Seconds)
	}
	if n := len(l.settings); n > 1 {
		fmt.Fprintf(&text, "times %d seeds: %.0f s\n", n, float64(n)*total.Seconds)
	}
	l.event(Event{Kind: "plan", Title: "What this lab will cost", Text: text.String()})
	return nil
}

// estimates lists the stages of one seed.
func (l *lab) estimates(s *Settings, base, student *speed) ([]Estimate, error) {
	length, err := l.coldStartLength(s)
	if err != nil {
		return nil, err
	}
	const reply = promptLength + answerLength
	sft := func(name string, v *speed, tokens float64) Estimate {
		return Estimate{name, tokens, 0, tokens * v.flopsTrain, tokens / v.trained}
	}
	rl := func(name string, v *speed, answers float64) Estimate {
		return Estimate{name, answers * reply, answers * answerLength, answers * (reply*v.flopsTrain + answerLength*v.flops),
			answers * (reply/v.trained + answerLength/v.sampled)}
	}
	ask := func(name string, v *speed, answers float64) Estimate {
		return Estimate{name, 0, answers * answerLength, answers * answerLength * v.flops, answers * answerLength / v.sampled}
	}
	answers := func(steps, problems, group int) float64 { return float64(steps * problems * group) }
	grpo := s.Reinforce.Rollout
	traces := float64(s.Traces.Problems * s.Traces.Samples)
	const rightShare = 0.5
	e := s.Evaluation
	list := []Estimate{
		sft("cold start of the base", base, float64(s.BaseStart.Examples)*length),
		sft("cold start of the weak student", student, float64(s.StudentStart.Examples)*length),
		rl("GRPO on the base", base, answers(s.Reinforce.Steps, grpo.Problems, grpo.Group)),
		ask("the teacher's traces", base, traces),
		sft("distilled student", student, rightShare*traces*reply*float64(s.Distill.Epochs)),
		rl("RL-only controls", student, float64(len(s.ControlRates))*answers(s.Control.Steps, s.Control.Rollout.Problems, s.Control.Rollout.Group)),
		rl("on-policy distillation", student, answers(s.OnPolicy.Steps, s.OnPolicy.Rollout.Problems, max(1, s.OnPolicy.Rollout.Group))),
		rl("GRPO after distillation", student, answers(s.After.Steps, s.After.Rollout.Problems, s.After.Rollout.Group)),
		ask("evaluation, base's shape", base, float64(e.Problems*(e.BaseSamples+e.Samples))),
		ask("evaluation, student's shape", student, float64(5*e.Problems*e.Samples)),
	}
	if s.Size == Full {
		list = append(list,
			sft("student of the teacher's size", base, rightShare*traces*reply*float64(s.Distill.Epochs)),
			rl("GRPO with a price on untruth", base, answers(s.Reinforce.Steps, grpo.Problems, grpo.Group)),
			sft("cold start without reflection", base, float64(s.BaseStart.Examples)*length),
			rl("GRPO without reflection", base, answers(s.Reinforce.Steps, grpo.Problems, grpo.Group)),
			ask("evaluation of the controls", base, float64(4*e.Problems*e.Samples)))
	}
	return list, nil
}

// coldStartLength is the mean length of the first texts of a cold start.
func (l *lab) coldStartLength(s *Settings) (float64, error) {
	start := s.BaseStart
	start.Examples = 200
	r := &seedRun{lab: l, settings: s}
	examples, err := r.coldStartExamples(&start)
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range examples {
		n += len(examples[i].Tokens)
	}
	return float64(n) / float64(len(examples)), nil
}

// measureSpeed runs a model of the shape for a moment.
func (l *lab) measureSpeed(c model.Config) (*speed, error) {
	m, err := model.New(c, 1)
	if err != nil {
		return nil, err
	}
	v := &speed{config: c, flops: c.FLOPsPerToken(answerLength / 2)}
	v.flopsTrain = 3 * v.flops
	if v.trained, err = l.trainingSpeed(m); err != nil {
		return nil, err
	}
	v.sampled, err = l.samplingSpeed(m)
	return v, err
}

func (l *lab) trainingSpeed(m *model.Model) (float64, error) {
	const sequences, length = 16, promptLength + answerLength
	t, err := m.CompileTraining(l.cpu, &model.TrainingOptions{MaxTokens: sequences * length})
	if err != nil {
		return 0, err
	}
	b := &compute.Batch{}
	for i := range sequences {
		b.Seqs = append(b.Seqs, compute.Seq{Start: i * length, Len: length})
		for j := range length {
			b.Tokens = append(b.Tokens, int32((i+j)%m.Config().VocabSize))
			if j >= promptLength {
				b.Rows, b.Targets, b.DLogProb = append(b.Rows, int32(i*length+j)), append(b.Targets, 1), append(b.DLogProb, 1)
			}
		}
	}
	return rate(sequences*length, func() error {
		if _, _, err := t.Forward(b); err != nil {
			return err
		}
		return t.Backward(b)
	})
}

func (l *lab) samplingSpeed(m *model.Model) (float64, error) {
	e, err := engine.New(m, l.cpu, &engine.Options{MaxBatch: engineBatch})
	if err != nil {
		return 0, err
	}
	const answers, length = 64, 16
	requests := make([]engine.Request, answers/8)
	for i := range requests {
		requests[i] = engine.Request{Prompt: make([]int32, promptLength), MaxTokens: length, Temperature: 1, Samples: 8, Seed: engine.Seed{Problem: uint64(i)}}
	}
	return rate(answers*length, func() error {
		_, err := e.Generate(context.Background(), requests)
		return err
	})
}

// measuredFor is how long a speed is measured.
const measuredFor = 150 * time.Millisecond

// rate repeats f, which handles n tokens, and returns tokens per second; the first call warms up.
func rate(n int, f func() error) (float64, error) {
	if err := f(); err != nil {
		return 0, err
	}
	began, done := time.Now(), 0
	for time.Since(began) < measuredFor {
		if err := f(); err != nil {
			return 0, err
		}
		done += n
	}
	return float64(done) / time.Since(began).Seconds(), nil
}
