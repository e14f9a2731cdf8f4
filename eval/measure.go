package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/retort-ml/retort/verify"
)

// Figures is everything that a report says about a run.
type Figures struct {
	Run     string `json:"run"`
	Plan    Plan   `json:"plan"`
	Summary        // pass@1 with both errors, counts, lengths

	Asked    int   `json:"asked"`   // problems
	Refused  int   `json:"refused"` // of the plan's problems: they could not be asked
	Missing  int   `json:"missing"` // samples that were to be drawn and are not there
	PassAt   []AtK `json:"pass_at"`
	ConsAt   []AtK `json:"cons_at"` // from k = 2 on
	Rates    Rates `json:"rates"`
	Reply    Parts `json:"reply_lengths"`
	Thought  Parts `json:"thought_lengths"`
	Answered Parts `json:"answer_lengths"`

	BySubject []Part      `json:"by_subject,omitempty"`
	ByLevel   []Part      `json:"by_level,omitempty"`
	Cost      Cost        `json:"cost"`
	Vote      *VoteCost   `json:"vote,omitempty"`
	Published []Published `json:"published,omitempty"`
	Deviates  []Deviation `json:"deviations,omitempty"`
	Regraded  int         `json:"regradings,omitempty"`
}

// AtK is pass@k or cons@k.
type AtK struct {
	K        int      `json:"k"`
	Estimate Estimate `json:"estimate"`
}

// Rates are shares of all samples. Those about thoughts are of a run whose model thinks.
type Rates struct {
	Truncated   float64 `json:"truncated"`  // ran out of tokens
	Unclosed    float64 `json:"no_close"`   // a thought without an end
	Thoughtless float64 `json:"no_thought"` // no thought at all
	Unboxed     float64 `json:"no_box"`     // no \boxed in the answer, of a benchmark that asks for it
	Loops       float64 `json:"loops"`      // end in a repetition: at least 4 times, 256 bytes
	Unanswered  float64 `json:"no_answer"`  // no answer was found
	Undecidable float64 `json:"cannot_judge"`
}

// Parts are the lengths of the samples' texts, or of a part of them; the marks between thought and answer count as answer in
// tokens, and as thought in bytes.
type Parts struct {
	Unit  string  `json:"unit"` // token, or byte where the tokens of the part are not known
	All   Lengths `json:"all"`
	Right Lengths `json:"right"`
	Wrong Lengths `json:"not_right"`
}

// Part is the problems of a subject or a level.
type Part struct {
	Name     string   `json:"name"`
	Problems int      `json:"problems"`
	PassAt1  Estimate `json:"pass_at_1"`
	Tokens   float64  `json:"tokens"` // mean of a sample
}

// Cost is what a run took. Per solved problem means: of everything, divided by the number of right samples.
type Cost struct {
	PromptTokens int      `json:"prompt_tokens"` // that were read, a prompt once for all its samples of a call
	Tokens       int      `json:"tokens"`        // sampled
	Seconds      float64  `json:"seconds"`
	Right        int      `json:"right"`
	Price        *float64 `json:"price,omitempty"`  // nil: no price was given
	Joules       *float64 `json:"joules,omitempty"` // nil: not measured
}

// VoteCost is what ending votes early has spared.
type VoteCost struct {
	Samples int `json:"samples"` // that a full vote draws
	Drawn   int `json:"drawn"`
	Decided int `json:"decided"` // problems whose vote ended early
	Tokens  int `json:"tokens"`
	Saved   int `json:"saved_tokens"` // spared samples at the mean length of their problem's samples
}

// Figures computes everything that a report says.
func (r *Record) Figures(o *IntervalOptions) (*Figures, error) {
	result := r.Result()
	f := &Figures{Run: r.Dir, Plan: r.Plan, Asked: len(r.Questions), Regraded: len(r.Gradings)}
	var err error
	if f.Summary, err = result.summariseAny(o); err != nil {
		return nil, err
	}
	if err := f.addMeasures(result, o); err != nil {
		return nil, err
	}
	f.addTraces(result)
	f.addMissing(result)
	f.Cost = r.cost(result)
	if f.BySubject, err = parts(result, func(p *ProblemResult) string { return p.Subject }, o); err != nil {
		return nil, err
	}
	if f.ByLevel, err = parts(result, func(p *ProblemResult) string { return p.Level }, o); err != nil {
		return nil, err
	}
	if b, err := LookupBenchmark(r.Plan.Benchmark); err == nil {
		f.Published = publishedFor(b.Published)
		f.Deviates = Deviations(&r.Plan, &b)
	}
	return f, nil
}

