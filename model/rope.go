package model

import (
	"errors"
	"fmt"
	"math"

	"github.com/retort-ml/retort/internal/compute"
)

// RopeScaling stretches the rotary frequencies of a model to longer texts than it was first trained
// on, by the rule "llama3" of Hugging Face transformers. The zero value leaves them alone.
type RopeScaling struct {
	// Factor divides the frequencies of waves longer than OriginalMaxPositions/LowFrequencyFactor
	// positions; 0 means no scaling. Waves shorter than OriginalMaxPositions/HighFrequencyFactor stay;
	// those between are blended.
	Factor, LowFrequencyFactor, HighFrequencyFactor float64
	// OriginalMaxPositions is the longest sequence of the first training.
	OriginalMaxPositions int
}

// ropeLlama3 is the name of the one scaling rule, as rope_type has it.
const ropeLlama3 = "llama3"

// maxRopeFactor bounds the factors of a config.
const maxRopeFactor = 1 << 20

func (s RopeScaling) validate() error {
	if s == (RopeScaling{}) {
		return nil
	}
	var faults []error
	if !(s.Factor >= 1 && s.Factor <= maxRopeFactor) {
		faults = append(faults, fmt.Errorf("model: config: rope_scaling: factor %v, want 1 to %d", s.Factor, maxRopeFactor))
	}
	if !(s.LowFrequencyFactor > 0 && s.HighFrequencyFactor > s.LowFrequencyFactor && s.HighFrequencyFactor <= maxRopeFactor) {
		faults = append(faults, fmt.Errorf("model: config: rope_scaling: low_freq_factor %v and high_freq_factor %v, want 0 < low < high <= %d",
			s.LowFrequencyFactor, s.HighFrequencyFactor, maxRopeFactor))
	}
	if limit := maxDimension << 4; s.OriginalMaxPositions < 1 || s.OriginalMaxPositions > limit {
		faults = append(faults, fmt.Errorf("model: config: rope_scaling: original_max_position_embeddings is %d, want 1 to %d", s.OriginalMaxPositions, limit))
	}
	return errors.Join(faults...)
}

// divisor returns by how much a frequency in radians per position is divided:
//
//	wave = 2π/frequency, smooth = (original/wave − low)/(high − low)
//	wave > original/low: factor;  wave < original/high: 1;  between: 1/((1−smooth)/factor + smooth)
func (s RopeScaling) divisor(frequency float64) float64 {
	if s.Factor == 0 {
		return 1
	}
	wave, original := 2*math.Pi/frequency, float64(s.OriginalMaxPositions)
	switch {
	case wave > original/s.LowFrequencyFactor:
		return s.Factor
	case wave < original/s.HighFrequencyFactor:
		return 1
	}
	smooth := (original/wave - s.LowFrequencyFactor) / (s.HighFrequencyFactor - s.LowFrequencyFactor)
	return 1 / ((1-smooth)/s.Factor + smooth)
}

// ropeFrequency is by how many radians a position pair i turns, before scaling.
func (c *Config) ropeFrequency(i int) float64 {
	return math.Pow(c.RopeTheta, -2*float64(i)/float64(c.HeadSize))
}

// ropeTable holds the rotary cosines and sines of the first positions (Su et al. 2021, equation 15):
// [positions][K], K/2 cosines, then K/2 sines. Angles are float64 and rounded once, where transformers has float32 angles, whose
// error grows with the position.
func (m *Model) ropeTable(positions int) []float32 {
	c, k := &m.config, m.config.HeadSize
	table := compute.Floats(positions * k)
	for i := range k / 2 {
		frequency := c.ropeFrequency(i)
		frequency /= c.RopeScaling.divisor(frequency)
		for p := range positions {
			sin, cos := math.Sincos(float64(p) * frequency)
			table[p*k+i] = float32(cos)
			table[p*k+k/2+i] = float32(sin)
		}
	}
	return table
}
