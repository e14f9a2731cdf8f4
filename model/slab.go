package model

import (
	"sync/atomic"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
)

// slab is weights that are stored, trained and saved together: those of a model, or those of its
// adapter. The values stand one weight after another, each on a cache line.
type slab struct {
	list       []*compute.Weight // in the order of their offsets
	products   []*compute.Weight // those that are packed
	parameters []Parameter
	views      []view
	adapter    bool
	floats     int // of the values and of the panels
	packFloats int
	bf16       bool // the panels of forward products are BF16
	packPairs  int
	formats    Formats // of weights that stay quantised; nil: of none

	weights []float32
	packed  []float32
	pairs   []uint32       // in place of packed if bf16
	packedT []float32      // only once a trainer needs it
	version *atomic.Uint64 // counts the changes of the values, for all slabs that share them
}

// part names some rows of a fused weight.
type part struct {
	name string
	rows int
}

// view is where a named tensor stands in a slab.
type view struct {
	name   string
	shape  []int
	offset int             // of no meaning where the weight is quantised
	weight *compute.Weight // that it is a part of
}

func (v *view) size() int {
	n := 1
	for _, s := range v.shape {
		n *= s
	}
	return n
}

// slabAlign keeps every weight on a cache line.
const slabAlign = 16

// product lays out a matrix [outs,ins] that is the right-hand side of products.
func (s *slab) product(name string, outs, ins int, parts ...part) *compute.Weight {
	w := s.matrix(name, outs, ins, parts...)
	if w.Quantised != nil {
		return w
	}
	w.PackedOffset = s.packFloats
	s.packFloats += w.PackedSize()
	w.PairsOffset = s.packPairs
	s.packPairs += kernel.PackedLenBF16(outs, ins)
	s.products = append(s.products, w)
	return w
}

// matrix lays out a matrix [outs,ins] whose rows are only looked up.
func (s *slab) matrix(name string, outs, ins int, parts ...part) *compute.Weight {
	at, w := s.floats, &compute.Weight{Name: name, Outs: outs, Ins: ins, Adapter: s.adapter}
	for _, p := range parts {
		s.views = append(s.views, view{p.name, []int{p.rows, ins}, at, w})
		at += p.rows * ins
	}
	if w.Quantised = s.formats.rows(parts); w.Quantised != nil {
		s.list = append(s.list, w)
		return w
	}
	return s.add(w)
}

// vector lays out a bias or a norm [n].
func (s *slab) vector(n int, parts ...part) *compute.Weight {
	at, w := s.floats, &compute.Weight{Name: parts[0].name, Outs: 1, Ins: n, Adapter: s.adapter}
	for _, p := range parts {
		s.views = append(s.views, view{p.name, []int{p.rows}, at, w})
		at += p.rows
	}
	return s.add(w)
}

func (s *slab) add(w *compute.Weight) *compute.Weight {
	w.Offset = s.floats
	s.floats += (w.Outs*w.Ins + slabAlign - 1) / slabAlign * slabAlign
	s.list = append(s.list, w)
	return w
}

// allocate makes the slab's memory, all zero.
func (s *slab) allocate() {
	s.weights = compute.Floats(s.floats)
	s.version = new(atomic.Uint64)
	s.allocatePanels()
	s.bind()
}

func (s *slab) allocatePanels() {
	if s.bf16 {
		s.packed, s.pairs = nil, compute.Pairs(s.packPairs)
		return
	}
	s.packed, s.pairs = compute.Floats(s.packFloats), nil
}

// setBF16 says what the panels of forward products hold; they must be allocated afterwards.
func (s *slab) setBF16(bf16 bool) {
	s.bf16 = bf16
	for _, w := range s.products {
		w.BF16 = bf16
	}
}

// share takes the memory of a slab of the same layout.
func (s *slab) share(from *slab) {
	s.weights, s.packed, s.pairs, s.packedT = from.weights, from.packed, from.pairs, from.packedT
	s.version = from.version
	s.shareQuantised(from)
	s.bind()
}

// bind makes the parameters from the views, but for those that are quantised.
func (s *slab) bind() {
	for i := range s.views {
		v := &s.views[i]
		if v.weight.Quantised != nil {
			continue
		}
		n := v.size()
		s.parameters = append(s.parameters, Parameter{Name: v.name, Shape: v.shape, Data: s.weights[v.offset : v.offset+n : v.offset+n], offset: v.offset, adapter: s.adapter})
	}
}

// values is the stretch of the slab that holds w.
func (s *slab) values(w *compute.Weight) []float32 {
	return s.weights[w.Offset : w.Offset+w.Outs*w.Ins]
}

// ensureTransposed makes the panels of the backward products.
func (s *slab) ensureTransposed() {
	if s.packedT == nil {
		s.packedT = compute.Floats(s.packFloats)
		s.repack()
	}
}

// repack rebuilds the panels from the values.
func (s *slab) repack() {
	s.version.Add(1)
	for _, w := range s.products {
		s.packPanels(w, 0, panelsOf(w.Outs))
		if s.packedT != nil {
			s.packPanelsT(w, 0, panelsOf(w.Ins))
		}
	}
}

func panelsOf(n int) int { return (n + kernel.PanelWidth - 1) / kernel.PanelWidth }

// packPanels rebuilds panels lo..hi-1 of the forward product.
func (s *slab) packPanels(w *compute.Weight, lo, hi int) {
	first := lo * kernel.PanelWidth
	n := min(hi*kernel.PanelWidth, w.Outs) - first
	if s.bf16 {
		kernel.PackRowsBF16(s.pairs[w.PairsOffset+first*kernel.RoundedLen(w.Ins):], s.values(w)[first*w.Ins:], n, w.Ins, w.Ins)
		return
	}
	kernel.PackRows(s.packed[w.PackedOffset+first*w.Ins:], s.values(w)[first*w.Ins:], n, w.Ins, w.Ins)
}

// packPanelsT rebuilds panels lo..hi-1 of the backward product.
func (s *slab) packPanelsT(w *compute.Weight, lo, hi int) {
	first := lo * kernel.PanelWidth
	n := min(hi*kernel.PanelWidth, w.Ins) - first
	kernel.PackColumns(s.packedT[w.PackedOffset+first*w.Outs:], s.values(w)[first:], w.Outs, n, w.Ins)
}

// teacherHead is the head w as a student's program reads it.
func (s *slab) teacherHead(w *compute.Weight) compute.TeacherHead {
	h := compute.TeacherHead{Outs: w.Outs, Ins: w.Ins, Quantised: w.Quantised}
	if w.Quantised != nil {
		return h
	}
	if s.bf16 {
		h.Pairs = s.pairs[w.PairsOffset : w.PairsOffset+kernel.PackedLenBF16(w.Outs, w.Ins)]
		return h
	}
	h.Packed = s.packed[w.PackedOffset : w.PackedOffset+kernel.PackedLen(w.Outs, w.Ins)]
	return h
}
