package report

import (
	"bytes"
	"html"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestFormatText(t *testing.T) {
	for _, c := range []struct {
		f    Format
		v    float64
		want string
	}{
		{Plain, 0, "0"}, {Plain, 0.0123456, "0.0123"}, {Plain, 4.5, "4.5"}, {Plain, 123.456, "123"}, {Plain, 9999.5, "10,000"}, {Plain, -1234567, "−1,234,567"},
		{Plain, 3e-4, "3e−4"}, {Plain, 1.5e13, "1.5e13"}, {Plain, math.NaN(), "–"}, {Plain, math.Inf(-1), "–"}, {Plain, 0.9996, "1"},
		{Percent, 0.6125, "61.3%"}, {Percent, 0, "0%"}, {Percent, -0.006, "−0.6%"}, {Percent, 0.0004, "0.040%"}, {Percent, 1, "100.0%"},
		{Count, 8112, "8,112"}, {Count, -0.2, "0"}, {Count, 1e20, "1e20"},
	} {
		if got := c.f.Text(c.v); got != c.want {
			t.Errorf("format %d of %v: got %q, want %q", c.f, c.v, got, c.want)
		}
	}
}

// span returns random bounds lo < hi of very different sizes.
func span(r *rand.Rand) (lo, hi float64) {
	lo = r.NormFloat64() * math.Pow10(r.IntN(40)-20)
	hi = lo + (1e-5*math.Abs(lo)+r.ExpFloat64()*math.Pow10(r.IntN(40)-20))*1.01
	return lo, hi
}

func TestNiceTicks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := 0; i < 20000; i++ {
		lo, hi := span(r)
		n, cover := 3+r.IntN(8), r.IntN(2) == 0
		ticks, step := niceTicks(lo, hi, n, 0, cover)
		most := n + 2
		if len(ticks) == 0 || len(ticks) > most {
			t.Fatalf("[%v, %v] in %d: got %d ticks, want 1 to %d", lo, hi, n, len(ticks), most)
		}
		mantissa := step / math.Pow10(int(math.Floor(math.Log10(step)+1e-9)))
		if math.Min(math.Abs(mantissa-1), math.Min(math.Abs(mantissa-2), math.Abs(mantissa-5))) > 1e-6 {
			t.Fatalf("[%v, %v]: got step %v, want 1, 2 or 5 times a power of ten", lo, hi, step)
		}
		slack := 1e-6 * step
		first, last := ticks[0], ticks[len(ticks)-1]
		if cover && (first > lo+slack || last < hi-slack || first < lo-step-slack || last > hi+step+slack) {
			t.Fatalf("[%v, %v] step %v: got %v to %v, want just outside", lo, hi, step, first, last)
		}
		if !cover && (first < lo-slack || last > hi+slack) {
			t.Fatalf("[%v, %v]: got %v to %v, want inside", lo, hi, first, last)
		}
		labels := map[string]bool{}
		for k, label := range tickLabels(ticks, step, Format(r.IntN(2))) {
			if k > 0 && math.Abs(ticks[k]-ticks[k-1]-step) > slack {
				t.Fatalf("[%v, %v]: ticks %v are not %v apart", lo, hi, ticks, step)
			}
			if labels[label] {
				t.Fatalf("[%v, %v]: ticks %v: label %q twice", lo, hi, ticks, label)
			}
			labels[label] = true
		}
	}
}

func TestHorizontalLabelsUseTheWidth(t *testing.T) {
	for width := 60.0; width < 900; width += 7 {
		s := Axis{}.horizontal(extent{lo: 0, hi: 1e6 + width, any: true, whole: true}, width)
		if n := len(s.labels); n < 2 || float64(n) < width/120 || !s.labelsFit() {
			t.Errorf("width %v: got labels %q, want as many as fit", width, s.labels)
		}
	}
}

func TestLogTicks(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := 0; i < 20000; i++ {
		lo := math.Pow10(r.IntN(30)-15) * (1 + 9*r.Float64())
		hi := lo * (1 + math.Pow(10, 12*r.Float64()))
		cover := r.IntN(2) == 0
		ticks := logTicks(lo, hi, 5, cover)
		if len(ticks) > 9 {
			t.Fatalf("[%v, %v]: got %d ticks, want at most 9", lo, hi, len(ticks))
		}
		for k, v := range ticks {
			if k > 0 && v <= ticks[k-1] {
				t.Fatalf("[%v, %v]: got %v, want ascending", lo, hi, ticks)
			}
			if !cover && (v < lo*(1-1e-6) || v > hi*(1+1e-6)) {
				t.Fatalf("[%v, %v]: got %v, want inside", lo, hi, ticks)
			}
		}
		if cover && (ticks[0] > lo*(1+1e-6) || ticks[len(ticks)-1] < hi*(1-1e-6)) {
			t.Fatalf("[%v, %v]: got %v, want a cover", lo, hi, ticks)
		}
	}
}

