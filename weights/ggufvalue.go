package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// The value types of GGUF (docs/gguf.md, gguf_metadata_value_type).
const (
	kindUint8 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
	numKinds
)

// kindBytes are the stored bytes of a value; of a string and an array, the
// least.
var kindBytes = [numKinds]int{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8}

const (
	maxArrayDepth = 4
	// A list within a list costs its value, its slice and an interface.
	nestedBytes = 64
	stringBytes = int(unsafe.Sizeof(""))
)

// pairs reads the metadata.
func (c *cursor) pairs(count int) (Metadata, error) {
	m := make(Metadata, 0, count)
	seen := make(map[string]struct{}, count)
	for i := range count {
		key, err := c.name()
		if err != nil {
			return nil, fmt.Errorf("metadata key %d: %w", i, err)
		}
		before := len(seen)
		if seen[key] = struct{}{}; len(seen) == before {
			return nil, fmt.Errorf("metadata %.100q: appears twice", key)
		}
		kind, err := c.uint32()
		if err != nil {
			return nil, fmt.Errorf("metadata %.100q: %w", key, err)
		}
		value, err := c.value(kind)
		if err != nil {
			return nil, fmt.Errorf("metadata %.100q: %w", key, err)
		}
		m = append(m, KV{Key: key, Value: value})
	}
	return m, nil
}

func (c *cursor) value(kind uint32) (any, error) {
	switch kind {
	case kindString:
		b, err := c.text()
		if err != nil {
			return nil, err
		}
		return string(b), c.spend(len(b), 1)
	case kindArray:
		return c.array(0)
	}
	if kind >= numKinds {
		return nil, fmt.Errorf("value type %d is unknown", kind)
	}
	b, err := c.take(kindBytes[kind])
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindUint8:
		return b[0], nil
	case kindInt8:
		return int8(b[0]), nil
	case kindBool:
		return toBool(b[0])
	case kindUint16:
		return binary.LittleEndian.Uint16(b), nil
	case kindInt16:
		return int16(binary.LittleEndian.Uint16(b)), nil
	case kindUint32:
		return binary.LittleEndian.Uint32(b), nil
	case kindInt32:
		return int32(binary.LittleEndian.Uint32(b)), nil
	case kindFloat32:
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
	case kindUint64:
		return binary.LittleEndian.Uint64(b), nil
	case kindInt64:
		return int64(binary.LittleEndian.Uint64(b)), nil
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

func toBool(b byte) (bool, error) {
	if b > 1 {
		return false, fmt.Errorf("bool: got %d, want 0 or 1", b)
	}
	return b == 1, nil
}

// array reads a list: its items' type, their count, and the items.
func (c *cursor) array(depth int) (any, error) {
	kind, err := c.uint32()
	if err != nil {
		return nil, err
	}
	if kind >= numKinds {
		return nil, fmt.Errorf("list of value type %d, which is unknown", kind)
	}
	count, err := c.count("list items", kindBytes[kind], math.MaxInt)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindString:
		return c.texts(count)
	case kindArray:
		return c.arrays(count, depth)
	}
	if err := c.spend(count, kindBytes[kind]); err != nil {
		return nil, err
	}
	b, err := c.take(count * kindBytes[kind]) // count has been compared with the bytes left
	if err != nil {
		return nil, err
	}
	return numbers(kind, count, b)
}

// numbers copies a list of numbers or truth values out of the file.
func numbers(kind uint32, count int, b []byte) (any, error) {
	switch kind {
	case kindUint8:
		return append(make([]uint8, 0, count), b...), nil
	case kindInt8:
		return fill(count, func(i int) int8 { return int8(b[i]) }), nil
	case kindUint16:
		return fill(count, func(i int) uint16 { return binary.LittleEndian.Uint16(b[2*i:]) }), nil
	case kindInt16:
		return fill(count, func(i int) int16 { return int16(binary.LittleEndian.Uint16(b[2*i:])) }), nil
	case kindUint32:
		return fill(count, func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }), nil
	case kindInt32:
		return fill(count, func(i int) int32 { return int32(binary.LittleEndian.Uint32(b[4*i:])) }), nil
	case kindFloat32:
		return fill(count, func(i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])) }), nil
	case kindUint64:
		return fill(count, func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }), nil
	case kindInt64:
		return fill(count, func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }), nil
	case kindFloat64:
		return fill(count, func(i int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])) }), nil
	}
	list := make([]bool, count)
	for i := range list {
		var err error
		if list[i], err = toBool(b[i]); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return list, nil
}

func fill[T any](count int, item func(i int) T) []T {
	list := make([]T, count)
	for i := range list {
		list[i] = item(i)
	}
	return list
}

// texts reads a list of strings. The whole list is copied from the file once,
// and the strings are views of the copy, so that a vocabulary costs two
// allocations and does not die with the file.
func (c *cursor) texts(count int) ([]string, error) {
	if err := c.spend(count, stringBytes); err != nil {
		return nil, err
	}
	begin := c.pos
	for i := range count {
		if _, err := c.text(); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	if err := c.spend(c.pos-begin, 1); err != nil {
		return nil, err
	}
	copied := cursor{bytes: append([]byte(nil), c.bytes[begin:c.pos]...)}
	whole := unsafe.String(unsafe.SliceData(copied.bytes), len(copied.bytes))
	list := make([]string, count)
	for i := range list {
		b, err := copied.text()
		if err != nil { // the file was changed meanwhile
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		list[i] = whole[copied.pos-len(b) : copied.pos]
	}
	return list, nil
}

// arrays reads a list of lists.
func (c *cursor) arrays(count, depth int) (any, error) {
	if depth+1 == maxArrayDepth {
		return nil, fmt.Errorf("lists nested deeper than %d", maxArrayDepth)
	}
	if err := c.spend(count, nestedBytes); err != nil {
		return nil, err
	}
	list := make([]any, count)
	for i := range list {
		var err error
		if list[i], err = c.array(depth + 1); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return list, nil
}
