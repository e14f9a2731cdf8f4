package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math/rand/v2"
)

// stream goes through n items again and again. Item k of the stream is a function of n, the seed
// and k alone, so that its position is the whole of its state.
type stream struct {
	n       int
	shuffle bool
	seed    uint64

	pass  int   // of order
	order []int // the permutation of pass; nil before first use
}

// streamOrder separates the shuffle's random numbers from any others of the same seed.
const streamOrder = 0x6f72646572 // "order"

// at returns the item at position k.
func (s *stream) at(k int) int {
	if !s.shuffle {
		return k % s.n
	}
	if pass := k / s.n; s.order == nil || pass != s.pass {
		random := rand.New(rand.NewPCG(s.seed, streamOrder+uint64(pass)<<40))
		s.pass, s.order = pass, random.Perm(s.n)
	}
	return s.order[k%s.n]
}

// fingerprint hashes data, so that a run is not resumed with other data.
type fingerprint struct {
	hash   hash.Hash
	buffer []byte
}

func newFingerprint() *fingerprint { return &fingerprint{hash: sha256.New()} }

// add folds in a length, a list of tokens and a number.
func (f *fingerprint) add(tokens []int32, number uint64) {
	f.buffer = binary.LittleEndian.AppendUint64(f.buffer[:0], uint64(len(tokens)))
	f.buffer = binary.LittleEndian.AppendUint64(f.buffer, number)
	for _, t := range tokens {
		f.buffer = binary.LittleEndian.AppendUint32(f.buffer, uint32(t))
	}
	f.hash.Write(f.buffer)
}

// addMask folds in which tokens are targets.
func (f *fingerprint) addMask(mask []bool) {
	f.buffer = f.buffer[:0]
	for _, target := range mask {
		b := byte(0)
		if target {
			b = 1
		}
		f.buffer = append(f.buffer, b)
	}
	f.hash.Write(f.buffer)
}

// sum is the hash in hexadecimal.
func (f *fingerprint) sum() string { return hex.EncodeToString(f.hash.Sum(nil)) }
