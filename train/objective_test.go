package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// policyGolden is testdata/policy_golden.json: one batch, and what torch says of each loss over it.
type policyGolden struct {
	Group     int         `json:"group"`
	MaxTokens int         `json:"max_tokens"`
	Rewards   []float64   `json:"rewards"`
	LogProb   [][]float64 `json:"logprob"`
	Old       [][]float64 `json:"old"`
	Reference [][]float64 `json:"reference"`
	Variants  map[string]struct {
		Loss     float64     `json:"loss"`
		Gradient [][]float64 `json:"gradient"`
	} `json:"variants"`
}

func readPolicyGolden(t *testing.T) *policyGolden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "policy_golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	g := &policyGolden{}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func narrow(x []float64) []float32 {
	result := make([]float32, len(x))
	for i, v := range x {
		result[i] = float32(v)
	}
	return result
}

// evaluate returns the loss of the batch and its derivative by each token's log-probability, by the
// way that a step of GRPO goes.
func (g *policyGolden) evaluate(v Variant) (loss float64, gradient [][]float64) {
	r := &grpo{sampler: &sampler{}, variant: v}
	r.options.Rollout.MaxNewTokens = g.MaxTokens
	var groups []group
	for i, reward := range g.Rewards {
		if i%g.Group == 0 {
			groups = append(groups, group{problem: &Problem{Prompt: []int32{1}}})
		}
		last := &groups[len(groups)-1]
		last.samples = append(last.samples, Sample{
			Reward: Reward{Verdict: Wrong, Accuracy: reward}, Tokens: make([]int32, len(g.Old[i])), logProbs: narrow(g.Old[i]),
		})
	}
	r.list(groups)
	for i := range r.answers {
		r.answers[i].reference = narrow(g.Reference[i])
	}
	r.compare(groups)
	which := make([]int, len(r.answers))
	for i := range which {
		which[i] = i
	}
	r.weigh(which)
	for i, a := range r.answers {
		dlogp := make([]float32, len(g.LogProb[i]))
		terms := v.Loss(dlogp, &PolicySample{
			LogProb: narrow(g.LogProb[i]), Old: a.sample.logProbs, Reference: a.reference,
			Advantage: a.sample.Advantage, Advantages: a.advantages, TokenWeight: a.weight,
		})
		loss += terms.Loss
		wide := make([]float64, len(dlogp))
		for t, d := range dlogp {
			wide[t] = float64(d)
		}
		gradient = append(gradient, wide)
	}
	return loss, gradient
}

// TestPolicyLossesEqualTorch compares every row of the table, from rewards to dlogp, with an
// implementation of the papers in torch that is differentiated by autograd in float64.
func TestPolicyLossesEqualTorch(t *testing.T) {
	g := readPolicyGolden(t)
	for _, v := range Variants() {
		want, ok := g.Variants[v.Name]
		if !ok {
			t.Errorf("testdata/policy_golden.py does not know %s", v.Name)
			continue
		}
		loss, gradient := g.evaluate(v)
		near(t, v.Name+": loss", loss, want.Loss, 1e-9)
		for i := range gradient {
			for j := range gradient[i] {
				near(t, fmt.Sprintf("%s: dlogp[%d][%d]", v.Name, i, j), gradient[i][j], want.Gradient[i][j], 1e-7)
			}
		}
	}
}

