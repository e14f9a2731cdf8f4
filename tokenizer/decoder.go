package tokenizer

import "unicode/utf8"

// Decoder turns a stream of tokens into text and never cuts a character in two: the bytes of an unfinished character
// are held back until it is finished, or is seen not to be one. All that it returns, Flush included, joined is what
// Tokenizer.Decode gives. One Decoder belongs to one stream.
type Decoder struct {
	tokenizer *Tokenizer
	pending   []byte // the beginning of a character, at most 3 bytes between calls
}

// NewDecoder returns a decoder at the beginning of a stream.
func (t *Tokenizer) NewDecoder() *Decoder { return &Decoder{tokenizer: t} }

// Push adds a token and returns the text that is complete by now, often none. An unknown id adds nothing.
func (d *Decoder) Push(id int32) string {
	text, _ := d.tokenizer.Token(id)
	if len(d.pending) == 0 && unfinished(text) == 0 {
		return text
	}
	d.pending = append(d.pending, text...)
	keep := unfinished(string(d.pending))
	done := string(d.pending[:len(d.pending)-keep])
	d.pending = append(d.pending[:0], d.pending[len(d.pending)-keep:]...)
	return done
}

// Flush returns what is held back, which is not valid UTF-8, and begins a new stream.
func (d *Decoder) Flush() string {
	rest := string(d.pending)
	d.pending = d.pending[:0]
	return rest
}

// unfinished returns the number of bytes at the end of text (0 to 3) that further bytes may complete to a character.
func unfinished(text string) int {
	for length := 1; length < utf8.UTFMax && length <= len(text); length++ {
		tail := text[len(text)-length:]
		if !utf8.RuneStart(tail[0]) {
			continue
		}
		if utf8.FullRuneInString(tail) {
			return 0
		}
		return length
	}
	return 0
}
