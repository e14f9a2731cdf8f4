package task

import "math/rand/v2"

// newRand returns the generator of one item, given by its coordinates. Neighbouring coordinates give unrelated generators.
func newRand(coordinates ...uint64) *rand.Rand {
	var high, low uint64 = 1, 2
	for _, c := range coordinates {
		high = mix(high ^ mix(c))
		low = mix(low + high)
	}
	return rand.New(rand.NewPCG(high, low))
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 14).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
