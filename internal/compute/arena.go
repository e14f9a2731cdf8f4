package compute

import "unsafe"

// cacheLine is the alignment of arenas in bytes.
const cacheLine = 64

// Floats returns n zeroed floats that begin on a cache line.
func Floats(n int) []float32 {
	if n == 0 {
		return nil
	}
	const extra = cacheLine / 4
	raw := make([]float32, n+extra)
	skip := 0
	if off := int(uintptr(unsafe.Pointer(&raw[0])) % cacheLine); off != 0 {
		skip = (cacheLine - off) / 4
	}
	return raw[skip : skip+n : skip+n]
}
