package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxAddedBytes bounds the length of an added token, and with it the work that matching does per byte of text.
const maxAddedBytes = 256

// Added is a token that is matched as a whole in the text before everything else.
type Added struct {
	Text       string // valid UTF-8, 1 to 256 bytes
	Special    bool   // a mark of the model's format (a role, an end), not a piece of text
	SingleWord bool   // not matched beside a letter, a number or another character of a word
	LStrip     bool   // takes the spaces before it
	RStrip     bool   // takes the spaces behind it
	Normalized bool   // matched in the normalised text, behind the tokens that are not
}

// addedToken is an added token with its place in the vocabulary.
type addedToken struct {
	Added
	id int32
}

// addedSet finds some of the added tokens in a text: leftmost first, the longest of those that begin there.
type addedSet struct {
	tokens  []addedToken
	matcher matcher
	first   int // the one byte that all of them begin with, -1 if there are several
}

// newAddedSet returns the set of tokens, each found by its pattern (distinct, not empty).
func newAddedSet(tokens []addedToken, patterns []string) addedSet {
	s := addedSet{tokens: tokens, matcher: newMatcher(patterns, 0), first: -1}
	for i, pattern := range patterns {
		switch {
		case i == 0:
			s.first = int(pattern[0])
		case s.first != int(pattern[0]):
			s.first = -1
			return s
		}
	}
	return s
}

// find returns the first match that begins at from or behind, and nil if there is none.
func (s *addedSet) find(text string, from int) (token *addedToken, start, end int) {
	for at := from; at < len(text); at++ {
		if s.first >= 0 {
			skip := strings.IndexByte(text[at:], byte(s.first))
			if skip < 0 {
				break
			}
			at += skip
		}
		if i, length := s.matcher.longest(text[at:]); length > 0 {
			return &s.tokens[i], at, at + length
		}
	}
	return nil, len(text), len(text)
}

// wordBefore says whether text[:end] ends with a character of a word, wordAfter whether text[at:] begins with one.
func wordBefore(p *propertyTable, text string, end int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:end])
	return p.of(r)&isWord != 0
}

func wordAfter(p *propertyTable, text string, at int) bool {
	r, _ := utf8.DecodeRuneInString(text[at:])
	return p.of(r)&isWord != 0
}

// reading is what becomes of the added tokens in a text.
type reading uint8

const (
	readAll    reading = iota // every one is recognised
	readText                  // special ones are text
	readQuoted                // as readAll, in what Quote has left as it was
)

// appendSplit appends the ids of text: first the tokens that are matched in the text as it stands are taken out, then,
// from what lies between (stage 1), those that are matched in the normalised text. The order of the rules is that of
// find_matches in Hugging Face's added_vocabulary.rs: a special token that is not wanted, or a single word that is
// none, still hides the tokens within.
func (t *Tokenizer) appendSplit(dst []int32, text string, stage int, how reading) []int32 {
	set := &t.added[stage]
	done, at := 0, 0 // text[:done] is encoded, text[:at] searched; stripped spaces are encoded, and searched all the same
	for len(set.tokens) > 0 {
		token, start, end := set.find(text, at)
		if token == nil {
			break
		}
		at = end
		switch {
		case token.Special && how == readText:
			continue
		case token.SingleWord && (wordBefore(t.properties, text, start) || wordAfter(t.properties, text, end)):
			continue
		}
		if token.LStrip && done < start {
			start = done + len(strings.TrimRightFunc(text[done:start], t.isSpace))
		}
		if token.RStrip { // behind done there is nothing more to take, if it is farther
			end = t.properties.run(text, max(done, end), isSpace, isSpace)
		}
		if done < start {
			dst = t.appendBetween(dst, text[done:start], stage, how)
		}
		dst = append(dst, token.id)
		done = end
	}
	if done < len(text) {
		dst = t.appendBetween(dst, text[done:], stage, how)
	}
	return dst
}

func (t *Tokenizer) isSpace(r rune) bool { return t.properties.of(r)&isSpace != 0 }

// appendBetween appends the ids of what lies between the added tokens of a stage.
func (t *Tokenizer) appendBetween(dst []int32, text string, stage int, how reading) []int32 {
	if stage == 1 {
		if how == readQuoted {
			text = Unquote(text)
		}
		return t.appendOrdinary(dst, text)
	}
	if t.def.nfc {
		plain := text
		text = nfc(t.properties, text)
		if how == readQuoted {
			// A mark that combines with a < makes another character of it, and would not of what stands for it.
			if whole := nfc(t.properties, Unquote(plain)); Unquote(text) != whole {
				return t.appendOrdinary(dst, whole)
			}
		}
	}
	return t.appendSplit(dst, text, 1, how)
}

// checkAdded refuses the texts that tokenizer.json cannot carry, or that Hugging Face would read as another token:
// it looks an added token up among the names of the byte tokens, and its byte-level decoder maps a token made
// of those names only back to bytes.
func checkAdded(text string) error {
	switch {
	case len(text) < 2 || len(text) > maxAddedBytes:
		return fmt.Errorf("%.40q: %d bytes, want 2 to %d", text, len(text), maxAddedBytes)
	case !utf8.ValidString(text):
		return fmt.Errorf("%q: not valid UTF-8", text)
	}
	if bytes, ok := bytesOfNames(text); ok && bytes != text {
		return fmt.Errorf("%q: consists of byte-level characters only, so it would be read as bytes", text)
	}
	return nil
}
