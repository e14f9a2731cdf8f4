package main

import (
	"fmt"
	"runtime"

	"github.com/retort-ml/retort/cmd/retort/internal/bench"
)

// speedEvent is how fast a model can be expected to decode here, by what its steps read.
type speedEvent struct {
	TokensPerSecond float64 `json:"tokens_per_second"` // of one sequence, at its beginning
	ReadPerToken    float64 `json:"bytes_per_token"`
	Read            float64 `json:"read_bytes_per_second"` // from memory, measured just now
}

// leastRead is what a step reads at least for its speed to be bound by memory: less than that may stay in a cache.
const leastRead = 64 << 20

// expectSpeed reckons from the bytes that a step reads; nil where they tell nothing. It measures for a tenth of a second.
func expectSpeed(perToken float64) *speedEvent {
	if perToken < leastRead {
		return nil
	}
	read := bench.ReadSpeed(runtime.GOMAXPROCS(0))
	return &speedEvent{TokensPerSecond: read / perToken, ReadPerToken: perToken, Read: read}
}

// describe writes it on one line.
func (e *speedEvent) describe() string {
	if e == nil {
		return "not told: the weights are so few that a cache may hold them"
	}
	return fmt.Sprintf("at most about %.3g tokens/s here, an estimate: memory is read at %.1f GB/s, %s a token", e.TokensPerSecond, e.Read/1e9, humanBytes(int64(e.ReadPerToken)))
}
