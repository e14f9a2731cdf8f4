package weights

import (
	"fmt"
	"math"
)

// Metadata is what a model file says about itself, in the file's order. A
// value is a bool, a string, an integer or float of 8 to 64 bits, a slice of
// one of these, or a slice of such slices as []any (GGUF only); safetensors has
// strings alone.
//
// The accessors return one clear error for a key that is absent or holds
// another kind of value; ask [Metadata.Has] first where a default exists. What
// they return may be the metadata's own storage and must not be written to.
type Metadata []KV

// KV is one key of a model file and its value.
type KV struct {
	Key   string
	Value any
}

// Value returns the value of the key and whether there is one.
func (m Metadata) Value(key string) (value any, ok bool) {
	for _, pair := range m {
		if pair.Key == key {
			return pair.Value, true
		}
	}
	return nil, false
}

// Has says whether there is a value of that key.
func (m Metadata) Has(key string) bool {
	_, ok := m.Value(key)
	return ok
}

// Set replaces the value of the key, or appends the key.
func (m *Metadata) Set(key string, value any) {
	for i := range *m {
		if (*m)[i].Key == key {
			(*m)[i].Value = value
			return
		}
	}
	*m = append(*m, KV{Key: key, Value: value})
}

// String returns a text.
func (m Metadata) String(key string) (string, error) { return valueAs[string](m, key, "a string") }

// Bool returns a truth value.
func (m Metadata) Bool(key string) (bool, error) { return valueAs[bool](m, key, "a bool") }

// Strings returns a list of texts.
func (m Metadata) Strings(key string) ([]string, error) {
	return valueAs[[]string](m, key, "a list of strings")
}

// Bools returns a list of truth values.
func (m Metadata) Bools(key string) ([]bool, error) {
	return valueAs[[]bool](m, key, "a list of bools")
}

// Int returns an integer of any stored width that is in the range of int.
func (m Metadata) Int(key string) (int, error) {
	value, err := m.want(key)
	if err != nil {
		return 0, err
	}
	n, ok := toInt(value)
	if !ok {
		return 0, wrongKind(key, value, "an integer in the range of int")
	}
	return n, nil
}

// Uint returns an integer of any stored width from 0 to the range of int.
func (m Metadata) Uint(key string) (int, error) {
	n, err := m.Int(key)
	if err == nil && n < 0 {
		return 0, wrongKind(key, n, "an integer that is not negative")
	}
	return n, err
}

// Float returns a finite number; integers are converted.
func (m Metadata) Float(key string) (float64, error) {
	value, err := m.want(key)
	if err != nil {
		return 0, err
	}
	var x float64
	switch v := value.(type) {
	case float32:
		x = float64(v)
	case float64:
		x = v
	default:
		n, ok := toInt(value)
		if !ok {
			return 0, wrongKind(key, value, "a number")
		}
		x = float64(n)
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, wrongKind(key, value, "a finite number")
	}
	return x, nil
}

// Ints returns a list of integers of any one stored width, each in the range of
// int, in fresh storage.
func (m Metadata) Ints(key string) ([]int, error) {
	value, err := m.want(key)
	if err != nil {
		return nil, err
	}
	var list []int
	ok := false
	switch v := value.(type) {
	case []uint8:
		list, ok = toInts(v)
	case []int8:
		list, ok = toInts(v)
	case []uint16:
		list, ok = toInts(v)
	case []int16:
		list, ok = toInts(v)
	case []uint32:
		list, ok = toInts(v)
	case []int32:
		list, ok = toInts(v)
	case []uint64:
		list, ok = toInts(v)
	case []int64:
		list, ok = toInts(v)
	}
	if !ok {
		return nil, wrongKind(key, value, "a list of integers in the range of int")
	}
	return list, nil
}

// Floats returns a list of F32 numbers, which may be NaN or infinite.
func (m Metadata) Floats(key string) ([]float32, error) {
	return valueAs[[]float32](m, key, "a list of F32 numbers")
}

func (m Metadata) want(key string) (any, error) {
	value, ok := m.Value(key)
	if !ok {
		return nil, fmt.Errorf("weights: metadata %q: missing", key)
	}
	return value, nil
}

func valueAs[T any](m Metadata, key, kind string) (T, error) {
	value, err := m.want(key)
	if err != nil {
		var none T
		return none, err
	}
	typed, ok := value.(T)
	if !ok {
		return typed, wrongKind(key, value, kind)
	}
	return typed, nil
}

// wrongKind shows short values only: a list may hold a whole vocabulary.
func wrongKind(key string, value any, kind string) error {
	switch v := value.(type) {
	case string:
		return fmt.Errorf("weights: metadata %q: got the string %.40q, want %s", key, v, kind)
	case bool, int, uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32, float64:
		return fmt.Errorf("weights: metadata %q: got %v (%T), want %s", key, v, v, kind)
	}
	return fmt.Errorf("weights: metadata %q: got %T, want %s", key, value, kind)
}

func toInt(value any) (int, bool) {
	switch v := value.(type) {
	case uint8:
		return int(v), true
	case int8:
		return int(v), true
	case uint16:
		return int(v), true
	case int16:
		return int(v), true
	case int32:
		return int(v), true
	case uint32:
		return int(v), uint64(v) <= math.MaxInt
	case uint64:
		return int(v), v <= math.MaxInt
	case int64:
		return int(v), int64(int(v)) == v
	case int:
		return v, true
	}
	return 0, false
}

func toInts[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64](values []T) ([]int, bool) {
	list := make([]int, len(values))
	for i, v := range values {
		list[i] = int(v)
		// A value that wraps comes back another, or with another sign.
		if T(list[i]) != v || (list[i] < 0) != (v < 0) {
			return nil, false
		}
	}
	return list, true
}
