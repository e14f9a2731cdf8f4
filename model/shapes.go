package model

import (
	"fmt"
	"slices"
	"strings"
)

// shapes are the configurations of published models, as their config.json has them. The ids that
// begin and end a text are those of the published tokenizers.
var shapes = map[string]Config{
	"r1-distill-qwen-1.5b": distillQwen(151936, 1536, 28, 12, 2, 8960, 10000, 1e-6),
	"r1-distill-qwen-7b":   distillQwen(152064, 3584, 28, 28, 4, 18944, 10000, 1e-6),
	"r1-distill-qwen-14b":  distillQwen(152064, 5120, 48, 40, 8, 13824, 1e6, 1e-5),
	"r1-distill-qwen-32b":  distillQwen(152064, 5120, 64, 40, 8, 27648, 1e6, 1e-5),
	"r1-distill-llama-8b":  distillLlama(4096, 32, 32, 14336),
	"r1-distill-llama-70b": distillLlama(8192, 80, 64, 28672),

	"qwen2.5-0.5b": shapeQwen25(896, 24, 14, 2, 4864, true),
	"qwen2.5-1.5b": shapeQwen25(1536, 28, 12, 2, 8960, true),
	"qwen2.5-3b":   shapeQwen25(2048, 36, 16, 2, 11008, true),

	"llama-3.2-1b": shapeLlama32(2048, 16, 32, 64, 8192),
	"llama-3.2-3b": shapeLlama32(3072, 28, 24, 128, 8192),

	"qwen3-0.6b": shapeQwen3(1024, 28, 16, 3072, true),
	"qwen3-1.7b": shapeQwen3(2048, 28, 16, 6144, true),
	"qwen3-4b":   shapeQwen3(2560, 36, 32, 9728, true),
	"qwen3-8b":   shapeQwen3(4096, 36, 32, 12288, false),
	"qwen3-14b":  shapeQwen3(5120, 40, 40, 17408, false),
	"qwen3-32b":  shapeQwen3(5120, 64, 64, 25600, false),
}

// Shapes returns the names of the published shapes, sorted.
func Shapes() []string {
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Shape returns the configuration of a published model by its name, such as r1-distill-qwen-1.5b.
func Shape(name string) (Config, error) {
	c, ok := shapes[strings.ToLower(name)]
	if !ok {
		return Config{}, fmt.Errorf("model: shape %q, want one of %s", name, strings.Join(Shapes(), ", "))
	}
	return c, nil
}

func distillQwen(vocabulary, width, layers, heads, kvHeads, ffn int, theta, epsilon float64) Config {
	return Config{
		Architecture: Qwen2, VocabSize: vocabulary, Width: width, Layers: layers, Heads: heads, KVHeads: kvHeads, HeadSize: 128, FFN: ffn,
		MaxPositions: 131072, RopeTheta: theta, NormEpsilon: epsilon, InitializerRange: 0.02, BOS: 151646, EOS: 151643,
	}
}

func distillLlama(width, layers, heads, ffn int) Config {
	return Config{
		Architecture: Llama, VocabSize: 128256, Width: width, Layers: layers, Heads: heads, KVHeads: 8, HeadSize: 128, FFN: ffn,
		MaxPositions: 131072, RopeTheta: 500000, NormEpsilon: 1e-5, InitializerRange: 0.02, BOS: 128000, EOS: 128001,
		RopeScaling: RopeScaling{Factor: 8, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 8192},
	}
}

func shapeLlama32(width, layers, heads, headSize, ffn int) Config {
	c := distillLlama(width, layers, heads, ffn)
	c.HeadSize, c.TieEmbeddings, c.RopeScaling.Factor, c.EOS = headSize, true, 32, 128009
	return c
}

func shapeQwen25(width, layers, heads, kvHeads, ffn int, tied bool) Config {
	return Config{
		Architecture: Qwen2, VocabSize: 151936, Width: width, Layers: layers, Heads: heads, KVHeads: kvHeads, HeadSize: width / heads, FFN: ffn,
		MaxPositions: 32768, RopeTheta: 1e6, NormEpsilon: 1e-6, InitializerRange: 0.02, TieEmbeddings: tied, BOS: 151643, EOS: 151645,
	}
}

func shapeQwen3(width, layers, heads, ffn int, tied bool) Config {
	return Config{
		Architecture: Qwen3, VocabSize: 151936, Width: width, Layers: layers, Heads: heads, KVHeads: 8, HeadSize: 128, FFN: ffn,
		MaxPositions: 40960, RopeTheta: 1e6, NormEpsilon: 1e-6, InitializerRange: 0.02, TieEmbeddings: tied, BOS: 151643, EOS: 151645,
	}
}