// objectives are the losses as the papers write them, as functions of the new log-probabilities. at
// is where the gradient is taken: what the papers put behind a stop-gradient reads it.
var objectives = map[string]func(g *policyGolden, logp, at [][]float64) float64{
	"grpo": func(g *policyGolden, logp, at [][]float64) float64 {
		return g.meanOverAnswers(func(i int) float64 {
			sum := 0.0
			for t := range logp[i] {
				sum += ppo(logp[i][t]-g.Old[i][t], g.standard(i), 0.2, 0.2) + 0.04*k3(logp[i][t], g.Reference[i][t])
			}
			return sum / float64(len(logp[i]))
		})
	},
	"dr_grpo": func(g *policyGolden, logp, at [][]float64) float64 {
		return g.meanOverAnswers(func(i int) float64 {
			sum := 0.0
			for t := range logp[i] {
				sum += ppo(logp[i][t]-g.Old[i][t], g.Rewards[i]-g.mean(i), 0.2, 0.2)
			}
			return sum / float64(g.MaxTokens)
		})
	},
	"dapo": func(g *policyGolden, logp, at [][]float64) float64 {
		return g.meanOverTokens(func(i, t int) float64 { return ppo(logp[i][t]-g.Old[i][t], g.standard(i), 0.2, 0.28) })
	},
	"gspo": func(g *policyGolden, logp, at [][]float64) float64 {
		return g.meanOverAnswers(func(i int) float64 {
			sum := 0.0
			for t := range logp[i] {
				sum += logp[i][t] - g.Old[i][t]
			}
			return ppo(sum/float64(len(logp[i])), g.standard(i), 3e-4, 4e-4)
		})
	},
	"cispo": func(g *policyGolden, logp, at [][]float64) float64 {
		return g.meanOverTokens(func(i, t int) float64 {
			return -math.Min(5, math.Exp(at[i][t]-g.Old[i][t])) * g.standard(i) * logp[i][t]
		})
	},
	"rloo": func(g *policyGolden, logp, at [][]float64) float64 {
		returned := func(i int) float64 {
			r := g.Rewards[i]
			for t := range g.Old[i] {
				r -= 0.05 * (g.Old[i][t] - g.Reference[i][t])
			}
			return r
		}
		return g.meanOverAnswers(func(i int) float64 {
			first, others, sum := i/g.Group*g.Group, 0.0, 0.0
			for j := first; j < first+g.Group; j++ {
				if j != i {
					others += returned(j) / float64(g.Group-1)
				}
			}
			for t := range logp[i] {
				sum += logp[i][t]
			}
			return -(returned(i) - others) * sum
		})
	},
	"reinforce_pp": func(g *policyGolden, logp, at [][]float64) float64 {
		advantage := g.white(func(i, t int) float64 {
			a := g.Rewards[i]
			for s := t; s < len(g.Old[i]); s++ {
				a -= 0.001 * (g.Old[i][s] - g.Reference[i][s])
			}
			return a
		})
		return g.meanOverTokens(func(i, t int) float64 { return ppo(logp[i][t]-g.Old[i][t], advantage(i, t), 0.2, 0.2) })
	},
	"reinforce_pp_baseline": func(g *policyGolden, logp, at [][]float64) float64 {
		advantage := g.white(func(i, _ int) float64 { return g.Rewards[i] - g.mean(i) })
		return g.meanOverTokens(func(i, t int) float64 {
			d := logp[i][t] - g.Reference[i][t]
			return ppo(logp[i][t]-g.Old[i][t], advantage(i, t), 0.2, 0.2) + 1e-4*d*d/2
		})
	},
}

func ppo(logRatio, advantage, low, high float64) float64 {
	ratio := math.Exp(logRatio)
	return -math.Min(ratio*advantage, math.Max(1-low, math.Min(1+high, ratio))*advantage)
}

func k3(logp, reference float64) float64 {
	return math.Exp(reference-logp) - (reference - logp) - 1
}

func (g *policyGolden) meanOverAnswers(f func(i int) float64) float64 {
	sum := 0.0
	for i := range g.Rewards {
		sum += f(i)
	}
	return sum / float64(len(g.Rewards))
}

func (g *policyGolden) meanOverTokens(f func(i, t int) float64) float64 {
	sum, n := 0.0, 0
	for i := range g.Old {
		for t := range g.Old[i] {
			sum += f(i, t)
			n++
		}
	}
	return sum / float64(n)
}

// mean is that of the rewards of answer i's group, standard its standardised reward.
func (g *policyGolden) mean(i int) float64 {
	sum := 0.0
	for j := i / g.Group * g.Group; j < i/g.Group*g.Group+g.Group; j++ {
		sum += g.Rewards[j]
	}
	return sum / float64(g.Group)
}

