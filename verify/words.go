package verify

import "strings"

// layoutKey is a text without what only lays it out. Two texts with one key are the same answer.
func layoutKey(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			// A space between two digits or letters parts them.
			j := i
			for j < len(s) && (s[j] == ' ' || s[j] == '\n' || s[j] == '\t' || s[j] == '\r') {
				j++
			}
			if i > 0 && j < len(s) && wordByte(s[i-1]) && wordByte(s[j]) {
				b.WriteByte(' ')
			}
			i = j
		case c == '$':
			i++
		case c == '\\':
			n := skippable(s[i:])
			if n > 0 && (i+1 >= len(s) || s[i+1] != ' ') {
				i += n
				continue
			}
			if rest := s[i:]; strings.HasPrefix(rest, "\\dfrac") || strings.HasPrefix(rest, "\\tfrac") {
				b.WriteString("\\frac")
				i += 6
				continue
			}
			b.WriteByte(c)
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return strings.TrimRight(b.String(), ".")
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// wordsKey is the letters and digits of a text in lower case, without font commands and marks.
func wordsKey(s string, o *Options) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < 4096; {
		if s[i] == '\\' {
			end := i + 1
			for letterAt(s, end) {
				end++
			}
			if name := s[i+1 : end]; !texts[name] && !alphabets[name] && !invisible[name] && name != "quad" {
				b.WriteString(strings.ToLower(name))
			}
			if end == i+1 {
				end++
			}
			i = end
			continue
		}
		if c := s[i]; wordByte(c) || c >= 0x80 || strings.IndexByte("+-=<>/^_|", c) >= 0 {
			b.WriteByte(c)
		}
		i++
	}
	key := strings.ToLower(b.String())
	if o.Text == TextSynonyms {
		key = synonym(key)
	}
	return key
}

// calendar maps short names of months and days to the whole ones.
var calendar = map[string]string{
	"jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june", "jul": "july", "aug": "august", "sep": "september",
	"sept": "september", "oct": "october", "nov": "november", "dec": "december", "mon": "monday", "tue": "tuesday", "wed": "wednesday",
	"thu": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday", "true": "yes", "false": "no",
}

func synonym(key string) string {
	key = strings.TrimPrefix(key, "is")
	key = strings.TrimSuffix(key, "oclock")
	if long, ok := calendar[key]; ok {
		return long
	}
	return key
}

// sameWords compares where at least one side is words.
func (c *checker) sameWords(a, b *node) result {
	plain := func(n *node) string {
		if n.kind == kText || n.kind == kSymbol {
			return wordsKey(n.name, c.options)
		}
		return wordsKey(strings.ReplaceAll(n.text(), "*", ""), c.options)
	}
	x, y := plain(a), plain(b)
	return judged(x == y && x != "", RuleWords)
}

// choiceLetter reads an answer that is a letter of a multiple choice: C, (C), C., C) or C: with what it stands for.
// bracketed says that it stood in brackets or was otherwise marked as a choice.
func choiceLetter(s string) (letter byte, marked, ok bool) {
	s = strings.TrimSpace(stripFonts(s))
	open := strings.HasPrefix(s, "(") || strings.HasPrefix(s, "[")
	s = strings.TrimLeft(s, "([ ")
	if s == "" || !letterAt(s, 0) || letterAt(s, 1) {
		return 0, false, false
	}
	letter = s[0] &^ 0x20
	if letter > 'J' {
		return 0, false, false
	}
	rest := s[1:]
	switch {
	case strings.Trim(rest, ") ].*") == "":
		return letter, open || strings.HasPrefix(rest, ")"), true
	case rest[0] == ')' || rest[0] == '.' || rest[0] == ':' || rest[0] == ']':
		return letter, true, true
	}
	return 0, false, false
}

// stripFonts takes font commands, braces and dollars away.
func stripFonts(s string) string {
	if strings.IndexByte(s, '\\') < 0 && strings.IndexByte(s, '{') < 0 && strings.IndexByte(s, '$') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\':
			end := i + 1
			for letterAt(s, end) {
				end++
			}
			if name := s[i+1 : end]; !texts[name] && !alphabets[name] && !invisible[name] {
				b.WriteString(s[i:end])
			}
			i = max(end, i+1)
		case s[i] == '{' || s[i] == '}' || s[i] == '$':
			i++
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}
