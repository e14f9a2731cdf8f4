package engine

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/retort-ml/retort/internal/kernel"
)

// sequence is one sample: its tokens so far and, while it runs, its place in the cache.
type sequence struct {
	request, sample    int
	r                  *Request
	prompt             []int32
	out                []int32
	logProbs           []float32
	drawLogProbs       []float32 // nil if the distribution is drawn from as it is
	alternatives       []TokenLogProb
	limit              int // most tokens, prompt included
	greedy             bool
	inverseTemperature float32
	rng                rand.PCG
	history            *history // nil without penalties
	finish             FinishReason
	group              []sequence // itself, and for sample 0 also all other samples of the request

	blocks   []int32 // block table, empty while waiting
	cached   int     // positions whose keys and values stand in the blocks
	furthest int     // the most that cached ever was
	unready  int     // first prompt block of the table that is indexed but not yet written
	rows     int     // rows in the batch being run
	lastStep int     // the last step it was in, or that of its admission

	next drawn // not yet appended
}

func (q *sequence) len() int { return len(q.prompt) + len(q.out) }

// token returns the token at a position of the prompt or the output.
func (q *sequence) token(position int) int32 {
	if position < len(q.prompt) {
		return q.prompt[position]
	}
	return q.out[position-len(q.prompt)]
}

// promptBlock returns the prompt tokens in block i of the table.
func (q *sequence) promptBlock(i int) []int32 {
	start := i * kernel.BlockTokens
	return q.prompt[start:min(start+kernel.BlockTokens, len(q.prompt))]
}

// numPromptBlocks is the number of blocks that hold prompt tokens.
func (q *sequence) numPromptBlocks() int { return blocksFor(len(q.prompt)) }

// decides lists the sequences whose next token the last row of q decides: q, and at the end of the
// prompt all samples of the request.
func (q *sequence) decides() []sequence {
	if len(q.out) == 0 {
		return q.group
	}
	return q.group[:1]
}

// accept appends the drawn token and finds out whether it ends the sample.
func (q *sequence) accept() {
	q.out = append(q.out, q.next.token)
	q.logProbs = append(q.logProbs, q.next.logProb)
	if q.drawLogProbs != nil {
		q.drawLogProbs = append(q.drawLogProbs, q.next.drawLogProb)
	}
	q.history.add(q.next.token)
	switch {
	case slices.Contains(q.r.Stop, q.next.token), q.r.Constraint != nil && q.r.Constraint.Stops(q.out):
		q.finish = FinishStop
	case q.len() == q.limit:
		q.finish = FinishLength
	}
}

// blocksFor is the number of blocks that hold the keys and values of n positions.
func blocksFor(n int) int { return (n + kernel.BlockTokens - 1) / kernel.BlockTokens }

// startCapacity is the room for tokens that a sample gets at once; longer outputs double it.
const startCapacity = 256

// finite reports whether x is neither infinite nor NaN.
func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
