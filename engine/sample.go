package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/retort-ml/retort/internal/kernel"
)

// InverseTemperature is the factor on the logits at a temperature. Temperature 0 means greedy
// choice, whose log-probabilities are recorded at temperature 1. A trainer that wants the engine's
// log-probabilities uses this factor.
func InverseTemperature(temperature float32) float32 {
	if temperature == 0 {
		return 1
	}
	return 1 / temperature
}

// seedGenerator gives each (run, problem, sample) a generator of its own.
func seedGenerator(rng *rand.PCG, s Seed) {
	h := mix(mix(mix(s.Run)^s.Problem) ^ s.Sample)
	rng.Seed(h, mix(h))
}

// uniform draws from [0,1) with the 24 bits that a float32 holds.
func uniform(rng *rand.PCG) float32 {
	return float32(rng.Uint64()>>40) * (1.0 / (1 << 24))
}

// argmax returns the index of the largest logit, the lowest one of equals.
func argmax(logits []float32) int32 {
	best, largest := 0, logits[0]
	for i, x := range logits {
		if x > largest {
			best, largest = i, x
		}
	}
	return int32(best)
}

// pick returns the first index at which the cumulative sum of p exceeds u. The sum runs in index
// order in float32 and may end below u; then the last index with p > 0 is meant.
func pick(p []float32, u float32) int32 {
	var sum float32
	for i, x := range p {
		sum += x
		if sum > u {
			return int32(i)
		}
	}
	last := len(p) - 1
	for last > 0 && !(p[last] > 0) {
		last--
	}
	return int32(last)
}

// sampler draws the next tokens of one step, its rows spread over the pool.
type sampler struct {
	pool    *kernel.Pool
	vocab   int
	workers []workspace

	// Set for the length of one draw.
	logits, lse        []float32
	inverseTemperature float32
	owners             []*sequence
	chunkRows          int
	chunk              func(worker, chunk int) // s.drawChunk, bound once: a method value allocates
}

// chunkLogits is how many logits one chunk of rows holds: some microseconds of work.
const chunkLogits = 4096

func newSampler(pool *kernel.Pool, vocab int) *sampler {
	s := &sampler{pool: pool, vocab: vocab, workers: make([]workspace, pool.Threads())}
	for i := range s.workers {
		s.workers[i].p = make([]float32, vocab)
	}
	s.chunkRows = max(1, chunkLogits/vocab)
	s.chunk = s.drawChunk
	return s
}

// draw decides the next tokens of owners by their wanted rows of logits [R,V]. lse [R] is log-sum-exp of the logits times an inverse
// temperature, which need not be the owner's.
func (s *sampler) draw(logits, lse []float32, inverseTemperature float32, owners []*sequence) {
	s.logits, s.lse, s.inverseTemperature, s.owners = logits, lse, inverseTemperature, owners
	chunks := (len(owners) + s.chunkRows - 1) / s.chunkRows
	if chunks == 1 {
		s.drawChunk(0, 0)
		return
	}
	s.pool.Run(chunks, s.chunk)
}

func (s *sampler) drawChunk(worker, chunk int) {
	for i := chunk * s.chunkRows; i < min((chunk+1)*s.chunkRows, len(s.owners)); i++ {
		s.decide(&s.workers[worker], s.owners[i])
	}
}

// decide draws the next token of q, and further ones as long as they are those of its draft: each is drawn from its own row, so that it is
// what it would be without a draft.
func (s *sampler) decide(w *workspace, q *sequence) {
	for i := range q.wanted {
		r := q.first + i
		logits, lse := s.logits[r*s.vocab:(r+1)*s.vocab], s.lse[r]
		if q.inverseTemperature != s.inverseTemperature {
			lse = logSumExp(logits, q.inverseTemperature)
		}
		if !finite(lse) {
			q.fault = fmt.Errorf("engine: %s: token %d: the logits are not finite: the weights hold NaN, infinities or very large values", q.name(), len(q.out))
			return
		}
		samples := q.decides()
		if !w.row(q, logits, lse) {
			q.deadEnd(samples)
			return
		}
		for i := range samples {
			samples[i].accept()
		}
		q.taken++
		if q.finish != "" || i < len(q.draft) && q.out[len(q.out)-1] != q.draft[i] {
			return
		}
	}
}

// deadEnd ends samples for which the grammar has no token.
func (q *sequence) deadEnd(samples []sequence) {
	if !q.grammar.Complete() {
		q.fault = fmt.Errorf("engine: %s: token %d: the grammar allows no token of the vocabulary, and the text is not complete", q.name(), len(q.out))
		return
	}
	for i := range samples {
		samples[i].finish = FinishStop
	}
}

