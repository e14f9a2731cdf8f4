package verify

import "strings"

// announcements are the phrases after which an answer stands; without the first letter, both cases are found.
var announcements = [...]string{"nswer", "éponse", "####", "\nA: ", "<answer>", "espuesta", "ntwort", "ption is", "hoice is", "esposta", "isposta",
	"ntwoord", "Ans.", "Ans:", "Jibu"}

// announcementBytes are the bytes of each announcement: most texts lack one of each, which is found faster than fifteen phrases are searched.
var announcementBytes = func() (sets [len(announcements)]byteSet) {
	for i, phrase := range announcements {
		sets[i] = bytesOf(phrase)
	}
	return sets
}()

// foreign are those in scripts or with letters beyond ASCII.
var foreign = [...]string{"答案", "答え", "答：", "정답", "الإجابة", "الجواب", "उत्तर", "উত্তর", "คำตอบ", "Ответ", "Đáp án", "đáp án", "đáp số", "dpowiedź", "Απάντηση"}

// announced returns what follows the last announcement of an answer.
func announced(text string) (tail string, found bool) {
	if strings.IndexByte(text, ' ') < 0 && strings.IndexByte(text, ':') < 0 && strings.IndexByte(text, '#') < 0 && strings.IndexByte(text, '<') < 0 && ascii(text) {
		return "", false // one word, one formula
	}
	last := -1
	present := bytesOf(text)
	for i, phrase := range announcements {
		if !announcementBytes[i].within(&present) {
			continue
		}
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
	if !ascii(text) {
		for _, phrase := range foreign {
			if at := lastIndex(text, phrase); at >= 0 {
				last = max(last, at+len(phrase))
			}
		}
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

// afterCopula cuts what stands between an announcement and its verb, as in "la risposta finale è 48", and the adverbs after it.
func afterCopula(tail string) string {
	head := tail[:min(len(tail), 32)]
	if at := strings.IndexAny(head, "0123456789$\\*\n."); at >= 0 {
		head = head[:at]
	}
	for _, is := range [...]string{" è ", " é ", " est ", " es ", " ist ", " är ", " is ", " será ", " sarà "} {
		if at := strings.Index(head, is); at > 0 {
			tail = tail[at+len(is):]
			break
		}
	}
	for _, adverb := range [...]string{"indeed ", "exactly ", "simply ", "just ", "thus ", "therefore ", "hence ", "then ", "donc ", "clearly ", "now "} {
		tail = strings.TrimPrefix(tail, adverb)
	}
	return tail
}

func ascii(text string) bool {
	for len(text) >= 8 {
		if (text[0]|text[1]|text[2]|text[3]|text[4]|text[5]|text[6]|text[7])&0x80 != 0 {
			return false
		}
		text = text[8:]
	}
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// endings are the marks of a proof's end.
var endings = [...]string{"$\\blacksquare$", "\\blacksquare", "$\\square$", "$\\Box$", "\\qed", "Q.E.D", "QED", "∎", "■", "□"}

// tags are the tags of HTML that only set type.
var tags = strings.NewReplacer("<b>", "", "</b>", "", "<strong>", "", "</strong>", "", "<i>", "", "</i>", "", "<em>", "", "</em>", "", "<u>", "", "</u>", "",
	"<p>", "\n", "</p>", "\n", "<br>", "\n", "<br/>", "\n", "<br />", "\n", "<sup>", "^{", "</sup>", "}", "<sub>", "_{", "</sub>", "}", "&nbsp;", " ", "&lt;", "<", "&gt;", ">")

// tidy cuts off the mark of a proof's end, and takes out what HTML adds; digits of other scripts become ASCII.
func tidy(text string) string {
	for trimmed := strings.TrimRight(text, " \n."); mayEnd(trimmed); {
		before := len(trimmed)
		for _, mark := range endings {
			trimmed = strings.TrimSuffix(trimmed, mark)
		}
		if len(trimmed) == before {
			break
		}
		if trimmed = strings.TrimRight(trimmed, " \n"); trimmed == "" {
			return text
		}
		text = trimmed
	}
	if strings.IndexByte(text, '<') >= 0 && (strings.Contains(text, "</") || strings.Contains(text, "<br")) {
		text = tags.Replace(text)
	}
	return arabicDigits(text)
}

// mayEnd says whether the last byte of a text can be the last of a mark of a proof's end.
func mayEnd(text string) bool {
	if text == "" {
		return false
	}
	c := text[len(text)-1]
	return c >= 0x80 || c == '$' || c == 'e' || c == 'x' || c == 'd' || c == 'D'
}

// arabicDigits writes the digits of other scripts, such as ২ and ٣, as those of ASCII.
func arabicDigits(text string) string {
	if ascii(text) || !hasScriptDigits(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		for _, zero := range [...]rune{0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50} {
			if r >= zero && r < zero+10 {
				return '0' + r - zero
			}
		}
		return r
	}, text)
}

// hasScriptDigits looks for the first bytes of such digits in UTF-8.
func hasScriptDigits(text string) bool {
	return strings.IndexByte(text, 0xd9) >= 0 || strings.IndexByte(text, 0xdb) >= 0 || strings.IndexByte(text, 0xe0) >= 0
}

// lastBold is the mathematics in bold at the end of a sentence: The values are **3, 4, and 5**. Without any number in the text,
// it is the last words in bold.
func lastBold(text string) (string, bool) {
	const mark = "**"
	shut := lastIndex(text, mark)
	if shut < 2 || strings.Trim(text[shut+len(mark):], " \n.!") != "" {
		return "", false
	}
	open := lastIndex(text[:shut], mark)
	if open < 0 || strings.Count(text[:open], mark)%2 != 0 {
		return "", false
	}
	content := strings.TrimRight(strings.TrimSpace(text[open+len(mark):shut]), ".:")
	if content == "" || len(content) > 120 || strings.IndexByte(content, '\n') >= 0 {
		return "", false
	}
	if !strings.ContainsAny(content, "0123456789") {
		return content, !strings.ContainsAny(text, "0123456789$\\")
	}
	return content, strings.IndexByte(content, ',') > 0 && prose(content) == 0 && strings.IndexByte(content, '$') < 0
}

// dropRange cuts off the last words of a text where they only say within which numbers something was counted: between 1 and 100.
func dropRange(text string) string {
	start := lastSentence(text)
	for _, w := range [...][2]string{{" between ", " and "}, {" from ", " to "}} {
		at := strings.Index(text[start:], w[0])
		if at < 0 {
			continue
		}
		at += start
		low, high, found := strings.Cut(strings.TrimRight(text[at+len(w[0]):], " .$"), w[1])
		low, high = strings.Trim(low, " $"), strings.TrimSuffix(strings.Trim(high, " $"), " inclusive")
		if found && plainNumber(low) && plainNumber(strings.TrimRight(high, ",")) && strings.ContainsAny(text[start:at], "0123456789") {
			return text[:at]
		}
	}
	return text
}

// lastSentence is where the last sentence of a text begins, not further than 300 bytes from its end.
func lastSentence(text string) int {
	start := max(0, len(text)-300)
	tail := text[start:max(start, len(text)-2)]
	if at := strings.LastIndexByte(tail, '\n'); at >= 0 {
		tail, start = tail[at+1:], start+at+1
	}
	return start + sentenceStart(tail)
}

// bounded says whether the words right before a number make it a bound of an answer and not the answer.
func bounded(before string) bool {
	before = strings.ToLower(strings.TrimRight(before[max(0, len(before)-40):], " $*"))
	for _, bound := range [...]string{"less than", "more than", "greater than", "fewer than", "larger than", "smaller than", "at least", "at most", "is not", "isn't"} {
		if strings.HasSuffix(before, bound) {
			return true
		}
	}
	return false
}

// roughlySays says whether what stands between a formula and a number makes the number a remark: $3\sqrt{2}$ (about 4.24).
func roughlySays(between string) bool {
	between, open := strings.CutPrefix(strings.TrimLeft(between, " .,"), "(")
	between = strings.TrimSpace(between)
	for _, word := range [...]string{"about", "approximately", "approx.", "approx", "roughly", "around", "≈", "~", "or about", "or approximately", "which is about", "which is approximately", "i.e. about"} {
		if between == word {
			return open || word != "around"
		}
	}
	return open && (between == "or" || between == "i.e." || between == "i.e.," || between == "=")
}

// isMoney says whether what stands between two dollars is a price and an operator: $40 + $24.
func isMoney(content string) bool {
	trimmed := strings.TrimRight(content, " ")
	return trimmed != "" && digitAt(trimmed, 0) && strings.IndexByte("+-=*/×÷", trimmed[len(trimmed)-1]) >= 0
}

// series widens a number to the list that it ends: 3, 4, and 5.
func series(text string, at int, number string) string {
	if strings.Map(onlyDigits, number) != number || at+len(number) > len(text) {
		return number
	}
	before := text[:at]
	rest, found := strings.CutSuffix(before, " and ")
	if !found {
		return number
	}
	list := strings.TrimRight(rest, ",")
	for i := len(list); ; {
		from := i
		for from > 0 && digitAt(list, from-1) {
			from--
		}
		if from == i {
			return number
		}
		if !strings.HasSuffix(list[:from], ", ") {
			if from == 0 || list[from-1] != ' ' || i == len(list) {
				return number // 12 and 13 may be anything
			}
			return list[from:] + ", " + number
		}
		i = from - len(", ")
	}
}

// commaLanguage says whether a completion is in a language that writes decimals with a comma, by its announcement.
func commaLanguage(text string) bool {
	for _, phrase := range [...]string{"ntwort", "éponse", "espuesta", "esposta", "isposta", "ntwoord", "Ответ", "ответ", "dpowiedź"} {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}

// decimalComma reads the answer of a text in such a language, where it is a number with a comma or with points between groups.
func decimalComma(text, answer string) (string, bool) {
	if len(answer) == len(text) {
		return answer, false
	}
	if number, ok := commaNumber(answer); ok && commaLanguage(text) {
		return number, true
	}
	return answer, false
}

// commaNumber reads 2,5 as 2.5 and 1.500 as 1500, perhaps before a unit.
func commaNumber(s string) (string, bool) {
	if strings.IndexByte(s, ',') < 0 && strings.IndexByte(s, '.') < 0 {
		return "", false
	}
	number, unit, _ := strings.Cut(strings.Trim(s, "$ "), " ")
	whole, fraction, found := strings.Cut(strings.TrimPrefix(number, "-"), ",")
	groups := strings.Split(whole, ".")
	if len(number) > 40 || !found && len(groups) < 2 || found && (fraction == "" || strings.Map(onlyDigits, fraction) != fraction) {
		return "", false
	}
	for i, g := range groups {
		if g == "" || strings.Map(onlyDigits, g) != g || i > 0 && len(g) != 3 || i == 0 && (len(g) > 3 && len(groups) > 1 || g[0] == '0' && len(groups) > 1) {
			return "", false
		}
	}
	value := number[:len(number)-len(strings.TrimPrefix(number, "-"))] + strings.Join(groups, "")
	if found {
		value += "." + fraction
	}
	return strings.TrimSpace(value + " " + unit), true
}

// counted is the number of a last sentence that says how many there are: There are 15 ways to choose 2 people from 6.
func counted(text string) (string, bool) {
	text = strings.TrimRight(text, " \n.!")
	sentence := text[lastSentence(text):]
	if !strings.Contains(sentence, "here ") {
		return "", false
	}
	sentence = dropLead(strings.TrimSpace(sentence))
	rest, found := "", false
	for _, lead := range [...]string{"there are ", "There are ", "there is ", "There is "} {
		if rest, found = strings.CutPrefix(sentence, lead); found {
			break
		}
	}
	for _, adverb := range [...]string{"exactly ", "only ", "a total of ", "in total "} {
		rest = strings.TrimPrefix(rest, adverb)
	}
	rest = strings.TrimLeft(rest, "$*")
	end := 0
	for digitAt(rest, end) || end > 0 && end < len(rest) && rest[end] == ',' && digitAt(rest, end+1) {
		end++
	}
	after := strings.TrimLeft(rest[end:], "$*")
	if !found || end == 0 || !strings.HasPrefix(after, " ") || !letterAt(after, 1) || strings.ContainsAny(after, "=+$\\*/,;:") {
		return "", false
	}
	for _, more := range [...]string{" so ", " then ", " thus ", " which ", " therefore ", " total", " and ", " each", " leaving "} {
		if strings.Contains(after, more) {
			return "", false
		}
	}
	return rest[:end], true
}

// dropReason cuts off a reason at the end of a text, in which there may be formulas: (since $n > 0$).
func dropReason(text string) string {
	trimmed := strings.TrimRight(text, " .\n")
	start := lastSentence(trimmed)
	if last := trimmed[start:]; !strings.HasSuffix(last, ")") && !strings.Contains(last, "since ") && !strings.Contains(last, "because ") && !strings.Contains(last, ", as $") {
		return text
	}
	for _, why := range [...]string{" (since ", " (because ", " (as ", " (for ", " (where ", ", since ", " since ", ", because ", " because ", ", as $"} {
		at := strings.Index(trimmed[start:], why)
		if at <= 0 || why[1] == '(' && !strings.HasSuffix(trimmed, ")") {
			continue
		}
		if at += start; strings.ContainsAny(trimmed[start:at], "0123456789$") {
			return trimmed[:at]
		}
	}
	return text
}

// unbold takes Markdown's marks of bold off numbers that stand between spaces or points.
func unbold(text string) string {
	if !strings.Contains(text, "**") {
		return text
	}
	parts := strings.Split(text, "**")
	if len(parts)%2 == 0 {
		return text
	}
	for i, part := range parts {
		inside := i%2 == 1
		if inside && (part == "" || part[0] == ' ' || part[len(part)-1] == ' ') || !inside && i > 0 && part != "" && strings.IndexByte(" .,;:!?)\n", part[0]) < 0 || !inside && i < len(parts)-1 && part != "" && strings.IndexByte(" (\n:$", part[len(part)-1]) < 0 {
			return text
		}
	}
	return strings.Join(parts, "")
}
