package bench

import (
	"errors"
	"fmt"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tensor"
)

// cost is what a model's work takes of the machine.
type cost struct {
	config model.Config
	sizes  *engine.Options
	// weights is the bytes that a step reads of the weights, position those of one position's keys and values in all layers.
	weights, position float64
	// peak is the limit of the model's products.
	peak func(*Limit) float64
}

// peakOf chooses the peak by how the model's matrices are multiplied.
func peakOf(m *model.Model, o *Options) func(*Limit) float64 {
	switch most, isKept := m.KeptFormat(); {
	case isKept && most != tensor.BF16 && most != tensor.F16:
		return func(l *Limit) float64 { return l.Bytes }
	case isKept && most == tensor.BF16, o.Compute == model.ComputeBF16:
		return func(l *Limit) float64 { return l.BF16 }
	}
	return func(l *Limit) float64 { return l.Float32 }
}

// measureFile reads the shape of a model, and says what it and an engine for the works take. Nothing is loaded.
func measureFile(path string, cpu *compute.CPU, o *Options) (*cost, Memory, error) {
	files, err := model.OpenFiles(path)
	if err != nil {
		return nil, Memory{}, explain.With("bad-model", err)
	}
	c, m, err := costOf(files, cpu, o)
	return c, m, errors.Join(err, files.Close())
}

func costOf(files *model.Files, cpu *compute.CPU, o *Options) (*cost, Memory, error) {
	c := &cost{config: files.Config}
	c.sizes = o.sizes(c.config.MaxPositions)
	var kept model.Formats
	if o.Compute == "" {
		var err error
		if kept, err = files.Formats(); err != nil {
			return nil, Memory{}, err
		}
		isQuantised, err := files.KeepsQuantised()
		if err != nil {
			return nil, Memory{}, err
		}
		if isQuantised {
			c.sizes.KV = model.KVF16
		}
	}
	if o.KV != "" {
		c.sizes.KV = o.KV
	}
	kv, err := c.config.KVFormat(c.sizes.KV)
	if err != nil {
		return nil, Memory{}, err
	}
	c.position = 4 * float64(c.config.Layers) * float64(kernel.BlockFloats(kv, c.config.KVHeads, c.config.HeadSize)) / kernel.BlockTokens
	need, err := engine.Measure(c.config, kept, model.Options{Compute: o.Compute}, cpu, c.sizes)
	if err != nil {
		return nil, Memory{}, err
	}
	if o.Available > 0 {
		if err := need.Fit(o.Available); err != nil {
			return nil, Memory{}, fmt.Errorf("%w; try: --kv f16, fewer --samples, a smaller --depth, or a smaller format\n%s", err, need.Table())
		}
	}
	o.Need(need)
	m := Memory{Weights: need.Weights, KV: need.KV, Other: need.Total() - need.Weights - need.KV, Computed: need.Total()}
	if c.weights, err = ReadPerToken(files, kept, o.Compute); err != nil {
		return nil, Memory{}, err
	}
	for _, name := range files.Weights.Names() {
		t, err := files.Weights.Tensor(name)
		if err != nil {
			return nil, Memory{}, err
		}
		m.File += int64(len(t.Data))
	}
	return c, m, nil
}

// ReadPerToken is the bytes of the weights that a step reads, those of the embedding left out whose rows are looked up. Weights that kept names stay in their
// formats, the others are as compute says, which model.Options explains.
func ReadPerToken(files *model.Files, kept model.Formats, compute string) (float64, error) {
	sum := 0.0
	for _, name := range files.Weights.Names() {
		t, err := files.Weights.Tensor(name)
		if err != nil {
			return 0, err
		}
		isEmbedding := strings.Contains(name, "token_embd") || strings.Contains(name, "embed_tokens")
		switch {
		case isEmbedding && !files.Config.TieEmbeddings:
		case kept != nil && kernel.InPanels(t.Format):
			sum += float64(len(t.Data))
		case compute == model.ComputeBF16:
			sum += 2 * float64(t.Elements())
		default:
			sum += 4 * float64(t.Elements())
		}
	}
	return sum, nil
}

// sizes are those of an engine that has room for each work, if the model has the positions.
func (o *Options) sizes(positions int) *engine.Options {
	s := &engine.Options{MaxBatch: 1, DraftTokens: engine.NoDraft}
	room := func(tokens, samples, prompt int) {
		if prompt+tokens > positions {
			return
		}
		blocks := (prompt + kernel.BlockTokens) / kernel.BlockTokens
		each := tokens/kernel.BlockTokens + 2
		s.MaxBatch, s.Blocks = max(s.MaxBatch, samples), max(s.Blocks, blocks+each*samples+samples)
	}
	room(1, 1, min(loadPrompt, positions-1))
	for _, n := range o.Prefill {
		room(1, 1, n)
	}
	for _, n := range o.Depths {
		room(o.Tokens, 1, max(1, n))
	}
	for _, n := range o.Samples {
		room(o.sampleTokens(), n, o.SharedPrompt)
	}
	return s
}

// sampleTokens is how many tokens each sample of a shared prompt gets.
func (o *Options) sampleTokens() int { return 2 * o.Tokens }

// prefillOperations is the work of one token of a prompt: the output matrix is needed for the last alone.
func (c *cost) prefillOperations(prompt int) float64 {
	output := 2 * float64(c.config.VocabSize) * float64(c.config.Width)
	return c.config.FLOPsPerToken(prompt/2) - output*(1-1/float64(prompt))
}
