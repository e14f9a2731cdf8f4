package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of a token.
type kind uint8

const (
	tokenEnd kind = iota // of the template
	tokenData
	tokenVariableBegin
	tokenVariableEnd
	tokenBlockBegin
	tokenBlockEnd
	tokenName
	tokenString
	tokenNumber // Int, *big.Int or Float
	tokenOperator
)

type token struct {
	kind  kind
	line  int
	text  string // data, name, value of a string, operator
	value Value  // of a number
}

// maxTokens bounds the memory of a parsed template.
const maxTokens = 1 << 16

// lexer cuts a source into tokens by the rules of Jinja's lexer with trim_blocks and lstrip_blocks.
type lexer struct {
	source     string
	at         int
	line       int
	lineStart  bool // what was read last ended with a newline, or nothing was read
	tokens     []token
	counted    int // how far the newlines have been counted
	unbalanced []byte
}

// lex returns the tokens of a source.
func lex(source string) ([]token, error) {
	source = normalNewlines(source)
	source = strings.TrimSuffix(source, "\n") // keep_trailing_newline is off
	l := &lexer{source: source, line: 1, lineStart: true}
	for l.at < len(l.source) {
		if err := l.root(); err != nil {
			return nil, l.fail(err)
		}
		if len(l.tokens) > maxTokens {
			return nil, limitError("a template of more than %d tokens", maxTokens)
		}
	}
	l.emit(token{kind: tokenEnd})
	return l.tokens, nil
}

func normalNewlines(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func syntaxError(format string, arguments ...any) error {
	return raise("TemplateSyntaxError", format, arguments...)
}

func (l *lexer) fail(err error) error {
	l.countLines()
	return atLine(err, l.line)
}

func (l *lexer) countLines() {
	l.line += strings.Count(l.source[l.counted:l.at], "\n")
	l.counted = l.at
}

// emit appends a token that begins at the present position.
func (l *lexer) emit(t token) {
	l.countLines()
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

// data appends text of the template.
func (l *lexer) data(text string) {
	if text != "" {
		l.emit(token{kind: tokenData, text: text})
	}
}

// nextTag returns the position of the next opening mark, or -1.
func nextTag(s string) int {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '{')
		if i < 0 || from+i+1 >= len(s) {
			return -1
		}
		switch s[from+i+1] {
		case '%', '{', '#':
			return from + i
		}
		from += i + 1
	}
}

// strip applies the whitespace control of a tag to the text before it. block is false for a print tag.
func (l *lexer) strip(text string, sign byte, block bool) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || !block:
		return text
	}
	start := strings.LastIndexByte(text, '\n') + 1
	if (start > 0 || l.lineStart) && start < len(text) && strings.TrimFunc(text[start:], isSpace) == "" {
		return text[:start]
	}
	return text
}

// signAt returns the whitespace control at a position, or 0.
func (l *lexer) signAt(i int) byte {
	if i < len(l.source) && (l.source[i] == '-' || l.source[i] == '+') {
		return l.source[i]
	}
	return 0
}

// root reads template text up to the next tag, and the tag.
func (l *lexer) root() error {
	rest := l.source[l.at:]
	i := nextTag(rest)
	if i < 0 {
		l.data(rest)
		l.at = len(l.source)
		return nil
	}
	opening := rest[i+1]
	sign := l.signAt(l.at + i + 2)
	l.data(l.strip(rest[:i], sign, opening != '{'))
	begin := l.at + i
	inside := begin + 2
	if sign != 0 {
		inside++
	}
	if opening == '%' {
		if end := l.rawBegin(inside); end > 0 {
			return l.raw(end)
		}
	}
	l.at = inside
	l.lineStart = false
	switch opening {
	case '#':
		return l.comment()
	case '%':
		l.emit(token{kind: tokenBlockBegin})
		return l.tag(tokenBlockEnd)
	}
	l.emit(token{kind: tokenVariableBegin})
	return l.tag(tokenVariableEnd)
}

func (l *lexer) skipSpace(i int) int {
	rest := l.source[i:]
	return i + len(rest) - len(strings.TrimLeftFunc(rest, isSpace))
}

// rawBegin returns the end of a raw tag whose inside begins at i, or 0.
func (l *lexer) rawBegin(i int) int {
	i = l.skipSpace(i)
	if !strings.HasPrefix(l.source[i:], "raw") {
		return 0
	}
	i = l.skipSpace(i + 3)
	switch {
	case strings.HasPrefix(l.source[i:], "-%}"):
		return l.skipSpace(i + 3)
	case strings.HasPrefix(l.source[i:], "%}"):
		return i + 2
	}
	return 0
}

