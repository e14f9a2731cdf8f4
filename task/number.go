package task

import (
	"math/big"
	"strings"

	"github.com/retort-ml/retort/tokenizer"
)

// maxDigits bounds the characters of a number that is read.
const maxDigits = 64

// readNumber reads text that is one number and nothing else: digits, perhaps in groups of three parted by commas, with
// a sign, a decimal part, or as a fraction a/b or \frac{a}{b}. The value is exact.
func readNumber(text string) (*big.Rat, bool) {
	text = strings.TrimSpace(text)
	if len(text) > maxDigits {
		return nil, false
	}
	sign := ""
	if rest, ok := strings.CutPrefix(strings.ReplaceAll(text, "−", "-"), "-"); ok {
		sign, text = "-", strings.TrimSpace(rest)
	} else {
		text = strings.TrimPrefix(text, "+")
	}
	for _, command := range []string{`\frac`, `\dfrac`, `\tfrac`} {
		if rest, ok := strings.CutPrefix(text, command+"{"); ok {
			above, below, ok := strings.Cut(strings.TrimSuffix(rest, "}"), "}{")
			if !ok || !strings.HasSuffix(rest, "}") {
				return nil, false
			}
			text = above + "/" + below
		}
	}
	above, below, isFraction := strings.Cut(text, "/")
	if !isFraction {
		below = "1"
	}
	a, okA := plainNumber(strings.TrimSpace(above))
	b, okB := plainNumber(strings.TrimSpace(below))
	if !okA || !okB || b.Sign() == 0 {
		return nil, false
	}
	value := new(big.Rat).Quo(a, b)
	if sign != "" {
		value.Neg(value)
	}
	return value, true
}

// plainNumber reads digits with at most one point, and commas before each third digit from the point.
func plainNumber(text string) (*big.Rat, bool) {
	whole, part, hasPoint := strings.Cut(text, ".")
	groups := strings.Split(whole, ",")
	for i, group := range groups {
		if !areDigits(group) || i > 0 && len(group) != 3 || i == 0 && len(groups) > 1 && (len(group) == 0 || len(group) > 3) {
			return nil, false
		}
	}
	if !areDigits(part) || whole == "" && part == "" || hasPoint && part == "" && whole == "" {
		return nil, false
	}
	return new(big.Rat).SetString("0" + strings.Join(groups, "") + "." + part + "0")
}

func areDigits(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// unwrap takes away what stands around an answer without being part of its value: spaces, dollar signs of money or
// LaTeX, "x=", a per cent sign, degrees, a unit in \text{} and the point that ends a sentence.
func unwrap(text string) string {
	for len(text) <= 4*maxDigits { // longer is no number, and each round reads it whole
		before := text
		text = strings.TrimSpace(text)
		for _, prefix := range []string{`\$`, "$", `\(`, "x=", "x ="} {
			text = strings.TrimPrefix(text, prefix)
		}
		for _, suffix := range []string{`\%`, "%", "$", `\)`, `^\circ`, `^{\circ}`, "."} {
			text = strings.TrimSuffix(text, suffix)
		}
		for _, unit := range []string{`\text{`, `\mbox{`, `\ \text{`} {
			if at := strings.LastIndex(text, unit); at > 0 && strings.HasSuffix(text, "}") && strings.Count(text[at:], "}") == 1 {
				text = text[:at]
			}
		}
		text = strings.ReplaceAll(text, `\!`, "")
		if text == before {
			break
		}
	}
	return text
}

// lastNumber is the last number that stands in text.
func lastNumber(text string) (*big.Rat, bool) {
	isPart := func(r byte) bool { return r >= '0' && r <= '9' || r == '.' || r == ',' || r == '/' }
	for end := len(text); end > 0; end-- {
		if text[end-1] < '0' || text[end-1] > '9' {
			continue
		}
		start := end
		for start > 0 && isPart(text[start-1]) {
			start--
		}
		// A minus is a sign where no number or closing bracket stands before it.
		word := strings.TrimLeft(text[start:end], ".,/")
		ahead := strings.TrimRight(text[:end-len(word)], " ")
		if sign, ok := strings.CutSuffix(ahead, "-"); ok {
			if sign = strings.TrimRight(sign, " "); sign == "" || !strings.ContainsAny(sign[len(sign)-1:], "0123456789)]}x") {
				word = "-" + word
			}
		}
		for { // "3,4" is two numbers, of which the last is 4
			if n, ok := readNumber(word); ok {
				return n, true
			}
			cut := strings.IndexAny(word, ",/.")
			if cut < 0 {
				return nil, false
			}
			word = word[cut+1:]
		}
	}
	return nil, false
}

// boxed is the content of the last \boxed{...} of text, whose braces may be nested; false if there is none or it does
// not end.
func boxed(text string) (string, bool) {
	const command = `\boxed{`
	at := strings.LastIndex(text, command)
	if at < 0 {
		return "", false
	}
	text = text[at+len(command):]
	depth := 1
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i], true
			}
		}
	}
	return "", false
}

// replyAnswer is the part of a completion after the thought, if it has an end, and of that what stands between the last
// <answer> tags, if there are any.
func replyAnswer(completion string) (answer string, isOver bool) {
	completion = strings.TrimSuffix(completion, tokenizer.End)
	_, after, isOver := strings.Cut(completion, tokenizer.EndThink)
	if !isOver {
		return "", false
	}
	if at := strings.LastIndex(after, tokenizer.Answer); at >= 0 {
		after, _, _ = strings.Cut(after[at+len(tokenizer.Answer):], tokenizer.EndAnswer)
	}
	return strings.TrimSpace(after), true
}

// answerNumber is the number of a reply's answer: the content of the last \boxed{}, the whole answer, or its last number.
// shown is what was read.
func answerNumber(answer string) (n *big.Rat, shown string, ok bool) {
	content, isBoxed := boxed(answer)
	if isBoxed {
		answer = content
	}
	if n, ok := readNumber(unwrap(answer)); ok || isBoxed {
		return n, answer, ok
	}
	n, ok = lastNumber(answer)
	return n, answer, ok
}
