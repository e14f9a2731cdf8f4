package tokenizer

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write testdata/lab.json")

// The lab's tokenizer.json is pinned: models refer to its ids.
func TestLabFile(t *testing.T) {
	got, err := Lab().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := Lab().Save("testdata/lab.json"); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/lab.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the lab's vocabulary differs from testdata/lab.json")
	}
	read, err := Open("testdata/lab.json")
	if err != nil {
		t.Fatal(err)
	}
	for id := int32(-1); id <= int32(Lab().Size()); id++ {
		gotText, gotOK := read.Token(id)
		wantText, wantOK := Lab().Token(id)
		if gotText != wantText || gotOK != wantOK || read.Special(id) != Lab().Special(id) {
			t.Errorf("token %d read back as %q %v special %v, want %q %v special %v", id, gotText, gotOK, read.Special(id), wantText, wantOK, Lab().Special(id))
		}
		if back, ok := read.ID(wantText); wantOK && (!ok || back != id) {
			t.Errorf("ID(%q) = %d %v, want %d", wantText, back, ok, id)
		}
	}
}

// golden.json holds what Hugging Face's tokenizers make of the same file.
func TestHuggingFace(t *testing.T) {
	var golden struct {
		Tokenizers string
		Size       int
		Cases      []struct {
			Text      string
			IDs       []int32
			IDsAsText []int32 `json:"ids_as_text"`
		}
	}
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	lab := Lab()
	if lab.Size() != golden.Size || golden.Size != labSize || len(golden.Cases) < 10 {
		t.Fatalf("size %d, %d cases, want size %d of the golden file", lab.Size(), len(golden.Cases), golden.Size)
	}
	for _, c := range golden.Cases {
		if got := lab.Encode(c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("Encode(%q) = %v, want %v", c.Text, got, c.IDs)
		}
		if got := lab.EncodeText(c.Text); !slices.Equal(got, c.IDsAsText) {
			t.Errorf("EncodeText(%q) = %v, want %v", c.Text, got, c.IDsAsText)
		}
	}
}

func TestLabTokens(t *testing.T) {
	lab := Lab()
	text := "<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n3+7=10 10+11=21 no\nwait "
	want := []string{"<|user|>", "Use ", "3", ", ", "7", ", ", "11", " to make ", "32", ".", "<|assistant|>", "<think>", "\n",
		"3", "+", "7", "=", "10", " ", "10", "+", "11", "=", "21", " no\n", "wait "}
	var got []string
	for _, id := range lab.Encode(text) {
		token, _ := lab.Token(id)
		got = append(got, token)
	}
	if !slices.Equal(got, want) {
		t.Errorf("tokens %q, want %q", got, want)
	}
	if got := lab.Decode([]int32{-1, 'a', 480, 1 << 30, 'b'}); got != "ab" {
		t.Errorf("unknown ids decode to %q, want no text", got)
	}
}

func TestAddedTokensRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		text []string
		want string
	}{
		{"empty", []string{""}, "0 bytes"},
		{"one byte", []string{"7"}, "1 bytes"},
		{"long", []string{strings.Repeat("x", 257)}, "257 bytes"},
		{"invalid", []string{"a\xff"}, "not valid UTF-8"},
		{"twice", []string{"ab", "ab"}, "token 256 already"},
		{"name of a byte", []string{"é"}, "byte-level"},
		{"names of bytes", []string{"Ġa"}, "byte-level"},
	} {
		var added []Added
		for _, text := range c.text {
			added = append(added, Added{Text: text})
		}
		if _, err := New(added); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good, err := os.ReadFile("testdata/lab.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, replacement, want string }{
		{"cut", "\n}\n", "", "unexpected EOF"},
		{"more", "\n}\n", "\n}{}\n", "more text"},
		{"version", `"version": "1.0"`, `"version": "2"`, "version"},
		{"unknown key", `"truncation"`, `"trunk"`, "trunk"},
		{"truncation", `"truncation": null`, `"truncation": {}`, "truncation"},
		{"padding", `"padding": null`, `"padding": {}`, "padding"},
		{"normalizer", `"normalizer": null`, `"normalizer": {"type": "NFKC"}`, "NFKC"},
		{"pre-tokenizer", `"pre_tokenizer": {`, `"pre_tokenizer": null, "decoder": {`, "pre_tokenizer"},
		{"decoder", `"decoder": {`, `"decoder": null, "post_processor": {`, "decoder"},
		{"model", `"type": "BPE"`, `"type": "Unigram"`, "Unigram"},
		{"merge without a token", `"merges": []`, `"merges": ["a b"]`, `merge 0 gives "ab", which is no token`},
		{"merge of strangers", `"merges": []`, `"merges": [["a", "bc"]]`, `merge 0: "bc"`},
		{"merge of three", `"merges": []`, `"merges": [["a", "b", "c"]]`, "has 3 tokens"},
		{"merge of three in a text", `"merges": []`, `"merges": ["a b c"]`, `"a b c"`},
		{"byte fallback", `"byte_fallback": false`, `"byte_fallback": true`, "byte_fallback"},
		{"post-processor", `"post_processor": null`, `"post_processor": {"type": "BertProcessing"}`, "BertProcessing"},
		{"vocabulary name", `"\u003c": 60`, `"ab": 60`, "no token for the byte 0x3c"},
		{"vocabulary id", `"A": 65`, `"A": 66`, "each of 0 to 255 once"},
		{"vocabulary id range", `"A": 65`, `"A": 256`, "each of 0 to 255 once"},
		{"vocabulary size", `"A": 65,`, ``, "each of 0 to 254 once"},
		{"added id", `"id": 300`, `"id": 299`, "want 300"},
	} {
		bad := strings.Replace(string(good), c.old, c.replacement, 1)
		if bad == string(good) {
			t.Errorf("%s: the file has no %s", c.name, c.old)
		}
		if _, err := Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// A vocabulary in GPT-2's order of bytes gives other ids and the same text.
func TestParsePermuted(t *testing.T) {
	var ids [256]int32
	for b := range ids {
		ids[b] = int32(b*7+3) % 256
	}
	permuted, err := newBytes(ids, []Added{{Text: "abc"}, {Text: "<|s|>", Special: true}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := permuted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	text := "abcabd\xff<|s|>"
	want := []int32{256, ('a'*7 + 3) % 256, ('b'*7 + 3) % 256, ('d'*7 + 3) % 256, (255*7 + 3) % 256, 257}
	if got := read.Encode(text); !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
	if got := read.Decode(want); got != text {
		t.Errorf("text %q, want %q", got, text)
	}
}

// The matcher agrees with the obvious search on a vocabulary full of prefixes.
func TestLeftmostLongest(t *testing.T) {
	tokenizer, err := New([]Added{{Text: "aab"}, {Text: "aa"}, {Text: "abab"}, {Text: "ba", Special: true}, {Text: "bb"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1 << 14 {
		text := make([]byte, 14)
		for i := range text {
			text[i] = "ab"[n>>i&1]
		}
		if got, want := tokenizer.Encode(string(text)), obviousEncode(tokenizer, string(text)); !slices.Equal(got, want) {
			t.Fatalf("Encode(%q) = %v, want %v", text, got, want)
		}
	}
}

func obviousEncode(t *Tokenizer, text string) (ids []int32) {
	for text != "" {
		best := int32(text[0])
		length := 1
		for id := int32(256); int(id) < t.Size(); id++ {
			if token, _ := t.Token(id); strings.HasPrefix(text, token) && len(token) > length {
				best, length = id, len(token)
			}
		}
		ids, text = append(ids, best), text[length:]
	}
	return ids
}

func TestDecoderNeverCutsARune(t *testing.T) {
	lab := Lab()
	for _, text := range []string{"aé東👩z", "\xe6\x9d", "\xe6\x9dz\xf0\x9f\x91", "\xff\xfe\x80", "ok\xf0no\n wait 12 \xe6\x9d\xb1 none"} {
		decoder := lab.NewDecoder()
		var all strings.Builder
		for _, id := range lab.Encode(text) {
			piece := decoder.Push(id)
			if !utf8.ValidString(piece) {
				t.Errorf("%q: piece %q cuts a character", text, piece)
			}
			all.WriteString(piece)
		}
		rest := decoder.Flush()
		if want := lab.DecodeText(lab.Encode(text), DecodeOptions{}); all.String()+rest != want {
			t.Errorf("pieces %q and rest %q, want %q", all.String(), rest, want)
		}
	}
	decoder := lab.NewDecoder()
	for i, want := range []string{"", "", "東"} {
		if got := decoder.Push(int32("東"[i])); got != want {
			t.Errorf("byte %d: got %q, want %q", i, got, want)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	for _, seed := range []string{"", "Use 3, 7, 11 to make 32.", "<|user|>\xff<|us", "wait wai 199 200 \xe6\x9d", "東京<think>"} {
		f.Add(seed)
	}
	lab := Lab()
	f.Fuzz(func(t *testing.T, text string) {
		ids := lab.Encode(text)
		if got := lab.Decode(ids); got != text {
			t.Errorf("Decode(Encode(%q)) = %q", text, got)
		}
		if want := obviousEncode(lab, text); !slices.Equal(ids, want) {
			t.Errorf("Encode(%q) = %v, want %v", text, ids, want)
		}
		asText := lab.EncodeText(text)
		if got := lab.Decode(asText); got != text {
			t.Errorf("Decode(EncodeText(%q)) = %q", text, got)
		}
		if slices.ContainsFunc(asText, lab.Special) {
			t.Errorf("EncodeText(%q) holds a special token: %v", text, asText)
		}
		decoder := lab.NewDecoder()
		var streamed strings.Builder
		for _, id := range ids {
			streamed.WriteString(decoder.Push(id))
		}
		streamed.WriteString(decoder.Flush())
		if want := lab.DecodeText(ids, DecodeOptions{}); streamed.String() != want || utf8.ValidString(text) && text != want {
			t.Errorf("streamed %q, want %q", streamed.String(), want)
		}
	})
}

func FuzzParse(f *testing.F) {
	small, err := FromGGUF(smallGGUF())
	if err != nil {
		f.Fatal(err)
	}
	good, err := small.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":"1.0"}`))
	for _, made := range smallTokenizers(f) {
		f.Add([]byte(made.Tokenizer))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if read, err := Parse(data); err == nil {
			read.Encode("Use 3\xff <l> e\u0301")
			if _, err := read.MarshalJSON(); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	lab := Lab()
	for name, text := range map[string]string{
		"lab":   "<|user|>Use 3, 7, 11 to make 32.<|assistant|><think>\n3+7=10 10+11=21 no\nwait 3*7=21 21+11=32 ok\n</think>\n<answer>(3*7)+11</answer><|end|>",
		"prose": "In the beginning there was a small model that had read nothing, and it was asked to add two numbers.",
	} {
		text = strings.Repeat(text, 100)
		b.Run(name, func(b *testing.B) {
			var ids []int32
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				ids = lab.AppendEncode(ids[:0], text)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	ids := Lab().Encode(strings.Repeat("3+7=10 10+11=21 no\nwait 3*7=21 21+11=32 ok\n", 100))
	b.SetBytes(int64(len(Lab().Decode(ids))))
	for b.Loop() {
		Lab().Decode(ids)
	}
}
