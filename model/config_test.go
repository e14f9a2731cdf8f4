package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// The shapes that makers publish, with the fields that decide something.
const (
	llama31 = `{"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":128000,
		"eos_token_id":[128001,128008,128009],"hidden_act":"silu","hidden_size":4096,"initializer_range":0.02,"intermediate_size":14336,
		"max_position_embeddings":131072,"mlp_bias":false,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":32,
		"num_key_value_heads":8,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,
		"high_freq_factor":4.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},"rope_theta":500000.0,
		"tie_word_embeddings":false,"torch_dtype":"bfloat16","vocab_size":128256}`
	qwen3 = `{"architectures":["Qwen3ForCausalLM"],"attention_bias":false,"bos_token_id":151643,"eos_token_id":151645,"head_dim":128,
		"hidden_act":"silu","hidden_size":1024,"initializer_range":0.02,"intermediate_size":3072,"max_position_embeddings":40960,
		"max_window_layers":28,"model_type":"qwen3","num_attention_heads":16,"num_hidden_layers":28,"num_key_value_heads":8,
		"rms_norm_eps":1e-06,"rope_scaling":null,"rope_theta":1000000,"sliding_window":null,"tie_word_embeddings":true,
		"dtype":"bfloat16","use_sliding_window":false,"vocab_size":151936}`
	newer = `{"architectures":["Qwen3ForCausalLM"],"dtype":"float32","hidden_size":64,"intermediate_size":96,"head_dim":null,
		"layer_types":["full_attention","full_attention"],"max_position_embeddings":512,"num_attention_heads":4,"num_hidden_layers":2,
		"num_key_value_heads":2,"rms_norm_eps":1e-06,"rope_parameters":{"rope_theta":5000.0,"rope_type":"llama3","factor":2.0,
		"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":128},"eos_token_id":null,"vocab_size":300}`
	older = `{"architectures":["LlamaForCausalLM"],"hidden_size":64,"intermediate_size":96,"max_position_embeddings":512,
		"num_attention_heads":4,"num_hidden_layers":2,"rms_norm_eps":1e-06,"rope_theta":10000.0,"vocab_size":300,
		"rope_scaling":{"type":"default"}}`
)

