package verify

import "strings"

// announcements are the phrases after which an answer stands, in lower case but for the first letter's absence.
var announcements = [...]string{"nswer", "答案", "éponse", "####", "\nA: ", "<answer>", "espuesta", "ntwort"}

// announced returns what follows the last announcement of an answer.
func announced(text string) (tail string, found bool) {
	last := -1
	for _, phrase := range announcements {
		at := lastIndex(text, phrase)
		if at < 0 || at+len(phrase) <= last {
			continue
		}
		if phrase == "nswer" {
			if at = announces(text, at); at < 0 {
				continue
			}
		} else {
			at += len(phrase)
		}
		last = max(last, at)
	}
	if last < 0 {
		if strings.HasPrefix(text, "A: ") {
			return text[3:], true
		}
		return "", false
	}
	tail = text[last:]
	if end := strings.Index(tail, "</answer>"); end >= 0 {
		tail = tail[:end]
	}
	return tail, strings.Trim(tail, " \n.:*#") != ""
}

// announces returns the end of the phrase around the last "nswer" that is followed by what announces: a colon, is, are, = or
// a formula; -1 where none is.
func announces(text string, at int) int {
	for at >= 0 {
		rest := text[at+len("nswer"):]
		trimmed := strings.TrimLeft(rest, "s*_ \n\t")
		for _, lead := range [...]string{":", "is", "are", "=", "$", "\\[", "\\(", "would be", "must be", "will be", "choice is"} {
			if !strings.HasPrefix(trimmed, lead) {
				continue
			}
			skip := len(lead)
			if lead == "$" || lead == "\\[" || lead == "\\(" {
				skip = 0
			} else if letterAt(trimmed, 0) && letterAt(trimmed, skip) {
				continue
			}
			return len(text) - len(trimmed) + skip
		}
		at = lastIndex(text[:at], "nswer")
	}
	return -1
}

// fromTail takes the answer from what follows an announcement: its first sentence.
func fromTail(tail string, o *Options) (string, bool) {
	tail = strings.TrimLeft(tail, " :*\n\t#_：是为")
	for _, is := range [...]string{"is ", "est ", "es ", "ist "} {
		tail = strings.TrimPrefix(tail, is)
	}
	for _, end := range [...]string{"\n\n", "I hope it is correct"} {
		if at := strings.Index(tail, end); at >= 0 && strings.TrimSpace(tail[:at]) != "" {
			tail = tail[:at]
		}
	}
	if at := sentenceEnd(tail); at >= 0 {
		tail = tail[:at]
	}
	tail = strings.Trim(tail, " \n\t*\"'")
	tail = strings.TrimRight(tail, ".")
	tail = strings.Trim(tail, "\"*")
	if strings.HasPrefix(tail, "\\\"") {
		tail = strings.Trim(tail, "\\\"")
	}
	if o.Search == SearchLatex {
		return lastLatex(tail, o)
	}
	return fromText(tail, o)
}

// sentenceEnd finds the full stop that ends the first sentence: after it a space and a capital letter, or a new line.
func sentenceEnd(s string) int {
	for i := 1; i+1 < len(s); i++ {
		switch {
		case s[i] == '\n' && strings.Count(s[:i], "$")%2 == 0 && strings.TrimSpace(s[:i]) != "" && s[0] != '\\' && s[0] != '$':
			return i
		case s[i] == '.' && s[i+1] == ' ' && i+2 < len(s) && s[i+2] >= 'A' && s[i+2] <= 'Z':
			return i
		case i > 4096:
			return i
		}
	}
	return -1
}

// lastLatex takes the last formula, or the formulas adjoining it as one list.
func lastLatex(text string, o *Options) (string, bool) {
	list := formulas(text, o.Search == SearchLatex)
	if len(list) == 0 {
		return "", false
	}
	return joinFormulas(text, list), true
}

func joinFormulas(text string, list []box) string {
	last := len(list) - 1
	first := last
	for first > 0 && connects(text[list[first-1].end:list[first].start], false) {
		first--
	}
	if first == last {
		return strings.TrimSpace(text[list[last].from:list[last].to])
	}
	parts := make([]string, 0, last-first+1)
	for _, f := range list[first:] {
		parts = append(parts, strings.TrimSpace(text[f.from:f.to]))
	}
	return strings.Join(parts, " , ")
}

