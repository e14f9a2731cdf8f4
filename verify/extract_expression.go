package verify

import (
	"strings"
	"unicode/utf8"
)

// In prose a number is often only the last part of an expression: x^2, 3√2, n + 4, 7:30, 12 cm^2. These functions find the rest.

// widen returns where the expression begins and ends of which the number from at to end is a part.
func widen(text string, at, end int) (start, stop int) {
	return leftOf(text, at), rightOf(text, end)
}

// whole is the number that was found at at with its expression, with the words that act on it, or with the list that it ends;
// ok is false where it is a part of something that cannot be read.
func whole(text string, at int, number string) (answer string, ok bool) {
	end := at + len(number)
	if from, to := widen(text, at, end); from < at || to > end {
		if expression := strings.Trim(text[from:to], " ,.:*"); prose(expression) == 0 {
			return expression, true
		}
	}
	if before := strings.TrimRight(text[:at], " $"); strings.HasSuffix(before, " out of") {
		return "", false // one out of 2
	} else if left, found := strings.CutSuffix(before, " to"); found && digitAt(left, len(left)-1) {
		from := len(left)
		for from > 0 && digitAt(left, from-1) {
			from--
		}
		if tail := left[max(0, from-24):from]; strings.Contains(tail, "atio ") || strings.Contains(tail, "dds ") {
			return left[from:] + ":" + number, true
		}
	}
	if changed, ok := actedOn(text, at, end); !ok || changed != number {
		return changed, ok
	}
	return series(text, at, number), true
}

// leftOf goes left from a number over what belongs to its expression: what touches it, and over spaces where an operator
// joins two operands or a fraction follows a whole number.
func leftOf(text string, start int) int {
	for range 64 {
		was := start
		start = touching(text, start)
		before := len(strings.TrimRight(text[max(0, start-4):start], " ")) + max(0, start-4)
		if before == start {
			if start = joined(text, start, start); start == was {
				break
			}
			continue
		}
		if operand := joined(text, before, start); operand < before {
			start = operand
			continue
		}
		if digitAt(text, start) && mixedAt(text, before, start) {
			for before > 0 && digitAt(text, before-1) {
				before--
			}
			start = before
		}
		break
	}
	return start
}

// touching goes left over digits, letters and signs of an expression without spaces.
func touching(text string, start int) int {
	for start > 0 {
		c := text[start-1]
		r, width := utf8.DecodeLastRuneInString(text[:start])
		switch {
		case digitAt(text, start-1), strings.IndexByte("^_/*", c) >= 0, c == '.' && digitAt(text, start) && start > 1 && digitAt(text, start-2):
			start--
		case c == '+' && start > 1 && !letterAt(text, start-2), c == ':' && start > 1 && digitAt(text, start-2) && digitAt(text, start):
			start--
		case c == '(' && start > 1 && (letterAt(text, start-2) || digitAt(text, start-2)), c == ')' && strings.IndexByte("^*/!", text[min(start, len(text)-1)]) >= 0:
			start--
		case r == '−' && (start-width == 0 || !digitAt(text, start-width-1)), r == '√' || r == '∛' || r == 'π' || r == '×' || r == '·' || r == '±' || r == '⋅':
			start -= width
		case width > 1 && superscriptWidth(text[start-width:]) > 0:
			start -= width
		case letterAt(text, start-1):
			from := start - 1
			for from > 0 && letterAt(text, from-1) {
				from--
			}
			name := text[from:start]
			if next := text[min(start, len(text)-1)]; functionNames[name] == "" && (len(name) > 1 || strings.IndexByte("^_/*+-(", next) < 0) {
				return start
			}
			start = from
		default:
			return start
		}
	}
	return start
}

