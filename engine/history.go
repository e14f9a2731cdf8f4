package engine

// history counts the tokens that penalties look at.
type history struct {
	seen  []seenToken
	index map[int32]int // of a token in seen
}

type seenToken struct {
	token int32
	count int // in the sample; 0 for a token that is only in the prompt
}

// newHistory is the history of a sample that has not begun.
func newHistory(r *Request) *history {
	h := &history{index: map[int32]int{}}
	if r.repels() {
		for _, token := range r.Prompt {
			h.at(token)
		}
	}
	return h
}

func (h *history) at(token int32) *seenToken {
	i, ok := h.index[token]
	if !ok {
		i = len(h.seen)
		h.index[token] = i
		h.seen = append(h.seen, seenToken{token: token})
	}
	return &h.seen[i]
}

// add counts a token of the sample. A nil history counts nothing.
func (h *history) add(token int32) {
	if h != nil {
		h.at(token).count++
	}
}

// apply changes logits z [V] by the penalties of r. A nil history changes nothing.
func (h *history) apply(z []float32, r *Request) {
	if h == nil {
		return
	}
	for _, s := range h.seen {
		x := z[s.token]
		if r.repels() && x > 0 {
			x /= r.RepetitionPenalty
		} else if r.repels() {
			x *= r.RepetitionPenalty
		}
		if s.count > 0 {
			x -= r.PresencePenalty + float32(r.FrequencyPenalty*float32(s.count))
		}
		z[s.token] = x
	}
}
