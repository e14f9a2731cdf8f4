package verify

import "strings"

// Words may act on the number beside them: negative 5, the square root of 7, 5 squared, half of 8. Such a text is rewritten as
// mathematics; where it cannot be, the number beside the words is no answer.

// actions are the words that act on what follows them, with what then stands before and after it. Longer ones come first.
var actions = [...]struct{ words, before, after string }{
	{"principal square root of ", "\\sqrt{", "}"}, {"positive square root of ", "\\sqrt{", "}"}, {"square root of ", "\\sqrt{", "}"},
	{"fourth root of ", "\\sqrt[4]{", "}"}, {"fifth root of ", "\\sqrt[5]{", "}"}, {"cube root of ", "\\sqrt[3]{", "}"},
	{"square root ", "\\sqrt{", "}"}, {"cube root ", "\\sqrt[3]{", "}"}, {"root of ", "\\sqrt{", "}"}, {"root ", "\\sqrt{", "}"}, {"sqrt of ", "\\sqrt{", "}"},
	{"negative ", "-(", ")"}, {"minus ", "-(", ")"}, {"positive ", "(", ")"}, {"plus or minus ", "\\pm(", ")"},
	{"one half of ", "\\frac{1}{2}(", ")"}, {"half of ", "\\frac{1}{2}(", ")"}, {"one third of ", "\\frac{1}{3}(", ")"}, {"a third of ", "\\frac{1}{3}(", ")"},
	{"one quarter of ", "\\frac{1}{4}(", ")"}, {"a quarter of ", "\\frac{1}{4}(", ")"}, {"one fourth of ", "\\frac{1}{4}(", ")"},
	{"twice ", "2(", ")"}, {"thrice ", "3(", ")"},
	{"square of ", "(", ")^2"}, {"cube of ", "(", ")^3"}, {"factorial of ", "(", ")!"}, {"reciprocal of ", "1/(", ")"}, {"absolute value of ", "|", "|"},
	{"opposite of ", "-(", ")"}, {"natural log of ", "\\ln(", ")"}, {"natural logarithm of ", "\\ln(", ")"},
}

// endActions are the words that act on what stands before them.
var endActions = [...]struct{ words, after string }{
	{" squared", "^2"}, {" cubed", "^3"}, {" factorial", "!"}, {" to the second power", "^2"}, {" to the third power", "^3"}, {" to the fourth power", "^4"}, {" to the fifth power", "^5"},
}

// joiners are the words that join two values, with the operator that they say.
var joiners = [...]struct{ word, operator string }{
	{" plus ", "+"}, {" minus ", "-"}, {" times ", "\\cdot "}, {" multiplied by ", "\\cdot "}, {" divided by ", "/"}, {" over ", "/"},
	{" to the power of ", "^"}, {" to the power ", "^"},
}

// mayAct says whether a short text holds a word that acts on numbers. Commands of LaTeX are none.
func mayAct(s string) bool {
	if len(s) > 120 {
		return false
	}
	for i := 0; i+3 < len(s); i++ {
		if !letterAt(s, i) {
			continue
		}
		start := i
		for letterAt(s, i) {
			i++
		}
		if i-start < 4 || i-start > 10 || start > 0 && s[start-1] == '\\' {
			continue
		}
		switch strings.ToLower(s[start:i]) {
		case "negative", "minus", "positive", "plus", "square", "squared", "cube", "cubed", "root", "sqrt", "half", "third", "quarter", "fourth", "fifth",
			"twice", "thrice", "factorial", "times", "over", "divided", "multiplied", "power", "absolute", "opposite", "reciprocal", "natural":
			return true
		}
	}
	return false
}

// rewritable says whether a text with words is one that parse writes as mathematics.
func rewritable(text string) bool {
	if mayAct(text) {
		if _, acts := wordedForm(text); acts {
			return true
		}
	}
	_, ok := respelled(text)
	return ok
}

// wordedForm is mathematics for a text in which words act on numbers; acts is true where there are such words, and form is empty
// where they leave more than one reading or act on no plain value.
func wordedForm(s string) (form string, acts bool) {
	s = strings.ToLower(strings.Trim(stripText(s), " .\n"))
	for _, b := range joiners {
		left, right, found := strings.Cut(s, b.word)
		if !found {
			continue
		}
		x, actsX := actedValue(left)
		y, actsY := actedValue(right)
		if x == "" && !actsX || y == "" && !actsY {
			continue // a text about something else
		}
		if x == "" || y == "" || actsX && strings.Contains(left, "of ") || actsY && b.operator != "+" && b.operator != "-" {
			return "", true // the root of 3 over 2
		}
		return bracketed(x) + b.operator + bracketed(y), true
	}
	return actedValue(s)
}