// joined is where the operand before an operator begins, where an operator ends at before and an operand stands left of it,
// and before otherwise. from is where the right operand begins.
func joined(text string, before, from int) int {
	if from < len(text) && strings.IndexByte("+-*/", text[from]) >= 0 && from+1 < len(text) && text[from+1] == ' ' { // the operator was taken already
		return operandBefore(text, before, before)
	}
	r, width := utf8.DecodeLastRuneInString(text[:before])
	for _, word := range [...]string{" mod", " modulo"} {
		if strings.HasSuffix(text[:before], word) {
			return operandBefore(text, before-len(word), before)
		}
	}
	switch r {
	case '+', '-', '−', '*', '/', '×', '·', '÷', '±', '⋅', '^', '<', '>', '≤', '≥', '≠':
		at := before - width
		for at > 0 && (text[at-1] == ' ' || text[at-1] == '<' || text[at-1] == '>') {
			at--
		}
		return operandBefore(text, at, before)
	}
	return before
}

// operandBefore is where the operand that ends at end begins, and otherwise where there is none.
func operandBefore(text string, end, otherwise int) int {
	for end > 0 && text[end-1] == ' ' {
		end--
	}
	if end == 0 {
		return otherwise
	}
	r, width := utf8.DecodeLastRuneInString(text[:end])
	switch {
	case letterAt(text, end-1):
		if end > 1 && letterAt(text, end-2) {
			return otherwise // a word
		}
		return touching(text, end-1)
	case digitAt(text, end-1):
		return touching(text, end-1)
	case r == 'π' || superscriptWidth(text[end-width:]) > 0:
		return touching(text, end-width)
	case text[end-1] == ')':
		depth := 0
		for i := end - 1; i >= max(0, end-80); i-- {
			switch text[i] {
			case ')':
				depth++
			case '(':
				if depth--; depth == 0 {
					if prose(text[i:end]) > 0 {
						return otherwise
					}
					return touching(text, i)
				}
			}
		}
	}
	return otherwise
}

// mixedAt says whether a whole number ends at before, and from start there is a proper fraction: 1 2/3.
func mixedAt(text string, before, start int) bool {
	if before == 0 || !digitAt(text, before-1) {
		return false
	}
	from := before
	for from > 0 && digitAt(text, from-1) {
		from--
	}
	over, under, found := strings.Cut(text[start:min(len(text), start+12)], "/")
	for i := range len(under) {
		if !digitAt(under, i) {
			under = under[:i]
			break
		}
	}
	return found && (from == 0 || text[from-1] == ' ') && over != "" && under != "" && strings.Map(onlyDigits, over) == over && parseInt(over).Cmp(parseInt(under)) < 0
}

// rightOf goes right from a number over what touches it and belongs to its expression: π, a degree sign, superscripts, a variable
// and its powers; and over an operator with a variable behind it.
func rightOf(text string, stop int) int {
	for stop < len(text) {
		r, width := utf8.DecodeRuneInString(text[stop:])
		switch {
		case r == 'π' || r == '°' || r == '√' || superscriptWidth(text[stop:]) > 0 || fractions[r] != "":
			stop += width
			continue
		case strings.IndexByte("xyztnk", text[stop]) >= 0 && !letterAt(text, stop+1):
			stop++
			continue
		case text[stop] == ' ' && stop+3 < len(text) && strings.IndexByte("+-*/", text[stop+1]) >= 0 && text[stop+2] == ' ' && strings.IndexByte("xyztnk", text[stop+3]) >= 0 && !letterAt(text, stop+4):
			stop += 4
			continue
		}
		break
	}
	return stop
}

// unitPowerAt says whether the number at start is the exponent of a unit that follows another number, and where the unit
// begins: 12 cm^2, 9.8 m/s^2.
func unitPowerAt(text string, start int) (from int, ok bool) {
	i := start
	for i > 0 && (text[i-1] == '-' || text[i-1] == '{') {
		i--
	}
	if i == 0 || text[i-1] != '^' {
		return 0, false
	}
	for i--; i > 0; {
		from = i
		for from > 0 && letterAt(text, from-1) {
			from--
		}
		if _, known := oneUnit(text[from:i]); from == i || !known {
			return 0, false
		}
		for i = from; i > 0 && strings.IndexByte(" /*", text[i-1]) >= 0; i-- {
		}
		if i > 0 && digitAt(text, i-1) {
			if i > 1 && text[i-2] == '^' && i < from {
				i -= 2
				continue
			}
			return from, true
		}
		if i == 0 || i == from || !letterAt(text, i-1) {
			return 0, false
		}
	}
	return 0, false
}
