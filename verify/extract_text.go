package verify

import "strings"

// fromTail takes the answer from what follows an announcement: its first sentence.
func fromTail(tail string, o *Options) (string, bool) {
	const marks = " :*\n\t#_：是为"
	tail = strings.TrimLeft(tail, marks)
	for _, is := range [...]string{"is ", "est ", "es ", "ist ", "lautet", "é ", "è ", "ni ", "är ", "este ", "to ", "হল ", "है ", "คือ", "は", "هي ", "هو "} {
		if rest, found := strings.CutPrefix(tail, is); found {
			tail = strings.TrimLeft(rest, marks)
			break
		}
	}
	tail = afterCopula(tail)
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
	text = dropLead(strings.TrimSpace(text))
	if text == "" {
		return "", false
	}
	if prose(text) == 0 {
		return text, true
	}
	if text[0] == '$' && len(dropRemark(text)) < len(text) || rewritable(text) {
		return text, true
	}
	if traceback(text) {
		return "", false
	}
	if text = afterCode(text); text == "" {
		return "", false
	}
	if bold, ok := lastBold(text); ok {
		return bold, true
	}
	if number, ok := counted(text); ok {
		return number, true
	}
	text = dropReason(unbold(text))
	list := formulas(text, false)
	text = dropRange(text)
	number, at, hasNumber := lastNumber(text)
	if n := len(list); n > 0 {
		last := list[n-1]
		// A number after the last formula is the answer, unless it is in it.
		if !hasNumber || at < last.end || prose(text[:last.start]) == 0 && last.start == 0 {
			return joinFormulas(text, list), true
		}
		if between := text[last.end:at]; prose(between) == 0 && connects(between, true) || roughlySays(between) {
			return joinFormulas(text, list), true
		}
	}
	if prose(text) == 1 && len(text) < 80 && !strings.Contains(text, " is ") && !strings.Contains(text, "'s ") && !longWords(text) && !codeLine(text) {
		return text, true
	}
	if hasNumber && prose(text) > 0 {
		if !stated(text, at, at+len(number)) || bounded(text[:at]) {
			return "", false
		}
		if at+len(number) == len(text) && at > 0 { // an exclamation is no factorial
			number = strings.TrimSuffix(number, "!")
		}
		return whole(text, at, number)
	}
	if len(text) > 4096 {
		return "", false
	}
	return text, true
}

// dropRemark cuts off what only explains the names of an answer: ", where a is an integer", "(not 10)".
func dropRemark(s string) string {
	if strings.Contains(s, "where ") || strings.Contains(s, "for ") {
		s = dropWhere(s)
	}
	if !strings.HasSuffix(s, ")") {
		return s
	}
	if at := strings.LastIndex(s, " ("); at > 0 && strings.TrimSpace(s[:at]) != "" {
		if inside := s[at+2 : len(s)-1]; prose(inside) > 0 && !strings.Contains(inside, "base ") && strings.IndexByte(inside, '\\') < 0 && strings.IndexByte(inside, ')') < 0 {
			s = s[:at]
		}
	}
	return s
}

func dropWhere(s string) string {
	for _, remark := range [...]string{"where ", "for all ", "for any ", "for every ", "for some ", "for integer"} {
		at := strings.Index(s, remark)
		if at <= 0 || strings.IndexByte(" {,$", s[at-1]) < 0 {
			continue
		}
		before := strings.TrimRight(s[:at], " ,")
		for _, font := range [...]string{"\\text{", "\\mbox{", "\\textrm{"} {
			before = strings.TrimSuffix(before, font)
		}
		if before = strings.TrimRight(before, " ,\\;:"); before != "" {
			s = before
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
	return at == 0 || at > 0 && (letterAt(tail, at-1) || tail[at-1] == '\n')
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
		if strings.TrimSpace(content) == "" || inline && (isMoney(content) || prose(content) > 1 || strings.Contains(content, "\n\n") || strict && strings.Contains(content, "\n")) {
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