// publishedFor are the figures of a benchmark, "" for none.
func publishedFor(benchmark string) []Published {
	if benchmark == "" {
		return nil
	}
	return FindPublished("", benchmark, "")
}

// noEstimate stands for a measure that no problem has.
func noEstimate(r *Result) Estimate {
	return Estimate{Value: nan, StandardError: nan, Low: math.Inf(-1), High: math.Inf(1), Dropped: len(r.Problems)}
}

// hasJudged says whether any problem has so many judged samples.
func (r *Result) hasJudged(k int) bool {
	return slices.ContainsFunc(r.Problems, func(p ProblemResult) bool { return p.Judged >= k })
}

// summariseAny is Summarise, but a result without a judged answer has no pass@1 rather than an error.
func (r *Result) summariseAny(o *IntervalOptions) (Summary, error) {
	if r.hasJudged(1) {
		return r.Summarise(o)
	}
	s := Summary{PassAt1: noEstimate(r)}
	for _, p := range r.Problems {
		s.Answers += p.Generated
		s.Unjudged += p.Generated
	}
	return s, nil
}

// steps are 1, 2, 4 ... and n itself.
func steps(n int) []int {
	var list []int
	for k := 1; k < n; k *= 2 {
		list = append(list, k)
	}
	return append(list, n)
}

func (f *Figures) addMeasures(r *Result, o *IntervalOptions) error {
	most := r.Samples
	if r.Passes > 0 {
		most = r.Passes
	}
	for _, k := range steps(most) {
		e := noEstimate(r)
		if r.hasJudged(k) {
			var err error
			if e, err = r.PassAt(k, o); err != nil {
				return err
			}
		}
		f.PassAt = append(f.PassAt, AtK{k, e})
	}
	for _, k := range steps(r.Samples) {
		hasVotes := func(p ProblemResult) bool { return k == r.Samples && p.IsDecided || !p.IsDecided && len(p.Votes) >= k }
		if k == 1 || f.Plan.Kind == Code || !slices.ContainsFunc(r.Problems, hasVotes) {
			continue // one vote is pass@1, and programs do not vote
		}
		e, err := r.ConsensusAt(k, o)
		if err != nil {
			return err
		}
		f.ConsAt = append(f.ConsAt, AtK{k, e})
	}
	return nil
}

// lengths gathers one length of every sample.
type lengths struct{ right, wrong []int }

func (l *lengths) add(isRight bool, n int) {
	if isRight {
		l.right = append(l.right, n)
	} else {
		l.wrong = append(l.wrong, n)
	}
}

func (l *lengths) parts(unit string) Parts {
	return Parts{Unit: unit, All: describe(slices.Concat(l.right, l.wrong)), Right: describe(l.right), Wrong: describe(l.wrong)}
}

