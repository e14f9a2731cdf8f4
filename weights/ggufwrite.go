package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/retort-ml/retort/tensor"
)

// WriteGGUF writes a GGUF file of version 3 in place of path, as safely as
// [Write] does. Metadata and tensors keep their order. A value's Go type
// settles its type in the file; see [Metadata]. Tensors begin at multiples of
// general.alignment, a uint32, or of 32 where the metadata has none. A tensor
// must not be empty and has at most 4 dimensions and a name of at most 63
// bytes, as llama.cpp asks.
func WriteGGUF(path string, metadata Metadata, tensors []NamedTensor) error {
	head, alignment, err := encodeGGUF(metadata, tensors)
	if err == nil {
		err = replaceFile(path, func(w io.Writer) error {
			if _, err := w.Write(head); err != nil {
				return err
			}
			for _, t := range tensors {
				if err := t.writePadded(w, alignment); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	return nil
}

// ggufKinds are the stored types of the formats.
var ggufKinds = func() map[tensor.Format]uint32 {
	kinds := make(map[tensor.Format]uint32, len(ggufTypes))
	for kind, format := range ggufTypes {
		kinds[format] = kind
	}
	return kinds
}()

// maxGGUFName is GGML_MAX_NAME without the final zero.
const maxGGUFName = 63

// encodeGGUF checks everything and returns what precedes the data, padded.
func encodeGGUF(metadata Metadata, tensors []NamedTensor) (head []byte, alignment int, err error) {
	if alignment, err = alignmentOf(metadata); err != nil {
		return nil, 0, err
	}
	if len(metadata) > maxPairs || len(tensors) > maxGGUFTensors {
		return nil, 0, fmt.Errorf("%d metadata keys and %d tensors: want at most %d and %d", len(metadata), len(tensors), maxPairs, maxGGUFTensors)
	}
	e := encoder{}
	e.WriteString(ggufMagic)
	e.uint32(ggufVersion)
	e.uint64(uint64(len(tensors)))
	e.uint64(uint64(len(metadata)))
	seen := make(map[string]bool)
	for _, pair := range metadata {
		err := e.pair(pair)
		if err == nil && seen[pair.Key] {
			err = errors.New("appears twice")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("metadata %.100q: %w", pair.Key, err)
		}
		seen[pair.Key] = true
	}
	clear(seen)
	offset := 0
	for _, t := range tensors {
		size, err := t.checkGGUF()
		if err == nil && seen[t.Name] {
			err = errors.New("name appears twice")
		}
		if err == nil && offset > math.MaxInt-size {
			err = errors.New("file too large")
		}
		if err == nil {
			e.tensor(t, offset)
			offset, err = padTo(offset+size, alignment)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %.100q: %w", t.Name, err)
		}
		seen[t.Name] = true
	}
	e.Write(padding(e.Len(), alignment))
	// What a reader of ours would refuse is not written.
	_, _, err = parseGGUFHead(e.Bytes())
	return e.Bytes(), alignment, err
}

// padding is the zeros from n to the next multiple of alignment.
func padding(n, alignment int) []byte { return make([]byte, -n&(alignment-1)) }

// checkGGUF returns the tensor's size in bytes.
func (t NamedTensor) checkGGUF() (int, error) {
	if len(t.Name) > maxGGUFName {
		return 0, fmt.Errorf("name of %d bytes, want at most %d", len(t.Name), maxGGUFName)
	}
	if len(t.Shape) > maxGGUFDimensions {
		return 0, fmt.Errorf("shape %v: got %d dimensions, want at most %d", t.Shape, len(t.Shape), maxGGUFDimensions)
	}
	if _, ok := ggufKinds[t.Format]; !ok {
		return 0, fmt.Errorf("format %s cannot be stored in GGUF", t.Format)
	}
	size, err := t.checkSource()
	if err == nil && size == 0 {
		err = fmt.Errorf("shape %v: an empty tensor cannot be stored in GGUF", t.Shape)
	}
	return size, err
}

func (t NamedTensor) writePadded(w io.Writer, alignment int) error {
	if err := t.writeData(w); err != nil {
		return err
	}
	size, err := t.Format.SizeOf(t.Shape)
	if err != nil {
		return err
	}
	_, err = w.Write(padding(size, alignment))
	return err
}

// encoder appends what GGUF is made of.
type encoder struct{ bytes.Buffer }

func (e *encoder) uint32(n uint32) { e.Write(binary.LittleEndian.AppendUint32(e.AvailableBuffer(), n)) }
func (e *encoder) uint64(n uint64) { e.Write(binary.LittleEndian.AppendUint64(e.AvailableBuffer(), n)) }

func (e *encoder) text(s string) {
	e.uint64(uint64(len(s)))
	e.WriteString(s)
}

func (e *encoder) tensor(t NamedTensor, offset int) {
	e.text(t.Name)
	e.uint32(uint32(len(t.Shape)))
	for i := range t.Shape {
		e.uint64(uint64(t.Shape[len(t.Shape)-1-i]))
	}
	e.uint32(ggufKinds[t.Format])
	e.uint64(uint64(offset))
}

func (e *encoder) pair(pair KV) error {
	kind, isArray, err := kindOf(pair.Value)
	if err != nil {
		return err
	}
	e.text(pair.Key)
	if isArray {
		e.uint32(kindArray)
	} else {
		e.uint32(kind)
	}
	return e.value(kind, isArray, pair.Value)
}

// value writes a value, an array with its items' type and their count before it.
func (e *encoder) value(kind uint32, isArray bool, value any) error {
	if !isArray {
		if text, ok := value.(string); ok {
			e.text(text)
			return nil
		}
		return binary.Write(e, binary.LittleEndian, value)
	}
	e.uint32(kind)
	switch list := value.(type) {
	case []string:
		e.uint64(uint64(len(list)))
		for _, text := range list {
			e.text(text)
		}
		return nil
	case []any:
		e.uint64(uint64(len(list)))
		for i, item := range list {
			kind, isArray, err := kindOf(item)
			if err == nil && !isArray {
				err = fmt.Errorf("got %T, want a list within a list of lists", item)
			}
			if err == nil {
				err = e.value(kind, true, item)
			}
			if err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
		return nil
	}
	e.uint64(uint64(binary.Size(value) / kindBytes[kind]))
	return binary.Write(e, binary.LittleEndian, value)
}

// kindOf returns the value's stored type, of a list that of its items.
func kindOf(value any) (kind uint32, isArray bool, err error) {
	switch value.(type) {
	case uint8, []uint8:
		kind = kindUint8
	case int8, []int8:
		kind = kindInt8
	case uint16, []uint16:
		kind = kindUint16
	case int16, []int16:
		kind = kindInt16
	case uint32, []uint32:
		kind = kindUint32
	case int32, []int32:
		kind = kindInt32
	case float32, []float32:
		kind = kindFloat32
	case bool, []bool:
		kind = kindBool
	case string, []string:
		kind = kindString
	case []any:
		kind = kindArray
	case uint64, []uint64:
		kind = kindUint64
	case int64, []int64:
		kind = kindInt64
	case float64, []float64:
		kind = kindFloat64
	default:
		return 0, false, fmt.Errorf("got %T, which has no type in GGUF: want for example uint32, float32, string or []string", value)
	}
	switch value.(type) {
	case []uint8, []int8, []uint16, []int16, []uint32, []int32, []float32, []bool, []string, []any, []uint64, []int64, []float64:
		isArray = true
	}
	return kind, isArray, nil
}
