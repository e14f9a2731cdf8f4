package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// synthCommand writes a model of a published shape with random weights.
type synthCommand struct {
	Out    string `arg:"" optional:"" name:"out" help:"A file that ends in .gguf, or a folder to make, for safetensors; default: SHAPE-TYPE.gguf here."`
	Shape  string `name:"shape" complete:"shape" required:"" placeholder:"NAME" help:"${shapes}."`
	Type   string `name:"type" complete:"format-or-mix" default:"BF16" placeholder:"FORMAT" help:"The format of the weights, such as F32, BF16, Q8_0 or Q4_K, or a mix as retort quantize has it, such as Q4_K_M."`
	Vocab  string `name:"vocab" complete:"tokenizer" placeholder:"FILE" help:"A tokenizer.json, a folder of one or a GGUF file, whose tokenizer the model gets; default: none."`
	Layers int    `name:"layers" placeholder:"N" help:"So many layers; default: those of the shape."`
	Seed   uint64 `name:"seed" help:"The same seed gives the same weights."`
}

// Run writes the model as it makes it.
func (c *synthCommand) Run(_ context.Context, out *output) error {
	config, err := model.Shape(c.Shape)
	if err != nil {
		return usage(explain.Errorf("bad-value", "--shape: %w", err), "")
	}
	// A name that is both is the format: Q8_0 is Q8_0 everywhere.
	format, err := parseType(c.Type)
	isMix := err != nil && slices.ContainsFunc(model.Mixes(), func(name string) bool { return strings.EqualFold(name, c.Type) })
	if err != nil && !isMix {
		return err
	}
	if c.Layers < 0 || c.Layers > 1024 {
		return usage(explain.Errorf("bad-value", "--layers: got %d, want 1 to 1024", c.Layers), "")
	}
	if c.Layers > 0 {
		config.Layers = c.Layers
	}
	t, words, err := c.vocabulary(config)
	if err != nil {
		return err
	}
	path := c.Out
	if path == "" {
		path = strings.ToLower(c.Shape) + "-" + strings.ToUpper(c.Type) + ".gguf"
	}
	if isMix && !isGGUFName(path) {
		return usage(explain.Errorf("bad-value", "--type: safetensors cannot hold %s", strings.ToUpper(c.Type)), "a name that ends in .gguf")
	}
	out.note("%s: %s parameters, random", c.Shape, humanCount(config.NumParameters()))
	return wrote(out, path, c.write(path, config, format, t, words))
}

// vocabulary opens the tokenizer for the model (nil if there is none), with its template.
func (c *synthCommand) vocabulary(config model.Config) (*tokenizer.Tokenizer, *chat.Config, error) {
	if c.Vocab == "" {
		return nil, nil, nil
	}
	t, err := openVocabulary(c.Vocab)
	if err != nil {
		return nil, nil, err
	}
	if t.Size() > config.VocabSize {
		return nil, nil, explain.Errorf("bad-tokenizer", "%s has %d tokens, %s knows %d", c.Vocab, t.Size(), c.Shape, config.VocabSize)
	}
	words, err := chat.Open(folderOf(c.Vocab))
	if err != nil {
		words = nil // a vocabulary may come alone
	}
	return t, words, nil
}

// write writes the model in a format, or in the mix c.Type where that is nil.
func (c *synthCommand) write(path string, config model.Config, format *tensor.Format, t *tokenizer.Tokenizer, words *chat.Config) error {
	s := model.Synthesis{Config: config, Seed: c.Seed}
	if !isGGUFName(path) {
		if err := s.WriteFolder(path, *format); err != nil {
			return err
		}
		return saveText(path, t, words)
	}
	more, err := textMetadata(t, words, config.VocabSize)
	if err != nil {
		return err
	}
	more = append(more, weights.KV{Key: "general.name", Value: strings.ToLower(c.Shape) + " (random weights)"})
	if format == nil {
		return s.WriteMix(path, c.Type, more)
	}
	return s.WriteGGUF(path, *format, more)
}

// humanCount writes a number of parameters with three figures.
func humanCount(n int) string {
	switch x := float64(n); {
	case x >= 1e9:
		return fmt.Sprintf("%.3gB", x/1e9)
	case x >= 1e6:
		return fmt.Sprintf("%.3gM", x/1e6)
	}
	return fmt.Sprint(n)
}
