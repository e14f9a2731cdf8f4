package engine

import "github.com/retort-ml/retort/internal/kernel"

// draftGram is the number of tokens that must be the same for the text behind them to be tried again.
const draftGram = 3

// phrasebook finds where the last tokens of a sample came before, in its own text or in that of another sample of the same request
// (Saxena 2023, prompt lookup decoding; group speculation as in the siblings of a GRPO group).
type phrasebook struct {
	slots  []phrase // open addressing; a power of two of them
	used   int
	texts  []*sequence
	owner  *sequence // whose prompt is in it
	accept float64   // estimate of the probability that a drafted token is taken, given those before it were
}

// phrase is the place behind some tokens: that position of a text, which is texts[text-1]; an empty slot has no text.
type phrase struct{ text, position int32 }

// startAcceptance is what is assumed before anything was drafted, and what an estimate drifts back to: a text may begin to repeat itself later.
const startAcceptance = 0.5

func newPhrasebook() *phrasebook {
	return &phrasebook{slots: make([]phrase, 64), accept: startAcceptance}
}

// read takes in what q has got since it was last read: all groups of tokens that another one follows.
func (b *phrasebook) read(q *sequence) {
	first := q.read
	if b.owner == nil {
		b.owner = q
	}
	if b.owner != q {
		first = max(first, len(q.prompt)-1) // the prompt is the same
	}
	if q.text == 0 {
		b.texts = append(b.texts, q)
		q.text = int32(len(b.texts))
	}
	for p := max(first, draftGram); p < q.len(); p++ {
		if slot := b.slot(q.gram(p)); slot.text == 0 {
			*slot = phrase{q.text, int32(p)}
			b.grow()
		} else {
			*slot = phrase{q.text, int32(p)}
		}
	}
	q.read = q.len()
}

// slot is where the place behind a gram stands, or would stand.
func (b *phrasebook) slot(gram [draftGram]int32) *phrase {
	at := hashTokens(0, gram[:])
	for {
		s := &b.slots[at&uint64(len(b.slots)-1)]
		if s.text == 0 || b.texts[s.text-1].gram(int(s.position)) == gram {
			return s
		}
		at++
	}
}

// grow counts a slot that was taken, and keeps half of them empty.
func (b *phrasebook) grow() {
	if b.used++; 2*b.used <= len(b.slots) {
		return
	}
	old := b.slots
	b.slots = make([]phrase, 2*len(old))
	for _, s := range old {
		if s.text > 0 {
			*b.slot(b.texts[s.text-1].gram(int(s.position))) = s
		}
	}
}

// gram is the tokens before a position.
func (q *sequence) gram(position int) (g [draftGram]int32) {
	for i := range g {
		g[i] = q.token(position - draftGram + i)
	}
	return g
}

// find drafts up to n tokens for q: what followed its last tokens before. A text that runs in a circle goes on into the draft itself.
func (b *phrasebook) find(q *sequence, n int) {
	q.draft = q.draft[:0]
	if q.len() < draftGram {
		return
	}
	at := b.slot(q.gram(q.len()))
	if at.text == 0 {
		return
	}
	from := b.texts[at.text-1]
	for i := range n {
		p := int(at.position) + i
		if p >= from.len() && from != q || p >= q.len()+len(q.draft) && from == q {
			return
		}
		q.draft = append(q.draft, from.token(p))
	}
}

// learn moves the estimate by what became of a draft.
func (b *phrasebook) learn(drafted, taken int) {
	const weight = 1.0 / 16
	for range min(drafted, taken) {
		b.accept += (1 - b.accept) * weight
	}
	if taken < drafted {
		b.accept -= b.accept * weight
	}
}

// drift lets an estimate return, so that drafting is tried again now and then.
func (b *phrasebook) drift() { b.accept += (startAcceptance - b.accept) / 512 }

// plan drafts tokens for the decoding sequences: forced ones, and those that the phrasebooks find if that makes the step worth more than it costs.
func (s *scheduler) plan() {
	decoding, space := 0, s.draftRows
	for _, q := range s.running {
		q.draft, q.guessed = q.draft[:0], 0
		if q.len()-q.cached > 1 {
			continue
		}
		decoding++
		if n := min(len(q.thinker.forced), space); n > 0 {
			q.draft = append(q.draft, q.thinker.forced[:n]...)
			space -= s.fit(q)
		}
	}
	if s.draftTokens == 0 || decoding == 0 || decoding < len(s.running) || decoding+space > maxCostRows || !s.account.allows(decoding) || !s.cost.mayPay(decoding, space) {
		return
	}
	most := min(s.draftTokens, space)
	for _, q := range s.running {
		if len(q.draft) > 0 {
			continue
		}
		q.book.read(q)
		q.book.find(q, most)
		s.fit(q)
		q.guessed = len(q.draft)
	}
	best := s.bestLength(decoding, most, space)
	for _, q := range s.running {
		if q.guessed > best {
			q.draft = q.draft[:best]
			q.guessed = best
		}
		if best == 0 {
			q.book.drift()
		}
	}
}

// fit cuts q's draft to what the sample may still have and to the blocks that nobody else will need soon, and returns its length.
func (s *scheduler) fit(q *sequence) int {
	n := min(len(q.draft), q.limit-q.len()-1)
	for len(q.blocks) < blocksFor(q.len()+n) && s.blocks.available() > len(s.running) {
		q.blocks = append(q.blocks, s.blocks.take())
	}
	n = min(n, len(q.blocks)*kernel.BlockTokens-q.len())
	q.draft = q.draft[:max(0, n)]
	return len(q.draft)
}

// bestLength is the length of drafts, up to most each and space in all, that promises the most tokens per second.
func (s *scheduler) bestLength(decoding, most, space int) int {
	base := s.cost.estimate(decoding)
	best, speed := 0, worthwhile*float64(decoding)/base
	rows, tokens := decoding, float64(decoding)
	for k := 1; k <= most; k++ {
		added := 0
		for _, q := range s.running {
			if q.guessed < k {
				continue
			}
			added++
			chance := 1.0
			for range k {
				chance *= q.book.accept
			}
			tokens += chance
		}
		if rows += added; added == 0 || rows > decoding+space {
			break
		}
		if v := tokens / s.cost.estimate(rows); v > speed {
			best, speed = k, v
		}
	}
	return best
}
