package distill

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/retort-ml/retort/task"
)

// HeldOut is a problem for evaluation, which no set may hold.
type HeldOut struct {
	// ID names the problem, Group the problems that count as one with it ("" for none): neither may
	// be asked.
	ID, Group string
	// Question and Gold (the reference solution, if there is one) are the texts that no question or
	// trace of a set may share a run of tokens with. The question stands without the prompt's form,
	// which all problems share.
	Question, Gold string
}

// HeldOutProblems are problems of a task as held-out ones, without gold texts.
func HeldOutProblems(problems []task.Problem) []HeldOut {
	held := make([]HeldOut, len(problems))
	for i, p := range problems {
		held[i] = HeldOut{ID: p.ID, Group: p.Group, Question: p.Question}
	}
	return held
}

// heldNames finds problems that are held out by name or group.
type heldNames struct {
	ids    map[string]bool
	groups map[string]string // to a held-out problem of the group
}

func newHeldNames(held []HeldOut) heldNames {
	names := heldNames{map[string]bool{}, map[string]string{}}
	for _, h := range held {
		names.ids[h.ID] = true
		if h.Group != "" {
			names.groups[h.Group] = h.ID
		}
	}
	return names
}

func (n heldNames) check(id, group string) error {
	if n.ids[id] {
		return fmt.Errorf("problem %q is held out", id)
	}
	if of, ok := n.groups[group]; ok {
		return fmt.Errorf("problem %q is of group %q, which is held out with problem %q", id, group, of)
	}
	return nil
}

// gramIndex holds the runs of tokens of the held-out texts: by length, then the
// run's bytes.
type gramIndex map[int]map[string]bool

// indexHeldOut makes the index of all held-out texts.
func indexHeldOut(held []HeldOut, t Tokenizer, o *FilterOptions) gramIndex {
	index := gramIndex{}
	n := o.ContaminationGram
	if n < 0 {
		return index
	}
	for _, h := range held {
		for _, text := range []string{h.Question, h.Gold} {
			tokens := t.Encode(text)
			if len(tokens) < max(n, o.WholeBelow) {
				index.add(tokens)
				continue
			}
			for at := 0; at+n <= len(tokens); at++ {
				index.add(tokens[at : at+n])
			}
		}
	}
	return index
}

func (g gramIndex) add(run []int32) {
	if len(run) == 0 {
		return
	}
	if g[len(run)] == nil {
		g[len(run)] = map[string]bool{}
	}
	g[len(run)][string(appendTokens(nil, run))] = true
}

// meets says whether tokens hold a run of the index.
func (g gramIndex) meets(tokens []int32) bool {
	all := appendTokens(nil, tokens)
	for n, runs := range g {
		for at := 0; at+n <= len(tokens); at++ {
			if runs[string(all[at*tokenBytes:(at+n)*tokenBytes])] {
				return true
			}
		}
	}
	return false
}

// tokenBytes is the size of a token in a key.
const tokenBytes = 4

func appendTokens(dst []byte, tokens []int32) []byte {
	dst = slices.Grow(dst, len(tokens)*tokenBytes)
	for _, t := range tokens {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(t))
	}
	return dst
}

// dropContaminated drops all traces of a contaminated question, else the
// contaminated ones. A trace that is compared is encoded anew: a teacher may have
// written a text in other tokens than the tokenizer would.
func (f *filtering) dropContaminated(traces []*Trace) []*Trace {
	if len(f.grams) == 0 || len(traces) == 0 {
		return traces
	}
	if f.grams.meets(f.tokenizer.Encode(traces[0].Problem.Question)) {
		return traces[:0]
	}
	return dropIf(traces, func(t *Trace) bool { return f.grams.meets(f.tokenizer.Encode(t.Text)) })
}
