package verify

import "strings"

// Extract finds the answer in a text: in what follows the thought, the content of the last box, else what a phrase such as
// "the answer is" announces, else the whole text where it is an expression, else the last mathematics or number in it.
// Boxes that only a comma or a conjunction separates are one list. A thought without an end, and the traceback of a
// program, have no answer. The result is a part of text, or is joined from parts; ok is false where there is none.
// The time is linear in the length of text.
func Extract(text string, o Options) (answer string, ok bool) {
	if len(text) < 64 && !o.Choice && o.Search != SearchLatex {
		if bare := unwrapped(text); plainFraction(bare) {
			return bare, true
		}
	}
	text, ok = finalPart(text, &o)
	if !ok {
		return "", false
	}
	text = tidy(unescape(text))
	if answer, ok, found := boxed(text, &o); found {
		return answer, ok
	}
	if o.Choice {
		return extractChoice(text)
	}
	text = strings.TrimSpace(text)
	if len(text) < 64 && plainNumber(text) {
		return text, true
	}
	if len(text) > maxTail {
		if prose(text) == 0 {
			return text, true
		}
		text = text[len(text)-maxTail:]
	}
	if tail, found := announced(text); found {
		return fromTail(tail, &o)
	}
	if o.Search == SearchLatex {
		return lastLatex(text, &o)
	}
	return fromText(text, &o)
}

// unescape halves the backslashes of a text in which even \\begin has two.
func unescape(text string) string {
	if strings.Contains(text, "\\\\begin{") {
		return strings.ReplaceAll(text, "\\\\", "\\")
	}
	return text
}

// maxTail is how much of the end of a text without a box is searched for an answer.
const maxTail = 6000

func plainNumber(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '-' && c != '.' && c != ',' && c != '/' {
			return false
		}
	}
	return s != ""
}

// plainFraction says whether a text is digits, perhaps in \frac{}{}.
func plainFraction(s string) bool {
	s = strings.TrimPrefix(s, "-")
	for _, frac := range [...]string{"\\frac{", "\\dfrac{"} {
		if inner, found := strings.CutPrefix(s, frac); found {
			over, under, found := strings.Cut(strings.TrimSuffix(inner, "}"), "}{")
			return found && plainNumber(over) && plainNumber(under)
		}
	}
	return plainNumber(s)
}

// The marks of chat templates that end a message.
var endMarks = [...]string{"<|im_end|>", "<|im_start|>", "<|end|>", "<|return|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>"}

// finalPart is what follows the thought, without the template's end marks; false for a thought without an end. Text in
// channels without a final one counts where it holds a box, unless Options.Thoughts says otherwise.
func finalPart(text string, o *Options) (string, bool) {
	if strings.IndexByte(text, '<') < 0 {
		return text, true
	}
	if at := lastIndex(text, "</think>"); at >= 0 {
		text = text[at+len("</think>"):]
	} else if strings.Contains(text, "<think>") {
		return "", false
	}
	const final, channel = "<|channel|>final<|message|>", "<|channel|>"
	if at := lastIndex(text, final); at >= 0 {
		text = text[at+len(final):]
	} else if strings.Contains(text, channel) && (o.Thoughts == ThoughtsStrict || !strings.Contains(text, "\\boxed")) {
		return "", false
	}
	if at := strings.Index(text, "<|"); at >= 0 {
		for from := at; from < len(text); {
			for _, mark := range endMarks {
				if strings.HasPrefix(text[from:], mark) && strings.TrimSpace(text[:from]) != "" {
					return text[:from], true
				}
			}
			next := strings.Index(text[from+2:], "<|")
			if next < 0 {
				break
			}
			from += 2 + next
		}
	}
	return strings.TrimSuffix(strings.TrimSpace(text), "</s>"), true
}

// lastIndex is strings.LastIndex by forward searches, which are much faster where the separator is rare.
func lastIndex(s, separator string) int {
	last := -1
	for from := 0; ; {
		at := strings.Index(s[from:], separator)
		if at < 0 {
			return last
		}
		last = from + at
		from = last + len(separator)
	}
}

// box is the place of one \boxed{...}.
type box struct{ start, end, from, to int }

