package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// golden is what testdata/reference.safetensors holds; testdata/reference.py
// made it with the reference library.
var golden = []NamedTensor{
	{Name: "embed.weight", Format: tensor.F32, Shape: []int{3, 2}, Values: []float32{0, -1.5, 2.25, 1e-20, -3e30, 7}},
	{Name: "a.scale", Format: tensor.F32, Values: []float32{0.125}},
	{Name: "norm.weight", Format: tensor.BF16, Shape: []int{4}, Values: []float32{1, -2, 0.5, 3.140625}},
	{Name: "empty", Format: tensor.F16, Shape: []int{0, 5}, Values: []float32{}},
	{Name: "head <b>é", Format: tensor.F16, Shape: []int{2, 1, 2}, Values: []float32{1, -0.333251953125, 65504, 5.960464477539063e-08}},
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// expect compares a file with tensors whose values survive their format.
func expect(t *testing.T, f *File, want []NamedTensor) {
	t.Helper()
	if got := len(f.Names()); got != len(want) {
		t.Fatalf("got %d tensors %v, want %d", got, f.Names(), len(want))
	}
	for _, w := range want {
		got, err := f.Tensor(w.Name)
		if err != nil {
			t.Fatal(err)
		}
		values, err := got.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != w.Name || got.Format != w.Format || !slices.Equal(got.Shape, w.Shape) || !slices.Equal(values, w.Values) {
			t.Errorf("tensor %q: got %s %v %v, want %s %v %v", w.Name, got.Format, got.Shape, values, w.Format, w.Shape, w.Values)
		}
	}
}

func TestOpenReadsTheReferenceLibrarysFile(t *testing.T) {
	f := open(t, "testdata/reference.safetensors")
	expect(t, f, golden)
	if got := texts(t, f.Metadata()); len(got) != 1 || got["format"] != "pt" {
		t.Errorf("metadata: got %v", got)
	}
	want := []string{"a.scale", "embed.weight", "norm.weight", "empty", "head <b>é"}
	if !slices.Equal(f.Names(), want) {
		t.Errorf("names: got %q, want the order of the data %q", f.Names(), want)
	}
	if !f.Has("a.scale") || f.Has("a") {
		t.Error("Has is wrong")
	}
	if _, err := f.Tensor("lm_head.weight"); err == nil || !strings.Contains(err.Error(), `"lm_head.weight"`) {
		t.Errorf("absent tensor: %v", err)
	}
}

func TestWriteEqualsTheReferenceLibrarysBytes(t *testing.T) {
	want, err := os.ReadFile("testdata/reference.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for turn := range golden {
		turned := append(append([]NamedTensor(nil), golden[turn:]...), golden[:turn]...)
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := Write(path, turned, nil); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("order turned by %d: got\n%q, want\n%q", turn, got, want)
		}
	}
}

func TestWriteRoundsManyValuesAndPadsTheHeader(t *testing.T) {
	values := make([]float32, 2*chunkElements+77)
	for i := range values {
		values[i] = float32(i) * 0.001
	}
	for padding := range 8 {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		name := strings.Repeat("x", padding+1)
		tensors := []NamedTensor{{Name: name, Format: tensor.BF16, Shape: []int{len(values)}, Values: values}}
		if err := Write(path, tensors, map[string]string{"made by": "test"}); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		got, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tensor.FromFloat32s(name, tensor.BF16, []int{len(values)}, values)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Data, want.Data) {
			t.Fatal("the stored values differ from a rounding in one piece")
		}
		if f.shards[0].header.size%8 != 0 {
			t.Errorf("data begins at byte %d, want a multiple of 8", f.shards[0].header.size)
		}
		if m := texts(t, f.Metadata()); m["made by"] != "test" || m["format"] != "pt" {
			t.Errorf("metadata: got %v", m)
		}
	}
}

func TestWriteKeepsStoredBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	nan := []byte{1, 0, 0x80, 0x7f} // a signalling NaN, which conversion would change
	if err := Write(path, []NamedTensor{{Name: "w", Format: tensor.F32, Shape: []int{1}, Data: nan}}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, path).Tensor("w")
	if err != nil || !bytes.Equal(got.Data, nan) {
		t.Errorf("got % x, %v", got.Data, err)
	}
}

func TestWriteRefusesFaultyTensors(t *testing.T) {
	one := []float32{1}
	for fault, tensors := range map[string][]NamedTensor{
		"twice":            {{Name: "w", Shape: []int{1}, Values: one}, {Name: "w", Shape: []int{1}, Values: one}},
		"reserved":         {{Name: "__metadata__", Shape: []int{1}, Values: one}},
		"want 2":           {{Name: "w", Shape: []int{2}, Values: one}},
		"want 8":           {{Name: "w", Shape: []int{2}, Data: make([]byte, 7)}},
		"more than one":    {{Name: "w", Shape: []int{1}, Values: one, Data: make([]byte, 4)}},
		"negative":         {{Name: "w", Shape: []int{-1}, Values: one}},
		"dimensions":       {{Name: "w", Shape: make([]int, 9), Values: one}},
		"cannot be stored": {{Name: "w", Format: 99, Shape: []int{1}, Values: one}},
		"name of 5242880":  {{Name: strings.Repeat("w", 5<<20), Shape: []int{1}, Values: one}},
	} {
		folder := t.TempDir()
		err := Write(filepath.Join(folder, "x"), tensors, nil)
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("error %v, want one with %q", err, fault)
		}
		if left, _ := os.ReadDir(folder); len(left) != 0 {
			t.Errorf("%q: left %v behind", fault, left)
		}
	}
}

