package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/retort-ml/retort/tensor"
)

// A safetensors file is the header's length in 8 little-endian bytes, the
// header in JSON, and the tensors' bytes:
//
//	{"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}}
//
// The offsets count from the header's end.
const (
	lengthBytes = 8
	// The limits are beyond every published model (20,000 tensors in one file)
	// and keep what a hostile header can cost small.
	maxHeaderBytes   = 2 << 20 // 2 MiB
	maxMetadataTexts = 4096
	maxDimensions    = 8
	minEntryBytes    = len(`"":{"dtype":"F32","shape":[],"data_offsets":[0,0]}`)
	metadataKey      = "__metadata__"
)

// header is what precedes the data of one file.
type header struct {
	container Container
	metadata  Metadata
	entries   []entry // in the order of their data
	size      int     // bytes before the data
}

type entry struct {
	name       string
	format     tensor.Format
	shape      []int
	begin, end int // bytes from the header's end
}

// byPlace orders entries as their data lies.
func byPlace(a, b entry) int {
	return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
}

// dtypes are the names of safetensors' number types.
var dtypes = map[string]tensor.Format{
	"F64": tensor.F64, "F32": tensor.F32, "F16": tensor.F16, "BF16": tensor.BF16,
	"I64": tensor.I64, "I32": tensor.I32, "I16": tensor.I16, "I8": tensor.I8,
	"U64": tensor.U64, "U32": tensor.U32, "U16": tensor.U16, "U8": tensor.U8, "BOOL": tensor.Bool, "C64": tensor.C64,
	"F8_E4M3": tensor.F8E4M3, "F8_E5M2": tensor.F8E5M2, "F8_E4M3FNUZ": tensor.F8E4M3FNUZ, "F8_E5M2FNUZ": tensor.F8E5M2FNUZ,
	"F8_E8M0": tensor.F8E8M0, "F6_E2M3": tensor.F6E2M3, "F6_E3M2": tensor.F6E3M2, "F4": tensor.F4,
}

// parseFile reads the header of a GGUF or safetensors file, by its first bytes.
func parseFile(file []byte) (header, error) {
	if bytes.HasPrefix(file, []byte(ggufMagic)) {
		return parseGGUF(file)
	}
	for magic, kind := range foreignMagics {
		if bytes.HasPrefix(file, []byte(magic)) {
			return header{}, fmt.Errorf("a %s is not read: convert it to safetensors or GGUF", kind)
		}
	}
	return parseHeader(file)
}

// foreignMagics begin the files that are often taken for a model.
var foreignMagics = map[string]string{
	"PK\x03\x04": "zip file, as PyTorch's pickles are,",
	"\x80\x02":   "pickle",
	"FUGG":       "big-endian GGUF",
	"tjgg":       "GGJT file from before GGUF",
	"lmgg":       "GGML file from before GGUF",
	"fmgg":       "GGMF file from before GGUF",
}

// parseHeader reads and checks the header of a whole file's bytes. After
// success the entries cover the rest of the file exactly.
func parseHeader(file []byte) (header, error) {
	if len(file) < lengthBytes {
		return header{}, fmt.Errorf("cut file: got %d bytes, want at least %d", len(file), lengthBytes)
	}
	length := binary.LittleEndian.Uint64(file)
	if length > maxHeaderBytes {
		return header{}, fmt.Errorf("header: got %d bytes, want at most %d: not a safetensors file", length, maxHeaderBytes)
	}
	if length > uint64(len(file)-lengthBytes) {
		return header{}, fmt.Errorf("cut file: header of %d bytes in a file of %d", length, len(file))
	}
	h := header{size: lengthBytes + int(length)}
	s := scanner{text: file[lengthBytes:h.size]}
	if err := h.scan(&s); err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	if err := h.checkCover(len(file) - h.size); err != nil {
		return header{}, err
	}
	return h, nil
}

func (h *header) scan(s *scanner) error {
	// A brace per tensor and some more, but braces in texts must not cost much.
	count := min(bytes.Count(s.text, []byte{'{'}), len(s.text)/minEntryBytes)
	seen := make(map[string]struct{}, count)
	h.entries = make([]entry, 0, count)
	err := s.object(func(key []byte) error {
		name := string(key)
		before := len(seen)
		if seen[name] = struct{}{}; len(seen) == before {
			return fmt.Errorf("name %q: appears twice", name)
		}
		if name == metadataKey {
			texts, err := s.texts(maxMetadataTexts)
			h.metadata = sortedMetadata(texts)
			return err
		}
		e, err := scanEntry(s, name)
		h.entries = append(h.entries, e)
		return err
	})
	if err != nil {
		return err
	}
	return s.end()
}

func scanEntry(s *scanner, name string) (entry, error) {
	e := entry{name: name}
	var hasFormat, hasShape, hasOffsets bool
	err := s.object(func(key []byte) error {
		switch {
		case string(key) == "dtype" && !hasFormat:
			hasFormat = true
			text, err := s.text1()
			if err != nil {
				return err
			}
			var known bool
			if e.format, known = dtypes[string(text)]; !known {
				return fmt.Errorf("dtype %.20q: unknown, want one as F32, F16 or BF16", text)
			}
			return nil
		case string(key) == "shape" && !hasShape:
			hasShape = true
			var err error
			e.shape, err = s.integers(nil, maxDimensions)
			return err
		case string(key) == "data_offsets" && !hasOffsets:
			hasOffsets = true
			var pair [2]int
			offsets, err := s.integers(pair[:0], 2)
			if err != nil {
				return err
			}
			if len(offsets) != 2 {
				return fmt.Errorf("data_offsets: got %d numbers, want 2", len(offsets))
			}
			e.begin, e.end = offsets[0], offsets[1]
			return nil
		}
		return fmt.Errorf("key %q: want dtype, shape and data_offsets once each", key)
	})
	if err == nil && !(hasFormat && hasShape && hasOffsets) {
		err = fmt.Errorf("want dtype, shape and data_offsets")
	}
	if err == nil {
		err = e.checkSize()
	}
	if err != nil {
		return e, fmt.Errorf("tensor %q: %w", name, err)
	}
	return e, nil
}

// checkSize compares the offsets with the shape.
func (e entry) checkSize() error {
	size, err := e.format.SizeOf(e.shape)
	if err != nil {
		return err
	}
	if e.end < e.begin || e.end-e.begin != size {
		return fmt.Errorf("%s %v: data_offsets [%d %d], want %d bytes", e.format, e.shape, e.begin, e.end, size)
	}
	return nil
}

// checkCover sorts the entries by place and finds overlaps, holes, and data
// that is missing or left over.
func (h *header) checkCover(dataBytes int) error {
	slices.SortStableFunc(h.entries, byPlace)
	covered := 0
	for _, e := range h.entries {
		switch {
		case e.end > dataBytes:
			return fmt.Errorf("cut file: tensor %q: ends at byte %d of the data, of which there are %d", e.name, e.end, dataBytes)
		case e.begin < covered:
			return fmt.Errorf("tensor %q: begins at byte %d, inside another that ends at %d", e.name, e.begin, covered)
		case e.begin > covered:
			return fmt.Errorf("tensor %q: hole of %d bytes before it", e.name, e.begin-covered)
		}
		covered = e.end
	}
	if covered != dataBytes {
		return fmt.Errorf("%d bytes after the last tensor", dataBytes-covered)
	}
	return nil
}

// sortedMetadata returns texts in the order of their keys.
func sortedMetadata(texts map[string]string) Metadata {
	m := make(Metadata, 0, len(texts))
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		m = append(m, KV{Key: key, Value: texts[key]})
	}
	return m
}
