package grammar

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/retort-ml/retort/tokenizer"
)

// realVocabulary is Qwen2.5's, of 151,665 tokens.
func realVocabulary(t testing.TB) *Vocabulary {
	t.Helper()
	top := os.Getenv("RETORT_DATA")
	if top == "" {
		top = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	path := filepath.Join(top, "tokenizer", "qwen2.5", "tokenizer.json")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there; RETORT_DATA may name the folder of the shared data", path)
	}
	q, err := tokenizer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, q.Size())
	for id := range texts {
		if !q.Special(int32(id)) {
			texts[id] = q.Decode([]int32{int32(id)})
		}
	}
	return NewVocabulary(texts)
}

const personSchema = `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"}}},"required":["name","age","tags"]}`

// BenchmarkFirstMask finds the tokens that may come within a string, where nearly all may, for the first time and again.
func BenchmarkFirstMask(b *testing.B) {
	v := realVocabulary(b)
	mask := make([]uint64, (len(v.texts)+63)/64)
	walk := func(g *Grammar) place {
		s := g.Start()
		for _, c := range []byte(`{"name":"a`) {
			for id, text := range v.texts {
				if text == string([]byte{c}) {
					s = s.Next(int32(id))
				}
			}
		}
		return s.(place)
	}
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			if _, err := FromSchema([]byte(personSchema), v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			g, err := FromSchema([]byte(personSchema), v)
			if err != nil {
				b.Fatal(err)
			}
			s := walk(g)
			b.StartTimer()
			s.Allow(mask)
		}
	})
	b.Run("again", func(b *testing.B) {
		g, err := FromSchema([]byte(personSchema), v)
		if err != nil {
			b.Fatal(err)
		}
		s := walk(g)
		for b.Loop() {
			s.Allow(mask)
		}
	})
}
