package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/model"
)

// Example is one sequence to learn from.
type Example struct {
	// Tokens is the whole sequence, with the token that ends it.
	Tokens []int32
	// TargetFrom is the first token that is learned; those before it are only read. 0 learns all
	// but the first token, which nothing precedes.
	TargetFrom int
	// Mask, if not nil, has one entry per token and learns only where it is true, from TargetFrom.
	Mask []bool
}

// SFT lowers the mean over target tokens of -log p(token), and returns when the steps are done,
// when ctx ends (with a checkpoint and ctx.Err()), or at the first error. The summary is not nil
// if at least the checkpoint to resume from could be read.
func SFT(ctx context.Context, s *Setup, examples []Example, o *SFTOptions) (*Summary, error) {
	if o == nil {
		o = &SFTOptions{}
	}
	run, err := newSupervised(s, "sft", examples, o, &model.TrainingOptions{})
	if err != nil {
		return nil, err
	}
	run.objective = run.crossEntropy
	return run.run(ctx, run.step)
}

// supervised is the loop over examples that SFT and Distill share.
type supervised struct {
	*loop
	sequences []sequence
	stream    stream
	batchSize int
	maxTokens int
	limit     int // examples of the whole run; -1 means no limit
	// objective evaluates the microbatch, whose rows weigh weight each, adds to the gradients and
	// returns its share of the loss.
	objective func(weight float64, stats *updateStats) (loss float64, err error)
}

// newSupervised checks everything and compiles the model's training program. t says what kind of
// program; its sizes are filled in.
func newSupervised(s *Setup, kind string, examples []Example, options *SFTOptions, t *model.TrainingOptions) (*supervised, error) {
	if err := errors.Join(options.Validate(), s.validate(), s.checkAdapter(&options.LoRA)); err != nil {
		return nil, err
	}
	o := options.Resolved()
	sequences, data, err := checkExamples(examples, s.Model.Config())
	if err != nil {
		return nil, err
	}
	run := &supervised{
		sequences: sequences, batchSize: o.BatchSize, limit: -1,
		stream: stream{n: len(sequences), shuffle: o.Shuffle, seed: o.Seed},
	}
	steps := o.Steps
	if steps == 0 {
		run.limit = o.Epochs * len(sequences)
		steps = (run.limit + o.BatchSize - 1) / o.BatchSize
	}
	long, short := rowRange(sequences)
	run.maxTokens = max(long, min(o.Batch.MaxTokens, o.BatchSize*long))
	t.MaxTokens, t.MaxSequences = run.maxTokens, run.maxTokens/short
	t.EightBit = o.Optimizer.Name == OptimizerAdamW8
	training, err := s.Model.CompileTraining(s.CPU, t)
	if err != nil {
		return nil, err
	}
	run.loop = newLoop(s, kind, data, steps, training, o.Optimizer, o.Checkpoint, o.Watchdog)
	return run, nil
}

// checkExamples returns the examples as sequences, with the hash of them all.
func checkExamples(examples []Example, c model.Config) (sequences []sequence, data string, err error) {
	if len(examples) == 0 {
		return nil, "", errors.New("train: examples: got none, want at least one")
	}
	f := newFingerprint()
	for i := range examples {
		e := &examples[i]
		if e.Mask != nil && len(e.Mask) != len(e.Tokens) {
			return nil, "", fmt.Errorf("train: example %d: mask of %d entries for %d tokens", i, len(e.Mask), len(e.Tokens))
		}
		if err := checkTokens(e.Tokens, c); err != nil {
			return nil, "", fmt.Errorf("train: example %d: %w", i, err)
		}
		s := newSequence(e.Tokens, e.TargetFrom, e.Mask)
		if s.targets() == 0 {
			return nil, "", fmt.Errorf("train: example %d: no target among %d tokens from token %d on, want at least one", i, len(e.Tokens), e.TargetFrom)
		}
		if s.rows() > c.MaxPositions {
			return nil, "", fmt.Errorf("train: example %d: %d tokens, the model reads at most %d", i, s.rows(), c.MaxPositions)
		}
		sequences = append(sequences, s)
		f.add(e.Tokens, uint64(s.from))
		f.addMask(e.Mask)
	}
	return sequences, f.sum(), nil
}

// checkTokens reports the first id that the model does not know.
func checkTokens(tokens []int32, c model.Config) error {
	for i, t := range tokens {
		if t < 0 || int(t) >= c.VocabSize {
			return fmt.Errorf("token %d: got id %d, want 0 to %d", i, t, c.VocabSize-1)
		}
	}
	return nil
}

// rowRange returns the most and the fewest rows that one sequence needs.
func rowRange(sequences []sequence) (long, short int) {
	for i := range sequences {
		n := sequences[i].rows()
		long = max(long, n)
		if short == 0 || n < short {
			short = n
		}
	}
	return long, short
}

// step does one optimiser update over the next batch of the stream.
func (r *supervised) step(context.Context) (stepResult, error) {
	first := r.state.Step * r.batchSize
	size := r.batchSize
	if r.limit >= 0 {
		size = min(size, r.limit-first)
	}
	which := make([]int, size)
	targets := 0
	for i := range which {
		which[i] = r.stream.at(first + i)
		targets += r.sequences[which[i]].targets()
	}
	var stats updateStats
	loss := 0.0
	r.trainer.ZeroGradients()
	for _, bin := range packSequences(r.sequences, which, r.maxTokens) {
		fillBatch(&r.batch, r.sequences, bin)
		share, err := r.objective(1/float64(targets), &stats)
		if err != nil {
			return stepResult{}, err
		}
		loss += share
	}
	rate := r.learningRate()
	if err := r.update(&stats, loss); err != nil {
		return stepResult{}, err
	}
	r.state.Tokens += int64(targets)
	stats.tokens = targets
	var v values
	stats.appendTo(&v, rate)
	return stepResult{metrics: v}, nil
}

// crossEntropy is the loss -weight * sum over rows of logp.
func (l *loop) crossEntropy(weight float64, stats *updateStats) (loss float64, err error) {
	logProb, entropy, err := l.trainer.Forward(&l.batch)
	if err != nil {
		return 0, err
	}
	for i, p := range logProb {
		loss -= float64(p)
		l.batch.DLogProb[i] = float32(-weight)
	}
	stats.addEntropy(entropy)
	return loss * weight, l.trainer.Backward(&l.batch)
}
