package grammar

import (
	"cmp"
	"slices"
	"strings"
)

// Vocabulary is the texts of a model's tokens, sorted so that those with a common beginning stand together. It may be shared by many
// grammars.
type Vocabulary struct {
	texts   []string // of each id; "" for one that no grammar allows
	sorted  []int32  // ids with a text
	inOrder []string // the texts of sorted, one behind the other in memory: a mask goes through all of them
	shared  []int32  // bytes that sorted[i] has in common with sorted[i-1]
}

// NewVocabulary takes the bytes of each token, in the order of ids. An empty text is a token that has none, or that no grammar may
// use, such as a special one.
func NewVocabulary(texts []string) *Vocabulary {
	v := &Vocabulary{texts: texts}
	for id, text := range texts {
		if text != "" {
			v.sorted = append(v.sorted, int32(id))
		}
	}
	slices.SortFunc(v.sorted, func(a, b int32) int { return cmp.Or(cmp.Compare(texts[a], texts[b]), cmp.Compare(a, b)) })
	var bytes strings.Builder
	for _, id := range v.sorted {
		bytes.WriteString(texts[id])
	}
	rest := bytes.String()
	v.inOrder, v.shared = make([]string, len(v.sorted)), make([]int32, len(v.sorted))
	before := ""
	for i, id := range v.sorted {
		n := len(texts[id])
		v.inOrder[i], rest = rest[:n], rest[n:]
		for k := int32(0); int(k) < min(n, len(before)) && before[k] == v.inOrder[i][k]; k++ {
			v.shared[i] = k + 1
		}
		before = v.inOrder[i]
	}
	return v
}

// text returns the bytes of a token, "" for an id that is none.
func (v *Vocabulary) text(id int32) string {
	if id < 0 || int(id) >= len(v.texts) {
		return ""
	}
	return v.texts[id]
}

// mask is the tokens that may come next.
type mask struct {
	bits  []uint64
	count int
}

// allowed returns the tokens that may follow s. g.mu is held, or nobody else knows g.
func (s *state) allowed(g *Grammar) *mask {
	if s.mask != nil {
		return s.mask
	}
	v := g.vocab
	m := &mask{bits: make([]uint64, (len(v.texts)+63)/64)}
	path := []*state{s} // after each byte of the text before
	for i, text := range v.inOrder {
		shared := int(v.shared[i])
		// What the text shares with the one before has been followed; if that was dead, so is this.
		path = path[:min(len(path), shared+1)]
		if len(path) <= shared {
			continue
		}
		alive := true
		for at := len(path) - 1; at < len(text); at++ {
			t := path[at].next[text[at]]
			if t == nil {
				t = path[at].after(g, text[at])
			}
			if t == dead {
				alive = false
				break
			}
			path = append(path, t)
		}
		if alive {
			id := v.sorted[i]
			m.bits[id/64] |= 1 << (id % 64)
			m.count++
		}
	}
	s.mask = m
	return m
}
