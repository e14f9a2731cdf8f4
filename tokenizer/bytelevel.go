package tokenizer

// In a byte-level vocabulary a byte is named by one character (GPT-2, Radford et al. 2019, section 2.2): the printable
// characters of Latin-1 name themselves, the other 68 bytes are named, ascending, by the characters from U+0100.

// isPrintableByte says whether a byte is its own name.
func isPrintableByte(b byte) bool {
	return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae
}

// otherBytes are the bytes named from U+0100, ascending.
var otherBytes = func() (list []byte) {
	for b := range 256 {
		if !isPrintableByte(byte(b)) {
			list = append(list, byte(b))
		}
	}
	return list
}()

// nameOfByte returns the character that names b.
func nameOfByte(b byte) rune {
	if isPrintableByte(b) {
		return rune(b)
	}
	for i, other := range otherBytes {
		if other == b {
			return rune(0x100 + i)
		}
	}
	panic("tokenizer: byte without a name")
}

// byteOfName returns the byte that r names, and false if r names none.
func byteOfName(r rune) (b byte, ok bool) {
	switch {
	case r >= 0 && r < 0x100 && isPrintableByte(byte(r)):
		return byte(r), true
	case r >= 0x100 && int(r-0x100) < len(otherBytes):
		return otherBytes[r-0x100], true
	}
	return 0, false
}

// bytesOfNames returns the bytes that the characters of text name, and false if one names none.
func bytesOfNames(text string) (bytes string, ok bool) {
	out := make([]byte, 0, 32)
	ascii := true // then all bytes are their own names
	for i := 0; i < len(text); i++ {
		ascii = ascii && text[i] >= '!' && text[i] <= '~'
	}
	if ascii {
		return text, true
	}
	for _, r := range text {
		b, ok := byteOfName(r)
		if !ok {
			return "", false
		}
		out = append(out, b)
	}
	return string(out), true
}
