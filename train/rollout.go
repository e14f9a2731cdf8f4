package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/model"
)

// Rollouter samples answers; *engine.Engine is one, with keys and values in model.KVF32. It must read the weights that are trained.
type Rollouter interface {
	// Generate returns all samples of all requests, request after request.
	Generate(ctx context.Context, reqs []engine.Request) ([]engine.Result, error)
}

// sampler draws problems and samples their answers for the steps of a loop.
type sampler struct {
	*loop
	rollouter Rollouter
	problems  []Problem
	stream    stream
	options   RolloutOptions // resolved
	grade     Grader         // nil: no answer is judged
	rollout   time.Duration  // spent sampling in this step
}

// newSampler checks the problems and everything that sampling needs. Its loop is not yet set.
func newSampler(s *Setup, r Rollouter, problems []Problem, grade Grader, o RolloutOptions) (*sampler, string, error) {
	if r == nil {
		return nil, "", errors.New("train: rollouter: got none, want an engine over the model that is trained")
	}
	if e, ok := r.(*engine.Engine); ok && e.KV() != model.KVF32 {
		return nil, "", fmt.Errorf("train: rollouter: keys and values in %s, want %s: training computes with float32, and the log-probabilities would not be its own", e.KV(), model.KVF32)
	}
	if len(problems) == 0 {
		return nil, "", errors.New("train: problems: got none, want at least one")
	}
	c := s.Model.Config()
	f := newFingerprint()
	for i := range problems {
		p := &problems[i]
		if err := checkTokens(p.Prompt, c); err != nil {
			return nil, "", fmt.Errorf("train: problem %d: %w", p.ID, err)
		}
		if n := len(p.Prompt); n == 0 || n+o.MaxNewTokens > c.MaxPositions {
			return nil, "", fmt.Errorf("train: problem %d: prompt of %d tokens and rollout.max_new_tokens %d, want at least 1 and together at most the model's %d positions", p.ID, n, o.MaxNewTokens, c.MaxPositions)
		}
		f.add(p.Prompt, p.ID)
	}
	if len(o.Stop) == 0 && c.EOS >= 0 {
		o.Stop = []int32{c.EOS}
	}
	return &sampler{
		rollouter: r, problems: problems, options: o, grade: grade,
		stream: stream{n: len(problems), shuffle: o.Shuffle, seed: o.Seed},
	}, f.sum(), nil
}

// trainingSizes are the sizes of a training program that holds any of the sampler's answers.
func (s *sampler) trainingSizes(maxTokens int) *model.TrainingOptions {
	long, short := 0, 0
	for i := range s.problems {
		n := len(s.problems[i].Prompt)
		long = max(long, n+s.options.MaxNewTokens)
		if short == 0 || n < short {
			short = n
		}
	}
	maxTokens = max(long, min(maxTokens, long*s.options.Problems*s.options.Group))
	return &model.TrainingOptions{MaxTokens: maxTokens, MaxSequences: max(1, maxTokens/short)}
}

// sample asks the next count problems of the stream and judges the answers.
func (s *sampler) sample(ctx context.Context, count int) ([]group, error) {
	requests := make([]engine.Request, count)
	groups := make([]group, count)
	for i := range requests {
		p := &s.problems[s.stream.at(s.state.Position)]
		s.state.Position++
		groups[i] = group{problem: p, samples: make([]Sample, 0, s.options.Group)}
		requests[i] = engine.Request{
			Prompt: p.Prompt, MaxTokens: s.options.MaxNewTokens, Temperature: float32(s.options.Temperature),
			Stop: s.options.Stop, Samples: s.options.Group,
			// A problem that comes again is sampled with other numbers: those of its request.
			Seed: engine.Seed{Run: s.options.Seed, Problem: p.ID, Sample: (s.state.Requests + uint64(i)) * uint64(s.options.Group)},
		}
	}
	begin := time.Now()
	results, err := s.rollouter.Generate(ctx, requests)
	s.rollout += time.Since(begin)
	if err != nil {
		return nil, err
	}
	if len(results) != count*s.options.Group {
		return nil, fmt.Errorf("train: rollout: got %d answers, want %d problems x %d", len(results), count, s.options.Group)
	}
	for i := range results {
		r := &results[i]
		if r.Request != i/s.options.Group || len(r.Tokens) == 0 || len(r.LogProbs) != len(r.Tokens) {
			return nil, fmt.Errorf("train: rollout: answer %d: %d tokens with %d log-probabilities to request %d, want at least one, as many, and request %d", i, len(r.Tokens), len(r.LogProbs), r.Request, i/s.options.Group)
		}
		if r.DrawLogProbs != nil {
			return nil, fmt.Errorf("train: rollout: answer %d was drawn from a truncated or altered distribution, want the policy's own: leave out top-k, top-p, min-p, penalties, biases and constraints on tokens", i)
		}
		g := &groups[r.Request]
		g.samples = append(g.samples, s.judge(g.problem, r, s.state.Requests+uint64(r.Request)))
	}
	s.state.Requests += uint64(count)
	return groups, nil
}

// judge makes a sample of an engine's result.
func (s *sampler) judge(p *Problem, r *engine.Result, request uint64) Sample {
	sample := Sample{
		Step: s.state.Step + 1, Problem: p.ID, Request: request, Index: r.Sample,
		Truncated: r.Finish == engine.FinishLength, Tokens: r.Tokens, logProbs: r.LogProbs,
	}
	for _, l := range r.LogProbs {
		sample.LogProb += float64(l)
	}
	if s.setup.Decode != nil {
		sample.Text = s.setup.Decode(r.Tokens)
	}
	if s.grade != nil {
		sample.Reward = s.grade(p, r.Tokens, sample.Text)
	}
	return sample
}

// kept is how many of the groups' answers are recorded: the first ones.
func (s *sampler) kept(groups []group) int {
	n := 0
	for i := range groups {
		n += len(groups[i].samples)
	}
	if s.options.KeepSamples != 0 {
		n = min(n, max(0, s.options.KeepSamples))
	}
	return n
}

// result is what the step leaves behind, with the caller's own metrics.
func (s *sampler) result(v values, groups []group) stepResult {
	var samples []Sample
	sampled := int64(0)
	for i := range groups {
		samples = append(samples, groups[i].samples...)
	}
	for i := range samples {
		sampled += int64(len(samples[i].Tokens))
	}
	if s.setup.Observe != nil {
		v = append(v, s.setup.Observe(s.state.Step+1, samples)...)
	}
	r := stepResult{metrics: v, samples: samples[:s.kept(groups)], sampled: sampled, rollout: s.rollout}
	s.rollout = 0
	return r
}

// answer is a sampled answer as the trainer reads it.
type answer struct {
	sample     *Sample
	group      int       // of the step
	weight     float64   // of each token in the loss
	reference  []float32 // log-probabilities under the reference, nil until evaluated
	advantages []float64 // of each token; nil if they are all sample.Advantage
}

// sequenceOf joins prompt and answer; the answer's tokens are the targets.
func sequenceOf(p *Problem, s *Sample) sequence {
	tokens := make([]int32, 0, len(p.Prompt)+len(s.Tokens))
	tokens = append(append(tokens, p.Prompt...), s.Tokens...)
	return newSequence(tokens, len(p.Prompt), nil)
}
