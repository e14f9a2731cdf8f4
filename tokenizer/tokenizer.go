// Package tokenizer is: Text to token ids and back, byte-exact with the reference tokenizers.
//
// It does not render conversations (package chat does), it does not know what a model does with an id, and it does not
// open model files: the vocabulary of a GGUF comes in as a plain struct. It reads and writes byte-level BPE (Hugging
// Face's tokenizer.json, and the same in GGUF metadata) of GPT-2, Qwen2 to Qwen3, Llama 3 and DeepSeek-R1-Distill of
// both, with hand-written scanners; what it does not know, and would change an id, is an error.
//
// Invariants: Decode(Encode(x)) == x for every string, invalid UTF-8 included, where the tokenizer has no normaliser, adds no
// space and strips none; with a normaliser, NFC of x. EncodeText never yields a special token, EncodeQuoted none of a text that was quoted. The ids of a text (valid
// UTF-8) are those of Hugging Face's tokenizers for the same file. Nothing is quadratic in the length of a text. A
// Tokenizer never changes after it is made and may be used by many goroutines.
package tokenizer

import (
	"fmt"
)

// Tokenizer turns text into token ids and back.
//
// Added tokens are found in the text leftmost first, the longest of those that begin there; what lies between them is
// normalised, cut into words by a scanner, and each word is merged from its bytes.
type Tokenizer struct {
	def        definition
	properties *propertyTable
	texts      []string         // [V] the bytes of each token, as decoded
	words      map[string]int32 // the model's tokens by their bytes
	others     map[string]int32 // the model's tokens that no word can be, by their text
	special    []bool           // [V]
	byteIDs    [256]int32
	merges     mergeTable
	cache      wordCache
	added      [2]addedSet      // matched in the text as it stands, and in the normalised text
	addedIDs   map[string]int32 // all of them, by their text
}

// New returns the tokenizer whose ids 0 to 255 are the bytes, followed by the added tokens in order; their texts have at
// least 2 bytes.
func New(added []Added) (*Tokenizer, error) {
	var byteIDs [256]int32
	for b := range byteIDs {
		byteIDs[b] = int32(b)
	}
	return newBytes(byteIDs, added)
}

// newBytes makes a tokenizer without merges from a permutation of 0..255 and the added tokens, whose ids follow.
func newBytes(byteIDs [256]int32, added []Added) (*Tokenizer, error) {
	def := definition{keys: make([]string, 256)}
	for b, id := range byteIDs {
		def.keys[id] = string(nameOfByte(byte(b)))
	}
	for i, a := range added {
		id := int32(256 + i)
		if err := checkAdded(a.Text); err != nil {
			return nil, fmt.Errorf("tokenizer: added token %d: %w", id, err)
		}
		def.added = append(def.added, addedToken{a, id})
	}
	t, err := build(def)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

// Size returns V, the number of tokens; ids are 0 to V-1.
func (t *Tokenizer) Size() int { return len(t.texts) }

// ID returns the id of the added token of that text, else of the token whose bytes are exactly text.
func (t *Tokenizer) ID(text string) (id int32, ok bool) {
	if id, ok = t.addedIDs[text]; ok {
		return id, true
	}
	id, ok = t.words[text]
	return id, ok
}

// Token returns the bytes of a token (one byte of a longer character is not valid UTF-8), and false for an unknown id.
func (t *Tokenizer) Token(id int32) (text string, ok bool) {
	if id < 0 || int(id) >= len(t.texts) {
		return "", false
	}
	return t.texts[id], true
}

// Special says whether id is a special token. Unknown ids are not.
func (t *Tokenizer) Special(id int32) bool {
	return id >= 0 && int(id) < len(t.special) && t.special[id]
}

// Affixes returns the ids that the model's file wants before and behind a text (often the beginning-of-sequence token
// before it, or none). Encode does not add them. The slices are the caller's.
func (t *Tokenizer) Affixes() (before, after []int32) {
	return append([]int32(nil), t.def.before...), append([]int32(nil), t.def.after...)
}

// Encode returns the ids of text. Special tokens written in the text are recognised: text from outside goes through EncodeText.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.AppendEncode(make([]int32, 0, len(text)/3+8), text)
}

// AppendEncode appends the ids of text, as Encode gives them, to dst.
func (t *Tokenizer) AppendEncode(dst []int32, text string) []int32 {
	return t.appendSplit(dst, text, 0, readAll)
}

// EncodeText returns the ids of text from outside: special tokens written in it become the bytes that they consist of.
// It gives the ids of Hugging Face's encode_special_tokens=True, where a special token's text still hides the added tokens within.
func (t *Tokenizer) EncodeText(text string) []int32 {
	return t.appendSplit(make([]int32, 0, len(text)/3+8), text, 0, readText)
}

// appendOrdinary encodes normalised text that holds no added token.
func (t *Tokenizer) appendOrdinary(dst []int32, text string) []int32 {
	if t.def.prefixSpace && text[0] != ' ' {
		text = " " + text
	}
	if len(t.def.merges) == 0 && !t.def.ignoreMerges {
		for i := 0; i < len(text); i++ {
			dst = append(dst, t.byteIDs[text[i]])
		}
		return dst
	}
	for at := 0; at < len(text); {
		end := t.def.split.next(t.properties, text, at)
		dst = t.appendWord(dst, text[at:end])
		at = end
	}
	return dst
}
