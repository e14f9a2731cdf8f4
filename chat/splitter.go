package chat

import "strings"

// State is where in a reply we are.
type State uint8

// The states of a reply.
const (
	// Undecided is before the first text: a reply that begins with the opening mark is a thought first, any other is an answer.
	Undecided State = iota
	Thinking
	Answering
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Thinking:
		return "thinking"
	case Answering:
		return "answering"
	}
	return "undecided"
}

// space is the white space that is dropped around the marks.
const space = " \t\r\n"

// Splitter splits a reply into thinking and answer while it is generated.
//
// The thought ends with the first closing mark. What follows is the answer, whatever marks it holds. Without a closing
// mark all is thinking, and there is no answer. An opening mark counts at the beginning of the reply alone (one that repeats
// the prompt's is dropped). White space beside the marks belongs to neither part; within the answer nothing is changed.
//
// What is returned does not depend on how the reply is cut into pieces, not even within a character: texts are returned as
// soon as they cannot be part of a mark, and what the calls returned, joined, is the same for every cut.
type Splitter struct {
	tags   Tags
	state  State
	held   string // not yet known to be text or mark, about as long as a mark
	blank  []byte // white space before it, dropped if a mark follows
	fresh  bool   // nothing of the present part was returned: white space is dropped, a first opening mark too
	offset int    // of the first byte of blank and held, in the bytes of the reply

	begin, end int // the thought, in bytes of the reply; end is -1 before it is closed
	fed        int // bytes of the reply
	tokens     [][2]int
	before     int // of tokens, how many CountAnew leaves out
	reasoning  int
}

// NewSplitter returns a splitter for a reply that begins in a state: that of [Prompt], or Thinking where the opening mark was
// forced.
func NewSplitter(tags Tags, start State) *Splitter {
	s := &Splitter{tags: tags, state: start, fresh: true, end: -1}
	if start == Answering {
		s.end = 0
		s.fresh = false
	}
	return s
}

// State returns the state after what was written. A mark that is cut is not yet counted.
func (s *Splitter) State() State { return s.state }

// ReasoningTokens returns how many of the tokens that WriteToken was given belong to the thought, its marks left out. A token
// that holds the end of the thought and the beginning of a mark counts. It is exact after Close; before, tokens that
// may belong to a mark are not counted yet.
func (s *Splitter) ReasoningTokens() int { return s.reasoning }

// CountAnew leaves the tokens so far out of ReasoningTokens: they were given, and what follows is counted.
func (s *Splitter) CountAnew() { s.reasoning, s.before = 0, len(s.tokens) }

// Write takes the next piece of the reply and returns what has become certain.
func (s *Splitter) Write(piece string) (thinking, answer string) {
	s.fed += len(piece)
	s.held += piece
	thinking, answer = s.advance(false)
	s.count(false)
	return thinking, answer
}

// WriteToken takes the next token and the text that it adds to the reply (which may be empty within a character).
// With ids in the tags, these alone are marks.
func (s *Splitter) WriteToken(id int32, piece string) (thinking, answer string) {
	if s.tags.CloseID == 0 {
		s.tokens = append(s.tokens, [2]int{s.fed, s.fed + len(piece)})
		return s.Write(piece)
	}
	switch {
	case id == s.tags.CloseID && s.state == Thinking:
		// White space held before the mark is dropped with it.
		s.blank, s.state, s.fresh = nil, Answering, true
		return "", ""
	case id == s.tags.OpenID && (s.state == Undecided || s.state == Thinking && s.fresh):
		s.blank, s.state, s.fresh = nil, Thinking, true
		return "", ""
	}
	if s.state == Undecided {
		s.blank = append(s.blank, piece...)
		if strings.Trim(piece, space) == "" {
			return "", ""
		}
		piece, s.blank = string(s.blank), nil
		s.state, s.fresh = Answering, false
	}
	if s.state == Answering {
		return "", s.reply(piece)
	}
	s.reasoning++
	if s.fresh {
		piece = strings.TrimLeft(piece, space)
	}
	return s.think(piece), ""
}

// Close ends the reply and returns what was held back.
func (s *Splitter) Close() (thinking, answer string) {
	thinking, answer = s.advance(true)
	s.count(true)
	return thinking, answer
}

