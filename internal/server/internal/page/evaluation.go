package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/verify"
)

// evaluation is what has been computed of an evaluation's run, for as long as its files stay as long as they are.
type evaluation struct {
	mu      sync.Mutex
	tag     string // the sizes of the files
	figures *eval.Figures
	result  *eval.Result
	record  *eval.Record
	index   []sampleMark
	place   map[string]int // of a question
}

// sampleMark is where a sample stands in the file, and what became of it.
type sampleMark struct {
	begins   int64
	question int
	sample   int
	verdict  verify.Verdict
}

// evaluationOf reads an evaluation, or takes what was read before.
func (p *Page) evaluationOf(r *http.Request, use func(e *evaluation, at *place) (any, error)) (any, error) {
	at, err := p.placeOf(r)
	if err != nil {
		return nil, err
	}
	defer at.close()
	if err := at.safe(); err != nil {
		return nil, err
	}
	tag := ""
	for _, name := range []string{"run.json", "samples.jsonl", "timing.jsonl", "metrics.jsonl"} {
		size, err := at.size(name, maxRecords)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, &fault{http.StatusUnprocessableEntity, err.Error()}
		}
		tag += fmt.Sprint(size, " ")
	}
	e := p.evaluations.get(at.name, func() *evaluation { return &evaluation{} })
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tag != tag {
		if err := e.read(at, p.options.Resamples); err != nil {
			return nil, &fault{http.StatusUnprocessableEntity, strings.ReplaceAll(err.Error(), at.dir, at.name)}
		}
		e.tag = tag
	}
	return use(e, at)
}

func (e *evaluation) read(at *place, resamples int) error {
	record, err := eval.ReadRecord(at.dir)
	if err != nil {
		return err
	}
	figures, err := record.Figures(&eval.IntervalOptions{Resamples: resamples})
	if err != nil {
		return err
	}
	e.record, e.figures, e.result = record, figures, record.Result()
	return e.readIndex(at)
}

// readIndex notes where each sample stands. A later verdict takes the place of an earlier one.
func (e *evaluation) readIndex(at *place) error {
	f, size, err := at.open("samples.jsonl", maxRecords)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	e.place, e.index = map[string]int{}, nil
	for i := range e.record.Questions {
		e.place[e.record.Questions[i].ID] = i
	}
	type key struct{ question, sample int }
	where := map[key]int{}
	return eachLineFrom(f, size, 0, func(begins int64, text []byte) error {
		var line struct {
			Regraded *eval.Regraded `json:"regraded"`
			Problem  string         `json:"problem"`
			Sample   int            `json:"sample"`
			Verdict  verify.Verdict `json:"verdict"`
		}
		if err := json.Unmarshal(text, &line); err != nil {
			return err
		}
		if line.Regraded != nil {
			line.Problem, line.Sample = line.Regraded.Problem, line.Regraded.Sample
			if i, ok := where[key{e.place[line.Problem], line.Sample}]; ok {
				e.index[i].verdict = line.Regraded.Verdict
			}
			return nil
		}
		if question, ok := e.place[line.Problem]; ok {
			where[key{question, line.Sample}] = len(e.index)
			e.index = append(e.index, sampleMark{begins, question, line.Sample, line.Verdict})
		}
		return nil
	})
}

// problemRow is a problem in the table of an evaluation.
type problemRow struct {
	ID      string `json:"id"`
	Subject string `json:"subject,omitempty"`
	Level   string `json:"level,omitempty"`
	Asked   string `json:"asked"` // the beginning of its text
	Drawn   int    `json:"drawn"`
	Judged  int    `json:"judged"`
	Right   int    `json:"right"`
	Cut     int    `json:"truncated"`
	Refused string `json:"refused,omitempty"`
}

