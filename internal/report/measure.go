package report

import (
	"strings"
	"unicode/utf8"
)

// textWidth estimates how wide s is at a font size. Readers have different system fonts, so
// that the estimate is on the generous side: of the common sans-serif fonts
// only the widest exceed it, by a few percent.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += runeWidth(r)
	}
	return w * size
}

func runeWidth(r rune) float64 {
	switch {
	case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xd7ff || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f000):
		return 1.1
	case r > 0x7e:
		return 0.68
	case strings.ContainsRune("ijltfI|.,:;'`!()[] ", r):
		return 0.36
	case strings.ContainsRune("mwMW%@", r):
		return 0.93
	case r >= 'A' && r <= 'Z':
		return 0.72
	}
	return 0.6
}

// shorten cuts s so that it is at most width wide and ends in an ellipsis.
func shorten(s string, size, width float64) string {
	if textWidth(s, size) <= width {
		return s
	}
	for s != "" && textWidth(s+"…", size) > width {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimRight(s, " ") + "…"
}

// wrap breaks s at spaces into at most limit lines of at most width; what does
// not fit is shortened.
func wrap(s string, size, width float64, limit int) []string {
	var lines []string
	line := ""
	words := strings.Fields(s)
	for i, word := range words {
		next := word
		if line != "" {
			next = line + " " + word
		}
		if line == "" || textWidth(next, size) <= width {
			line = next
			continue
		}
		if len(lines) == limit-1 {
			line = strings.Join(append([]string{line}, words[i:]...), " ")
			break
		}
		lines = append(lines, shorten(line, size, width))
		line = word
	}
	if line != "" {
		lines = append(lines, shorten(line, size, width))
	}
	return lines
}
