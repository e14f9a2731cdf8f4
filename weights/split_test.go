package weights

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// splitParts are the files of a model in three parts, of which the first has no
// tensor, as some converters write it.
func splitParts() []Metadata {
	parts := make([]Metadata, 3)
	for i := range parts {
		if i == 0 {
			parts[i] = Metadata{{"general.architecture", "llama"}}
		}
		parts[i].Set(splitNumberKey, uint16(i))
		parts[i].Set(splitCountKey, uint16(3))
		parts[i].Set(splitTensorsKey, int32(2))
	}
	return parts
}

func splitPath(folder string, i int) string {
	return filepath.Join(folder, fmt.Sprintf("m-%05d-of-00003.gguf", i+1))
}

func writeSplit(t *testing.T, folder string, parts []Metadata) {
	t.Helper()
	for i, metadata := range parts {
		var tensors []NamedTensor
		if i > 0 {
			tensors = []NamedTensor{{Name: fmt.Sprint("t", i), Shape: []int{2}, Values: []float32{float32(i), 7}}}
		}
		if err := WriteGGUF(splitPath(folder, i), metadata, tensors); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSplitGGUFIsOneFile(t *testing.T) {
	folder := t.TempDir()
	writeSplit(t, folder, splitParts())
	for _, path := range []string{folder, splitPath(folder, 0), splitPath(folder, 2)} {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Names(), []string{"t1", "t2"}) || f.Container() != GGUF {
			t.Errorf("%s: holds %q", path, f.Names())
		}
		if want := (Metadata{{"general.architecture", "llama"}}); !reflect.DeepEqual(f.Metadata(), want) {
			t.Errorf("%s: metadata %v, want %v", path, f.Metadata(), want)
		}
		x, err := f.Tensor("t2")
		if err != nil {
			t.Fatal(err)
		}
		if values, err := x.Float32s(); err != nil || values[0] != 2 {
			t.Errorf("%s: t2 is %v, %v", path, values, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFaultySplitsAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(t *testing.T, folder string, parts []Metadata)
		fault string
	}{
		"absent": {func(t *testing.T, folder string, _ []Metadata) {
			if err := os.Remove(splitPath(folder, 1)); err != nil {
				t.Fatal(err)
			}
		}, "m-00002-of-00003.gguf: no such file"},
		"renamed": {func(t *testing.T, folder string, _ []Metadata) {
			if err := os.Rename(splitPath(folder, 0), filepath.Join(folder, "m.gguf")); err != nil {
				t.Fatal(err)
			}
		}, "want the name NAME-00001-of-00003.gguf"},
		"exchanged": {func(t *testing.T, folder string, parts []Metadata) {
			parts[1].Set(splitNumberKey, uint16(2))
			writeSplit(t, folder, parts)
		}, "says that it is file 3 of 3"},
		"other count": {func(t *testing.T, folder string, parts []Metadata) {
			parts[2].Set(splitCountKey, uint16(4))
			writeSplit(t, folder, parts)
		}, "says that it is file 3 of 4"},
		"too few tensors": {func(t *testing.T, folder string, parts []Metadata) {
			for i := range parts {
				parts[i].Set(splitTensorsKey, int32(3))
			}
			writeSplit(t, folder, parts)
		}, "hold 2 tensors"},
		"name twice": {func(t *testing.T, folder string, parts []Metadata) {
			tensors := []NamedTensor{{Name: "t1", Shape: []int{1}, Values: []float32{1}}}
			if err := WriteGGUF(splitPath(folder, 2), parts[2], tensors); err != nil {
				t.Fatal(err)
			}
		}, `"t1": in an earlier file`},
		"itself": {func(t *testing.T, folder string, parts []Metadata) {
			if err := os.RemoveAll(splitPath(folder, 1)); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(splitPath(folder, 1), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
	} {
		folder, parts := t.TempDir(), splitParts()
		writeSplit(t, folder, parts)
		c.harm(t, folder, parts)
		path := splitPath(folder, 0)
		if name == "renamed" {
			path = filepath.Join(folder, "m.gguf")
		}
		_, err := Open(path)
		// The system's words for an absent file differ.
		if want, _, _ := strings.Cut(c.fault, ": no such"); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", name, err, want)
		}
	}
}

func TestFolderOfTwoGGUFModelsIsAnError(t *testing.T) {
	folder := t.TempDir()
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "nor a .gguf file") {
		t.Errorf("empty folder: %v", err)
	}
	for _, name := range []string{"a.gguf", "b.gguf"} {
		if err := WriteGGUF(filepath.Join(folder, name), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "2 GGUF models, such as a.gguf and b.gguf") {
		t.Errorf("two models: %v", err)
	}
	if err := Write(filepath.Join(folder, singleName), nil, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(folder)
	if err != nil || f.Container() != Safetensors {
		t.Errorf("beside model.safetensors: %v", err)
	}
}