// raw reads from the end of a raw tag to its endraw.
func (l *lexer) raw(begin int) error {
	l.lineStart = l.source[begin-1] == '\n'
	for from := begin; ; {
		i := strings.Index(l.source[from:], "{%")
		if i < 0 && begin == len(l.source) { // Jinja's lexer does not mind
			l.at = begin
			return nil
		}
		if i < 0 {
			l.at = begin
			return syntaxError("Missing end of raw directive")
		}
		mark := from + i
		from = mark + 2
		sign := l.signAt(from)
		inside := from
		if sign != 0 {
			inside++
		}
		inside = l.skipSpace(inside)
		if !strings.HasPrefix(l.source[inside:], "endraw") {
			continue
		}
		end := l.closing(l.skipSpace(inside+6), "%}", true)
		if end == 0 {
			continue
		}
		l.at = begin
		l.data(l.strip(l.source[begin:mark], sign, true))
		l.at = end
		l.lineStart = l.source[end-1] == '\n'
		return nil
	}
}

// closing returns the position after a closing mark at i with what it trims, or 0 if there is none. A tag that is a block
// takes a newline with it, and may have a plus.
func (l *lexer) closing(i int, mark string, block bool) int {
	rest := l.source[i:]
	switch {
	case block && strings.HasPrefix(rest, "+"+mark):
		return i + 1 + len(mark)
	case strings.HasPrefix(rest, "-"+mark):
		return l.skipSpace(i + 1 + len(mark))
	case !strings.HasPrefix(rest, mark):
		return 0
	}
	i += len(mark)
	if block && i < len(l.source) && l.source[i] == '\n' {
		i++
	}
	return i
}

// comment reads to the end of a comment.
func (l *lexer) comment() error {
	i := strings.Index(l.source[l.at:], "#}")
	if l.at == len(l.source) { // Jinja's lexer does not mind
		return nil
	}
	if i < 0 {
		return syntaxError("Missing end of comment tag")
	}
	end := l.at + i
	if end > l.at && (l.source[end-1] == '-' || l.source[end-1] == '+') {
		end--
	}
	l.at = l.closing(end, "#}", true)
	l.lineStart = l.source[l.at-1] == '\n'
	return nil
}

// tag reads the tokens of a tag up to its end.
func (l *lexer) tag(end kind) error {
	mark := "%}"
	if end == tokenVariableEnd {
		mark = "}}"
	}
	l.unbalanced = l.unbalanced[:0]
	for l.at < len(l.source) {
		if len(l.unbalanced) == 0 {
			if after := l.closing(l.at, mark, end == tokenBlockEnd); after > 0 {
				l.emit(token{kind: end})
				l.at = after
				l.lineStart = l.source[after-1] == '\n'
				return nil
			}
		}
		if err := l.code(); err != nil {
			return err
		}
	}
	return nil // the parser misses the end
}

// code reads one token within a tag, or whitespace.
func (l *lexer) code() error {
	rest := l.source[l.at:]
	c := rest[0]
	if after := l.skipSpace(l.at); after > l.at {
		l.at = after
		return nil
	}
	if isDigit(c) {
		if n := l.number(rest); n > 0 {
			l.at += n
			return nil
		}
	}
	if c == '"' || c == '\'' {
		return l.quoted(rest)
	}
	if c == '_' || c >= utf8.RuneSelf || unicode.IsLetter(rune(c)) {
		return l.name(rest)
	}
	return l.operator(rest)
}

// number reads a number and returns its length, or 0.
func (l *lexer) number(rest string) int {
	if n := floatLength(rest); n > 0 && !(l.at > 0 && l.source[l.at-1] == '.') {
		f, _ := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64) // out of range is infinite, as in Python
		l.emit(token{kind: tokenNumber, value: Float(f)})
		return n
	}
	n := integerLength(rest)
	if n == 0 || n > 4300 {
		return 0
	}
	i, ok := new(big.Int).SetString(strings.ReplaceAll(rest[:n], "_", ""), 0)
	if !ok || strings.Trim(rest[:n], "0_") == "" {
		i = new(big.Int)
	}
	v, err := normal(i)
	if err != nil {
		return 0
	}
	l.emit(token{kind: tokenNumber, value: v, text: rest[:n]})
	return n
}

// digitsLength returns the length of digits with single underscores between them.
func digitsLength(s string, digit func(byte) bool) int {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
		if n+1 < len(s) && s[n] == '_' && digit(s[n+1]) {
			n++
		}
	}
	return n
}

// floatLength returns the length of a float: digits, and a fraction or an exponent or both.
func floatLength(s string) int {
	n := digitsLength(s, isDigit)
	isFloat := false
	if n < len(s) && s[n] == '.' {
		if fraction := digitsLength(s[n+1:], isDigit); fraction > 0 {
			n += 1 + fraction
			isFloat = true
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		sign := n + 1
		if sign < len(s) && (s[sign] == '+' || s[sign] == '-') {
			sign++
		}
		if exponent := digitsLength(s[sign:], isDigit); exponent > 0 {
			return sign + exponent
		}
	}
	if !isFloat {
		return 0
	}
	return n
}
