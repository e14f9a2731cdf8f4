package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

var quantizeInputs = flag.String("quantize-inputs", "", "write the files that testdata/quantize.py quantises into this folder")

// quantizeCases are models whose layers, groups and widths take every branch of the rules. Of those that begin with "whole"
// every byte is compared, of the others, which have more layers, the formats.
var quantizeCases = func() map[string]Config {
	base := Config{Architecture: Qwen2, VocabSize: 64, Width: 256, Heads: 4, KVHeads: 1, HeadSize: 64, FFN: 256,
		MaxPositions: 64, RopeTheta: 10000, NormEpsilon: 1e-6, BOS: -1, EOS: 3}
	with := func(change func(c *Config)) Config {
		c := base
		change(&c)
		return c
	}
	scaling := RopeScaling{Factor: 8, LowFrequencyFactor: 1, HighFrequencyFactor: 4, OriginalMaxPositions: 32}
	return map[string]Config{
		"whole": with(func(c *Config) { c.Layers = 1 }),
		"whole-odd": with(func(c *Config) {
			c.Layers, c.Architecture, c.Width, c.Heads, c.HeadSize, c.FFN = 2, Llama, 80, 5, 16, 176
		}),
		"whole-tied": with(func(c *Config) {
			c.Layers, c.Architecture, c.Width, c.HeadSize, c.FFN, c.TieEmbeddings, c.RopeScaling = 1, Llama, 96, 32, 288, true, scaling
		}),
		"grouped": with(func(c *Config) { c.Layers, c.Heads, c.HeadSize, c.KVHeads = 17, 8, 32, 2 }),
		"tied": with(func(c *Config) {
			c.Layers, c.Architecture, c.Heads, c.HeadSize, c.TieEmbeddings = 9, Qwen3, 2, 128, true
		}),
		"narrow": with(func(c *Config) { c.Layers, c.Width, c.Heads, c.KVHeads, c.HeadSize, c.FFN = 8, 96, 3, 3, 32, 288 }),
		"scaled": with(func(c *Config) {
			c.Layers, c.Architecture, c.KVHeads, c.TieEmbeddings, c.RopeScaling = 16, Llama, 2, true, scaling
		}),
	}
}()

// quantizeInput writes the model of a case and an importance matrix in the older form.
func quantizeInput(t *testing.T, dir, name string) (file, importance string) {
	t.Helper()
	c := quantizeCases[name]
	file, importance = filepath.Join(dir, name+".gguf"), filepath.Join(dir, name+".dat")
	s := &Synthesis{Config: c, Seed: 5}
	if err := s.WriteGGUF(file, tensor.F32, weights.Metadata{{Key: "tokenizer.ggml.model", Value: "none"}}); err != nil {
		t.Fatal(err)
	}
	m, err := layOut(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	var list []view
	for _, v := range m.base.views {
		if len(v.shape) == 2 && v.name != embedName && !strings.Contains(v.name, ".1.mlp.down") {
			list = append(list, v)
		}
	}
	data := binary.LittleEndian.AppendUint32(nil, uint32(len(list)))
	random := rand.New(rand.NewPCG(9, 9))
	for _, v := range list {
		name := GGUFName(v.name)
		data = append(binary.LittleEndian.AppendUint32(data, uint32(len(name))), name...)
		data = binary.LittleEndian.AppendUint32(data, 4)
		data = binary.LittleEndian.AppendUint32(data, uint32(v.shape[1]))
		for range v.shape[1] {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(random.IntN(1<<16))/1024))
		}
	}
	if err := os.WriteFile(importance, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file, importance
}

