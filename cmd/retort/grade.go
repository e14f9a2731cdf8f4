package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/verify"
)

// gradeCommand judges the answers of a file, or explains one verdict.
type gradeCommand struct {
	Why     bool      `name:"why" help:"Explain one verdict: the two arguments are the gold answer and the answer."`
	Options []string  `name:"option" placeholder:"NAME=VALUE" sep:"none" help:"A convention, such as percent=either; an unknown name lists them all. Repeatable."`
	Choice  bool      `name:"choice" help:"Answers are letters of a multiple choice."`
	Code    codeFlags `embed:""`

	Arguments []string `arg:"" optional:"" name:"file" help:"A file of JSON lines with gold (or, for programs, tests) and pred (or completion), perhaps gzipped; - is standard input."`
}

// gradeEvent is the --json form of a verdict.
type gradeEvent struct {
	Verdict verify.Outcome `json:"verdict"`
	Rule    string         `json:"rule"`
	Gold    string         `json:"gold"`
	Answer  string         `json:"answer"`
	Micros  float64        `json:"micros"`
	Reason  string         `json:"reason,omitempty"` // of programs: the first test that failed, and how
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
	base, err := gradeOptions(c.Options, "retort grade")
	if err != nil {
		return err
	}
	base.Choice = base.Choice || c.Choice
	switch {
	case c.Code.CheckSandbox && len(c.Arguments) == 0:
		return c.Code.checkSandbox(ctx, out)
	case c.Why && len(c.Arguments) == 2:
		return explainVerdict(out, c.Arguments[0], c.Arguments[1], base)
	case c.Why:
		return usage(explain.Errorf("bad-value", "--why: got %d arguments, want 2", len(c.Arguments)), `retort grade --why '\frac{1}{2}' 0.5`)
	case len(c.Arguments) != 1:
		return usage(explain.Errorf("missing-argument", "got %d files, want 1", len(c.Arguments)), "retort grade FILE.jsonl")
	}
	return (&grader{ctx: ctx, out: out, base: base, code: c.Code.grader()}).file(c.Arguments[0])
}

// gradeOptions reads options given as name=value.
func gradeOptions(assignments []string, command string) (verify.Options, error) {
	var o verify.Options
	for _, assignment := range assignments {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok {
			return o, usage(explain.Errorf("bad-value", "option %q: want name=value", assignment), command+" --option percent=either FILE")
		}
		if err := o.Set(name, value); err != nil {
			return o, usage(valueFault(err), command+" --help")
		}
	}
	return o, nil
}

// explainVerdict prints what was found in both texts, what they mean, and what decided.
func explainVerdict(out *output, gold, answer string, o verify.Options) error {
	start := time.Now()
	v := verify.Check(gold, answer, o)
	micros := float64(time.Since(start).Nanoseconds()) / 1e3
	if err := out.event("grade", gradeEvent{Verdict: v.Outcome, Rule: v.Rule, Gold: v.Gold, Answer: v.Answer, Micros: micros}); err != nil {
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

// grader grades the lines of a file.
type grader struct {
	ctx   context.Context
	out   *output
	base  verify.Options
	code  codeGrader
	total gradeSummary
}

func (g *grader) file(path string) error {
	source, err := openInput(g.out, path)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was only read
	if err := eval.EachRecorded(source, g.line); err != nil {
		return inputFault(fmt.Errorf("%s: %w", path, err))
	}
	return g.total.print(g.out)
}

// openInput opens a file, or standard input for -.
func openInput(out *output, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(out.std.in), nil
	}
	return os.Open(path)
}

func (g *grader) line(r *eval.Recorded) error {
	if err := g.ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	v, err := g.judge(r)
	if err != nil {
		return err
	}
	event := gradeEvent{Verdict: v.Outcome, Rule: v.Rule, Gold: v.Gold, Answer: v.Answer, Micros: float64(time.Since(start).Nanoseconds()) / 1e3}
	g.total.count(v.Outcome, r.Reference())
	if r.IsProgram() {
		event.Reason = v.Reason
		g.out.result("%-8s %-22s %s", v.Outcome, v.Rule, oneLine(v.Reason))
	} else {
		g.out.result("%-8s %-22s gold %s | answer %s", v.Outcome, v.Rule, oneLine(v.Gold), oneLine(v.Answer))
	}
	return g.out.event("grade", event)
}

func (g *grader) judge(r *eval.Recorded) (verify.Verdict, error) {
	if r.IsProgram() {
		return g.code.judge(g.ctx, r.Line, r.Answer())
	}
	o, err := r.Options(g.base)
	if err != nil {
		return verify.Verdict{}, err
	}
	return verify.Check(*r.Gold, r.Answer(), o), nil
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
