package tensor

import (
	"fmt"
	"math"
	"strings"
)

// Format is a way to store numbers in bytes. A format stores blocks of a fixed
// count of numbers in a fixed count of bytes; the plain formats have blocks of
// one number. A block never reaches over the end of a row.
type Format uint8

// The formats. F32 is the zero value. Those from F64 on can be stored and
// copied, but are not read as float32; see [Format.Decodes].
//
// The block formats are those of ggml (github.com/ggml-org/ggml,
// src/ggml-common.h), whose names they bear: the first digit is the bits of a
// number, _0 has a scale for 32 numbers and _1 a scale and a minimum, _K has
// super-blocks of 256 numbers whose scales are quantised themselves, IQ4 and
// MXFP4 look the number up in a table of 16. The names of the others are those
// of a safetensors header.
const (
	F32    Format = iota // IEEE 754 binary32
	F16                  // IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits
	BF16                 // the upper half of a binary32: 1 sign, 8 exponent, 7 fraction bits
	Q8_0                 // 32 numbers, 8.5 bits each
	Q4_0                 // 32 numbers, 4.5 bits each
	Q4_1                 // 32 numbers, 5 bits each
	Q5_0                 // 32 numbers, 5.5 bits each
	Q5_1                 // 32 numbers, 6 bits each
	Q2_K                 // 256 numbers, 2.625 bits each
	Q3_K                 // 256 numbers, 3.4375 bits each
	Q4_K                 // 256 numbers, 4.5 bits each
	Q5_K                 // 256 numbers, 5.5 bits each
	Q6_K                 // 256 numbers, 6.5625 bits each
	IQ4_NL               // 32 numbers, 4.5 bits each
	IQ4_XS               // 256 numbers, 4.25 bits each
	MXFP4                // 32 numbers, 4.25 bits each: OCP Microscaling Formats 1.0, section 5

	F64
	I8
	I16
	I32
	I64
	U8
	U16
	U32
	U64
	Bool
	C64        // a pair of F32
	F8E4M3     // OCP 8-bit floating point 1.0
	F8E5M2     // OCP 8-bit floating point 1.0
	F8E4M3FNUZ // without infinities and negative zero
	F8E5M2FNUZ // without infinities and negative zero
	F8E8M0     // a power of two, the scale of the OCP microscaling formats
	F6E2M3     // 4 numbers in 3 bytes
	F6E3M2     // 4 numbers in 3 bytes
	F4         // E2M1, 2 numbers in a byte
	numFormats
)

// The counts of numbers in the blocks of ggml.
const (
	block      = 32
	superBlock = 256
)

type layout struct {
	name          string
	blockElements int // numbers in a block
	blockBytes    int // bytes of a block
	decode        func(dst []float32, src []byte)
	encode        func(dst []byte, src []float32)
}

// layouts is indexed by Format; decode and encode handle a whole count of
// blocks, and are nil where there is no such conversion.
var layouts = [numFormats]layout{
	F32:  {"F32", 1, 4, decodeF32, encodeF32},
	F16:  {"F16", 1, 2, decodeF16, encodeF16},
	BF16: {"BF16", 1, 2, decodeBF16, encodeBF16},

	Q8_0: {"Q8_0", block, 2 + block, decodeQ8_0, encodeQ8_0},
	Q4_0: {"Q4_0", block, 2 + block/2, decodeQ4_0, encodeQ4_0},
	Q4_1: {"Q4_1", block, 4 + block/2, decodeQ4_1, encodeQ4_1},
	Q5_0: {"Q5_0", block, 2 + 4 + block/2, decodeQ5_0, encodeQ5_0},
	Q5_1: {"Q5_1", block, 4 + 4 + block/2, decodeQ5_1, encodeQ5_1},

	Q2_K: {"Q2_K", superBlock, 16 + 64 + 4, decodeQ2_K, encodeQ2_K},
	Q3_K: {"Q3_K", superBlock, 32 + 64 + 12 + 2, decodeQ3_K, encodeQ3_K},
	Q4_K: {"Q4_K", superBlock, 4 + 12 + 128, decodeQ4_K, encodeQ4_K},
	Q5_K: {"Q5_K", superBlock, 4 + 12 + 32 + 128, decodeQ5_K, encodeQ5_K},
	Q6_K: {"Q6_K", superBlock, 128 + 64 + 16 + 2, decodeQ6_K, encodeQ6_K},

	IQ4_NL: {"IQ4_NL", block, 2 + block/2, decodeIQ4_NL, encodeIQ4_NL},
	IQ4_XS: {"IQ4_XS", superBlock, 2 + 2 + 4 + 128, decodeIQ4_XS, encodeIQ4_XS},
	MXFP4:  {"MXFP4", block, 1 + block/2, decodeMXFP4, encodeMXFP4},

	F64:        {name: "F64", blockElements: 1, blockBytes: 8},
	I8:         {name: "I8", blockElements: 1, blockBytes: 1},
	I16:        {name: "I16", blockElements: 1, blockBytes: 2},
	I32:        {name: "I32", blockElements: 1, blockBytes: 4},
	I64:        {name: "I64", blockElements: 1, blockBytes: 8},
	U8:         {name: "U8", blockElements: 1, blockBytes: 1},
	U16:        {name: "U16", blockElements: 1, blockBytes: 2},
	U32:        {name: "U32", blockElements: 1, blockBytes: 4},
	U64:        {name: "U64", blockElements: 1, blockBytes: 8},
	Bool:       {name: "BOOL", blockElements: 1, blockBytes: 1},
	C64:        {name: "C64", blockElements: 1, blockBytes: 8},
	F8E4M3:     {name: "F8_E4M3", blockElements: 1, blockBytes: 1},
	F8E5M2:     {name: "F8_E5M2", blockElements: 1, blockBytes: 1},
	F8E4M3FNUZ: {name: "F8_E4M3FNUZ", blockElements: 1, blockBytes: 1},
	F8E5M2FNUZ: {name: "F8_E5M2FNUZ", blockElements: 1, blockBytes: 1},
	F8E8M0:     {name: "F8_E8M0", blockElements: 1, blockBytes: 1},
	F6E2M3:     {name: "F6_E2M3", blockElements: 4, blockBytes: 3},
	F6E3M2:     {name: "F6_E3M2", blockElements: 4, blockBytes: 3},
	F4:         {name: "F4", blockElements: 2, blockBytes: 1},
}

