package eval

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/verify"
)

// eachSample calls yield with every sample of the record's file, text included.
func (r *Record) eachSample(yield func(*Sample) error) error {
	store, err := runstore.Read(r.Dir)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	err = store.Samples(func(text json.RawMessage) error {
		var line recordLine
		if err := json.Unmarshal(text, &line); err != nil || line.Sample == nil {
			return err
		}
		return yield(line.Sample)
	})
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}

// Change is a sample whose verdict a regrading changed.
type Change struct {
	Problem string         `json:"problem"`
	Sample  int            `json:"sample"`
	Before  verify.Verdict `json:"before"`
	After   verify.Verdict `json:"after"`
}

// Regrade judges every sample of a run anew, with options beside the questions' own ("name=value"), and appends the
// verdicts that changed to the record; nothing is generated and nothing is overwritten. Options of an earlier regrading do
// not hold on.
func Regrade(store *runstore.Run, build string, options []string, code JudgeCode) ([]Change, error) {
	r, err := ReadRecord(store.Dir())
	if err != nil {
		return nil, err
	}
	if err := r.setGrading(options); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	var changes []Change
	var lines []recordLine
	err = r.eachSample(func(s *Sample) error {
		at := r.place[s.Problem]
		k, ok := r.samples[at][s.Sample]
		if !ok {
			return errors.New("the record changed while it was read")
		}
		verdict, answer := r.Questions[at].verdict(s, code)
		if verdict == k.Verdict && answer == k.Answer {
			return nil
		}
		if verdict.Outcome != k.Verdict.Outcome {
			changes = append(changes, Change{s.Problem, s.Sample, k.Verdict, verdict})
		}
		lines = append(lines, recordLine{Regraded: &Regraded{s.Problem, s.Sample, verdict, answer}})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, line := range append([]recordLine{{Grading: &Grading{Build: build, Options: options}}}, lines...) {
		if err := store.AppendSample(line); err != nil {
			return nil, fmt.Errorf("eval: %w", err)
		}
	}
	return changes, nil
}
