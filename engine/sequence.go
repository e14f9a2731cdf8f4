package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/retort-ml/retort/internal/kernel"
)

// sequence is one sample: its tokens so far and, while it runs, its place in the cache.
type sequence struct {
	job                *Job
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
	thinker            thinker
	grammar            GrammarState // nil without one
	finish             FinishReason
	group              []sequence // itself, and for sample 0 also all other samples of the request
	follows            bool       // begins when sample 0 has read the prompt
	promptCached       int        // prompt tokens that another call had left in the cache

	blocks   []int32 // block table, empty while waiting
	cached   int     // positions whose keys and values stand in the blocks
	furthest int     // the most that cached ever was
	unready  int     // first prompt block of the table that is indexed but not yet written

	book *phrasebook // of all samples of the request
	read int         // tokens that are in it
	text int32       // its number there, 0 before it was read

	// Of the batch being run.
	draft   []int32 // tokens that are tried after the last one
	guessed int     // how many of them are not certain to come
	rows    int     // all of its rows; the last wanted ones decide tokens
	wanted  int
	first   int   // of the wanted rows among those of the batch
	taken   int   // tokens that were decided
	fault   error // why no token could be
	next    drawn // not yet appended
}

func (q *sequence) len() int { return len(q.prompt) + len(q.out) }

// token returns the token at a position of the prompt, the output or the draft.
func (q *sequence) token(position int) int32 {
	if position < len(q.prompt) {
		return q.prompt[position]
	}
	if position -= len(q.prompt); position < len(q.out) {
		return q.out[position]
	}
	return q.draft[position-len(q.out)]
}

// promptBlock returns the prompt tokens in block i of the table.
func (q *sequence) promptBlock(i int) []int32 {
	start := i * kernel.BlockTokens
	return q.prompt[start:min(start+kernel.BlockTokens, len(q.prompt))]
}

// blockTokens returns the tokens in block i of the table, in scratch where prompt and output meet in it.
func (q *sequence) blockTokens(i int, scratch *[kernel.BlockTokens]int32) []int32 {
	start := i * kernel.BlockTokens
	end := min(start+kernel.BlockTokens, q.len())
	switch n := len(q.prompt); {
	case end <= n:
		return q.prompt[start:end]
	case start >= n:
		return q.out[start-n : end-n]
	}
	for p := start; p < end; p++ {
		scratch[p-start] = q.token(p)
	}
	return scratch[:end-start]
}

// numPromptBlocks is the number of blocks that hold prompt tokens.
func (q *sequence) numPromptBlocks() int { return blocksFor(len(q.prompt)) }

// decides lists the sequences whose next token the next row of q decides: q, and at the end of the
// prompt all samples of the request.
func (q *sequence) decides() []sequence {
	if len(q.out) == 0 {
		return q.group
	}
	return q.group[:1]
}

// accept appends the drawn token and finds out whether it ends the sample.
func (q *sequence) accept() {
	token := q.next.token
	q.out = append(q.out, token)
	q.logProbs = append(q.logProbs, q.next.logProb)
	if q.drawLogProbs != nil {
		q.drawLogProbs = append(q.drawLogProbs, q.next.drawLogProb)
	}
	q.history.add(token)
	isStop := !q.next.forced && slices.Contains(q.r.Stop, token)
	restricted := q.restricted()
	ended := q.thinker.add(q.out)
	switch {
	case !restricted || isStop:
	case q.thinker.State == ThoughtInside, ended: // the grammar begins behind the thought
	default:
		q.grammar = q.grammar.Next(token)
	}
	switch {
	case isStop, q.r.Constraint != nil && q.r.Constraint.Stops(q.out):
		q.finish = FinishStop
	case q.len() == q.limit:
		q.finish = FinishLength
	default:
		q.thinker.steer(q.out, q.limit-q.len())
	}
}

// name tells which sample it is, for errors.
func (q *sequence) name() string { return fmt.Sprintf("request %d sample %d", q.request, q.sample) }

// blocksFor is the number of blocks that hold the keys and values of n positions.
func blocksFor(n int) int { return (n + kernel.BlockTokens - 1) / kernel.BlockTokens }

// startCapacity is the room for tokens that a sample gets at once; longer outputs double it.
const startCapacity = 256

// finite reports whether x is neither infinite nor NaN.
func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