// fromText takes the answer from a text without a box and without an announcement.
func fromText(text string, o *Options) (string, bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", false
	}
	if prose(text) == 0 {
		return text, true
	}
	if text[0] == '$' && len(dropRemark(text)) < len(text) {
		return text, true
	}
	if traceback(text) {
		return "", false
	}
	if text = afterCode(text); text == "" {
		return "", false
	}
	list := formulas(text, false)
	number, at, hasNumber := lastNumber(text)
	if n := len(list); n > 0 {
		last := list[n-1]
		// A number after the last formula is the answer, unless it is in it.
		if !hasNumber || at < last.end || prose(text[:last.start]) == 0 && last.start == 0 {
			return joinFormulas(text, list), true
		}
		if prose(text[last.end:at]) == 0 && connects(text[last.end:at], true) {
			return joinFormulas(text, list), true
		}
	}
	if prose(text) == 1 && len(text) < 80 && !longWords(text) {
		return text, true
	}
	if hasNumber && prose(text) > 0 {
		return number, true
	}
	return text, len(text) <= 4096
}

// dropRemark cuts off what only explains the names of an answer: ", where a is an integer".
func dropRemark(s string) string {
	for _, remark := range [...]string{", where ", " where ", ", for all ", ", for any ", ", for every ", ", for some "} {
		if at := strings.Index(s, remark); at > 0 {
			s = s[:at]
		}
	}
	return s
}

// afterCode is what follows the last block of code, or its content where it is all there is; a text that ends in code
// among other text has no conclusion.
func afterCode(text string) string {
	const fence = "```"
	last := lastIndex(text, fence)
	if last < 0 {
		return text
	}
	if rest := strings.TrimSpace(text[last+len(fence):]); rest != "" && strings.Count(text, fence)%2 == 0 {
		return rest
	}
	inner := strings.TrimSuffix(text, fence)
	if body, found := strings.CutPrefix(inner, fence); found && !strings.Contains(body, fence) {
		if _, content, found := strings.Cut(body, "\n"); found {
			return strings.TrimSpace(content)
		}
	}
	return ""
}

// longWords says whether a text has a formula's mark that a number alone would lose.
func longWords(text string) bool { return strings.Contains(text, "=") && strings.Contains(text, ". ") }

// traceback says whether a text ends in a program's error.
func traceback(text string) bool {
	tail := text[max(0, len(text)-4000):]
	if strings.Contains(tail, "Traceback (most recent call last)") {
		return true
	}
	at := lastIndex(tail, "Error: ")
	return at > 0 && letterAt(tail, at-1)
}

// formulas lists the pieces in $...$, $$...$$, \(...\) and \[...\]. A dollar whose partner would enclose prose is money.
// In strict mode inline formulas end with their line.
func formulas(text string, strict bool) []box {
	var list []box
	for i := 0; i < len(text); {
		next := strings.IndexAny(text[i:], "$\\")
		if next < 0 {
			break
		}
		at := i + next
		open, shut := delimiters(text[at:])
		if open == "" {
			i = at + 1
			if text[at] == '\\' {
				i++
			}
			continue
		}
		from := at + len(open)
		to := closing(text, from, shut)
		if to < 0 {
			if open == "$" {
				i = from
				continue
			}
			to = len(text)
			if shut == "\\]" || shut == "\\)" {
				i = from
				continue
			}
		}
		content := text[from:to]
		inline := open == "$" || open == "\\("
		if strings.TrimSpace(content) == "" || inline && (prose(content) > 1 || strings.Contains(content, "\n\n") || strict && strings.Contains(content, "\n")) {
			i = from
			continue
		}
		end := min(len(text), to+len(shut))
		list = append(list, box{at, end, from, to})
		i = end
	}
	return list
}

func delimiters(s string) (open, shut string) {
	switch {
	case strings.HasPrefix(s, "$$"):
		return "$$", "$$"
	case s[0] == '$':
		return "$", "$"
	case strings.HasPrefix(s, "\\("):
		return "\\(", "\\)"
	case strings.HasPrefix(s, "\\["):
		return "\\[", "\\]"
	}
	return "", ""
}

// closing finds the closing mark, past escaped dollars, at most 4096 bytes away.
func closing(text string, from int, shut string) int {
	limit := min(len(text), from+4096)
	for i := from; i < limit; {
		at := strings.Index(text[i:limit], shut)
		if at < 0 {
			return -1
		}
		if at += i; shut[0] != '$' || at == 0 || text[at-1] != '\\' {
			return at
		}
		i = at + 1
	}
	return -1
}

// prose counts the words of a text that are no part of an expression, up to 3: letters in a row that are no function, unit,
// number word or conjunction, outside LaTeX commands and their text.
func prose(text string) int {
	count := 0
	for i := 0; i < len(text) && count < 3; {
		switch {
		case text[i] == '\\':
			end := i + 1
			for letterAt(text, end) {
				end++
			}
			if name := text[i+1 : end]; texts[name] || name == "begin" || name == "end" {
				if _, after, ok := braced(text[:min(len(text), end+200)], end); ok {
					end = after
				}
			} else if end == i+1 {
				end++
			}
			i = end
		case letterAt(text, i):
			end := i
			for letterAt(text, end) {
				end++
			}
			word := text[i:end]
			if len(word) > 1 && !mathWord(word) && !(len(word) == 2 && word[0] < 'a') && !(len(word) < 4 && touchesMath(text, i, end)) {
				count++
			}
			i = end
		case text[i] >= 0xe3: // a script without capital letters
			count++
			for i < len(text) && text[i] >= 0x80 {
				i++
			}
		default:
			i++
		}
	}
	return count
}