// odd returns a value of the kind, or of any kind.
func odd(r *rand.Rand, kind int) float64 {
	if kind > 8 || r.IntN(20) == 0 {
		kind = r.IntN(9)
	}
	switch kind {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*r.IntN(2))
	case 2:
		return 0
	case 3:
		return r.NormFloat64() * math.Pow10(r.IntN(600)-300)
	case 4:
		return float64(r.IntN(10))
	case 6:
		return 1e11 * (2 + r.Float64())
	case 5:
		return 1e16 + float64(r.IntN(4)*2)
	}
	return r.NormFloat64()
}

func odds(r *rand.Rand, n, kind int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = odd(r, kind)
	}
	return out
}

// oddChart returns a chart whose values, ranges and sizes may be anything.
func oddChart(r *rand.Rand) Chart {
	kind := r.IntN(18)
	n := []int{0, 1, 2, 3, 30, 5000}[r.IntN(6)]
	if n == 5000 && r.IntN(4) > 0 {
		n = 7
	}
	axis := func() Axis {
		a := Axis{Label: "l", Format: Format(r.IntN(3)), Log: r.IntN(3) == 0}
		if r.IntN(3) == 0 {
			a.Min, a.Max = odd(r, kind), odd(r, kind)
		}
		return a
	}
	straight := func() Axis { a := axis(); a.Log = false; return a }
	switch r.IntN(3) {
	case 0:
		c := &BarChart{Value: straight(), Groups: make([]string, n%100), References: []Reference{{odd(r, kind), "reference"}, {odd(r, kind), "another"}}}
		for range r.IntN(3) {
			c.Series = append(c.Series, BarSeries{Values: odds(r, n%100, kind), Low: odds(r, n%100, kind), High: odds(r, n%100, kind)})
		}
		return c
	case 1:
		return &Histogram{X: straight(), Bins: r.IntN(70), Series: []HistogramSeries{{Values: odds(r, n, kind)}, {Name: "two", Values: odds(r, n/2, kind)}}}
	}
	c := &LineChart{X: axis(), Y: axis(), Markers: []Marker{{odd(r, kind), "marker"}, {odd(r, kind), "another marker"}}, References: []Reference{{odd(r, kind), "reference"}}}
	for range r.IntN(4) {
		s := Series{Name: "s", Y: odds(r, n, kind), Smooth: r.IntN(5), Low: odds(r, n, kind), High: odds(r, n, kind)}
		if r.IntN(2) == 0 {
			s.X = odds(r, n, kind)
		}
		c.Series = append(c.Series, s)
	}
	return c
}

var (
	notNumber = regexp.MustCompile(`="[^"]*(NaN|Inf|inf|e[+-]?[0-9]{2})[^"]*"`)
	tickText  = regexp.MustCompile(`<text x="([^"]*)" y="([^"]*)" class="t-tick" text-anchor="middle">([^<]*)<`)
	anyText   = regexp.MustCompile(`<text x="([^"]*)" y="([^"]*)" class="t-[a-z]*"(?: text-anchor="([a-z]*)")?>([^<]*)<`)
	anyX      = regexp.MustCompile(` (?:x|cx|x1|x2)="([^"]*)"`)
)

func TestOddChartsAreDrawn(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := 0; i < 600; i++ {
		c := oddChart(r)
		p := &picture{width: narrowWidth, hover: r.IntN(2) == 0}
		c.draw(p)
		text := p.b.String()
		if found := notNumber.FindString(text); found != "" {
			t.Fatalf("chart %d (%T): got %s", i, c, found)
		}
		if strings.Contains(c.describe(), "NaN") || p.y <= 0 || !finite(p.y) {
			t.Fatalf("chart %d (%T): height %v, description %q", i, c, p.y, c.describe())
		}
		checkPlaces(t, i, c, text)
		if err := c.numbers(10).check(); err != nil {
			t.Fatal(err)
		}
		m := &mark{}
		c.markdown(m)
		if strings.Contains(m.b.String(), "NaN") {
			t.Fatalf("chart %d (%T): NaN in %s", i, c, m.b.String())
		}
	}
}