func sha256OfFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestQuantizeIsLlamaCpp compares whole files, byte for byte, with those of llama.cpp's quantiser.
func TestQuantizeIsLlamaCpp(t *testing.T) {
	dir := t.TempDir()
	if *quantizeInputs != "" {
		dir = *quantizeInputs
	}
	text, err := os.ReadFile("testdata/quantize.json")
	if err != nil && *quantizeInputs == "" {
		t.Fatal(err)
	}
	var golden map[string]map[string]string // by case and mix, "+" behind it with importance
	if err := json.Unmarshal(text, &golden); err != nil && *quantizeInputs == "" {
		t.Fatal(err)
	}
	for name := range quantizeCases {
		file, importance := quantizeInput(t, dir, name)
		if *quantizeInputs != "" {
			continue
		}
		if got := sha256OfFile(t, file); got != golden[name]["input"] {
			t.Fatalf("%s: the input is another file than llama.cpp had", name)
		}
		matrix, err := OpenImportance(importance)
		if err != nil {
			t.Fatal(err)
		}
		f, err := OpenFiles(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, mix := range Mixes() {
			for _, with := range []Importance{nil, matrix} {
				key := mix
				if with != nil {
					key += "+"
				}
				got := quantizeDigest(t, f, filepath.Join(dir, "out.gguf"), &QuantizeOptions{Mix: strings.ToLower(mix), Importance: with}, strings.HasPrefix(name, "whole"))
				if want := golden[name][key]; got != want {
					t.Errorf("%s %s: got %s, llama.cpp has %s", name, key, got, want)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// quantizeDigest is the function digest of testdata/quantize.py, of our own file.
func quantizeDigest(t *testing.T, f *Files, out string, o *QuantizeOptions, whole bool) string {
	t.Helper()
	if !whole {
		out = ""
	}
	report, err := f.Quantize(out, o)
	switch {
	case err != nil:
		return "refused"
	case whole:
		return sha256OfFile(t, out)
	}
	var lines strings.Builder
	for _, q := range report {
		lines.WriteString(q.Name + " " + q.To.String() + "\n")
	}
	sum := sha256.Sum256([]byte(lines.String()))
	return hex.EncodeToString(sum[:])
}

// TestQuantizeFromFolder quantises the same values from safetensors, and wants the same tensors.
func TestQuantizeFromFolder(t *testing.T) {
	for _, name := range []string{"whole-odd", "whole-tied"} {
		dir := t.TempDir()
		file, _ := quantizeInput(t, dir, name)
		s := &Synthesis{Config: quantizeCases[name], Seed: 5}
		if err := s.WriteFolder(filepath.Join(dir, "folder"), tensor.F32); err != nil {
			t.Fatal(err)
		}
		var got [2]*weights.File
		for i, path := range []string{file, filepath.Join(dir, "folder")} {
			f, err := OpenFiles(path)
			if err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(dir, "out"+string(rune('0'+i))+".gguf")
			var last, total int64
			report, err := f.Quantize(out, &QuantizeOptions{Mix: "Q4_K_M", Progress: func(done, of int64) { last, total = done, of }})
			if err != nil {
				t.Fatal(err)
			}
			if last != total || last == 0 {
				t.Errorf("%s: progress ends at %d of %d", name, last, total)
			}
			if planned, err := f.Quantize("", &QuantizeOptions{Mix: "Q4_K_M"}); err != nil || len(planned) != len(report) {
				t.Errorf("%s: %d tensors planned, %d written, %v", name, len(planned), len(report), err)
			}
			if got[i], err = weights.Open(out); err != nil {
				t.Fatal(err)
			}
			defer got[i].Close()
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(got[0].Names(), got[1].Names()) {
			t.Fatalf("%s: the files name other tensors", name)
		}
		for _, n := range got[0].Names() {
			a, errA := got[0].Tensor(n)
			b, errB := got[1].Tensor(n)
			if err := errors.Join(errA, errB); err != nil || a.Format != b.Format || !bytes.Equal(a.Data, b.Data) {
				t.Errorf("%s: %s differs: %s and %s, %v", name, n, a.Format, b.Format, err)
			}
		}
	}
}

// TestSynthesisOfAMix wants the tensors that quantising the same values gives.
func TestSynthesisOfAMix(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"whole", "whole-tied"} {
		file, _ := quantizeInput(t, dir, name)
		f, err := OpenFiles(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s := &Synthesis{Config: quantizeCases[name], Seed: 5}
		var got [2]*weights.File
		a, b := filepath.Join(dir, "a.gguf"), filepath.Join(dir, "b.gguf")
		_, errA := f.Quantize(a, &QuantizeOptions{Mix: "q3_k_m"})
		if err := errors.Join(errA, s.WriteMix(b, "q3_k_m", weights.Metadata{{Key: "general.name", Value: "x"}})); err != nil {
			t.Fatal(err)
		}
		for i, path := range []string{a, b} {
			if got[i], err = weights.Open(path); err != nil {
				t.Fatal(err)
			}
			defer got[i].Close()
			if kind, err := got[i].Metadata().Uint("general.file_type"); err != nil || kind != 12 {
				t.Errorf("%s: file type %d, %v", name, kind, err)
			}
		}
		for _, n := range got[0].Names() {
			x, errX := got[0].Tensor(n)
			y, errY := got[1].Tensor(n)
			if err := errors.Join(errX, errY); err != nil || x.Format != y.Format || !bytes.Equal(x.Data, y.Data) {
				t.Errorf("%s: %s differs: %s and %s, %v", name, n, x.Format, y.Format, err)
			}
		}
	}
	if err := (&Synthesis{Config: quantizeCases["whole"]}).WriteMix(filepath.Join(dir, "c.gguf"), "Q9", nil); err == nil {
		t.Error("an unknown mix was written")
	}
}

func TestQuantizeRefuses(t *testing.T) {
	dir := t.TempDir()
	file, _ := quantizeInput(t, dir, "whole-tied")
	f, err := OpenFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	quantised := filepath.Join(dir, "q.gguf")
	if _, err := f.Quantize(quantised, &QuantizeOptions{Mix: "Q4_0"}); err != nil {
		t.Fatal(err)
	}
	q, err := OpenFiles(quantised)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	file, _ = quantizeInput(t, dir, "whole")
	wide, err := OpenFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	defer wide.Close()
	for _, c := range []struct {
		files *Files
		o     QuantizeOptions
		want  string
	}{
		{f, QuantizeOptions{Mix: "Q9_K"}, "want one of BF16, F16"},
		{wide, QuantizeOptions{Mix: "Q2_K_S"}, "needs an importance for it"},
		{f, QuantizeOptions{Mix: "Q4_K", Importance: Importance{"blk.0.attn_k.weight": make([]float32, 7)}}, "7 columns for it, want 96"},
		{q, QuantizeOptions{Mix: "Q8_0"}, "is Q4_0 already"},
		{q, QuantizeOptions{Mix: "Q8_0", Requantize: true}, ""},
		{q, QuantizeOptions{Mix: "Q4_0"}, ""}, // what is the same stays
	} {
		if _, err := c.files.Quantize(filepath.Join(dir, "out.gguf"), &c.o); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.o.Mix, err, c.want)
		}
	}
	if sha256OfFile(t, filepath.Join(dir, "out.gguf")) != sha256OfFile(t, quantised) {
		t.Error("Q4_0 of Q4_0 is another file")
	}
}

func TestOpenImportance(t *testing.T) {
	dir := t.TempDir()
	file, old := quantizeInput(t, dir, "whole-odd")
	want, err := OpenImportance(old)
	if err != nil || len(want["blk.1.ffn_up.weight"]) != 80 {
		t.Fatalf("%d values, %v", len(want["blk.1.ffn_up.weight"]), err)
	}
	// The newer form of the same.
	var list []weights.NamedTensor
	for _, name := range slices.Sorted(maps.Keys(want)) {
		sums := make([]float32, len(want[name]))
		for i, x := range want[name] {
			sums[i] = 8 * x
		}
		list = append(list, weights.NamedTensor{Name: name + ".in_sum2", Shape: []int{1, len(sums)}, Values: sums},
			weights.NamedTensor{Name: name + ".counts", Shape: []int{1, 1}, Values: []float32{8}})
	}
	list[1].Values = []float32{0}
	newer := filepath.Join(dir, "new.gguf")
	if err := weights.WriteGGUF(newer, weights.Metadata{{Key: "general.type", Value: "imatrix"}}, list); err != nil {
		t.Fatal(err)
	}
	got, err := OpenImportance(newer)
	if err != nil {
		t.Fatal(err)
	}
	unseen := strings.TrimSuffix(list[0].Name, ".in_sum2")
	for name, values := range want {
		if name == unseen {
			values = slices.Repeat([]float32{1}, len(values))
		}
		if !slices.Equal(got[name], values) {
			t.Errorf("%s differs", name)
		}
	}
	data, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	negative := slices.Clone(data)
	binary.LittleEndian.PutUint32(negative[len(data)-4:], math.Float32bits(-1))
	for _, c := range []struct {
		data []byte
		want string
	}{
		{data[:len(data)-1], "cut, or not an importance matrix"}, {data[:2], "unexpected EOF"}, {nil, "EOF"}, {data[:9], "cut, or not"},
		{[]byte{0, 0, 0, 0}, "names no tensor"}, {[]byte("this is a text, and long enough"), "a name of"}, {[]byte{1, 0, 0, 0, 255, 255, 255, 255}, "not an importance matrix"},
		{slices.Concat([]byte{1, 0, 0, 0, 1, 0, 0, 0, 'a', 1, 0, 0, 0}, []byte{255, 255, 255, 127}), "cut, or not"}, {negative, "want a finite number"},
	} {
		path := filepath.Join(dir, "bad.dat")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenImportance(path); err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "cut") {
			t.Errorf("%.20q: %v, want %q", c.data, err, c.want)
		}
	}
	if _, err := OpenImportance(file); err == nil || !strings.Contains(err.Error(), "names no tensor") {
		t.Errorf("a model: %v", err)
	}
	if _, err := OpenImportance(dir); err == nil {
		t.Error("a folder was read")
	}
}
