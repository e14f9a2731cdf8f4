package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// obviousMerges merges a word by looking through all pairs for the lowest rank, leftmost, again and again.
func obviousMerges(t *Tokenizer, word string) []int32 {
	var ids []int32
	for i := range len(word) {
		ids = append(ids, t.byteIDs[word[i]])
	}
	for {
		best, rank := -1, noMerge
		for i := range len(ids) - 1 {
			if m := t.merges.find(ids[i], ids[i+1]); m.rank < rank {
				best, rank = i, m.rank
			}
		}
		if best < 0 {
			return ids
		}
		ids[best] = t.merges.find(ids[best], ids[best+1]).id
		ids = slices.Delete(ids, best+1, best+2)
	}
}

// tangled is a tokenizer whose merges overlap in every way: all words of a and b up to 6 letters, in a random order.
func tangled(t testing.TB) *Tokenizer {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	v := smallGGUF()
	v.Pre, v.Tokens, v.Types, v.Merges = "gpt-2", v.Tokens[:256], nil, nil
	for length := 2; length <= 6; length++ {
		for n := range 1 << length {
			word := make([]byte, length)
			for i := range word {
				word[i] = "ab"[n>>i&1]
			}
			v.Tokens = append(v.Tokens, string(word))
			for cut := 1; cut < length; cut++ {
				if random.IntN(3) > 0 {
					v.Merges = append(v.Merges, string(word[:cut])+" "+string(word[cut:]))
				}
			}
		}
	}
	random.Shuffle(len(v.Merges), func(i, j int) { v.Merges[i], v.Merges[j] = v.Merges[j], v.Merges[i] })
	k, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Both ways of merging agree with the obvious one.
func TestMerges(t *testing.T) {
	k := tangled(t)
	random := rand.New(rand.NewPCG(3, 4))
	for range 4000 {
		word := make([]byte, 1+random.IntN(150))
		for i := range word {
			word[i] = "ab"[random.IntN(2)]
		}
		want := obviousMerges(k, string(word))
		if got := k.appendMergedLong(nil, string(word)); !slices.Equal(got, want) {
			t.Fatalf("long: %q gives %v, want %v", word, got, want)
		}
		if got := k.appendMerged(nil, string(word)); !slices.Equal(got, want) {
			t.Fatalf("%q gives %v, want %v", word, got, want)
		}
	}
}

// The cache gives what there would be without it, whoever else writes to it.
func TestCacheIsShared(t *testing.T) {
	k := tangled(t)
	var group sync.WaitGroup
	for seed := range 4 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(seed), 5))
			for range 3000 {
				word := strings.Repeat("b", 1+random.IntN(3)) + strings.Repeat("ab", random.IntN(10)) + strings.Repeat("a", random.IntN(20))
				if got, want := k.Encode(word), obviousMerges(k, word); !slices.Equal(got, want) {
					t.Errorf("%q gives %v, want %v", word, got, want)
				}
			}
		})
	}
	group.Wait()
}

// The table agrees with the runs it is made of, up to the last code point.
func TestProperties(t *testing.T) {
	p := properties()
	next := 0
	var bits uint8
	var counts [5]int
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if next < len(propertyRuns) && propertyRuns[next].from == r {
			bits = propertyRuns[next].bits
			next++
		}
		if p.of(r) != bits {
			t.Fatalf("U+%04X has %b, want %b", r, p.of(r), bits)
		}
		for i := range counts {
			counts[i] += int(bits >> i & 1)
		}
	}
	// Unicode 16 has 141,028 letters, 1,911 numbers and 25 spaces.
	if counts[0] != 141028 || counts[1] != 1911 || counts[2] != 25 || next != len(propertyRuns) {
		t.Errorf("counts %v", counts)
	}
}

func TestNFC(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"plain é 東", "plain é 東"},
		{"e\u0301", "é"},
		{"\u0301e", "\u0301e"},
		{"e\u0301\u0323", "\u1eb9\u0301"},              // the marks change places, and the lower one composes
		{"\u1ea5x\u0302\u0301", "\u1ea5x\u0302\u0301"}, // nothing composes with x
		{"\u212b\u0301", "\u01fa"},
		{"\u0958", "\u0915\u093c"}, // excluded from composition
		{"\u1100\u1161\u11a8", "\uac01"},
		{"\uac00\u11a8\u11a8", "\uac01\u11a8"},
		{"a\u0315\u0300\u05ae\u0062", "\u00e0\u05ae\u0315b"},
		{"\xffe\u0301\xfe\u0301", "\xffé\xfe\u0301"},
		{"a" + strings.Repeat("\u0300", 40), "à" + strings.Repeat("\u0300", 39)}, // no joiner after 30 marks
		{"\U00011935\U00011930", "\U00011935\U00011930"},                         // composes since Unicode 13, which the reference does not know
	} {
		if got := nfc(properties(), c.text); got != c.want {
			t.Errorf("nfc(%+q) = %+q, want %+q", c.text, got, c.want)
		}
	}
}

func FuzzNFC(f *testing.F) {
	f.Add("e\u0301\u0323 \xff\u1100\u1161\u11a8")
	f.Fuzz(func(t *testing.T, text string) {
		once := nfc(properties(), text)
		if twice := nfc(properties(), once); twice != once {
			t.Errorf("nfc(%+q) = %+q, and again %+q", text, once, twice)
		}
	})
}

// Whatever the text, every piece has at least one byte, and pieces do not cut characters.
func FuzzEncode(f *testing.F) {
	f.Add("x =  2\r\n\n 'S'\u017f 1234 \u00bd\u3000e\u0301 \xff<l> <w>word <|begin|>")
	var all []*Tokenizer
	for _, made := range smallTokenizers(f) {
		k, err := Parse(made.Tokenizer)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, k)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range all {
			ids := k.Encode(text)
			plain := true
			for stage := range k.added {
				for _, a := range k.added[stage].tokens {
					plain = plain && !a.LStrip && !a.RStrip
				}
			}
			if got := k.Decode(ids); plain && !k.def.nfc && !k.def.prefixSpace && got != text {
				t.Errorf("%q comes back as %q", text, got)
			}
			if slices.ContainsFunc(k.EncodeText(text), k.Special) {
				t.Errorf("EncodeText(%q) holds a special token", text)
			}
			decoder, streamed := k.NewDecoder(), ""
			for _, id := range ids {
				streamed += decoder.Push(id)
			}
			if streamed += decoder.Flush(); streamed != k.DecodeText(ids, DecodeOptions{}) || !utf8.ValidString(streamed) {
				t.Errorf("%q streams as %q", text, streamed)
			}
		}
		for s := range splitLlama3Old + 1 {
			for at := 0; at < len(text); {
				end := s.next(properties(), text, at)
				if end <= at || utf8.ValidString(text) && !utf8.ValidString(text[at:end]) {
					t.Fatalf("splitter %d: %q, piece %d to %d", s, text, at, end)
				}
				at = end
			}
		}
	})
}
