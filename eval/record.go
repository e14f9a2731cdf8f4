package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/verify"
)

// recordLine is a line of a run's samples.jsonl: a question, a sample, or what a later grading says.
type recordLine struct {
	Question *Question `json:"question,omitempty"`
	Grading  *Grading  `json:"grading,omitempty"`
	Regraded *Regraded `json:"regraded,omitempty"`
	*Sample
}

// Grading begins a regrading: everything behind it up to the next is its own.
type Grading struct {
	Build   string   `json:"build"`             // the program that judged
	Options []string `json:"options,omitempty"` // beside the questions' own
}

// Regraded replaces a sample's verdict.
type Regraded struct {
	Problem string         `json:"problem"`
	Sample  int            `json:"sample"`
	Verdict verify.Verdict `json:"verdict"`
	Answer  string         `json:"answer,omitempty"`
}

// Record is what a run has asked and got, without the texts.
type Record struct {
	Dir       string
	Manifest  runstore.Manifest
	Status    runstore.Status
	Plan      Plan
	Questions []Question // in the order of asking
	Gradings  []Grading  // later ones
	Warnings  []string
	Seconds   float64 // spent generating
	Joules    float64 // NaN where no energy was measured
	PromptRun int     // prompt tokens that were read
	Steps     int     // lines of metrics
	place     map[string]int
	base      []verify.Options // of the questions, without those of a later grading
	samples   []map[int]kept   // by question and sample
}

// kept is a sample without its text.
type kept struct {
	Sample
	trace Trace
}

// NewRecord returns an empty record of a plan.
func NewRecord(dir string, p Plan) *Record {
	return &Record{Dir: dir, Plan: p, place: map[string]int{}}
}

// ReadRecord reads the record of an evaluation's run, also while it runs. A line cut short is passed over.
func ReadRecord(dir string) (*Record, error) {
	store, err := runstore.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if store.Manifest.Kind != RunKind {
		return nil, fmt.Errorf("eval: %s is a run of %s, want one of %s", dir, store.Manifest.Kind, RunKind)
	}
	r := NewRecord(dir, Plan{})
	r.Manifest, r.Status, r.Warnings = store.Manifest, store.Status, store.Warnings
	decoder := json.NewDecoder(bytes.NewReader(store.Manifest.Config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r.Plan); err != nil {
		return nil, fmt.Errorf("eval: %s: config: %w", dir, err)
	}
	if err := store.Samples(func(line json.RawMessage) error { return r.add(line) }); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return r, r.addCosts(store)
}

func (r *Record) add(text []byte) error {
	var line recordLine
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	switch {
	case line.Question != nil:
		return r.addQuestion(line.Question)
	case line.Grading != nil:
		r.Gradings = append(r.Gradings, *line.Grading)
		return r.setGrading(line.Grading.Options)
	case line.Regraded != nil:
		return r.regrade(line.Regraded)
	case line.Sample != nil:
		return r.addSample(line.Sample)
	}
	return errors.New("neither a question nor a sample nor a grading")
}

// setGrading sets options ("name=value") beside each question's own, in place of those of an earlier grading.
func (r *Record) setGrading(options []string) error {
	for i := range r.Questions {
		o := r.base[i]
		for _, assignment := range options {
			name, value, ok := strings.Cut(assignment, "=")
			if !ok {
				return fmt.Errorf("option %q: want name=value", assignment)
			}
			if err := o.Set(name, value); err != nil {
				return err
			}
		}
		r.Questions[i].Options = o
	}
	return nil
}

func (r *Record) addQuestion(q *Question) error {
	if _, ok := r.place[q.ID]; ok || q.ID == "" {
		return fmt.Errorf("question %q came before", q.ID)
	}
	r.place[q.ID] = len(r.Questions)
	r.Questions = append(r.Questions, *q)
	r.base = append(r.base, q.Options)
	r.samples = append(r.samples, map[int]kept{})
	return nil
}

func (r *Record) addSample(s *Sample) error {
	at, ok := r.place[s.Problem]
	switch {
	case !ok:
		return fmt.Errorf("a sample of %q, which was not asked", s.Problem)
	case s.Sample < 0 || s.Sample >= max(r.Plan.Samples, 1) || s.ThoughtBytes < 0 || s.ThoughtBytes > len(s.Text):
		return fmt.Errorf("%s: sample %d with a thought of %d bytes of %d: out of range", s.Problem, s.Sample, s.ThoughtBytes, len(s.Text))
	}
	if _, ok := r.samples[at][s.Sample]; ok {
		return fmt.Errorf("%s: sample %d came before", s.Problem, s.Sample)
	}
	k := kept{Sample: *s, trace: traceOf(&r.Questions[at], s)}
	k.Text = ""
	r.samples[at][s.Sample] = k
	return nil
}

func (r *Record) regrade(g *Regraded) error {
	at, ok := r.place[g.Problem]
	if !ok {
		return fmt.Errorf("a verdict on %q, which was not asked", g.Problem)
	}
	k, ok := r.samples[at][g.Sample]
	if !ok {
		return fmt.Errorf("%s: a verdict on sample %d, which is not there", g.Problem, g.Sample)
	}
	k.Verdict, k.Answer, k.IsFormed, k.trace.Outcome = g.Verdict, g.Answer, g.Answer != "", g.Verdict.Outcome
	r.samples[at][g.Sample] = k
	return nil
}

// addCosts adds up what the steps took.
func (r *Record) addCosts(store *runstore.Record) error {
	timings, err := store.Timings()
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	for _, parts := range timings {
		for _, part := range parts {
			r.Seconds += part.Duration.Seconds()
		}
	}
	joules, measured := 0.0, 0
	for _, row := range store.Rows {
		if x, ok := row.Get(metricEnergy); ok {
			joules += x
			measured++
		}
		if x, ok := row.Get(metricPrompt); ok {
			r.PromptRun += int(x)
		}
	}
	r.Joules, r.Steps = joules, len(store.Rows)
	if measured == 0 || measured < len(store.Rows) {
		r.Joules = nan
	}
	return nil
}

// Count returns how many samples the record holds.
func (r *Record) Count() int {
	n := 0
	for _, s := range r.samples {
		n += len(s)
	}
	return n
}
