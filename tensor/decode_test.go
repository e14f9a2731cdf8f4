package tensor

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// splitMix is SplitMix64 (Steele, Lea, Flood 2014), as in testdata/reference.py.
type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func randomBytes(seed uint64, count int) []byte {
	s, data := splitMix(seed), make([]byte, 0, count+8)
	for len(data) < count {
		data = binary.LittleEndian.AppendUint64(data, s.next())
	}
	return data[:count]
}

// numbers are those of testdata/reference.py.
func numbers(seed uint64, count int) []float32 {
	s, list := splitMix(seed), make([]float32, count)
	for i := range list {
		w, total := s.next(), 0
		for range 4 {
			total += int(w&0xffff) - 32768
			w >>= 16
		}
		list[i] = float32(math.Ldexp(float64(total), -16-i/256%16))
	}
	return append(list, specialNumbers()...)
}

// specialNumbers are super-blocks of zeros, of one number, with one outlier, of
// one sign, tiny and large.
func specialNumbers() (list []float32) {
	isTrue := map[bool]float64{true: 1}
	for _, f := range []func(i float64) float64{
		func(i float64) float64 { return 0 },
		func(i float64) float64 { return 1 },
		func(i float64) float64 { return -1 },
		func(i float64) float64 { return 3 * isTrue[i == 7] },
		func(i float64) float64 { return i },
		func(i float64) float64 { return -i },
		func(i float64) float64 { return math.Mod(i, 3) - 1 },
		func(i float64) float64 { return math.Mod(i, 2) },
		func(i float64) float64 { return math.Ldexp(i, -24) },
		func(i float64) float64 { return math.Ldexp(i, -60) },
		func(i float64) float64 { return math.Ldexp(i-128, 9) },
		func(i float64) float64 { return isTrue[i > 200] * (i - 230) },
	} {
		for i := range superBlock {
			list = append(list, float32(f(float64(i))))
		}
	}
	return list
}

type goldenCase struct {
	Seed     uint64 `json:"seed"`
	Blocks   int    `json:"blocks"`
	Elements int    `json:"elements"`
	SHA256   string `json:"sha256"`
	First    string `json:"first"`
}

func readGolden[T any](t *testing.T, path string) map[string]T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]T
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestDecodeAgreesWithGGUF compares every bit of random blocks, among which are
// scales of all kinds, with the Python package gguf.
func TestDecodeAgreesWithGGUF(t *testing.T) {
	cases := readGolden[goldenCase](t, "testdata/decode.json")
	for f := range numFormats {
		if _, ok := cases[f.String()]; f.Decodes() && f != F32 && !ok {
			t.Errorf("%s: no golden values", f)
		}
	}
	for name, c := range cases {
		f, err := ParseFormat(name)
		if err != nil {
			t.Fatal(err)
		}
		elements, size := f.Block()
		values := make([]float32, c.Blocks*elements)
		if err := Decode(values, f, randomBytes(c.Seed, c.Blocks*size)); err != nil {
			t.Fatal(err)
		}
		stored, first := make([]byte, 0, 4*len(values)), strings.Fields(c.First)
		for i, x := range values {
			bits := math.Float32bits(x)
			if x != x {
				bits = 0x7fc00000
			}
			stored = binary.LittleEndian.AppendUint32(stored, bits)
			if i < len(first) && fmt.Sprintf("%08x", bits) != first[i] {
				t.Fatalf("%s: number %d is %08x, want %s", name, i, bits, first[i])
			}
		}
		if got := sha256.Sum256(stored); hex.EncodeToString(got[:]) != c.SHA256 {
			t.Errorf("%s: a number beyond the first block differs", name)
		}
	}
}

// TestEncodeAgreesWithGGML compares every byte with ggml's quantisers.
func TestEncodeAgreesWithGGML(t *testing.T) {
	cases := readGolden[goldenCase](t, "testdata/encode.json")
	for f := range numFormats {
		if _, ok := cases[f.String()]; f.Encodes() && f != F32 && !ok {
			t.Errorf("%s: no golden bytes", f)
		}
	}
	for name, c := range cases {
		f, err := ParseFormat(name)
		if err != nil {
			t.Fatal(err)
		}
		values := numbers(c.Seed, c.Elements-len(specialNumbers()))
		size, err := f.Size(len(values))
		if err != nil {
			t.Fatal(err)
		}
		stored := bytes.Repeat([]byte{0xa5}, size) // what is not written shows
		if err := Encode(stored, f, values); err != nil {
			t.Fatal(err)
		}
		_, blockSize := f.Block()
		if got := hex.EncodeToString(stored[:blockSize]); got != c.First {
			t.Errorf("%s: the first block is %s, want %s", name, got, c.First)
		} else if got := sha256.Sum256(stored); hex.EncodeToString(got[:]) != c.SHA256 {
			t.Errorf("%s: a block beyond the first differs", name)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for f := range numFormats {
		if !f.Encodes() {
			continue
		}
		b.Run(f.String(), func(b *testing.B) {
			values := numbers(1, 1<<14)
			size, err := f.Size(len(values))
			if err != nil {
				b.Fatal(err)
			}
			stored := make([]byte, size)
			b.SetBytes(int64(4 * len(values)))
			for b.Loop() {
				if err := Encode(stored, f, values); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for f := range numFormats {
		if !f.Decodes() {
			continue
		}
		b.Run(f.String(), func(b *testing.B) {
			elements, size := f.Block()
			data := randomBytes(1, size<<16/elements)
			values := make([]float32, 1<<16)
			b.SetBytes(4 << 16)
			for b.Loop() {
				if err := Decode(values, f, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
