package report

import "math"

// plot is the area between two axes.
type plot struct {
	left, top, width, height float64
	x, y                     *scale
	readout                  float64 // base line of the values under the pointer
}

// newPlot reserves the room of the axes at p.y and fits the scales into the
// rest. The top is set by frame.
func (p *picture) newPlot(x, y Axis, ex, ey extent, zero bool) *plot {
	pl := &plot{height: 196}
	if p.width > narrowWidth {
		pl.height = 250
	}
	pl.y = y.vertical(ey, 5, zero)
	pl.y.from, pl.y.to = pl.height, 0
	for _, l := range pl.y.labels {
		pl.left = math.Max(pl.left, textWidth(l, tickSize))
	}
	pl.left += 8
	const right = 14
	pl.width = p.width - pl.left - right
	pl.fitHorizontal(x, ex, p.width)
	return pl
}

// fitHorizontal fits the lower axis into [left, left+width], which shrinks where a label centred on
// its tick would reach beyond the picture.
func (pl *plot) fitHorizontal(a Axis, e extent, width float64) {
	for range 3 {
		pl.x = a.horizontal(e, pl.width)
		under, over := 0.0, 0.0
		for i, t := range pl.x.ticks {
			middle, half := pl.left+pl.x.at(t), textWidth(pl.x.labels[i], tickSize)/2
			under, over = math.Max(under, half-middle), math.Max(over, middle+half-width)
		}
		if under == 0 && over == 0 {
			return
		}
		pl.left += under
		pl.width -= under + over
	}
	// Each width had other ticks; no labels are better than cut ones.
	pl.x = a.horizontal(e, pl.width)
	pl.x.ticks, pl.x.labels = pl.x.ticks[:0], pl.x.labels[:0]
}

// frame draws the axes, the grid and the flags, and moves below them.
func (p *picture) frame(pl *plot, x, y Axis, flags []pennant) {
	if y.Label != "" {
		p.label(0, p.y+11, "start", "t-axis", shorten(clean(y.Label), labelSize, p.width))
	}
	pl.readout = p.y + 11
	if y.Label != "" || p.hover {
		p.y += 20
	} else {
		p.y += 6
	}
	for i := range flags {
		flags[i].x += pl.left
	}
	if len(flags) == 0 && y.Label != "" {
		p.y += 5 // between the label and the first tick
	}
	p.flags(flags, pl.left, p.width, pl.height)
	pl.top = p.y
	for i, t := range pl.y.ticks {
		at := pl.top + pl.y.at(t)
		p.rule(pl.left, at, pl.left+pl.width, at, "grid")
		p.label(pl.left-6, at+4, "end", "t-tick", pl.y.labels[i])
	}
	bottom := pl.top + pl.height
	p.rule(pl.left, bottom, pl.left+pl.width, bottom, "axis")
	for i, t := range pl.x.ticks {
		at := pl.left + pl.x.at(t)
		p.rule(at, bottom, at, bottom+4, "axis")
		p.label(at, bottom+17, "middle", "t-tick", pl.x.labels[i])
	}
	p.y = bottom + 22
	if x.Label != "" {
		p.y += 14
		p.label(pl.left+pl.width/2, p.y, "middle", "t-axis", shorten(clean(x.Label), labelSize, p.width))
		p.y += 6
	}
}

// noData writes that there is nothing to see.
func (p *picture) noData(pl *plot) {
	p.label(pl.left+pl.width/2, pl.top+pl.height/2, "middle", "t-axis", "no data")
}

// clipped runs draw with everything outside of the plot, and a margin for line
// caps, cut off.
func (p *picture) clipped(pl *plot, draw func()) {
	const margin = 5
	c := coordinate
	x, y, w, h := pl.left-margin, pl.top-margin, pl.width+2*margin, pl.height+2*margin
	p.open("svg", "x", c(x), "y", c(y), "width", c(w), "height", c(h), "viewBox", c(x)+" "+c(y)+" "+c(w)+" "+c(h))
	draw()
	p.close("svg")
}
