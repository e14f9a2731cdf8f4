package engine

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/retort-ml/retort/internal/kernel"
)

// referenceDraw is the plain sampler: it sorts the whole vocabulary.
func referenceDraw(r *Request, out []int32, logits []float32, lse float32, rng *rand.PCG) (d drawn, alternatives []TokenLogProb) {
	scale := InverseTemperature(r.Temperature)
	z := referenceAltered(r, out, logits)
	zLSE := lse
	if !slices.Equal(z, logits) || r.alters() {
		zLSE = logSumExp(z, scale)
	}
	p := make([]float32, len(z))
	kernel.Softmax(p, z, len(z), 1, len(z), scale, []float32{zLSE})
	switch {
	case r.Temperature == 0:
		d.token = argmax(z)
	case r.TopK > 0 || r.TopP > 0 && r.TopP < 1 || r.MinP > 0:
		kept := referenceKept(r, p)
		u := uint64(uniform(rng) * (1 << 24))
		var total, sum uint64
		for i, x := range p {
			if kept[i] {
				total += massOf(x)
			}
		}
		// total·u/2²⁴ without overflow: total < 2³⁹.
		at := total>>24*u + (total&(1<<24-1))*u>>24
		for i, x := range p {
			if !kept[i] {
				continue
			}
			if sum += massOf(x); sum > at {
				d.token = int32(i)
				d.drawLogProb = float32(math.Log(float64(massOf(x)) / float64(total)))
				d.logProb = float32(logits[i]*scale) - lse
				return d, referenceLikeliest(r, logits, scale, lse)
			}
		}
	default:
		d.token = pick(p, uniform(rng))
	}
	d.drawLogProb = float32(z[d.token]*scale) - zLSE
	d.logProb = float32(logits[d.token]*scale) - lse
	return d, referenceLikeliest(r, logits, scale, lse)
}

// referenceAltered counts anew at each token.
func referenceAltered(r *Request, out []int32, logits []float32) []float32 {
	z := slices.Clone(logits)
	for _, b := range r.LogitBias {
		z[b.Token] += b.Bias
	}
	for i := range z {
		count := 0
		for _, token := range out {
			if token == int32(i) {
				count++
			}
		}
		if r.RepetitionPenalty != 0 && r.RepetitionPenalty != 1 && (count > 0 || slices.Contains(r.Prompt, int32(i))) {
			if z[i] > 0 {
				z[i] /= r.RepetitionPenalty
			} else {
				z[i] *= r.RepetitionPenalty
			}
		}
		if count > 0 {
			z[i] -= r.PresencePenalty + float32(r.FrequencyPenalty*float32(count))
		}
	}
	return z
}

// byRank lists all tokens, the likeliest first, the lower of equals first.
func byRank(p []float32) []int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] > p[b]:
			return -1
		case p[a] < p[b]:
			return 1
		}
		return 0
	})
	return order
}

func referenceKept(r *Request, p []float32) []bool {
	order := byRank(p)
	n := len(order)
	total := uint64(1 << massBits)
	if r.TopK > 0 && r.TopK < n {
		n, total = r.TopK, 0
		for _, i := range order[:n] {
			total += massOf(p[i])
		}
	}
	if r.TopP > 0 && r.TopP < 1 {
		var sum uint64
		for j, i := range order[:n] {
			if sum += massOf(p[i]); float64(sum) >= math.Ceil(float64(r.TopP)*float64(total)) {
				n = j + 1
				break
			}
		}
	}
	kept := make([]bool, len(p))
	for _, i := range order[:n] {
		kept[i] = p[i] >= r.MinP*p[order[0]]
	}
	return kept
}

func referenceLikeliest(r *Request, logits []float32, scale, lse float32) []TokenLogProb {
	var list []TokenLogProb
	for _, i := range byRank(logits)[:min(r.TopLogProbs, len(logits))] {
		list = append(list, TokenLogProb{int32(i), float32(logits[i]*scale) - lse})
	}
	return list
}
