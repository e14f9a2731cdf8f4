package engine

import (
	"math/rand/v2"

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
	pool  *kernel.Pool
	vocab int
	p     [][]float32 // one distribution [V] for each worker

	// Set for the length of one draw.
	logits, lse []float32
	owners      []*sequence
	chunkRows   int
	chunk       func(worker, chunk int) // s.drawChunk, bound once: a method value allocates
}

// chunkLogits is how many logits one chunk of rows holds: some microseconds of work.
const chunkLogits = 4096

func newSampler(pool *kernel.Pool, vocab int) *sampler {
	s := &sampler{pool: pool, vocab: vocab, p: make([][]float32, pool.Threads())}
	for i := range s.p {
		s.p[i] = make([]float32, vocab)
	}
	s.chunkRows = max(1, chunkLogits/vocab)
	s.chunk = s.drawChunk
	return s
}

// draw sets next and nextLogProb of every sequence that row r of logits [R,V] decides: those that
// owners[r] decides. lse [R] is log-sum-exp of the logits times the owner's inverse temperature.
func (s *sampler) draw(logits, lse []float32, owners []*sequence) {
	s.logits, s.lse, s.owners = logits, lse, owners
	chunks := (len(owners) + s.chunkRows - 1) / s.chunkRows
	if chunks == 1 {
		s.drawChunk(0, 0)
		return
	}
	s.pool.Run(chunks, s.chunk)
}

func (s *sampler) drawChunk(worker, chunk int) {
	for r := chunk * s.chunkRows; r < min((chunk+1)*s.chunkRows, len(s.owners)); r++ {
		logits := s.logits[r*s.vocab : (r+1)*s.vocab]
		owner := s.owners[r]
		if owner.greedy {
			token := argmax(logits)
			for i := range owner.decides() {
				owner.group[i].draw(token, logProb(logits[token], 1, s.lse[r]))
			}
			continue
		}
		p := s.p[worker]
		kernel.Softmax(p, logits, s.vocab, 1, s.vocab, owner.inverseTemperature, s.lse[r:r+1])
		for i := range owner.decides() {
			q := &owner.group[i]
			token := pick(p, uniform(&q.rng))
			q.draw(token, logProb(logits[token], q.inverseTemperature, s.lse[r]))
		}
	}
}

// logProb is log softmax(logits/T) at one logit. The product is rounded before the difference, as
// it is in the trainer.
func logProb(logit, inverseTemperature, lse float32) float32 {
	return float32(logit*inverseTemperature) - lse
}
