package model

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// Formats are the formats of a file's tensors by their Hugging Face names; nil widens all of them to float32.
type Formats map[string]tensor.Format

// rows is how a weight of these parts stays as the file has it; nil if it does not. Parts of one format become one. Parts of different formats need a
// whole count of panels before each.
func (f Formats) rows(parts []part) []compute.QuantisedRows {
	var list []compute.QuantisedRows
	row := 0
	for _, p := range parts {
		format, ok := f[p.name]
		if !ok || !kernel.InPanels(format) {
			return nil
		}
		if n := len(list); n > 0 && list[n-1].Format == format {
			list[n-1].Rows += p.rows
		} else if row%kernel.PanelWidth != 0 {
			return nil
		} else {
			list = append(list, compute.QuantisedRows{Format: format, First: row, Rows: p.rows})
		}
		row += p.rows
	}
	return list
}

// OpenQuantised is Open, but matrices that the file holds in a quantised format, in BF16 or in F16 stay in it: laid out in panels at the file's own bits per weight, they are all that is
// kept of them. Embedding rows are widened one by one. Products with them quantise their inputs to 8 bits, or round them to BF16 (see package kernel), so results differ
// from Open's by that noise; with F16 they do not. Such a model generates and scores; it is not trained, saved, or given an adapter.
func OpenQuantised(path string) (*Model, error) {
	f, err := OpenFiles(path)
	if err != nil {
		return nil, err
	}
	m, _, err := f.Load("")
	return m, errors.Join(err, f.Close())
}

// Load reads the weights as OpenQuantised does. If copies is not empty, it names the folder of packed copies: where the model's is there and whole, its panels are
// mapped from it and not made anew, which gives the same bits. f can be closed afterwards.
func (f *Files) Load(copies string) (*Model, *Packed, error) {
	m, p, err := f.load(copies)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return m, p, nil
}

func (f *Files) load(copies string) (*Model, *Packed, error) {
	list, err := f.Formats()
	if err != nil {
		return nil, nil, err
	}
	m, err := f.loadPlain(list)
	if err != nil {
		return nil, nil, err
	}
	pool := kernel.NewPool(runtime.GOMAXPROCS(0))
	defer pool.Close()
	pool.Begin()
	defer pool.End()
	p := newPacked(f, m, copies)
	if p.use(m, pool); p.Used {
		return m, p, nil
	}
	for _, w := range m.base.list {
		if w.Quantised == nil {
			continue
		}
		if err := m.packQuantised(w, f, pool); err != nil {
			return nil, nil, err
		}
	}
	return m, p, nil
}

// loadPlain makes a model, without the panels of what stays as the file has it.
func (f *Files) loadPlain(kept Formats) (*Model, error) {
	if f.Weights.Container() == weights.GGUF {
		return loadGGUF(f.Config, f.Weights, kept)
	}
	return loadSafetensors(f.Config, f.Weights, kept)
}

// Formats are those of the tensors of f that a model of its shape has: Load keeps the matrices in them for which there are panels.
func (f *Files) Formats() (Formats, error) {
	if err := enoughTensors(f.Config, f.Weights); err != nil {
		return nil, err
	}
	plain, err := layOut(f.Config, nil)
	if err != nil {
		return nil, err
	}
	list := Formats{}
	for _, v := range plain.base.views {
		if t, err := f.Weights.Tensor(f.tensorName(v.name)); err == nil {
			list[v.name] = t.Format
		}
	}
	return list, nil
}

// tensorName is a parameter's name in the file.
func (f *Files) tensorName(name string) string {
	if f.Weights.Container() == weights.GGUF {
		return GGUFName(name)
	}
	return name
}

// KeepsQuantised reports whether a model that Load makes of f is Quantised.
func (f *Files) KeepsQuantised() (bool, error) {
	kept, err := f.Formats()
	if kept == nil || err != nil {
		return false, err
	}
	m, err := layOut(f.Config, kept)
	return err == nil && m.Quantised(), err
}

// Quantised reports whether some of m's weights stay as a file stores them, quantised or of 16 bits.
func (m *Model) Quantised() bool { return m.base.quantised() }

