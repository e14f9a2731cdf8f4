package tensor

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// FuzzDecode: any bytes are numbers in every format, and numbers that are finite
// can be stored again.
func FuzzDecode(f *testing.F) {
	for format := range numFormats {
		if _, size := format.Block(); format.Decodes() {
			f.Add(uint8(format), randomBytes(uint64(format), 3*size))
			f.Add(uint8(format), bytes.Repeat([]byte{0xff}, size))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		format := Format(kind)
		elements, size := format.Block()
		if size == 0 {
			return
		}
		values := make([]float32, len(data)/size*elements)
		err := Decode(values, format, data)
		if isWhole := len(data)%size == 0; (err == nil) != (isWhole && format.Decodes()) {
			t.Fatalf("%s: %d bytes: %v", format, len(data), err)
		}
		if err != nil {
			return
		}
		again := make([]byte, len(data))
		isFinite := true
		for _, x := range values {
			isFinite = isFinite && abs(x) <= math.MaxFloat32
		}
		if err := Encode(again, format, values); err != nil && isFinite {
			t.Fatal(err)
		}
	})
}

// FuzzEncode: whatever finite numbers are stored come back without NaN while
// the scale is in the range of F16.
func FuzzEncode(f *testing.F) {
	for format := range numFormats {
		if elements, _ := format.Block(); format.Encodes() {
			f.Add(uint8(format), randomBytes(uint64(format), 4*elements))
			f.Add(uint8(format), make([]byte, 4*elements))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		format := Format(kind)
		elements, _ := format.Block()
		if elements == 0 || !format.Encodes() {
			return
		}
		values := make([]float32, len(data)/4/elements*elements)
		for i := range values {
			// Beyond 2^15 or below 2^-40 a scale is not a normal F16.
			x := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			if !(abs(x) < 1<<15) {
				x = 0
			}
			values[i] = x
		}
		size, err := format.Size(len(values))
		if err != nil {
			t.Fatal(err)
		}
		stored := make([]byte, size)
		if err := Encode(stored, format, values); err != nil {
			t.Fatal(err)
		}
		back := make([]float32, len(values))
		if err := Decode(back, format, stored); err != nil {
			t.Fatal(err)
		}
		for i, x := range back {
			if x != x {
				t.Fatalf("%s: number %d of %v came back as NaN", format, i, values[i])
			}
		}
	})
}

// TestQuantisedNumbersAreNear bounds the error of every block format by the step
// between its levels, on blocks of numbers of about one size.
func TestQuantisedNumbersAreNear(t *testing.T) {
	// Shares of the largest magnitude in a super-block: half a step, and what the
	// coarse scales of the K formats and the widest gaps of the tables add.
	for format, share := range map[Format]float32{
		Q8_0: 0.005, Q4_0: 0.13, Q4_1: 0.075, Q5_0: 0.065, Q5_1: 0.035,
		Q2_K: 0.5, Q3_K: 0.27, Q4_K: 0.11, Q5_K: 0.06, Q6_K: 0.035, IQ4_NL: 0.16, IQ4_XS: 0.16, MXFP4: 0.26,
	} {
		values := make([]float32, 0, 1<<14)
		for i, v := range numbers(7, 1<<16)[:1<<16] {
			if i/256%16 < 4 { // below, the scales are not normal F16
				values = append(values, v)
			}
		}
		x, err := FromFloat32s("x", format, []int{1 << 6, 1 << 8}, values)
		if err != nil {
			t.Fatal(err)
		}
		back, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		worst := float32(0)
		for i := 0; i < len(values); i += superBlock {
			largest := abs(extreme(values[i : i+superBlock]))
			for j := range superBlock {
				worst = max(worst, abs(back[i+j]-values[i+j])/largest)
			}
		}
		if !(worst <= share) || worst < share/4 {
			t.Errorf("%s: the worst error is %v of the largest number, want at most %v and not far below", format, worst, share)
		}
	}
}

func TestBlockFormatsRefuseWhatIsNotFinite(t *testing.T) {
	for format := range numFormats {
		elements, size := format.Block()
		if !format.Encodes() {
			continue
		}
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			values := make([]float32, elements)
			values[elements-1] = bad
			err := Encode(make([]byte, size), format, values)
			if elements == 1 && err != nil {
				t.Errorf("%s: %v: %v", format, bad, err)
			}
			if elements > 1 && (err == nil || !strings.Contains(err.Error(), "want finite numbers")) {
				t.Errorf("%s: %v: %v", format, bad, err)
			}
		}
	}
}

func TestRowsAreWholeBlocks(t *testing.T) {
	for _, c := range []struct {
		format Format
		shape  []int
		want   int
		fault  string
	}{
		{Q4_0, []int{3, 64}, 108, ""},
		{Q4_K, []int{2, 1, 256}, 288, ""},
		{Q4_0, []int{2, 0}, 0, ""},
		{Q4_0, []int{64, 16}, 0, "rows of 16"},
		{Q4_K, []int{256, 32}, 0, "rows of 32"},
		{Q8_0, nil, 0, "rows of 1"},
		{F32, nil, 4, ""},
		{Q8_0, []int{math.MaxInt / 32 * 32}, 0, "more than"},
		{Q8_0, []int{-32}, 0, "negative"},
	} {
		got, err := c.format.SizeOf(c.shape)
		if c.fault == "" && (err != nil || got != c.want) {
			t.Errorf("%s.SizeOf(%v) = %d, %v, want %d", c.format, c.shape, got, err, c.want)
		}
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s.SizeOf(%v): error %v, want one with %q", c.format, c.shape, err, c.fault)
		}
	}
}

func TestReadIsAPartOfDecode(t *testing.T) {
	x, err := FromFloat32s("x", Q5_1, []int{4, 64}, numbers(3, 256)[:256])
	if err != nil {
		t.Fatal(err)
	}
	whole, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	part := make([]float32, 64)
	if err := x.Read(part, 96); err != nil {
		t.Fatal(err)
	}
	for i, got := range part {
		if got != whole[96+i] {
			t.Fatalf("number %d is %v, want %v", 96+i, got, whole[96+i])
		}
	}
	for begin, fault := range map[int]string{-32: "numbers from -32", 224: "numbers from 224", 16: "multiple of 32", math.MaxInt: "of which there are 256"} {
		if err := x.Read(part, begin); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("Read from %d: %v, want %q", begin, err, fault)
		}
	}
}
