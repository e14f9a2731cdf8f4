package verify

import (
	"bytes"
	"strings"
)

// sameLayout says whether two texts are the same but for what only lays them out. They are the same answer then.
func sameLayout(x, y string) bool {
	if x == y {
		return true
	}
	var a, b [128]byte
	return bytes.Equal(appendLayout(a[:0], x), appendLayout(b[:0], y))
}

// appendLayout appends a text without what only lays it out.
func appendLayout(key []byte, s string) []byte {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			// A space between two digits or letters parts them.
			j := i
			for j < len(s) && (s[j] == ' ' || s[j] == '\n' || s[j] == '\t' || s[j] == '\r') {
				j++
			}
			if i > 0 && j < len(s) && wordByte(s[i-1]) && wordByte(s[j]) {
				key = append(key, ' ')
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
				key = append(key, "\\frac"...)
				i += 6
				continue
			}
			key = append(key, c)
			i++
		default:
			key = append(key, c)
			i++
		}
	}
	if n := len(key); n > 0 && key[n-1] == '.' && (n < 2 || key[n-2] != '.') { // an ellipsis is no full stop
		key = key[:n-1]
	}
	return key
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// wordsKey is the letters and digits of a text in lower case, without font commands and marks, a leading article and the
// ending of a plural; a comma stands for and.
func wordsKey(s string, o *Options) string {
	var b strings.Builder
	s = dropArticle(s)
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
		if c := s[i]; c == ',' || c == ';' || c == ' ' && strings.HasPrefix(s[i:], " and ") {
			if c == ' ' {
				i += len(" and ") - 1
			}
			if key := b.String(); key != "" && key[len(key)-1] != ',' {
				b.WriteByte(',')
			}
		} else if wordByte(c) || c >= 0x80 || strings.IndexByte("+-=<>/^_|", c) >= 0 {
			b.WriteByte(c)
		}
		i++
	}
	key := singular(strings.TrimRight(strings.ToLower(b.String()), ","))
	if o.Text == TextSynonyms {
		key = synonym(key)
	}
	return key
}

// dropArticle cuts the little words before a noun: the parabola, on Tuesday.
func dropArticle(s string) string {
	for _, font := range [...]string{"\\text{", "\\textbf{", "\\mathrm{", "$"} {
		s = strings.TrimPrefix(s, font)
	}
	for range 3 {
		word, rest, found := strings.Cut(strings.TrimLeft(s, " "), " ")
		if rest = strings.TrimLeft(rest, " "); !found || len(word) > 3 || !letterAt(rest, 1) || strings.HasPrefix(rest, "and ") || strings.HasPrefix(rest, "or ") {
			break
		}
		switch strings.ToLower(word) {
		case "a", "an", "the", "on", "in", "at", "it", "is":
			s = rest
			continue
		}
		break
	}
	return s
}

// singular cuts the s of a plural.
func singular(key string) string {
	n := len(key)
	if n > 5 && key[n-1] == 's' && key[n-2] != 's' && key[n-2] != 'u' && key[n-2] != 'i' {
		return key[:n-1]
	}
	return key
}

// phrases maps the keys of texts to what they mean in mathematics.
var phrases = map[string]node{
	"nosolution": {kind: kConstant, name: "empty"}, "norealsolution": {kind: kConstant, name: "empty"},
	"emptyset": {kind: kConstant, name: "empty"}, "nullset": {kind: kConstant, name: "empty"}, "nosuchnumber": {kind: kConstant, name: "empty"},
	"allrealnumber": {kind: kConstant, name: "reals"}, "allreal": {kind: kConstant, name: "reals"}, "realnumber": {kind: kConstant, name: "reals"},
	"anyrealnumber": {kind: kConstant, name: "reals"}, "everyrealnumber": {kind: kConstant, name: "reals"}, "allrealnumbersx": {kind: kConstant, name: "reals"},
	"setofallrealnumber": {kind: kConstant, name: "reals"}, "setofrealnumber": {kind: kConstant, name: "reals"},
	"integer": {kind: kConstant, name: "integers"}, "allinteger": {kind: kConstant, name: "integers"}, "setofinteger": {kind: kConstant, name: "integers"},
	"dne": {kind: kText, name: "doesnotexist"}, "doesnotexist": {kind: kText, name: "doesnotexist"}, "notexist": {kind: kText, name: "doesnotexist"},
	"noexist": {kind: kText, name: "doesnotexist"}, "undefined": {kind: kText, name: "undefined"},
	"infinitelymany": {kind: kText, name: "infinitelymany"}, "infinitelymanysolution": {kind: kText, name: "infinitelymany"},
	"thereareinfinitelymany": {kind: kText, name: "infinitelymany"}, "thereareinfinitelymanysolution": {kind: kText, name: "infinitelymany"},
	"infinitenumberofsolution": {kind: kText, name: "infinitelymany"}, "aninfinitenumberofsolution": {kind: kText, name: "infinitelymany"},
}

