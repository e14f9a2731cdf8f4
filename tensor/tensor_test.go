package tensor

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int
		want  int
		fault string
	}{
		{nil, 1, ""},
		{[]int{3, 4}, 12, ""},
		{[]int{3, 0, 4}, 0, ""},
		{[]int{math.MaxInt, 1}, math.MaxInt, ""},
		{[]int{-1, 4}, 0, "negative"},
		{[]int{0, -1}, 0, "negative"},
		{[]int{math.MaxInt, 2}, 0, "more than"},
		{[]int{1 << 31, 1 << 31, 1 << 31}, 0, "more than"},
		{[]int{0, math.MaxInt, math.MaxInt}, 0, "more than"},
	} {
		got, err := Elements(c.shape)
		if c.fault == "" && (err != nil || got != c.want) {
			t.Errorf("Elements(%v) = %d, %v, want %d", c.shape, got, err, c.want)
		}
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("Elements(%v): error %v, want one with %q", c.shape, err, c.fault)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for _, c := range []struct {
		format   Format
		elements int
		want     int
		fault    string
	}{
		{F32, 3, 12, ""},
		{F16, 3, 6, ""},
		{BF16, 0, 0, ""},
		{F32, math.MaxInt / 4, math.MaxInt / 4 * 4, ""},
		{F32, math.MaxInt/4 + 1, 0, "more than"},
		{BF16, -1, 0, "negative"},
		{Format(200), 1, 0, "unknown"},
	} {
		got, err := c.format.Size(c.elements)
		if c.fault == "" && (err != nil || got != c.want) {
			t.Errorf("%s.Size(%d) = %d, %v, want %d", c.format, c.elements, got, err, c.want)
		}
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s.Size(%d): error %v, want one with %q", c.format, c.elements, err, c.fault)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for f := Format(0); f < numFormats; f++ {
		if got, err := ParseFormat(f.String()); err != nil || got != f {
			t.Errorf("ParseFormat(%q) = %v, %v", f.String(), got, err)
		}
	}
	if _, err := ParseFormat("f32"); err == nil {
		t.Error(`ParseFormat("f32") gave no error`)
	}
}

func TestStorageIsLittleEndianAndRowMajor(t *testing.T) {
	values := []float32{1, -2, 0.5, 3}
	for format, want := range map[Format][]byte{
		F32:  {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0x40, 0x40},
		F16:  {0, 0x3c, 0, 0xc0, 0, 0x38, 0, 0x42},
		BF16: {0x80, 0x3f, 0, 0xc0, 0, 0x3f, 0x40, 0x40},
	} {
		x, err := FromFloat32s("x", format, []int{2, 2}, values)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.Data, want) {
			t.Errorf("%s: stored % x, want % x", format, x.Data, want)
		}
		back, err := x.Float32s()
		if err != nil || !slices.Equal(back, values) {
			t.Errorf("%s: read back %v, %v, want %v", format, back, err, values)
		}
	}
}

func TestFaultyTensorsAreErrors(t *testing.T) {
	for name, x := range map[string]Tensor{
		"short data": {Name: "w", Format: F32, Shape: []int{2}, Data: make([]byte, 7)},
		"long data":  {Name: "w", Format: F32, Shape: []int{2}, Data: make([]byte, 9)},
		"negative":   {Name: "w", Format: F32, Shape: []int{-2}},
		"overflow":   {Name: "w", Format: F32, Shape: []int{1 << 62, 4}},
		"format":     {Name: "w", Format: numFormats, Shape: []int{2}, Data: make([]byte, 8)},
	} {
		if err := x.Validate(); err == nil || !strings.HasPrefix(err.Error(), "tensor: w: ") {
			t.Errorf("%s: Validate: %v", name, err)
		}
		if _, err := x.Float32s(); err == nil {
			t.Errorf("%s: Float32s gave no error", name)
		}
	}
	x, err := New("w", F32, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.SetFloat32s(make([]float32, 3)); err == nil {
		t.Error("SetFloat32s with too many values gave no error")
	}
	if _, err := New("w", F32, 1<<40, 1<<40); err == nil {
		t.Error("New of a too large shape gave no error")
	}
}

func TestNewKeepsNoReferenceToShape(t *testing.T) {
	shape := []int{2, 3}
	x, err := New("w", BF16, shape...)
	if err != nil {
		t.Fatal(err)
	}
	shape[0] = 9
	if x.Shape[0] != 2 {
		t.Error("New kept the caller's shape")
	}
}
