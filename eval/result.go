package eval

import (
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/verify"
)

// Sample is one judged answer.
type Sample struct {
	Problem  string              `json:"problem"` // its id
	Sample   int                 `json:"sample"`
	Seed     engine.Seed         `json:"seed"`
	Text     string              `json:"text"`
	Tokens   int                 `json:"tokens"` // 0 where the generator does not count
	Finish   engine.FinishReason `json:"finish"`
	Verdict  verify.Verdict      `json:"verdict"`
	IsFormed bool                `json:"is_formed"` // in the task's format; of a benchmark: with an answer
	Answer   string              `json:"answer,omitempty"`

	// Of a recorded run: ThoughtTokens are those of Tokens that are the thought, 0 where it is not known. ThoughtBytes of
	// Text stand before the answer, marks included, AnswerBytes are the rest.
	ThoughtTokens int `json:"thought_tokens,omitempty"`
	ThoughtBytes  int `json:"thought_bytes,omitempty"`
	AnswerBytes   int `json:"answer_bytes,omitempty"`
}

// ProblemResult is what became of one problem.
type ProblemResult struct {
	ID        string `json:"id"`
	Group     string `json:"group"` // its cluster
	Subject   string `json:"subject,omitempty"`
	Level     string `json:"level,omitempty"`
	Generated int    `json:"generated"`
	Judged    int    `json:"judged"` // the others could not be judged
	Right     int    `json:"right"`  // of the judged
	Formed    int    `json:"formed"` // in the task's format, of the generated
	Truncated int    `json:"truncated"`
	Votes     []Vote `json:"votes"`        // of the judged
	Lengths   []int  `json:"lengths"`      // tokens of every generated answer
	RightOnes []bool `json:"right_answer"` // of every generated answer

	// Of a recorded run. Refused problems could not be asked. A decided vote ended before all samples were drawn: its
	// Judged and Right count only the samples that were drawn whatever the vote.
	IsRefused bool    `json:"is_refused,omitempty"`
	IsDecided bool    `json:"is_decided,omitempty"`
	Traces    []Trace `json:"-"` // of every generated answer
}

// Result is what a run found.
type Result struct {
	Task        string          `json:"task"`
	Samples     int             `json:"samples"`
	Temperature float32         `json:"temperature"` // 0 for greedy
	MaxTokens   int             `json:"max_tokens"`
	Seed        uint64          `json:"seed"`
	Problems    []ProblemResult `json:"problems"`
	// Passes is how many samples pass@k has of each problem where votes end early; 0 means Samples.
	Passes int `json:"passes,omitempty"`
}

func (pr *ProblemResult) count(s Sample) {
	isRight := s.Verdict.Outcome == verify.Right
	pr.Generated++
	pr.Lengths = append(pr.Lengths, s.Tokens)
	pr.RightOnes = append(pr.RightOnes, isRight)
	if s.IsFormed {
		pr.Formed++
	}
	if s.Finish == engine.FinishLength {
		pr.Truncated++
	}
	if s.Verdict.Outcome == verify.Unknown {
		return
	}
	pr.Judged++
	if isRight {
		pr.Right++
	}
	pr.Votes = append(pr.Votes, Vote{Answer: s.Answer, Votes: s.Answer != "", Right: isRight})
}
