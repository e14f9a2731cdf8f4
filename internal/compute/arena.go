package compute

import (
	"unsafe"

	"github.com/retort-ml/retort/internal/kernel"
)

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

// LargeFloats is Floats in large pages where the system has them.
func LargeFloats(n int) []float32 {
	x := Floats(n)
	largePages(bytesOf(x))
	return x
}

// Bytes returns n zeroed bytes that begin on a cache line, in large pages where the system has them.
func Bytes(n int) []byte { return bytesOf(LargeFloats((n + 3) / 4))[:n:n] }

func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// Slabs are the values, gradients and panels of weights that are stored apart from the model's.
type Slabs struct {
	Weights, Gradients, Packed, PackedT []float32
}

// slabs are those that hold w.
func (r *run) slabs(w *Weight) Slabs {
	if w.Adapter {
		return r.buf.Adapter
	}
	return Slabs{r.buf.Weights, r.buf.Gradients, r.buf.Packed, r.buf.PackedT}
}

func (r *run) weight(w *Weight) []float32 { return r.slabs(w).Weights[w.Offset : w.Offset+w.size()] }

func (r *run) gradient(w *Weight) []float32 {
	return r.slabs(w).Gradients[w.Offset : w.Offset+w.size()]
}

func (r *run) packed(w *Weight) []float32 {
	return r.slabs(w).Packed[w.PackedOffset : w.PackedOffset+kernel.PackedLen(w.Outs, w.Ins)]
}

func (r *run) packedT(w *Weight) []float32 {
	return r.slabs(w).PackedT[w.PackedOffset : w.PackedOffset+kernel.PackedLen(w.Ins, w.Outs)]
}