// boxed returns the last box, or the boxes adjoining it as one list; found is false where there is none.
func boxed(text string, o *Options) (answer string, ok, found bool) {
	boxes := findBoxes(text)
	if len(boxes) == 0 {
		return "", false, false
	}
	last := len(boxes) - 1
	if after := text[boxes[last].end:]; strings.Contains(after, "inal answer is") && !o.Choice {
		if tail, found := announced(after); found {
			if answer, ok = fromTail(tail, o); ok {
				return answer, true, true
			}
		}
	}
	first := last
	for first > 0 && o.Boxes != BoxesLast {
		if boxes[first-1].end > boxes[first].start {
			break
		}
		between := text[boxes[first-1].end:boxes[first].start]
		if !connects(between, o.Boxes == BoxesJoin) {
			break
		}
		first--
	}
	if first == last {
		answer = strings.TrimSpace(text[boxes[last].from:boxes[last].to])
		if answer != "" && percentFollows(text[boxes[last].end:]) {
			answer += "\\%"
		}
		return answer, answer != "", true
	}
	var parts []string
	seen := map[string]bool{}
	for _, b := range boxes[first:] {
		part := strings.TrimSpace(text[b.from:b.to])
		if part != "" && !seen[part] {
			seen[part] = true
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " , "), len(parts) > 0, true
}

// percentFollows says whether what stands right after a box is a percent sign or word.
func percentFollows(rest string) bool {
	rest = strings.TrimLeft(rest[:min(len(rest), 24)], " $\\)]")
	return strings.HasPrefix(rest, "%") || strings.HasPrefix(rest, "percent") && !strings.HasPrefix(rest, "percentage point") || strings.HasPrefix(rest, "pct")
}

// findBoxes lists the boxes from left to right, the outer one where they are nested.
func findBoxes(text string) []box {
	var boxes []box
	for at := 0; at < len(text); {
		next := strings.Index(text[at:], "box")
		if next < 0 {
			break
		}
		word := at + next
		start, after := word-1, word+3
		if strings.HasPrefix(text[after:], "ed") {
			after += 2
		} else if start > 0 && text[start] == 'f' {
			start--
		} else if strings.HasSuffix(text[:word], "\\frame") {
			start -= len("frame")
		} else {
			at = after
			continue
		}
		at = after
		if start < 0 || text[start] != '\\' {
			continue
		}
		for start > 0 && text[start-1] == '\\' {
			start--
		}
		b, ok := boxContent(text, start, after)
		if !ok {
			if b.to != len(text) || b.from == 0 {
				continue
			}
			boxes = append(boxes, closedLater(text, after)...)
			if len(boxes) == 0 && strings.TrimLeft(text[:start], " $\\") == "" {
				boxes = append(boxes, b) // a gold answer whose box was not closed
			}
			return boxes
		}
		boxes = append(boxes, b)
		at = b.end
	}
	return boxes
}

// boxContent reads the group after \boxed; without braces the content is one word. A group that does not end reaches to the
// end of text, and ok is false.
func boxContent(text string, start, after int) (b box, ok bool) {
	at := after
	for at < len(text) && (text[at] == ' ' || text[at] == '\n') {
		at++
	}
	if at >= len(text) {
		return box{}, false
	}
	if text[at] != '{' {
		if at == after && letterAt(text, at) {
			return box{}, false
		}
		end := at
		for end < len(text) && end < at+40 && strings.IndexByte(" \n$,.;}", text[end]) < 0 && (end == at || text[end] != '\\' || !strings.Contains(text[end:min(len(text), end+7)], "box")) {
			end++
		}
		return box{start, end, at, end}, end > at
	}
	_, end, ok := braced(text, at)
	if !ok {
		if shut := strings.IndexByte(text[at:min(len(text), at+80)], '$'); shut > 1 && strings.Trim(text[at+shut:], "$. \n*") == "" && !strings.ContainsAny(text[at+1:at+shut], "{}") {
			return box{start, at + shut, at + 1, at + shut}, true // its last brace was forgotten
		}
		return box{start, len(text), at + 1, len(text)}, false
	}
	return box{start, end, at + 1, end - 1}, true
}

// closedLater finds the closed boxes after one that is not closed, in one pass with a stack of open braces.
func closedLater(text string, from int) []box {
	type open struct {
		at, start int // start of a box's command, or -1
	}
	var stack []open
	var boxes []box
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if strings.HasPrefix(text[i:], "\\boxed{") {
				stack = append(stack, open{i + len("\\boxed{"), i})
				i += len("\\boxed{") - 1
			} else {
				i++
			}
		case '{':
			stack = append(stack, open{i + 1, -1})
		case '}':
			if len(stack) == 0 {
				continue
			}
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if top.start >= 0 {
				for len(boxes) > 0 && boxes[len(boxes)-1].start > top.start {
					boxes = boxes[:len(boxes)-1]
				}
				boxes = append(boxes, box{top.start, i + 1, top.at, i})
			}
		}
	}
	return boxes
}

// connects says whether the text between two boxes or formulas only joins them: commas, conjunctions and layout. With loose
// set, any signs that are no letters do.
func connects(between string, loose bool) bool {
	if len(between) > 60 {
		return false
	}
	joined := loose
	for i := 0; i < len(between); {
		c := between[i]
		if letterAt(between, i) {
			end := i
			for letterAt(between, end) {
				end++
			}
			switch between[i:end] {
			case "and", "or", "quad", "qquad":
				joined = true
			case "text", "textbf", "mathrm", "for", "part", "Part", "a", "b", "c", "if", "mbox", "respectively":
			default:
				return false
			}
			i = end
			continue
		}
		switch {
		case c == ',' || c == ';' || c == '&':
			joined = true
		case strings.IndexByte(" \n\t\r$\\{}()[]*", c) >= 0:
		case loose && c < 0x80:
		default:
			return false
		}
		i++
	}
	return joined
}