func TestParseConfig(t *testing.T) {
	scaling := RopeScaling{Factor: 8, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 8192}
	for name, c := range map[string]struct {
		text string
		want Config
	}{
		"Llama 3.1 8B": {llama31, Config{Architecture: Llama, VocabSize: 128256, Width: 4096, Layers: 32, Heads: 32, KVHeads: 8, HeadSize: 128,
			FFN: 14336, MaxPositions: 131072, RopeTheta: 500000, RopeScaling: scaling, NormEpsilon: 1e-5, InitializerRange: 0.02,
			BOS: 128000, EOS: 128001, MoreEOS: []int32{128008, 128009}}},
		"Qwen3 0.6B": {qwen3, Config{Architecture: Qwen3, VocabSize: 151936, Width: 1024, Layers: 28, Heads: 16, KVHeads: 8, HeadSize: 128,
			FFN: 3072, MaxPositions: 40960, RopeTheta: 1e6, NormEpsilon: 1e-6, InitializerRange: 0.02, TieEmbeddings: true, BOS: 151643, EOS: 151645}},
		"newer form": {newer, Config{Architecture: Qwen3, VocabSize: 300, Width: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 128,
			FFN: 96, MaxPositions: 512, RopeTheta: 5000, NormEpsilon: 1e-6, BOS: -1, EOS: -1,
			RopeScaling: RopeScaling{Factor: 2, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 128}}},
		"older form": {older, Config{Architecture: Llama, VocabSize: 300, Width: 64, Layers: 2, Heads: 4, KVHeads: 4, HeadSize: 16,
			FFN: 96, MaxPositions: 512, RopeTheta: 10000, NormEpsilon: 1e-6, BOS: -1, EOS: -1}},
	} {
		got, err := ParseConfig([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !got.Equal(c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(c.text, `"factor":8.0`) && !strings.Contains(string(text), `"factor":8.0,"low_freq_factor":1.0`) {
			t.Errorf("%s: written as %s, want the factors with a decimal point", name, text)
		}
		if back, err := ParseConfig(text); err != nil || !back.Equal(got) {
			t.Errorf("%s: written and read again: %+v, %v", name, back, err)
		}
	}
	if n := (Config{MoreEOS: []int32{1}}); n.Equal(Config{}) || !slices.Equal(n.Ends(), []int32{0, 1}) {
		t.Errorf("the list of end ids does not count: %v", n.Ends())
	}
}

// TestParseConfigRefuses replaces a piece of a good config.
func TestParseConfigRefuses(t *testing.T) {
	for _, c := range []struct{ old, new, complaint string }{
		{`"LlamaForCausalLM"`, `"MistralForCausalLM"`, "MistralForCausalLM"},
		{`"LlamaForCausalLM"`, `"LlamaForCausalLM","Qwen2ForCausalLM"`, "exactly one"},
		{`"mlp_bias":false`, `"mlp_bias":true`, "mlp_bias"},
		{`"silu"`, `"gelu"`, "hidden_act"},
		{`"pretraining_tp":1`, `"use_sliding_window":true`, "use_sliding_window"},
		{`"pretraining_tp":1`, `"layer_types":["full_attention","sliding_attention"]`, "layer 1"},
		{`"rope_type":"llama3"`, `"rope_type":"yarn"`, "yarn"},
		{`"rope_type":"llama3"`, `"type":"linear"`, "linear"},
		{`"factor":8.0,`, ``, "factor"},
		{`"low_freq_factor":1.0`, `"low_freq_factor":5.0`, "low_freq_factor"},
		{`"original_max_position_embeddings":8192`, `"original_max_position_embeddings":-3`, "original_max"},
		{`"rope_type":"llama3"`, `"rope_type":"llama3","partial_rotary_factor":0.5`, "partial_rotary_factor"},
		{`[128001,128008,128009]`, `"x"`, "token id"},
		{`"rope_theta":500000.0,`, ``, "rope_theta"},
		{`"num_attention_heads":32`, `"num_attention_heads":30`, "head_dim"},
		{`"vocab_size":128256`, `"vocab_size":-1`, "vocab_size"},
	} {
		text := strings.Replace(llama31, c.old, c.new, 1)
		if text == llama31 {
			t.Fatalf("%s is not in the config", c.old)
		}
		if _, err := ParseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), c.complaint) {
			t.Errorf("%s: error %v, want one about %q", c.new, err, c.complaint)
		}
	}
	c := tiny(true)
	c.Width, c.Heads, c.KVHeads, c.HeadSize, c.FFN, c.Layers = 1<<24, 1<<24, 1<<24, 1<<24, 1<<24, 1<<24
	if _, err := New(c, 1); err == nil || !strings.Contains(err.Error(), "parameters") {
		t.Errorf("sizes whose product is no int: error %v, want one about the parameters", err)
	}
	c = tiny(true)
	c.AttentionBias = true
	if c.Validate() == nil {
		t.Error("attention_bias of a Qwen2: no error")
	}
}

// TestLlama3Frequencies compares with the frequencies of Llama 3.1, computed by transformers in
// float32: pairs that stay, pairs that are blended, pairs that are divided by 8.
func TestLlama3Frequencies(t *testing.T) {
	s := RopeScaling{Factor: 8, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 8192}
	for pair, want := range llama31Frequencies {
		frequency := math.Pow(500000, -2*float64(pair)/128)
		if got := frequency / s.divisor(frequency); math.Abs(got/want-1) > 1e-6 {
			t.Errorf("pair %d: %v radians a position, want %v", pair, got, want)
		}
	}
}

func TestParseGenerationConfig(t *testing.T) {
	g, err := ParseGenerationConfig([]byte(`{"bos_token_id":128000,"do_sample":true,"eos_token_id":[128001,128009],"temperature":0.6,
		"top_p":0.9,"top_k":20,"repetition_penalty":1.05,"transformers_version":"4.42.3"}`))
	if err != nil {
		t.Fatal(err)
	}
	if g.BOS != 128000 || !g.DoSample || !slices.Equal(g.EOS, []int32{128001, 128009}) || g.Temperature != 0.6 || g.TopP != 0.9 || g.TopK != 20 || g.RepetitionPenalty != 1.05 {
		t.Errorf("got %+v", g)
	}
	for _, text := range []string{`{`, `{"top_p":2}`, `{"temperature":-1}`, `{"top_k":-1}`, `{"eos_token_id":"x"}`, `{"eos_token_id":[-4]}`} {
		if _, err := ParseGenerationConfig([]byte(text)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
	if g, err := OpenGenerationConfig(t.TempDir()); err != nil || g.BOS != -1 || g.EOS != nil {
		t.Errorf("without a file: %+v, %v", g, err)
	}
}

// llama31Frequencies are some of LlamaRotaryEmbedding.inv_freq of Llama 3.1 8B, by pair.
var llama31Frequencies = map[int]float64{
	0: 1, 1: 0.814617217, 20: 0.0165604409, 28: 0.00321144611, 29: 0.00216657063, 30: 0.00137189368, 32: 0.000524846022,
	34: 0.000178507791, 35: 9.55621217e-05, 36: 7.78465546e-05, 50: 4.41153452e-06, 63: 3.06892588e-07,
}

// TestEndsOfGenerationConfig: what generation_config.json adds to the ends of a text goes where the model goes.
func TestEndsOfGenerationConfig(t *testing.T) {
	for _, c := range []struct {
		eos  int32
		more []int32
		file string
		want []int32
	}{
		{5, nil, `{"eos_token_id":[5,7]}`, []int32{5, 7}},
		{5, []int32{7}, `{"eos_token_id":[9,7]}`, []int32{5, 7, 9}},
		{-1, nil, `{"eos_token_id":6}`, []int32{6}},
		{5, nil, `{"eos_token_id":100000}`, []int32{5}}, // no token of the model
		{5, nil, `{}`, []int32{5}},
	} {
		config := optionsConfig()
		config.EOS, config.MoreEOS = c.eos, c.more
		m, err := New(config, 1)
		if err != nil {
			t.Fatal(err)
		}
		dir, copied := t.TempDir(), t.TempDir()
		if err := m.Save(dir, tensor.F32); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "generation_config.json"), []byte(c.file), 0o666); err != nil {
			t.Fatal(err)
		}
		opened, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := opened.SaveGGUF(filepath.Join(copied, "m.gguf"), tensor.F32, nil); err != nil {
			t.Fatal(err)
		}
		again, err := Open(filepath.Join(copied, "m.gguf"))
		if err != nil {
			t.Fatal(err)
		}
		if got := opened.Config().Ends(); !slices.Equal(got, c.want) || !slices.Equal(again.Config().Ends(), got) {
			t.Errorf("%s: ends %v, as GGUF %v, want %v", c.file, got, again.Config().Ends(), c.want)
		}
	}
	dir := t.TempDir()
	m, err := New(optionsConfig(), 1)
	if err != nil || m.Save(dir, tensor.F32) != nil || os.WriteFile(filepath.Join(dir, "generation_config.json"), []byte(`{"top_p":9}`), 0o666) != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "generation_config.json: top_p is 9") {
		t.Errorf("a faulty file: %v", err)
	}
}
