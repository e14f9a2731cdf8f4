package eval

import (
	"errors"
	"fmt"
	"math"

	"github.com/retort-ml/retort/verify"
)

// longCanonical is the length from which a canonical form may have been cut, so that equal ones prove nothing.
const longCanonical = 240

// ballot gathers the votes on one question, sample by sample. Answers that are equivalent are one group: a vote joins the
// first group whose canonical form is its own, else the first whose first answer is the same by the judge of the question
// (verify.Equal), else it founds a group. The group's canonical name and its verdict are those of its first answer, so
// later votes change nothing about it. Answers that could not be judged do not vote, and count as drawn.
type ballot struct {
	question *Question
	groups   []group
	byName   map[string]int // canonical form to group
	votes    []Vote
}

type group struct {
	answer  string // of its first vote, as it was written
	name    string
	isRight bool
	votes   int
}

func newBallot(q *Question) *ballot { return &ballot{question: q, byName: map[string]int{}} }

func (b *ballot) add(s *Sample) {
	if s.Verdict.Outcome == verify.Unknown {
		return
	}
	if s.Answer == "" {
		b.votes = append(b.votes, Vote{})
		return
	}
	g := b.find(s)
	b.groups[g].votes++
	b.votes = append(b.votes, Vote{Answer: b.groups[g].name, Votes: true, Right: b.groups[g].isRight})
}

func (b *ballot) find(s *Sample) int {
	canonical := s.Verdict.Answer
	isShort := canonical != "" && len(canonical) < longCanonical
	if at, ok := b.byName[canonical]; ok && isShort {
		return at
	}
	for i := range b.groups {
		if b.question.same(b.groups[i].answer, s.Answer) {
			return i
		}
	}
	g := group{answer: s.Answer, name: s.Answer, isRight: s.Verdict.Outcome == verify.Right}
	if isShort {
		g.name = canonical
		b.byName[canonical] = len(b.groups)
	}
	// Two groups of one name would be one in the count.
	for i := range b.groups {
		if b.groups[i].name == g.name {
			g.name = fmt.Sprintf("%s (%d)", g.name, len(b.groups)+1)
			break
		}
	}
	b.groups = append(b.groups, g)
	return len(b.groups) - 1
}

// leaders are the votes of the two largest groups.
func (b *ballot) leaders() (first, second int) {
	for _, g := range b.groups {
		switch {
		case g.votes > first:
			first, second = g.votes, first
		case g.votes > second:
			second = g.votes
		}
	}
	return first, second
}

// Stopping says when a vote of many samples need not be finished; the zero value: never.
type Stopping struct {
	// Confidence 1 stops when the vote cannot change any more: the leader is ahead by more than what is left. Below 1 it
	// also stops when the leader is the more likely one of the two largest groups with at least this probability.
	Confidence float64 `json:"confidence"`
	// Round samples are drawn of each undecided problem before its vote is looked at; 0 means 4.
	Round int `json:"round"`
}

func (s *Stopping) resolve() error {
	if s.Round == 0 {
		s.Round = 4
	}
	if !(s.Confidence > 0.5 && s.Confidence <= 1) || s.Round < 1 {
		return errors.New("votes: want a confidence above 0.5 to 1 and rounds of at least 1 sample")
	}
	return nil
}

// Decides says whether a vote with these two largest groups is over when remaining samples are left to draw.
func (s *Stopping) Decides(first, second, remaining int) bool {
	if first-second > remaining {
		return true
	}
	return s.Confidence < 1 && first > second && LeaderProbability(first, second) >= s.Confidence
}

// LeaderProbability is the posterior probability that the answer with first votes is the more frequent one of the two in
// the long run, from a uniform prior (Aggarwal et al. 2023, Adaptive-Consistency, arXiv:2305.11860, the Beta criterion):
//
//	P(p > 1/2), p ~ Beta(first+1, second+1) = P(X <= first), X ~ Binomial(first+second+1, 1/2)
func LeaderProbability(first, second int) float64 {
	if first < 0 || second < 0 {
		return math.NaN()
	}
	n := float64(first + second + 1)
	logFactorial := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	sum := 0.0
	for j := range first + 1 {
		x := float64(j)
		sum += math.Exp(logFactorial(n) - logFactorial(x) - logFactorial(n-x) - n*math.Ln2)
	}
	return min(sum, 1)
}
