package report

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes text safe to show anywhere: bytes that are not UTF-8 become
// U+FFFD, control characters their visible pictures, and characters that change
// the direction of their neighbours or cannot be seen are spelled out. Newline and tab stay; a
// carriage return before a newline goes.
func clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < 0x20:
			b.WriteRune(0x2400 + r)
		case r == 0x7f:
			b.WriteRune(0x2421)
		case isHidden(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isClean(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && isHidden(r) {
			return false
		}
	}
	return true
}

// isHidden reports whether r has no picture of its own: controls, format characters (direction
// marks, zero-width spaces, tags), line separators, characters for private use and those that XML forbids.
// The two joiners belong to the spelling of words and emoji.
func isHidden(r rune) bool {
	if r == 0x200c || r == 0x200d {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == 0xFFFE || r == 0xFFFF
}

// markup writes HTML and SVG in the syntax that both share with XML. Text and attribute values pass
// through clean and are escaped here and nowhere else.
type markup struct {
	b strings.Builder
}

// open writes a start tag. attributes are name, value pairs; an empty value
// leaves its attribute out.
func (m *markup) open(tag string, attributes ...string) {
	m.tag(tag, attributes)
	m.b.WriteByte('>')
}

// empty writes an element that has no content.
func (m *markup) empty(tag string, attributes ...string) {
	m.tag(tag, attributes)
	m.b.WriteString("/>")
}

func (m *markup) tag(tag string, attributes []string) {
	m.b.WriteByte('<')
	m.b.WriteString(tag)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] == "" {
			continue
		}
		m.b.WriteByte(' ')
		m.b.WriteString(attributes[i])
		m.b.WriteString(`="`)
		m.text(attributes[i+1])
		m.b.WriteByte('"')
	}
}

func (m *markup) close(tags ...string) {
	for _, tag := range tags {
		m.b.WriteString("</")
		m.b.WriteString(tag)
		m.b.WriteByte('>')
	}
}

func (m *markup) text(s string) { m.b.WriteString(html.EscapeString(clean(s))) }

// element writes a start tag, text and the end tag.
func (m *markup) element(tag, text string, attributes ...string) {
	m.open(tag, attributes...)
	m.text(text)
	m.close(tag)
}

func (m *markup) line() { m.b.WriteByte('\n') }

// coordinate prints a position with at most two decimals. What is not a finite
// number must not arrive here; if it does it prints as 0.
func coordinate(v float64) string {
	if !finite(v) {
		return "0"
	}
	s := strconv.FormatFloat(v, 'f', 2, 64)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}