// ParseFormat returns the format of that name, in upper case as in a
// safetensors header or as ggml writes it.
func ParseFormat(name string) (Format, error) {
	for f, l := range layouts {
		if l.name == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("tensor: format %.40q: want one of %s", name, strings.Join(names(), ", "))
}

// names returns the names of the formats that can be read as float32.
func names() (list []string) {
	for f := range numFormats {
		if f.Decodes() {
			list = append(list, layouts[f].name)
		}
	}
	return list
}

// String returns the format's name, as in a safetensors header or as ggml
// writes it.
func (f Format) String() string {
	if f >= numFormats {
		return fmt.Sprintf("Format(%d)", uint8(f))
	}
	return layouts[f].name
}

// Decodes says whether numbers of the format can be read as float32.
func (f Format) Decodes() bool { return f < numFormats && layouts[f].decode != nil }

// Encodes says whether float32 numbers can be written in the format.
func (f Format) Encodes() bool { return f < numFormats && layouts[f].encode != nil }

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

// SizeOf returns the bytes that a tensor of the given shape takes. It is an
// error where [Elements] or [Format.Size] is, and when a row, the last
// dimension, is not a whole count of blocks.
func (f Format) SizeOf(shape []int) (int, error) {
	elements, err := Elements(shape)
	if err != nil {
		return 0, err
	}
	if perBlock, _ := f.Block(); perBlock > 1 {
		row := 1
		if len(shape) > 0 {
			row = shape[len(shape)-1]
		}
		if row%perBlock != 0 {
			return 0, fmt.Errorf("%s %v: got rows of %d elements, want a multiple of %d", f, shape, row, perBlock)
		}
	}
	return f.Size(elements)
}

// Decode widens src, stored in format f, into dst: dst[i] is the i-th stored
// number. len(src) must be f.Size(len(dst)). The result is that of ggml's
// reference conversions, bit for bit, on every machine; of a NaN only that it
// is one. A format that is not read as float32 is an error.
func Decode(dst []float32, f Format, src []byte) error {
	if err := checkLengths(f, len(dst), len(src)); err != nil {
		return err
	}
	if !f.Decodes() {
		return fmt.Errorf("tensor: format %s cannot be read as float32: want one of %s", f, strings.Join(names(), ", "))
	}
	layouts[f].decode(dst, src)
	return nil
}

// Encode stores src in format f into dst. len(dst) must be f.Size(len(src)).
//
// In F32, F16 and BF16 each number is rounded to the nearest storable one, ties
// to even; a number beyond the format's range becomes an infinity and NaN stays
// NaN. The block formats are quantised as ggml's reference does without an
// importance matrix; a number that is not finite is an error there, because it
// would spoil its whole block. A format that has no quantiser here is an error.
func Encode(dst []byte, f Format, src []float32) error {
	if err := checkEncode(dst, f, src); err != nil {
		return err
	}
	layouts[f].encode(dst, src)
	return nil
}

// checkEncode finds what cannot be encoded.
func checkEncode(dst []byte, f Format, src []float32) error {
	if err := checkLengths(f, len(src), len(dst)); err != nil {
		return err
	}
	if !f.Encodes() {
		return fmt.Errorf("tensor: format %s cannot be written from float32", f)
	}
	if perBlock, _ := f.Block(); perBlock > 1 {
		for i, x := range src {
			if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
				return fmt.Errorf("tensor: %s: number %d is %v, want finite numbers", f, i, x)
			}
		}
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
