package engine

import (
	"fmt"
	"strings"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/model"
)

// Memory is what a model and an engine over it take, in bytes.
type Memory struct {
	model.Memory
	// Sampling is the scratch of the sampler.
	Sampling int64

	blocks     int
	blockBytes int64
	context    int
}

// Measure returns what a model of shape c that computes as m says, and an engine over it on cpu, will take. Matrices that q holds in a
// quantised format stay in it. It allocates none of it, so that it can be asked before anything is loaded.
func Measure(c model.Config, q model.Formats, m model.Options, cpu *compute.CPU, o *Options) (Memory, error) {
	if o != nil {
		if err := o.Validate(); err != nil {
			return Memory{}, err
		}
	}
	r := o.withDefaults()
	if err := c.Validate(); err != nil {
		return Memory{}, fmt.Errorf("engine: %w", err)
	}
	if err := r.resolveBlocks(&c); err != nil {
		return Memory{}, err
	}
	measured, err := model.Measure(c, q, m, cpu, r.forward())
	if err != nil {
		return Memory{}, fmt.Errorf("engine: %w", err)
	}
	// Each worker holds probabilities, altered logits, and as a rule fewer candidates than that.
	sampling := int64(cpu.Pool().Threads()) * int64(c.VocabSize) * (4 + 4)
	return Memory{
		Memory: measured, Sampling: sampling,
		blocks: r.Blocks, blockBytes: r.blockBytes(&c), context: c.MaxPositions,
	}, nil
}

// forward is the sizes of an engine's program.
func (o *Options) forward() *model.ForwardOptions {
	return &model.ForwardOptions{MaxTokens: o.tokens(), MaxRows: o.rows(), Blocks: o.Blocks, KV: o.KV}
}

// Total is the sum.
func (m Memory) Total() int64 { return m.Memory.Total() + m.Sampling }

// Table lists the parts, one a line, and the total.
func (m Memory) Table() string {
	var b strings.Builder
	line := func(name string, bytes int64, note string) {
		fmt.Fprintf(&b, "%-16s %10s", name, size(bytes))
		if note != "" {
			fmt.Fprintf(&b, "  %s", note)
		}
		b.WriteByte('\n')
	}
	line("weights", m.Weights, "")
	line("keys and values", m.KV, fmt.Sprintf("%d tokens in blocks of %d; a context has %d", m.blocks*kernel.BlockTokens, kernel.BlockTokens, m.context))
	line("activations", m.Activations, "")
	line("tables", m.Tables, "")
	line("sampling", m.Sampling, "")
	line("total", m.Total(), "")
	return b.String()
}

// Positions is how many positions the cache has where all of m takes so many bytes, at least 0 and at most those that a context has.
func (m Memory) Positions(available int64) int {
	rest := available - (m.Total() - m.KV)
	if rest <= 0 || m.blockBytes <= 0 {
		return 0
	}
	return int(min(int64(m.context), rest/m.blockBytes*kernel.BlockTokens))
}

// size is a number of bytes for people.
func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
}

// Fit is an error with advice if m does not fit into so many bytes.
func (m Memory) Fit(available int64) error {
	over := m.Total() - available
	if over <= 0 {
		return nil
	}
	advice := "use a smaller model or a smaller format"
	if rest := available - (m.Total() - m.KV); rest >= m.blockBytes && m.blockBytes > 0 {
		blocks := rest / m.blockBytes
		advice = fmt.Sprintf("give the cache at most %d blocks, which hold %d tokens", blocks, blocks*kernel.BlockTokens)
	} else if available > m.Weights+m.blockBytes {
		advice = "decode fewer samples together, and cut prompts into shorter pieces"
	}
	return fmt.Errorf("engine: the model and its cache need %s, %s more than the %s that are free: %s", size(m.Total()), size(over), size(max(0, available)), advice)
}
