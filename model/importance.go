package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/retort-ml/retort/weights"
)

// Importance is, for tensors by their GGUF names, how much each column matters: the mean square of
// the activations that it is multiplied with.
type Importance map[string][]float32

// What stands behind a tensor's name in a GGUF file of importances (llama.cpp, tools/imatrix).
const (
	squaresSuffix = ".in_sum2" // sums of squares, [matrices,columns]
	countsSuffix  = ".counts"  // how many squares each is the sum of
)

// maxImportance bounds the files of the older form, of which the largest known has 300 MB.
const maxImportance = 2 << 30

// OpenImportance reads an importance matrix as llama.cpp's imatrix writes it: a GGUF file, or the
// older form that is usually named .dat.
func OpenImportance(path string) (Importance, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("model: importance: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxImportance {
		return nil, fmt.Errorf("model: importance: %s: want a file of at most %d bytes", path, maxImportance)
	}
	head := make([]byte, 4)
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("model: importance: %w", err)
	}
	_, err = file.Read(head)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("model: importance: %s: %w", path, err)
	}
	var i Importance
	if string(head) == "GGUF" {
		i, err = openGGUFImportance(path)
	} else {
		var data []byte
		if data, err = os.ReadFile(path); err == nil {
			i, err = parseImportance(data)
		}
	}
	if err == nil && len(i) == 0 {
		err = errors.New("it names no tensor")
	}
	if err != nil {
		return nil, fmt.Errorf("model: importance: %s: %w", path, err)
	}
	return i, nil
}

func openGGUFImportance(path string) (Importance, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := Importance{}
	for _, name := range f.Names() {
		base, ok := strings.CutSuffix(name, squaresSuffix)
		if !ok {
			continue
		}
		sums, err := readFloats(f, name)
		if err != nil {
			return nil, err
		}
		counts, err := readFloats(f, base+countsSuffix)
		if err != nil {
			return nil, err
		}
		if len(counts) == 0 || len(sums)%len(counts) != 0 {
			return nil, fmt.Errorf("%s: %d sums and %d counts", base, len(sums), len(counts))
		}
		each := len(sums) / len(counts)
		for i := range sums {
			if n := counts[i/each]; n > 0 {
				sums[i] /= n
			} else {
				sums[i] = 1 // nothing was seen of it
			}
		}
		found[base] = sums
	}
	return found, found.check()
}

func readFloats(f *weights.File, name string) ([]float32, error) {
	t, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	return t.Float32s()
}

// parseImportance reads the older form: a count of entries and, for each, the length of a name, the
// name, how often it was seen, the count of values, and values that are sums of means, all in 32 bits.
func parseImportance(data []byte) (Importance, error) {
	next := func(what string) (int, error) {
		if len(data) < 4 {
			return 0, fmt.Errorf("cut file: want %s", what)
		}
		n := int32(binary.LittleEndian.Uint32(data))
		data = data[4:]
		if n < 0 {
			return 0, fmt.Errorf("%s is %d: not an importance matrix", what, n)
		}
		return int(n), nil
	}
	take := func(n int, what string) ([]byte, error) {
		if n > len(data) {
			return nil, fmt.Errorf("%s of %d bytes, there are %d: cut, or not an importance matrix", what, n, len(data))
		}
		piece := data[:n]
		data = data[n:]
		return piece, nil
	}
	entries, err := next("the count of tensors")
	if err != nil {
		return nil, err
	}
	found := Importance{}
	for range entries {
		length, err := next("the length of a name")
		if err != nil {
			return nil, err
		}
		name, err := take(length, "a name")
		if err != nil {
			return nil, err
		}
		calls, err := next("how often a tensor was seen")
		if err != nil {
			return nil, err
		}
		count, err := next("the count of values")
		if err != nil {
			return nil, err
		}
		stored, err := take(min(count, math.MaxInt32/4)*4, "values")
		if err != nil || count == 0 {
			return nil, errors.Join(err, emptyEntry(count, name))
		}
		values := make([]float32, count)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(stored[4*i:]))
			if calls > 0 {
				values[i] /= float32(calls)
			}
		}
		found[string(name)] = values
	}
	return found, found.check()
}

func emptyEntry(count int, name []byte) error {
	if count == 0 {
		return fmt.Errorf("%.100q has no values", name)
	}
	return nil
}

// check wants numbers that can be weights.
func (i Importance) check() error {
	for name, values := range i {
		for at, x := range values {
			if !(x >= 0 && x <= math.MaxFloat32) {
				return fmt.Errorf("%.100q: value %d is %v, want a finite number that is not negative", name, at, x)
			}
		}
	}
	return nil
}
