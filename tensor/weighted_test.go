package tensor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"
)

// weightedCase is a goldenCase with an importance for each column.
type weightedCase struct {
	goldenCase
	Weights uint64 `json:"weights"` // seed
	Row     int    `json:"row"`
}

// importances is the function of that name in testdata/reference.py.
func importances(seed uint64, count int) []float32 {
	s, list := splitMix(seed), make([]float32, count)
	for i := range list {
		if w := s.next(); i%37 != 5 {
			list[i] = float32(float64(w>>40) * 0x1p-24)
		}
	}
	return list
}

// TestEncodeRowAgreesWithGGML compares every byte with ggml's quantisers under an importance matrix.
func TestEncodeRowAgreesWithGGML(t *testing.T) {
	cases := readGolden[weightedCase](t, "testdata/weighted.json")
	for f := range numFormats {
		if elements, _ := f.Block(); f.Encodes() && elements > 1 {
			if _, ok := cases[f.String()]; !ok {
				t.Errorf("%s: no golden bytes", f)
			}
		}
	}
	for name, c := range cases {
		f, err := ParseFormat(name)
		if err != nil {
			t.Fatal(err)
		}
		values, weights := numbers(c.Seed, c.Elements-len(specialNumbers())), importances(c.Weights, c.Row)
		rowBytes, err := f.Size(c.Row)
		if err != nil {
			t.Fatal(err)
		}
		stored := bytes.Repeat([]byte{0xa5}, rowBytes*c.Elements/c.Row) // what is not written shows
		for i := range c.Elements / c.Row {
			if err := EncodeRow(stored[i*rowBytes:][:rowBytes], f, values[i*c.Row:][:c.Row], weights); err != nil {
				t.Fatal(err)
			}
		}
		_, blockSize := f.Block()
		if got := hex.EncodeToString(stored[:blockSize]); got != c.First {
			t.Errorf("%s: the first block is %s, want %s", name, got, c.First)
		} else if got := sha256.Sum256(stored); hex.EncodeToString(got[:]) != c.SHA256 {
			t.Errorf("%s: a block beyond the first differs", name)
		}
	}
}

func TestEncodeRowRefuses(t *testing.T) {
	row, ones := make([]float32, 256), slices.Repeat([]float32{1}, 256)
	bad := func(x float32) []float32 { return append(slices.Clone(ones[1:]), x) }
	for _, c := range []struct {
		format      Format
		row, weight []float32
		size        int
		want        string
	}{
		{Q4_K, row, ones, 144, ""},
		{F16, row, ones, 512, ""},
		{Q4_K, row, ones[1:], 144, "got 255 importances for a row of 256"},
		{Q4_K, row, bad(-1), 144, "importance 255 is -1"},
		{Q4_K, row, bad(float32(math.NaN())), 144, "importance 255 is NaN"},
		{Q4_K, row, bad(float32(math.Inf(1))), 144, "importance 255 is +Inf"},
		{Q4_K, bad(float32(math.NaN())), ones, 144, "number 255 is NaN"},
		{Q4_K, row, ones, 143, "got 143 bytes, want 144"},
		{Q4_K, row[:255], ones[:255], 144, "want a multiple of 256"},
		{F64, row, ones, 2048, "cannot be written from float32"},
		{numFormats, row, ones, 1, "unknown format"},
	} {
		err := EncodeRow(make([]byte, c.size), c.format, c.row, c.weight)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.format, err, c.want)
		}
	}
}
