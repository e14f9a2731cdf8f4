package verify

import (
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSharedHostile holds the limits of time and memory on hostile inputs.
func TestSharedHostile(t *testing.T) {
	index := -1
	sharedLines(t, "verify/cases.jsonl", func(line []byte) {
		var s sharedCase
		index++
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		o := s.options(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Check(s.Gold, s.Pred, o)
		runtime.ReadMemStats(&after)
		memory := (after.TotalAlloc - before.TotalAlloc) >> 20
		if took := fastest(3, func() { Check(s.Gold, s.Pred, o) }); took > 5*time.Millisecond || memory > 20 {
			t.Logf("%d %s: %v and %d MB: %s", index, s.Kind, took, memory, short(s.Pred))
			if memory > 32 { // the goal of 10 ms is for a quiet machine, and a test on a busy one cannot judge it
				t.Errorf("%d %s: %d MB, want at most 32 MB", index, s.Kind, memory)
			}
		}
	})
}

func BenchmarkExtract50kB(b *testing.B) {
	text := strings.Repeat("Let us compute $x^2 + 3x$ and see that 12 is not the answer, so we go on.\n", 680) + "So it is $\\boxed{42}$."
	text = "<think>" + text[:len(text)/2] + "</think>" + text[len(text)/2:]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, ok := Extract(text, Options{}); !ok {
			b.Fatal("no answer")
		}
	}
}

func BenchmarkExtractPhrase50kB(b *testing.B) {
	text := strings.Repeat("Let us compute and see that 12 is not right, so we go on.\n", 860) + "The answer is 42."
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, ok := Extract(text, Options{}); !ok {
			b.Fatal("no answer")
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, c := range []struct{ name, gold, answer string }{
		{"integer", "42", "\\boxed{42}"}, {"fraction", "\\frac{1}{2}", "\\boxed{0.5}"}, {"polynomial", "(x+1)^2", "x^2+2x+1"},
		{"radical", "\\frac{\\sqrt{6}+\\sqrt{2}}{4}", "\\cos 15^\\circ"}, {"list", "1, 2, 3", "3, 2, 1"}, {"apart", "\\sqrt{2}", "\\sqrt{3}"},
		{"decimal", "\\pi", "3.1416"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				Check(c.gold, c.answer, Options{})
			}
		})
	}
}

// BenchmarkShared checks the shared cases that are not hostile, over and over.
func BenchmarkShared(b *testing.B) {
	type pair struct {
		gold, answer string
		o            Options
	}
	var pairs []pair
	sharedLines(b, "verify/cases.jsonl", func(line []byte) {
		var s sharedCase
		if err := json.Unmarshal(line, &s); err != nil {
			b.Fatal(err)
		}
		if s.Kind != "hostile" {
			pairs = append(pairs, pair{s.Gold, s.Pred, s.options(b)})
		}
	})
	b.ResetTimer()
	for b.Loop() {
		for _, p := range pairs {
			Check(p.gold, p.answer, p.o)
		}
	}
}

// BenchmarkLongList compares a list of 50,000 numbers with one number and with another such list.
func BenchmarkLongList(b *testing.B) {
	var list strings.Builder
	for i := range 50_000 {
		list.WriteString(strconv.Itoa(i%900) + ", ")
	}
	for _, c := range []struct{ name, gold, answer string }{
		{"ones", "1", strings.TrimSuffix(strings.Repeat("1,", 50_000), ",")}, {"many", "0, 1", list.String() + "1"}, {"two", list.String() + "901", list.String() + "902"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if v := Check(c.gold, c.answer, Options{}); v.Outcome != Wrong {
					b.Fatal(v)
				}
			}
		})
	}
}
