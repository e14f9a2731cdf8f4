package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// PassAtK is the unbiased estimate of the probability that at least one of k
// answers is right, from n answers of which right are (Chen et al. 2021,
// arXiv:2107.03374, equation 1):
//
//	1 - C(n-right, k) / C(n, k)
//
// k beyond n cannot be estimated and is an error.
func PassAtK(n, right, k int) (float64, error) {
	if n < 0 || right < 0 || right > n {
		return 0, fmt.Errorf("eval: pass@%d: got %d right of %d answers", k, right, n)
	}
	if k < 1 || k > n {
		return 0, fmt.Errorf("eval: pass@%d: got %d answers, want 1 <= k <= answers", k, n)
	}
	if k > n-right {
		return 1, nil
	}
	// C(n-right,k)/C(n,k) as a product whose factors are all within [0,1].
	allWrong := 1.0
	for i := n - right + 1; i <= n; i++ {
		allWrong *= 1 - float64(k)/float64(i)
	}
	return 1 - allWrong, nil
}

// Vote is one answer's part in a majority.
type Vote struct {
	Answer string `json:"answer"` // in a canonical form: equal answers are equal texts
	Votes  bool   `json:"votes"`  // false for a reply without an answer
	Right  bool   `json:"right"`
}

// consensusDraws is how many random subsets stand for all subsets of k votes.
const consensusDraws = 400

// ConsensusAtK estimates the probability that the most frequent answer among k
// is right (cons@k, maj@k; Wang et al. 2022, arXiv:2203.11171). Replies without
// an answer do not vote; without any vote it is wrong. Among answers that are
// equally frequent each is chosen with the same probability, and the result is
// the expected value. An answer some of whose votes are right, because the
// canonical form is coarser than the judge, counts with their share.
//
// With k = len(votes) the result is exact; below, it is the mean over 400
// random subsets drawn with seed.
func ConsensusAtK(votes []Vote, k int, seed uint64) (float64, error) {
	if k < 1 || k > len(votes) {
		return 0, fmt.Errorf("eval: cons@%d: got %d answers, want 1 <= k <= answers", k, len(votes))
	}
	if k == len(votes) {
		return consensus(votes), nil
	}
	random := rand.New(rand.NewPCG(seed, uint64(k)))
	shuffled := slices.Clone(votes)
	sum := 0.0
	for range consensusDraws {
		// The first k places of a Fisher-Yates shuffle are a random subset.
		for i := range k {
			j := i + random.IntN(len(shuffled)-i)
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		}
		sum += consensus(shuffled[:k])
	}
	return sum / consensusDraws, nil
}

// consensus is the expected share of right among the most frequent answers.
func consensus(votes []Vote) float64 {
	type tally struct{ votes, right int }
	tallies := make(map[string]tally)
	most := 0
	for _, v := range votes {
		if !v.Votes {
			continue
		}
		t := tallies[v.Answer]
		t.votes++
		if v.Right {
			t.right++
		}
		tallies[v.Answer] = t
		most = max(most, t.votes)
	}
	if most == 0 {
		return 0
	}
	// All tallies here have the same number of votes, so integers keep the sum
	// independent of the map's order.
	winners, right := 0, 0
	for _, t := range tallies {
		if t.votes == most {
			winners++
			right += t.right
		}
	}
	return float64(right) / float64(winners*most)
}
