package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
)

const fakeVocab = 23

// fakeModel stands in for a transformer: what it writes at a position is a hash of the token and of
// what it reads back at the position before, and the logits of a row are a hash of what it reads
// back at all positions up to the row. A wrong block, a lost write, a stale copy or a write to a
// block that another sequence reads changes the text, or is reported as an error at once.
type fakeModel struct {
	kv       []uint64 // [blocks*16]
	writer   []int    // who last wrote each position: run*1000+sequence
	runs     int
	rows     int
	fail     error // returned by the next runs
	version  uint64
	infinite bool // one logit of each row is infinite
	after    func()
	logits   []float32
	lse      []float32
}

func newFakeModel(blocks int) *fakeModel {
	return &fakeModel{
		kv:     make([]uint64, blocks*kernel.BlockTokens),
		writer: make([]int, blocks*kernel.BlockTokens),
	}
}

func (f *fakeModel) Blocks() int { return len(f.kv) / kernel.BlockTokens }

func (f *fakeModel) Version() uint64 { return f.version }

func (f *fakeModel) CopyBlock(dst, src int32) {
	copy(f.kv[dst*kernel.BlockTokens:][:kernel.BlockTokens], f.kv[src*kernel.BlockTokens:])
}

func (f *fakeModel) Run(b *compute.Batch) (logits, lse []float32, err error) {
	if f.fail != nil {
		return nil, nil, f.fail
	}
	f.runs++
	f.rows += len(b.Tokens)
	if len(b.Tokens) == 0 {
		return nil, nil, fmt.Errorf("fake: no rows")
	}
	f.logits, f.lse = f.logits[:0], f.lse[:0]
	next, wanted := 0, 0
	for i, s := range b.Seqs {
		if s.Start != next || s.Len <= 0 {
			return nil, nil, fmt.Errorf("fake: sequence %d covers rows %d+%d, want to begin at %d", i, s.Start, s.Len, next)
		}
		next += s.Len
		for row := s.Start; row < next; row++ {
			position := s.Pos + row - s.Start
			state, err := f.write(b, i, position, b.Tokens[row])
			if err != nil {
				return nil, nil, err
			}
			if wanted < len(b.Rows) && int(b.Rows[wanted]) == row {
				f.distribution(state, b.InverseTemperature)
				wanted++
			}
		}
	}
	if next != len(b.Tokens) || wanted != len(b.Rows) {
		return nil, nil, fmt.Errorf("fake: sequences cover %d of %d rows and %d of %d wanted rows", next, len(b.Tokens), wanted, len(b.Rows))
	}
	if f.after != nil {
		f.after()
	}
	if b.Abandon != nil && b.Abandon.Load() {
		return nil, nil, compute.ErrAbandoned
	}
	return f.logits, f.lse, nil
}

// write stores position's value and returns the hash of everything up to it.
func (f *fakeModel) write(b *compute.Batch, sequence, position int, token int32) (uint64, error) {
	s := &b.Seqs[sequence]
	stamp := f.runs*1000 + sequence
	slot := func(p int) int { return int(s.Blocks[p/kernel.BlockTokens])*kernel.BlockTokens + p%kernel.BlockTokens }
	for other := range b.Seqs {
		if other != sequence && slices.Contains(b.Seqs[other].Blocks, s.Blocks[position/kernel.BlockTokens]) {
			return 0, fmt.Errorf("fake: sequences %d and %d both hold the block of position %d, which is written", sequence, other, position)
		}
	}
	state := fakeStart
	for p := range position {
		at := slot(p)
		if f.writer[at]/1000 == f.runs && f.writer[at] != stamp {
			return 0, fmt.Errorf("fake: sequence %d reads position %d, which another one writes in the same run", sequence, p)
		}
		state = mix(state ^ f.kv[at])
	}
	at := slot(position)
	f.kv[at] = fakeValue(state, token)
	f.writer[at] = stamp
	return mix(state ^ f.kv[at]), nil
}

const fakeStart = uint64(77)

func fakeValue(state uint64, token int32) uint64 {
	return mix(state + uint64(token)*0x9e3779b97f4a7c15)
}

// distribution appends the logits and their log-sum-exp that follow from a prefix's hash.
func (f *fakeModel) distribution(state uint64, inverseTemperature float32) {
	start := len(f.logits)
	for i := range fakeVocab {
		f.logits = append(f.logits, float32(mix(state+uint64(i))>>50)/(1<<12)-2)
	}
	if f.infinite {
		f.logits[start] = float32(math.Inf(1))
	}
	f.lse = append(f.lse, logSumExp(f.logits[start:], inverseTemperature))
}

// referenceResults answers each sample by itself: no blocks, no batch, no sharing.
func referenceResults(reqs []Request, context int) []Result {
	var all []Result
	for i, r := range reqs {
		for sample := range max(1, r.Samples) {
			var f fakeModel
			result := Result{Request: i, Sample: sample, Thought: Thought{State: ThoughtOver}}
			var q sequence
			seedGenerator(&q.rng, Seed{r.Seed.Run, r.Seed.Problem, r.Seed.Sample + uint64(sample)})
			state := fakeStart
			for _, token := range r.Prompt {
				state = mix(state ^ fakeValue(state, token))
			}
			limit := context - len(r.Prompt)
			if r.MaxTokens > 0 {
				limit = min(limit, r.MaxTokens)
			}
			for result.Finish == "" {
				f.logits, f.lse = f.logits[:0], f.lse[:0]
				f.distribution(state, InverseTemperature(r.Temperature))
				d, alternatives := referenceDraw(&r, result.Tokens, f.logits, f.lse[0], &q.rng)
				token := d.token
				result.Tokens = append(result.Tokens, token)
				result.LogProbs = append(result.LogProbs, d.logProb)
				if r.alters() || r.truncates() && r.Temperature > 0 {
					result.DrawLogProbs = append(result.DrawLogProbs, d.drawLogProb)
				}
				result.Alternatives = append(result.Alternatives, alternatives...)
				if slices.Contains(r.Stop, token) {
					result.Finish = FinishStop
				} else if len(result.Tokens) == limit {
					result.Finish = FinishLength
				}
				state = mix(state ^ fakeValue(state, token))
			}
			all = append(all, result)
		}
	}
	return all
}