// advance settles what can be settled of the held text; at the end of the reply, all of it.
func (s *Splitter) advance(last bool) (thinking, answer string) {
	if s.state == Undecided && !s.decide(last) {
		return "", ""
	}
	if s.state == Thinking {
		thinking = s.advanceThought(last)
	}
	if s.state == Answering {
		text := s.held
		s.drop(len(text))
		answer = s.reply(text)
	}
	return thinking, answer
}

// drop takes n bytes off the held text, and the white space before it.
func (s *Splitter) drop(n int) {
	s.held = s.held[n:]
	s.offset += len(s.blank) + n
	s.blank = nil
}

// dropSpace takes the white space at the beginning of the held text off.
func (s *Splitter) dropSpace() {
	s.drop(len(s.held) - len(strings.TrimLeft(s.held, space)))
}

// decide leaves Undecided, if it can: with the opening mark, or with anything that is none.
func (s *Splitter) decide(last bool) bool {
	text := strings.TrimLeft(s.held, space)
	s.blank = append(s.blank, s.held[:len(s.held)-len(text)]...)
	s.held = text
	switch {
	case s.tags.Open != "" && strings.HasPrefix(text, s.tags.Open):
		s.drop(len(s.tags.Open))
		s.state, s.begin = Thinking, s.offset
	case !last && strings.HasPrefix(s.tags.Open, text):
		return false
	default: // an answer, with the white space at its beginning
		s.held, s.blank = string(s.blank)+text, nil
		s.state, s.fresh, s.end = Answering, false, 0
	}
	return true
}

// advanceThought takes thinking off the held text, up to what may be the closing mark.
func (s *Splitter) advanceThought(last bool) string {
	if s.fresh {
		s.dropSpace()
		if s.begin == 0 && s.tags.Open != "" { // the prompt opened it: the reply may do so once more
			switch {
			case strings.HasPrefix(s.held, s.tags.Open):
				s.drop(len(s.tags.Open))
				s.begin = s.offset
				s.dropSpace()
			case !last && strings.HasPrefix(s.tags.Open, s.held):
				return ""
			}
		}
	}
	if i := strings.Index(s.held, s.tags.Close); i >= 0 && s.tags.Close != "" {
		s.end = s.offset + len(s.blank) + i
		text := s.think(s.held[:i])
		s.drop(i + len(s.tags.Close))
		s.offset = s.end + len(s.tags.Close)
		s.state, s.fresh = Answering, true
		return text
	}
	sure := len(s.held)
	if !last {
		sure -= overlap(s.held, s.tags.Close)
	}
	before := len(s.blank)
	text := s.think(s.held[:sure])
	s.held = s.held[sure:]
	s.offset += before + sure - len(s.blank)
	return text
}

// think returns text that belongs to the thought, after the white space that was held, and holds what is at its end.
func (s *Splitter) think(text string) string {
	kept := strings.TrimRight(text, space)
	if kept == "" {
		s.blank = append(s.blank, text...)
		return ""
	}
	rest := text[len(kept):]
	kept = string(s.blank) + kept
	s.blank = append([]byte(nil), rest...)
	s.fresh = false
	return kept
}

// reply is text of the answer, without the white space at its beginning.
func (s *Splitter) reply(text string) string {
	if s.fresh {
		text = strings.TrimLeft(text, space)
		s.fresh = text == ""
	}
	return text
}

// overlap is the length of the longest end of text that begins mark.
func overlap(text, mark string) int {
	for n := min(len(text), len(mark)-1); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			return n
		}
	}
	return 0
}

// count counts the tokens that are settled.
func (s *Splitter) count(last bool) {
	settled := s.offset
	if s.state == Thinking { // white space that is held belongs to the thought in any case
		settled += len(s.blank)
	}
	n := 0
	for _, token := range s.tokens {
		if token[1] > settled && !last || s.state == Undecided && !last {
			break
		}
		n++
		end := s.end
		if end < 0 {
			end = s.fed + 1
		}
		if n > s.before && (max(token[0], s.begin) < min(token[1], end) || token[0] == token[1] && token[0] >= s.begin && token[0] < end) {
			s.reasoning++
		}
	}
	s.tokens, s.before = s.tokens[n:], max(0, s.before-n)
}
