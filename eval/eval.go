// Package eval runs tasks on a Generator and reports pass@1, cons@k and their error bars beside published numbers.
//
// It does not judge answers (package task does), and it does not choose among
// models: a result with its interval is all it gives. A greedy or single answer
// is not what the published figures are made of, so the defaults are DeepSeek's:
// several answers at temperature 0.6. The published protocol also cuts to top-p
// 0.95, which this version does not.
//
// Invariants: an answer depends on the model, the problem and the seed, never
// on the other problems of the run; an answer that cannot be judged is dropped
// and counted, never wrong; pass@k and cons@k for more answers than were judged
// are refused, never guessed; intervals draw whole clusters of problems.
package eval

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/verify"
)

// Options say how answers are sampled; nil and the zero value are fine.
type Options struct {
	Samples     int      // per problem; 0 means 8
	Temperature float32  // 0 means 0.6
	Greedy      bool     // the likeliest token each time; one sample, and R1-like models tend to loop
	MaxTokens   int      // of an answer; 0 means as many as the context holds
	Stop        []string // texts that end an answer
	StopTokens  []int32  // tokens that end an answer
	Seed        uint64   // of the run
	Batch       int      // problems handed to the Generator at a time; 0 means 64

	// Canonical returns the answer of a reply in a form in which equal answers are
	// equal texts, for cons@k; false for a reply that does not answer. Nil means
	// the text of the one answer after the thought, without spaces; giving up is
	// no answer.
	Canonical func(p task.Problem, completion string) (answer string, ok bool)
	// OnSample is called with every sample in order, for a record of the run. Its
	// error ends the run. Nil is fine.
	OnSample func(Sample) error
}

// Sample is one judged answer.
type Sample struct {
	Problem  string              `json:"problem"` // its id
	Sample   int                 `json:"sample"`
	Seed     engine.Seed         `json:"seed"`
	Text     string              `json:"text"`
	Tokens   int                 `json:"tokens"`
	Finish   engine.FinishReason `json:"finish"`
	Verdict  verify.Verdict      `json:"verdict"`
	IsFormed bool                `json:"is_formed"` // in the task's format
	Answer   string              `json:"answer,omitempty"`
}

// ProblemResult is what became of one problem.
type ProblemResult struct {
	ID        string `json:"id"`
	Group     string `json:"group"` // its cluster
	Generated int    `json:"generated"`
	Judged    int    `json:"judged"` // the others could not be judged
	Right     int    `json:"right"`  // of the judged
	Formed    int    `json:"formed"` // in the task's format, of the generated
	Truncated int    `json:"truncated"`
	Votes     []Vote `json:"votes"`        // of the judged
	Lengths   []int  `json:"lengths"`      // tokens of every generated answer
	RightOnes []bool `json:"right_answer"` // of every generated answer
}

// Result is what a run found.
type Result struct {
	Task        string          `json:"task"`
	Samples     int             `json:"samples"`
	Temperature float32         `json:"temperature"` // 0 for greedy
	MaxTokens   int             `json:"max_tokens"`
	Seed        uint64          `json:"seed"`
	Problems    []ProblemResult `json:"problems"`
}

func (o *Options) resolved() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Samples == 0 {
		r.Samples = 8
		if r.Greedy {
			r.Samples = 1
		}
	}
	if r.Batch == 0 {
		r.Batch = 64
	}
	if r.Canonical == nil {
		r.Canonical = canonicalText
	}
	if r.Temperature == 0 && !r.Greedy {
		r.Temperature = 0.6
	}
	var faults []error
	if r.Samples < 1 || r.Batch < 1 || r.MaxTokens < 0 {
		faults = append(faults, fmt.Errorf("options: samples %d, batch %d, max tokens %d: want positive numbers", r.Samples, r.Batch, r.MaxTokens))
	}
	if !(r.Temperature >= 0) {
		faults = append(faults, fmt.Errorf("options: temperature %v: want at least 0", r.Temperature))
	}
	if r.Greedy && (r.Samples > 1 || r.Temperature != 0) {
		faults = append(faults, errors.New("options: greedy answers are all the same: want one sample and no temperature"))
	}
	return r, errors.Join(faults...)
}

