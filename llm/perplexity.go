package llm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
)

// PerplexityOptions says how a long text is cut into windows. The zero value measures as
// llama.cpp's perplexity does, but for BOS.
type PerplexityOptions struct {
	Context int // tokens of a window; 0 is 512, or all positions of the model if they are fewer
	Stride  int // from the beginning of a window to that of the next; 0 is Context
	Skip    int // positions of a window that are read and not scored, since little stands before them; 0 is half of Context, -1 none
	Chunks  int // most windows; 0 is as many as the text has
	BOS     int32
	HasBOS  bool // every window begins with BOS in place of its first token
	// Against, if set, is a model of the same vocabulary from whose distributions the divergence is measured.
	Against *model.Model
	// Progress, if set, is called before the first window and after every one.
	Progress func(p *Perplexity, windows int)
}

// Perplexity is how well a model predicts a text.
type Perplexity struct {
	Chunks int // windows
	Tokens int // that were scored
	// NLL is the mean of -log p(token) in nats, and NLLError its standard error over the tokens as if
	// they were independent. The perplexity is exp(NLL).
	NLL, NLLError float64
	// KL has, for every scored position, the divergence KL(p‖q) in nats of the model's distribution q
	// from that of the model Against, p; nil without one. Rounding may make it a little negative.
	KL []float32

	sum, squares float64
}

// PPL returns the perplexity and its standard error, to first order.
func (p *Perplexity) PPL() (value, standardError float64) {
	value = math.Exp(p.NLL)
	return value, value * p.NLLError
}

// Divergence summarises the divergences of a text's positions, in nats.
type Divergence struct {
	Mean, StandardError, Median, P90, P99, Max float64
}

// Divergence summarises KL, which must not be empty.
func (p *Perplexity) Divergence() Divergence {
	sorted := slices.Clone(p.KL)
	slices.Sort(sorted)
	n := len(sorted)
	var sum, squares float64
	for _, x := range sorted {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	mean := sum / float64(n)
	at := func(share float64) float64 { return float64(sorted[min(n-1, int(share*float64(n)))]) }
	return Divergence{Mean: mean, StandardError: meanError(mean, squares, n), Median: at(0.5), P90: at(0.9), P99: at(0.99), Max: float64(sorted[n-1])}
}

// meanError is the standard error of the mean of n independent numbers with that sum of squares; 0 of one number.
func meanError(mean, squares float64, n int) float64 {
	if n < 2 {
		return 0
	}
	return math.Sqrt(max(0, squares/float64(n)-mean*mean) / float64(n-1))
}

// settle fills in the defaults.
func (o *PerplexityOptions) settle(c model.Config, ids int) error {
	if o.Context == 0 {
		o.Context = min(512, c.MaxPositions)
	}
	if o.Stride == 0 {
		o.Stride = o.Context
	}
	switch o.Skip {
	case 0:
		o.Skip = o.Context / 2
	case -1:
		o.Skip = 0
	}
	switch {
	case o.Context < 2 || o.Context > c.MaxPositions:
		return fmt.Errorf("llm: perplexity: a context of %d, want 2 to %d, the model's positions", o.Context, c.MaxPositions)
	case o.Stride < 1 || o.Chunks < 0:
		return fmt.Errorf("llm: perplexity: a stride of %d and %d windows, want at least 1 and 0", o.Stride, o.Chunks)
	case o.Skip < 0 || o.Skip > o.Context-2:
		return fmt.Errorf("llm: perplexity: %d positions are not scored, want 0 to %d: one must be left", o.Skip, o.Context-2)
	case ids < o.Context:
		return fmt.Errorf("llm: perplexity: the text has %d tokens, want at least %d, one window", ids, o.Context)
	}
	if a := o.Against; a != nil && a.Config().MaxPositions < o.Context {
		return fmt.Errorf("llm: perplexity: a context of %d, the other model has %d positions", o.Context, a.Config().MaxPositions)
	}
	return nil
}

// MeasurePerplexity scores a text of ids window by window with the forward pass of training, which
// is that of the engine. A text that is shorter than a window, ids outside the vocabulary, and
// models of different vocabularies are errors. When ctx ends, what was measured is returned with its error.
func MeasurePerplexity(ctx context.Context, m *model.Model, cpu *compute.CPU, ids []int32, o PerplexityOptions) (Perplexity, error) {
	var p Perplexity
	if err := o.settle(m.Config(), len(ids)); err != nil {
		return p, err
	}
	program, err := m.CompileTraining(cpu, &model.TrainingOptions{MaxTokens: o.Context, MaxSequences: 1, ForwardOnly: true, Teacher: o.Against, Divergence: compute.ForwardKL})
	if err != nil {
		return p, err
	}
	windows := (len(ids)-o.Context)/o.Stride + 1
	if o.Chunks > 0 {
		windows = min(windows, o.Chunks)
	}
	window := make([]int32, o.Context)
	batch := compute.Batch{Tokens: window[:o.Context-1], Targets: window[o.Skip+1:], Seqs: []compute.Seq{{Len: o.Context - 1}}}
	for row := o.Skip; row < o.Context-1; row++ {
		batch.Rows = append(batch.Rows, int32(row))
	}
	if o.Progress != nil {
		o.Progress(&p, windows)
	}
	for i := range windows {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		copy(window, ids[i*o.Stride:])
		if o.HasBOS {
			window[0] = o.BOS
		}
		if err := p.add(program, &batch, o.Against != nil); err != nil {
			return p, err
		}
		if o.Progress != nil {
			o.Progress(&p, windows)
		}
	}
	return p, nil
}

// add scores one window.
func (p *Perplexity) add(program *model.Training, batch *compute.Batch, hasOther bool) error {
	logp, _, err := program.Forward(batch)
	if err != nil {
		return err
	}
	for _, x := range logp {
		p.sum -= float64(x)
		p.squares += float64(x) * float64(x)
	}
	if math.IsNaN(p.sum) || math.IsInf(p.sum, 0) {
		return errors.New("llm: perplexity: the model gives log-probabilities that are no numbers")
	}
	p.Chunks++
	p.Tokens += len(logp)
	p.NLL = p.sum / float64(p.Tokens)
	p.NLLError = meanError(p.NLL, p.squares, p.Tokens)
	if !hasOther {
		return nil
	}
	kl, err := program.Divergence(batch)
	p.KL = append(p.KL, kl...)
	return err
}
