package main

import (
	"context"
	"fmt"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
)

// generateCommand continues prompts, verbatim.
type generateCommand struct {
	inferenceFlags
	kvFlags
	Prompts     []string `arg:"" name:"prompt" help:"Texts to continue, as they stand; special tokens may be written in them."`
	Model       string   `name:"model" required:"" placeholder:"MODEL" help:"A path, a name of a store, or an alias."`
	Tokenizer   string   `name:"tokenizer" complete:"tokenizer" placeholder:"NAME" help:"lab, bytes or a tokenizer.json; default: the one beside the model."`
	Samples     int      `name:"samples" short:"n" default:"1" help:"Continuations of each prompt."`
	MaxTokens   int      `name:"max-tokens" default:"256" help:"Most tokens of a continuation."`
	Temperature float32  `name:"temperature" default:"1" help:"0 is greedy."`
	Seed        uint64   `name:"seed" help:"Equal seeds give equal texts, whatever else is sampled beside them."`
}

// sampleEvent is the --json form of a continuation.
type sampleEvent struct {
	Prompt   int                 `json:"prompt"` // index on the command line
	Sample   int                 `json:"sample"`
	Text     string              `json:"text"` // without the token that ended it
	Tokens   []int32             `json:"tokens"`
	LogProbs []float32           `json:"logprobs"`
	Finish   engine.FinishReason `json:"finish"`
}

// Run samples and prints in the order of the command line.
func (c *generateCommand) Run(ctx context.Context, out *output) error {
	if c.Samples < 1 || c.Samples > engine.MaxSamples || c.MaxTokens < 1 || !(c.Temperature >= 0) {
		return usage(explain.Errorf("bad-value", "--samples wants 1 to %d, --max-tokens at least 1, --temperature at least 0", engine.MaxSamples), "")
	}
	c.warn(out)
	s, err := c.speaker(c.Model, c.Tokenizer)
	if err != nil {
		return err
	}
	cpu, err := c.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	e, err := engine.New(s.model, cpu, &engine.Options{KV: c.format(s.model.Quantised())})
	if err != nil {
		return err
	}
	var prompts []llm.Prompt
	for i, text := range c.Prompts {
		prompts = append(prompts, llm.Prompt{
			Text: text, MaxTokens: c.MaxTokens, Temperature: c.Temperature,
			StopTokens: s.stopTokens(), Samples: c.Samples, Seed: engine.Seed{Run: c.Seed, Problem: uint64(i)},
		})
	}
	replies, err := llm.NewLocal(e, s.tokenizer).Generate(ctx, prompts)
	for _, r := range replies {
		if len(replies) > 1 {
			out.result("-- prompt %d, sample %d, %d tokens, %s", r.Prompt, r.Sample, len(r.Tokens), r.Finish)
		}
		out.result("%s", printable(r.Text, true))
		if err := out.event("sample", sampleEvent{r.Prompt, r.Sample, r.Text, r.Tokens, r.LogProbs, r.Finish}); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	stats := e.Stats()
	out.note("%.0f tokens/s", stats.TokensPerSecond())
	return nil
}