// touchesMath says whether letters are factors: a digit or an operator stands right before or after them.
func touchesMath(text string, start, end int) bool {
	const operators = "+*/^_=<>\\"
	return start > 0 && (digitAt(text, start-1) || strings.IndexByte(operators, text[start-1]) >= 0) ||
		end < len(text) && strings.IndexByte(operators, text[end]) >= 0
}

func mathWord(word string) bool {
	if functionNames[word] != "" || constantNames[word] != "" {
		return true
	}
	switch word {
	case "and", "or", "mod", "frac", "sum", "prod":
		return true
	}
	_, ok := units[unitKey(word)]
	return ok
}

// lastNumber finds the last number or plain fraction that is not part of a word, with a bracket around it and its list.
func lastNumber(text string) (number string, at int, ok bool) {
	for end := len(text); end > 0; {
		i := end - 1
		for i >= 0 && (text[i] < '0' || text[i] > '9') {
			i--
		}
		if i < 0 {
			return "", 0, false
		}
		start := numberStart(text, i)
		if start > 0 && letterAt(text, start-1) {
			end = start
			continue
		}
		stop := i + 1
		for stop < len(text) && strings.IndexByte("})]%!", text[stop]) >= 0 {
			stop++
		}
		if strings.HasPrefix(text[stop:], "\\%") {
			stop += 2
		}
		start, stop = balance(text, start, stop)
		return strings.Trim(text[start:stop], " ,.:*"), start, true
	}
	return "", 0, false
}

// numberStart goes left from a digit over what may belong to its number.
func numberStart(text string, i int) int {
	start := i
	for start > 0 {
		c := text[start-1]
		if c >= '0' && c <= '9' || strings.IndexByte(".,/^*({[}\\", c) >= 0 {
			start--
			continue
		}
		if c == '-' || c == '+' {
			if start >= 2 && (letterAt(text, start-2) || text[start-2] == ')') {
				break
			}
			start--
			continue
		}
		if letterAt(text, start-1) { // a command's name
			j := start - 1
			for j > 0 && letterAt(text, j-1) {
				j--
			}
			if j > 0 && text[j-1] == '\\' && start-j < 12 {
				start = j - 1
				continue
			}
		}
		break
	}
	for start < i && strings.IndexByte(",.*/^}\\", text[start]) >= 0 && !letterAt(text, start+1) && !(text[start] == '.' && digitAt(text, start+1)) {
		start++
	}
	return start
}

// balance widens a piece to the left until its closing brackets are opened, or else drops them, and drops brackets that are
// not closed.
func balance(text string, start, stop int) (int, int) {
	depth := 0
	for i := start; i < stop; i++ {
		switch text[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
	}
	if depth < 0 {
		for i := start - 1; i >= max(0, start-120) && depth < 0; i-- {
			switch text[i] {
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth--
			}
			if depth == 0 && prose(text[i:stop]) == 0 && !strings.Contains(text[i:stop], "=") {
				return i, stop
			}
		}
	}
	for depth < 0 && stop > start && strings.IndexByte(")]}", text[stop-1]) >= 0 {
		stop--
		depth++
	}
	for depth > 0 && start < stop && strings.IndexByte("([{", text[start]) >= 0 {
		start++
		depth--
	}
	return start, stop
}

// extractChoice finds the letter of a multiple choice: after an announcement the first letter that stands alone, else the
// letter that the text begins with, else the only letter that stands alone.
func extractChoice(text string) (string, bool) {
	if tail, found := announced(text); found {
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
		return "", false
	}
	for i := range len(letters) {
		if letters[i] != letters[0] {
			return letters[len(letters)-1:], false
		}
	}
	return letters[:1], true
}

// loneLetters are the capital letters A to J that no other letter touches, in order; A before a small word is an article
// unless it is the first of the text.
func loneLetters(text string) string {
	var found []byte
	for i := 0; i < len(text) && len(found) < 64; i++ {
		c := text[i]
		if c < 'A' || c > 'J' || i > 0 && (letterAt(text, i-1) || digitAt(text, i-1)) || letterAt(text, i+1) || digitAt(text, i+1) {
			continue
		}
		if c == 'A' && i > 0 && i+2 < len(text) && text[i+1] == ' ' && text[i+2] >= 'a' && text[i+2] <= 'z' {
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
