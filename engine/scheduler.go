package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
)

// scheduler decides which rows each step evaluates and which blocks they may touch. One goroutine
// at a time uses it, and holds mu except while the model runs.
//
// A step is: give every running sequence the block of its next position (preempting others if there
// is none left), admit waiting sequences, run one batch, draw and append tokens. A waiting sequence
// holds nothing; whatever it had cached is found again in the block index or evaluated again.
type scheduler struct {
	mu sync.Mutex // before Engine.mu
	limits
	forward       forwarder
	version       uint64 // of the weights that the cached blocks belong to
	blocks        *blockPool
	sampler       *sampler
	maxBatch      int
	prefillTokens int
	draftTokens   int // of one sequence
	draftRows     int // of a batch
	stall         stallGuard
	cost          stepCost
	account       draftAccount
	stats         Stats
	began         time.Time // what windows are counted from
	working       bool      // the workers do not park

	jobs    []*Job      // that are not over, in the order of arrival
	running []*sequence // in the order of admission
	tables  [][]int32   // block tables that no sequence uses
	scratch [kernel.BlockTokens]int32

	batch   compute.Batch
	owners  []*sequence // those with wanted rows
	prefill []*sequence // those that evaluate earlier tokens
	abandon atomic.Bool
	ahead   atomic.Pointer[Job] // whose rows are at least half of the batch being run
}

func newScheduler(forward forwarder, pool *kernel.Pool, vocab, context int, o Options) *scheduler {
	s := &scheduler{
		limits:        limits{vocab: vocab, context: context, blocks: forward.Blocks()},
		forward:       forward,
		version:       forward.Version(),
		blocks:        newBlockPool(forward.Blocks()),
		sampler:       newSampler(pool, vocab),
		maxBatch:      o.MaxBatch,
		prefillTokens: o.PrefillTokens,
		draftTokens:   max(0, o.DraftTokens),
		draftRows:     o.draftRows(),
		stall:         stallGuard{target: o.MaxStall},
		began:         time.Now(),
		running:       make([]*sequence, 0, o.MaxBatch),
		batch: compute.Batch{
			Tokens: make([]int32, 0, o.tokens()),
			Seqs:   make([]compute.Seq, 0, o.MaxBatch),
			Rows:   make([]int32, 0, o.rows()),
		},
		owners:  make([]*sequence, 0, o.MaxBatch),
		prefill: make([]*sequence, 0, o.MaxBatch),
	}
	s.batch.Abandon = &s.abandon
	return s
}

// add queues the samples of a job, those aside that follow another one.
func (s *scheduler) add(j *Job) {
	for i := len(j.seqs) - 1; i >= 0; i-- {
		if !j.seqs[i].follows {
			j.waiting = append(j.waiting, &j.seqs[i])
		}
	}
	s.jobs = append(s.jobs, j)
}

// remove takes everything from a job.
func (s *scheduler) remove(j *Job) {
	s.running = slices.DeleteFunc(s.running, func(q *sequence) bool {
		if q.job == j {
			s.leave(q)
		}
		return q.job == j
	})
	j.waiting, j.running = nil, 0
	s.jobs = slices.DeleteFunc(s.jobs, func(other *Job) bool { return other == j })
}

func (s *scheduler) busy() bool { return len(s.jobs) > 0 }

// step runs one batch. mu is held. An error is the model's; the jobs that ran must be removed after it.
func (s *scheduler) step() error {
	if v := s.forward.Version(); v != s.version {
		s.blocks.forgetPrompts()
		s.version = v
	}
	s.stats.Steps++
	s.grow()
	s.admit()
	s.plan()
	s.assemble()
	if len(s.prefill) > 0 {
		s.tellBefore(len(s.batch.Tokens))
	}
	s.work()
	start := time.Now()
	s.mu.Unlock()
	logits, lse, err := s.forward.Run(&s.batch)
	s.mu.Lock()
	took := time.Since(start)
	s.stats.Forward += took
	s.ahead.Store(nil)
	if s.abandon.Swap(false) && errors.Is(err, compute.ErrAbandoned) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	s.stats.Rows += len(s.batch.Tokens)
	s.stall.note(len(s.batch.Tokens), took)
	if len(s.owners) > 0 {
		s.sampler.draw(logits, lse, s.batch.InverseTemperature, s.owners)
	}
	if len(s.prefill) == 0 {
		s.noteCost(time.Since(start))
	}
	s.advance()
	s.settle()
	return nil
}

