package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/train"
)

// sftCommand trains on texts.
type sftCommand struct{ trainingFlags }

// sftRecipe is the recipe of sft; the keys of train.SFTOptions stand beside the sections.
type sftRecipe struct {
	Model     modelRecipe
	Tokenizer string `help:"lab, bytes or a tokenizer.json; empty: the model's own, or bytes for a new model"`
	Data      dataRecipe
	train.SFTOptions
}

// dataRecipe says what is learned from.
type dataRecipe struct {
	Path          string `help:"JSON lines of {prompt, completion}, {messages} or {text}"`
	PromptKey     string `help:"the key of the prompt"`
	CompletionKey string `help:"the key of the completion"`
	TextKey       string `help:"the key of a text, learned as a whole"`
	Limit         int    `help:"read only so many examples; 0: all"`
	DropLonger    int    `help:"leave out examples of more tokens; 0: such an example is an error"`
	NoEnd         bool   `help:"do not put the end token after what is learned"`
	Replies       string `help:"all or last: which replies of messages are learned"`
}

func (r *sftRecipe) resolve() error {
	fill := func(key *string, value string) {
		if *key == "" {
			*key = value
		}
	}
	fill(&r.Data.PromptKey, "prompt")
	fill(&r.Data.CompletionKey, "completion")
	fill(&r.Data.TextKey, "text")
	fill(&r.Data.Replies, string(distill.AllReplies))
	var missing error
	if r.Data.Path == "" {
		missing = fmt.Errorf("data.path %w; try: --set data.path=FILE", errUnset)
	}
	if r.Data.Limit < 0 || r.Data.DropLonger < 0 {
		return errors.New("data.limit and data.drop_longer: want at least 0")
	}
	if err := distill.Replies(r.Data.Replies).Validate(); err != nil {
		return fmt.Errorf("data.replies: %w", err)
	}
	if err := r.Model.resolve(); err != nil {
		return err
	}
	if err := r.Model.resolveTokenizer(&r.Tokenizer, tokenizerBytes); err != nil {
		return err
	}
	if err := r.SFTOptions.Validate(); err != nil {
		return err
	}
	r.SFTOptions = r.SFTOptions.Resolved()
	return missing
}

// examples reads the data as tokens, for sequences of at most the model's positions. Messages are put
// into the model's own template, or into the lab's form.
func (d *dataRecipe) examples(s *speaker, out *output) ([]train.Example, error) {
	lines, err := distill.ReadExamplesFile(d.Path, &distill.ReadOptions{
		PromptKey: d.PromptKey, CompletionKey: d.CompletionKey, TextKey: d.TextKey, Limit: d.Limit,
	})
	if err != nil {
		return nil, inputFault(err)
	}
	learn := s.learner(d)
	positions := s.model.Config().MaxPositions
	if d.DropLonger > 0 {
		positions = min(positions+1, d.DropLonger)
	} else {
		positions++ // the last token is predicted and not read
	}
	var examples []train.Example
	total, dropped := 0, 0
	for i := range lines {
		sequences, err := learn.sequences(&lines[i])
		if err != nil {
			return nil, explain.Errorf("bad-input", "%s:%d: %w", d.Path, lines[i].Line, err)
		}
		for _, sequence := range sequences {
			n := len(sequence.Tokens)
			if n <= positions {
				examples = append(examples, train.Example{Tokens: sequence.Tokens, Mask: sequence.Learned})
				total += n
				continue
			}
			if d.DropLonger == 0 {
				return nil, explain.Errorf("bad-input", "%s:%d: %d tokens, the model reads at most %d; try: --set data.drop_longer=%d, or a larger model.max_positions", d.Path, lines[i].Line, n, positions, positions)
			}
			dropped++
		}
	}
	if len(examples) == 0 {
		return nil, explain.Errorf("no-data", "%s: all %d examples are longer than %d tokens; try: a larger data.drop_longer", d.Path, dropped, positions)
	}
	out.note("%d examples, %d tokens, %d left out as too long", len(examples), total, dropped)
	return examples, nil
}

// Run trains, and records a run.
func (c *sftCommand) Run(ctx context.Context, out *output) error {
	r := &sftRecipe{}
	if err := c.fill("sft", r); err != nil {
		return err
	}
	if done, err := c.printed(r, out); done {
		return err
	}
	t, err := c.tokenizer(r.Tokenizer)
	if err != nil {
		return err
	}
	m, err := r.Model.openAdapted(t, r.LoRA)
	if err != nil {
		return err
	}
	words, err := c.words(r.Model.Path, t)
	if err != nil {
		return err
	}
	examples, err := r.Data.examples(&speaker{model: m, tokenizer: t, chat: words, limits: r.Model.clock(words)}, out)
	if err != nil {
		return err
	}
	cpu, err := c.open()
	if err != nil {
		return err
	}
	defer cpu.Close()
	run, err := c.begin("sft", r, r.Seed, t, words, out)
	if err != nil {
		return err
	}
	out.note("%s: %d parameters on %d threads", run.store.Dir(), m.NumParameters(), cpu.Pool().Threads())
	summary, err := train.SFT(ctx, &train.Setup{Model: m, CPU: cpu, Recorder: run.store, Progress: run.progress}, examples, &r.SFTOptions)
	return run.end(ctx, summary, m, t, err)
}
