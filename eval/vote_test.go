package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/verify"
)

func TestEquivalentAnswersVoteTogether(t *testing.T) {
	q := &Question{ID: "q", Kind: Maths, Gold: "1/2"}
	b := newBallot(q)
	for _, answer := range []string{"\\frac{1}{2}", "0.5", "2", "\\frac{2}{4}", "", "1.999", "2.0", "\\sqrt{4}", "\\sin 30^\\circ"} {
		text := ""
		if answer != "" {
			text = "\\boxed{" + answer + "}"
		}
		b.add(q.sample(&llm.Reply{Text: text, Finish: engine.FinishStop}, nil))
	}
	first, second := b.leaders()
	if first != 4 || second != 3 || len(b.groups) != 3 || len(b.votes) != 9 {
		t.Errorf("leaders %d and %d, groups %+v", first, second, b.groups)
	}
	if got := consensus(b.votes); got != 1 {
		t.Errorf("cons@9 is %v, want 1", got)
	}
	b = newBallot(q)
	for range 3 {
		b.add(&Sample{Answer: "7"}) // Unknown
	}
	if first, _ := b.leaders(); first != 0 || len(b.votes) != 0 {
		t.Errorf("what cannot be judged votes: %+v", b)
	}
}

// Answers too long for their canonical form to be whole must not be equal by it.
func TestCutCanonicalFormsDoNotJoinAnswers(t *testing.T) {
	q := &Question{ID: "q", Kind: Maths, Gold: "1"}
	b := newBallot(q)
	long := strings.Repeat("12345", 80)
	for _, answer := range []string{long + "1", long + "2", long + "1"} {
		b.add(q.sample(&llm.Reply{Text: "\\boxed{" + answer + "}", Finish: engine.FinishStop}, nil))
	}
	if first, second := b.leaders(); first != 2 || second != 1 {
		t.Errorf("leaders %d and %d, want 2 and 1", first, second)
	}
}

func TestLeaderProbability(t *testing.T) {
	for _, c := range []struct {
		first, second int
		want          float64
	}{{0, 0, 0.5}, {1, 0, 0.75}, {3, 0, 0.9375}, {4, 0, 0.96875}, {5, 5, 0.5}, {2, 1, 0.6875}} {
		if got := LeaderProbability(c.first, c.second); !near(got, c.want, 1e-12) {
			t.Errorf("%d against %d: %v, want %v", c.first, c.second, got, c.want)
		}
	}
	// Against the integral of the Beta density above one half.
	for _, c := range [][2]int{{7, 3}, {20, 11}, {40, 24}} {
		density := func(p float64) float64 {
			return math.Pow(p, float64(c[0])) * math.Pow(1-p, float64(c[1]))
		}
		above, all := 0.0, 0.0
		const n = 200000
		for i := range n {
			p := (float64(i) + 0.5) / n
			all += density(p)
			if p > 0.5 {
				above += density(p)
			}
		}
		if got := LeaderProbability(c[0], c[1]); !near(got, above/all, 1e-7) {
			t.Errorf("%v: %v, the integral is %v", c, got, above/all)
		}
	}
	if !math.IsNaN(LeaderProbability(-1, 0)) {
		t.Error("negative votes")
	}
}

// A vote that ends at the exact bound has the winner of the full vote, whatever would have come.
func TestExactBoundNeverChangesTheWinner(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	exact := Stopping{Confidence: 1, Round: 1}
	stopped, spared := 0, 0
	for range 3000 {
		k := 1 + random.IntN(24)
		kinds := 1 + random.IntN(5)
		full := make([]Sample, k)
		for i := range full {
			full[i] = Sample{Sample: i, Verdict: verify.Verdict{Outcome: verify.Wrong}}
			switch v := random.IntN(kinds + 2); {
			case v == kinds: // no answer
			case v > kinds:
				full[i].Verdict.Outcome = verify.Unknown
				full[i].Answer = "9"
			default:
				full[i].Answer = []string{"1", "2", "3", "4", "5"}[min(v, random.IntN(kinds))]
				if random.IntN(2) == 0 && full[i].Answer != "" {
					full[i].Answer += ".0"
				}
				full[i].Verdict.Answer = full[i].Answer[:1]
				if full[i].Answer[:1] == "1" {
					full[i].Verdict.Outcome = verify.Right
				}
			}
		}
		q := &Question{Kind: Maths, Gold: "1"}
		early, whole := newBallot(q), newBallot(q)
		isStopped := false
		for i := range full {
			whole.add(&full[i])
			if !isStopped {
				early.add(&full[i])
				first, second := early.leaders()
				if isStopped = exact.Decides(first, second, k-i-1); isStopped && i+1 < k {
					stopped++
					spared += k - i - 1
				}
			}
		}
		if got, want := consensus(early.votes), consensus(whole.votes); isStopped && got != want {
			t.Fatalf("stopped vote %v, full vote %v: %+v", got, want, full)
		}
	}
	if stopped < 500 || spared < 1000 {
		t.Errorf("%d votes ended early and spared %d samples: too few to prove anything", stopped, spared)
	}
}

// The same through the whole evaluation: cons@k of the run that stops is that of the run that does not, for every problem.
func TestStoppedRunHasTheFullVote(t *testing.T) {
	questions := sumQuestions(t, 40)
	for seed := range uint64(4) {
		p := sumPlan()
		p.Samples, p.Seed = 15, seed
		full, err := evaluate(t, t.Context(), filepath.Join(t.TempDir(), "full"), p, questions, &drawer{reply: sums}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for round := 1; round <= 4; round++ {
			p.Votes = &Stopping{Confidence: 1, Round: round}
			early, err := evaluate(t, t.Context(), filepath.Join(t.TempDir(), fmt.Sprint(round)), p, questions, &drawer{reply: sums}, 0)
			if err != nil {
				t.Fatal(err)
			}
			a, b := full.Result(), early.Result()
			for i := range a.Problems {
				if x, y := consensus(a.Problems[i].Votes), consensus(b.Problems[i].Votes); x != y {
					t.Errorf("seed %d, round %d, %s: full vote %v, stopped vote %v", seed, round, a.Problems[i].ID, x, y)
				}
			}
			x, errX := a.ConsensusAt(15, nil)
			y, errY := b.ConsensusAt(15, nil)
			if x != y || errX != nil || errY != nil || early.Count() >= full.Count() {
				t.Errorf("seed %d, round %d: cons@15 %+v and %+v, %d and %d samples (%v %v)", seed, round, x, y, full.Count(), early.Count(), errX, errY)
			}
			if _, err := b.PassAt(round+1, nil); err == nil {
				t.Errorf("pass@%d of a run whose votes end after %d", round+1, round)
			}
			if e, err := b.PassAt(1, nil); err != nil || e.Problems != 40 {
				t.Errorf("pass@1: %+v, %v", e, err)
			}
			for i, pr := range b.Problems {
				if pr.Judged > round {
					t.Errorf("%s: pass@1 counts %d samples, want the first %d", b.Problems[i].ID, pr.Judged, round)
				}
			}
		}
	}
}
