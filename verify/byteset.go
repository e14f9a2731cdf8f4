package verify

// byteSet is a set of bytes, a bit each.
type byteSet [4]uint64

func bytesOf(s string) (set byteSet) {
	for i := range len(s) {
		set[s[i]>>6] |= 1 << (s[i] & 63)
	}
	return set
}

func (b *byteSet) within(other *byteSet) bool {
	return b[0]&^other[0]|b[1]&^other[1]|b[2]&^other[2]|b[3]&^other[3] == 0
}
