package weights

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/tensor"
)

// everyKind is metadata with a value of every type of GGUF.
func everyKind() Metadata {
	return Metadata{
		{"general.architecture", "qwen2"},
		{"u8", uint8(200)}, {"i8", int8(-100)}, {"u16", uint16(60000)}, {"i16", int16(-30000)},
		{"u32", uint32(4e9)}, {"i32", int32(-2e9)}, {"u64", uint64(1 << 63)}, {"i64", int64(math.MinInt64)},
		{"f32", float32(1e-6)}, {"f64", math.Pi}, {"yes", true}, {"no", false}, {"text", "grün \"ünd\"\n"}, {"empty", ""},
		{"u8s", []uint8{0, 255}}, {"i8s", []int8{-128, 127}}, {"u16s", []uint16{1, 2, 3}}, {"i16s", []int16{-1}},
		{"u32s", []uint32{}}, {"i32s", []int32{-1, 0, 1}}, {"u64s", []uint64{1 << 40}}, {"i64s", []int64{-1 << 40}},
		{"f32s", []float32{1, float32(math.Inf(1))}}, {"f64s", []float64{0.1}}, {"bools", []bool{true, false, true}},
		{"texts", []string{"a", "", "Ġthe", "\x00\xff"}}, {"none", []string{}},
		{"lists", []any{[]int32{1, 2}, []string{"x"}, []any{[]float32{2}}}},
	}
}

func ggufTensors(t *testing.T) []NamedTensor {
	t.Helper()
	rows := make([]byte, 3*144*2)
	for i := range rows {
		rows[i] = byte(i * 7)
	}
	return []NamedTensor{
		{Name: "token_embd.weight", Format: tensor.Q4_K, Shape: []int{3, 512}, Data: rows},
		{Name: "output_norm.weight", Format: tensor.F32, Shape: []int{5}, Values: []float32{1, 2, 3, 4, 5}},
		{Name: "b", Format: tensor.BF16, Shape: []int{2, 1, 3}, Values: []float32{1, -2, 0.5, 3, 0, 7}},
		{Name: "ids", Format: tensor.I32, Shape: []int{2}, Data: []byte{1, 0, 0, 0, 2, 0, 0, 0}},
		{Name: "scalar", Format: tensor.F16, Shape: []int{}, Values: []float32{0.25}},
	}
}

func TestGGUFComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	for name, extra := range map[string]Metadata{"default": nil, "64": {{alignmentKey, uint32(64)}}, "1": {{alignmentKey, uint32(1)}}} {
		metadata, tensors := append(everyKind(), extra...), ggufTensors(t)
		if err := WriteGGUF(path, metadata, tensors); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Metadata(); !reflect.DeepEqual(got, metadata) {
			t.Errorf("%s: metadata came back as %v", name, got)
		}
		if f.Container() != GGUF {
			t.Errorf("container %v", f.Container())
		}
		for i, want := range tensors {
			got, err := f.Tensor(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			if f.Names()[i] != want.Name || got.Format != want.Format || !slices.Equal(got.Shape, want.Shape) {
				t.Errorf("%s: tensor %d came back as %s %s %v", name, i, f.Names()[i], got.Format, got.Shape)
			}
			if want.Data != nil && !bytes.Equal(got.Data, want.Data) {
				t.Errorf("%s: %s: other bytes", name, want.Name)
			}
			if want.Values != nil {
				if values, err := got.Float32s(); err != nil || !slices.Equal(values, want.Values) {
					t.Errorf("%s: %s: %v, %v", name, want.Name, values, err)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGGUFMetadataSurvivesClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := WriteGGUF(path, everyKind(), nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m := f.Metadata()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Strings("texts"); err != nil || got[2] != "Ġthe" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWriteGGUFRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	one := func(x NamedTensor) []NamedTensor { return []NamedTensor{x} }
	for name, c := range map[string]struct {
		metadata Metadata
		tensors  []NamedTensor
		fault    string
	}{
		"int":            {Metadata{{"a", 1}}, nil, "no type in GGUF"},
		"nil":            {Metadata{{"a", nil}}, nil, "no type in GGUF"},
		"list of ints":   {Metadata{{"a", []any{1}}}, nil, "no type in GGUF"},
		"list of u8":     {Metadata{{"a", []any{uint8(1)}}}, nil, "want a list within"},
		"deep":           {Metadata{{"a", []any{[]any{[]any{[]any{[]int8{}}}}}}}, nil, "nested deeper"},
		"key twice":      {Metadata{{"a", true}, {"a", true}}, nil, "twice"},
		"key empty":      {Metadata{{"", true}}, nil, "without a zero"},
		"alignment kind": {Metadata{{alignmentKey, uint64(32)}}, nil, "power of two as uint32"},
		"alignment 0":    {Metadata{{alignmentKey, uint32(0)}}, nil, "power of two"},
		"alignment 48":   {Metadata{{alignmentKey, uint32(48)}}, nil, "power of two"},
		"empty tensor":   {nil, one(NamedTensor{Name: "a", Shape: []int{0}}), "empty tensor"},
		"five":           {nil, one(NamedTensor{Name: "a", Shape: []int{1, 1, 1, 1, 1}, Values: []float32{1}}), "5 dimensions"},
		"long name":      {nil, one(NamedTensor{Name: strings.Repeat("n", 64), Shape: []int{1}, Values: []float32{1}}), "at most 63"},
		"no name":        {nil, one(NamedTensor{Shape: []int{1}, Values: []float32{1}}), "1 to"},
		"format":         {nil, one(NamedTensor{Name: "a", Format: tensor.U16, Shape: []int{1}, Data: []byte{1, 2}}), "U16 cannot be stored"},
		"row":            {nil, one(NamedTensor{Name: "a", Format: tensor.Q8_0, Shape: []int{2, 16}, Data: make([]byte, 34)}), "rows of 16"},
		"name twice":     {nil, append(one(NamedTensor{Name: "a", Shape: []int{1}, Values: []float32{1}}), NamedTensor{Name: "a", Shape: []int{1}, Values: []float32{1}}), "twice"},
		"two sources":    {nil, one(NamedTensor{Name: "a", Shape: []int{1}, Values: []float32{1}, Data: make([]byte, 4)}), "more than one"},
		"no quantiser":   {nil, one(NamedTensor{Name: "a", Format: tensor.I8, Shape: []int{1}, Values: []float32{1}}), "cannot be written from"},
	} {
		err := WriteGGUF(path, c.metadata, c.tensors)
		if err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.fault)
		}
		if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 0 {
			t.Fatalf("%s: left %v behind", name, files)
		}
	}
}

func TestMetadataAccessors(t *testing.T) {
	m := everyKind()
	for key, want := range map[string]int{"u8": 200, "i8": -100, "u16": 60000, "i16": -30000, "u32": 4e9, "i32": -2e9, "i64": math.MinInt64} {
		if got, err := m.Int(key); err != nil || got != want {
			t.Errorf("Int(%s) = %d, %v", key, got, err)
		}
	}
	for key, want := range map[string][]int{"u8s": {0, 255}, "i8s": {-128, 127}, "u16s": {1, 2, 3}, "i16s": {-1}, "u32s": {}, "i32s": {-1, 0, 1}, "u64s": {1 << 40}, "i64s": {-1 << 40}} {
		if got, err := m.Ints(key); err != nil || !slices.Equal(got, want) {
			t.Errorf("Ints(%s) = %v, %v", key, got, err)
		}
	}
	if x, err := m.Float("f32"); err != nil || x != float64(float32(1e-6)) {
		t.Errorf("Float(f32) = %v, %v", x, err)
	}
	if x, err := m.Float("i8"); err != nil || x != -100 {
		t.Errorf("Float(i8) = %v, %v", x, err)
	}
	m.Set("u8", uint8(1))
	m.Set("new", float32(math.NaN()))
	m.Set("huge", []uint64{1 << 63})
	if n, err := m.Uint("u8"); err != nil || n != 1 {
		t.Errorf("Set did not replace: %d, %v", n, err)
	}
	fault := func(_ any, err error) error { return err }
	for want, err := range map[string]error{
		`metadata "x": missing`:                       fault(m.String("x")),
		`"u8": got 1 (uint8), want a string`:          fault(m.String("u8")),
		`"i8": got -100 (int), want an integer that`:  fault(m.Uint("i8")),
		`"u64": got 9223372036854775808 (uint64), wa`: fault(m.Int("u64")),
		`"text": got the string "grün`:                fault(m.Int("text")),
		`"texts": got []string, want a list of int`:   fault(m.Ints("texts")),
		`"huge": got []uint64, want`:                  fault(m.Ints("huge")),
		`"new": got NaN (float32), want a finite`:     fault(m.Float("new")),
		`"yes": got true (bool), want a number`:       fault(m.Float("yes")),
		`"f64s": got []float64, want a list of F32`:   fault(m.Floats("f64s")),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// dataFile returns a file of the shared test data, or skips.
func dataFile(t testing.TB, name string) string {
	t.Helper()
	folder := os.Getenv("RETORT_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not here: set RETORT_DATA to the folder of the test data", name)
	}
	return path
}

func TestRealVocabulary(t *testing.T) {
	f, err := Open(dataFile(t, filepath.Join("tokenizer", "gpt-2.gguf")))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := f.Metadata()
	tokens, err := m.Strings("tokenizer.ggml.tokens")
	if err != nil || len(tokens) != 50257 || tokens[0] != "!" || tokens[50256] != "<|endoftext|>" {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	merges, err := m.Strings("tokenizer.ggml.merges")
	if err != nil || len(merges) != 50000 || merges[0] != "Ġ t" {
		t.Errorf("%d merges, %v", len(merges), err)
	}
	if types, err := m.Ints("tokenizer.ggml.token_type"); err != nil || len(types) != len(tokens) {
		t.Errorf("%d token types, %v", len(types), err)
	}
}

// TestVocabularyIsQuick bounds the opening of a vocabulary of 150,000 tokens
// and as many merges, at forty times as long as it takes.
func TestVocabularyIsQuick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := WriteGGUF(path, vocabulary(150_000), nil); err != nil {
		t.Fatal(err)
	}
	begin := processTime()
	f, err := Open(path)
	took := processTime() - begin
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if took > 500*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func vocabulary(count int) Metadata {
	tokens, merges, types := make([]string, count), make([]string, count), make([]int32, count)
	for i := range tokens {
		tokens[i] = strings.Repeat("ab", i%7)
		merges[i] = tokens[i] + " " + tokens[(i+3)%len(tokens)]
	}
	return Metadata{{"tokenizer.ggml.tokens", tokens}, {"tokenizer.ggml.merges", merges}, {"tokenizer.ggml.token_type", types}}
}

func BenchmarkOpenVocabulary(b *testing.B) {
	path := filepath.Join(b.TempDir(), "m.gguf")
	if err := WriteGGUF(path, vocabulary(150_000), nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
