package eval

import (
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/verify"
)

// Trace is what a report says about one answer's text without keeping it.
type Trace struct {
	Outcome       verify.Outcome
	Tokens        int // 0 where the generator does not count
	ThoughtTokens int // of them; 0 where it is not known
	ThoughtBytes  int
	AnswerBytes   int
	IsTruncated   bool // ran out of tokens
	IsUnclosed    bool // a thought without an end
	IsThoughtless bool // no thought before the answer
	IsUnboxed     bool // no \boxed in the answer, of a benchmark that asks for one
	IsLoop        bool // ends in a repetition, see loops
}

// traceOf measures a sample of a question.
func traceOf(q *Question, s *Sample) Trace {
	t := Trace{
		Outcome: s.Verdict.Outcome, Tokens: s.Tokens, ThoughtTokens: s.ThoughtTokens, ThoughtBytes: s.ThoughtBytes, AnswerBytes: s.AnswerBytes,
		IsTruncated: s.Finish == engine.FinishLength, IsThoughtless: s.ThoughtBytes == 0 && !q.Opens, IsLoop: loops(s.Text),
	}
	t.IsUnclosed = !t.IsThoughtless && s.AnswerBytes == 0 && !closes(s.Text)
	if q.Kind == Maths || q.Kind == Choice {
		t.IsUnboxed = !strings.Contains(s.Text[s.ThoughtBytes:], "\\boxed")
	}
	return t
}

// closes says whether a text holds a mark that ends a thought.
func closes(text string) bool {
	for _, tags := range chat.KnownTags {
		if strings.Contains(text, tags.Close) {
			return true
		}
	}
	return false
}

// answerAt is where in a reply's text the answer begins, marks and white space before it left out; the text's length if
// there is no answer.
func answerAt(q *Question, r *llm.Reply) int {
	if r.Answer != "" {
		if at := strings.LastIndex(r.Text, r.Answer); at >= 0 {
			return at
		}
	}
	if r.Thought != "" {
		return len(r.Text)
	}
	isThinking := q.Opens
	for _, tags := range chat.KnownTags {
		isThinking = isThinking || strings.HasPrefix(strings.TrimSpace(r.Text), tags.Open)
		if at := strings.LastIndex(r.Text, tags.Close); at >= 0 {
			at += len(tags.Close)
			return at + len(r.Text[at:]) - len(strings.TrimLeft(r.Text[at:], " \t\r\n"))
		}
	}
	if isThinking {
		return len(r.Text)
	}
	return 0
}

// judged is the part of a sample's text that is graded: the answer, with the thought's opening mark where there is none,
// so that a thought that does not end has no answer. A lab task grades the whole.
func (s *Sample) judged(q *Question) string {
	switch {
	case q.Kind == Lab:
		return s.Text
	case s.AnswerBytes == 0:
		return whole(s.Text, true)
	}
	return s.Text[s.ThoughtBytes:]
}

// What a loop is: the text's last bytes, loopBytes at least, are one piece repeated loopTimes at least. Within the last
// loopWindow bytes only.
const (
	loopWindow = 1 << 13
	loopBytes  = 256
	loopTimes  = 4
)

// loops says whether a text ends in a repetition. The border array of the reversed end gives, for every length of a
// suffix, its smallest period (Knuth, Morris and Pratt 1977); the time is linear in the window.
func loops(text string) bool {
	tail := text[max(0, len(text)-loopWindow):]
	n := len(tail)
	at := func(i int) byte { return tail[n-1-i] }
	border := make([]int32, n)
	for i := 1; i < n; i++ {
		k := border[i-1]
		for k > 0 && at(i) != at(int(k)) {
			k = border[k-1]
		}
		if at(i) == at(int(k)) {
			k++
		}
		border[i] = k
		if length := i + 1; length >= loopBytes && length >= loopTimes*(length-int(k)) {
			return true
		}
	}
	return false
}
