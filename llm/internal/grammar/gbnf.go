package grammar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse compiles a grammar in llama.cpp's notation (GBNF, grammars/README.md of that project); its texts are those of the rule root.
//
//	rule ::= "text" [a-z] [^"\\] . other-rule ( a | b ) x* x+ x? x{2} x{2,} x{2,5}   # comment
//
// A rule goes on over lines as long as the next one does not begin with a name and ::=. Texts and classes know the escapes \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH.
func Parse(text string, v *Vocabulary) (*Grammar, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("grammar: the text is not UTF-8")
	}
	p := &parser{text: text, rules: map[string]expression{}}
	for p.space(true); p.at < len(p.text); p.space(true) {
		if err := p.rule(); err != nil {
			return nil, fmt.Errorf("grammar: line %d: %w", 1+strings.Count(p.text[:p.at], "\n"), err)
		}
	}
	if _, ok := p.rules["root"]; !ok {
		return nil, fmt.Errorf("grammar: there is no rule root, which says what the whole text is")
	}
	return compile(p.rules, "root", v)
}

// parser reads GBNF by recursive descent.
type parser struct {
	text  string
	at    int
	depth int
	rules map[string]expression
}

// space skips blanks and comments, and line ends too if lines says so.
func (p *parser) space(lines bool) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || (c == '\n' || c == '\r') && lines:
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

// spaceWithin skips blanks within a rule: over a line end too, if the next line does not begin another rule.
func (p *parser) spaceWithin() {
	p.space(false)
	from := p.at
	p.space(true)
	if p.at == from {
		return
	}
	begin := p.at
	name := p.name()
	p.space(false)
	isRule := name != "" && strings.HasPrefix(p.text[p.at:], "::=")
	p.at = begin
	if isRule || begin == len(p.text) {
		p.at = from
	}
}

func (p *parser) name() string {
	from := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

func (p *parser) rule() error {
	name := p.name()
	if name == "" {
		return fmt.Errorf("got %.20q, want the name of a rule", p.text[p.at:])
	}
	p.space(false)
	if !p.take("::=") {
		return fmt.Errorf("got %.20q after the name %.60q, want ::=", p.text[p.at:], name)
	}
	e, err := p.choice()
	if err != nil {
		return err
	}
	if _, ok := p.rules[name]; ok {
		return fmt.Errorf("rule %.60q is there already", name)
	}
	p.rules[name] = e
	if p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
		return fmt.Errorf("got %.20q, want the end of rule %.60q", p.text[p.at:], name)
	}
	return nil
}

func (p *parser) take(text string) bool {
	if !strings.HasPrefix(p.text[p.at:], text) {
		return false
	}
	p.at += len(text)
	return true
}

func (p *parser) choice() (expression, error) {
	if p.depth++; p.depth > maxDepth {
		return expression{}, fmt.Errorf("parentheses are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	e := expression{kind: choice}
	for {
		s, err := p.sequence()
		if err != nil {
			return e, err
		}
		if e.list = append(e.list, s); !p.take("|") {
			return e, nil
		}
	}
}

func (p *parser) sequence() (expression, error) {
	e := expression{kind: sequence}
	for {
		p.spaceWithin()
		item, ok, err := p.item()
		if err != nil || !ok {
			return e, err
		}
		if item, err = p.repeated(item); err != nil {
			return e, err
		}
		e.list = append(e.list, item)
	}
}

// item reads what a repetition may follow; ok is false at the end of a sequence.
func (p *parser) item() (e expression, ok bool, err error) {
	if p.at == len(p.text) {
		return e, false, nil
	}
	switch c := p.text[p.at]; {
	case c == '"':
		p.at++
		e, err = p.quoted()
	case c == '[':
		p.at++
		e, err = p.class()
	case c == '.':
		p.at++
		e = oneOf(runeRange{0, maxRune})
	case c == '(':
		p.at++
		if e, err = p.choice(); err == nil && !p.take(")") {
			err = fmt.Errorf("got %.20q, want )", p.text[p.at:])
		}
	default:
		name := p.name()
		if name == "" {
			return e, false, nil
		}
		e = to(name)
	}
	return e, err == nil, err
}

func (p *parser) quoted() (expression, error) {
	var text []expression
	for !p.take(`"`) {
		if p.at == len(p.text) || p.text[p.at] == '\n' {
			return expression{}, fmt.Errorf(`a text has no closing "`)
		}
		r, err := p.character()
		if err != nil {
			return expression{}, err
		}
		text = append(text, oneOf(runeRange{r, r}))
	}
	return all(text...), nil
}

func (p *parser) class() (expression, error) {
	not := p.take("^")
	var ranges []runeRange
	for !p.take("]") {
		if p.at == len(p.text) || p.text[p.at] == '\n' {
			return expression{}, fmt.Errorf("a class has no closing ]")
		}
		lo, err := p.character()
		if err != nil {
			return expression{}, err
		}
		hi := lo
		if rest := p.text[p.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			p.at++
			if hi, err = p.character(); err != nil {
				return expression{}, err
			}
		}
		if hi < lo {
			return expression{}, fmt.Errorf("the range %q-%q of a class is empty", lo, hi)
		}
		ranges = append(ranges, runeRange{lo, hi})
	}
	if not {
		return oneOf(complement(ranges)...), nil
	}
	return oneOf(union(ranges)...), nil
}

// character reads one code point, or an escape.
func (p *parser) character() (rune, error) {
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += n
	if r != '\\' {
		return r, nil
	}
	if p.at == len(p.text) {
		return 0, fmt.Errorf("the text ends within an escape")
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '\\', '"', '[', ']', '-', '^':
		return rune(c), nil
	case 'x', 'u', 'U':
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		if len(p.text)-p.at >= digits {
			v, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
			if err == nil && v <= maxRune && !(v >= 0xD800 && v < 0xE000) {
				p.at += digits
				return rune(v), nil
			}
		}
		return 0, fmt.Errorf(`\%c wants %d hexadecimal digits of a code point`, c, digits)
	}
	return 0, fmt.Errorf(`unknown escape \%c`, c)
}

// repeated reads what may follow an item: * + ? {m} {m,} {m,n}.
func (p *parser) repeated(e expression) (expression, error) {
	for {
		switch {
		case p.take("*"):
			e = times(e, 0, -1)
		case p.take("+"):
			e = times(e, 1, -1)
		case p.take("?"):
			e = optional(e)
		case p.take("{"):
			low, high, err := p.bounds()
			if err != nil {
				return e, err
			}
			e = times(e, low, high)
		default:
			return e, nil
		}
	}
}

func (p *parser) bounds() (low, high int, err error) {
	end := strings.IndexByte(p.text[p.at:], '}')
	if end < 0 {
		return 0, 0, fmt.Errorf("a repetition has no closing }")
	}
	inner := p.text[p.at : p.at+end]
	p.at += end + 1
	first, second, isRange := strings.Cut(inner, ",")
	first, second = strings.TrimSpace(first), strings.TrimSpace(second)
	number := func(text string, none int) int {
		if text == "" {
			return none
		}
		n, e := strconv.Atoi(text)
		if e != nil || n < 0 || n > maxRepeat {
			err = fmt.Errorf("repetition {%.20s}: want numbers of at most %d", inner, maxRepeat)
		}
		return n
	}
	low = number(first, 0)
	high = low
	if isRange {
		high = number(second, -1)
	}
	if err == nil && (high >= 0 && high < low || first == "" && second == "") {
		err = fmt.Errorf("repetition {%.20s}: want {m}, {m,}, {m,n} or {,n}, the second number not below the first", inner)
	}
	return low, high, err
}
