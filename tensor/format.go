package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Format is a way to store numbers in bytes. A format stores blocks of a fixed
// count of numbers in a fixed count of bytes; the plain formats have blocks of
// one number.
type Format uint8

// The formats. F32 is the zero value.
const (
	F32  Format = iota // IEEE 754 binary32
	F16                // IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits
	BF16               // the upper half of a binary32: 1 sign, 8 exponent, 7 fraction bits
	numFormats
)

type layout struct {
	name          string
	blockElements int // numbers in a block
	blockBytes    int // bytes of a block
	read          func(dst []float32, src []byte)
	write         func(dst []byte, src []float32)
}

// layouts is indexed by Format; read and write handle one block.
var layouts = [numFormats]layout{
	F32:  {"F32", 1, 4, readF32, writeF32},
	F16:  {"F16", 1, 2, readF16, writeF16},
	BF16: {"BF16", 1, 2, readBF16, writeBF16},
}

// ParseFormat returns the format of that name: F32, F16 or BF16, upper case as
// in a safetensors header.
func ParseFormat(name string) (Format, error) {
	for f, l := range layouts {
		if l.name == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("tensor: format %q: want F32, F16 or BF16", name)
}

// String returns the format's name as in a safetensors header.
func (f Format) String() string {
	if f >= numFormats {
		return fmt.Sprintf("Format(%d)", uint8(f))
	}
	return layouts[f].name
}

// Block returns how many numbers a block holds and how many bytes it takes;
// both are 0 for an unknown format.
func (f Format) Block() (elements, bytes int) {
	if f >= numFormats {
		return 0, 0
	}
	return layouts[f].blockElements, layouts[f].blockBytes
}

// Size returns the bytes that the given count of numbers takes. It is an error
// when the format is unknown, the count is negative or not a whole count of
// blocks, or the size is beyond the range of int.
func (f Format) Size(elements int) (int, error) {
	perBlock, bytes := f.Block()
	switch {
	case perBlock == 0:
		return 0, fmt.Errorf("unknown format %s", f)
	case elements < 0:
		return 0, fmt.Errorf("%s: %d elements is negative", f, elements)
	case elements%perBlock != 0:
		return 0, fmt.Errorf("%s: got %d elements, want a multiple of %d", f, elements, perBlock)
	case elements/perBlock > math.MaxInt/bytes:
		return 0, fmt.Errorf("%s: %d elements are more than %d bytes", f, elements, math.MaxInt)
	}
	return elements / perBlock * bytes, nil
}

// Decode widens src, stored in format f, into dst: dst[i] is the i-th stored
// number. len(src) must be f.Size(len(dst)).
func Decode(dst []float32, f Format, src []byte) error {
	if err := checkLengths(f, len(dst), len(src)); err != nil {
		return err
	}
	l := layouts[f]
	for ; len(dst) > 0; dst, src = dst[l.blockElements:], src[l.blockBytes:] {
		l.read(dst[:l.blockElements], src[:l.blockBytes])
	}
	return nil
}

// Encode stores src in format f into dst, each number rounded to the nearest
// storable one, ties to even; a number beyond the format's range becomes an
// infinity and NaN stays NaN. len(dst) must be f.Size(len(src)).
func Encode(dst []byte, f Format, src []float32) error {
	if err := checkLengths(f, len(src), len(dst)); err != nil {
		return err
	}
	l := layouts[f]
	for ; len(src) > 0; src, dst = src[l.blockElements:], dst[l.blockBytes:] {
		l.write(dst[:l.blockBytes], src[:l.blockElements])
	}
	return nil
}

func checkLengths(f Format, elements, bytes int) error {
	want, err := f.Size(elements)
	if err != nil {
		return fmt.Errorf("tensor: %w", err)
	}
	if bytes != want {
		return fmt.Errorf("tensor: %s: %d elements: got %d bytes, want %d", f, elements, bytes, want)
	}
	return nil
}

func readF32(dst []float32, src []byte) {
	dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(src))
}

func writeF32(dst []byte, src []float32) {
	binary.LittleEndian.PutUint32(dst, math.Float32bits(src[0]))
}

func readF16(dst []float32, src []byte) {
	dst[0] = FloatFromF16(binary.LittleEndian.Uint16(src))
}

func writeF16(dst []byte, src []float32) {
	binary.LittleEndian.PutUint16(dst, F16FromFloat(src[0]))
}

func readBF16(dst []float32, src []byte) {
	dst[0] = FloatFromBF16(binary.LittleEndian.Uint16(src))
}

func writeBF16(dst []byte, src []float32) {
	binary.LittleEndian.PutUint16(dst, BF16FromFloat(src[0]))
}
