package verify

import (
	"strconv"
	"strings"
)

// respelled rewrites a whole text that words a number in a base (110 in base 2, 4343 (base 6)), has the prefix of a base
// (0x1F, 0b101), or names a time of day (7 o'clock, noon), in the notation that the parser reads.
func respelled(s string) (string, bool) {
	if len(s) < 3 || len(s) > 80 {
		return s, false
	}
	switch s[0] {
	case '0':
		return prefixedBase(s)
	case '{': // {x | -1 < x < 2}, whose backslashes were forgotten
		if at := strings.IndexAny(s, "|:"); at > 1 && at < 6 && letterAt(strings.TrimSpace(s[1:at]), 0) && s[len(s)-1] == '}' {
			return "\\" + s, true
		}
		return s, false
	}
	switch {
	case strings.Contains(s, "ase "), strings.Contains(s, "ase~"):
		return wordedBase(s)
	case strings.Contains(s, "xcept "), strings.Contains(s, "xcept}"):
		return exception(s)
	case strings.Contains(s, "clock"), strings.Contains(s, "noon"), strings.Contains(s, "idnight"):
		return timeOfDay(s)
	}
	return s, false
}

// prefixedBase reads 0x1F, 0o17 and 0b101, as programs write them, as 1F_{16}, 17_{8} and 101_{2}.
func prefixedBase(s string) (string, bool) {
	base, digits := "", ""
	switch s[1] {
	case 'x', 'X':
		base, digits = "16", "0123456789abcdefABCDEF"
	case 'o':
		base, digits = "8", "01234567"
	case 'b', 'B':
		base, digits = "2", "01"
	default:
		return s, false
	}
	if strings.Trim(s[2:], digits) != "" {
		return s, false
	}
	return strings.ToUpper(s[2:]) + "_{" + base + "}", true
}

// wordedBase reads 110 base 2, 110 in base two and 4343 (base 6).
func wordedBase(s string) (string, bool) {
	plain := strings.NewReplacer("~", " ", "(", " ", ")", " ", "-", " ", "$", "", "\\", " ").Replace(strings.ToLower(stripText(s)))
	fields := strings.Fields(plain)
	if len(fields) == 4 && fields[1] == "in" {
		fields = append(fields[:1], fields[2:]...)
	}
	if len(fields) != 3 || fields[1] != "base" {
		return s, false
	}
	digits, base := fields[0], strings.Trim(fields[2], ".{}")
	if n, ok := spelledUnits[base]; ok && n > 0 {
		base = strconv.FormatInt(n, 10)
	}
	if !digitAt(base, 0) || len(base) > 2 || strings.Trim(base, "0123456789") != "" || strings.Trim(digits, "0123456789abcdef") != "" {
		return s, false
	}
	return strings.ToUpper(digits) + "_{" + base + "}", true
}

// timeOfDay reads 7 o'clock as 7:00, noon as 12:00 p.m. and midnight as 12:00 a.m.
func timeOfDay(s string) (string, bool) {
	plain := strings.ToLower(strings.Trim(strings.NewReplacer("’", "'", "~", " ", "$", "").Replace(stripText(s)), " ."))
	for _, lead := range [...]string{"at ", "12:00 ", "12 "} {
		plain = strings.TrimPrefix(plain, lead)
	}
	switch plain {
	case "noon":
		return "12:00 p.m.", true
	case "midnight":
		return "12:00 a.m.", true
	}
	hour, rest, _ := strings.Cut(plain, " ")
	if n, ok := spelledUnits[hour]; ok {
		hour = strconv.FormatInt(n, 10)
	}
	rest = strings.ReplaceAll(rest, " ", "")
	if strings.Map(onlyDigits, hour) != hour || hour == "" || len(hour) > 2 || !strings.HasPrefix(rest, "o'clock") {
		return s, false
	}
	return hour + ":00 " + strings.TrimPrefix(rest, "o'clock"), true
}

// exception reads all real numbers except 2 as the reals without 2.
func exception(s string) (string, bool) {
	plain := strings.TrimSpace(stripText(s))
	before, after, _ := strings.Cut(plain, "xcept ")
	before = strings.ToLower(strings.TrimSpace(before))
	switch strings.TrimSuffix(strings.TrimSuffix(before, "e"), " ") {
	case "all real numbers", "all real numbers x", "all reals", "any real number", "all real x", "all x", "every real number", "the set of all real numbers":
	default:
		return s, false
	}
	after = strings.Trim(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(after), "for "), "x = "), " .$")
	if !plainList(after) {
		return s, false
	}
	return "\\mathbb{R}\\setminus\\{" + after + "\\}", true
}

// plainList says whether a text is values with commas or and between them.
func plainList(s string) bool {
	for _, item := range strings.Split(strings.ReplaceAll(s, " and ", ","), ",") {
		if item = strings.TrimSpace(item); item != "" && !plainValue(item) {
			return false
		}
	}
	return s != ""
}
