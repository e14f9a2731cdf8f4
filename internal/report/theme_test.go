package report

import (
	"math"
	"strconv"
	"testing"
)

type rgb [3]float64

// parseColour reads #rrggbb as linear light.
func parseColour(t *testing.T, s string) rgb {
	t.Helper()
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil || len(s) != 7 {
		t.Fatalf("colour %q: want #rrggbb", s)
	}
	var c rgb
	for i := range c {
		v := float64(n>>(16-8*i)&255) / 255
		if v <= 0.04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return c
}

func luminance(c rgb) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

// contrast is that of WCAG 2.
func contrast(a, b rgb) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// lab converts linear sRGB to CIE L*a*b* (D65).
func lab(c rgb) rgb {
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.95047)
	y := f(luminance(c))
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.08883)
	return rgb{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color
// Vision Deficiency" (2009), severity 1.0, on linear sRGB.
var visions = map[string][9]float64{
	"normal":       {1, 0, 0, 0, 1, 0, 0, 0, 1},
	"protanopia":   {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
	"deuteranopia": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
	"tritanopia":   {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
}

func seen(c rgb, m [9]float64) rgb {
	var out rgb
	for i := range out {
		out[i] = math.Min(1, math.Max(0, m[3*i]*c[0]+m[3*i+1]*c[1]+m[3*i+2]*c[2]))
	}
	return out
}

func colourOf(t *testing.T, name string, dark bool) rgb {
	t.Helper()
	for _, s := range palette {
		if s.name == name {
			if dark {
				return parseColour(t, s.dark)
			}
			return parseColour(t, s.light)
		}
	}
	t.Fatalf("no colour %q", name)
	return rgb{}
}

func TestPaletteContrast(t *testing.T) {
	for _, dark := range []bool{false, true} {
		for _, c := range []struct {
			front, ground string
			least         float64 // WCAG 2: 4.5 for text, 3 for graphics
		}{
			{"ink", "page", 7}, {"ink", "card", 7}, {"soft", "page", 4.5}, {"soft", "card", 4.5}, {"turn", "page", 4.5},
			{"good", "good-ground", 4.5}, {"bad", "bad-ground", 4.5}, {"turn", "turn-ground", 4.5}, {"idle", "idle-ground", 4.5}, {"ink", "idle-ground", 4.5}, {"ink", "good-ground", 4.5}, {"ink", "bad-ground", 4.5},
			{"s0", "card", 3}, {"s1", "card", 3}, {"s2", "card", 3}, {"s3", "card", 3}, {"s4", "card", 3}, {"s5", "card", 3},
		} {
			if got := contrast(colourOf(t, c.front, dark), colourOf(t, c.ground, dark)); got < c.least {
				t.Errorf("dark %v: %s on %s: got contrast %.2f, want %v", dark, c.front, c.ground, got, c.least)
			}
		}
	}
}

func TestSeriesColoursStayApart(t *testing.T) {
	for vision, m := range visions {
		for _, dark := range []bool{false, true} {
			for i := 0; i < colours; i++ {
				for j := 0; j < i; j++ {
					a := lab(seen(colourOf(t, "s"+strconv.Itoa(i), dark), m))
					b := lab(seen(colourOf(t, "s"+strconv.Itoa(j), dark), m))
					d := math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
					least := 12.0
					if i < 3 {
						least = 20 // most charts have at most three series
					}
					if d < least {
						t.Errorf("%s, dark %v: colours %d and %d: got distance %.1f, want %v", vision, dark, j, i, d, least)
					}
				}
			}
		}
	}
}
