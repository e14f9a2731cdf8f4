package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// english is running text, code and Markdown from this repository's own documents, some 100 KB.
func english(t testing.TB) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"../*.md", "../docs/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
		}
	}
	return all.String()
}

func BenchmarkQwenEnglish(b *testing.B) {
	k, text := openQwen(b), english(b)
	var ids []int32
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		ids = k.AppendEncode(ids[:0], text)
	}
}

// No word is in the cache.
func BenchmarkQwenCold(b *testing.B) {
	k, text := openQwen(b), english(b)
	var ids []int32
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		clear(k.cache.slots)
		ids = k.AppendEncode(ids[:0], text)
	}
}

func BenchmarkQwenShort(b *testing.B) {
	k := openQwen(b)
	for b.Loop() {
		k.Encode("<|im_start|>user\nHow many r are in strawberry?<|im_end|>\n")
	}
}

func BenchmarkOpenQwen(b *testing.B) {
	data, err := os.ReadFile(dataFile(b, "qwen2.5/tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

// One word of a megabyte is merged in n log n: some tenths of a second on an idle core, where n squared takes an hour.
func TestLongWord(t *testing.T) {
	k := openQwen(t)
	for _, unit := range []string{"a", "abcdefghijklmnopqrstuvwxyz", "東京", "=", " ", "\n", "e\u0301\u0323"} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		start := time.Now()
		ids := k.Encode(text)
		if spent := time.Since(start); spent > 30*time.Second {
			t.Errorf("%q repeated: %v for a megabyte", unit, spent)
		} else {
			t.Logf("%q repeated: %v, %d tokens", unit, spent, len(ids))
		}
		if got := k.Decode(ids); unit != "e\u0301\u0323" && got != text {
			t.Errorf("%q repeated: another text comes back", unit)
		}
	}
}
