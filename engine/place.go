package engine

import "github.com/retort-ml/retort/internal/kernel"

// admit lets waiting sequences run. Jobs share the places: the one that has the fewest goes first, the oldest of equals.
func (s *scheduler) admit() {
	for _, j := range s.jobs {
		j.held = false
	}
	for {
		j := s.poorest()
		if j == nil || len(s.running) >= s.maxBatch && !s.makeWay(j) {
			return
		}
		q := j.waiting[len(j.waiting)-1]
		switch s.place(q) {
		case placed:
			j.waiting = j.waiting[:len(j.waiting)-1]
			j.running++
			s.running = append(s.running, q)
		case prefixUnready:
			j.held = true
		case blocksShort:
			if !s.makeWay(j) {
				return
			}
		}
	}
}

// poorest is the job with the fewest running of those that have samples waiting, nil if there is none.
func (s *scheduler) poorest() *Job {
	var best *Job
	for _, j := range s.jobs {
		if len(j.waiting) > 0 && !j.held && (best == nil || j.running < best.running) {
			best = j
		}
	}
	return best
}

// makeWay preempts a sequence of a job that has several for a job that has none, and reports whether it did.
func (s *scheduler) makeWay(j *Job) bool {
	if j.running > 0 || len(s.running) == 0 {
		return false
	}
	victim := s.victim()
	if s.running[victim].job.running < 2 || victim == 0 {
		return false
	}
	s.preempt(victim)
	return true
}

// placement says whether a sequence got its blocks.
type placement uint8

const (
	placed        placement = iota
	prefixUnready           // another sequence is still writing a part of the same prompt
	blocksShort
)

// place gives q the blocks of all its tokens, shared ones where its beginning is already there.
func (s *scheduler) place(q *sequence) placement {
	if n := len(s.tables); n > 0 {
		q.blocks, s.tables = s.tables[n-1], s.tables[:n-1]
	}
	tail, ready := s.match(q)
	shared := len(q.blocks)
	for _, id := range q.blocks {
		s.blocks.hold(id)
	}
	if tail != noBlock {
		s.blocks.hold(tail)
	}
	// Running sequences will soon want blocks too: an admission that is preempted at once costs its
	// prompt a second time.
	need := blocksFor(q.len()) - shared + len(s.running)/2
	if tail != noBlock && s.blocks.available() < need {
		s.blocks.release(tail)
		tail = noBlock
		q.cached = shared * kernel.BlockTokens
	}
	if !ready || s.blocks.available() < need {
		if tail != noBlock {
			s.blocks.release(tail)
		}
		s.leave(q)
		if !ready {
			return prefixUnready
		}
		return blocksShort
	}
	for len(q.blocks) < blocksFor(q.len()) {
		q.blocks = append(q.blocks, s.blocks.take())
	}
	q.unready = q.numPromptBlocks()
	if tail != noBlock {
		s.forward.CopyBlock(q.blocks[shared], tail)
		s.blocks.release(tail)
		s.stats.Copied++
	} else {
		s.index(q, shared)
	}
	if q.furthest == 0 {
		q.promptCached = min(q.cached, len(q.prompt))
	}
	s.stats.PromptShared += max(0, min(q.cached, len(q.prompt))-q.furthest)
	q.furthest = max(q.furthest, q.cached)
	return placed
}

// match fills q's table with the full blocks of its beginning that are in the cache, takes no references,
// and sets q.cached. The block that q will write next cannot be shared: if there is one that holds
// the rest of the prompt, match returns it as tail, to be copied. ready is false if another sequence
// is about to write what q could share.
func (s *scheduler) match(q *sequence) (tail int32, ready bool) {
	before := uint64(0)
	q.cached = 0
	for i := range blocksFor(q.len()) {
		tokens := q.blockTokens(i, &s.scratch)
		id := s.blocks.find(before, tokens)
		if id == noBlock && i == q.numPromptBlocks()-1 {
			tokens = q.promptBlock(i) // without the output behind it
			id = s.blocks.find(before, tokens)
		}
		if id == noBlock {
			break
		}
		b := &s.blocks.blocks[id]
		if !b.ready {
			return noBlock, false
		}
		// At least the last token is run, for its logits.
		end := min(q.cached+len(tokens), q.len()-1)
		if len(tokens) < kernel.BlockTokens || end < q.cached+len(tokens) {
			if end == q.cached {
				break
			}
			q.cached = end
			return id, true
		}
		q.blocks = append(q.blocks, id)
		q.cached = end
		before = b.name
	}
	return noBlock, true
}

// index makes the prompt blocks of q from number first on findable; they are not ready yet.
func (s *scheduler) index(q *sequence, first int) {
	before := uint64(0)
	if first > 0 {
		before = s.blocks.blocks[q.blocks[first-1]].name
	}
	q.unready = first
	for i := first; i < q.numPromptBlocks(); i++ {
		before = s.blocks.index(q.blocks[i], before, q.promptBlock(i))
	}
}

// keep makes all full blocks of q that are written findable, the output's too: for itself when it runs again, for a fork, or for a
// later request that goes on where q ends.
func (s *scheduler) keep(q *sequence) {
	before := uint64(0)
	for i := range q.cached / kernel.BlockTokens {
		id := q.blocks[i]
		b := &s.blocks.blocks[id]
		if b.indexed && b.count == kernel.BlockTokens {
			before = b.name
			continue
		}
		tokens := q.blockTokens(i, &s.scratch)
		if other := s.blocks.find(before, tokens); other != noBlock {
			if !s.blocks.blocks[other].ready {
				return
			}
			before = s.blocks.blocks[other].name
			continue
		}
		if b.indexed { // as the end of the prompt, which it now holds more than
			s.blocks.forget(id)
		}
		before = s.blocks.index(id, before, tokens)
		b.ready = true
	}
}
