package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// QuantizeOptions says how a model is quantised. The zero value needs a Mix.
type QuantizeOptions struct {
	// Mix is one of Mixes, in any case; Q3_K, Q4_K and Q5_K stand for their _M.
	Mix string
	// Importance is how much the columns of tensors matter; nil is no importance.
	Importance Importance
	// Metadata is added to the file's, or replaces what it names.
	Metadata weights.Metadata
	// Requantize allows to quantise what is quantised already, which is worse than from the original.
	Requantize bool
	// Progress, if set, is told how many of how many values are quantised, from the goroutine of the call.
	Progress func(done, total int64)
}

// QuantizedTensor is what became of a tensor.
type QuantizedTensor struct {
	Name     string // in the file
	Shape    []int
	From, To tensor.Format
	// Weighted says that an importance was there for it.
	Weighted bool
}

// Quantize writes the model as a GGUF file in place of path, tensor by tensor, so that no more than a
// piece of one is in memory; rows are quantised in parallel. Which tensor has which format, the order
// of tensors and metadata, and every byte are those of llama.cpp's quantiser on the same GGUF file.
// It returns what became of the tensors in their order; with an empty path nothing is written.
//
// A mix that wants an importance matrix without one, an importance of another width than its tensor,
// and a source that is quantised already, unless o allows it, are errors.
func (f *Files) Quantize(path string, o *QuantizeOptions) ([]QuantizedTensor, error) {
	m, err := findMix(o.Mix)
	if err != nil {
		return nil, err
	}
	list, report, err := f.quantized(&m, o)
	if err != nil || path == "" {
		return report, err
	}
	return report, weights.WriteGGUF(path, f.quantizedMetadata(&m, o), list)
}

// Check says whether the files hold exactly the tensors of their config, in its shapes, without
// reading the values.
func (f *Files) Check() error {
	_, err := f.source(f.Weights.Container(), nil)
	return err
}

// quantizedMetadata is the source's, with the two keys of a quantised file at the end.
func (f *Files) quantizedMetadata(m *mix, o *QuantizeOptions) weights.Metadata {
	metadata := f.Weights.Metadata()
	if f.Weights.Container() != weights.GGUF {
		metadata = f.Config.ggufMetadata(m.base)
	}
	for _, pair := range o.Metadata {
		metadata.Set(pair.Key, pair.Value)
	}
	const version, kind = "general.quantization_version", "general.file_type"
	metadata = slices.DeleteFunc(metadata, func(pair weights.KV) bool { return pair.Key == version || pair.Key == kind })
	metadata.Set(version, uint32(2))
	metadata.Set(kind, m.fileType)
	return metadata
}

// quantized lists the tensors as they are written, and what they become.
func (f *Files) quantized(m *mix, o *QuantizeOptions) ([]weights.NamedTensor, []QuantizedTensor, error) {
	from, err := f.source(weights.GGUF, nil)
	if err != nil {
		return nil, nil, err
	}
	laidOut, err := layOut(f.Config, nil)
	if err != nil {
		return nil, nil, err
	}
	var list []weights.NamedTensor
	if t, ok, err := f.ropeFactors(); err != nil {
		return nil, nil, err
	} else if ok {
		list = append(list, t)
	}
	sources := map[string]tensor.Format{}
	for i := range laidOut.base.views {
		v := &laidOut.base.views[i]
		t, err := from(v)
		if err != nil {
			return nil, nil, err
		}
		stored, err := f.tensor(v.name)
		if err != nil {
			return nil, nil, err
		}
		t.Name = GGUFName(v.name)
		sources[t.Name] = stored.Format
		if t.Data != nil {
			t.Fill = stored.Read // for another format; dropped where it stays
		}
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b weights.NamedTensor) int {
		return cmp.Or(cmp.Compare(ggufLayer(a.Name), ggufLayer(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	report := make([]QuantizedTensor, len(list))
	var total, done int64
	for i := range list {
		t := &list[i]
		if report[i], err = f.quantizeOne(m, o, t, sources[t.Name]); err != nil {
			return nil, nil, fmt.Errorf("model: %s: %w", t.Name, err)
		}
		if fill := t.Fill; fill != nil && o.Progress != nil {
			n, err := tensor.Elements(t.Shape)
			if err != nil {
				return nil, nil, fmt.Errorf("model: %s: %w", t.Name, err)
			}
			total += int64(n)
			t.Fill = func(dst []float32, begin int) error {
				err := fill(dst, begin)
				done += int64(len(dst))
				o.Progress(done, total)
				return err
			}
		}
	}
	return list, report, nil
}

// ggufLayer is the layer of a tensor, -1 outside the layers.
func ggufLayer(name string) int {
	rest, ok := strings.CutPrefix(name, "blk.")
	number, _, _ := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(number)
	if !ok || err != nil {
		return -1
	}
	return layer
}

// ropeFactors is the tensor of the rotary factors, false if the model has none.
func (f *Files) ropeFactors() (t weights.NamedTensor, ok bool, err error) {
	if f.Weights.Has(ggufRopeFreqs) {
		stored, err := f.Weights.Tensor(ggufRopeFreqs)
		return weights.NamedTensor{Name: ggufRopeFreqs, Format: stored.Format, Shape: stored.Shape, Data: stored.Data}, true, err
	}
	factors := f.Config.ropeFactors()
	return weights.NamedTensor{Name: ggufRopeFreqs, Shape: []int{len(factors)}, Values: factors}, factors != nil, nil
}

// quantizeOne settles the format of one tensor, of which from is the stored one.
func (f *Files) quantizeOne(m *mix, o *QuantizeOptions, t *weights.NamedTensor, from tensor.Format) (QuantizedTensor, error) {
	c := &f.Config
	done := QuantizedTensor{Name: t.Name, Shape: t.Shape, From: from, To: t.Format}
	if len(t.Shape) == 2 && strings.HasSuffix(t.Name, ".weight") && !strings.HasSuffix(t.Name, "_norm.weight") {
		p := place{layer: ggufLayer(t.Name), layers: c.Layers, groups: c.Heads / c.KVHeads, isWeighted: o.Importance != nil}
		done.To = m.formatOf(c, t.Name, t.Shape[1], p)
	}
	if done.To == t.Format && t.Data != nil {
		t.Fill = nil
		return done, nil
	}
	t.Data = nil
	if isQuantised(from) && done.To != from && !o.Requantize {
		return done, fmt.Errorf("it is %s already, which must be quantised again from the original weights or be allowed", from)
	}
	t.Format = done.To
	if len(t.Shape) != 2 || !isQuantised(done.To) {
		return done, nil
	}
	importance, ok := o.Importance[t.Name]
	switch {
	case !ok:
	case len(importance) == t.Shape[1]:
		t.Importance, done.Weighted = importance, true
	case t.Name != ggufEmbed: // whose rows are looked up and not multiplied, so that it may be anything
		return done, fmt.Errorf("the importance matrix has %d columns for it, want %d", len(importance), t.Shape[1])
	}
	if m.needsImportance && done.To == m.base && !done.Weighted && t.Name != ggufEmbed && t.Name != ggufHead {
		return done, errors.New("this quantisation needs an importance for it, without which it would be noise")
	}
	return done, nil
}

// Bytes is the size of the tensor as it was and as it is.
func (q *QuantizedTensor) Bytes() (from, to int64) {
	size := func(f tensor.Format) int64 {
		n, err := f.SizeOf(q.Shape)
		if err != nil {
			return math.MaxInt64 // not reached: the file holds it
		}
		return int64(n)
	}
	return size(q.From), size(q.To)
}
