package engine

import "slices"

// ThoughtState is where in a reply a sample is.
type ThoughtState uint8

// The states, in the order of chat.State: before anything has shown whether the reply begins with a thought, within it, after it.
const (
	ThoughtUndecided ThoughtState = iota
	ThoughtInside
	ThoughtOver
)

// NoThought as a budget closes the thought at once.
const NoThought = -1

// Thinking says how the thought of a sample is marked, bounded and closed. Its token lists must not change while requests use them.
//
// The state comes from the prompt's end and from whole marks in the sample; it does not depend on what the sample is batched with. Forced tokens take
// the place of drawn ones, and do not stop a sample: Result.LogProbs says how likely the model found them, and Result.DrawLogProbs that they were certain.
type Thinking struct {
	// Begins is where the sample begins, by the end of the rendered prompt (chat.Prompt.State).
	Begins ThoughtState
	// Open and Close are the marks around a thought, a special token each as a rule. Close is needed.
	Open, Close []int32
	// Blank lists the tokens that may stand before Open: those of white space alone.
	Blank []int32
	// Opening is forced at the beginning of a sample that is undecided.
	Opening []int32
	// Closing is forced to close a thought, and ends with Close; empty means Close.
	Closing []int32
	// Budget is the most tokens of the thought, without its marks and with the words of Closing; 0 means no bound, NoThought none.
	Budget int
	// Used is how many of Budget the prompt holds already.
	Used int
	// Reserve closes the thought in time to leave so many tokens of what the sample may have for the answer.
	Reserve int
	// Loop, if set, finds thoughts that go round in circles.
	Loop *LoopDetection
}

// ThoughtEnd says what ended a thought.
type ThoughtEnd string

// The ends: the model's own mark, Thinking.Budget, Thinking.Reserve, Thinking.Loop, Job.CloseThought.
const (
	EndedByModel   ThoughtEnd = "model"
	EndedByBudget  ThoughtEnd = "budget"
	EndedByReserve ThoughtEnd = "reserve"
	EndedByLoop    ThoughtEnd = "loop"
	EndedByRequest ThoughtEnd = "request"
)

// Thought is what has become of a sample's thought.
type Thought struct {
	State ThoughtState
	// Tokens is the number of the sample's tokens within the thought, the marks left out.
	Tokens int
	// Ended says why it ended, "" if it did not or there was none.
	Ended ThoughtEnd
	// Nudges is how often Thinking.Loop has forced its nudge.
	Nudges int
}

// closing is what closes a thought.
func (t *Thinking) closing() []int32 {
	if len(t.Closing) > 0 {
		return t.Closing
	}
	return t.Close
}

// thinker follows the thought of one sample. The zero value has none.
type thinker struct {
	options *Thinking
	Thought
	from   int     // the first token of the sample that may belong to the thought
	forced []int32 // tokens that come next
	reason ThoughtEnd
	asked  bool
	loop   loopDetector
}

func newThinker(r *Request) thinker {
	if r.Thinking == nil {
		return thinker{Thought: Thought{State: ThoughtOver}}
	}
	t := thinker{options: r.Thinking, Thought: Thought{State: r.Thinking.Begins}}
	if t.State == ThoughtUndecided {
		t.forced = r.Thinking.Opening
	}
	return t
}

// add takes note of the last token of out and reports whether the thought ended with it.
func (t *thinker) add(out []int32) bool {
	switch t.State {
	case ThoughtUndecided:
		t.decide(out)
	case ThoughtInside:
		if t.Tokens == 0 && t.from == 0 && slices.Equal(out, t.options.Open) {
			t.from = len(out) // it repeats the prompt's mark
			return false
		}
		t.Tokens++
		mark := t.options.Close
		if !endsWith(out[t.from:], mark) {
			return false
		}
		t.Tokens -= len(mark)
		t.State, t.Ended = ThoughtOver, t.reason
		if t.Ended == "" {
			t.Ended = EndedByModel
		}
		return true
	}
	return false
}

// decide finds out whether out begins with a thought.
func (t *thinker) decide(out []int32) {
	first := 0
	for first < len(out) && slices.Contains(t.options.Blank, out[first]) && !slices.Contains(t.options.Open, out[first]) {
		first++
	}
	begun, mark := out[first:], t.options.Open
	switch {
	case len(begun) <= len(mark) && slices.Equal(begun, mark[:len(begun)]):
		if len(begun) == len(mark) && len(mark) > 0 {
			t.State, t.from = ThoughtInside, len(out)
		}
	default:
		t.State = ThoughtOver
	}
}