func (s *slab) quantised() bool {
	for _, w := range s.list {
		if w.Quantised != nil {
			return true
		}
	}
	return false
}

// KeptFormat is the format in which most of m's weights stay as a file stores them; false if none does.
func (m *Model) KeptFormat() (most tensor.Format, ok bool) {
	sizes := map[tensor.Format]int{}
	for _, w := range m.base.list {
		for _, q := range w.Quantised {
			if sizes[q.Format] += q.Rows * w.Ins; !ok || sizes[q.Format] > sizes[most] {
				most, ok = q.Format, true
			}
		}
	}
	return most, ok
}

// shareQuantised takes the panels of a slab of the same layout.
func (s *slab) shareQuantised(from *slab) {
	for i, w := range s.list {
		for j := range w.Quantised {
			w.Quantised[j].Panels, w.Quantised[j].Owner = from.list[i].Quantised[j].Panels, from.list[i].Quantised[j].Owner
		}
	}
}

// refuseQuantised is the error of what cannot be done with a model whose weights are quantised.
func (m *Model) refuseQuantised(what string) error {
	if !m.Quantised() {
		return nil
	}
	return fmt.Errorf("model: %s: the weights are quantised or of 16 bits; open the model with its weights widened to float32", what)
}

// packedPanels is the number of panels of one job.
const packedPanels = 8

// packQuantised lays out the rows of one weight from the tensors of its parts, and lets the file's pages go: at no time are there two copies of much.
func (m *Model) packQuantised(w *compute.Weight, f *Files, pool *kernel.Pool) error {
	var sources []rowSource
	for i := range m.base.views {
		v := &m.base.views[i]
		if v.weight != w {
			continue
		}
		t, err := f.Weights.Tensor(f.tensorName(v.name))
		if err != nil {
			return fmt.Errorf("model: %w", err)
		}
		size, err := t.Format.Size(w.Ins)
		if err != nil {
			return fmt.Errorf("model: %s: %w", t.Name, err)
		}
		s := rowSource{data: t.Data, size: size, rows: v.shape[0]}
		if f.Weights.Container() == weights.GGUF && m.config.pairedHeads(v.name) > 0 {
			s.row = m.config.pairedRow
		}
		sources = append(sources, s)
	}
	for i := range w.Quantised {
		q := &w.Quantised[i]
		size := kernel.PanelBytes(q.Format, q.Rows, w.Ins)
		q.Panels = compute.Bytes(roundUp(size, panelsAlign))[:size]
		panels := panelsOf(q.Rows)
		panel := len(q.Panels) / panels
		pool.Run((panels+packedPanels-1)/packedPanels, func(_, job int) {
			lo, hi := job*packedPanels, min((job+1)*packedPanels, panels)
			first, end := lo*kernel.PanelWidth, min(hi*kernel.PanelWidth, q.Rows)
			rows, isFile := rowBytes(sources, q.First+first, q.First+end)
			if isFile {
				weights.Expect(rows)
			}
			kernel.PackPanels(q.Panels[lo*panel:hi*panel], q.Format, rows, end-first, w.Ins)
			if isFile {
				weights.Forget(rows)
			}
		})
	}
	for _, s := range sources {
		weights.Forget(s.data)
	}
	return nil
}

// rowSource is the rows of one tensor of a file, size bytes each.
type rowSource struct {
	data       []byte
	size, rows int
	row        func(int) int // where a row stands in the file; nil: in its place
}

// rowBytes returns rows first..end-1 of sources that follow each other: the file's own bytes where they lie so, else a copy.
func rowBytes(sources []rowSource, first, end int) (rows []byte, isFile bool) {
	at := 0
	for _, s := range sources {
		if s.row == nil && first >= at && end <= at+s.rows {
			return s.data[(first-at)*s.size : (end-at)*s.size], true
		}
		at += s.rows
	}
	at = 0
	for _, s := range sources {
		for row := max(first-at, 0); row < min(end-at, s.rows); row++ {
			from := row
			if s.row != nil {
				from = s.row(row)
			}
			rows = append(rows, s.data[from*s.size:(from+1)*s.size]...)
		}
		at += s.rows
	}
	return rows, false
}
