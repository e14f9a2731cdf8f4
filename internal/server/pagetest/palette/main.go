// Command palette writes PNG files anew with at most 256 colours, which pictures of the page hardly exceed, so that they are small.
package main

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := shrink(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// shrink replaces a file by the same picture in its most frequent colours.
func shrink(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	picture, err := png.Decode(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(out, paletted(picture)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return out.Close()
}

// paletted gives each point the nearest of 256 colours.
func paletted(picture image.Image) *image.Paletted {
	bounds := picture.Bounds()
	counts := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA {
		r, g, b, _ := picture.At(x, y).RGBA()
		return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		colours = append(colours, c)
	}
	number := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(number(a), number(b)))
	})
	palette := choose(colours)
	result := image.NewPaletted(bounds, palette)
	index := map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := at(x, y)
			i, ok := index[c]
			if !ok {
				i = uint8(palette.Index(c))
				index[c] = i
			}
			result.SetColorIndex(x, y, i)
		}
	}
	return result
}

// choose takes of colours, the most frequent first, one half by that, and then each time the one that is farthest from all that were taken, so
// that rare hues stay.
func choose(colours []color.RGBA) color.Palette {
	var palette color.Palette
	distance := make([]int, len(colours))
	for i := range distance {
		distance[i] = 1 << 30
	}
	take := func(k int) {
		palette = append(palette, colours[k])
		for i, c := range colours {
			r, g, b := int(c.R)-int(colours[k].R), int(c.G)-int(colours[k].G), int(c.B)-int(colours[k].B)
			distance[i] = min(distance[i], r*r+g*g+b*b)
		}
	}
	for k := range min(128, len(colours)) {
		take(k)
	}
	for len(palette) < min(256, len(colours)) {
		farthest := 0
		for i, d := range distance {
			if d > distance[farthest] {
				farthest = i
			}
		}
		if distance[farthest] == 0 {
			break
		}
		take(farthest)
	}
	return palette
}
