package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// integerLength returns the length of an integer literal.
func integerLength(s string) int {
	if s[0] != '0' {
		return digitsLength(s, isDigit)
	}
	if len(s) > 2 {
		var digit func(byte) bool
		switch s[1] {
		case 'b', 'B':
			digit = func(b byte) bool { return b == '0' || b == '1' }
		case 'o', 'O':
			digit = func(b byte) bool { return b >= '0' && b <= '7' }
		case 'x', 'X':
			digit = func(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' }
		}
		if digit != nil {
			start := 2
			if s[2] == '_' {
				start = 3
			}
			if n := digitsLength(s[start:], digit); n > 0 {
				return start + n
			}
		}
	}
	return digitsLength(s, func(b byte) bool { return b == '0' })
}

// name reads an identifier.
func (l *lexer) name(rest string) error {
	n := len(rest)
	for i, r := range rest {
		if !isNamePart(r) {
			n = i
			break
		}
	}
	if n == 0 {
		r, _ := utf8.DecodeRuneInString(rest)
		return syntaxError("unexpected char %s", quote(string(r)))
	}
	if first, _ := utf8.DecodeRuneInString(rest); first != '_' && !unicode.IsLetter(first) && !unicode.Is(unicode.Nl, first) {
		return syntaxError("Invalid character in identifier")
	}
	l.emit(token{kind: tokenName, text: rest[:n]})
	l.at += n
	return nil
}

func isNamePart(r rune) bool {
	return r == '_' || unicode.In(r, unicode.Letter, unicode.Nl, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc)
}

// operators, the longer ones first.
var operators = []string{
	"//", "**", "==", "!=", ">=", "<=",
	"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

func (l *lexer) operator(rest string) error {
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch op {
		case "{":
			l.unbalanced = append(l.unbalanced, '}')
		case "(":
			l.unbalanced = append(l.unbalanced, ')')
		case "[":
			l.unbalanced = append(l.unbalanced, ']')
		case "}", ")", "]":
			if len(l.unbalanced) == 0 {
				return syntaxError("unexpected '%s'", op)
			}
			want := l.unbalanced[len(l.unbalanced)-1]
			if op[0] != want {
				return syntaxError("unexpected '%s', expected '%c'", op, want)
			}
			l.unbalanced = l.unbalanced[:len(l.unbalanced)-1]
		}
		l.emit(token{kind: tokenOperator, text: op})
		l.at += len(op)
		return nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return syntaxError("unexpected char %s at %d", quote(string(r)), utf8.RuneCountInString(l.source[:l.at]))
}

// quoted reads a string literal.
func (l *lexer) quoted(rest string) error {
	mark := rest[0]
	i := 1
	for ; i < len(rest) && rest[i] != mark; i++ {
		if rest[i] == '\\' {
			i++
		}
	}
	if i >= len(rest) {
		return syntaxError("unexpected char %s at %d", quote(string(mark)), utf8.RuneCountInString(l.source[:l.at]))
	}
	value, err := unescape(rest[1:i])
	if err != nil {
		return err
	}
	l.emit(token{kind: tokenString, text: value})
	l.at += i + 1
	return nil
}

// simpleEscapes are the escapes of one character.
var simpleEscapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape is Python's unicode-escape codec on a text whose characters beyond ASCII were written as escapes first: so a
// backslash before such a character yields the backslash and the escape's letters.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 >= len(s) {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		text, n, err := unescapeOne(s)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		s = s[n:]
	}
}

// unescapeOne reads what follows a backslash and returns its meaning and its length.
func unescapeOne(s string) (string, int, error) {
	c := s[0]
	if text, ok := simpleEscapes[c]; ok {
		return text, 1, nil
	}
	switch {
	case c >= '0' && c <= '7':
		n := 1
		for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		code, _ := strconv.ParseUint(s[:n], 8, 32) // octal digits only
		return string(rune(code)), n, nil
	case c == 'x':
		return unescapeHex(s, 2, `\xXX`)
	case c == 'u':
		return unescapeHex(s, 4, `\uXXXX`)
	case c == 'U':
		return unescapeHex(s, 8, `\UXXXXXXXX`)
	case c == 'N':
		return "", 0, syntaxError(`\N escapes are not supported`)
	case c < utf8.RuneSelf:
		return `\` + s[:1], 1, nil
	}
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r), n, nil
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r), n, nil
	}
	return fmt.Sprintf(`\U%08x`, r), n, nil
}

func unescapeHex(s string, digits int, form string) (string, int, error) {
	if len(s) < 1+digits {
		return "", 0, syntaxError("truncated %s escape", form)
	}
	code, err := strconv.ParseUint(s[1:1+digits], 16, 32)
	if err != nil || strings.ContainsAny(s[1:1+digits], "_+-") {
		return "", 0, syntaxError("truncated %s escape", form)
	}
	if code > unicode.MaxRune {
		return "", 0, syntaxError("illegal Unicode character")
	}
	return string(rune(code)), 1 + digits, nil
}