// checkPlaces fails where something is drawn beside the picture (but for what is clipped), or
// labels of the lower axis overlap.
func checkPlaces(t *testing.T, i int, c Chart, text string) {
	t.Helper()
	clipped := regexp.MustCompile(`(?s)<svg.*?</svg>`).ReplaceAllString(text, "")
	for _, m := range anyX.FindAllStringSubmatch(clipped, -1) {
		if x, err := strconv.ParseFloat(m[1], 64); err != nil || x < -1 || x > narrowWidth+1 {
			t.Fatalf("chart %d (%T): got x %q, want 0 to %v", i, c, m[1], narrowWidth)
		}
	}
	for _, m := range anyText.FindAllStringSubmatch(clipped, -1) {
		x, _ := strconv.ParseFloat(m[1], 64)
		w := textWidth(html.UnescapeString(m[4]), tickSize)
		switch m[3] {
		case "middle":
			x -= w / 2
		case "end":
			x -= w
		}
		if x < -2 || x+w > narrowWidth+2 {
			t.Fatalf("chart %d (%T): the text %q goes from %v to %v, want 0 to %v", i, c, m[4], x, x+w, narrowWidth)
		}
	}
	end, row := math.Inf(-1), ""
	for _, m := range tickText.FindAllStringSubmatch(text, -1) {
		x, _ := strconv.ParseFloat(m[1], 64)
		half := textWidth(m[3], tickSize) / 2
		if row == m[2] && x-half <= end {
			t.Fatalf("chart %d (%T): the label %q overlaps its neighbour", i, c, m[3])
		}
		end, row = x+half, m[2]
	}
}

func TestThinKeepsExtremesAndGaps(t *testing.T) {
	pts := make([]point, 10000)
	for i := range pts {
		pts[i] = point{x: float64(i), y: math.Sin(float64(i) / 50), shown: i != 5000}
	}
	pts[1234].y, pts[7777].y = 9, -9
	out := thin(pts, 100)
	s, gaps := summarise(out), 0
	for i, q := range out {
		if !q.shown {
			gaps++
		}
		if i > 0 && q.x <= out[i-1].x {
			t.Fatalf("point %d: got x %v after %v", i, q.x, out[i-1].x)
		}
	}
	if len(out) > 601 || s.hi != 9 || s.lo != -9 || gaps != 1 {
		t.Errorf("got %d points, range [%v, %v], %d gaps; want at most 601, [-9, 9], 1", len(out), s.lo, s.hi, gaps)
	}
}

func TestSmooth(t *testing.T) {
	pts := []point{{y: 1, shown: true}, {y: 100}, {y: 3, shown: true}, {y: 8, shown: true}}
	got := smooth(pts, 3)
	for i, want := range []float64{1, 100, 5.5, 5.5} {
		if got[i].y != want {
			t.Errorf("point %d: got %v, want %v", i, got[i].y, want)
		}
	}
}

func TestHistogramBins(t *testing.T) {
	b := (&Histogram{Series: []HistogramSeries{{Values: []float64{1, 2, 2, math.NaN(), 5}}}}).bin()
	if !b.whole || len(b.edges) != 6 || b.counts[0] != 4 || b.shares[0][1] != 0.5 || b.shares[0][4] != 0.25 {
		t.Errorf("whole numbers: got %+v", b)
	}
	b = (&Histogram{Series: []HistogramSeries{{Values: []float64{1e16, 1e16 + 2}}}}).bin()
	for i := range b.edges[1:] {
		if b.edges[i+1] <= b.edges[i] {
			t.Errorf("far from zero: got edges %v, want ascending ones", b.edges)
		}
	}
	b = (&Histogram{Bins: 4, Series: []HistogramSeries{{Values: []float64{0, 0.25, 0.5, 1}}}}).bin()
	sum := 0.0
	for _, v := range b.shares[0] {
		sum += v
	}
	if b.edges[0] > 0 || b.edges[len(b.edges)-1] < 1 || sum != 1 {
		t.Errorf("got edges %v, shares %v, want all of [0, 1] and the sum 1", b.edges, b.shares)
	}
}

func TestFlagsKeepApart(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for i := 0; i < 2000; i++ {
		var flags []pennant
		x := 0.0
		for range r.IntN(8) {
			x = math.Min(400, x+80*r.Float64())
			flags = append(flags, pennant{x, strings.Repeat("a", 1+r.IntN(30))})
		}
		out, _ := placeFlags(flags, 0, 400)
		for a, p := range out {
			if p.row >= 0 && (p.start < 0 || p.end > 400.001) {
				t.Fatalf("label %d of %v: got [%v, %v], want inside [0, 400]", a, flags, p.start, p.end)
			}
			for _, q := range out[:a] {
				if p.row >= 0 && p.row == q.row && p.start < q.end && q.start < p.end {
					t.Fatalf("%v: two labels overlap in row %d", flags, p.row)
				}
			}
		}
	}
	out, count := placeFlags([]pennant{{10, "one label"}, {20, "another label"}}, 0, 400)
	if count != 2 || out[0].row != 1 || out[1].row != 0 {
		t.Errorf("got %+v, want the left label above, so that no line crosses a label", out)
	}
}

