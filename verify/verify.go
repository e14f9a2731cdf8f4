// Package verify is: Decides whether an answer to a maths or code problem is right, wrong, or cannot be judged, and says why (code is run by a Runner that it declares).
//
// Check judges a text against a gold answer: it finds the answer in the text (Extract), reads both as mathematics, and
// compares them by ever dearer means, of which the first that decides gives its name to the verdict. The package holds the
// Verdict that every judge returns; the countdown tasks' own judge is in package task. It does not ask for answers and
// does not turn verdicts into rewards.
//
// Invariants: what cannot be judged is Unknown, never Wrong; a Verdict that nobody has set is Unknown. Checking is
// deterministic, symmetric in the two values, safe in goroutines, and bounded by a budget of steps, not by a clock.
//
// # Conformance kit
//
// The files testdata/*.txt hold cases that any verifier can be tried on. A case is a block of lines: comments that begin
// with #, an optional line "options: name=value ...", a line "gold: ...", a line "answer: ...", a line of four dashes, and
// the verdict: its outcome, its rule, and the canonical forms of both sides, one a line. Blocks are separated by an empty
// line. Inside gold and answer, \n stands for a new line. go test -run Kit -update writes the verdicts anew; the outcomes
// are then to be read by a person.
package verify

import "fmt"

// Outcome is one of Unknown, Right and Wrong. As text and in JSON it is "unknown", "right" or "wrong".
type Outcome uint8

// The outcomes. The zero value is Unknown.
const (
	Unknown Outcome = iota // cannot be judged: a fault of the problem or of the judge, not of the answer
	Right
	Wrong
)

var outcomeNames = [...]string{Unknown: "unknown", Right: "right", Wrong: "wrong"}

// String returns the outcome's name.
func (o Outcome) String() string {
	if int(o) >= len(outcomeNames) {
		return fmt.Sprintf("outcome(%d)", uint8(o))
	}
	return outcomeNames[o]
}

// MarshalText returns the outcome's name, and an error for a value that is none of the three.
func (o Outcome) MarshalText() ([]byte, error) {
	if int(o) >= len(outcomeNames) {
		return nil, fmt.Errorf("verify: outcome %d: want 0, 1 or 2", uint8(o))
	}
	return []byte(outcomeNames[o]), nil
}

// UnmarshalText reads an outcome's name.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, name := range outcomeNames {
		if string(text) == name {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("verify: outcome: got %.40q, want \"unknown\", \"right\" or \"wrong\"", text)
}

// Verdict is a judgement of one answer and the reason for it.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"` // one line; may be empty for Right
	Rule    string  `json:"rule,omitempty"`   // the rule of Check that decided; empty from other judges
	Gold    string  `json:"gold,omitempty"`   // the gold answer's canonical form, cut after 240 bytes
	Answer  string  `json:"answer,omitempty"` // the answer's canonical form, cut alike
}

// String returns the verdict as one line, such as "wrong: 1/2 != 1/3".
func (v Verdict) String() string {
	if v.Reason == "" {
		return v.Outcome.String()
	}
	return v.Outcome.String() + ": " + v.Reason
}
