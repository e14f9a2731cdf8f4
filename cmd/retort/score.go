package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
)

// scoreCommand says how likely a model finds texts that are there already.
type scoreCommand struct {
	inferenceFlags
	Model     string   `arg:"" name:"model" help:"The model: a path, a name of a store, or an alias."`
	Text      []string `arg:"" optional:"" name:"text" help:"The text; default: standard input. Special tokens may be written in it."`
	Tokenizer string   `name:"tokenizer" complete:"tokenizer" placeholder:"NAME" help:"lab, bytes or a tokenizer.json; default: the model's own."`
	JSONL     bool     `name:"jsonl" help:"Read one JSON object per line, {\"ids\"}, and print {\"logprobs\"} for each: the log-probability of each id given those before it; the first is null."`
}

// logProbsLine is the answer to a line of ids. The first number is null: nothing
// precedes the first id.
type logProbsLine struct {
	LogProbs []*float32 `json:"logprobs"`
}

// scoreEvent is the --json form of a scored text.
type scoreEvent struct {
	IDs        []int32    `json:"ids"`
	LogProbs   []*float32 `json:"logprobs"`
	Sum        float64    `json:"sum"` // nats
	Perplexity float64    `json:"perplexity"`
}

// Run scores and prints.
func (c *scoreCommand) Run(ctx context.Context, out *output) error {
	if c.JSONL && (len(c.Text) > 0 || c.Tokenizer != "") {
		return usage(errors.New("--jsonl reads ids from standard input, so that no text and no tokenizer can be given"), "")
	}
	cpu, err := c.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	if c.Compute == "" {
		c.Compute = model.ComputeF32 // a score is compared with those of others
	}
	if !c.JSONL {
		s, err := c.speaker(c.Model, c.Tokenizer)
		if err != nil {
			return err
		}
		return c.text(out, llm.NewScorer(s.model, cpu), s.tokenizer)
	}
	folder, err := findModel(c.Model)
	if err != nil {
		return err
	}
	m, err := c.model(folder)
	if err != nil {
		return err
	}
	scorer := llm.NewScorer(m, cpu)
	return eachLine(ctx, "score", out.std, func(dst, line []byte) ([]byte, error) {
		var in struct {
			IDs []int32 `json:"ids"`
		}
		if err := json.Unmarshal(line, &in); err != nil {
			return nil, err
		}
		if in.IDs == nil {
			return nil, errors.New(`no "ids"`)
		}
		logp, err := scorer.Score(in.IDs)
		if err != nil {
			return nil, err
		}
		reply, err := json.Marshal(logProbsLine{withNull(len(in.IDs), logp)})
		return append(append(dst, reply...), '\n'), err
	})
}

// withNull puts nil before logp, so that there is one entry for each of n ids.
func withNull(n int, logp []float32) []*float32 {
	list := make([]*float32, n)
	for i := range logp {
		list[i+1] = &logp[i]
	}
	return list
}

// text scores one text and prints a line for each token, and what they come to.
func (c *scoreCommand) text(out *output, scorer *llm.Scorer, t *tokenizer.Tokenizer) error {
	text := strings.Join(c.Text, " ")
	if len(c.Text) == 0 {
		all, err := io.ReadAll(out.std.in)
		if err != nil {
			return fmt.Errorf("score: %w", err)
		}
		text = string(all)
	}
	ids := t.Encode(text)
	if len(ids) < 2 {
		return explain.Errorf("bad-input", "score: the text has %d tokens, want at least 2: the first has nothing before it", len(ids))
	}
	logp, err := scorer.Score(ids)
	if err != nil {
		return err
	}
	sum := 0.0
	out.result("%8s %10s  %s", "id", "log p", "text")
	out.result("%8d %10s  %s", ids[0], "", oneLine(t.Decode(ids[:1])))
	for i, p := range logp {
		sum += float64(p)
		out.result("%8d %10.4f  %s", ids[i+1], p, oneLine(t.Decode(ids[i+1:i+2])))
	}
	perplexity := math.Exp(-sum / float64(len(logp)))
	out.result("%d tokens, %.4f nats in all, perplexity %.3f", len(logp), sum, perplexity)
	return out.event("score", scoreEvent{ids, withNull(len(ids), logp), sum, perplexity})
}
