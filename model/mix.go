package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/retort-ml/retort/tensor"
)

// A mix says which format each tensor of a quantised file has. The names and the rules are those of
// llama.cpp (src/llama-quant.cpp), whose files people have: most tensors have the base format, and
// those that a decoder is most sensitive to have more bits.
type mix struct {
	base     tensor.Format
	fileType uint32 // llama.h, enum llama_ftype
	// The values of attention, the down projection and the output of attention; nil is the base.
	value, down, out choice
	// needsImportance says that llama.cpp refuses the base without an importance matrix.
	needsImportance bool
}

// place is what a choice depends on.
type place struct {
	layer, layers int
	groups        int // query heads for each head of keys and values
	isWeighted    bool
}

type choice func(base tensor.Format, p place) tensor.Format

func always(f tensor.Format) choice {
	return func(tensor.Format, place) tensor.Format { return f }
}

// first gives f to the layers below n.
func first(n int, f tensor.Format) choice {
	return func(base tensor.Format, p place) tensor.Format {
		if p.layer < n {
			return f
		}
		return base
	}
}

// firstPart gives f to the first of n equal parts of the layers.
func firstPart(n int, f tensor.Format, otherwise choice) choice {
	return func(base tensor.Format, p place) tensor.Format {
		switch {
		case p.layer < p.layers/n:
			return f
		case otherwise != nil:
			return otherwise(base, p)
		}
		return base
	}
}

// moreBits gives f to the first and the last eighth of the layers, and to every third between.
func moreBits(f tensor.Format) choice {
	return func(base tensor.Format, p place) tensor.Format {
		eighth := p.layers / 8
		if p.layer < eighth || p.layer >= 7*p.layers/8 || (p.layer-eighth)%3 == 2 {
			return f
		}
		return base
	}
}

// grouped gives f where at least four query heads share keys and values: then the values are small.
func grouped(f tensor.Format, otherwise choice) choice {
	return func(base tensor.Format, p place) tensor.Format {
		switch {
		case p.groups >= 4:
			return f
		case otherwise != nil:
			return otherwise(base, p)
		}
		return base
	}
}

// weighted chooses where there is an importance matrix, plain where there is none.
func weighted(c choice) choice {
	return func(base tensor.Format, p place) tensor.Format {
		if p.isWeighted {
			return c(base, p)
		}
		return base
	}
}

func plain(c choice) choice {
	return func(base tensor.Format, p place) tensor.Format {
		if p.isWeighted {
			return base
		}
		return c(base, p)
	}
}

var mixes = map[string]mix{
	"F32": {base: tensor.F32, fileType: 0}, "F16": {base: tensor.F16, fileType: 1}, "BF16": {base: tensor.BF16, fileType: 32},
	"Q4_0":   {base: tensor.Q4_0, fileType: 2, down: weighted(firstPart(8, tensor.Q4_1, nil))},
	"Q4_1":   {base: tensor.Q4_1, fileType: 3},
	"Q5_0":   {base: tensor.Q5_0, fileType: 8, down: weighted(firstPart(8, tensor.Q5_1, nil))},
	"Q5_1":   {base: tensor.Q5_1, fileType: 9},
	"Q8_0":   {base: tensor.Q8_0, fileType: 7},
	"Q2_K":   {base: tensor.Q2_K, fileType: 10, value: grouped(tensor.Q4_K, always(tensor.Q3_K)), down: always(tensor.Q3_K), out: always(tensor.Q3_K)},
	"Q2_K_S": {base: tensor.Q2_K, fileType: 21, value: grouped(tensor.Q4_K, nil), down: firstPart(8, tensor.Q4_K, nil), needsImportance: true},
	"Q3_K_S": {base: tensor.Q3_K, fileType: 11},
	"Q3_K_M": {base: tensor.Q3_K, fileType: 12, value: func(_ tensor.Format, p place) tensor.Format { return first(2, tensor.Q5_K)(tensor.Q4_K, p) },
		down: firstPart(16, tensor.Q5_K, always(tensor.Q4_K)), out: always(tensor.Q4_K)},
	"Q3_K_L": {base: tensor.Q3_K, fileType: 13, value: always(tensor.Q5_K), down: always(tensor.Q5_K), out: always(tensor.Q5_K)},
	"Q4_K_S": {base: tensor.Q4_K, fileType: 14, value: first(4, tensor.Q5_K), down: firstPart(8, tensor.Q5_K, nil)},
	"Q4_K_M": {base: tensor.Q4_K, fileType: 15, value: moreBits(tensor.Q6_K), down: moreBits(tensor.Q6_K)},
	"Q5_K_S": {base: tensor.Q5_K, fileType: 16},
	"Q5_K_M": {base: tensor.Q5_K, fileType: 17, value: moreBits(tensor.Q6_K), down: moreBits(tensor.Q6_K)},
	"Q6_K":   {base: tensor.Q6_K, fileType: 18},
	"IQ4_NL": {base: tensor.IQ4_NL, fileType: 25, value: grouped(tensor.Q5_K, nil), down: plain(firstPart(8, tensor.Q5_K, nil))},
	"IQ4_XS": {base: tensor.IQ4_XS, fileType: 30, value: grouped(tensor.Q5_K, nil), down: plain(firstPart(8, tensor.Q5_K, nil))},
}

