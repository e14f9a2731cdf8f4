package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/verify"
)

// FinishRecorded is the finish reason of a recorded answer: how it ended is not known.
const FinishRecorded engine.FinishReason = "recorded"

// ReplayRun is the recorded answers of one model, as a run that can be reported, compared and graded anew.
type ReplayRun struct {
	Model     string
	Questions []Question
	Samples   int // of the problem that has most
	answers   [][]string
}

// ReadReplay reads the answers of a model from a file of recorded answers; model "" takes the only one there is. Answers
// to the same problem of the same benchmark with the same gold answer are its samples, in the order of the file.
func ReadReplay(source io.Reader, model string, base verify.Options) (*ReplayRun, error) {
	r := &ReplayRun{Model: model}
	place := map[string]int{}
	var models []string
	err := EachRecorded(source, func(line *Recorded) error {
		if !slices.Contains(models, string(line.Model)) {
			models = append(models, string(line.Model))
		}
		if string(line.Model) != model && model != "" {
			return nil
		}
		id := string(line.ID)
		if line.Problem != "" {
			gold := ""
			if line.Gold != nil {
				gold = *line.Gold
			}
			sum := sha256.Sum256([]byte(string(line.Problem) + "\x00" + gold))
			id = strings.TrimPrefix(string(line.Benchmark)+"/"+hex.EncodeToString(sum[:6]), "/")
		}
		at, ok := place[id]
		if !ok {
			o, err := line.Options(base)
			if err != nil {
				return err
			}
			q, err := line.question(o)
			if err != nil {
				return err
			}
			q.ID, q.Group = id, id
			at = len(r.Questions)
			place[id] = at
			r.Questions, r.answers = append(r.Questions, q), append(r.answers, nil)
		}
		r.answers[at] = append(r.answers[at], line.Answer())
		r.Samples = max(r.Samples, len(r.answers[at]))
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case model == "" && len(models) > 1:
		return nil, fmt.Errorf("eval: recorded answers of %d models, want one of %s", len(models), strings.Join(models, ", "))
	case len(r.Questions) == 0:
		return nil, fmt.Errorf("eval: no recorded answer of %q, want one of %s", model, strings.Join(models, ", "))
	case model == "":
		r.Model = models[0]
	}
	return r, nil
}

// Record judges the answers and writes them to a new run, whose record it fills. Without code, programs are Unknown.
func (p *ReplayRun) Record(store *runstore.Run, r *Record, code JudgeCode) error {
	for i := range p.Questions {
		q := p.Questions[i]
		if err := r.addQuestion(&q); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		if err := store.AppendSample(recordLine{Question: &q}); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
	}
	for i, answers := range p.answers {
		for j, text := range answers {
			s := p.Questions[i].sample(&llm.Reply{Text: text, Finish: FinishRecorded}, code)
			s.Sample = j
			if err := r.addSample(s); err != nil {
				return fmt.Errorf("eval: %w", err)
			}
			if err := store.AppendSample(recordLine{Sample: s}); err != nil {
				return fmt.Errorf("eval: %w", err)
			}
		}
	}
	return nil
}
