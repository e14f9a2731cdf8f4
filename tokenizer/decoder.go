package tokenizer

import "unicode/utf8"

// DecodeOptions says what a decoder leaves out. The zero value leaves out nothing.
type DecodeOptions struct {
	SkipSpecial bool // special tokens give no text
}

// Decode returns the bytes of the tokens, special ones included; they need not be valid UTF-8, and the bytes of two lists
// joined are those of the lists joined. An id outside 0 to V-1 gives no text: the vocabulary of a model may be padded
// beyond that of its tokenizer.
func (t *Tokenizer) Decode(ids []int32) string {
	return string(t.appendTokens(nil, ids, DecodeOptions{}))
}

// DecodeText returns the text of the tokens as Hugging Face's decode does: the bytes of Decode, where each longest
// beginning of a character that does not become one, and each byte that begins none, is one U+FFFD.
func (t *Tokenizer) DecodeText(ids []int32, options DecodeOptions) string {
	raw := t.appendTokens(nil, ids, options)
	if utf8.Valid(raw) {
		return string(raw)
	}
	out, rest := appendReplaced(make([]byte, 0, len(raw)+16), raw)
	if rest > 0 {
		out = append(out, replacement...)
	}
	return string(out)
}

func (t *Tokenizer) appendTokens(dst []byte, ids []int32, options DecodeOptions) []byte {
	if dst == nil {
		size := 0
		for _, id := range ids {
			text, _ := t.Token(id)
			size += len(text)
		}
		dst = make([]byte, 0, size)
	}
	for _, id := range ids {
		if options.SkipSpecial && t.Special(id) {
			continue
		}
		text, _ := t.Token(id)
		dst = append(dst, text...)
	}
	return dst
}

// replacement stands for bytes that are no character.
const replacement = "\uFFFD"

// appendReplaced appends text with replacements for what is not UTF-8, but for the rest bytes (0 to 3) at its end that
// further bytes may complete to a character.
func appendReplaced(dst, text []byte) (out []byte, rest int) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r != utf8.RuneError || size > 1 {
			dst = append(dst, text[:size]...)
			text = text[size:]
			continue
		}
		length := beginning(text)
		if length == len(text) && length > 0 && length < utf8.UTFMax {
			return dst, length
		}
		dst = append(dst, replacement...)
		text = text[max(length, 1):]
	}
	return dst, 0
}

// beginning returns the length of the longest beginning of text, which does not begin with a character, that further
// bytes could complete to one (Unicode Standard, section 3.9, maximal subpart).
func beginning(text []byte) int {
	for length := min(utf8.UTFMax-1, len(text)); length > 0; length-- {
		if !utf8.FullRune(text[:length]) {
			return length
		}
	}
	return 0
}

// Decoder turns a stream of tokens into text and never cuts a character in two: the bytes of an unfinished character
// are held back until it is finished, or is seen not to be one. All that it returns, Flush included, joined is what
// Tokenizer.DecodeText gives. One Decoder belongs to one stream.
type Decoder struct {
	tokenizer *Tokenizer
	options   DecodeOptions
	pending   []byte // the beginning of a character, at most 3 bytes between calls
	text      []byte // of the last call
}

// NewDecoder returns a decoder at the beginning of a stream; special tokens are text.
func (t *Tokenizer) NewDecoder() *Decoder { return &Decoder{tokenizer: t} }

// NewDecoderWith returns a decoder with options at the beginning of a stream.
func (t *Tokenizer) NewDecoderWith(options DecodeOptions) *Decoder {
	return &Decoder{tokenizer: t, options: options}
}

// Push adds a token and returns the text that is complete by now, often none. An unknown id adds nothing.
func (d *Decoder) Push(id int32) string {
	if d.options.SkipSpecial && d.tokenizer.Special(id) {
		return ""
	}
	text, _ := d.tokenizer.Token(id)
	if len(d.pending) == 0 && utf8.ValidString(text) {
		return text
	}
	d.pending = append(d.pending, text...)
	var rest int
	d.text, rest = appendReplaced(d.text[:0], d.pending)
	d.pending = append(d.pending[:0], d.pending[len(d.pending)-rest:]...)
	return string(d.text)
}

// Flush returns U+FFFD if a character has been held back, and begins a new stream.
func (d *Decoder) Flush() string {
	if len(d.pending) == 0 {
		return ""
	}
	d.pending = d.pending[:0]
	return replacement
}