// phrase is the node of a text that words a set, and nil for any other.
func phrase(s string, o *Options) *node {
	if len(s) > 60 {
		return nil
	}
	if n, ok := phrases[wordsKey(s, o)]; ok {
		return &n
	}
	return nil
}

// months are the beginnings of the names of the months.
var months = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// date is a day of the calendar; year is 0 where none is named.
type date struct{ year, month, day int }

// dateOf reads May 5, 5th of May, May 5th, 2001, with or without the day of the week.
func dateOf(s string) (d date, ok bool) {
	if len(s) < 5 || len(s) > 60 {
		return d, false
	}
	s = stripFonts(s)
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '.' || r == '~' }) {
		word = strings.ToLower(word)
		number := strings.TrimRight(word, "stndrh")
		if digitAt(number, 0) && strings.Map(onlyDigits, number) == number {
			n := 0
			for i := 0; i < len(number) && i < 5; i++ {
				n = n*10 + int(number[i]-'0')
			}
			switch {
			case n >= 1 && n <= 31 && d.day == 0:
				d.day = n
			case n >= 1000 && n <= 9999 && d.year == 0 && number == word:
				d.year = n
			default:
				return d, false
			}
			continue
		}
		month := 0
		for i, name := range months {
			if word == name || len(word) >= 3 && len(word) <= 4 && strings.HasPrefix(name, word) {
				month = i + 1
			}
		}
		switch {
		case month > 0 && d.month == 0:
			d.month = month
		case word == "of" || word == "the" || word == "on" || strings.HasSuffix(word, "day") && len(word) > 5:
		default:
			return d, false
		}
	}
	return d, d.month > 0 && d.day > 0
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

// asserted says whether a text is a sentence that says of something that it is a word or two, whose key is the other's: The
// graph is an ellipse. A sentence that denies or doubts asserts nothing.
func (c *checker) asserted(text, key string) bool {
	if len(text) > 200 || len(key) < 3 || !strings.Contains(text, " is ") || strings.ContainsAny(key, "0123456789") {
		return false
	}
	at := strings.LastIndex(text, " is ")
	if wordsKey(text[at+len(" is "):], c.options) != key {
		return false
	}
	for _, word := range strings.Fields(strings.ToLower(text)) {
		switch word = strings.Trim(word, ",.:"); word {
		case "not", "no", "never", "nor", "neither", "if", "or", "either", "whether", "maybe", "perhaps", "cannot", "opposite", "which", "none", "nobody", "nothing":
			return false
		default:
			if strings.HasSuffix(word, "n't") {
				return false
			}
		}
	}
	return true
}

// choiceLetter reads an answer that is a letter of a multiple choice: C, (C), C., C) or C: with what it stands for.
// bracketed says that it stood in brackets or was otherwise marked as a choice.
func choiceLetter(s string) (letter byte, marked, ok bool) {
	s = strings.TrimSpace(stripFonts(s))
	called := false
	for _, name := range [...]string{"Option ", "option ", "Choice ", "choice ", "Answer "} {
		if rest, ok := strings.CutPrefix(s, name); ok {
			s, called = rest, true
		}
	}
	open := called || strings.HasPrefix(s, "(") || strings.HasPrefix(s, "[")
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
	for _, why := range [...]string{" because ", ", because ", " since ", ", since ", " as "} {
		if strings.HasPrefix(rest, why) {
			return letter, true, true
		}
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
