package engine

import (
	"fmt"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
)

// scheduler decides which rows each step evaluates and which blocks they may touch.
//
// A step is: give every running sequence the block of its next position (preempting the youngest
// ones if there is none left), admit waiting sequences, run one batch, draw and append tokens.
// A waiting sequence holds nothing; whatever it had cached is found again in the block index or
// evaluated again.
type scheduler struct {
	limits
	forward       forwarder
	blocks        *blockPool
	sampler       *sampler
	maxBatch      int
	prefillTokens int
	stats         Stats

	running []*sequence // in the order of admission
	waiting []*sequence // a stack: the last one is next
	tables  [][]int32   // block tables that no sequence uses

	batch  compute.Batch
	owners []*sequence // the sequence of each wanted row
}

func newScheduler(forward forwarder, pool *kernel.Pool, vocab, context int, o Options) *scheduler {
	return &scheduler{
		limits:        limits{vocab: vocab, context: context, blocks: forward.Blocks()},
		forward:       forward,
		blocks:        newBlockPool(forward.Blocks()),
		sampler:       newSampler(pool, vocab),
		maxBatch:      o.MaxBatch,
		prefillTokens: o.PrefillTokens,
		running:       make([]*sequence, 0, o.MaxBatch),
		batch: compute.Batch{
			Tokens: make([]int32, 0, o.MaxBatch+o.PrefillTokens),
			Seqs:   make([]compute.Seq, 0, o.MaxBatch),
			Rows:   make([]int32, 0, o.MaxBatch),
		},
		owners: make([]*sequence, 0, o.MaxBatch),
	}
}

// begin forgets whatever an earlier call left, its prompts too, and queues the first sample of each
// request.
func (s *scheduler) begin(seqs []sequence) {
	for _, q := range s.running {
		s.leave(q)
	}
	s.blocks.forgetPrompts()
	s.running, s.waiting = s.running[:0], s.waiting[:0]
	for i := len(seqs) - 1; i >= 0; i-- {
		if seqs[i].sample == 0 {
			s.waiting = append(s.waiting, &seqs[i])
		}
	}
}

func (s *scheduler) busy() bool { return len(s.running)+len(s.waiting) > 0 }

// step runs one batch. After an error the scheduler must begin anew.
func (s *scheduler) step() error {
	s.stats.Steps++
	s.grow()
	s.admit()
	s.assemble()
	pool := s.sampler.pool
	pool.Begin()
	defer pool.End()
	start := time.Now()
	logits, lse, err := s.forward.Run(&s.batch)
	s.stats.Forward += time.Since(start)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	s.advance()
	for r, q := range s.owners {
		if !finite(lse[r]) {
			return fmt.Errorf("engine: request %d sample %d: token %d: the logits are not finite: the weights hold NaN, infinities or very large values", q.request, q.sample, len(q.out))
		}
	}
	if len(s.owners) > 0 {
		s.sampler.draw(logits, lse, s.owners)
		s.accept()
	}
	return nil
}

// grow gives each running sequence the block of its last token. The oldest one always gets it: the
// others together can give up all blocks, and one sequence alone fits (limits.limit).
func (s *scheduler) grow() {
	for i := 0; i < len(s.running); i++ {
		q := s.running[i]
		for len(q.blocks) > 0 && len(q.blocks) < blocksFor(q.len()) {
			if id := s.blocks.take(); id != noBlock {
				q.blocks = append(q.blocks, id)
				continue
			}
			youngest := s.running[len(s.running)-1]
			s.running = s.running[:len(s.running)-1]
			s.leave(youngest)
			s.waiting = append(s.waiting, youngest)
			s.stats.Preemptions++
		}
	}
}

// leave takes all blocks from a sequence, the last one first: a prefix outlives what follows it.
func (s *scheduler) leave(q *sequence) {
	for i := len(q.blocks) - 1; i >= 0; i-- {
		s.blocks.release(q.blocks[i])
	}
	s.tables = append(s.tables, q.blocks[:0])
	q.blocks, q.cached = nil, 0
}

func (s *scheduler) admit() {
	for len(s.waiting) > 0 && len(s.running) < s.maxBatch {
		q := s.waiting[len(s.waiting)-1]
		if !s.place(q) {
			return
		}
		s.waiting = s.waiting[:len(s.waiting)-1]
		s.running = append(s.running, q)
	}
}

