package weights

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/retort-ml/retort/tensor"
)

// A GGUF file (github.com/ggml-org/ggml, docs/gguf.md) is, little-endian:
//
//	"GGUF"  version u32  tensors u64  pairs u64
//	pairs:   key string, type u32, value
//	tensors: name string, dimensions u32, that many u64 (fastest first), type u32, offset u64
//	padding to the alignment, then the data, from where the offsets count
//
// A string is its length in a u64 and its bytes.
const (
	ggufMagic        = "GGUF"
	ggufVersion      = 3
	alignmentKey     = "general.alignment"
	defaultAlignment = 32
	// The limits are far beyond every published model (1,100 tensors, 60 keys)
	// and keep what a hostile header can cost small.
	maxPairs          = 1 << 14
	maxGGUFTensors    = 1 << 16
	maxGGUFDimensions = 4 // GGML_MAX_DIMS
	minPairBytes      = 8 + 4 + 1
	minTensorBytes    = 8 + 4 + 4 + 8
	maxHeadMemory     = 32 << 20 // 32 MiB of values and names in memory
	nameBytes         = 256      // what a key or a tensor costs beside its text
)

// ggufTypes are the tensor types of ggml (ggml.h, enum ggml_type) that are read.
var ggufTypes = map[uint32]tensor.Format{
	0: tensor.F32, 1: tensor.F16, 2: tensor.Q4_0, 3: tensor.Q4_1, 6: tensor.Q5_0, 7: tensor.Q5_1, 8: tensor.Q8_0,
	10: tensor.Q2_K, 11: tensor.Q3_K, 12: tensor.Q4_K, 13: tensor.Q5_K, 14: tensor.Q6_K,
	20: tensor.IQ4_NL, 23: tensor.IQ4_XS, 30: tensor.BF16, 39: tensor.MXFP4,
	24: tensor.I8, 25: tensor.I16, 26: tensor.I32, 27: tensor.I64, 28: tensor.F64,
}

// ggufOtherTypes are types that exist and are not read.
var ggufOtherTypes = map[uint32]string{
	4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
	29: "IQ1_M", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4", 41: "Q1_0",
}

// parseGGUF reads and checks the head of a whole file's bytes. After success
// every tensor lies within the file, aligned, and overlaps no other.
func parseGGUF(file []byte) (header, error) {
	h, alignment, err := parseGGUFHead(file)
	if err == nil {
		err = h.checkPlaces(len(file), alignment)
	}
	return h, err
}

// parseGGUFHead reads everything that precedes the data, of which the bytes may
// be absent.
func parseGGUFHead(file []byte) (h header, alignment int, err error) {
	h.container = GGUF
	c := cursor{bytes: file, pos: min(len(ggufMagic), len(file))}
	version, err := c.uint32()
	if err == nil {
		err = checkVersion(version)
	}
	if err != nil {
		return h, 0, err
	}
	tensors, err := c.count("tensors", minTensorBytes, maxGGUFTensors)
	if err != nil {
		return h, 0, err
	}
	pairs, err := c.count("metadata keys", minPairBytes, maxPairs)
	if err != nil {
		return h, 0, err
	}
	if h.metadata, err = c.pairs(pairs); err != nil {
		return h, 0, err
	}
	if alignment, err = alignmentOf(h.metadata); err != nil {
		return h, 0, err
	}
	if h.entries, err = c.entries(tensors); err != nil {
		return h, 0, err
	}
	h.size, err = padTo(c.pos, alignment)
	return h, alignment, err
}

func checkVersion(version uint32) error {
	switch {
	case version == 2 || version == ggufVersion:
		return nil
	case version == 1:
		return fmt.Errorf("GGUF version 1 is not read: convert the model again, which gives version %d", ggufVersion)
	case bits.ReverseBytes32(version) <= ggufVersion && version != 0:
		return fmt.Errorf("GGUF of version %d in big-endian order is not read: want little-endian", bits.ReverseBytes32(version))
	}
	return fmt.Errorf("GGUF version %d: want 2 or %d", version, ggufVersion)
}

// alignmentOf returns the multiple at which every tensor begins.
func alignmentOf(m Metadata) (int, error) {
	value, ok := m.Value(alignmentKey)
	if !ok {
		return defaultAlignment, nil
	}
	alignment, ok := value.(uint32)
	if !ok || alignment == 0 || alignment&(alignment-1) != 0 || uint64(alignment) > math.MaxInt {
		return 0, wrongKind(alignmentKey, value, "a power of two as uint32")
	}
	return int(alignment), nil
}

// padTo returns the least multiple of alignment, a power of two, from n up.
func padTo(n, alignment int) (int, error) {
	rest := n & (alignment - 1)
	if rest == 0 {
		return n, nil
	}
	if n > math.MaxInt-(alignment-rest) {
		return 0, fmt.Errorf("%d bytes padded to %d are more than %d", n, alignment, math.MaxInt)
	}
	return n + (alignment - rest), nil
}

