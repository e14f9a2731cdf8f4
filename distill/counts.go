package distill

import "github.com/retort-ml/retort/verify"

// Counts say what became of all traces that were asked for. Sampled is Right +
// Wrong + Unjudged, and Right is Kept + the sum of Dropped.
type Counts struct {
	Problems int `json:"problems"` // asked
	Sampled  int `json:"sampled"`
	Right    int `json:"right"`
	Wrong    int `json:"wrong"`
	Unjudged int `json:"unjudged"` // a fault of the problem or of the judge, not of the trace
	// Failed are traces that were asked for and not given, or withheld: they are not among Sampled.
	Failed int `json:"failed,omitempty"`
	// Dropped holds a row for each filter, in the order in which they are applied.
	Dropped []Drop `json:"dropped"`
	Kept    int    `json:"kept"`
	// KeptProblems are the problems with a trace in the set.
	KeptProblems int `json:"kept_problems"`
	// SampledTokens and KeptTokens are those of traces, without prompts.
	SampledTokens int64 `json:"sampled_tokens"`
	KeptTokens    int64 `json:"kept_tokens"`
	// PromptTokens, ReplyTokens and ThoughtTokens are all that a Generator counted itself, what failed included: what it
	// is paid for.
	PromptTokens  int64 `json:"prompt_tokens,omitempty"`
	ReplyTokens   int64 `json:"reply_tokens,omitempty"`
	ThoughtTokens int64 `json:"thought_tokens,omitempty"`
}

// Drop is how many right traces a filter dropped.
type Drop struct {
	Filter string `json:"filter"` // one of the Filter constants
	Traces int    `json:"traces"`
}

// Count is a line of the table of counts.
type Count struct {
	Name    string
	Number  int64
	Meaning string
}

func newCounts() *Counts {
	c := &Counts{Dropped: make([]Drop, len(filters))}
	for i := range filters {
		c.Dropped[i].Filter = filters[i].name
	}
	return c
}

// add counts a trace that was judged.
func (c *Counts) add(t *Trace) {
	c.PromptTokens += int64(t.Counted.Prompt)
	c.ReplyTokens += int64(t.Counted.Reply)
	c.ThoughtTokens += int64(t.Counted.Thought)
	if t.Failed != "" {
		c.Failed++
		return
	}
	c.Sampled++
	c.SampledTokens += int64(len(t.Tokens))
	switch t.Verdict.Outcome {
	case verify.Right:
		c.Right++
	case verify.Wrong:
		c.Wrong++
	default:
		c.Unjudged++
	}
}

// DroppedBy returns how many right traces the filter of a name dropped.
func (c *Counts) DroppedBy(name string) int {
	for _, d := range c.Dropped {
		if d.Filter == name {
			return d.Traces
		}
	}
	return 0
}

// Table returns the counts in the order of what happens, for people.
func (c *Counts) Table() []Count {
	table := []Count{
		{"problems", int64(c.Problems), "asked"},
		{"sampled", int64(c.Sampled), "traces of the teacher"},
		{"sampled_tokens", c.SampledTokens, "tokens of them"},
		{"right", int64(c.Right), "with the right answer"},
		{"wrong", int64(c.Wrong), "with a wrong answer or none, dropped"},
		{"unjudged", int64(c.Unjudged), "that cannot be judged, dropped"},
	}
	if c.Failed > 0 {
		table = append(table, Count{"failed", int64(c.Failed), "that the teacher did not give"})
	}
	for i, d := range c.Dropped {
		table = append(table, Count{"dropped_" + d.Filter, int64(d.Traces), "right, but: " + filters[i].meaning})
	}
	return append(table,
		Count{"kept", int64(c.Kept), "traces in the set"},
		Count{"kept_problems", int64(c.KeptProblems), "problems with a trace in the set"},
		Count{"kept_tokens", c.KeptTokens, "tokens of the traces in the set"},
	)
}
