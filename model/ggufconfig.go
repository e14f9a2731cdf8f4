package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// ggufFileTypes are llama.cpp's numbers for files of one format (llama.h, enum llama_ftype).
var ggufFileTypes = map[tensor.Format]uint32{
	tensor.F32: 0, tensor.F16: 1, tensor.Q4_0: 2, tensor.Q4_1: 3, tensor.Q8_0: 7, tensor.Q5_0: 8, tensor.Q5_1: 9, tensor.Q2_K: 10,
	tensor.Q3_K: 11, tensor.Q4_K: 14, tensor.Q5_K: 16, tensor.Q6_K: 18, tensor.IQ4_NL: 25, tensor.IQ4_XS: 30, tensor.BF16: 32, tensor.MXFP4: 38,
}

// ggufMetadata is what a GGUF file of this shape says about itself, without a tokenizer's keys but
// for the ids of begin and end.
func (c *Config) ggufMetadata(format tensor.Format) weights.Metadata {
	arch := c.switches().gguf
	var m weights.Metadata
	m.Set("general.architecture", arch)
	m.Set("general.type", "model")
	m.Set("general.file_type", ggufFileTypes[format])
	m.Set("general.quantization_version", uint32(2))
	for _, n := range []struct {
		key   string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"context_length", c.MaxPositions}, {"embedding_length", c.Width}, {"block_count", c.Layers},
		{"feed_forward_length", c.FFN}, {"attention.head_count", c.Heads}, {"attention.head_count_kv", c.KVHeads},
		{"attention.key_length", c.HeadSize}, {"attention.value_length", c.HeadSize}, {"rope.dimension_count", c.HeadSize},
	} {
		m.Set(arch+"."+n.key, uint32(n.value))
	}
	m.Set(arch+".rope.freq_base", float32(c.RopeTheta))
	m.Set(arch+".attention.layer_norm_rms_epsilon", float32(c.NormEpsilon))
	if s := c.RopeScaling; s.Factor != 0 {
		m.Set(ropeScalingKey, []float32{float32(s.Factor), float32(s.LowFrequencyFactor), float32(s.HighFrequencyFactor), float32(s.OriginalMaxPositions)})
	}
	if c.BOS >= 0 {
		m.Set("tokenizer.ggml.bos_token_id", uint32(c.BOS))
	}
	if c.EOS >= 0 {
		m.Set("tokenizer.ggml.eos_token_id", uint32(c.EOS))
	}
	for i, key := range moreEndKeys {
		if i < len(c.MoreEOS) {
			m.Set(key, uint32(c.MoreEOS[i]))
		}
	}
	return m
}

// ropeScalingKey is a key of our own for the four numbers of a RopeScaling, of which a GGUF file
// otherwise has only the resulting factors.
const ropeScalingKey = "retort.rope_scaling"

// moreEndKeys name further ids that end a text.
var moreEndKeys = []string{"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}

// ggufReader collects the faults of a GGUF file's metadata.
type ggufReader struct {
	metadata weights.Metadata
	arch     string
	faults   []error
}

// number returns a required size.
func (r *ggufReader) number(key string) int {
	n, err := r.metadata.Uint(r.arch + "." + key)
	if err != nil {
		r.faults = append(r.faults, err)
	}
	return n
}

// numberOr returns a size, or the default if it is absent.
func (r *ggufReader) numberOr(key string, otherwise int) int {
	if !r.metadata.Has(r.arch + "." + key) {
		return otherwise
	}
	return r.number(key)
}

// realOr returns a real number as its shortest decimal text reads, so that 1e-6, which is stored in
// 32 bits, is 1e-6 again; the default if it is absent.
func (r *ggufReader) realOr(key string, otherwise float64) float64 {
	if !r.metadata.Has(r.arch + "." + key) {
		return otherwise
	}
	x, err := r.metadata.Float(r.arch + "." + key)
	if err != nil {
		r.faults = append(r.faults, err)
	}
	if short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', -1, 32), 64); err == nil {
		x = short
	}
	return x
}

// refuse notes a setting that the decoder has nothing like, unless it is absent or 0.
func (r *ggufReader) refuse(key string) {
	if x := r.realOr(key, 0); x != 0 {
		r.faults = append(r.faults, fmt.Errorf("model: gguf: %s.%s is %v, which is not supported", r.arch, key, x))
	}
}

// GGUFConfig reads the shape of the model in an opened GGUF file: from its metadata, and from its
// tensors whether the embeddings are tied, attention has biases, and the rotary frequencies are scaled.
func GGUFConfig(f *weights.File) (Config, error) {
	r := &ggufReader{metadata: f.Metadata()}
	arch, err := r.metadata.String("general.architecture")
	if err != nil {
		return Config{}, fmt.Errorf("model: gguf: %w", err)
	}
	c := Config{BOS: -1, EOS: -1, TieEmbeddings: !f.Has(ggufHead)}
	for name, a := range architectures {
		if a.gguf == arch {
			c.Architecture, r.arch = name, arch
			c.AttentionBias = a.optionalBias && f.Has("blk.0.attn_q.bias")
		}
	}
	if r.arch == "" {
		return Config{}, fmt.Errorf("model: gguf: architecture %.60q, want llama, qwen2 or qwen3", arch)
	}
	c.MaxPositions, c.Width, c.Layers = r.number("context_length"), r.number("embedding_length"), r.number("block_count")
	c.FFN, c.Heads = r.number("feed_forward_length"), r.number("attention.head_count")
	c.KVHeads = r.numberOr("attention.head_count_kv", c.Heads)
	if c.Heads > 0 {
		c.HeadSize = r.numberOr("attention.key_length", c.Width/c.Heads)
	}
	for _, key := range []string{"attention.value_length", "rope.dimension_count"} {
		if n := r.numberOr(key, c.HeadSize); n != c.HeadSize {
			r.faults = append(r.faults, fmt.Errorf("model: gguf: %s.%s is %d, want %d, the size of a head", arch, key, n, c.HeadSize))
		}
	}
	c.RopeTheta = r.realOr("rope.freq_base", 10000)
	c.NormEpsilon = r.realOr("attention.layer_norm_rms_epsilon", 0)
	for _, key := range []string{"expert_count", "attention.sliding_window"} {
		r.refuse(key)
	}
	if t, err := f.Tensor(ggufEmbed); err != nil || len(t.Shape) != 2 {
		r.faults = append(r.faults, fmt.Errorf("model: gguf: %s: shape %v, want a matrix", ggufEmbed, t.Shape))
	} else {
		c.VocabSize = t.Shape[0]
	}
	r.ids(&c)
	r.rope(&c, f)
	if len(r.faults) > 0 {
		return Config{}, errors.Join(r.faults...)
	}
	return c, c.Validate()
}

