package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/model"
)

// perplexityCommand measures a model on a long text.
type perplexityCommand struct {
	inferenceFlags
	Model     string `arg:"" name:"model" help:"The model: a path, a name of a store, or an alias."`
	File      string `arg:"" name:"file" help:"The text; - is standard input."`
	Against   string `name:"against" placeholder:"MODEL" help:"Measure also how far the model is from this one, which has the same vocabulary."`
	Context   int    `name:"context" placeholder:"N" help:"Tokens of a window; default: 512."`
	Stride    int    `name:"stride" placeholder:"N" help:"Tokens from one window to the next; default: the context."`
	Skip      int    `name:"skip" placeholder:"N" default:"-1" help:"Tokens of a window that are not scored; default: the first half, as llama.cpp does."`
	Chunks    int    `name:"chunks" placeholder:"N" help:"Most windows; default: all."`
	Tokenizer string `name:"tokenizer" complete:"tokenizer" placeholder:"NAME" help:"lab, bytes or a tokenizer.json; default: the model's own."`
}

// perplexityEvent is the --json form.
type perplexityEvent struct {
	Chunks          int              `json:"chunks"`
	Tokens          int              `json:"tokens"`
	NLL             float64          `json:"nll"` // nats for each token
	NLLError        float64          `json:"nll_error"`
	Perplexity      float64          `json:"perplexity"`
	PerplexityError float64          `json:"perplexity_error"`
	KL              *divergenceEvent `json:"kl,omitempty"`
	Seconds         float64          `json:"seconds"`
}

// divergenceEvent is how far a model is from another, in nats.
type divergenceEvent struct {
	Mean   float64 `json:"mean"`
	Error  float64 `json:"error"`
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// maxPerplexityText bounds what is read.
const maxPerplexityText = 256 << 20

// Run measures and prints.
func (c *perplexityCommand) Run(ctx context.Context, out *output) error {
	if c.Context < 0 || c.Stride < 0 || c.Skip < -1 || c.Chunks < 0 {
		return usage(explain.Errorf("bad-value", "--context, --stride, --skip and --chunks want at least 0"), "")
	}
	text, err := c.read(out)
	if err != nil {
		return err
	}
	if c.Compute == "" {
		c.Compute = model.ComputeF32 // as score does
	}
	s, err := c.speaker(c.Model, c.Tokenizer)
	if err != nil {
		return err
	}
	if c.Context > s.model.Config().MaxPositions {
		return usage(explain.Errorf("bad-value", "--context: got %d, the model has at most %d positions", c.Context, s.model.Config().MaxPositions), "")
	}
	o := llm.PerplexityOptions{Context: c.Context, Stride: c.Stride, Chunks: c.Chunks}
	switch c.Skip {
	case -1:
	case 0:
		o.Skip = -1
	default:
		o.Skip = c.Skip
	}
	if c.Against != "" {
		path, err := findModel(c.Against)
		if err != nil {
			return fmt.Errorf("--against: %w", err)
		}
		if o.Against, err = openModel(path); err != nil { // widened, whatever the other does
			return fmt.Errorf("--against: %w", err)
		}
	}
	ids := s.tokenizer.EncodeText(text) // what looks like a special token in it is text
	if before, _ := s.tokenizer.Affixes(); len(before) == 1 {
		o.BOS, o.HasBOS = before[0], true
	}
	cpu, err := c.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	began := time.Now()
	var p *progress
	o.Progress = func(q *llm.Perplexity, windows int) {
		if p == nil {
			p = newProgress(out, "perplexity", 0, windows)
			return
		}
		p.step(q.Chunks, fmt.Sprintf("%.4f", first(q.PPL())))
	}
	result, err := llm.MeasurePerplexity(ctx, s.model, cpu, ids, o)
	out.endLive()
	if err != nil {
		return err
	}
	return c.print(out, &result, time.Since(began))
}

func first(value, _ float64) float64 { return value }

// read reads the text.
func (c *perplexityCommand) read(out *output) (string, error) {
	in := out.std.in
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return "", err
		}
		defer file.Close()
		in = file
	}
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(in, maxPerplexityText+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.File, err)
	}
	if n > maxPerplexityText {
		return "", fmt.Errorf("%s: more than %s of text", c.File, humanBytes(maxPerplexityText))
	}
	return b.String(), nil
}

func (c *perplexityCommand) print(out *output, p *llm.Perplexity, took time.Duration) error {
	e := perplexityEvent{Chunks: p.Chunks, Tokens: p.Tokens, NLL: p.NLL, NLLError: p.NLLError, Seconds: took.Seconds()}
	e.Perplexity, e.PerplexityError = p.PPL()
	out.result("perplexity   %.4f ± %.4f", e.Perplexity, e.PerplexityError)
	out.result("tokens       %d scored in %d windows, %.4f ± %.4f nats each", p.Tokens, p.Chunks, p.NLL, p.NLLError)
	if len(p.KL) > 0 {
		d := p.Divergence()
		e.KL = &divergenceEvent{d.Mean, d.StandardError, d.Median, d.P90, d.P99, d.Max}
		out.result("divergence   %.3g ± %.2g nats from %s; median %.3g, 90 %% %.3g, 99 %% %.3g, largest %.3g", d.Mean, d.StandardError, c.Against, d.Median, d.P90, d.P99, d.Max)
	}
	return out.event("perplexity", e)
}
