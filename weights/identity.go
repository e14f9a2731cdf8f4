package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// The samples of a file's data that are part of its identity.
const (
	samples     = 64
	sampleBytes = 4096
)

// Identity names what the file holds, wherever it lies: the SHA-256, in hexadecimal, of the size, the time of the last change, the whole header and 64 samples
// of 4 KiB of each of its files. It is no proof against somebody who writes other weights into a file and sets its time back.
func (f *File) Identity() string {
	h := sha256.New()
	for _, s := range f.shards {
		fmt.Fprintln(h, len(s.bytes), s.modified.UnixNano(), s.header.size)
		h.Write(s.bytes[:s.header.size])
		data := s.bytes[s.header.size:]
		for i := range samples {
			at := max(0, len(data)-sampleBytes) / (samples - 1) * i
			h.Write(data[at:min(len(data), at+sampleBytes)])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ExpectLarge tells the system that all of the file is about to be read, again and again: where it keeps the file's bytes in large pages it maps them so, which
// saves misses of the address translation. It is advice, and changes no result.
func (f *File) ExpectLarge() {
	for _, s := range f.shards {
		adviseLarge(s.bytes)
	}
}
