package tokenizer

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// dataFile returns the path of a file of the shared data, which is not part of the repository.
func dataFile(t testing.TB, name string) string {
	t.Helper()
	top := os.Getenv("RETORT_DATA")
	if top == "" {
		top = filepath.Join("..", "..", "shared", "data")
	}
	path := filepath.Join(top, "tokenizer", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there; RETORT_DATA may name the folder of the shared data", path)
	}
	return path
}

// qwen is Qwen2.5's tokenizer, read once.
var qwen = sync.OnceValues(func() (*Tokenizer, error) {
	top := os.Getenv("RETORT_DATA")
	if top == "" {
		top = filepath.Join("..", "..", "shared", "data")
	}
	return Open(filepath.Join(top, "tokenizer", "qwen2.5", "tokenizer.json"))
})

func openQwen(t testing.TB) *Tokenizer {
	t.Helper()
	dataFile(t, "qwen2.5/tokenizer.json")
	k, err := qwen()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestQwenAgainstHuggingFace(t *testing.T) {
	k := openQwen(t)
	file, err := os.Open(dataFile(t, "cases/qwen2.5.hf.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); n++ {
		var c struct {
			Text string
			IDs  []int32
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if got := k.Encode(c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("Encode(%q) = %v, want %v", c.Text, got, c.IDs)
		}
	}
	if n < 100 {
		t.Errorf("%d cases", n)
	}
}

// llamaCases runs llama.cpp's cases.
func llamaCases(t *testing.T, k *Tokenizer, name string) {
	t.Helper()
	read := func(ending string) string {
		data, err := os.ReadFile(dataFile(t, "cases/"+name+ending))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	texts := strings.Split(read(".inp"), "\n__ggml_vocab_test__\n")
	lines := strings.Split(strings.TrimSuffix(read(".out"), "\n"), "\n")
	if len(texts) < len(lines) || len(lines) < 40 {
		t.Fatalf("%d texts, %d lines of ids", len(texts), len(lines))
	}
	for i, line := range lines {
		var got []string
		for _, id := range k.Encode(texts[i]) {
			data, _ := json.Marshal(id)
			got = append(got, string(data))
		}
		if want := strings.Fields(line); !slices.Equal(got, want) {
			t.Errorf("Encode(%q) = %v, want %v", texts[i], got, want)
		}
	}
}

func TestLlamaCases(t *testing.T) {
	t.Run("qwen2", func(t *testing.T) { llamaCases(t, openQwen(t), "qwen2") })
	t.Run("deepseek-r1-qwen", func(t *testing.T) { llamaCases(t, openQwen(t), "deepseek-r1-qwen") })
}