func (g *policyGolden) standard(i int) float64 {
	squares := 0.0
	for j := i / g.Group * g.Group; j < i/g.Group*g.Group+g.Group; j++ {
		squares += math.Pow(g.Rewards[j]-g.mean(i), 2)
	}
	return (g.Rewards[i] - g.mean(i)) / math.Sqrt(squares/float64(g.Group))
}

func (g *policyGolden) white(f func(i, t int) float64) func(i, t int) float64 {
	mean := g.meanOverTokens(f)
	std := math.Sqrt(g.meanOverTokens(func(i, t int) float64 { return math.Pow(f(i, t)-mean, 2) }))
	return func(i, t int) float64 { return (f(i, t) - mean) / std }
}

// TestPolicyGradientsAreThoseOfThePapers compares dlogp of every row with central differences, in
// float64, of the objective that its paper writes down.
func TestPolicyGradientsAreThoseOfThePapers(t *testing.T) {
	g := readPolicyGolden(t)
	for _, v := range Variants() {
		objective, ok := objectives[v.Name]
		if !ok {
			t.Errorf("no objective of %s is written down here", v.Name)
			continue
		}
		loss, gradient := g.evaluate(v)
		near(t, v.Name+": loss", loss, objective(g, g.LogProb, g.LogProb), 1e-9)
		const h = 1e-6
		for i := range gradient {
			for j := range gradient[i] {
				moved := make([][]float64, len(g.LogProb))
				copy(moved, g.LogProb)
				moved[i] = append([]float64(nil), g.LogProb[i]...)
				moved[i][j] = g.LogProb[i][j] + h
				above := objective(g, moved, g.LogProb)
				moved[i][j] = g.LogProb[i][j] - h
				below := objective(g, moved, g.LogProb)
				near(t, fmt.Sprintf("%s: dlogp[%d][%d]", v.Name, i, j), gradient[i][j], (above-below)/(2*h), 1e-7)
			}
		}
	}
}

// TestKLIsAValue gives every row each estimator at each place: the loss stays finite, and the
// gradient in the loss is that of the estimator's value.
func TestKLIsAValue(t *testing.T) {
	g := readPolicyGolden(t)
	for _, row := range Variants() {
		row.KLWeight = 0
		_, plain := g.evaluate(row)
		for _, kl := range []string{KL1, KL2, KL3} {
			v := row
			v.KL, v.KLWeight, v.KLPlace = kl, 0.3, KLInLoss
			_, gradient := g.evaluate(v)
			weights := g.tokenWeights(v)
			for i := range gradient {
				for j := range gradient[i] {
					value := func(logp float64) float64 {
						x, _ := klEstimators[kl](logp, g.Reference[i][j])
						return x
					}
					const h = 1e-6
					at := g.LogProb[i][j]
					want := plain[i][j] + 0.3*weights[i]*(value(at+h)-value(at-h))/(2*h)
					near(t, fmt.Sprintf("%s with %s: dlogp[%d][%d]", v.Name, kl, i, j), gradient[i][j], want, 1e-7)
				}
			}
			for _, place := range []string{KLInReward, KLInTokenReward} {
				v.KLPlace = place
				loss, shaped := g.evaluate(v)
				if math.IsNaN(loss) || math.IsInf(loss, 0) || fmt.Sprint(shaped) == fmt.Sprint(gradient) {
					t.Errorf("%s with %s in the %s: loss %v, and the gradient of the loss's place", v.Name, kl, place, loss)
				}
			}
		}
	}
}

func (g *policyGolden) tokenWeights(v Variant) []float64 {
	lengths, groups := make([]int, len(g.Old)), make([]int, len(g.Old))
	for i := range g.Old {
		lengths[i], groups[i] = len(g.Old[i]), i/g.Group
	}
	return normalizers[v.Normalizer](lengths, groups, g.MaxTokens)
}
