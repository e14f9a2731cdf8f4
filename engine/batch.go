package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/retort-ml/retort/internal/compute"
)

// assemble fills the batch: the last token of each decoding sequence with its draft behind it, and some rows for
// those that still evaluate earlier tokens.
func (s *scheduler) assemble() {
	b := &s.batch
	b.Tokens, b.Seqs, b.Rows, s.owners, s.prefill = b.Tokens[:0], b.Seqs[:0], b.Rows[:0], s.owners[:0], s.prefill[:0]
	for _, q := range s.running {
		q.rows, q.wanted, q.taken = 0, 0, 0
		if q.len()-q.cached > 1 {
			s.prefill = append(s.prefill, q)
			continue
		}
		q.rows, q.wanted = 1+len(q.draft), 1+len(q.draft)
	}
	s.sharePrefill()
	b.InverseTemperature = 0
	for _, q := range s.running {
		if q.rows == 0 {
			continue
		}
		b.Seqs = append(b.Seqs, compute.Seq{Start: len(b.Tokens), Len: q.rows, Pos: q.cached, Blocks: q.blocks})
		for p := q.cached; p < q.cached+q.rows; p++ {
			b.Tokens = append(b.Tokens, q.token(p))
		}
		if q.wanted == 0 {
			continue
		}
		q.first = len(b.Rows)
		for i := range q.wanted {
			b.Rows = append(b.Rows, int32(len(b.Tokens)-q.wanted+i))
		}
		s.owners = append(s.owners, q)
		if b.InverseTemperature == 0 {
			b.InverseTemperature = q.inverseTemperature
		}
	}
	s.noteAhead()
}

// sharePrefill divides the rows for earlier tokens. The oldest sequence gets at least a quarter, so that
// it gets done; the rest goes to the shortest ones first, so that a short prompt does not wait for a long one.
func (s *scheduler) sharePrefill() {
	if len(s.prefill) == 0 {
		return
	}
	budget := s.prefillTokens
	if len(s.owners) > 0 || len(s.prefill) < len(s.running) {
		budget = s.stall.rows(budget)
	}
	give := func(q *sequence, most int) {
		rest := q.len() - q.cached
		rows := min(rest, most)
		budget -= rows - q.rows
		q.rows = rows
		if rows == rest {
			q.wanted = 1
		}
	}
	if len(s.prefill) > 1 {
		give(s.prefill[0], (budget+3)/4)
		slices.SortStableFunc(s.prefill, func(a, b *sequence) int { return cmp.Compare(a.len()-a.cached, b.len()-b.cached) })
	}
	for _, q := range s.prefill {
		give(q, q.rows+budget)
	}
}

// noteAhead finds the job whose rows are at least half of the batch: if it is called off while the batch runs, the rest may as well begin anew.
func (s *scheduler) noteAhead() {
	most, rows := (*Job)(nil), 0
	for _, q := range s.running {
		q.job.rows += q.rows
		if q.job.rows > rows {
			most, rows = q.job, q.job.rows
		}
	}
	for _, q := range s.running {
		q.job.rows = 0
	}
	if 2*rows >= len(s.batch.Tokens) {
		s.ahead.Store(most)
	}
}

// stallGuard bounds the time of a step that decoding samples wait for, by the measured speed of large batches.
type stallGuard struct {
	target    time.Duration
	perSecond float64 // rows; 0 before any was measured
}

// A batch is large from so many rows on, and a chunk of a prompt is cut down to no fewer.
const stallRows = 16

func (g *stallGuard) note(rows int, took time.Duration) {
	if rows < stallRows || took <= 0 {
		return
	}
	speed := float64(rows) / took.Seconds()
	if g.perSecond == 0 {
		g.perSecond = speed
	}
	g.perSecond += (speed - g.perSecond) / 4
}

// rows is the most rows of prompts, at most budget, that may stand beside decoding samples.
func (g *stallGuard) rows(budget int) int {
	if g.perSecond == 0 {
		return budget
	}
	return min(budget, max(stallRows, int(g.perSecond*g.target.Seconds())))
}
