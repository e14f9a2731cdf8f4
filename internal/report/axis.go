package report

import "math"

// Axis describes one axis of a chart. The zero value is a linear axis without a
// label that fits the data.
type Axis struct {
	Label  string
	Format Format
	Log    bool    // logarithmic; values that are not positive are left out, and the chart says how many
	Min    float64 // Min < Max fix the range of a line chart and widen that of the others; both 0 fits the data
	Max    float64
}

// widen adds a's own range to e and returns the axis without it.
func (a Axis) widen(e extent) (Axis, extent) {
	if a.Min < a.Max && finite(a.Min) && finite(a.Max) && e.any {
		whole := e.whole
		e.add(a.Min)
		e.add(a.Max)
		e.whole = whole
	}
	a.Min, a.Max = 0, 0
	return a, e
}

// scale maps values to positions on the picture.
type scale struct {
	lo, hi   float64 // range of the values, of their logarithms if log
	from, to float64 // positions of lo and hi
	log      bool
	ticks    []float64
	labels   []string
}

// shows reports whether v can stand on the axis at all.
func (a Axis) shows(v float64) bool { return finite(v) && (!a.Log || v > 1e-150) }

// at returns the position of a value that the axis shows. The products are rounded before
// they are added: a fused instruction would give other bytes on other machines.
func (s *scale) at(v float64) float64 {
	if s.log {
		v = math.Log10(v)
	}
	share := (v - s.lo) / (s.hi - s.lo)
	return s.from + float64(share*(s.to-s.from))
}

// extent is the range of the values seen so far.
type extent struct {
	lo, hi float64
	any    bool
	whole  bool // all of them are whole numbers
}

func (e *extent) add(v float64) {
	if !e.any {
		*e = extent{lo: v, hi: v, any: true, whole: true}
	}
	e.lo, e.hi = math.Min(e.lo, v), math.Max(e.hi, v)
	e.whole = e.whole && v == math.Trunc(v)
}

// withZero returns e widened to zero and, if it holds nothing else, to 1.
func (e extent) withZero() extent {
	if e.any {
		e.lo, e.hi = math.Min(e.lo, 0), math.Max(e.hi, 0)
	}
	if e.lo == e.hi {
		e.hi = 1
	}
	return e
}

// settle returns the range that the axis shows, lo < hi, neither so close
// together nor so far apart that rounding spoils the ticks.
func (a Axis) settle(e extent) (lo, hi float64, fixed bool) {
	lo, hi = e.lo, e.hi
	if !e.any {
		lo, hi = 0, 1
		if a.Log {
			lo, hi = 1, 10
		}
	}
	if a.Min < a.Max && a.shows(a.Min) && a.shows(a.Max) {
		lo, hi, fixed = a.Min, a.Max, true
	}
	least := 1e-5 * math.Max(math.Abs(lo), math.Abs(hi))
	if hi-lo > math.Max(least, 1e-140) {
		return lo, hi, fixed
	}
	switch {
	case a.Log:
		return lo / 2, hi * 2, false
	case hi == 0:
		return 0, 1, false
	case math.Abs(hi) < 1e-130:
		return -1, 1, false
	}
	pad := 0.5 * math.Abs(hi)
	if e.whole && pad < 1 {
		pad = 1
	}
	return lo - pad, hi + pad, false
}

// vertical fits a value axis to e: its range ends on ticks, and begins at zero where that
// costs less than half of the height. zero asks for it always (bars).
func (a Axis) vertical(e extent, ticks int, zero bool) *scale {
	if e.any && !a.Log {
		if zero || a.Format == Percent && e.lo > 0 && e.hi <= 1 || e.lo > 0 && e.lo < 0.6*e.hi {
			e.lo = math.Min(e.lo, 0)
		}
		if zero {
			e.hi = math.Max(e.hi, 0)
		}
		if e.lo == 0 && e.hi == 0 {
			e.hi = 1
			if a.Format == Percent {
				e.hi = 0.1
			}
		}
	}
	lo, hi, fixed := a.settle(e)
	s := &scale{log: a.Log}
	s.mark(a, lo, hi, ticks, 0, !fixed)
	if !fixed && len(s.ticks) > 0 {
		lo, hi = math.Min(lo, s.ticks[0]), math.Max(hi, s.ticks[len(s.ticks)-1])
	}
	s.setRange(lo, hi)
	return s
}

// horizontal fits the axis below a plot of the given width to e, with as many
// ticks as fit side by side.
func (a Axis) horizontal(e extent, width float64) *scale {
	lo, hi, _ := a.settle(e)
	least := 0.0
	if e.whole {
		least = 1
	}
	s := &scale{log: a.Log, to: width}
	s.setRange(lo, hi)
	for n := max(2, int(width/36)); n >= 1; n-- {
		s.mark(a, lo, hi, n, least, false)
		if s.labelsFit() {
			return s
		}
	}
	s.ticks, s.labels = s.ticks[:min(1, len(s.ticks))], s.labels[:min(1, len(s.labels))]
	return s
}

func (s *scale) setRange(lo, hi float64) {
	s.lo, s.hi = lo, hi
	if s.log {
		s.lo, s.hi = math.Log10(lo), math.Log10(hi)
	}
}

// mark sets the ticks and their labels.
func (s *scale) mark(a Axis, lo, hi float64, n int, least float64, cover bool) {
	if a.Log {
		s.ticks = logTicks(lo, hi, n, cover)
		s.labels = logLabels(s.ticks, a.Format)
		if len(s.ticks) >= 2 {
			return
		}
		cover = false // less than one round value apart: linear ticks inside the range
	}
	var step float64
	s.ticks, step = niceTicks(lo, hi, n, least, cover)
	s.labels = tickLabels(s.ticks, step, a.Format)
}

// labelsFit reports whether labels centred on their ticks keep a distance.
func (s *scale) labelsFit() bool {
	const gap = 10
	end := math.Inf(-1)
	for i, t := range s.ticks {
		half := textWidth(s.labels[i], tickSize) / 2
		x := s.at(t)
		if x-half < end+gap {
			return false
		}
		end = x + half
	}
	return true
}