// noteCost takes in how long a step took that evaluated no prompts.
func (s *scheduler) noteCost(took time.Duration) {
	tokens, isDrafted := 0, false
	for _, q := range s.owners {
		tokens += q.taken
		isDrafted = isDrafted || q.guessed > 0
	}
	s.account.note(len(s.owners), tokens, isDrafted, took, s.cost.estimate(len(s.owners)))
	s.cost.note(len(s.batch.Tokens), took)
}

// grow gives each running sequence the block of its last token. The oldest one always gets it: the
// others together can give up all blocks, and one sequence alone fits (limits.limit).
func (s *scheduler) grow() {
	for i := 0; i < len(s.running); i++ {
		q := s.running[i]
		for len(q.blocks) < blocksFor(q.len()) {
			if id := s.blocks.take(); id != noBlock {
				q.blocks = append(q.blocks, id)
				continue
			}
			victim := s.victim()
			gone := victim == i
			s.preempt(victim)
			if victim <= i {
				i--
			}
			if gone {
				break
			}
		}
	}
}

// victim is the place of the sequence that gives way: the youngest one of the job that has the most. It is not the oldest
// one of all unless that is alone.
func (s *scheduler) victim() int {
	richest := s.running[len(s.running)-1].job
	for _, j := range s.jobs {
		if j.running > richest.running {
			richest = j
		}
	}
	for i := len(s.running) - 1; i > 0; i-- {
		if s.running[i].job == richest {
			return i
		}
	}
	return len(s.running) - 1
}

// preempt takes the blocks from the i-th running sequence and lets it wait. As long as nobody needs the blocks they are found again.
func (s *scheduler) preempt(i int) {
	q := s.running[i]
	s.running = slices.Delete(s.running, i, i+1)
	s.keep(q)
	s.leave(q)
	q.job.running--
	q.job.waiting = append(q.job.waiting, q)
	s.stats.Preemptions++
}

// leave takes all blocks from a sequence, the last one first: a prefix outlives what follows it.
func (s *scheduler) leave(q *sequence) {
	for i := len(q.blocks) - 1; i >= 0; i-- {
		s.blocks.release(q.blocks[i])
	}
	s.tables = append(s.tables, q.blocks[:0])
	q.blocks, q.cached = nil, 0
}

// advance records which rows of the batch are in the cache: all but those of drafts that were not taken.
func (s *scheduler) advance() {
	for _, q := range s.running {
		if q.rows == 0 {
			continue
		}
		rows := q.rows - q.wanted + q.taken
		again := max(0, min(q.furthest, q.cached+rows)-q.cached)
		s.stats.Recomputed += again
		s.stats.PromptEvaluated += max(0, min(len(q.prompt), q.cached+rows)-q.cached-again)
		q.cached += rows
		q.furthest = max(q.furthest, q.cached)
		for n := q.numPromptBlocks(); q.unready < n && q.cached >= min((q.unready+1)*kernel.BlockTokens, len(q.prompt)); q.unready++ {
			s.blocks.blocks[q.blocks[q.unready]].ready = true
		}
	}
}

// settle queues the samples of prompts that were just finished, and takes the blocks from finished
// samples.
func (s *scheduler) settle() {
	for r := len(s.owners) - 1; r >= 0; r-- {
		q := s.owners[r]
		s.stats.Generated += q.taken
		if q.guessed > 0 && q.fault == nil {
			s.stats.Drafted += q.guessed
			s.stats.DraftsTaken += min(q.guessed, q.taken-1)
			q.book.learn(q.guessed, q.taken-1)
		}
		if q.fault != nil && q.job.err == nil {
			q.job.err = q.fault
		}
		if len(q.group) == 1 || len(q.out) != q.taken || q.taken == 0 {
			continue
		}
		for i := len(q.group) - 1; i > 0; i-- {
			sample := &q.group[i]
			s.stats.Generated++
			s.stats.PromptShared += len(sample.prompt)
			sample.furthest, sample.promptCached = len(sample.prompt), q.promptCached
			if sample.finish == "" {
				q.job.waiting = append(q.job.waiting, sample)
			}
		}
	}
	running := s.running[:0]
	for _, q := range s.running {
		if q.finish == "" {
			running = append(running, q)
			continue
		}
		if q.r.Samples <= 1 {
			s.keep(q) // the next turn of a conversation begins with it
		}
		s.leave(q)
		q.job.running--
	}
	s.running = running
}
