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
	said               []int32 // Request.Begun tokens of the prompt, then out
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
	isStop := !q.next.forced && slices.Contains(q.r.Stop, token)
	q.say(token, isStop)
	q.out = q.said[len(q.said)-len(q.out)-1:]
	q.logProbs = append(q.logProbs, q.next.logProb)
	if q.drawLogProbs != nil {
		q.drawLogProbs = append(q.drawLogProbs, q.next.drawLogProb)
	}
	switch {
	case isStop, q.r.Constraint != nil && q.r.Constraint.Stops(q.said):
		q.finish = FinishStop
	case q.len() == q.limit:
		q.finish = FinishLength
	default:
		q.thinker.steer(q.said, q.limit-q.len())
	}
}

// say appends a token of the sample. Penalties, thought and grammar follow it.
func (q *sequence) say(token int32, isStop bool) {
	q.said = append(q.said, token)
	q.history.add(token)
	restricted := q.restricted()
	ended := q.thinker.add(q.said)
	switch {
	case !restricted || isStop:
	case q.thinker.State == ThoughtInside, ended: // the grammar begins behind the thought
	default:
		q.grammar = q.grammar.Next(token)
	}
}

// begin has a sample that has drawn nothing begin with tokens of its prompt. It reports whether the grammar has a way to go on from them.
func (q *sequence) begin(begun []int32, vocab int) bool {
	left := q.limit - len(q.prompt) + len(begun)
	q.thinker.steer(nil, left)
	for i, token := range begun {
		if !q.greedy {
			uniform(&q.rng) // draws belong to positions
		}
		q.thinker.meet(token)
		q.say(token, false)
		q.thinker.steer(q.said, left-1-i)
	}
	q.out = q.said[len(q.said):]
	return len(begun) == 0 || !q.restricted() || q.grammar.Complete() || q.grammarMask(make([]uint64, (vocab+63)/64))
}

// name tells which sample it is, for errors.
func (q *sequence) name() string { return fmt.Sprintf("request %d sample %d", q.request, q.sample) }

// blocksFor is the number of blocks that hold the keys and values of n positions.
func blocksFor(n int) int { return (n + kernel.BlockTokens - 1) / kernel.BlockTokens }

// startCapacity is the room for tokens that a sample gets at once; longer outputs double it.
const startCapacity = 256

// finite reports whether x is neither infinite nor NaN.
func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
