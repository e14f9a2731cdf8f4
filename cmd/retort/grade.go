package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/retort-ml/retort/verify"
)

// gradeCommand judges the answers of a file, or explains one verdict.
type gradeCommand struct {
	Why     bool     `name:"why" help:"Explain one verdict: the two arguments are the gold answer and the answer."`
	Options []string `name:"option" placeholder:"NAME=VALUE" sep:"none" help:"A convention, such as percent=either; an unknown name lists them all. Repeatable."`
	Choice  bool     `name:"choice" help:"Answers are letters of a multiple choice."`

	Arguments []string `arg:"" name:"file" help:"A file of JSON lines with gold and pred (or completion), perhaps gzipped; - is standard input."`
}

// gradeLine is a line of the file.
type gradeLine struct {
	Gold       *string         `json:"gold"`
	Pred       *string         `json:"pred"`
	Completion *string         `json:"completion"`
	Kind       string          `json:"kind"`
	Convention string          `json:"convention"`
	Opts       json.RawMessage `json:"opts"`
	Expected   *bool           `json:"expected"`
	Reviewed   *bool           `json:"reviewed_verdict"` // of recorded outputs, in place of expected, in this order
	Strict     *bool           `json:"strict_verdict"`
	Recorded   *bool           `json:"verdict"`
}

// gradeEvent is the --json form of a verdict.
type gradeEvent struct {
	Verdict verify.Outcome `json:"verdict"`
	Rule    string         `json:"rule"`
	Gold    string         `json:"gold"`
	Answer  string         `json:"answer"`
	Micros  float64        `json:"micros"`
}

// gradeSummary is the last line. Rates are over the lines with an expected verdict.
type gradeSummary struct {
	Lines          int      `json:"lines"`
	Right          int      `json:"right"`
	Wrong          int      `json:"wrong"`
	Unknown        int      `json:"unknown"`
	Expected       int      `json:"expected,omitempty"` // lines with an expected verdict
	Correct        int      `json:"correct,omitempty"`
	Accuracy       *float64 `json:"accuracy,omitempty"`
	FalsePositives *int     `json:"false_positives,omitempty"`
	FalseNegatives *int     `json:"false_negatives,omitempty"`
	Unknowns       *int     `json:"unknowns,omitempty"` // among them; counted as neither right nor wrong
}

// Run judges a file or explains a verdict.
func (c *gradeCommand) Run(ctx context.Context, out *output) error {
	base := verify.Options{Choice: c.Choice}
	for _, option := range c.Options {
		name, value, ok := strings.Cut(option, "=")
		if !ok {
			return usage(fmt.Errorf("option %q: want name=value", option), "retort grade --option percent=either FILE")
		}
		if err := base.Set(name, value); err != nil {
			return usage(err, "retort grade --help")
		}
	}
	switch {
	case c.Why && len(c.Arguments) == 2:
		return explain(out, c.Arguments[0], c.Arguments[1], base)
	case c.Why:
		return usage(fmt.Errorf("--why: got %d arguments, want 2", len(c.Arguments)), `retort grade --why '\frac{1}{2}' 0.5`)
	case len(c.Arguments) != 1:
		return usage(fmt.Errorf("got %d files, want 1", len(c.Arguments)), "retort grade FILE.jsonl")
	}
	return gradeFile(ctx, out, c.Arguments[0], base)
}

// explain prints what was found in both texts, what they mean, and what decided.
func explain(out *output, gold, answer string, o verify.Options) error {
	start := time.Now()
	v := verify.Check(gold, answer, o)
	micros := float64(time.Since(start).Nanoseconds()) / 1e3
	if err := out.event("grade", gradeEvent{v.Outcome, v.Rule, v.Gold, v.Answer, micros}); err != nil {
		return err
	}
	show := func(name, text, canonical string) {
		found, ok := verify.Extract(text, o)
		if !ok {
			out.result("%-8s no answer was found", name)
			return
		}
		out.result("%-8s %s", name, found)
		out.result("         as %s", canonical)
	}
	show("gold", gold, v.Gold)
	show("answer", answer, v.Answer)
	out.result("verdict  %s, by %s", v.Outcome, v.Rule)
	return nil
}

func gradeFile(ctx context.Context, out *output, path string, base verify.Options) error {
	source, err := openLines(out, path)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was only read
	total := gradeSummary{}
	err = readLines(ctx, bufio.NewReaderSize(source, 1<<20), func(line []byte) error { return gradeOne(out, line, base, &total) })
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return total.print(out)
}

// openLines opens a file; a gzipped one, whatever its name, is unpacked.
func openLines(out *output, path string) (io.ReadCloser, error) {
	file := io.ReadCloser(io.NopCloser(out.std.in))
	if path != "-" {
		opened, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		file = opened
	}
	buffered := bufio.NewReader(file)
	type readCloser struct {
		io.Reader
		io.Closer
	}
	if magic, err := buffered.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return readCloser{buffered, file}, nil // too short to be gzipped, or not
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		_ = file.Close() // the error before it says more
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return readCloser{unpacked, file}, nil
}

func gradeOne(out *output, text []byte, base verify.Options, total *gradeSummary) error {
	var line gradeLine
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	answer := line.Pred
	if answer == nil {
		answer = line.Completion
	}
	if line.Gold == nil || answer == nil {
		return errors.New("want the fields gold and pred, or gold and completion")
	}
	o := base
	o.Choice = o.Choice || line.Kind == "choice"
	if err := o.SetConvention(line.Kind, line.Convention); err != nil {
		return err
	}
	if err := o.SetCase(line.Opts); err != nil {
		return err
	}
	start := time.Now()
	v := verify.Check(*line.Gold, *answer, o)
	micros := float64(time.Since(start).Nanoseconds()) / 1e3
	total.count(v.Outcome, line.expected())
	out.result("%-8s %-22s gold %s | answer %s", v.Outcome, v.Rule, oneLine(v.Gold), oneLine(v.Answer))
	return out.event("grade", gradeEvent{v.Outcome, v.Rule, v.Gold, v.Answer, micros})
}

// expected is the verdict that the line expects, or nil.
func (l *gradeLine) expected() *bool {
	for _, verdict := range []*bool{l.Expected, l.Reviewed, l.Strict, l.Recorded} {
		if verdict != nil {
			return verdict
		}
	}
	return nil
}

func (s *gradeSummary) count(outcome verify.Outcome, expected *bool) {
	s.Lines++
	switch outcome {
	case verify.Right:
		s.Right++
	case verify.Wrong:
		s.Wrong++
	default:
		s.Unknown++
	}
	if expected == nil {
		return
	}
	if s.Expected++; s.Expected == 1 {
		s.FalsePositives, s.FalseNegatives, s.Unknowns = new(int), new(int), new(int)
	}
	switch {
	case outcome == verify.Unknown:
		*s.Unknowns++
	case (outcome == verify.Right) == *expected:
		s.Correct++
	case outcome == verify.Right:
		*s.FalsePositives++
	default:
		*s.FalseNegatives++
	}
}

func (s *gradeSummary) print(out *output) error {
	out.result("%d answers: %d right, %d wrong, %d unknown", s.Lines, s.Right, s.Wrong, s.Unknown)
	if s.Expected > 0 {
		accuracy := float64(s.Correct) / float64(s.Expected)
		s.Accuracy = &accuracy
		out.result("as expected: %d of %d (%.2f %%); %d false positives, %d false negatives, %d unknown",
			s.Correct, s.Expected, 100*accuracy, *s.FalsePositives, *s.FalseNegatives, *s.Unknowns)
	}
	return out.event("summary", s)
}