// addTraces counts what the samples' texts are like.
func (f *Figures) addTraces(r *Result) {
	var thoughtTokens, answerTokens, thoughtBytes, answerBytes, replyBytes lengths
	isSplit, isCounted, n := false, false, 0.0
	share := func(x *float64, is bool) {
		if is {
			*x++
		}
	}
	for _, p := range r.Problems {
		for _, t := range p.Traces {
			n++
			isRight := t.Outcome == verify.Right
			isSplit, isCounted = isSplit || t.ThoughtTokens > 0, isCounted || t.Tokens > 0
			replyBytes.add(isRight, t.ThoughtBytes+t.AnswerBytes)
			thoughtTokens.add(isRight, t.ThoughtTokens)
			answerTokens.add(isRight, t.Tokens-t.ThoughtTokens)
			thoughtBytes.add(isRight, t.ThoughtBytes)
			answerBytes.add(isRight, t.AnswerBytes)
			share(&f.Rates.Truncated, t.IsTruncated)
			share(&f.Rates.Unclosed, t.IsUnclosed)
			share(&f.Rates.Thoughtless, t.IsThoughtless)
			share(&f.Rates.Unboxed, t.IsUnboxed)
			share(&f.Rates.Loops, t.IsLoop)
			share(&f.Rates.Undecidable, t.Outcome == verify.Unknown)
		}
		f.Rates.Unanswered += float64(p.Generated - p.Formed)
	}
	for _, x := range []*float64{&f.Rates.Truncated, &f.Rates.Unclosed, &f.Rates.Thoughtless, &f.Rates.Unboxed, &f.Rates.Loops, &f.Rates.Undecidable, &f.Rates.Unanswered} {
		*x /= max(n, 1)
	}
	f.Reply = replyBytes.parts("byte")
	if isCounted {
		f.Reply = Parts{Unit: "token", All: f.All, Right: f.Right, Wrong: f.Wrong}
	}
	f.Thought, f.Answered = thoughtBytes.parts("byte"), answerBytes.parts("byte")
	if isSplit {
		f.Thought, f.Answered = thoughtTokens.parts("token"), answerTokens.parts("token")
	}
}

// addMissing counts what is not there, and what an early end of votes has spared.
func (f *Figures) addMissing(r *Result) {
	var vote VoteCost
	for _, p := range r.Problems {
		tokens := 0
		for _, n := range p.Lengths {
			tokens += n
		}
		vote.Drawn += p.Generated
		vote.Tokens += tokens
		switch left := r.Samples - p.Generated; {
		case p.IsRefused:
			f.Refused++
			continue
		case p.IsDecided:
			vote.Decided++
			vote.Saved += tokens * left / max(p.Generated, 1)
		default:
			f.Missing += left
		}
		vote.Samples += r.Samples
	}
	if f.Plan.Votes != nil {
		f.Vote = &vote
	}
}

func (r *Record) cost(result *Result) Cost {
	c := Cost{PromptTokens: r.PromptRun, Seconds: r.Seconds}
	for _, p := range result.Problems {
		for i, n := range p.Lengths {
			c.Tokens += n
			if p.RightOnes[i] {
				c.Right++
			}
		}
	}
	if price := r.Plan.Price; price != nil {
		sum := (price.Prompt*float64(c.PromptTokens) + price.Reply*float64(c.Tokens)) / 1e6
		c.Price = &sum
	}
	if !math.IsNaN(r.Joules) {
		joules := r.Joules
		c.Joules = &joules
	}
	return c
}

// Each divides an amount by the right samples; false if there is none.
func (c *Cost) Each(amount float64) (float64, bool) {
	if c.Right == 0 {
		return nan, false
	}
	return amount / float64(c.Right), true
}

// parts breaks a result down by a property of its problems, in the order of the names; nothing if no problem has it.
func parts(r *Result, nameOf func(*ProblemResult) string, o *IntervalOptions) ([]Part, error) {
	by := map[string]*Result{}
	var names []string
	for i := range r.Problems {
		name := nameOf(&r.Problems[i])
		if by[name] == nil {
			by[name] = &Result{Task: r.Task + ", " + name, Samples: r.Samples, Passes: r.Passes}
			names = append(names, name)
		}
		by[name].Problems = append(by[name].Problems, r.Problems[i])
	}
	if len(names) == 1 && names[0] == "" {
		return nil, nil
	}
	slices.SortFunc(names, byNumber)
	var list []Part
	for _, name := range names {
		s, err := by[name].summariseAny(o)
		if err != nil {
			return nil, fmt.Errorf("eval: %w", err)
		}
		list = append(list, Part{Name: name, Problems: len(by[name].Problems), PassAt1: s.PassAt1, Tokens: s.All.Mean})
	}
	return list, nil
}

// byNumber orders "Level 2" before "Level 10".
func byNumber(a, b string) int {
	if len(a) != len(b) && strings.TrimRight(a, "0123456789") == strings.TrimRight(b, "0123456789") {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
