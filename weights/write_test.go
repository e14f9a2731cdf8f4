package weights

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

// TestWriteToAFolder: a name that is a folder's is refused before a value is made.
func TestWriteToAFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	tensors := []NamedTensor{{Name: "a", Format: tensor.F32, Shape: []int{2}, Fill: func([]float32, int) error {
		t.Error("values were made")
		return nil
	}}}
	for name, write := range map[string]func() error{
		"gguf": func() error { return WriteGGUF(path, nil, tensors) }, "safetensors": func() error { return Write(path, tensors, nil) },
	} {
		if err := write(); err == nil || !strings.Contains(err.Error(), "x.gguf: is a folder, want the name of a file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
