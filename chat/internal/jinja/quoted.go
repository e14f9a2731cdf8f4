package jinja

import (
	"strings"
	"unicode/utf8"

	"github.com/retort-ml/retort/tokenizer"
)

// Texts from outside come with their < > [ and ] quoted (tokenizer.Quote), so that the caller can tell them from those of the template in what is
// rendered. A template must not see the difference: what compares or searches does so in the plain text. Each quoted character is one character, so
// that lengths and positions stay.

// plain is the text as the template's author thinks of it.
func plain(text string) string { return tokenizer.Unquote(text) }

// isQuoted reports whether a text has quoted characters.
func isQuoted(text string) bool { return len(plain(text)) != len(text) }

// plainRune is plain of one character.
func plainRune(r rune) rune {
	if r < quotedRunes || r >= quotedRunes+4 {
		return r
	}
	plain, _ := utf8.DecodeRuneInString(tokenizer.Unquote(string(r)))
	return plain
}

// quotedRunes is the first of the four characters that tokenizer.Quote puts in.
const quotedRunes = 0x10f900

// ahead returns the position in text behind n characters.
func ahead(text string, n int) int {
	at := 0
	for ; n > 0 && at < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

// cutLike cuts text as its plain form was cut into parts, with n characters between two of them.
func cutLike(text string, parts []string, n int) []string {
	for i, part := range parts {
		end := ahead(text, utf8.RuneCountInString(part))
		parts[i] = text[:end]
		text = text[end:]
		text = text[ahead(text, n):]
	}
	return parts
}

// splitQuoted is splitText where one of the texts may be quoted.
func splitQuoted(text, separator string, most int, fromRight bool) []string {
	if !isQuoted(text) && !isQuoted(separator) {
		return splitText(text, separator, most, fromRight)
	}
	separator = plain(separator)
	return cutLike(text, splitText(plain(text), separator, most, fromRight), utf8.RuneCountInString(separator))
}

// replaceQuoted is strings.Replace where one of the texts may be quoted.
func replaceQuoted(text, old, new string, n int) string {
	if old == "" || !isQuoted(text) && !isQuoted(old) {
		return strings.Replace(text, old, new, n)
	}
	return strings.Join(splitQuoted(text, old, n, false), new)
}

// trimQuoted removes a part at the beginning of a text, or at its end.
func trimQuoted(text, part string, end bool) string {
	n := utf8.RuneCountInString(part)
	switch {
	case end && strings.HasSuffix(plain(text), plain(part)):
		return text[:ahead(text, utf8.RuneCountInString(text)-n)]
	case !end && strings.HasPrefix(plain(text), plain(part)):
		return text[ahead(text, n):]
	}
	return text
}

// QuoteTexts returns a value with every text in it quoted, keys included.
func QuoteTexts(v Value) Value {
	switch v := v.(type) {
	case Str:
		return Str(tokenizer.Quote(string(v)))
	case Markup:
		return Markup(tokenizer.Quote(string(v)))
	case *List:
		return &List{quoteAll(v.items)}
	case *Tuple:
		return &Tuple{items: quoteAll(v.items), group: v.group}
	case *Dict:
		d := NewDict()
		for i, key := range v.keys {
			key := QuoteTexts(key)
			if hash, err := hashKey(key); err == nil { // every key in a dict has been hashed before
				d.put(hash, key, QuoteTexts(v.values[i]))
			}
		}
		return d
	}
	return v
}

func quoteAll(values []Value) []Value {
	quoted := make([]Value, len(values))
	for i, v := range values {
		quoted[i] = QuoteTexts(v)
	}
	return quoted
}

// Items returns the items of a list; nil if v is none. They are not the caller's.
func Items(v Value) []Value {
	if l, ok := v.(*List); ok {
		return l.items
	}
	return nil
}

// Texts returns every text in a value, keys included.
func Texts(v Value) []string {
	switch v := v.(type) {
	case Str:
		return []string{string(v)}
	case Markup:
		return []string{string(v)}
	case *List:
		return allTexts(nil, v.items)
	case *Tuple:
		return allTexts(nil, v.items)
	case *Dict:
		return allTexts(allTexts(nil, v.keys), v.values)
	}
	return nil
}

func allTexts(texts []string, values []Value) []string {
	for _, v := range values {
		texts = append(texts, Texts(v)...)
	}
	return texts
}

// Names returns the text keys, in their order.
func (d *Dict) Names() []string {
	if d == nil {
		return nil
	}
	names := make([]string, 0, len(d.keys))
	for _, key := range d.keys {
		if name, ok := textOf(key); ok {
			names = append(names, name)
		}
	}
	return names
}
