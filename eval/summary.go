package eval

import (
	"fmt"
	"math"
	"slices"
)

// PassAt estimates pass@k over the problems, with k answers each. Problems with
// fewer judged answers than k are dropped and counted.
func (r *Result) PassAt(k int, o *IntervalOptions) (Estimate, error) {
	most := r.Samples
	if r.Passes > 0 {
		most = r.Passes
	}
	return r.overProblems(fmt.Sprintf("pass@%d", k), k, most, o, func(p *ProblemResult) (float64, error) {
		if p.Judged < k {
			return math.NaN(), nil
		}
		return PassAtK(p.Judged, p.Right, k)
	})
}

// ConsensusAt estimates cons@k over the problems. Problems with fewer judged
// answers than k are dropped and counted, unless their vote was decided before
// and k is the number of samples that it was about.
func (r *Result) ConsensusAt(k int, o *IntervalOptions) (Estimate, error) {
	return r.overProblems(fmt.Sprintf("cons@%d", k), k, r.Samples, o, func(p *ProblemResult) (float64, error) {
		switch {
		case p.IsDecided && k == r.Samples:
			return consensus(p.Votes), nil
		case len(p.Votes) < k || p.IsDecided:
			return math.NaN(), nil
		}
		return ConsensusAtK(p.Votes, k, r.Seed)
	})
}

func (r *Result) overProblems(what string, k, most int, o *IntervalOptions, score func(*ProblemResult) (float64, error)) (Estimate, error) {
	if k < 1 || k > most {
		return Estimate{}, fmt.Errorf("eval: %s: %s: got %d samples per problem, want 1 <= k <= samples", r.Task, what, most)
	}
	values := make([]float64, len(r.Problems))
	for i := range r.Problems {
		var err error
		if values[i], err = score(&r.Problems[i]); err != nil {
			return Estimate{}, err
		}
	}
	e, err := estimate(values, nil, r.Clusters(), o)
	if err != nil {
		return Estimate{}, fmt.Errorf("eval: %s: %s: %w", r.Task, what, err)
	}
	return e, nil
}

// Rates returns the share of right among the judged answers of each problem,
// NaN where none could be judged: the input of [Mean] and [PairedDifference].
func (r *Result) Rates() []float64 {
	rates := make([]float64, len(r.Problems))
	for i, p := range r.Problems {
		rates[i] = float64(p.Right) / float64(p.Judged) // 0/0 is NaN
	}
	return rates
}

// Clusters returns the cluster of each problem.
func (r *Result) Clusters() []string {
	clusters := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		clusters[i] = p.Group
	}
	return clusters
}

// Difference estimates how much more often r is right than base, which must be
// a result on the same problems in the same order.
func (r *Result) Difference(base *Result, o *IntervalOptions) (Estimate, error) {
	if len(r.Problems) != len(base.Problems) {
		return Estimate{}, fmt.Errorf("eval: difference: got %d and %d problems, want the same", len(r.Problems), len(base.Problems))
	}
	for i := range r.Problems {
		if r.Problems[i].ID != base.Problems[i].ID {
			return Estimate{}, fmt.Errorf("eval: difference: problem %d: got %s and %s, want the same", i, r.Problems[i].ID, base.Problems[i].ID)
		}
	}
	return PairedDifference(r.Rates(), base.Rates(), r.Clusters(), o)
}

// SamplingError is the standard error of pass@1 at these very problems, from
// sampling few answers to each; [Estimate.StandardError] is about other problems
// like these, and contains it.
//
//	sqrt(sum_i p_i (1-p_i) / (k_i - 1)) / n
//
// Dividing by k_i - 1 makes each term unbiased. It is NaN when a problem has
// only one judged answer.
func (r *Result) SamplingError() float64 {
	sum, n := 0.0, 0
	for _, p := range r.Problems {
		if p.Judged == 0 {
			continue
		}
		if p.Judged == 1 {
			return math.NaN()
		}
		rate := float64(p.Right) / float64(p.Judged)
		sum += rate * (1 - rate) / float64(p.Judged-1)
		n++
	}
	return math.Sqrt(sum) / float64(n)
}

// Lengths describes the lengths of answers in tokens.
type Lengths struct {
	Answers int     `json:"answers"`
	Mean    float64 `json:"mean"`
	Median  float64 `json:"median"`
	P95     float64 `json:"p95"`
}

// Summary is what a table prints of a result.
type Summary struct {
	PassAt1       Estimate `json:"pass_at_1"`
	SamplingError *float64 `json:"sampling_error"` // nil with one answer per problem
	Answers       int      `json:"answers"`
	Unjudged      int      `json:"unjudged"`  // answers that could not be judged
	Truncated     float64  `json:"truncated"` // share that ran out of tokens
	Formed        float64  `json:"formed"`    // share in the task's format
	All           Lengths  `json:"lengths"`
	Right         Lengths  `json:"lengths_right"`
	Wrong         Lengths  `json:"lengths_not_right"`
}

// Summarise counts a result's answers.
func (r *Result) Summarise(o *IntervalOptions) (Summary, error) {
	var s Summary
	var err error
	if s.PassAt1, err = r.PassAt(1, o); err != nil {
		return Summary{}, err
	}
	if sampling := r.SamplingError(); !math.IsNaN(sampling) {
		s.SamplingError = &sampling
	}
	var right, wrong []int
	for _, p := range r.Problems {
		s.Answers += p.Generated
		s.Unjudged += p.Generated - len(p.Votes) // one vote for each that was judged
		s.Truncated += float64(p.Truncated)
		s.Formed += float64(p.Formed)
		for i, length := range p.Lengths {
			if p.RightOnes[i] {
				right = append(right, length)
			} else {
				wrong = append(wrong, length)
			}
		}
	}
	s.Truncated /= float64(s.Answers)
	s.Formed /= float64(s.Answers)
	s.All, s.Right, s.Wrong = describe(slices.Concat(right, wrong)), describe(right), describe(wrong)
	return s, nil
}

func describe(lengths []int) Lengths {
	d := Lengths{Answers: len(lengths)}
	if len(lengths) == 0 {
		return d
	}
	values := make([]float64, len(lengths))
	for i, length := range lengths {
		values[i] = float64(length)
		d.Mean += values[i] / float64(len(lengths))
	}
	d.Median, d.P95 = percentile(values, 0.5), percentile(values, 0.95)
	return d
}
