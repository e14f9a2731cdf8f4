package weights

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/tensor"
)

func folderNames(t *testing.T, folder string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func TestShardsComeBack(t *testing.T) {
	var tensors []NamedTensor
	for i, n := range []int{3, 5, 40, 1, 2, 8} {
		values := make([]float32, n)
		for j := range values {
			values[j] = float32(100*i + j)
		}
		tensors = append(tensors, NamedTensor{Name: fmt.Sprint("t", i), Format: tensor.F32, Shape: []int{n}, Values: values})
	}
	folder := t.TempDir()
	for _, c := range []struct {
		limit int64
		names []string
	}{
		{0, []string{singleName}},
		{32, []string{"model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors", "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors", indexName}},
		{1 << 20, []string{"model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors", "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors", singleName}},
	} {
		if err := WriteSharded(folder, tensors, map[string]string{"by": "test"}, c.limit); err != nil {
			t.Fatal(err)
		}
		if got := folderNames(t, folder); !slices.Equal(got, c.names) {
			t.Errorf("limit %d: folder holds %q, want %q", c.limit, got, c.names)
		}
		f, err := Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tensors {
			x, err := f.Tensor(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := x.Float32s(); err != nil || !slices.Equal(got, want.Values) {
				t.Errorf("limit %d: %s is %v, %v", c.limit, want.Name, got, err)
			}
		}
		if got := texts(t, f.Metadata())["by"]; got != "test" {
			t.Errorf("limit %d: metadata %q", c.limit, got)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShardsFollowTheLimit(t *testing.T) {
	sized := func(sizes ...int) (list []NamedTensor) {
		for i, n := range sizes {
			list = append(list, NamedTensor{Name: fmt.Sprint(i), Format: tensor.U8, Shape: []int{n}, Data: make([]byte, n)})
		}
		return list
	}
	for _, c := range []struct {
		sizes []int
		want  []int
	}{
		{nil, []int{0}}, {[]int{10}, []int{1}}, {[]int{11}, []int{1}}, {[]int{5, 5}, []int{2}}, {[]int{5, 6}, []int{1, 1}},
		{[]int{20, 1, 20}, []int{1, 1, 1}}, {[]int{0, 20}, []int{1, 1}}, {[]int{4, 4, 4, 4}, []int{2, 2}},
	} {
		shards, _, err := divide(sized(c.sizes...), 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, s := range shards {
			got = append(got, len(s))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("sizes %v: shards of %v tensors, want %v", c.sizes, got, c.want)
		}
	}
	twice := append(sized(8), sized(8)...)
	if err := WriteSharded(t.TempDir(), twice, nil, 10); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("name in two shards: %v", err)
	}
	if err := WriteSharded(t.TempDir(), twice[:1], nil, -1); err == nil || !strings.Contains(err.Error(), "negative") {
		t.Errorf("negative limit: %v", err)
	}
}

// TestOtherNumberTypesOpen: they do not prevent a file from being opened, and
// can be copied; to read them as floats is the error.
func TestOtherNumberTypesOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	var tensors []NamedTensor
	for name, format := range dtypes {
		if got := format.String(); got != name {
			t.Errorf("dtype %s is format %s", name, got)
		}
		size, err := format.SizeOf([]int{2, 4})
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, NamedTensor{Name: name, Format: format, Shape: []int{2, 4}, Data: make([]byte, size)})
	}
	if err := Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, want := range tensors {
		x, err := f.Tensor(want.Name)
		if err != nil || x.Format != want.Format || len(x.Data) != len(want.Data) {
			t.Fatalf("%s came back as %s, %v", want.Name, x.Format, err)
		}
		_, err = x.Float32s()
		if isFloat := x.Format <= tensor.BF16; isFloat != (err == nil) {
			t.Errorf("%s as floats: %v", want.Name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "format "+want.Name+" cannot be read as float32") {
			t.Errorf("%s as floats: %v", want.Name, err)
		}
	}
}
