package eval

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/retort-ml/retort/verify"
)

// Recorded is a line of a file of recorded answers: a gold answer, an answer or a whole completion, the conventions of the
// case, and the verdict that another judge or a reader gave, if any.
type Recorded struct {
	ID         loose           `json:"id"`
	Source     loose           `json:"source"`
	Model      loose           `json:"model"`
	Benchmark  loose           `json:"benchmark"`
	Problem    loose           `json:"problem"`
	Level      loose           `json:"level"`
	Gold       *string         `json:"gold"`
	Pred       *string         `json:"pred"` // stands before Completion
	Completion *string         `json:"completion"`
	Kind       string          `json:"kind"`
	Convention string          `json:"convention"`
	Opts       json.RawMessage `json:"opts"`
	// Tests or Check are of an answer that is a program; the other fields of Program stand beside them.
	Tests json.RawMessage `json:"tests"`
	Check json.RawMessage `json:"check"`

	// The verdicts, of which the first that is there counts: of a test case, of a reader, of a strict reading, of the
	// grader that came with the data.
	Expected *bool `json:"expected"`
	Reviewed *bool `json:"reviewed_verdict"`
	Strict   *bool `json:"strict_verdict"`
	Verdict  *bool `json:"verdict"`

	Line []byte `json:"-"` // as it stands in the file; not to be kept
}

// IsProgram says whether the answer is a program, which is judged by its tests.
func (r *Recorded) IsProgram() bool { return r.Kind == "code" || r.Tests != nil || r.Check != nil }

// loose is a text, or any other value as JSON writes it: files of many makers are read.
type loose string

// UnmarshalJSON never fails.
func (l *loose) UnmarshalJSON(raw []byte) error {
	*l = loose(plainText(raw))
	return nil
}

// Answer returns the text to judge: the answer, else the completion.
func (r *Recorded) Answer() string {
	if r.Pred != nil {
		return *r.Pred
	}
	return *r.Completion
}

// Reference returns the verdict to judge by, or nil.
func (r *Recorded) Reference() *bool {
	for _, verdict := range []*bool{r.Expected, r.Reviewed, r.Strict, r.Verdict} {
		if verdict != nil {
			return verdict
		}
	}
	return nil
}

// Options adds to base what the line's kind, convention and opts ask for.
func (r *Recorded) Options(base verify.Options) (verify.Options, error) {
	base.Choice = base.Choice || r.Kind == "choice"
	if err := base.SetConvention(r.Kind, r.Convention); err != nil {
		return base, err
	}
	err := base.SetCase(r.Opts)
	return base, err
}

// maxRecordedBytes bounds a line of recorded answers.
const maxRecordedBytes = 1 << 26

// EachRecorded calls yield with every line of a file of recorded answers, plain or gzipped, empty lines left out. Errors
// name the line. A line without an answer (pred, or completion) is an error, and so is one without gold that is no program.
func EachRecorded(source io.Reader, yield func(*Recorded) error) error {
	plain, err := unpack(source)
	if err != nil {
		return fmt.Errorf("eval: recorded answers: %w", err)
	}
	lines := bufio.NewScanner(plain)
	lines.Buffer(make([]byte, 0, 1<<20), maxRecordedBytes)
	number := 0
	for lines.Scan() {
		number++
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			if err := readRecorded(line, yield); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}

func readRecorded(line []byte, yield func(*Recorded) error) error {
	var r Recorded
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	r.Line = line
	if r.Pred == nil && r.Completion == nil || r.Gold == nil && !r.IsProgram() {
		return errors.New("want the fields gold and pred, or gold and completion (of a program: tests and completion)")
	}
	return yield(&r)
}

// unpack reads through gzip where the bytes say so, whatever the name.
func unpack(source io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(source)
	if magic, err := buffered.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil // too short to be gzipped, or not
	}
	return gzip.NewReader(buffered)
}

// Agreement is how often verdicts and references are the same.
type Agreement struct {
	N             int      `json:"n"` // answers with a reference
	Agree         int      `json:"agree"`
	Disagree      int      `json:"disagree"`
	Unknown       int      `json:"unknown"`       // that could not be judged: neither
	Disagreements []string `json:"disagreements"` // ids, in the order of the file
	Unknowns      []string `json:"unknowns,omitempty"`
	WithoutOne    int      `json:"without_reference,omitempty"` // answers that nothing can be said about
}

// Count adds one answer. reference nil: there is none.
func (a *Agreement) Count(id string, outcome verify.Outcome, reference *bool) {
	if reference == nil {
		a.WithoutOne++
		return
	}
	a.N++
	switch {
	case outcome == verify.Unknown:
		a.Unknown++
		a.Unknowns = append(a.Unknowns, id)
	case (outcome == verify.Right) == *reference:
		a.Agree++
	default:
		a.Disagree++
		a.Disagreements = append(a.Disagreements, id)
	}
}

// Replay is what judging a file of recorded answers gave: in all, and per source.
type Replay struct {
	Agreement
	Sources map[string]*Agreement `json:"sources"`
	Code    JudgeCode             `json:"-"` // of programs; nil: they are Unknown
}

// NewReplay returns one without answers.
func NewReplay() *Replay {
	return &Replay{Agreement: Agreement{Disagreements: []string{}}, Sources: map[string]*Agreement{}}
}

// Judge judges a recorded answer under base and what its line asks for, and counts the verdict.
func (p *Replay) Judge(r *Recorded, base verify.Options) (verify.Verdict, error) {
	o, err := r.Options(base)
	if err != nil {
		return verify.Verdict{}, err
	}
	q, err := r.question(o)
	if err != nil {
		return verify.Verdict{}, err
	}
	v := q.Judge(r.Answer(), p.Code)
	at, ok := p.Sources[string(r.Source)]
	if !ok {
		at = &Agreement{Disagreements: []string{}}
		p.Sources[string(r.Source)] = at
	}
	p.Count(string(r.ID), v.Outcome, r.Reference())
	at.Count(string(r.ID), v.Outcome, r.Reference())
	return v, nil
}

// question is what a recorded answer answers, without its id.
func (r *Recorded) question(o verify.Options) (Question, error) {
	q := Question{Level: string(r.Level), Text: string(r.Problem), Kind: Maths, Options: o}
	switch {
	case r.IsProgram():
		q.Kind, q.Program = Code, &Program{}
		return q, json.Unmarshal(r.Line, q.Program)
	case o.Choice:
		q.Kind = Choice
	}
	q.Gold = *r.Gold
	return q, nil
}

// Names returns the sources in order.
func (p *Replay) Names() []string {
	names := make([]string, 0, len(p.Sources))
	for name := range p.Sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