// place gives q the blocks of all its tokens, shared ones where its prompt is already there. It
// reports whether it could; it cannot while another sequence is still writing a part of the same
// prompt, or while blocks are short.
func (s *scheduler) place(q *sequence) bool {
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
		return false
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
	s.stats.PromptShared += max(0, q.cached-q.furthest)
	q.furthest = max(q.furthest, q.cached)
	q.lastStep = s.stats.Steps
	return true
}

// match fills q's table with the full prompt blocks that are in the cache, takes no references,
// and sets q.cached. The block that q will write next cannot be shared: if there is one that holds
// the rest of the prompt, match returns it as tail, to be copied. ready is false if another sequence
// is about to write what q could share.
func (s *scheduler) match(q *sequence) (tail int32, ready bool) {
	before := uint64(0)
	q.cached = 0
	for i := range q.numPromptBlocks() {
		tokens := q.promptBlock(i)
		id := s.blocks.find(before, tokens)
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

// assemble fills the batch: one row for each decoding sequence, and up to prefillTokens rows for
// those that still evaluate earlier tokens. A batch has one temperature; sequences of another one
// wait for a later step, those that waited longest first.
func (s *scheduler) assemble() {
	b := &s.batch
	b.Tokens, b.Seqs, b.Rows, s.owners = b.Tokens[:0], b.Seqs[:0], b.Rows[:0], s.owners[:0]
	if len(s.running) == 0 {
		return
	}
	first := s.running[0]
	for _, q := range s.running {
		if q.lastStep < first.lastStep {
			first = q
		}
	}
	b.InverseTemperature = first.inverseTemperature
	budget := s.prefillTokens
	for _, q := range s.running {
		q.rows = 0
		rest := q.len() - q.cached
		rows := rest
		if rest > 1 {
			rows = min(rest, budget)
		}
		wanted := rows == rest
		if rows == 0 || wanted && q.inverseTemperature != b.InverseTemperature {
			continue
		}
		if rest > 1 {
			budget -= rows
		}
		q.rows, q.lastStep = rows, s.stats.Steps
		b.Seqs = append(b.Seqs, compute.Seq{Start: len(b.Tokens), Len: rows, Pos: q.cached, Blocks: q.blocks})
		for p := q.cached; p < q.cached+rows; p++ {
			b.Tokens = append(b.Tokens, q.token(p))
		}
		if wanted {
			b.Rows = append(b.Rows, int32(len(b.Tokens)-1))
			s.owners = append(s.owners, q)
		}
	}
}

// advance records that the rows of the batch are in the cache.
func (s *scheduler) advance() {
	s.stats.Rows += len(s.batch.Tokens)
	for _, q := range s.running {
		if q.rows == 0 {
			continue
		}
		again := max(0, min(q.furthest, q.cached+q.rows)-q.cached)
		s.stats.Recomputed += again
		s.stats.PromptEvaluated += max(0, min(len(q.prompt), q.cached+q.rows)-q.cached-again)
		q.cached += q.rows
		q.furthest = max(q.furthest, q.cached)
		for n := q.numPromptBlocks(); q.unready < n && q.cached >= min((q.unready+1)*kernel.BlockTokens, len(q.prompt)); q.unready++ {
			s.blocks.blocks[q.blocks[q.unready]].ready = true
		}
	}
}

// accept appends the drawn tokens, queues the samples of prompts that were just finished, and takes
// the blocks from finished samples.
func (s *scheduler) accept() {
	for r := len(s.owners) - 1; r >= 0; r-- {
		group := s.owners[r].decides()
		for i := len(group) - 1; i >= 0; i-- {
			sample := &group[i]
			sample.accept()
			s.stats.Generated++
			if i == 0 {
				continue
			}
			s.stats.PromptShared += len(sample.prompt)
			sample.furthest = len(sample.prompt)
			if sample.finish == "" {
				s.waiting = append(s.waiting, sample)
			}
		}
	}
	running := s.running[:0]
	for _, q := range s.running {
		if q.finish == "" {
			running = append(running, q)
			continue
		}
		s.leave(q)
	}
	s.running = running
}