func TestFaultsAreErrors(t *testing.T) {
	for want, b := range map[string]Block{
		`chart "c": series "s": got 1 x values, want 2`:                              &LineChart{Title: "c", Series: []Series{{Name: "s", X: []float64{1}, Y: []float64{1, 2}}}},
		`chart "c": series "s": got one bound of the band, want both or none`:        &LineChart{Title: "c", Series: []Series{{Name: "s", Y: []float64{1}, Low: []float64{1}}}},
		`chart "c": series "s": got colour 7, want 0 to 6`:                           &LineChart{Title: "c", Series: []Series{{Name: "s", Colour: 7}}},
		`chart "c": series "s": got 1 values, want one for each of 2 groups`:         &BarChart{Title: "c", Groups: []string{"a", "b"}, Series: []BarSeries{{Name: "s", Values: []float64{1}}}},
		`chart "c": series "s": got 1 low and 0 high values, want 1 of each or none`: &BarChart{Title: "c", Groups: []string{"a"}, Series: []BarSeries{{Name: "s", Values: []float64{1}, Low: []float64{1}}}},
		`chart "c": got a logarithmic axis for bars, want a linear one`:              &BarChart{Title: "c", Value: Axis{Log: true}},
		`chart "c": got -1 bins, want 0 or more`:                                     &Histogram{Title: "c", Bins: -1},
		`table "t": row 0: got 1 cells, want 0`:                                      &Table{Caption: "t", Rows: []Row{Cells("x")}},
		`gate "g": got outcome 3, want 0 to 2`:                                       &Gates{Items: []Gate{{Name: "g", Outcome: 3}}},
		`transcript "t": span 0: got kind 9, want 0 to 7`:                            &Transcript{Title: "t", Spans: []Span{{Kind: 9}}},
		"got nil, want a block":                                                      nil,
	} {
		d := &Document{Sections: []Section{{Title: "S", Blocks: []Block{b}}}}
		for name, render := range map[string]func(*Document) ([]byte, error){"HTML": HTML, "Markdown": Markdown} {
			out, err := render(d)
			if err == nil || !strings.HasPrefix(err.Error(), `report: section "S": block 0: `) || !strings.HasSuffix(err.Error(), want) || out != nil {
				t.Errorf("%s: got error %v, want …%s", name, err, want)
			}
		}
	}
}

func TestEmptyDocument(t *testing.T) {
	d := &Document{Sections: []Section{{Blocks: []Block{&Table{}, &List{}, &Figures{}, &Facts{}, &Gates{}, &Transcript{}, &LineChart{}, &BarChart{}, &Histogram{}, &Paragraph{}, &Code{}, &Note{}}}}}
	page, err := HTML(d)
	if err != nil {
		t.Fatal(err)
	}
	checkInert(t, elements(t, page))
	if n := bytes.Count(page, []byte("no data")); n < 3 {
		t.Errorf("got %d times \"no data\", want it in each of 3 charts", n)
	}
	if _, err := Markdown(d); err != nil {
		t.Fatal(err)
	}
}

func TestWideLabelsStayInside(t *testing.T) {
	for i, first := range []float64{1e11, -1e11, 123456, 0.0001} {
		for _, labels := range []Format{Plain, Percent, Count} {
			c := &LineChart{X: Axis{Format: labels}, Series: []Series{{X: []float64{first, first + 2e-5*math.Abs(first)}, Y: []float64{1, 2}}}}
			p := &picture{width: narrowWidth}
			c.draw(p)
			checkPlaces(t, i, c, p.b.String())
			if found := tickText.FindAllString(p.b.String(), -1); len(found) < 2 {
				t.Errorf("from %v: got labels %q below, want at least 2", first, found)
			}
		}
	}
}

func TestBarFiguresStandBesideTheBars(t *testing.T) {
	c := &BarChart{Groups: []string{strings.Repeat("long name ", 9), "b"}, Series: []BarSeries{{Values: []float64{3e11, 2e11}, Low: []float64{2e11, 1e11}, High: []float64{4e11, 3e11}}}}
	p := &picture{width: narrowWidth}
	c.draw(p)
	l := c.layout(p)
	texts := anyText.FindAllStringSubmatch(p.b.String(), -1)
	figures := 0
	for _, m := range texts {
		if x, _ := strconv.ParseFloat(m[1], 64); m[3] == "end" && x > l.left {
			figures++
			size := tickSize
			if strings.Contains(m[0], "t-value") {
				size = labelSize
			}
			if start := x - textWidth(m[4], size); start < l.left+l.width {
				t.Errorf("%q begins at %v, want it right of the bars' room, which ends at %v", m[4], start, l.left+l.width)
			}
		}
	}
	if figures != 4 {
		t.Errorf("got %d figures, want a value and an interval for each of 2 bars", figures)
	}
}
