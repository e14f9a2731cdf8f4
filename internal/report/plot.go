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
	pl.x = x.horizontal(ex, pl.width)
	if n := len(pl.x.ticks); n > 0 {
		// The last label is centred on its tick and may reach beyond the plot.
		over := pl.x.at(pl.x.ticks[n-1]) + textWidth(pl.x.labels[n-1], tickSize)/2 - pl.width - right
		if over > 0 {
			pl.width -= over
			pl.x = x.horizontal(ex, pl.width)
		}
	}
	return pl
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
