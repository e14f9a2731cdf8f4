package eval

import "math"

var nan = math.NaN()

// Result counts what the record holds. Votes are grouped by equivalence. A problem that could not be asked has no
// samples and no rate; a sample that is missing is no sample.
func (r *Record) Result() *Result {
	p := &r.Plan
	result := &Result{Task: p.Title, Samples: p.Samples, Temperature: p.Temperature, MaxTokens: p.MaxTokens, Seed: p.Seed}
	if p.Votes != nil {
		result.Passes = min(p.Votes.Round, p.Samples)
	}
	for i := range r.Questions {
		result.Problems = append(result.Problems, r.problem(i, result.Passes))
	}
	return result
}

// problem counts one problem's samples in their order; passes > 0 are those that its rate is made of.
func (r *Record) problem(i, passes int) ProblemResult {
	q := &r.Questions[i]
	pr := ProblemResult{ID: q.ID, Group: q.Group, Subject: q.Subject, Level: q.Level, IsRefused: q.Refused != ""}
	b := newBallot(q)
	for j := range r.Plan.Samples {
		k, ok := r.samples[i][j]
		if !ok {
			continue
		}
		judged, right := pr.Judged, pr.Right
		pr.count(k.Sample)
		if passes > 0 && j >= passes {
			pr.Judged, pr.Right = judged, right
		}
		pr.Traces = append(pr.Traces, k.trace)
		b.add(&k.Sample)
	}
	pr.Votes = b.votes
	if v := r.Plan.Votes; v != nil && pr.Generated < r.Plan.Samples {
		first, second := b.leaders()
		pr.IsDecided = v.Decides(first, second, r.Plan.Samples-pr.Generated)
	}
	return pr
}
