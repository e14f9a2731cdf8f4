package lab

import (
	"github.com/retort-ml/retort/behaviour"
	"github.com/retort-ml/retort/task"
)

// patience counts how traces go on after failures. A trace that ends with "ok" says nothing of how
// long it would have searched, so its length is no measure of patience: what is counted is, among
// the traces that have failed k times, how many make another attempt. (The mean of blind search over
// the realised lengths would punish a searcher for finding: blind search itself would beat it.)
type patience struct {
	most           int   // attempts that an answer can follow
	failed, wentOn []int // by k
}

// add counts one trace, up to the attempt after which the most tokens of an answer leave no room for an answer: a
// blind searcher has the same tokens. An attempt without the verdict "ok" is a failure; an answer, the end of the
// tokens or anything else after it is giving up.
func (p *patience) add(t *behaviour.Trace) {
	for k := 0; k <= len(t.Attempts) && k < p.most; k++ {
		if k > 0 && t.Attempts[k-1].Claim == behaviour.SaidOK {
			return
		}
		for len(p.failed) <= k {
			p.failed, p.wentOn = append(p.failed, 0), append(p.wentOn, 0)
		}
		p.failed[k]++
		if k < len(t.Attempts) {
			p.wentOn[k]++
		}
	}
}

func (p *patience) shares() []float64 {
	shares := make([]float64, len(p.failed))
	for k := range shares {
		shares[k] = float64(p.wentOn[k]) / float64(p.failed[k])
	}
	return shares
}

// blindSearch is the probability that a searcher that draws different attempts blindly, and makes
// another one after k failures with probability patience[k], finds a solution.
func blindSearch(o task.Odds, patience []float64) float64 {
	searching, found := 1.0, 0.0
	for k, goOn := range patience {
		left := o.Attempts - k
		if left <= 0 {
			break
		}
		searching *= goOn
		hit := min(1, float64(o.Solving)/float64(left))
		found += searching * hit
		searching *= 1 - hit
	}
	return found
}