// entries reads the descriptions of the tensors. Their places are checked later.
func (c *cursor) entries(count int) ([]entry, error) {
	list := make([]entry, 0, count)
	seen := make(map[string]struct{}, count)
	for i := range count {
		name, err := c.name()
		if err != nil {
			return nil, fmt.Errorf("tensor %d: name: %w", i, err)
		}
		before := len(seen)
		if seen[name] = struct{}{}; len(seen) == before {
			return nil, fmt.Errorf("tensor %.100q: name appears twice", name)
		}
		e := entry{name: name}
		if err := c.entry(&e); err != nil {
			return nil, fmt.Errorf("tensor %.100q: %w", name, err)
		}
		list = append(list, e)
	}
	return list, nil
}

// entry reads what follows a tensor's name.
func (c *cursor) entry(e *entry) error {
	dimensions, err := c.uint32()
	if err != nil {
		return err
	}
	if dimensions > maxGGUFDimensions {
		return fmt.Errorf("got %d dimensions, want at most %d", dimensions, maxGGUFDimensions)
	}
	e.shape = make([]int, dimensions)
	for i := range e.shape {
		n, err := c.uint64()
		if err != nil {
			return err
		}
		if n == 0 || n > math.MaxInt {
			return fmt.Errorf("dimension %d: got %d, want 1 to %d", i, n, math.MaxInt)
		}
		e.shape[len(e.shape)-1-i] = int(n)
	}
	kind, err := c.uint32()
	if err != nil {
		return err
	}
	offset, err := c.uint64()
	if err != nil {
		return err
	}
	format, ok := ggufTypes[kind]
	if !ok {
		if name, ok := ggufOtherTypes[kind]; ok {
			return fmt.Errorf("type %s is not read: take a file of another type, such as Q4_K", name)
		}
		return fmt.Errorf("type %d is unknown", kind)
	}
	size, err := format.SizeOf(e.shape)
	if err != nil {
		return err
	}
	if offset > uint64(math.MaxInt-size) {
		return fmt.Errorf("offset %d and %d bytes are more than %d", offset, size, math.MaxInt)
	}
	e.format, e.begin, e.end = format, int(offset), int(offset)+size
	return nil
}

// checkPlaces sorts the entries by place and finds what is outside the file,
// not aligned, or over another.
func (h *header) checkPlaces(fileBytes, alignment int) error {
	dataBytes := max(0, fileBytes-h.size) // a file without tensors may end before the padding
	slices.SortStableFunc(h.entries, byPlace)
	covered := 0
	for _, e := range h.entries {
		switch {
		case e.begin&(alignment-1) != 0:
			return fmt.Errorf("tensor %.100q: begins at byte %d of the data, want a multiple of %d", e.name, e.begin, alignment)
		case e.end > dataBytes:
			return fmt.Errorf("cut file: tensor %.100q: ends at byte %d of the data, of which there are %d", e.name, e.end, dataBytes)
		case e.begin < covered:
			return fmt.Errorf("tensor %.100q: begins at byte %d, inside another that ends at %d", e.name, e.begin, covered)
		}
		covered = e.end
	}
	return nil
}

// cursor reads GGUF from the whole file's bytes. Nothing is allocated before
// the bytes for it are known to be there.
type cursor struct {
	bytes  []byte
	pos    int
	memory int // bytes of the values read so far
}

func (c *cursor) left() int { return len(c.bytes) - c.pos }

func (c *cursor) take(n int) ([]byte, error) {
	if n > c.left() {
		return nil, fmt.Errorf("cut file: byte %d: want %d bytes, there are %d", c.pos, n, c.left())
	}
	c.pos += n
	return c.bytes[c.pos-n : c.pos], nil
}

func (c *cursor) uint32() (uint32, error) {
	b, err := c.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (c *cursor) uint64() (uint64, error) {
	b, err := c.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// count reads how many things follow that take at least minBytes each.
func (c *cursor) count(what string, minBytes, limit int) (int, error) {
	n, err := c.uint64()
	switch {
	case err != nil:
		return 0, err
	case n > uint64(limit):
		return 0, fmt.Errorf("%d %s: want at most %d", n, what, limit)
	case n > uint64(c.left()/minBytes):
		return 0, fmt.Errorf("cut file: %d %s in the %d bytes that are left", n, what, c.left())
	}
	return int(n), nil
}

// text reads a string's bytes, a view of the file.
func (c *cursor) text() ([]byte, error) {
	n, err := c.uint64()
	if err != nil {
		return nil, err
	}
	if n > uint64(c.left()) {
		return nil, fmt.Errorf("cut file: byte %d: string of %d bytes, there are %d", c.pos, n, c.left())
	}
	return c.take(int(n))
}

// name reads a key or a tensor's name.
func (c *cursor) name() (string, error) {
	b, err := c.text()
	if err != nil {
		return "", err
	}
	if len(b) == 0 || len(b) > maxKeyBytes || bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("%.40q of %d bytes: want 1 to %d bytes without a zero", b, len(b), maxKeyBytes)
	}
	return string(b), c.spend(nameBytes+len(b), 1)
}

// spend accounts for memory that a value will take.
func (c *cursor) spend(count, bytesEach int) error {
	if count > (maxHeadMemory-c.memory)/bytesEach {
		return fmt.Errorf("byte %d: metadata and names take more than %d bytes", c.pos, maxHeadMemory)
	}
	c.memory += count * bytesEach
	return nil
}