// ids reads the ids that begin and end a text.
func (r *ggufReader) ids(c *Config) {
	id := func(key string) int32 {
		if !r.metadata.Has(key) {
			return -1
		}
		n, err := r.metadata.Uint(key)
		if err == nil && n > math.MaxInt32 {
			if n == math.MaxUint32 { // llama.cpp's "none"
				return -1
			}
			err = fmt.Errorf("model: gguf: %s is %d, want an id", key, n)
		}
		if err != nil {
			r.faults = append(r.faults, err)
		}
		return int32(n)
	}
	c.BOS, c.EOS = id("tokenizer.ggml.bos_token_id"), id("tokenizer.ggml.eos_token_id")
	for _, key := range moreEndKeys {
		if n := id(key); n >= 0 && c.EOS >= 0 && !slices.Contains(c.Ends(), n) {
			c.MoreEOS = append(c.MoreEOS, n)
		}
	}
}

// rope reads the scaling of the rotary frequencies.
func (r *ggufReader) rope(c *Config, f *weights.File) {
	key := r.arch + ".rope.scaling.type"
	if r.metadata.Has(key) {
		kind, err := r.metadata.String(key)
		if err == nil && kind != "none" && !(kind == "linear" && r.realOr("rope.scaling.factor", 1) == 1) {
			err = fmt.Errorf("model: gguf: %s is %.60q, want none; of the ways to stretch the context only llama3 (%s) is supported", key, kind, ggufRopeFreqs)
		}
		if err != nil {
			r.faults = append(r.faults, err)
		}
	}
	if !f.Has(ggufRopeFreqs) || len(r.faults) > 0 {
		return
	}
	t, err := f.Tensor(ggufRopeFreqs)
	if err == nil && (len(t.Shape) != 1 || t.Shape[0] != c.HeadSize/2) {
		err = fmt.Errorf("model: gguf: %s: shape %v, want [%d]", ggufRopeFreqs, t.Shape, c.HeadSize/2)
	}
	var factors []float32
	if err == nil {
		factors, err = t.Float32s()
	}
	if err == nil {
		c.RopeScaling, err = r.findRopeScaling(c, factors)
	}
	if err != nil {
		r.faults = append(r.faults, err)
	}
}

// ropeFactors are the divisors of the rotary frequencies as a GGUF file holds them; nil without scaling.
func (c *Config) ropeFactors() []float32 {
	if c.RopeScaling.Factor == 0 {
		return nil
	}
	factors := make([]float32, c.HeadSize/2)
	for i := range factors {
		factors[i] = float32(c.RopeScaling.divisor(c.ropeFrequency(i)))
	}
	return factors
}

// findRopeScaling finds the rule that gives the factors of a GGUF file. Only our own files name it.
// For others the factor is the last one, that of the longest wave; only the ratios of the rule's
// other numbers matter, so the low frequency factor is taken as 1. Those of published models (high 4,
// an original context of 8192) are tried first.
func (r *ggufReader) findRopeScaling(c *Config, factors []float32) (RopeScaling, error) {
	if n, err := r.metadata.Floats(ropeScalingKey); err == nil && len(n) == 4 && n[3] >= 1 && n[3] < maxDimension<<4 {
		s := RopeScaling{float64(n[0]), float64(n[1]), float64(n[2]), int(n[3])}
		if s.validate() == nil && c.ropeFactorsAre(s, factors) {
			return s, nil
		}
	}
	largest := slices.Max(factors)
	if largest == 1 && slices.Min(factors) == 1 {
		return RopeScaling{}, nil
	}
	s := RopeScaling{Factor: float64(largest), LowFrequencyFactor: 1}
	for _, s.HighFrequencyFactor = range []float64{4, 2, 8, 16, 32} {
		for _, s.OriginalMaxPositions = range []int{8192, 4096, 16384, 2048, 32768, 1024, 65536, 512, 131072, 256, 128, 64, 32, 16} {
			if s.validate() == nil && c.ropeFactorsAre(s, factors) {
				return s, nil
			}
		}
	}
	return s, fmt.Errorf("model: gguf: %s holds factors from %v to %v that no llama3 rule with low_freq_factor 1 gives; open the model's safetensors files instead",
		ggufRopeFreqs, slices.Min(factors), largest)
}

func (c *Config) ropeFactorsAre(s RopeScaling, factors []float32) bool {
	for i, factor := range factors {
		if want := s.divisor(c.ropeFrequency(i)); !(math.Abs(float64(factor)-want) <= 1e-5*want) {
			return false
		}
	}
	return true
}
