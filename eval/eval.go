// Package eval runs tasks on a Generator and reports pass@1, cons@k and their error bars beside published numbers.
//
// It does not judge answers (packages verify and task do), and it does not choose
// among models: a result with its interval is all it gives. It holds no problem
// of a benchmark, only how each is asked, sampled and graded. A greedy or single
// answer is not what the published figures are made of, so the defaults are
// DeepSeek's: several answers at temperature 0.6.
//
// Invariants: a local answer depends on the model, the problem and the seed,
// never on the other problems of the run; an answer that cannot be judged is
// dropped and counted, never wrong; a sample that is missing is missing, never
// wrong; pass@k and cons@k for more answers than were judged are refused, never
// guessed; intervals draw whole clusters of problems; a run that was killed and
// resumed holds the same samples as one that was not.
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
	return engine.Seed{Run: run, Problem: hashOf(p.ID)}
}

func hashOf(id string) uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(id))
	return hash.Sum64()
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
