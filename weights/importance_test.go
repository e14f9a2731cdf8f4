package weights

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// TestWriteByImportance compares what is written with rows that were quantised one by one.
func TestWriteByImportance(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int{{40, 512}, {3, 16640}, {1, 256}} {
		row := shape[1]
		values, importance := make([]float32, shape[0]*row), make([]float32, row)
		for i := range values {
			values[i] = float32(random.NormFloat64())
		}
		for i := range importance {
			importance[i] = random.Float32()
		}
		size, err := tensor.Q4_0.Size(row)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, shape[0]*size)
		for i := range shape[0] {
			if err := tensor.EncodeRow(want[i*size:][:size], tensor.Q4_0, values[i*row:][:row], importance); err != nil {
				t.Fatal(err)
			}
		}
		next := 0
		fill := func(dst []float32, begin int) error {
			if begin != next || len(dst) > chunkElements {
				t.Errorf("%v: asked for %d numbers from %d on, want at most %d from %d on", shape, len(dst), begin, chunkElements, next)
			}
			next = begin + copy(dst, values[begin:])
			return nil
		}
		path := filepath.Join(t.TempDir(), "f.gguf")
		if err := WriteGGUF(path, nil, []NamedTensor{
			{Name: "values", Format: tensor.Q4_0, Shape: shape, Values: values, Importance: importance},
			{Name: "fill", Format: tensor.Q4_0, Shape: shape, Fill: fill, Importance: importance},
		}); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range f.Names() {
			if got, err := f.Tensor(name); err != nil || !bytes.Equal(got.Data, want) {
				t.Errorf("%v: %s differs, %v", shape, name, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, wrong := range []NamedTensor{
		{Name: "a", Format: tensor.F32, Shape: []int{2}, Data: make([]byte, 8), Importance: make([]float32, 2)},
		{Name: "a", Format: tensor.F32, Shape: []int{2, 3}, Values: make([]float32, 6), Importance: make([]float32, 2)},
	} {
		if err := WriteGGUF(filepath.Join(t.TempDir(), "f.gguf"), nil, []NamedTensor{wrong}); err == nil || !strings.Contains(err.Error(), "importances") {
			t.Errorf("%v: %v", wrong.Shape, err)
		}
	}
}