// canonicalText is the answer after the thought without its white space.
func canonicalText(_ task.Problem, completion string) (string, bool) {
	_, answer, err := behaviour.Split(completion)
	if err != nil || answer == behaviour.GiveUp {
		return "", false
	}
	return withoutSpaces(answer), true
}

func withoutSpaces(text string) string {
	kept := make([]rune, 0, len(text))
	for _, r := range text {
		if r != ' ' && r != '\t' && r != '\n' && r != '\r' {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

// Run samples answers to the problems of a task and judges them. When ctx is
// cancelled, or on any other error, it returns the problems that were finished
// beside the error.
func Run(ctx context.Context, g llm.Generator, t task.Task, problems []task.Problem, o *Options) (*Result, error) {
	options, err := o.resolved()
	if err == nil && len(problems) == 0 {
		err = errors.New("no problems")
	}
	if err != nil {
		return nil, fmt.Errorf("eval: %s: %w", t.Name(), err)
	}
	result := &Result{Task: t.Name(), Samples: options.Samples, Temperature: options.Temperature, MaxTokens: options.MaxTokens, Seed: options.Seed}
	for begin := 0; begin < len(problems); begin += options.Batch {
		batch := problems[begin:min(begin+options.Batch, len(problems))]
		if err := runBatch(ctx, g, t, batch, &options, result); err != nil {
			return result, fmt.Errorf("eval: %s: %w", t.Name(), err)
		}
	}
	return result, nil
}

// seedOf makes a problem's random numbers its own, whatever stands beside it.
func seedOf(run uint64, p task.Problem) engine.Seed {
	hash := fnv.New64a()
	hash.Write([]byte(p.ID))
	return engine.Seed{Run: run, Problem: hash.Sum64()}
}

func runBatch(ctx context.Context, g llm.Generator, t task.Task, batch []task.Problem, o *Options, result *Result) error {
	prompts := make([]llm.Prompt, len(batch))
	for i, p := range batch {
		prompts[i] = llm.Prompt{Text: p.Prompt, MaxTokens: o.MaxTokens, Temperature: o.Temperature, Stop: o.Stop,
			StopTokens: o.StopTokens, Seed: seedOf(o.Seed, p), Samples: o.Samples}
	}
	replies, err := g.Generate(ctx, prompts)
	if err != nil {
		return err
	}
	if len(replies) != len(batch)*o.Samples {
		return fmt.Errorf("generator: got %d replies, want %d", len(replies), len(batch)*o.Samples)
	}
	for i, p := range batch {
		pr := ProblemResult{ID: p.ID, Group: p.Group}
		for j, reply := range replies[i*o.Samples : (i+1)*o.Samples] {
			if reply.Prompt != i || reply.Sample != j {
				return fmt.Errorf("generator: reply to prompt %d sample %d, want %d %d", reply.Prompt, reply.Sample, i, j)
			}
			sample := judge(t, p, reply, o)
			sample.Seed = prompts[i].Seed
			sample.Seed.Sample += uint64(j)
			pr.count(sample)
			if o.OnSample == nil {
				continue
			}
			if err := o.OnSample(sample); err != nil {
				return err
			}
		}
		result.Problems = append(result.Problems, pr)
	}
	return nil
}

func judge(t task.Task, p task.Problem, reply llm.Reply, o *Options) Sample {
	reward, verdict := task.Score(t, p, reply.Text)
	s := Sample{Problem: p.ID, Sample: reply.Sample, Text: reply.Text, Tokens: len(reply.Tokens), Finish: reply.Finish,
		Verdict: verdict, IsFormed: reward.Format == 1}
	if answer, ok := o.Canonical(p, reply.Text); ok {
		s.Answer = answer
	}
	return s
}

func (pr *ProblemResult) count(s Sample) {
	isRight := s.Verdict.Outcome == verify.Right
	pr.Generated++
	pr.Lengths = append(pr.Lengths, s.Tokens)
	pr.RightOnes = append(pr.RightOnes, isRight)
	if s.IsFormed {
		pr.Formed++
	}
	if s.Finish == engine.FinishLength {
		pr.Truncated++
	}
	if s.Verdict.Outcome == verify.Unknown {
		return
	}
	pr.Judged++
	if isRight {
		pr.Right++
	}
	pr.Votes = append(pr.Votes, Vote{Answer: s.Answer, Votes: s.Answer != "", Right: isRight})
}
