package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatSpec is how one value is to be written.
type formatSpec struct {
	fill      string
	align     byte // < > = ^, or 0 for the type's own
	sign      byte // + or a space, or 0
	alternate bool // #
	width     int
	precision int // -1: none
	grouping  byte
	kind      byte // 0: none
}

// maxFormatWidth bounds widths and precisions.
const maxFormatWidth = 1 << 20

// pad fills a text to the width; prefix is the part that fill with = stands behind.
func (f formatSpec) pad(prefix, body string, align byte) string {
	missing := f.width - utf8.RuneCountInString(prefix) - utf8.RuneCountInString(body)
	if missing <= 0 {
		return prefix + body
	}
	if f.align != 0 {
		align = f.align
	}
	fill := f.fill
	if fill == "" {
		fill = " "
	}
	switch align {
	case '<':
		return prefix + body + strings.Repeat(fill, missing)
	case '^':
		return strings.Repeat(fill, missing/2) + prefix + body + strings.Repeat(fill, missing-missing/2)
	case '=':
		return prefix + strings.Repeat(fill, missing) + body
	}
	return strings.Repeat(fill, missing) + prefix + body
}

// text writes a text: cut to the precision, filled to the width.
func (f formatSpec) text(s string, align byte) string {
	if f.precision >= 0 {
		n := 0
		for i := range s {
			if n == f.precision {
				s = s[:i]
				break
			}
			n++
		}
	}
	return f.pad("", s, align)
}

func (f formatSpec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case f.sign != 0:
		return string(f.sign)
	}
	return ""
}

// group puts a mark between groups of digits.
func group(digits string, mark byte, size int) string {
	if mark == 0 {
		return digits
	}
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%size == 0 {
			b.WriteByte(mark)
		}
		b.WriteByte(digits[i])
	}
	return b.String()
}

// integer writes an integer in the base of its kind.
func (f formatSpec) integer(i *big.Int) string {
	base, prefix, size := 10, "", 3
	switch f.kind {
	case 'b':
		base, prefix, size = 2, "0b", 4
	case 'o':
		base, prefix, size = 8, "0o", 4
	case 'x', 'X':
		base, prefix, size = 16, "0x", 4
	}
	digits := new(big.Int).Abs(i).Text(base)
	if !f.alternate {
		prefix = ""
	}
	if f.kind == 'X' {
		digits, prefix = strings.ToUpper(digits), strings.ToUpper(prefix)
	}
	return f.pad(f.signOf(i.Sign() < 0)+prefix, group(digits, f.grouping, size), '>')
}

// float writes a float by the kinds e, f, g, %, and 0 for Python's own form of a format.
func (f formatSpec) float(v float64) string {
	negative := math.Signbit(v) && !math.IsNaN(v)
	v = math.Abs(v)
	kind := f.kind | 0x20
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	var digits string
	switch {
	case math.IsNaN(v):
		digits = "nan"
	case math.IsInf(v, 0):
		digits = "inf"
	case f.kind == '%':
		digits = strconv.FormatFloat(v*100, 'f', precision, 64)
	case f.kind == 0 && f.precision < 0:
		digits = formatFloat(v)
	case kind == 'e' || kind == 'f':
		digits = strconv.FormatFloat(v, kind, precision, 64)
	default:
		digits = strconv.FormatFloat(v, 'g', max(1, precision), 64)
		if f.kind == 0 && !strings.ContainsAny(digits, ".e") {
			digits += ".0"
		}
	}
	if f.kind == '%' {
		digits += "%"
	}
	if f.kind >= 'A' && f.kind <= 'Z' {
		digits = strings.ToUpper(digits)
	}
	if f.grouping != 0 {
		n := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(digits)
		}
		digits = group(digits[:n], f.grouping, 3) + digits[n:]
	}
	return f.pad(f.signOf(negative), digits, '>')
}