func endsWith(list, end []int32) bool {
	return len(list) >= len(end) && slices.Equal(list[len(list)-len(end):], end)
}

// steer decides whether tokens are forced next. left is how many tokens the sample may still have.
func (t *thinker) steer(out []int32, left int) {
	if t.State != ThoughtInside || len(t.forced) > 0 || t.reason != "" {
		return
	}
	o := t.options
	closing := o.closing()
	words := len(closing) - len(o.Close)
	switch {
	case t.asked:
		t.force(closing, EndedByRequest)
	case o.Budget == NoThought, o.Budget > 0 && o.Used+t.Tokens+words >= o.Budget:
		t.force(closing, EndedByBudget)
	case o.Reserve > 0 && left <= o.Reserve+len(closing):
		t.force(closing, EndedByReserve)
	case o.Loop != nil && t.loop.add(o.Loop, out[t.from:]):
		t.loop = loopDetector{}
		if t.Nudges < o.Loop.nudges() {
			t.Nudges++
			t.forced = o.Loop.Nudge
			return
		}
		t.force(closing, EndedByLoop)
	}
}

func (t *thinker) force(closing []int32, reason ThoughtEnd) { t.forced, t.reason = closing, reason }

// take returns the next forced token, if there is one.
func (t *thinker) take() (token int32, forced bool) {
	if len(t.forced) == 0 {
		return 0, false
	}
	token, t.forced = t.forced[0], t.forced[1:]
	return token, true
}

// meet takes a token that comes whatever is forced: it is the forced one, or nothing was forced where it was drawn.
func (t *thinker) meet(token int32) {
	if len(t.forced) > 0 && t.forced[0] == token {
		t.forced = t.forced[1:]
	} else if len(t.forced) > 0 {
		t.forced, t.reason = nil, ""
	}
}

// LoopDetection finds a thought that repeats itself: the last tokens are those that stand some number of tokens, the period, before them; there are at
// least Tokens of them, and at least Repeats periods. The zero value of each field is its default. (Of 1,995 published replies the defaults find 17, four of
// which came right in the end; with 3 repeats they find 15, with the same four, and later; with 32 tokens ten more, among them tables, decimals and
// an equation that is restated: docs/log.md.)
type LoopDetection struct {
	// Tokens is the least length of the repetition; 0 means 64. A period of 32 or more has then come again twice, a shorter one more often: an honest
	// thought restates a short equation more than twice.
	Tokens int
	// Repeats is how often the text must have come again, word for word and with nothing between; 0 means 2.
	Repeats int
	// Nudge is forced when a loop is found; without one, and from the second loop on, the thought is closed.
	Nudge []int32
}

func (o *LoopDetection) nudges() int { return min(1, len(o.Nudge)) }

// loopGram is the number of tokens by which a place is recognised.
const loopGram = 4

// loopDetector remembers where each group of tokens came last. The zero value has seen nothing.
type loopDetector struct {
	last   map[[loopGram]int32]int
	period int // how far back the text may have been the same
	run    int // tokens for which it was
}

// add takes note of the last token of text and reports whether it runs in a circle.
func (d *loopDetector) add(o *LoopDetection, text []int32) bool {
	n := len(text)
	if n < loopGram {
		return false
	}
	if d.last == nil {
		d.last = map[[loopGram]int32]int{}
	}
	tokens, repeats := o.Tokens, o.Repeats
	if tokens == 0 {
		tokens = 64
	}
	if repeats == 0 {
		repeats = 2
	}
	gram := [loopGram]int32(text[n-loopGram:])
	before, seen := d.last[gram]
	d.last[gram] = n
	switch {
	case d.period > 0 && text[n-1] == text[n-1-d.period]:
		d.run++
	case seen:
		d.period = n - before
		d.run = loopGram
		// A shorter repetition within the longer one hides it for a while.
		for most := max(tokens, repeats*d.period); d.run < most && d.run < before && text[n-1-d.run] == text[before-1-d.run]; d.run++ {
		}
	default:
		d.run, d.period = 0, 0
	}
	return d.run >= tokens && d.run >= repeats*d.period
}