func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "model.safetensors")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	err := replaceFile(path, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 3<<20)); err != nil {
			return err
		}
		return full
	})
	if !errors.Is(err, full) {
		t.Fatalf("got %v", err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("left %v, %v, want the old file alone", left, err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("the old file became %q", got)
	}
	missing := filepath.Join(folder, "missing", "model.safetensors")
	if err := Write(missing, golden, nil); err == nil || strings.Count(err.Error(), "missing") != 1 {
		t.Errorf("missing folder: %v, want one error that names the path once", err)
	}
}

func TestOpenFolderPrefersTheSingleFile(t *testing.T) {
	folder := t.TempDir()
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("empty folder: %v", err)
	}
	writeSharded(t, folder)
	if got := len(open(t, folder).Names()); got != len(golden) {
		t.Errorf("index: got %d tensors", got)
	}
	if err := Write(filepath.Join(folder, "model.safetensors"), golden[:1], nil); err != nil {
		t.Fatal(err)
	}
	if got := open(t, folder).Names(); len(got) != 1 {
		t.Errorf("single file: got tensors %q", got)
	}
}

// writeSharded writes the golden tensors as two shards and an index.
func writeSharded(t *testing.T, folder string) {
	t.Helper()
	var places []string
	for i, part := range [][]NamedTensor{golden[:2], golden[2:]} {
		name := fmt.Sprintf("model-%05d-of-00002.safetensors", i+1)
		if err := Write(filepath.Join(folder, name), part, nil); err != nil {
			t.Fatal(err)
		}
		for _, n := range part {
			places = append(places, fmt.Sprintf("%q: %q", n.Name, name))
		}
	}
	writeIndexText(t, folder, `{"metadata": {"total_size": 42, "x": [1, {"y": null}]}, "weight_map": {`+strings.Join(places, ", ")+`}}`)
}

func writeIndexText(t *testing.T, folder, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, indexName), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenSharded(t *testing.T) {
	folder := t.TempDir()
	writeSharded(t, folder)
	f := open(t, filepath.Join(folder, indexName))
	expect(t, f, golden)
	if f.Names()[0] != "a.scale" || f.Names()[2] != "norm.weight" {
		t.Errorf("names: got %q, want shard after shard", f.Names())
	}
}

func TestOpenRefusesFaultyIndexes(t *testing.T) {
	const first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	for text, fault := range map[string]string{
		`{}`:                                           "weight_map: missing",
		`{"weight_map": {}, "weight_map": {}}`:         "twice",
		`{"weight_map": {"w": "../x"}}`:                "not a file name",
		`{"weight_map": {"w": ".."}}`:                  "not a file name",
		`{"weight_map": {"w": ""}}`:                    "not a file name",
		`{"weight_map": {"w": "/etc/x"}}`:              "not a file name",
		`{"weight_map": {"w": 3}}`:                     "want '\"'",
		`{"weight_map": {"w": "absent"}}`:              "shard absent",
		`{"weight_map": {"w": "a"}`:                    "ends where",
		`{"a": ` + strings.Repeat("[", 50) + `}`:       "deep",
		`{"a": nul, "weight_map": {}}`:                 "not a JSON value",
		`{"weight_map": {"a.scale": "` + first + `"}}`: "the index places it",
		`{"weight_map": {"a.scale": "` + first + `", "embed.weight": "` + second + `"}}`:                          "the index places it",
		`{"weight_map": {"a.scale": "` + first + `", "embed.weight": "` + first + `", "third": "` + first + `"}}`: "the index promises 3",
		`{"weight_map": {"w": "x", "w": "x"}}`:                                                                    "twice",
	} {
		folder := t.TempDir()
		writeSharded(t, folder)
		writeIndexText(t, folder, text)
		f, err := Open(folder)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("index %s: error %v, want one with %q", text, err, fault)
		}
	}
}

func TestTensorsDoNotReachTheirNeighbours(t *testing.T) {
	f := open(t, "testdata/reference.safetensors")
	got, err := f.Tensor("a.scale")
	if err != nil || cap(got.Data) != 4 {
		t.Errorf("capacity %d, %v, want 4: append would write over the next tensor", cap(got.Data), err)
	}
	if v, _ := got.Float32s(); v[0] != 0.125 || math.IsNaN(float64(v[0])) {
		t.Errorf("got %v", v)
	}
}

func TestParseEqualsOpen(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("in memory", data)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, f, golden)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Parse("in memory", data[:len(data)-1]); err == nil || !strings.HasPrefix(err.Error(), "weights: in memory: ") {
		t.Errorf("cut short: got error %v", err)
	}
}
