package weights

import (
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/retort-ml/retort/tensor"
)

// chunkElements is how many values are quantised at a time while writing, a
// multiple of every block. A row that is quantised by importance stays whole,
// because its quantiser looks at all of it.
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
	each := t.chunkSize()
	chunks, err := t.chunks(elements, each)
	if err != nil {
		return err
	}
	for begin := 0; begin < elements; {
		count := 0
		for ; count < len(chunks) && begin < elements; count++ {
			n := min(each, elements-begin)
			if err := t.load(&chunks[count], begin, n); err != nil {
				return fmt.Errorf("tensor %.100q: %w", t.Name, err)
			}
			begin += n
		}
		t.encodeAll(chunks[:count])
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

// chunkSize is how many values are in a chunk.
func (t NamedTensor) chunkSize() int {
	if row := len(t.Importance); row > 0 {
		return row * max(1, chunkElements/row)
	}
	return chunkElements
}

// chunks returns as many chunks as are worth working on at a time.
func (t NamedTensor) chunks(elements, each int) ([]chunk, error) {
	size, err := t.Format.Size(each)
	if err != nil {
		return nil, err
	}
	whole := elements / each
	if elements%each != 0 {
		whole++
	}
	chunks := make([]chunk, min(whole, runtime.GOMAXPROCS(0)))
	for i := range chunks {
		chunks[i].stored = make([]byte, size)
		if t.Fill != nil {
			chunks[i].filled = make([]float32, min(elements, each))
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
	for done := 0; done < n; done += chunkElements { // no more at a time than Fill was promised
		if err := t.Fill(c.values[done:min(done+chunkElements, n)], begin+done); err != nil {
			return err
		}
	}
	return nil
}

func (t NamedTensor) encodeAll(chunks []chunk) {
	var group sync.WaitGroup
	for i := range chunks {
		c := &chunks[i]
		group.Go(func() { c.err = t.encode(c.stored[:c.size], c.values) })
	}
	group.Wait()
}

// encode stores the values of a chunk.
func (t NamedTensor) encode(stored []byte, values []float32) error {
	row := len(t.Importance)
	if row == 0 {
		return tensor.Encode(stored, t.Format, values)
	}
	size, err := t.Format.Size(row)
	if err != nil {
		return err
	}
	for ; len(values) > 0; stored, values = stored[size:], values[row:] {
		if err := tensor.EncodeRow(stored[:size], t.Format, values[:row], t.Importance); err != nil {
			return err
		}
	}
	return nil
}