// drawn is a token with all that is recorded of it.
type drawn struct {
	token                int32
	logProb, drawLogProb float32
	forced               bool
}

// workspace is the memory of one worker.
type workspace struct {
	p       []float32 // [V]
	altered []float32 // [V], once a request alters its logits
	mask    []uint64  // [V/64], once a request has a grammar
	nucleus nucleus
}

// row draws for all sequences that a row decides: they have the same tokens before it. It reports whether a
// token may come at all.
func (w *workspace) row(owner *sequence, logits []float32, lse float32) bool {
	z, zLSE := logits, lse
	if owner.r.alters() || owner.grammar != nil {
		var ok bool
		if z, zLSE, ok = w.alter(owner, logits); !ok {
			return false
		}
	}
	greedy := argmaxIf(owner.greedy, z)
	truncates := !owner.greedy && owner.r.truncates()
	if !owner.greedy {
		kernel.Softmax(w.p, z, len(z), 1, len(z), owner.inverseTemperature, []float32{zLSE})
		if truncates {
			w.nucleus.keep(w.p, owner.r)
		}
	}
	for i := range owner.decides() {
		q := &owner.group[i]
		d := &q.next
		u := float32(0)
		if !q.greedy {
			u = uniform(&q.rng) // also for a forced token: draws belong to positions
		}
		forcedToken, forced := q.thinker.take()
		d.forced = forced
		switch {
		case forced:
			d.token, d.drawLogProb = forcedToken, 0
		case truncates:
			d.token, d.drawLogProb = w.nucleus.pick(u)
		case q.greedy:
			d.token = greedy
		default:
			d.token = pick(w.p, u)
		}
		d.logProb = logProb(logits[d.token], q.inverseTemperature, lse)
		if !truncates && !forced {
			d.drawLogProb = logProb(z[d.token], q.inverseTemperature, zLSE)
		}
		if q.r.TopLogProbs > 0 {
			q.alternatives = likeliest(q.alternatives, logits, q.r.TopLogProbs, q.inverseTemperature, lse)
		}
	}
	return true
}

func argmaxIf(wanted bool, z []float32) int32 {
	if !wanted {
		return 0
	}
	return argmax(z)
}

// logProb is log softmax(logits/T) at one logit. The product is rounded before the difference, as
// it is in the trainer.
func logProb(logit, inverseTemperature, lse float32) float32 {
	return float32(logit*inverseTemperature) - lse
}

// vocabularyChunk is how many logits are folded at once into a log-sum-exp of altered logits: those of package compute.
const vocabularyChunk = 512

// alter returns q's logits after bias, penalties and grammar, and the log-sum-exp of these times the inverse
// temperature. ok is false if no token may come.
func (w *workspace) alter(q *sequence, logits []float32) (z []float32, lse float32, ok bool) {
	w.altered = append(w.altered[:0], logits...)
	z = w.altered
	for _, b := range q.r.LogitBias {
		z[b.Token] += b.Bias
	}
	q.history.apply(z, q.r)
	switch {
	case q.grammar != nil && !q.restricted():
		for _, token := range q.r.Stop { // an answer is still to come
			z[token] = excluded
		}
	case q.restricted():
		if w.mask == nil {
			w.mask = make([]uint64, (len(z)+63)/64)
		}
		if !q.grammarMask(w.mask) {
			return nil, 0, false
		}
		exclude(z, w.mask)
	}
	return z, logSumExp(z, q.inverseTemperature), true
}

func logSumExp(z []float32, inverseTemperature float32) float32 {
	var state [4]float32
	var lse [1]float32
	for first := 0; first < len(z); first += vocabularyChunk {
		chunk := z[first:min(first+vocabularyChunk, len(z))]
		kernel.SoftmaxStats(state[:], chunk, len(chunk), 1, len(chunk), inverseTemperature, first == 0)
	}
	kernel.SoftmaxFinish(lse[:], nil, state[:], 1)
	return lse[0]
}

// likeliest appends the n tokens of largest logits, the largest first and the lower id of equals.
func likeliest(list []TokenLogProb, logits []float32, n int, inverseTemperature, lse float32) []TokenLogProb {
	first := len(list)
	least := float32(0) // of a full list
	for i, x := range logits {
		if full := len(list)-first == n; full && x <= least {
			continue
		} else if full {
			list = list[:len(list)-1]
		}
		at := len(list)
		for at > first && list[at-1].LogProb < x {
			at--
		}
		list = slices.Insert(list, at, TokenLogProb{int32(i), x})
		least = list[len(list)-1].LogProb
	}
	for i := first; i < len(list); i++ {
		list[i].LogProb = logProb(list[i].LogProb, inverseTemperature, lse)
	}
	return list
}
