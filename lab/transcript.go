package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/internal/report"
	"github.com/retort-ml/retort/runstore"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/train"
)

// transcriptSection shows the first answers that turned back and became right.
func (r *Result) transcriptSection(s *SeedResult) (report.Section, error) {
	section := report.Section{Title: "Turning back, in its own words"}
	step, first, err := r.firstTurnBack(s)
	if err != nil {
		return section, err
	}
	if first.Text != "" {
		section.Blocks = append(section.Blocks, &report.Transcript{
			Title: fmt.Sprintf("GRPO on the base, step %d", step), Note: "The first recorded sample of the reinforcement that became right after a reflection.",
			Result: "right", Tone: report.Good, Spans: spans(&first),
		})
	}
	for _, name := range []string{modelBase, modelReinforced, modelDistilled} {
		m := s.Models[name]
		if m == nil || m.TurnBack.Text == "" {
			section.Blocks = append(section.Blocks, &report.Paragraph{Text: modelTitles[name] + ": no answer became right after a reflection."})
			continue
		}
		section.Blocks = append(section.Blocks, &report.Transcript{
			Title: modelTitles[name], Note: "The first held-out answer that became right after a reflection.", Result: "right", Tone: report.Good,
			Spans: spans(&m.TurnBack),
		})
	}
	return section, nil
}

// errFound ends a search through samples.
var errFound = errors.New("found")

// firstTurnBack is the first recorded sample of the reinforcement that became right after a
// reflection; its text is "" if there is none.
func (r *Result) firstTurnBack(s *SeedResult) (step int, first Shown, err error) {
	record, err := runstore.Read(filepath.Join(r.Dir, fmt.Sprintf("seed-%d", s.Seed), modelReinforced))
	if err != nil {
		return 0, first, err
	}
	asked, err := s.Settings.newTask()
	if err != nil {
		return 0, first, err
	}
	problems, err := asked.Problems(task.Train, s.Seed, s.Settings.Train)
	if err != nil {
		return 0, first, err
	}
	err = record.Samples(func(line json.RawMessage) error {
		var sample train.Sample
		if err := json.Unmarshal(line, &sample); err != nil {
			return err
		}
		if sample.Problem >= uint64(len(problems)) {
			return fmt.Errorf("lab: sample of problem %d, want one below %d", sample.Problem, len(problems))
		}
		p := problems[sample.Problem]
		if t := asked.Trace(p, sample.Text); !t.Converted {
			return nil
		}
		step, first = sample.Step, Shown{p, sample.Text}
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return step, first, err
}

// spans cuts a trace into pieces to be coloured.
func spans(x *Shown) []report.Span {
	out := []report.Span{{Kind: report.PromptText, Text: x.Problem.Question + "\n"}}
	trace := traceOf(x)
	at := 0
	add := func(kind report.Kind, to int) {
		if to > at {
			out = append(out, report.Span{Kind: kind, Text: x.Text[at:to]})
			at = to
		}
	}
	for i := range trace.Attempts {
		a := &trace.Attempts[i]
		add(report.Thought, a.Start)
		if a.Reflection {
			add(report.TurnBack, a.Start+turnBackLength(x.Text[a.Start:a.End]))
		}
		claim := 0
		if a.Claim != behaviour.Unsaid {
			claim = len("ok")
		}
		add(report.Attempt, a.End-claim)
		kind := report.TrueVerdict
		if !a.Truthful() {
			kind = report.FalseVerdict
		}
		add(kind, a.End)
	}
	kind := report.Answer
	if trace.GaveUp {
		kind = report.GiveUp
	}
	add(kind, len(x.Text))
	return out
}

// traceOf reads an answer as its problem's task does, which takes the problem alone.
func traceOf(x *Shown) behaviour.Trace {
	asked, err := task.Lookup(x.Problem.Task)
	if err != nil {
		return behaviour.Trace{}
	}
	return task.Trace(asked, x.Problem, x.Text)
}

// turnBackLength is the length of the word that an attempt begins with.
func turnBackLength(text string) int {
	for i, r := range text {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return i
		}
	}
	return len(text)
}
