package verify

import "strings"

// stated says whether a number in a text without a box, an announcement and a formula after it may be its conclusion: it must
// stand in a sentence, and not in a program, a call, a quotation, a tag, or a question.
func stated(text string, at, end int) bool {
	start := strings.LastIndexByte(text[:at], '\n') + 1
	stop := len(text)
	if next := strings.IndexByte(text[at:], '\n'); next >= 0 {
		stop = at + next
	}
	line := text[start:stop]
	if codeLine(line) || strings.Count(text[start:at], "\"")%2 == 1 || inCall(text[start:at]) {
		return false
	}
	if rest := text[min(end, len(text)):]; strings.HasPrefix(rest, "</") || strings.HasPrefix(rest, "\"") || strings.HasPrefix(rest, "'") {
		return false
	}
	return !doubtful(line[sentenceStart(line[:at-start]):])
}

// codeLine says whether a line is a statement of a program, a shell or a data format.
func codeLine(line string) bool {
	line = strings.TrimSpace(line)
	for _, keyword := range [...]string{"return ", "assert ", "import ", "from ", "def ", "class ", "print(", "print ", "echo ", "const ", "let ", "var ", "SELECT ", ">>>", "$ ", "//", "#!", "/*", "elif ", "else:"} {
		if strings.HasPrefix(line, keyword) {
			switch keyword {
			case "from ", "class ", "let ", "print ", "echo ": // words of English, too
				if strings.ContainsAny(line, ".") && !strings.Contains(line, " import ") {
					continue
				}
			}
			return true
		}
	}
	for _, keyword := range [...]string{"for ", "while ", "if ", "with ", "try", "except "} {
		if strings.HasPrefix(line, keyword) && strings.HasSuffix(line, ":") {
			return true
		}
	}
	if strings.HasSuffix(line, ";") && (strings.ContainsAny(line, "=(") || len(strings.Fields(line)) < 4) {
		return true
	}
	return strings.HasSuffix(line, "{") || strings.Contains(line, "\":") || strings.Contains(line, "#include") || strings.Contains(line, "= \"") || assigns(line)
}

// assigns says whether a line is an assignment of a program: a name of letters, digits and _ with more than one letter, =, and a
// value, without a full stop, such as result = 5.
func assigns(line string) bool {
	name, value, found := strings.Cut(line, " = ")
	if !found || len(name) < 2 || strings.HasSuffix(value, ".") || strings.IndexByte(name, '_') < 0 {
		return false
	}
	for i := range len(name) {
		if !letterAt(name, i) && !digitAt(name, i) && name[i] != '_' {
			return false
		}
	}
	return true
}

// inCall says whether a text leaves the bracket of a call open, such as print( or sys.exit(; the functions of mathematics are
// none.
func inCall(before string) bool {
	depth := 0
	for i := len(before) - 1; i > 0; i-- {
		switch before[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth >= 0 || !letterAt(before, i-1) && before[i-1] != '_' {
				continue
			}
			from := i
			for from > 0 && letterAt(before, from-1) {
				from--
			}
			if name := before[from:i]; len(name) > 1 && functionNames[name] == "" {
				return true
			}
		}
	}
	return false
}

func sentenceStart(before string) int {
	return max(strings.LastIndex(before, ". "), strings.LastIndex(before, "! "), strings.LastIndex(before, "? ")) + 1
}

// doubtful says whether a sentence asks, or says that it is no conclusion.
func doubtful(sentence string) bool {
	if end := strings.IndexByte(sentence, '?'); end > 0 && strings.IndexByte(sentence[:end], '.') < 0 {
		return true
	}
	sentence = strings.ToLower(sentence)
	for _, doubt := range [...]string{"maybe", "perhaps", "don't know", "do not know", "give up", "not sure"} {
		if strings.Contains(sentence, doubt) {
			return true
		}
	}
	return false
}

// leads are the words with which a conclusion begins.
var leads = [...]string{"So ", "So, ", "Thus ", "Thus, ", "Hence ", "Hence, ", "Therefore ", "Therefore, ", "Then ", "We get ", "we get ", "we have ", "We find ", "we find ", "that "}

// dropLead cuts the words with which a conclusion begins.
func dropLead(text string) string {
	for range 3 {
		before := len(text)
		for _, lead := range leads {
			text = strings.TrimPrefix(text, lead)
		}
		if len(text) == before {
			break
		}
	}
	if len(text) > 3 && text[0]|0x20 == 'a' && text[1] == ' ' && digitAt(text, 2) { // a 30 % increase
		return text[2:]
	}
	return text
}
