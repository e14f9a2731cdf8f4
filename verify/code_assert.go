package verify

import "strings"

// assertion is an assert statement of Python taken apart: a call, and the value that it must have.
type assertion struct {
	call      string
	want      *pyValue
	truth     bool // the call's truth is compared, not its value
	identical bool // the value must be the object: True, False or None
}

// maxAssert is the length up to which an assertion is taken apart; the time for nested parentheses is quadratic.
const maxAssert = 1 << 16

// splitAssert takes apart "assert f(x) == literal", either way round, "assert f(x) is None" and the like, "assert f(x)" and
// "assert not f(x)", with or without a message; ok is false for everything else. The call may stand in built-in functions
// of one argument, as in sorted(f(x)).
func splitAssert(text string) (a assertion, ok bool) {
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, "assert")
	if !ok || rest == "" || identifierByte(rest[0]) || len(rest) > maxAssert {
		return assertion{}, false
	}
	if parts, ok := scanTop(rest); !ok {
		return assertion{}, false
	} else if at, found := parts[","]; found {
		rest = rest[:at] // what follows is the message
	}
	rest = unwrapParentheses(rest)
	parts, ok := scanTop(rest)
	if !ok {
		return assertion{}, false
	}
	is, identical := parts["is"]
	equals, compared := parts["=="]
	_, not := parts["not"]
	switch {
	case len(parts) == 0:
		a = assertion{call: rest, want: pyTrue, truth: true}
	case len(parts) == 1 && not && strings.HasPrefix(rest, "not"):
		a = assertion{call: unwrapParentheses(rest[3:]), want: pyFalse, truth: true}
	case len(parts) == 1 && identical:
		a = assertion{call: rest[:is], identical: true}
		want, err := parseLiteral(rest[is+2:])
		if err != nil || want.kind != pyNone && want.kind != pyBool {
			return assertion{}, false
		}
		a.want = want
	case len(parts) == 1 && compared:
		left, right := rest[:equals], rest[equals+2:]
		want, err := parseLiteral(right)
		if err != nil {
			left, right = right, left
			if want, err = parseLiteral(right); err != nil {
				return assertion{}, false
			}
		}
		a = assertion{call: left, want: want}
	default:
		return assertion{}, false
	}
	a.call = strings.TrimSpace(a.call)
	return a, callOf(a.call) != ""
}

// wrappers are built-in functions that change a value's form, and hold no expectation.
var wrappers = map[string]bool{
	"sorted": true, "list": true, "set": true, "tuple": true, "len": true, "str": true, "int": true, "float": true,
	"bool": true, "dict": true, "sum": true, "abs": true, "round": true, "repr": true, "frozenset": true,
}

// callOf is the name of the function that an expression calls, inside wrappers; "" if the expression is anything else.
func callOf(expression string) string {
	for {
		expression = unwrapParentheses(expression)
		open := strings.IndexByte(expression, '(')
		if open < 0 || !identifier(expression[:open]) {
			return ""
		}
		if end, ok := closingBracket(expression, open); !ok || end != len(expression)-1 {
			return ""
		}
		name, inner := expression[:open], expression[open+1:len(expression)-1]
		if !wrappers[name] {
			return name
		}
		if parts, ok := scanTop(inner); !ok || len(parts) > 0 {
			return ""
		}
		expression = inner
	}
}

// inferEntry is the function that the assertions test, where the problem does not say it: one that is compared or negated.
// A function that only is true somewhere may be the test's own means of comparing.
func inferEntry(list []numbered) string {
	for _, one := range list {
		a, ok := splitAssert(one.text)
		if ok && (!a.truth || a.want == pyFalse) {
			return callOf(a.call)
		}
	}
	return ""
}

// unwrapParentheses removes spaces, and parentheses around the whole.
func unwrapParentheses(s string) string {
	for {
		s = strings.TrimSpace(s)
		end, ok := 0, false
		if strings.HasPrefix(s, "(") {
			end, ok = closingBracket(s, 0)
		}
		if !ok || end != len(s)-1 {
			return s
		}
		inner := s[1:end]
		if parts, ok := scanTop(inner); !ok || strings.TrimSpace(inner) == "" {
			return s
		} else if _, tuple := parts[","]; tuple {
			return s
		}
		s = inner
	}
}

// topWords are words that make an expression more than a call.
var topWords = map[string]bool{
	"and": true, "or": true, "not": true, "in": true, "is": true, "if": true, "else": true, "lambda": true, "for": true,
	"await": true, "yield": true,
}

// scanTop finds the operators and words outside of all brackets and strings, each with the place of its first occurrence; a
// second occurrence is found as "again". ok is false where brackets or strings do not close.
func scanTop(s string) (parts map[string]int, ok bool) {
	parts = map[string]int{}
	note := func(part string, at int) {
		if _, seen := parts[part]; seen && part != "," {
			part = "again"
		}
		if _, seen := parts[part]; !seen {
			parts[part] = at
		}
	}
	for i := 0; i < len(s); {
		switch ch := s[i]; {
		case ch == '\'' || ch == '"':
			end, ok := stringEnd(s, i)
			if !ok {
				return nil, false
			}
			i = end
		case ch == '(' || ch == '[' || ch == '{':
			end, ok := closingBracket(s, i)
			if !ok {
				return nil, false
			}
			i = end + 1
		case ch == ')' || ch == ']' || ch == '}':
			return nil, false
		case identifierByte(ch):
			from := i
			for i < len(s) && identifierByte(s[i]) {
				i++
			}
			if topWords[s[from:i]] {
				note(s[from:i], from)
			}
		case ch == ' ' || ch == '\t' || ch == '.' || ch == '\n' || ch == '\r':
			i++
		case strings.HasPrefix(s[i:], "=="):
			note("==", i)
			i += 2
		case ch == '-' || ch == '+':
			if before := strings.TrimRight(s[:i], " \t"); before != "" && !strings.HasSuffix(before, "==") {
				note(string(ch), i) // between two terms
			}
			i++
		default:
			note(string(ch), i)
			i++
		}
	}
	return parts, true
}

// closingBracket finds the bracket that closes the one at open.
func closingBracket(s string, open int) (int, bool) {
	var stack []byte
	for i := open; i < len(s); i++ {
		switch ch := s[i]; ch {
		case '(':
			stack = append(stack, ')')
		case '[':
			stack = append(stack, ']')
		case '{':
			stack = append(stack, '}')
		case ')', ']', '}':
			if stack[len(stack)-1] != ch {
				return 0, false
			}
			if stack = stack[:len(stack)-1]; len(stack) == 0 {
				return i, true
			}
		case '\'', '"':
			end, ok := stringEnd(s, i)
			if !ok {
				return 0, false
			}
			i = end - 1
		case '#':
			for i < len(s) && s[i] != '\n' {
				i++
			}
		}
	}
	return 0, false
}

// stringEnd finds the end of a string of Python that begins with a quote at i, and returns what follows it.
func stringEnd(s string, i int) (int, bool) {
	quote := s[i : i+1]
	if strings.HasPrefix(s[i:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	for j := i + len(quote); j < len(s); j++ {
		switch {
		case s[j] == '\\':
			j++
		case strings.HasPrefix(s[j:], quote):
			return j + len(quote), true
		case s[j] == '\n' && len(quote) == 1:
			return 0, false
		}
	}
	return 0, false
}

func identifierByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// identifier says whether s is a name of Python in ASCII.
func identifier(s string) bool {
	if s == "" || len(s) > 200 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		if !identifierByte(s[i]) || s[i] >= 0x80 {
			return false
		}
	}
	return true
}
