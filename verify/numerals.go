package verify

import (
	"strings"

	"github.com/retort-ml/retort/verify/internal/rat"
)

// spelledUnits are the number words up to ninety; spelledScales those that multiply what stands before them.
var spelledUnits = map[string]int64{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
	"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
	"nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}

var spelledScales = map[string]int64{
	"dozen": 12, "hundred": 100, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "lakh": 1e5, "lakhs": 1e5, "crore": 1e7, "crores": 1e7,
}

// spelledParts are the words for the parts of a whole.
var spelledParts = map[string]int64{
	"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4, "fifth": 5, "fifths": 5,
	"sixth": 6, "sixths": 6, "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8, "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10,
	"twelfth": 12, "twelfths": 12, "hundredth": 100, "hundredths": 100,
}

// maySpell says whether a text may begin with a word, without looking at it any further.
func maySpell(s string) bool {
	if letterAt(s, 0) {
		return letterAt(s, 1) && letterAt(s, 2)
	}
	return strings.HasPrefix(s, "\\text") || strings.HasPrefix(s, "\\mathrm{") || strings.HasPrefix(s, "\\mbox")
}

// spelled reads a text that begins with a number in words: twelve, two thirds, one hundred and five apples. rest is what
// follows it, the noun.
func spelled(text string) (value rat.Rat, rest string, ok bool) {
	if len(text) > 200 {
		return rat.Rat{}, "", false
	}
	text = strings.TrimSpace(stripFonts(text))
	if len(text) < 3 || !letterAt(text, 0) {
		return rat.Rat{}, "", false
	}
	total, current, seen, last := int64(0), int64(0), false, int64(0)
	at := 0
	for at < len(text) {
		end := at
		for letterAt(text, end) {
			end++
		}
		word := strings.ToLower(text[at:end])
		n, isUnit := spelledUnits[word]
		scale, isScale := spelledScales[word]
		part, isPart := spelledParts[word]
		switch {
		case isUnit && seen && !(last >= 20 && last < 100 && n < 10 && n > 0 || last >= 100):
			return rat.Rat{}, "", false // two numbers
		case isUnit:
			current, seen, last = current+n, true, n
		case isScale && seen && scale == 100:
			current, last = max(current, 1)*100, 100
		case isScale && seen:
			total, current, last = total+max(current, 1)*scale, 0, scale
		case isPart && (seen || part == 2 && at == 0) && total+current < 1000:
			return rat.Of(max(total+current, 1), part), strings.TrimSpace(text[end:]), true
		case word == "and" && seen && total+current < 1000:
			if part, more := partOf(text[end:]); part.Sign() > 0 {
				return rat.Int(total + current).Add(part), more, true
			}
			if last < 100 {
				return rat.Int(total + current), strings.TrimSpace(text[at:]), at > 0 && text[at-1] != '-'
			}
		case word == "and" && seen && last >= 100:
		default: // a noun, but not one that a hyphen joins: one-sided
			return rat.Int(total + current), strings.TrimSpace(text[at:]), seen && end > at && text[at-1] != '-'
		}
		if total > 1e15 {
			return rat.Rat{}, "", false
		}
		for at = end; at < len(text) && (text[at] == ' ' || text[at] == '-'); at++ {
		}
		if at == end && at < len(text) {
			return rat.Int(total + current), "", seen && strings.Trim(text[at:], " .") == ""
		}
	}
	return rat.Int(total + current), "", seen
}

// partOf reads what follows and in a mixed number: a half, one third, three quarters. It is 0 for any other text.
func partOf(text string) (value rat.Rat, rest string) {
	number, text, _ := strings.Cut(strings.ToLower(strings.TrimSpace(text)), " ")
	count, ok := spelledUnits[number]
	if number == "a" || number == "an" {
		count, ok = 1, true
	}
	part, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	under := spelledParts[strings.TrimRight(part, ".")]
	if !ok || under == 0 || count < 1 || count >= under {
		return rat.Rat{}, ""
	}
	return rat.Of(count, under), strings.TrimSpace(rest)
}

// roman is the value of a Roman numeral from 2 to 39 in its only right spelling, written in capitals.
func roman(s string) (int64, bool) {
	if !strings.ContainsAny(s, "IVX") {
		return 0, false
	}
	s = strings.TrimSpace(stripFonts(s))
	if len(s) < 2 || len(s) > 7 || strings.Trim(s, "IVX") != "" {
		return 0, false
	}
	tens := len(s) - len(strings.TrimLeft(s, "X"))
	ones := [...]string{"", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"}
	for n, spelling := range ones {
		if s[tens:] == spelling && tens < 4 {
			return int64(10*tens + n), true
		}
	}
	return 0, false
}

// spelledNode is the node of a number in words with its noun, and nil for any other text.
func spelledNode(text string) *node {
	value, noun, ok := spelled(text)
	if !ok {
		return nil
	}
	n := &node{kind: kNumber, value: value}
	noun = strings.Trim(noun, " .")
	if noun == "" {
		return n
	}
	for _, word := range strings.Fields(strings.ToLower(noun)) {
		if _, another := spelledUnits[word]; another || spelledParts[word] != 0 || !onlyLetters(word) {
			return nil
		}
		switch word {
		case "and", "or", "to", "of", "in", "out", "plus", "minus", "times", "over", "point", "divided", "by", "squared", "cubed", "less", "more", "than", "not", "per":
			return nil
		}
	}
	return &node{kind: kQuantity, name: noun, args: []*node{n}}
}

func onlyLetters(s string) bool {
	for i := range len(s) {
		if !letterAt(s, i) {
			return false
		}
	}
	return true
}