// shortMixes are what people say for the usual mix of a format.
var shortMixes = map[string]string{"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}

// Mixes returns the names of the mixes that [Files.Quantize] knows, sorted.
func Mixes() []string { return slices.Sorted(maps.Keys(mixes)) }

// findMix returns a mix by its name, in any case.
func findMix(name string) (mix, error) {
	upper := strings.ToUpper(name)
	if full, ok := shortMixes[upper]; ok {
		upper = full
	}
	m, ok := mixes[upper]
	if !ok {
		return mix{}, fmt.Errorf("model: quantisation %.40q: want one of %s", name, strings.Join(Mixes(), ", "))
	}
	return m, nil
}

// isQuantised says whether a format has blocks.
func isQuantised(f tensor.Format) bool {
	elements, _ := f.Block()
	return elements > 1
}

// narrower is what stands in for a format whose blocks do not fit the rows of a tensor.
var narrower = map[tensor.Format]tensor.Format{
	tensor.Q2_K: tensor.Q4_0, tensor.Q3_K: tensor.Q4_0, tensor.Q4_K: tensor.Q5_0, tensor.Q5_K: tensor.Q5_1,
	tensor.Q6_K: tensor.Q8_0, tensor.IQ4_XS: tensor.IQ4_NL,
}

// formatOf is the format of a tensor with the GGUF name and rows of ins values in a model of shape c.
func (m *mix) formatOf(c *Config, name string, ins int, p place) tensor.Format {
	if !isQuantised(m.base) {
		return m.base
	}
	f := m.base
	pick := func(by choice) {
		if by != nil {
			f = by(m.base, p)
		}
	}
	switch {
	case name == ggufHead || name == ggufEmbed && c.TieEmbeddings:
		if elements, _ := m.base.Block(); ins%elements != 0 {
			f = tensor.Q8_0
		} else if m.base != tensor.Q8_0 {
			f = tensor.Q6_K
		}
	case strings.HasSuffix(name, ".attn_v.weight"):
		pick(m.value)
		if c.is70B() && (f == tensor.Q3_K || f == tensor.Q4_K) {
			f = tensor.Q5_K
		}
	case strings.HasSuffix(name, ".ffn_down.weight"):
		pick(m.down)
	case strings.HasSuffix(name, ".attn_output.weight"):
		pick(m.out)
	}
	return fitted(f, ins)
}

// is70B says whether llama.cpp takes a model for one of 70 billion parameters, by its layers.
func (c *Config) is70B() bool {
	return c.Layers == 80 && (c.Architecture == Qwen2 || c.Architecture == Llama && c.Heads != c.KVHeads)
}

// fitted is the format, or what stands in for it where rows of ins values are no whole blocks.
func fitted(f tensor.Format, ins int) tensor.Format {
	if elements, _ := f.Block(); ins%elements == 0 {
		return f
	}
	if other, ok := narrower[f]; ok {
		if elements, _ := other.Block(); ins%elements == 0 {
			return other
		}
	}
	return tensor.F16
}
