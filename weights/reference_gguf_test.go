package weights

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// referenceGGUF is what testdata/reference_gguf.py writes.
func referenceGGUF() (Metadata, []NamedTensor) {
	metadata := Metadata{
		{"general.architecture", "qwen2"},
		{"u8", uint8(200)}, {"i8", int8(-100)}, {"u16", uint16(60000)}, {"i16", int16(-30000)}, {"u32", uint32(4e9)},
		{"i32", int32(-2e9)}, {"u64", uint64(1 << 63)}, {"i64", int64(-1 << 63)}, {"f32", float32(0.25)},
		{"f64", 0.1}, {"yes", true}, {"text", "grün \"ünd\"\n"},
		{"u8s", []uint8{0, 255}}, {"i8s", []int8{-128, 127}}, {"u16s", []uint16{1, 2, 3}}, {"i16s", []int16{-1}}, {"u32s", []uint32{7}},
		{"i32s", []int32{-1, 0, 1}}, {"u64s", []uint64{1 << 40}}, {"i64s", []int64{-1 << 40}}, {"f32s", []float32{1, -2.5}},
		{"f64s", []float64{0.1}}, {"bools", []bool{true, false, true}}, {"texts", []string{"a", "", "Ġthe"}},
		{"lists", []any{[]int32{1, 2}, []int32{3}}},
	}
	numbers := make([]float32, 512)
	for i := range numbers {
		numbers[i] = float32(i-100) / 8
	}
	tensors := []NamedTensor{
		{Name: "norm", Format: tensor.F32, Shape: []int{5}, Values: []float32{1, 2, 3, 4, 5}},
		{Name: "half", Format: tensor.F16, Shape: []int{2, 3}, Values: numbers[:6]},
		{Name: "ids", Format: tensor.I32, Shape: []int{2}, Data: []byte{1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff}},
	}
	for _, format := range []tensor.Format{tensor.Q8_0, tensor.Q4_0, tensor.Q5_1, tensor.BF16} {
		tensors = append(tensors, NamedTensor{Name: "blocks." + format.String(), Format: format, Shape: []int{2, 4, 64}, Values: numbers})
	}
	return metadata, tensors
}

// TestWriteGGUFAgreesWithTheReference: metadata, order, quantised numbers and
// padding are those of the Python package gguf, byte for byte.
func TestWriteGGUFAgreesWithTheReference(t *testing.T) {
	want, err := os.ReadFile("testdata/reference.gguf")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	metadata, tensors := referenceGGUF()
	if err := WriteGGUF(path, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("wrote %d bytes other than the reference's %d", len(got), len(want))
	}
	f, err := Open("testdata/reference.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !reflect.DeepEqual(f.Metadata(), metadata) {
		t.Errorf("read metadata %v", f.Metadata())
	}
}

// TestFillConverts: a tensor is converted piece by piece while it is written.
func TestFillConverts(t *testing.T) {
	values := make([]float32, 3*20*512)
	for i := range values {
		values[i] = float32(i%77) - 30
	}
	source, err := tensor.FromFloat32s("w", tensor.BF16, []int{60, 512}, values)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := WriteGGUF(path, nil, []NamedTensor{{Name: "w", Format: tensor.Q6_K, Shape: source.Shape, Fill: source.Read}}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.Tensor("w")
	if err != nil {
		t.Fatal(err)
	}
	want, err := tensor.FromFloat32s("w", tensor.Q6_K, source.Shape, values)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Data, want.Data) {
		t.Error("converted in pieces, the bytes differ from those of one piece")
	}
	bad := func([]float32, int) error { return os.ErrInvalid }
	if err := WriteGGUF(path, nil, []NamedTensor{{Name: "w", Format: tensor.Q6_K, Shape: []int{256}, Fill: bad}}); err == nil {
		t.Error("an error of Fill was not seen")
	}
}
