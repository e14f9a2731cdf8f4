package tokenizer

import "strings"

// The characters of quoted text that stand for < > [ and ], in this order: private ones, which no text that is meant to be read has. All have the first
// three bytes of quotedFirst.
const (
	quotedFirst = "\xf4\x8f\xa4"
	quotable    = "<>[]"
)

var (
	quoter   = quotingReplacer(false)
	unquoter = quotingReplacer(true)
)

func quotingReplacer(back bool) *strings.Replacer {
	var pairs []string
	for i := range len(quotable) {
		plain, quoted := quotable[i:i+1], quotedFirst+string([]byte{0x80 + byte(i)})
		if back {
			plain, quoted = quoted, plain
		}
		pairs = append(pairs, plain, quoted)
	}
	return strings.NewReplacer(pairs...)
}

// Quote returns text from outside in a form in which none of its marks is an added token: < > [ and ], with one of which every mark of a model's format
// begins and ends (<|im_start|>, </think>, [INST]), become private characters. A program, such as a chat template, may put it between marks of its own;
// EncodeQuoted tells the two apart.
func Quote(text string) string {
	if !strings.ContainsAny(text, quotable) {
		return text
	}
	return quoter.Replace(text)
}

// Unquote returns the text that was quoted.
func Unquote(text string) string {
	if !strings.Contains(text, quotedFirst) {
		return text
	}
	return unquoter.Replace(text)
}

// EncodeQuoted returns the ids of Unquote(text), in which an added token is recognised as by Encode unless it begins or ends with a character that Quote
// has replaced. Where nothing was quoted, they are those of Encode.
func (t *Tokenizer) EncodeQuoted(text string) []int32 {
	if !strings.Contains(text, quotedFirst) {
		return t.Encode(text)
	}
	return t.appendSplit(make([]int32, 0, len(text)/3+8), text, 0, readQuoted)
}
