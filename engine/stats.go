package engine

import "time"

// Stats counts what an engine has done since it was made.
//
// Each prompt position of each sample is evaluated or shared once, so that PromptEvaluated +
// PromptShared is the sum of the prompt lengths of all samples that reached their first token.
type Stats struct {
	// Steps is the number of batches run, Rows the number of token rows in them.
	Steps, Rows int
	// Generated is the number of tokens sampled.
	Generated int
	// PromptEvaluated is the number of prompt rows run for the first time, PromptShared the number
	// of prompt positions that a sample took over from another one instead.
	PromptEvaluated, PromptShared int
	// Preemptions is the number of times a running sample gave up its blocks, Recomputed the number
	// of rows run again because of that.
	Preemptions, Recomputed int
	// Drafted is the number of tokens that were guessed ahead, DraftsTaken how many of them came.
	Drafted, DraftsTaken int
	// Copied is the number of KV blocks copied.
	Copied int
	// Elapsed is the time spent inside Generate and Stream after their turn came, Forward the part
	// of it spent in the model's forward pass.
	Elapsed, Forward time.Duration
}

// TokensPerSecond is the rate of sampled tokens, 0 before the first one.
func (s Stats) TokensPerSecond() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Generated) / s.Elapsed.Seconds()
}

// Since returns what was counted after earlier was taken.
func (s Stats) Since(earlier Stats) Stats {
	s.Steps -= earlier.Steps
	s.Rows -= earlier.Rows
	s.Generated -= earlier.Generated
	s.PromptEvaluated -= earlier.PromptEvaluated
	s.PromptShared -= earlier.PromptShared
	s.Preemptions -= earlier.Preemptions
	s.Recomputed -= earlier.Recomputed
	s.Drafted -= earlier.Drafted
	s.DraftsTaken -= earlier.DraftsTaken
	s.Copied -= earlier.Copied
	s.Elapsed -= earlier.Elapsed
	s.Forward -= earlier.Forward
	return s
}
