package engine

// Grammar says which texts a sample may be: it restricts each next token. It begins where the thought has ended, or at once if the
// request has no Thinking. It may be used by many samples at once.
type Grammar interface {
	// Start returns the state before the first token.
	Start() GrammarState
}

// GrammarState is where in a text a sample is. It is a value: Next does not change it. The answers must depend on nothing but the tokens so far.
type GrammarState interface {
	// Allow sets bit i%64 of mask[i/64] for each token i that may come next, and leaves the other bits alone. Where none may and the
	// text may not end, the sample fails.
	Allow(mask []uint64)
	// Next returns the state after a token. After one that Allow has not set, which a caller has forced, no token may come and the
	// text is not complete.
	Next(token int32) GrammarState
	// Complete reports whether the text may end here: with one of Request.Stop, or, if no other token may come, without.
	Complete() bool
}

// grammarMask fills mask with the tokens that may come next in q, and reports whether there is one.
func (q *sequence) grammarMask(mask []uint64) bool {
	clear(mask)
	q.grammar.Allow(mask)
	if q.grammar.Complete() {
		for _, token := range q.r.Stop {
			mask[token/64] |= 1 << (token % 64)
		}
	}
	if q.thinker.State == ThoughtUndecided {
		for _, token := range q.r.Thinking.Open { // it has one token: limits.refuseThinking
			mask[token/64] |= 1 << (token % 64)
		}
	}
	for _, word := range mask {
		if word != 0 {
			return true
		}
	}
	return false
}

// restricted reports whether the grammar decides about the next token.
func (q *sequence) restricted() bool { return q.grammar != nil && q.thinker.State != ThoughtInside }

// excluded is the logit of a token that may not come: its probability is zero, and sums with it are finite.
const excluded = -1e30

// exclude changes the logits z [V] of all tokens outside mask.
func exclude(z []float32, mask []uint64) {
	for i, word := range mask {
		part := z[i*64 : min(i*64+64, len(z))]
		switch word {
		case ^uint64(0):
		case 0:
			for k := range part {
				part[k] = excluded
			}
		default:
			for k := range part {
				if word>>k&1 == 0 {
					part[k] = excluded
				}
			}
		}
	}
}