// stripText takes the font commands off a text that has any, but leaves the rest as it is.
func stripText(s string) string {
	if !strings.Contains(s, "\\text") && !strings.Contains(s, "\\mathrm") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		for _, font := range [...]string{"\\text{", "\\textbf{", "\\textrm{", "\\mathrm{"} {
			if !strings.HasPrefix(s[i:], font) {
				continue
			}
			if content, end, ok := braced(s, i+len(font)-1); ok {
				b.WriteString(content)
				b.WriteByte(' ')
				i = end
			}
			break
		}
		if i < len(s) {
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

func bracketed(s string) string {
	if strings.Map(onlyDigits, s) == s {
		return s
	}
	return "(" + s + ")"
}

// actedValue reads one value with the words that act on it.
func actedValue(s string) (form string, acts bool) {
	s = strings.TrimSpace(s)
	s = strings.TrimSpace(strings.TrimPrefix(s, "the "))
	for _, a := range actions {
		rest, found := strings.CutPrefix(s, a.words)
		if !found {
			continue
		}
		inner, _ := actedValue(rest)
		if inner == "" {
			return "", strings.ContainsAny(rest, "0123456789\\") && !strings.ContainsAny(rest, ",=:") && !strings.Contains(rest, " is ")
		}
		return a.before + inner + a.after, true
	}
	for _, e := range endActions {
		if rest, found := strings.CutSuffix(s, e.words); found {
			if inner, _ := actedValue(rest); inner != "" && !strings.HasPrefix(inner, "-") {
				return "(" + inner + ")" + e.after, true
			}
			return "", plainValue(rest)
		}
	}
	if root := strings.Index(s, " root "); root > 0 && plainValue(s[:root]) && plainValue(s[root+len(" root "):]) { // 3 root 2
		return s[:root] + "\\sqrt{" + s[root+len(" root "):] + "}", true
	}
	if plainValue(s) {
		return strings.Trim(s, "$ "), false
	}
	if value, rest, ok := spelled(s); ok && rest == "" {
		return value.String(), false
	}
	return "", false
}

// plainValue says whether a text is a value without words: digits, marks, commands, single letters.
func plainValue(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s, ",;=<>:?") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if letterAt(s, i) && letterAt(s, i+1) && (i == 0 || s[i-1] != '\\') && !strings.HasPrefix(s[i:], "infinity") {
			return false
		}
		for i < len(s) && (s[i] == '\\' || letterAt(s, i)) {
			i++
		}
	}
	return strings.ContainsAny(s, "0123456789\\") || len(s) == 1 || s == "infinity"
}

// actedOn looks at the words beside the last number of a text, from at to end. number is the number with what acts on it; ok is
// false where words act on it that cannot be applied.
func actedOn(text string, at, end int) (number string, ok bool) {
	number = text[at:end]
	start, stop := at, end
	from := max(0, at-40)
	head := strings.ToLower(text[from:at])
	if len(head) != at-from {
		return number, true // letters that change their length
	}
	head = strings.TrimRight(head, "$( ") + " "
	if strings.HasSuffix(head, " of ") && strings.Contains(head, "log") { // log base 2 of 10
		return "", false
	}
	for more := true; more; {
		more = false
		for _, a := range actions {
			rest, found := strings.CutSuffix(head, a.words)
			if !found || rest != "" && letterAt(rest, len(rest)-1) || strings.HasPrefix(a.words, "root ") {
				continue // an equation has the root 5
			}
			if last := strings.TrimRight(rest, " "); a.words == "minus " && last != "" && (digitAt(last, len(last)-1) || strings.IndexByte(")}$", last[len(last)-1]) >= 0) {
				return "", false // 10 minus 4
			}
			start, head, more = from+len(rest), rest, true
			break
		}
	}
	tail := strings.ToLower(text[end:min(len(text), end+24)])
	for _, e := range endActions {
		if strings.HasPrefix(tail, e.words) && !letterAt(tail, len(e.words)) {
			stop = end + len(e.words)
			if next := strings.TrimLeft(text[stop:], " "); letterAt(next, 0) && e.words != " factorial" {
				return "", false // 5 squared units
			}
		}
	}
	if start >= at && stop == end {
		return number, true
	}
	form, _ := wordedForm(text[start:stop])
	return form, form != ""
}
