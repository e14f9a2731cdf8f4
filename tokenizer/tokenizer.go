// Package tokenizer is: Text to token ids and back, byte-exact with the reference tokenizers.
//
// It does not render conversations (package chat does), and it does not know what a model does with an id. It reads and
// writes the byte-level vocabularies of Hugging Face's tokenizer.json: 256 byte tokens and added tokens; a file with
// merges is refused.
//
// Invariants: Decode(Encode(x)) == x for every string, invalid UTF-8 included. EncodeText never yields a special token.
// The ids of a text are those of Hugging Face's tokenizers for the same file. A Tokenizer never changes after it is made
// and may be used by many goroutines.
package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// maxAddedBytes bounds the length of an added token, and with it the work that matching does per byte of text.
const maxAddedBytes = 256

// Added is a token that is matched as a whole in the text before everything else.
type Added struct {
	Text    string // valid UTF-8, 2 to 256 bytes
	Special bool   // a mark of the model's format (a role, an end), not a piece of text
}

// Tokenizer turns text into token ids and back.
//
// Added tokens are found in the text leftmost first, the longest of those that begin there; what lies between them is
// encoded by the model of the vocabulary, here one token per byte.
type Tokenizer struct {
	texts   []string // [V] the bytes of each token
	ids     map[string]int32
	special []bool // [V]
	byteIDs [256]int32
	added   matcher
	order   []Added // added tokens in the order of their ids
}

// New returns the tokenizer whose ids 0 to 255 are the bytes, followed by the added tokens in order.
func New(added []Added) (*Tokenizer, error) {
	var byteIDs [256]int32
	for b := range byteIDs {
		byteIDs[b] = int32(b)
	}
	return build(byteIDs, added)
}

// build makes a tokenizer from a permutation of 0..255 and the added tokens, whose ids follow.
func build(byteIDs [256]int32, added []Added) (*Tokenizer, error) {
	size := 256 + len(added)
	t := &Tokenizer{
		texts:   make([]string, size),
		ids:     make(map[string]int32, size),
		special: make([]bool, size),
		byteIDs: byteIDs,
		order:   append([]Added(nil), added...),
	}
	for b, id := range byteIDs {
		t.texts[id] = string([]byte{byte(b)})
		t.ids[t.texts[id]] = id
	}
	for i, a := range added {
		id := int32(256 + i)
		if err := checkAdded(a.Text); err != nil {
			return nil, fmt.Errorf("tokenizer: added token %d: %w", id, err)
		}
		if first, ok := t.ids[a.Text]; ok {
			return nil, fmt.Errorf("tokenizer: added token %d: %q is token %d already", id, a.Text, first)
		}
		t.texts[id], t.ids[a.Text], t.special[id] = a.Text, id, a.Special
	}
	t.added = newMatcher(t.texts[256:], 256)
	return t, nil
}

// checkAdded refuses the texts that tokenizer.json cannot carry, or that Hugging Face would read as another token:
// it looks an added token up among the names of the byte tokens, and its byte-level decoder maps a token made
// of those names only back to bytes.
func checkAdded(text string) error {
	switch {
	case len(text) < 2 || len(text) > maxAddedBytes:
		return fmt.Errorf("%q: %d bytes, want 2 to %d", text, len(text), maxAddedBytes)
	case !utf8.ValidString(text):
		return fmt.Errorf("%q: not valid UTF-8", text)
	}
	allNames, ascii := true, true
	for _, r := range text {
		_, isName := byteOfName(r)
		allNames = allNames && isName
		ascii = ascii && r < utf8.RuneSelf
	}
	if allNames && !ascii {
		return fmt.Errorf("%q: consists of byte-level characters only, so it would be read as bytes", text)
	}
	return nil
}

// Size returns V, the number of tokens; ids are 0 to V-1.
func (t *Tokenizer) Size() int { return len(t.texts) }

// ID returns the id of the token whose bytes are exactly text.
func (t *Tokenizer) ID(text string) (id int32, ok bool) {
	id, ok = t.ids[text]
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

// Encode returns the ids of text. Special tokens written in the text are recognised: text from outside goes through EncodeText.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.AppendEncode(make([]int32, 0, len(text)/2+8), text)
}

// AppendEncode appends the ids of text, as Encode gives them, to dst.
func (t *Tokenizer) AppendEncode(dst []int32, text string) []int32 {
	return t.appendEncode(dst, text, true)
}

// EncodeText returns the ids of text from outside: special tokens written in it become the bytes that they consist of.
// It gives the ids of Hugging Face's encode_special_tokens=True, where a special token's text still hides the added tokens within.
func (t *Tokenizer) EncodeText(text string) []int32 {
	return t.appendEncode(make([]int32, 0, len(text)/2+8), text, false)
}

func (t *Tokenizer) appendEncode(dst []int32, text string, allowSpecial bool) []int32 {
	start := 0 // of the text that no added token has claimed
	for at := 0; at < len(text); {
		id, length := t.added.longest(text[at:])
		if length == 0 {
			at++
			continue
		}
		if allowSpecial || !t.special[id] {
			dst = t.appendOrdinary(dst, text[start:at])
			dst = append(dst, id)
			start = at + length
		}
		at += length
	}
	return t.appendOrdinary(dst, text[start:])
}

// appendOrdinary encodes text that holds no added token.
func (t *Tokenizer) appendOrdinary(dst []int32, text string) []int32 {
	for i := 0; i < len(text); i++ {
		dst = append(dst, t.byteIDs[text[i]])
	}
	return dst
}

// Decode returns the bytes of the tokens, special ones included. An id outside 0 to V-1 gives no text: the
// vocabulary of a model may be padded beyond that of its tokenizer.
func (t *Tokenizer) Decode(ids []int32) string {
	size := 0
	for _, id := range ids {
		text, _ := t.Token(id)
		size += len(text)
	}
	out := make([]byte, 0, size)
	for _, id := range ids {
		text, _ := t.Token(id)
		out = append(out, text...)
	}
	return string(out)
}
