package verify

import (
	"strings"
)

// extractChoice finds the letter of a multiple choice: after an announcement the first letter that stands alone, else the
// letter that the text begins with, else the only letter that stands alone.
func extractChoice(text string) (string, bool) {
	if letter, ok := soleLetter(text); ok {
		return letter, true
	}
	if set := letterSet(text); len(set) > 1 {
		return set, true
	}
	if tail, found := announced(text); found {
		sentence := tail
		if end := sentenceEnd(tail); end >= 0 {
			sentence = tail[:end]
		}
		if set := letterSet(sentence); len(set) > 1 {
			return set, true
		}
		if letter, ok := soleLetter(tail); ok {
			return letter, true
		}
		if letters := loneLetters(tail); len(letters) > 0 {
			return letters[:1], true
		}
	}
	trimmed := strings.TrimLeft(text, " \n*([")
	if letters := loneLetters(trimmed); len(letters) > 0 && trimmed[0] == letters[0] {
		return letters[:1], true
	}
	letters := loneLetters(text)
	if letters == "" {
		return smallLetter(text)
	}
	for i := range len(letters) {
		if letters[i] != letters[0] {
			return letters[len(letters)-1:], false
		}
	}
	return letters[:1], true
}

// smallLetter is the only small letter in brackets of a text that names an option, a choice or an answer: option (b).
func smallLetter(text string) (string, bool) {
	if !strings.Contains(text, "ption") && !strings.Contains(text, "hoice") && !strings.Contains(text, "nswer") {
		return "", false
	}
	letter := byte(0)
	for i := 0; i+2 < len(text); i++ {
		if text[i] != '(' || text[i+2] != ')' || text[i+1] < 'a' || text[i+1] > 'j' {
			continue
		}
		if letter != 0 && letter != text[i+1] {
			return "", false
		}
		letter = text[i+1]
	}
	if letter == 0 {
		return "", false
	}
	return string(letter &^ 0x20), true
}

var conjunctions = strings.NewReplacer(" and ", " ", " or ", " ")

// letterSet is the letters of a text that names one or several choices and nothing else, in order: A and C, (A), (C), ACD. It
// is empty for any other text.
func letterSet(text string) string {
	if len(text) > 200 {
		return ""
	}
	var found [10]bool
	text = conjunctions.Replace(stripFonts(unwrapped(text)))
	letters := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'A' && c <= 'J':
			found[c-'A'] = true
			letters++
		case strings.IndexByte(" ,;&()[].*:\n", c) < 0:
			return ""
		}
	}
	set := ""
	for i, is := range found {
		if is {
			set += string(rune('A' + i))
		}
	}
	if len(set) != letters {
		return ""
	}
	return set
}

// soleLetter is the letter of a text that is nothing else, of any case, perhaps in brackets.
func soleLetter(text string) (string, bool) {
	if len(text) > 200 {
		return "", false
	}
	text = strings.Trim(stripFonts(unwrapped(text)), " \n\t*().[]$:")
	if len(text) != 1 || !letterAt(text, 0) || text[0]&^0x20 > 'J' {
		return "", false
	}
	return string(text[0] &^ 0x20), true
}

// loneLetters are the capital letters A to J that no other letter touches, in order, but for those after not; A before a small
// word is an article unless it is the first of the text.
func loneLetters(text string) string {
	var found []byte
	for i := 0; i < len(text) && len(found) < 64; i++ {
		c := text[i]
		if c < 'A' || c > 'J' || i > 0 && (letterAt(text, i-1) || digitAt(text, i-1)) || letterAt(text, i+1) || digitAt(text, i+1) {
			continue
		}
		if strings.HasSuffix(text[:i], "not ") || strings.HasSuffix(text[:i], "Not ") || strings.HasSuffix(text[:i], "not (") {
			continue
		}
		if c == 'A' && i > 0 && !strings.HasPrefix(text[i+1:], " and ") && !strings.HasPrefix(text[i+1:], " or ") && i+2 < len(text) && text[i+1] == ' ' && text[i+2] >= 'a' && text[i+2] <= 'z' {
			continue
		}
		if c == 'I' && !strings.HasPrefix(text[i+1:], ")") && i+1 < len(text) {
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			continue
		}
		found = append(found, c)
	}
	return string(found)
}
