package verify

import (
	"strings"
)

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
			if len(word) > 1 && !mathWord(word) && !(len(word) == 2 && word[0] == 'd' && strings.IndexByte("xyztursv", word[1]) >= 0) && !(len(word) == 2 && word[0] < 'a') && !(len(word) < 4 && touchesMath(text, i, end)) {
				count++
			} else if len(word) == 2 && strings.HasPrefix(text[end:], "'s ") { // It's
				count++
			}
			i = end
		case text[i] == 0xd0 || text[i] == 0xd1 || text[i] == 0xc3 && i+1 < len(text) && text[i+1] != 0x97 && text[i+1] != 0xb7: // Cyrillic, and letters with marks
			count++
			for i < len(text) && (text[i] >= 0x80 || letterAt(text, i)) {
				i++
			}
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
		if from, ok := unitPowerAt(text, start); ok {
			end = from
			continue
		}
		if start > 0 && letterAt(text, start-1) && !calledAt(text, start) {
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

// calledAt says whether the bracket at i is that of a function: sqrt(3).
func calledAt(text string, i int) bool {
	from := i
	for from > 0 && letterAt(text, from-1) && i-from < 8 {
		from--
	}
	return text[i] == '(' && functionNames[text[from:i]] != ""
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
			if start >= 2 && (letterAt(text, start-2) && !(start > 2 && text[start-2]|0x20 == 'e' && digitAt(text, start-3)) || text[start-2] == ')') {
				break
			}
			start--
			continue
		}
		if (c == 'e' || c == 'E') && start > 1 && digitAt(text, start-2) && (digitAt(text, start) || digitAt(text, start+1)) { // 3e9
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
