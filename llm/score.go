package llm

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// Scorer gives the log-probabilities of texts that are there already. It runs the forward pass of
// training, which is that of the engine: a sampled token gets the bits that it was sampled with at
// temperature 1. It is not safe for concurrent use.
type Scorer struct {
	model    *model.Model
	cpu      *compute.CPU
	program  *model.Training
	capacity int // tokens that program holds
	batch    compute.Batch
}

// NewScorer returns a scorer of m on cpu; it takes memory for activations as texts need it.
func NewScorer(m *model.Model, cpu *compute.CPU) *Scorer { return &Scorer{model: m, cpu: cpu} }

// Score returns log p(ids[i] | ids[:i]) in nats for i from 1 on: one number fewer than ids, none for
// no id or one. The result is the scorer's own until the next call. An id outside the vocabulary and
// a text longer than the model's positions are errors, as is a number that is not finite.
func (s *Scorer) Score(ids []int32) ([]float32, error) {
	c := s.model.Config()
	if len(ids) > c.MaxPositions {
		return nil, fmt.Errorf("llm: score: %d ids, want at most %d, the model's positions", len(ids), c.MaxPositions)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= c.VocabSize {
			return nil, fmt.Errorf("llm: score: id %d at place %d, want 0 to %d", id, i, c.VocabSize-1)
		}
	}
	if len(ids) < 2 {
		return nil, nil
	}
	if err := s.reserve(len(ids) - 1); err != nil {
		return nil, err
	}
	n := len(ids) - 1
	b := &s.batch
	b.Tokens, b.Targets = ids[:n], ids[1:]
	b.Seqs = []compute.Seq{{Len: n}}
	b.Rows = b.Rows[:0]
	for i := range n {
		b.Rows = append(b.Rows, int32(i))
	}
	logp, _, err := s.program.Forward(b)
	for i, l := range logp {
		if math.IsNaN(float64(l)) || math.IsInf(float64(l), 0) {
			return nil, fmt.Errorf("llm: score: log p of id %d at place %d is %v: the weights hold NaN, infinities or very large values", ids[i+1], i+1, l)
		}
	}
	return logp, err
}

// reserve makes the program hold n tokens; it grows by doubling.
func (s *Scorer) reserve(n int) error {
	if n <= s.capacity {
		return nil
	}
	capacity := min(max(64, 1<<bits.Len(uint(n-1))), s.model.Config().MaxPositions)
	program, err := s.model.CompileTraining(s.cpu, &model.TrainingOptions{MaxTokens: capacity, MaxSequences: 1, ForwardOnly: true})
	if err != nil {
		return err
	}
	s.program, s.capacity = program, capacity
	return nil
}
