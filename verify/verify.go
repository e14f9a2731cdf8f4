// Package verify is: Decides whether an answer to a maths or code problem is right, wrong, or cannot be judged, and says why (code is run by a Runner that it declares).
//
// It holds the Verdict that every judge returns; the countdown tasks' own judge is in package task. It does not ask for
// answers and does not turn verdicts into rewards.
//
// Invariant: what cannot be judged is Unknown, never Wrong; a Verdict that nobody has set is Unknown.
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
}

// String returns the verdict as one line, such as "wrong: 1/2 != 1/3".
func (v Verdict) String() string {
	if v.Reason == "" {
		return v.Outcome.String()
	}
	return v.Outcome.String() + ": " + v.Reason
}
