// Package tensor is a shaped view of bytes in one storage format; it knows every format's block layout and the slow, obvious way to read and write it.
//
// It does not compute: no products of tensors, no sums. Kernels are tested
// against the conversions here, so these are written to be read; they go block
// by block, without tricks.
//
// Invariants: shapes are row-major with the last index fastest; every stored
// number is little-endian whatever the machine; a conversion gives the same bits
// on every machine (products are rounded before they are added); no function here multiplies
// two sizes without looking for overflow, and none panics on sizes or bytes
// that came from outside.
package tensor

import (
	"fmt"
	"math"
)

// Tensor is a named view of bytes in one storage format.
//
// Data is not owned: it may be a part of a mapped file, which must not be
// written to. A tensor made by hand is checked by [Tensor.Validate].
type Tensor struct {
	Name   string // may be empty
	Format Format
	Shape  []int  // row-major, last index fastest; an empty shape is one number
	Data   []byte // exactly Format.SizeOf(Shape) bytes
}

// New returns a tensor of zeros with its own storage. The shape is copied. It
// is an error when the shape is negative or too large for this machine's
// addresses.
func New(name string, format Format, shape ...int) (Tensor, error) {
	size, err := format.SizeOf(shape)
	if err != nil {
		return Tensor{}, fmt.Errorf("tensor: %s: %w", name, err)
	}
	return Tensor{Name: name, Format: format, Shape: append([]int(nil), shape...), Data: make([]byte, size)}, nil
}

// FromFloat32s returns a tensor of the given format that holds values, stored as
// [Encode] does. The storage is its own;
// neither shape nor values is kept. It is an error when the shape does not
// hold exactly len(values) numbers.
func FromFloat32s(name string, format Format, shape []int, values []float32) (Tensor, error) {
	t, err := New(name, format, shape...)
	if err != nil {
		return Tensor{}, err
	}
	if err := t.SetFloat32s(values); err != nil {
		return Tensor{}, err
	}
	return t, nil
}

// Validate says whether the shape is sound and the data has exactly the length
// that the shape and the format ask for.
func (t Tensor) Validate() error {
	size, err := t.Format.SizeOf(t.Shape)
	if err != nil {
		return fmt.Errorf("tensor: %s: %w", t.Name, err)
	}
	if len(t.Data) != size {
		return fmt.Errorf("tensor: %s: %s %v: got %d bytes, want %d", t.Name, t.Format, t.Shape, len(t.Data), size)
	}
	return nil
}

// Elements returns the count of numbers in the tensor. The tensor must be
// valid; an invalid shape gives 0.
func (t Tensor) Elements() int {
	n, err := Elements(t.Shape)
	if err != nil {
		return 0
	}
	return n
}

// Float32s returns the tensor's numbers, [Elements] f32, in fresh storage, as
// [Decode] does.
func (t Tensor) Float32s() ([]float32, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	values := make([]float32, t.Elements())
	if err := Decode(values, t.Format, t.Data); err != nil {
		return nil, err
	}
	return values, nil
}

// Read widens len(dst) numbers from the begin-th on into dst. Both counts must
// be whole blocks within the tensor.
func (t Tensor) Read(dst []float32, begin int) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if begin < 0 || begin > t.Elements()-len(dst) {
		return fmt.Errorf("tensor: %s: %d numbers from %d on, of which there are %d", t.Name, len(dst), begin, t.Elements())
	}
	from, err := t.Format.Size(begin)
	if err != nil {
		return fmt.Errorf("tensor: %s: %w", t.Name, err)
	}
	size, err := t.Format.Size(len(dst))
	if err != nil {
		return fmt.Errorf("tensor: %s: %w", t.Name, err)
	}
	return Decode(dst, t.Format, t.Data[from:from+size])
}

// SetFloat32s overwrites the tensor's numbers with values, [Elements] f32, as
// [Encode] does.
func (t Tensor) SetFloat32s(values []float32) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if len(values) != t.Elements() {
		return fmt.Errorf("tensor: %s: shape %v: got %d values, want %d", t.Name, t.Shape, len(values), t.Elements())
	}
	return Encode(t.Data, t.Format, values)
}

// Elements returns the product of the shape's dimensions, 1 for an empty
// shape. A negative dimension and a product beyond the range of int are
// errors, also where another dimension is zero.
func Elements(shape []int) (int, error) {
	product, isEmpty := 1, false
	for _, dimension := range shape {
		if dimension < 0 {
			return 0, fmt.Errorf("shape %v: dimension %d is negative", shape, dimension)
		}
		if dimension == 0 {
			isEmpty = true
			continue
		}
		if product > math.MaxInt/dimension {
			return 0, fmt.Errorf("shape %v: more than %d elements", shape, math.MaxInt)
		}
		product *= dimension
	}
	if isEmpty {
		return 0, nil
	}
	return product, nil
}
