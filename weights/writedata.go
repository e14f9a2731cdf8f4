package weights

import (
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/retort-ml/retort/tensor"
)

// chunkElements is how many values are quantised at a time while writing, a
// multiple of every block.
const chunkElements = 16 << 10

// chunk is a piece of a tensor on its way to the file.
type chunk struct {
	filled []float32 // what Fill has made
	values []float32 // what is encoded: filled, or a part of the tensor's values
	stored []byte
	size   int // of stored, in use
	err    error
}

// writeData writes the tensor's bytes. Chunks are quantised side by side, which
// takes most of the time for the K formats, and written in their order.
func (t NamedTensor) writeData(w io.Writer) error {
	if t.Values == nil && t.Fill == nil {
		_, err := w.Write(t.Data)
		return err
	}
	elements, err := tensor.Elements(t.Shape)
	if err != nil {
		return err
	}
	chunks, err := t.chunks(elements)
	if err != nil {
		return err
	}
	for begin := 0; begin < elements; {
		count := 0
		for ; count < len(chunks) && begin < elements; count++ {
			n := min(chunkElements, elements-begin)
			if err := t.load(&chunks[count], begin, n); err != nil {
				return fmt.Errorf("tensor %.100q: %w", t.Name, err)
			}
			begin += n
		}
		encodeAll(chunks[:count], t.Format)
		for _, c := range chunks[:count] {
			if c.err != nil {
				return fmt.Errorf("tensor %.100q: %w", t.Name, c.err)
			}
			if _, err := w.Write(c.stored[:c.size]); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunks returns as many chunks as are worth working on at a time.
func (t NamedTensor) chunks(elements int) ([]chunk, error) {
	size, err := t.Format.Size(chunkElements)
	if err != nil {
		return nil, err
	}
	whole := elements / chunkElements
	if elements%chunkElements != 0 {
		whole++
	}
	chunks := make([]chunk, min(whole, runtime.GOMAXPROCS(0)))
	for i := range chunks {
		chunks[i].stored = make([]byte, size)
		if t.Fill != nil {
			chunks[i].filled = make([]float32, min(elements, chunkElements))
		}
	}
	return chunks, nil
}

// load gives the chunk n values from begin on.
func (t NamedTensor) load(c *chunk, begin, n int) (err error) {
	if c.size, err = t.Format.Size(n); err != nil {
		return err
	}
	if t.Values != nil {
		c.values = t.Values[begin : begin+n]
		return nil
	}
	c.values = c.filled[:n]
	return t.Fill(c.values, begin)
}

func encodeAll(chunks []chunk, format tensor.Format) {
	var group sync.WaitGroup
	for i := range chunks {
		c := &chunks[i]
		group.Go(func() { c.err = tensor.Encode(c.stored[:c.size], format, c.values) })
	}
	group.Wait()
}
