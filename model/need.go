package model

import "math"

// Need is an estimate, in bytes, of the memory that running a model takes.
type Need struct {
	Weights     int64 // as this version holds them, with the panels that products read
	KV          int64 // keys and values of every position
	Activations int64 // of the largest step
}

// Total is the sum, at most the largest int64.
func (n Need) Total() int64 {
	return addBytes(addBytes(n.Weights, n.KV), n.Activations)
}

// needRows is how many positions of a prompt an engine evaluates in one step by default.
const needRows = 512

// EstimateNeed says what running a model of shape c takes with a context of so many positions for
// each of so many sequences: two numbers per layer, head of keys and position for the KV cache, and
// the activations of a step of 512 positions with the logits of every sequence. All are float32. c
// must be valid, context and sequences at least 1; nothing is allocated.
func (c *Config) EstimateNeed(context, sequences int) (Need, error) {
	m, err := layOut(*c)
	if err != nil {
		return Need{}, err
	}
	const float = 4
	q, kv := int64(c.Heads)*int64(c.HeadSize), int64(c.KVHeads)*int64(c.HeadSize)
	rows := int64(min(context, needRows)) + int64(sequences)
	perRow := 3*int64(c.Width) + 2*q + 2*kv + 2*int64(c.FFN)
	return Need{
		Weights:     mulBytes(int64(m.base.floats)+int64(m.base.packFloats), float),
		KV:          mulBytes(mulBytes(2*float*kv, int64(c.Layers)), mulBytes(int64(context), int64(sequences))),
		Activations: addBytes(mulBytes(rows*float, perRow), mulBytes(int64(sequences)*float, int64(c.VocabSize))),
	}, nil
}

// mulBytes and addBytes stay at the largest number rather than wrap. Both factors are not negative.
func mulBytes(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

func addBytes(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
