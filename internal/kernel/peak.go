package kernel

import (
	"sync/atomic"
	"time"
)

// Peak is what the workers of a pool can do at most, whatever the model: limits to hold a measured speed against. It is measured with the
// instructions that the products of this machine use, on numbers that stay in registers.
type Peak struct {
	// Float32, BF16 and Bytes are operations a second, a multiplication and an addition being two; 0 where plain Go does the products.
	// Where the machine has no instruction for BF16 or for sums of products of bytes, these are of the instructions that stand in for it.
	Float32, BF16, Bytes float64
}

// Rounds of one measurement: each is some ten to a hundred microseconds, as a neighbour on a shared machine can only make a round slower.
const (
	peakRounds = 200
	peakSteps  = 10000
	readRounds = 4
	readPiece  = 1 << 16 // floats
)

// MeasurePeak keeps all workers busy for a few tens of milliseconds, and returns the fastest of some rounds.
func MeasurePeak(pool *Pool) Peak {
	pool.Begin()
	defer pool.End()
	return Peak{peakOf(pool, multiplyAdd), peakOf(pool, multiplyAddBF16), peakOf(pool, multiplyBytes)}
}

// peakOf is the highest rate of operations, of all workers together.
func peakOf(pool *Pool, multiply func(steps int) (operations float64)) float64 {
	if multiply(1) == 0 {
		return 0
	}
	each := make([]float64, pool.Threads())
	fastest := 0.0
	for range peakRounds {
		start := time.Now()
		pool.Run(len(each), func(_, chunk int) { each[chunk] = multiply(peakSteps) })
		seconds := time.Since(start).Seconds()
		operations := 0.0
		for _, n := range each {
			operations += n
		}
		fastest = max(fastest, operations/seconds)
	}
	return fastest
}

// MeasureRead reads memory with all workers as the sum of squares does, and returns the bytes a second of each of some rounds. A memory that
// is several times as large as the last cache gives the bandwidth of the memory behind it. What memory holds does not matter, but pages that
// were never written may all be one page.
func MeasureRead(pool *Pool, memory []float32) []float64 {
	pool.Begin()
	defer pool.End()
	var sink atomic.Int64
	rates := make([]float64, readRounds)
	for i := range rates {
		start := time.Now()
		pool.Run(len(memory)/readPiece, func(_, chunk int) {
			sink.Add(int64(SumSquares(memory[chunk*readPiece : (chunk+1)*readPiece])))
		})
		rates[i] = 4 * readPiece * float64(len(memory)/readPiece) / time.Since(start).Seconds()
	}
	return rates
}