// evaluation answers with the figures of an evaluation and its problems.
func (p *Page) evaluation(_ http.ResponseWriter, r *http.Request) (any, error) {
	return p.evaluationOf(r, func(e *evaluation, at *place) (any, error) {
		problems := make([]problemRow, len(e.record.Questions))
		for i := range e.record.Questions {
			q := &e.record.Questions[i]
			problems[i] = problemRow{ID: q.ID, Subject: q.Subject, Level: q.Level, Asked: cut(q.Text, 160), Refused: q.Refused}
			if i < len(e.result.Problems) {
				found := &e.result.Problems[i]
				problems[i].Drawn, problems[i].Judged, problems[i].Right, problems[i].Cut = found.Generated, found.Judged, found.Right, found.Truncated
			}
		}
		rules := map[string]map[string]int{}
		for i := range e.index {
			v := &e.index[i].verdict
			if rules[v.Rule] == nil {
				rules[v.Rule] = map[string]int{}
			}
			rules[v.Rule][v.Outcome.String()]++
		}
		figures := *e.figures
		figures.Run = at.name
		return map[string]any{"run": at.name, "status": p.statusOf(at.name), "created": e.record.Manifest.Created, "figures": figures, "problems": problems,
			"rules": rules, "warnings": e.record.Warnings, "gradings": e.record.Gradings}, nil
	})
}

// shownSample is a sample with its text.
type shownSample struct {
	Problem string         `json:"problem"`
	Sample  int            `json:"sample"`
	Verdict verify.Verdict `json:"verdict"`
	Thought string         `json:"thought,omitempty"`
	Text    string         `json:"text"`
	Answer  string         `json:"answer,omitempty"`
	Tokens  int            `json:"tokens"`
	Finish  string         `json:"finish"`
	Seed    any            `json:"seed,omitempty"`
}

// evaluationSamples answers with samples and their questions: those of ?problem, or those with ?outcome, ?rule and ?subject, from the ?at-th of
// them on.
func (p *Page) evaluationSamples(_ http.ResponseWriter, r *http.Request) (any, error) {
	q := r.URL.Query()
	from, err := whole(q, "at", 0, 0, 1<<40)
	if err != nil {
		return nil, err
	}
	return p.evaluationOf(r, func(e *evaluation, at *place) (any, error) {
		f, size, err := at.open("samples.jsonl", maxRecords)
		if err != nil {
			return nil, &fault{http.StatusUnprocessableEntity, err.Error()}
		}
		defer func() { _ = f.Close() }() // it was only read
		list, questions, matched := []shownSample{}, map[string]map[string]string{}, 0
		for i := range e.index {
			m := &e.index[i]
			question := &e.record.Questions[m.question]
			if id := q.Get("problem"); id != "" && id != question.ID || q.Get("outcome") != "" && q.Get("outcome") != m.verdict.Outcome.String() ||
				q.Has("rule") && q.Get("rule") != m.verdict.Rule || q.Get("subject") != "" && q.Get("subject") != question.Subject {
				continue
			}
			matched++
			if matched <= int(from) || len(list) >= maxFound {
				continue
			}
			s, err := readShown(f, size, m)
			if err != nil {
				return nil, &fault{http.StatusUnprocessableEntity, "samples.jsonl is damaged: " + err.Error()}
			}
			list = append(list, s)
			questions[question.ID] = map[string]string{"text": question.Text, "gold": question.Gold, "subject": question.Subject, "level": question.Level}
		}
		return map[string]any{"samples": list, "questions": questions, "matched": matched, "from": from}, nil
	})
}

// readShown reads one sample of the file.
func readShown(f *os.File, size int64, m *sampleMark) (shownSample, error) {
	var s eval.Sample
	err := eachLineFrom(f, size, m.begins, func(_ int64, line []byte) error {
		if err := json.Unmarshal(line, &s); err != nil {
			return err
		}
		return errEnough
	})
	at := max(0, min(s.ThoughtBytes, len(s.Text)))
	return shownSample{Problem: s.Problem, Sample: s.Sample, Verdict: m.verdict, Thought: s.Text[:at], Text: s.Text[at:], Answer: s.Answer, Tokens: s.Tokens, Finish: string(s.Finish), Seed: s.Seed}, err
}
