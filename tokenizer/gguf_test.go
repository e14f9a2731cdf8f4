package tokenizer

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// ggufReader reads as much of a GGUF's metadata as the tests need; it trusts the file.
type ggufReader struct{ data []byte }

func (r *ggufReader) number(size int) uint64 {
	var b [8]byte
	copy(b[:], r.data[:size])
	r.data = r.data[size:]
	return binary.LittleEndian.Uint64(b[:])
}

func (r *ggufReader) text() string {
	n := r.number(8)
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}

func (r *ggufReader) value(kind uint64) any {
	switch kind {
	case 8:
		return r.text()
	case 9:
		kind, n := r.number(4), r.number(8)
		list := make([]any, n)
		for i := range list {
			list[i] = r.value(kind)
		}
		return list
	}
	return r.number([]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}[kind])
}

// readGPT2 returns the vocabulary of llama.cpp's GGUF of GPT-2.
func readGPT2(t testing.TB) GGUFVocabulary {
	t.Helper()
	data, err := os.ReadFile(dataFile(t, "gpt-2.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	r := &ggufReader{data[16:]} // behind magic, version and the number of tensors
	fields := map[string]any{}
	for range r.number(8) {
		key := r.text()
		fields[key] = r.value(r.number(4))
	}
	text := func(key string) (list []string) {
		for _, s := range fields["tokenizer.ggml."+key].([]any) {
			list = append(list, s.(string))
		}
		return list
	}
	bos, eos := int32(fields["tokenizer.ggml.bos_token_id"].(uint64)), int32(fields["tokenizer.ggml.eos_token_id"].(uint64))
	v := GGUFVocabulary{
		Model: fields["tokenizer.ggml.model"].(string), Pre: fields["tokenizer.ggml.pre"].(string),
		Tokens: text("tokens"), Merges: text("merges"), BOS: &bos, EOS: &eos,
	}
	for _, kind := range fields["tokenizer.ggml.token_type"].([]any) {
		v.Types = append(v.Types, int32(kind.(uint64)))
	}
	return v
}

// readLlama3 returns Llama 3's vocabulary from its encoder.json and vocab.bpe, with some of its special tokens.
func readLlama3(t testing.TB) GGUFVocabulary {
	t.Helper()
	data, err := os.ReadFile(dataFile(t, "llama3/encoder.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vocabulary vocabularyJSON
	if err := json.Unmarshal(data, &vocabulary); err != nil {
		t.Fatal(err)
	}
	v := GGUFVocabulary{Model: "gpt2", Pre: "llama-bpe", BOS: new(int32), EOS: new(int32)}
	if v.Tokens, err = vocabulary.keys(); err != nil {
		t.Fatal(err)
	}
	v.Types = slices.Repeat([]int32{ggufNormal}, len(v.Tokens))
	*v.BOS, *v.EOS = int32(len(v.Tokens)), int32(len(v.Tokens)+1)
	v.Tokens = append(v.Tokens, "<|begin_of_text|>", "<|end_of_text|>")
	v.Types = append(v.Types, ggufControl, ggufControl)
	lines, err := os.ReadFile(dataFile(t, "llama3/vocab.bpe"))
	if err != nil {
		t.Fatal(err)
	}
	v.Merges = strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n")
	return v
}

// sameIDs compares two tokenizers on the text of the documents and on strange pieces.
func sameIDs(t *testing.T, a, b *Tokenizer) {
	t.Helper()
	for _, text := range []string{english(t), "x =  2\r\n\n 'S'\u017f 1234 \u00bd\u3000e\u0301 東京 😀<|endoftext|><|begin_of_text|>", "\xff\xfe"} {
		if !slices.Equal(a.Encode(text), b.Encode(text)) {
			t.Errorf("other ids of %.40q", text)
		}
	}
}

// roundTrip writes a tokenizer in both formats and reads it again.
func roundTrip(t *testing.T, k *Tokenizer) {
	t.Helper()
	data, err := k.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	sameIDs(t, k, fromJSON)
	v, err := fromJSON.GGUF()
	if err != nil {
		t.Fatal(err)
	}
	fromGGUF, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	sameIDs(t, k, fromGGUF)
	if fromGGUF.Size() != k.Size() || fromJSON.Size() != k.Size() {
		t.Errorf("sizes %d and %d, want %d", fromJSON.Size(), fromGGUF.Size(), k.Size())
	}
	before, after := k.Affixes()
	if b, a := fromGGUF.Affixes(); !slices.Equal(a, after) || !slices.Equal(b, before) {
		t.Errorf("affixes %v %v, want %v %v", b, a, before, after)
	}
	for id := range int32(k.Size()) {
		text, _ := k.Token(id)
		if again, _ := fromGGUF.Token(id); again != text || fromGGUF.Special(id) != k.Special(id) {
			t.Fatalf("token %d is %q, want %q", id, again, text)
		}
	}
}

func TestGPT2(t *testing.T) {
	v := readGPT2(t)
	k, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	llamaCases(t, k, "gpt-2")
	roundTrip(t, k)
	again, err := k.GGUF()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Tokens, v.Tokens) || !slices.Equal(again.Types, v.Types) || !slices.Equal(again.Merges, v.Merges) ||
		*again.BOS != *v.BOS || *again.EOS != *v.EOS || again.Pre != v.Pre {
		t.Error("the GGUF that is given back is another")
	}
}

func TestLlama3(t *testing.T) {
	k, err := FromGGUF(readLlama3(t))
	if err != nil {
		t.Fatal(err)
	}
	llamaCases(t, k, "llama-bpe")
	roundTrip(t, k)
}

func TestQwenRoundTrip(t *testing.T) { roundTrip(t, openQwen(t)) }

func TestLabAsGGUF(t *testing.T) { roundTrip(t, Lab()) }

// smallGGUF is a vocabulary of the bytes, two merges, special tokens and unused ones.
func smallGGUF() GGUFVocabulary {
	v := GGUFVocabulary{Model: "gpt2", Pre: "qwen2"}
	for b := range 256 {
		v.Tokens = append(v.Tokens, string(nameOfByte(byte(b))))
	}
	v.Tokens = append(v.Tokens, "ab", "Ġab", "[unused]", "<|s|>", "tool", "[PAD1]", "[PAD2]")
	v.Types = slices.Repeat([]int32{ggufNormal}, len(v.Tokens))
	v.Types[258], v.Types[259], v.Types[260], v.Types[261], v.Types[262] = ggufUnused, ggufControl, ggufUserDefined, ggufUnused, ggufUnused
	v.Merges = []string{"a b", "Ġ ab"}
	return v
}

func TestSmallGGUF(t *testing.T) {
	yes, id := true, int32(259)
	v := smallGGUF()
	v.BOS, v.AddBOS, v.EOS, v.AddEOS = &id, &yes, &id, &yes
	k, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.Encode("ab ab<|s|>tool[unused]"), []int32{256, 257, 259, 260, '[', 'u', 'n', 'u', 's', 'e', 'd', ']'}; !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
	if got := k.DecodeText([]int32{258, 259, 261, 262, 257}, DecodeOptions{SkipSpecial: true}); got != " ab" || k.Size() != 261 || !k.Special(259) || k.Special(260) {
		t.Errorf("text %q, size %d", got, k.Size())
	}
	if before, after := k.Affixes(); !slices.Equal(before, []int32{259}) || !slices.Equal(after, before) {
		t.Errorf("affixes %v %v", before, after)
	}
	if again, err := k.GGUF(); err != nil || !slices.Equal(again.Tokens, v.Tokens) || !slices.Equal(again.Types, v.Types) {
		t.Errorf("error %v, types %v", err, again.Types)
	}
}

func TestGGUFRefused(t *testing.T) {
	yes, far := true, int32(1<<30)
	for _, c := range []struct {
		name   string
		change func(v *GGUFVocabulary)
		want   string
	}{
		{"model", func(v *GGUFVocabulary) { v.Model = "llama" }, "tokenizer.ggml.model"},
		{"pre", func(v *GGUFVocabulary) { v.Pre = "tekken" }, `"tekken"`},
		{"types", func(v *GGUFVocabulary) { v.Types = v.Types[:3] }, "3 types"},
		{"type", func(v *GGUFVocabulary) { v.Types[3] = 6 }, "token 3 has the type 6"},
		{"merge", func(v *GGUFVocabulary) { v.Merges[1] = "ab" }, "merge 1"},
		{"merge of strangers", func(v *GGUFVocabulary) { v.Merges[1] = "a xyz" }, `"xyz"`},
		{"merge into nothing", func(v *GGUFVocabulary) { v.Merges[1] = "b b" }, "no token"},
		{"byte", func(v *GGUFVocabulary) { v.Tokens[65] = "xyz" }, "byte 0x41"},
		{"twice", func(v *GGUFVocabulary) { v.Tokens[258], v.Types[258] = "A", ggufNormal }, "the ids 65 and 258"},
		{"added twice", func(v *GGUFVocabulary) { v.Tokens[260] = "<|s|>" }, "already"},
		{"no text", func(v *GGUFVocabulary) { v.Tokens[260] = "" }, "0 bytes"},
		{"BOS", func(v *GGUFVocabulary) { v.AddBOS = &yes }, "add_bos_token"},
		{"llama without BOS", func(v *GGUFVocabulary) { v.Pre = "llama-bpe" }, "bos_token_id"},
		{"BOS far away", func(v *GGUFVocabulary) { v.AddBOS, v.BOS = &yes, &far }, "1073741824"},
	} {
		v := smallGGUF()
		c.change(&v)
		if _, err := FromGGUF(v); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	k, err := New([]Added{{Text: "<x>", LStrip: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.GGUF(); err == nil || !strings.Contains(err.Error(), "lstrip") {
		t.Errorf("error %v", err)
	}
}

func FuzzFromGGUF(f *testing.F) {
	f.Add("qwen2", "<|s|>", "a b", int32(3), int32(7), true)
	f.Add("llama-bpe", "", "Ġ a", int32(1), int32(-1), false)
	f.Fuzz(func(t *testing.T, pre, token, merge string, kind, id int32, add bool) {
		v := smallGGUF()
		v.Pre, v.Tokens[257], v.Types[257] = pre, token, kind
		v.Merges = append(v.Merges, merge)
		v.BOS, v.EOS, v.AddBOS = &id, &id, &add
		k, err := FromGGUF(v)
		if err != nil {
			return
		}
		text := "ab" + token + " ab" + merge
		if got := k.Decode(k.EncodeText(text)); !k.def.nfc && got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
		if _, err := k.MarshalJSON(); err != nil {
			return
		}
		again, err := k.GGUF()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromGGUF(again); err != nil {
			t.Errorf("what was given back is refused: %v", err)
		}
	})
}
