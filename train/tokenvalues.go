package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// defaultTokenValues is the default of RolloutOptions.TokenValues where answers are shorter.
const defaultTokenValues = 1024

// TokenValues are numbers of the tokens of an answer, in their order. They are written with four significant digits; what is not
// a finite number is null, and read as 0.
type TokenValues []float32

// MarshalJSON writes a list of numbers.
func (v TokenValues) MarshalJSON() ([]byte, error) {
	text := append(make([]byte, 0, 8*len(v)+2), '[')
	for i, x := range v {
		if i > 0 {
			text = append(text, ',')
		}
		if wide := float64(x); math.IsNaN(wide) || math.IsInf(wide, 0) {
			text = append(text, "null"...)
		} else {
			text = strconv.AppendFloat(text, wide, 'g', 4, 32)
		}
	}
	return append(text, ']'), nil
}

// tokenTrace measures the tokens of some of a step's answers: where the rollout's policy was undecided, and what the step's updates made of each
// token. Nothing that is learned depends on it.
type tokenTrace struct {
	run       *grpo
	samples   []*Sample
	sequences []sequence
	isScored  map[*Sample]bool // by the first mini-batch
}

// newTokenTrace chooses answers among the first keep of the groups, which are those that are recorded: first those whose advantage is not 0,
// then the others, each in their order, while the tokens of all are at most RolloutOptions.TokenValues. The answers that the first mini-batch does not score
// under the weights that sampled them are scored here.
func (r *grpo) newTokenTrace(groups []group) (*tokenTrace, error) {
	room, kept := r.options.Rollout.TokenValues, r.kept(groups)
	if r.setup.Recorder == nil || room <= 0 {
		return nil, nil
	}
	trace := &tokenTrace{run: r}
	for _, isTaught := range []bool{true, false} {
		place := 0
		for i := range groups {
			for j := range groups[i].samples {
				s := &groups[i].samples[j]
				n := len(s.Tokens)
				if place++; place <= kept && (s.Advantage != 0) == isTaught && n <= room {
					room -= n
					trace.samples = append(trace.samples, s)
					trace.sequences = append(trace.sequences, sequenceOf(groups[i].problem, s))
				}
			}
		}
	}
	scored := map[*Sample]bool{}
	if len(r.answers) > 0 {
		for _, i := range split(len(r.answers), r.options.MiniBatches)[0] {
			scored[r.answers[i].sample] = true
		}
	}
	trace.isScored = map[*Sample]bool{}
	var others []int
	for i, s := range trace.samples {
		trace.isScored[s] = scored[s]
		if !scored[s] {
			others = append(others, i)
		}
	}
	err := trace.score(others, func(i int, _, entropy []float32) { trace.samples[i].Entropies = slices.Clone(entropy) })
	return trace, err
}

// take keeps the entropies of an answer's tokens under the weights that sampled it, as the first mini-batch scores it.
func (t *tokenTrace) take(s *Sample, entropy []float32) {
	if t != nil && t.isScored[s] {
		s.Entropies = slices.Clone(entropy)
	}
}

// score calls yield with the log-probabilities and the entropies of the tokens of the answers that which lists, under the present weights.
func (t *tokenTrace) score(which []int, yield func(i int, logProb, entropy []float32)) error {
	r := t.run
	for _, bin := range packSequences(t.sequences, which, r.tokens) {
		fillBatch(&r.batch, t.sequences, bin)
		r.batch.InverseTemperature = r.inverseTemperature()
		logProb, entropy, err := r.trainer.Forward(&r.batch)
		if err != nil {
			return fmt.Errorf("train: values of tokens: %w", err)
		}
		at := 0
		for _, i := range bin {
			n := len(t.samples[i].Tokens)
			yield(i, logProb[at:at+n], entropy[at:at+n])
			at += n
		}
	}
	return nil
}

// finish scores the answers under the weights that the step's updates left, and writes the other values into the samples.
func (t *tokenTrace) finish() error {
	if t == nil {
		return nil
	}
	advantages := map[*Sample][]float64{}
	for i := range t.run.answers {
		advantages[t.run.answers[i].sample] = t.run.answers[i].advantages
	}
	all := make([]int, len(t.samples))
	for i := range all {
		all[i] = i
	}
	return t.score(all, func(i int, logProb, _ []float32) {
		s := t.samples[i]
		s.LogProbs = slices.Clone(s.logProbs)
		s.Ratios = make(TokenValues, len(logProb))
		for k := range logProb {
			logRatio := float64(logProb[k]) - float64(s.logProbs[k])
			s.Ratios[k] = float32(math.Exp(math.Min(logRatio, maxLogRatio)))
		}
		for _, a := range advantages[s] {
			s.Advantages = append(s.Advantages, float32(a))
		}
	})
}
