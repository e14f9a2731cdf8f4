package verify

import "strings"

// ExtractProgram finds the Python program of a completion, in what follows the thought: the last block in a fence of python,
// else the last block in a fence without a language, else, where there is no fence, the whole text if it begins like a
// program, or is indented as Markdown indents code. A last fence that does not end holds what follows it. A thought without an end has no program.
func ExtractProgram(completion string) (program string, ok bool) {
	text, ok := finalPart(completion, &Options{Thoughts: ThoughtsStrict})
	if !ok {
		return "", false
	}
	named, bare, fences := "", "", 0
	foundNamed, foundBare := false, false
	var body []string
	var fence, language string
	finish := func() {
		block := strings.Join(body, "\n")
		if block != "" {
			block += "\n"
		}
		if fromPython(language) {
			named, foundNamed = block, true
		} else if language == "" {
			bare, foundBare = block, true
		}
		fence, body = "", nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		ticks, info := fenceOf(line)
		switch {
		case fence == "" && ticks == "":
		case fence == "":
			fence, language, fences = ticks, languageOf(info), fences+1
		case len(ticks) >= len(fence) && info == "":
			finish()
		case len(ticks) >= len(fence) && fromPython(languageOf(info)): // the end of the block before was forgotten
			finish()
			fence, language, fences = ticks, languageOf(info), fences+1
		default:
			body = append(body, line)
		}
	}
	if fence != "" {
		finish()
	}
	switch {
	case foundNamed:
		return named, strings.TrimSpace(named) != ""
	case foundBare:
		return bare, strings.TrimSpace(bare) != ""
	case fences > 0:
		return "", false
	}
	return bareProgram(completion, strings.TrimLeft(text, " \t\r\n"))
}

// bareProgram is a text without fences, with the indentation of its first line, which is part of a program that continues
// another.
func bareProgram(completion, text string) (string, bool) {
	at := strings.LastIndex(completion, text)
	indent := completion[len(strings.TrimRight(completion[:at], " \t")):at]
	if text == "" || len(indent) < 4 && !strings.Contains(indent, "\t") && !beginsLikeProgram(text) {
		return "", false
	}
	return indent + text, true
}

func fromPython(language string) bool {
	return language == "python" || language == "python3" || language == "py" || language == "py3"
}

// fenceOf returns the backticks of a line that opens or closes a block, and what follows them.
func fenceOf(line string) (ticks, info string) {
	line = strings.TrimSpace(line)
	n := len(line) - len(strings.TrimLeft(line, "`"))
	if n < 3 || strings.Contains(line[n:], "`") {
		return "", ""
	}
	return line[:n], strings.TrimSpace(line[n:])
}

// languageOf is the first word of a fence, in lower case, without braces or a dot around it.
func languageOf(info string) string {
	word, _, _ := strings.Cut(strings.ToLower(info), " ")
	return strings.Trim(word, "{}.")
}

// beginnings are what the first line of a program begins with, at its left end or indented.
var beginnings = [...]string{
	"def ", "class ", "import ", "from ", "for ", "while ", "if ", "return", "print(", "with ", "try:", "async def ", "@", "#!", "global ", "yield ",
}

// beginsLikeProgram says whether the first line that is no comment is one of Python: it begins with a keyword and has what
// belongs to it, or is an assignment.
func beginsLikeProgram(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "#!") {
			continue
		}
		for _, word := range beginnings {
			if strings.HasPrefix(line, word) {
				return strings.ContainsAny(line, ":(=*") || word == "import " || word == "return" || word == "from " && strings.Contains(line, " import ")
			}
		}
		name, rest, assigned := strings.Cut(line, "=")
		return assigned && !strings.HasPrefix(rest, "=") && identifier(strings.TrimRight(strings.TrimSpace(strings.Split(name, ",")[0]), "+-*/%|&^")) ||
			strings.HasPrefix(line, `"""`) || strings.HasPrefix(line, "'''")
	}
	return false
}

// complete puts the prompt's code before a program that continues it: one that does not define the function under test.
func (p *CodeProblem) complete(program string) string {
	if p.Prompt == "" || p.EntryPoint == "" || defines(program, p.EntryPoint) {
		return program
	}
	return strings.TrimRight(p.Prompt, " \t\n") + "\n" + program
}

// defines says whether a program defines a function, at any depth of indentation.
func defines(program, name string) bool {
	for line := range strings.SplitSeq(program, "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "async ")
		if rest, ok := strings.CutPrefix(line, "def "); ok && strings.HasPrefix(strings.TrimSpace(rest), name) {
			after := strings.TrimPrefix(strings.TrimSpace(rest), name)
			if after == "" || !identifierByte(after[0]) {
				return true
			}
		}
		if rest, ok := strings.CutPrefix(line, name); ok && strings.HasPrefix(strings.TrimSpace(rest), "=") {
			return true // f = lambda ...
		}
	}
	return false
}
